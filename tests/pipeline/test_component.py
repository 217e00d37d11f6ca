"""The component in pipelines: training, prediction, saving, other components."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example
from thinc.api import SGD, Adam, fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner.layers.marginals import segment_marginals
from spacy_lstm_ner.tags import ScoredSpan

from ..helpers.pipelines import (
    SMALL_MODEL,
    copy_of,
    found,
    list_pattern,
    loaded_again,
    token_config,
    train,
    with_shared_tok2vec,
)

# Prediction


def test_a_trained_pipeline_fits_its_training_data(trained, examples):
    scores = trained.evaluate([copy_of(trained, eg) for eg in examples])
    assert scores["ents_f"] > 0.98
    assert scores["ents_per_type"]["NAME"]["f"] > 0.9
    assert scores["bio_acc"] > 0.98
    assert 0.9 < scores["bio_macro_f"] <= 1.0


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("unit", ["char", "token"])
def test_every_unit_and_scheme_learns(examples, unit, scheme):
    nlp = spacy.blank("zh")
    config = {"scheme": scheme, "model": SMALL_MODEL}
    nlp.add_pipe("lstm_ner", config=config if unit == "char" else token_config(scheme))
    train(nlp, examples)
    scores = nlp.evaluate([copy_of(nlp, eg) for eg in examples])
    assert scores["ents_f"] > 0.95


def test_without_crf_tags_are_scored_independently(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": {**SMALL_MODEL, "crf": False}})
    train(nlp, examples)
    crf = nlp.get_pipe("lstm_ner").model.get_ref("crf")
    assert not any(crf.get_param(name).any() for name in crf.param_names)
    nlp.get_pipe("lstm_ner").add_label("NEW")
    scores = nlp.evaluate([copy_of(nlp, eg) for eg in examples])
    assert scores["ents_f"] > 0.95
    assert scores["ents_ece"] < 0.1


def test_pipe_gives_the_same_as_single_texts(trained, examples):
    texts = [eg.text for eg in examples[:20]] + ["", " ", "\n", "好"]
    together = [found(doc) for doc in trained.pipe(texts, batch_size=7)]
    assert together == [found(trained(text)) for text in texts]
    assert any(together)


def test_empty_texts(trained):
    for text in ("", " ", "\n\t\u3000"):
        doc = trained(text)
        assert doc.ents == () and doc.text == text
    assert found(next(trained.pipe([""]))) == []


def test_offsets_count_code_points(trained, examples):
    """After an emoji of several code points, and spaces."""
    text = next(eg.text for eg in examples if eg.reference.ents)
    prefix = "👩‍👩‍👧 Kite 7\u3000"
    plain, shifted = trained(text), trained(prefix + text)
    expected = {text[s:e] for s, e, _ in found(plain)}
    assert expected & {ent.text for ent in shifted.ents}
    for start, end, _ in found(shifted):
        assert (prefix + text)[start:end].strip() == (prefix + text)[start:end]


def test_every_token_is_annotated(trained, examples):
    doc = trained(examples[0].text)
    assert all(token.ent_iob_ in ("B", "I", "O") for token in doc)


def test_only_legal_paths_are_considered():
    """With high scores of inside tags everywhere, no entity begins with one."""
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"scheme": "BIO", "model": SMALL_MODEL})
    ner.add_label("X")
    nlp.initialize(lambda: [Example.from_dict(nlp.make_doc("一二三"), {})])
    bias = np.zeros(3, dtype="float32")
    bias[ner.tags.names.index("I-X")] = 1.0
    bias[ner.tags.names.index("B-X")] = -9.0
    output = ner.model.get_ref("output_layer")
    output.set_param("b", bias)
    output.set_param("W", np.zeros_like(output.get_param("W")))
    assert found(nlp("一二三")) == []
    bias[ner.tags.names.index("B-X")] = -0.5
    assert found(nlp("一二三")) == [(0, 3, "X")]


def test_an_error_handler_skips_one_batch(trained, examples, monkeypatch):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    predict = ner.predict

    def fails(docs):
        if any("坏" in doc.text for doc in docs):
            raise ValueError("bad")
        return predict(docs)

    monkeypatch.setattr(ner, "predict", fails)
    failed = []
    nlp.set_error_handler(lambda name, pipe, docs, error: failed.extend(docs))
    texts = [eg.text for eg in examples[:5]]
    docs = list(nlp.pipe([*texts[:3], "坏", *texts[3:]], batch_size=1))
    assert [doc.text for doc in failed] == ["坏"]
    assert [found(doc) for doc in docs] == [found(trained(text)) for text in texts]


# Training


def test_training_is_reproducible(examples):
    def trained_bytes(seed):
        nlp = spacy.blank("zh")
        nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
        train(nlp, examples, steps=4, seed=seed)
        return nlp.get_pipe("lstm_ner").model.to_bytes()

    assert trained_bytes(1) == trained_bytes(1)
    assert trained_bytes(1) != trained_bytes(2)


def test_the_loss_decreases(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01)
    losses = []
    for _ in range(10):
        batch = [copy_of(nlp, eg) for eg in examples[:20]]
        losses.append(nlp.update(batch, sgd=optimizer, drop=0.1)["lstm_ner"])
    assert losses[-1] < losses[0] / 2


def test_a_component_can_be_updated_without_its_pipeline(trained, examples):
    ner = loaded_again(trained).get_pipe("lstm_ner")
    before = ner.model.to_bytes()
    batch = [copy_of(trained, eg) for eg in examples[:5]]
    losses = ner.update(batch)
    assert ner.model.to_bytes() == before, "gradients are accumulated"
    assert ner.update(batch, sgd=Adam(0.01), losses=losses) is losses
    assert ner.model.to_bytes() != before


def test_tokens_without_annotation_have_no_loss(trained):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    unknown = nlp.make_doc("高勇任职")
    losses = ner.update([Example(nlp.make_doc(unknown.text), unknown)])
    assert losses["lstm_ner"] == pytest.approx(0.0, abs=1e-6)
    output = ner.model.get_ref("output_layer")
    assert np.abs(output.get_grad("W")).max() < 1e-6
    partly = nlp.make_doc("高勇任职")
    partly.set_ents([], missing=[partly[:2]], default="outside")
    losses = ner.update([Example(nlp.make_doc(partly.text), partly)])
    assert losses["lstm_ner"] > 0


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_an_entity_ends_before_tokens_without_annotation(examples, scheme):
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"scheme": scheme, "model": SMALL_MODEL})
    train(nlp, examples, steps=5)
    doc = nlp.make_doc("王芳任北京大学教授。")
    gold = doc.copy()
    gold.set_ents([Span(gold, 3, 5, "ORG")], default="missing")
    (rows,) = ner.model.predict([doc])
    loss, _ = ner.get_loss([Example(doc, gold)], [rows])
    (probability,) = segment_marginals(
        ner.model.get_ref("crf"),
        Ragged(rows, np.array([len(rows)])),
        ner.tags.constraints,
        ner.tags.segments([(3, 5, "ORG")]),
    )
    assert loss == pytest.approx(-np.log(probability), rel=1e-5)


def test_empty_updates(trained):
    ner = trained.get_pipe("lstm_ner")
    empty = Example.from_dict(trained.make_doc(""), {})
    for batch in ([], [empty]):
        assert ner.update(batch) == {"lstm_ner": 0.0}


def test_an_unknown_label_in_update_is_reported(trained):
    doc = trained.make_doc("高勇任职")
    doc.ents = [Span(doc, 0, 2, "PLANET")]
    with pytest.raises(ValueError, match=r"'PLANET'.*not among the labels.*NAME"):
        trained.update([Example(trained.make_doc(doc.text), doc)])


def test_initialize_without_labels_or_text(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    plain = nlp.make_doc("没有实体")
    with pytest.raises(ValueError, match="Labels for component 'lstm_ner'"):
        nlp.initialize(lambda: [Example(plain, plain)])
    nlp.get_pipe("lstm_ner").add_label("A")
    empty = nlp.make_doc("")
    with pytest.raises(ValueError, match="no proper sample data"):
        nlp.initialize(lambda: [Example(empty, empty)])


@pytest.mark.parametrize("invalid", [lambda: None, lambda: [], lambda: ["a"], []])
def test_invalid_examples(trained, invalid):
    nlp = loaded_again(trained)
    with pytest.raises((TypeError, ValueError)):
        nlp.get_pipe("lstm_ner").initialize(invalid, nlp=nlp)
    for update in (nlp.update, nlp.rehearse, nlp.get_pipe("lstm_ner").update):
        with pytest.raises((TypeError, ValueError)):
            update([nlp.make_doc("高勇任职")])


def test_prediction_without_initialize_is_an_error():
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner").add_label("A")
    with pytest.raises(ValueError, match=r"lstm_ner.*Did you forget.*initialize"):
        nlp("北京")


def test_the_order_of_labels_is_stable(examples):
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    nlp.initialize(lambda: examples[::-1])
    assert ner.labels == tuple(sorted(ner.labels))
    assert ner.label_data == ner.labels
    given = nlp.create_pipe("lstm_ner", config={"model": SMALL_MODEL})
    given.initialize(lambda: examples, nlp=nlp, labels=["ZZ", *ner.label_data])
    assert given.labels == ("ZZ", *ner.labels)


def test_a_new_label_does_not_change_predictions(trained, examples):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    texts = [eg.text for eg in examples] + [eg.text[::-1] for eg in examples]
    before = list(nlp.pipe(texts))
    assert ner.add_label("PLANET") == 1
    assert ner.add_label("PLANET") == 0
    ner.add_label("MOON")
    for doc, old in zip(nlp.pipe(texts), before, strict=True):
        assert found(doc) == found(old)
        scores, old_scores = (d.spans["lstm_ner"].attrs["scores"] for d in (doc, old))
        np.testing.assert_allclose(scores, old_scores, atol=0.02)
    doc = nlp.make_doc("火星有水")
    doc.ents = [Span(doc, 0, 2, "PLANET")]
    optimizer = Adam(0.01)
    for _ in range(50):
        nlp.update([Example(nlp.make_doc(doc.text), doc)], sgd=optimizer)
    assert found(nlp("火星有水")) == [(0, 2, "PLANET")]
    again = loaded_again(nlp)
    assert found(again("火星有水")) == [(0, 2, "PLANET")]


def test_a_label_can_be_added_during_training(examples):
    """Optimizer averages and gradients have the former sizes."""
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    train(nlp, examples, steps=2)
    optimizer = Adam(0.01)
    batch = [copy_of(nlp, eg) for eg in examples[:5]]
    nlp.update(batch, sgd=optimizer)
    nlp.update(batch, sgd=False)
    for label in ("PLANET", "MOON"):
        ner.add_label(label)
    doc = nlp.make_doc("火星有水")
    doc.ents = [Span(doc, 0, 2, "PLANET")]
    nlp.update([Example(nlp.make_doc(doc.text), doc)], sgd=optimizer)
    with nlp.use_params(optimizer.averages):
        nlp(doc.text)
    assert ner.model.get_ref("output_layer").get_dim("nO") == len(ner.tags)


def test_initializing_again_replaces_the_character_vocabulary(examples):
    nlp = spacy.blank("zh")
    embed = {"@architectures": "spacy-lstm-ner.CharEmbed.v1", "width": 8,
             "kind": "learned"}  # fmt: skip
    model = {**token_config()["model"]}
    model["tok2vec"] = {**model["tok2vec"], "embed": embed}
    nlp.add_pipe("lstm_ner", config={"model": model})
    nlp.initialize(lambda: examples[:20])
    nlp.initialize(lambda: examples)
    (node,) = [
        node
        for node in nlp.get_pipe("lstm_ner").model.walk()
        if node.name == "char_embed_learned"
    ]
    known = {chr(code) for code in node.attrs["characters"]}
    assert known == {char for eg in examples for char in eg.text}
    train(nlp, examples)
    assert nlp.evaluate([copy_of(nlp, eg) for eg in examples])["ents_f"] > 0.9


def test_rehearsal_prevents_forgetting(trained, examples):
    def after_a_new_label(*, rehearse, before=True):
        nlp = loaded_again(trained)
        if before:
            nlp.get_pipe("lstm_ner").add_label("PLANET")
        optimizer = nlp.resume_training(sgd=Adam(0.01))
        nlp.get_pipe("lstm_ner").add_label("PLANET")
        doc = nlp.make_doc("火星有水")
        doc.ents = [Span(doc, 0, 2, "PLANET")]
        fix_random_seed(0)
        losses = []
        for step in range(40):
            nlp.update([Example(nlp.make_doc(doc.text), doc)], sgd=optimizer)
            if rehearse:
                raw = [nlp.make_doc(eg.text) for eg in examples[step % 3 :: 3]]
                batch = [Example(doc, doc) for doc in raw]
                losses.append(nlp.rehearse(batch, sgd=optimizer)["lstm_ner"])
        assert found(nlp(doc.text)) == [(0, 2, "PLANET")]
        return nlp.evaluate([copy_of(nlp, eg) for eg in examples]), losses

    forgotten, _ = after_a_new_label(rehearse=False)
    kept, losses = after_a_new_label(rehearse=True)
    assert forgotten["ents_f"] < 0.9 < kept["ents_f"]
    assert losses[-1] < max(losses) / 2
    # A label that was added later is not suppressed, in other texts either.
    later, losses = after_a_new_label(rehearse=True, before=False)
    assert later["ents_r"] > 0.9 and "PLANET" in later["ents_per_type"]
    assert "PLANET" not in kept["ents_per_type"]


def test_rehearsal_without_a_former_model(trained, examples):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    batch = [copy_of(nlp, eg) for eg in examples[:3]]
    assert ner.rehearse(batch) == {"lstm_ner": 0.0}
    nlp.resume_training()
    assert ner.rehearse([]) == {"lstm_ner": 0.0}
    assert ner.rehearse([Example.from_dict(nlp.make_doc(""), {})]) == {"lstm_ner": 0.0}
    # Without n-gram dropout it would be 0: the weights have not changed since.
    before = ner.model.to_bytes()
    assert ner.rehearse(batch)["lstm_ner"] > 0
    assert ner.model.to_bytes() == before
    nlp.rehearse(batch, sgd=Adam(0.01))
    assert ner.model.to_bytes() != before


# Saving


def test_a_loaded_pipeline_gives_the_same_predictions(trained, examples, tmp_path):
    trained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    texts = [eg.text for eg in examples[:20]]
    assert [found(loaded(t)) for t in texts] == [found(trained(t)) for t in texts]
    assert loaded.get_pipe("lstm_ner").labels == trained.get_pipe("lstm_ner").labels
    assert loaded.get_pipe("lstm_ner").cfg == trained.get_pipe("lstm_ner").cfg


def test_settings_are_saved(tmp_path):
    nlp = spacy.blank("zh")
    config = {"scheme": "BIO", "alignment_mode": "strict", "overwrite": True}
    nlp.add_pipe("lstm_ner", config={**config, "model": SMALL_MODEL})
    nlp.to_disk(tmp_path)
    ner = spacy.load(tmp_path).get_pipe("lstm_ner")
    assert ner.cfg["scheme"] == "BIO"
    assert (ner.alignment_mode, ner.overwrite) == ("strict", True)
    changed = {"components": {"lstm_ner": {"overwrite": False}}}
    assert not spacy.load(tmp_path, config=changed).get_pipe("lstm_ner").overwrite


@pytest.mark.torch
def test_one_line_of_the_config_changes_the_layer(trained, examples):
    pytest.importorskip("torch")
    config = trained.config.copy()
    encode = config["components"]["lstm_ner"]["model"]["tok2vec"]["encode"]
    assert encode["@architectures"] == "spacy-lstm-ner.LSTMEncoder.v1"
    encode["@architectures"] = "spacy-lstm-ner.TorchLSTMEncoder.v1"
    torch_nlp = spacy.blank("zh").from_config(config).from_bytes(trained.to_bytes())
    texts = [eg.text for eg in examples]
    assert [found(torch_nlp(t)) for t in texts] == [found(trained(t)) for t in texts]
    torch_nlp.update(
        [copy_of(torch_nlp, eg) for eg in examples[:5]], sgd=torch_nlp.resume_training()
    )


# Other components


def test_preset_entities_are_kept(trained, examples):
    nlp = loaded_again(trained)
    text = next(eg.text for eg in examples if len(trained(eg.text).ents) >= 2)
    start, end, _ = found(trained(text))[0]
    ruler = nlp.add_pipe("entity_ruler", before="lstm_ner")
    ruler.add_patterns(
        [{"label": "RULE", "pattern": list_pattern(text[start:end]), "id": "r1"}]
    )
    doc = nlp(text)
    assert (start, end, "RULE") in found(doc)
    assert found(doc)[1:] == found(trained(text))[1:]
    assert doc.ents[0].ent_id_ == "r1"
    nlp.get_pipe("lstm_ner").overwrite = True
    assert found(nlp(text)) == found(trained(text))


def test_blocked_spans_are_kept(trained, examples):
    text = next(eg.text for eg in examples if trained(eg.text).ents)
    doc = trained.make_doc(text)
    start, end, _ = found(trained(text))[0]
    blocked = doc.char_span(start, end)
    doc.set_ents([], blocked=[blocked], default="unmodified")
    doc = trained.get_pipe("lstm_ner")(doc)
    assert all(ent.end_char <= start or end <= ent.start_char for ent in doc.ents)
    assert all(token.ent_iob_ == "B" and not token.ent_type for token in blocked)


def test_a_ruler_after_the_component(trained, examples):
    nlp = loaded_again(trained)
    ruler = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "RULE", "pattern": list_pattern("历任")}])
    doc = nlp("历任" + examples[0].text)
    assert (0, 2, "RULE") in found(doc)


def test_shared_tok2vec_with_a_listener(examples):
    nlp = with_shared_tok2vec()
    train(nlp, examples)
    assert nlp.evaluate([copy_of(nlp, eg) for eg in examples])["ents_f"] > 0.95
    optimizer = nlp.resume_training()
    with pytest.raises(ValueError, match=r"call nlp\.replace_listeners"):
        nlp.rehearse([copy_of(nlp, examples[0])], sgd=optimizer)
    # The listener would give zeros.
    message = r"listens to a component tok2vec.*doc\.tensor is not set"
    with pytest.raises(ValueError, match=message), nlp.select_pipes(disable="tok2vec"):
        nlp(examples[0].text)
    assert nlp("").ents == ()


@pytest.mark.parametrize("encoder", ["LSTMEncoder", "TorchLSTMEncoder"])
def test_encoder_in_the_built_in_ner(examples, encoder):
    if encoder == "TorchLSTMEncoder":
        pytest.importorskip("torch")
    nlp = spacy.blank("zh")
    tok2vec = token_config()["model"]["tok2vec"]
    tok2vec["encode"]["@architectures"] = f"spacy-lstm-ner.{encoder}.v1"
    nlp.add_pipe("ner", config={"model": {"tok2vec": tok2vec}})
    few = examples[:4]
    fix_random_seed(0)
    nlp.initialize(lambda: few)
    optimizer = Adam(0.005)
    for _ in range(70):
        for eg in few:
            nlp.update([copy_of(nlp, eg)], sgd=optimizer)
    assert nlp.evaluate([copy_of(nlp, eg) for eg in few])["ents_f"] > 0.7


# Alignment with tokens


@pytest.mark.parametrize(
    "mode, expected",
    [("strict", []), ("contract", ["lives"]), ("expand", ["Anna lives here"])],
)
def test_entities_that_end_inside_tokens(mode, expected):
    nlp = spacy.blank("en")
    config = {"alignment_mode": mode, "model": SMALL_MODEL}
    ner = nlp.add_pipe("lstm_ner", config=config)
    doc = nlp.make_doc("Anna lives here")
    ner.set_annotations([doc], [[ScoredSpan(2, 13, "X", 0.5)]])
    assert [ent.text for ent in doc.ents] == expected


def test_uninitialized_or_broken_weights_are_reported(trained):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL}).add_label("NAME")
    with pytest.raises(ValueError, match="E109"):
        list(nlp.pipe(["王芳任教授。"]))
    broken = loaded_again(trained)
    output = broken.get_pipe("lstm_ner").model.get_ref("output_layer")
    output.get_param("b")[0] = np.nan
    with pytest.raises(ValueError, match="its weights are broken"):
        broken("王芳任教授。")


def test_white_space_at_the_edges_is_left_out():
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    doc = nlp.make_doc("在 北京\u3000市")
    ner.set_annotations([doc], [[ScoredSpan(1, 5, "LOC", 0.5)]])
    assert found(doc) == [(2, 4, "LOC")]


def test_gold_entities_that_end_inside_tokens_are_learned(examples):
    """An English token may contain many Chinese ones; the characters are the same."""
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    train(nlp, examples)
    for eg in examples[:10]:
        (spans,) = ner.predict([nlp.make_doc(eg.text)])
        assert [span[:3] for span in spans] == found(eg.reference)


def test_tokens_of_white_space_at_the_edges_are_left_out():
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("lstm_ner", config=token_config())
    doc = nlp.make_doc("Anna \n lives  ")
    words = [token.text for token in doc]
    assert words == ["Anna", "\n ", "lives", " "]
    spans = [ScoredSpan(0, 2, "A", 0.5), ScoredSpan(3, 4, "B", 0.5)]
    ner.set_annotations([doc], [spans])
    assert found(doc) == [(0, 4, "A")]
    assert doc.spans["lstm_ner"].attrs["unplaced"] == []


# Errors


def test_a_shared_tok2vec_is_incompatible_with_characters():
    listener = {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": 32,
        "upstream": "*",
    }
    config = token_config()
    config["model"] = {**config["model"], "tok2vec": listener}
    with pytest.raises(
        ValueError, match=r'unit = "char" is incompatible with a shared'
    ):
        spacy.blank("zh").add_pipe("lstm_ner", config={**config, "unit": "char"})


def test_a_wrong_number_of_tags_is_reported(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": {**SMALL_MODEL, "nO": 5}})
    with pytest.raises(ValueError, match=r"nO = 5, but 8 labels give 33 tags"):
        nlp.initialize(lambda: examples)


def test_empty_labels_are_rejected():
    nlp = spacy.blank("zh")
    with pytest.raises(ValueError):
        nlp.add_pipe("lstm_ner").add_label("")


def test_diverged_training_is_reported(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    nlp.initialize(lambda: examples)
    optimizer = SGD(1e4, grad_clip=0.0)
    text = examples[0].text[:40]
    message = rf"lower learning rate.* batch of 60 texts that begin with: '{text}"
    with pytest.raises(ValueError, match=message):
        for _ in range(10):
            nlp.update([copy_of(nlp, eg) for eg in examples], sgd=optimizer)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["output_layer", "crf", "tok2vec"])
def test_non_finite_weights_are_reported_in_training(trained, examples, where, value):
    """The error names the batch, and the optimizer is not called."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    nlp.resume_training()
    nodes = list(ner.model.get_ref(where).walk())
    (node, name) = next((n, name) for n in nodes for name in n.param_names)
    node.get_param(name).fill(value)
    before = ner.model.to_bytes()
    batch = [copy_of(nlp, eg) for eg in examples[:5]]
    message = (
        rf"^\[lstm_ner\] .* batch of 5 texts that begin with: '{examples[0].text[:40]}"
    )
    for update in (ner.update, ner.rehearse):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
            update(batch, sgd=Adam(0.01))
    assert ner.model.to_bytes() == before


def test_a_tok2vec_of_tokens_is_incompatible_with_characters():
    nlp = spacy.blank("en")
    config = {**token_config(), "unit": "char"}
    ner = nlp.add_pipe("lstm_ner", config=config)
    ner.add_label("X")
    with pytest.raises(ValueError, match=r'unit = "char".*any other tok2vec'):
        nlp.initialize(lambda: [Example.from_dict(nlp.make_doc("Anna lives"), {})])
        nlp("Anna lives here")


@pytest.mark.parametrize(
    "setting, value, choices",
    [
        ("unit", "word", "'char', 'token'"),
        ("scheme", "BMES", "'BIO', 'BIOES'"),
        ("alignment_mode", "loose", "'strict', 'contract', 'expand'"),
    ],
)
def test_invalid_choices_are_reported(setting, value, choices):
    with pytest.raises(ValueError, match=f"{setting} = '{value}' .*{choices}"):
        spacy.blank("zh").add_pipe("lstm_ner", config={setting: value})
