"""The component `lstm_nested_ner` in pipelines: training, prediction, saving."""

import pickle

import numpy as np
import pytest
import spacy
from spacy.scorer import Scorer
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import filter_spans
from thinc.api import Adam, fix_random_seed

from spacy_lstm_ner.exceptions import DamagedComponent, NotCalibrated
from spacy_lstm_ner.pipeline.nested_component import LSTMNestedEntityRecognizer
from spacy_lstm_ner.tags import Span
from spacy_lstm_ner.tags.nesting import nest

from ..helpers.pipelines import (
    SMALL_MODEL,
    TOKEN_MODEL,
    copy_of,
    found,
    list_pattern,
    loaded_again,
    token_config,
    train,
)

KEY = "sc"


def spans(doc, key=KEY):
    return [(s.start_char, s.end_char, s.label_) for s in doc.spans[key]]


def nested_pipeline(**config):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_nested_ner", config={"model": SMALL_MODEL, **config})
    return nlp


def annotated(nlp, text, entities, key=KEY, missing=()):
    """An example with these entities, given by their text and label; of a text that
    occurs more than once, the first one."""
    doc = nlp.make_doc(text)
    group = [
        doc.char_span(text.index(part), text.index(part) + len(part), label)
        for part, label in entities
    ]
    doc.spans[key] = group
    if missing:
        ents = filter_spans(group)
        known = {i for ent in ents for i in range(ent.start, ent.end)}
        tokens = [doc[i : i + 1] for i in missing if i not in known]
        doc.set_ents(ents, missing=tokens, default="outside")
        if not any(token.ent_iob for token in doc):
            del doc.spans[key]
    return Example(nlp.make_doc(text), doc)


# Training and prediction


def test_a_trained_pipeline_fits_its_training_data(trained_nested, nested_examples):
    ner = trained_nested.get_pipe("lstm_nested_ner")
    assert isinstance(ner, LSTMNestedEntityRecognizer)
    assert {"LOC", "ORG", "TITLE", "REF"} <= set(ner.labels)
    scores = trained_nested.evaluate(
        [copy_of(trained_nested, eg) for eg in nested_examples]
    )
    assert scores["spans_sc_f"] > 0.97
    assert scores["spans_sc_per_type"]["LOC"]["f"] > 0.95
    for kind in ("flat", "nested", "overlapping"):
        assert scores["spans_sc_by_kind"][kind]["gold"] > 5
        assert scores["spans_sc_by_kind"][kind]["f"] > 0.95
    assert scores["spans_sc_ece"] < 0.1


def test_spans_are_those_of_spancat(trained_nested, nested_examples):
    """Scores beside spans, outer entities before inner ones."""
    n_inner = 0
    for eg in nested_examples:
        doc = trained_nested(eg.text)
        group = doc.spans[KEY]
        scores = group.attrs["scores"]
        assert len(scores) == len(group)
        assert ((scores > 0) & (scores <= 1)).all()
        order = [(s.start, -s.end) for s in group]
        assert order == sorted(order)
        assert doc.ents == ()
        by_label = {}
        for span in group:
            by_label.setdefault(span.label_, []).append(span)
        for same in by_label.values():
            nesting = nest([Span(s.start, s.end, s.label_) for s in same])
            assert not nesting.crossing and max(nesting.layer) < 2
            n_inner += sum(layer > 0 for layer in nesting.layer)
    assert n_inner


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("unit", ["char", "token"])
def test_every_unit_and_scheme_learns(nested_examples, unit, scheme):
    model = SMALL_MODEL if unit == "char" else TOKEN_MODEL
    nlp = nested_pipeline(unit=unit, scheme=scheme, model=model)
    train(nlp, nested_examples, steps=90)
    scores = nlp.evaluate([copy_of(nlp, eg) for eg in nested_examples])
    assert scores["spans_sc_f"] > 0.85


def test_the_default_model_of_tokens():
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("lstm_nested_ner", config={"unit": "token"})
    examples = [annotated(nlp, "in New York City", [("New York City", "LOC")])]
    nlp.initialize(lambda: examples)
    model = nlp.config["components"]["lstm_nested_ner"]["model"]
    assert model["@architectures"] == "spacy-lstm-ner.NestedNER.v1"
    assert model["tok2vec"]["embed"]["@architectures"] == "spacy.MultiHashEmbed.v2"
    assert ner.predict([nlp.make_doc("in New York")])


def test_without_crf_tags_are_scored_independently(nested_examples):
    nlp = nested_pipeline(model={**SMALL_MODEL, "crf": False})
    train(nlp, nested_examples, steps=90)
    crfs = nlp.get_pipe("lstm_nested_ner").model.get_ref("crf")
    assert not any(crfs.get_param(name).any() for name in crfs.param_names)
    scores = nlp.evaluate([copy_of(nlp, eg) for eg in nested_examples])
    assert scores["spans_sc_f"] > 0.85


def test_one_label_and_one_layer_are_lstm_ner_to_the_last_digit(nested_examples):
    """The same weights, losses, entities and probabilities."""
    losses, scores, entities = [], [], []
    for factory in ("lstm_ner", "lstm_nested_ner"):
        nlp = spacy.blank("zh")
        config = {"model": SMALL_MODEL}
        if factory == "lstm_nested_ner":
            config |= {"depth": 1, "spans_key": "times"}
        ner = nlp.add_pipe(factory, config=config, name="ner")
        examples = []
        for eg in nested_examples[:20]:
            doc = nlp.make_doc(eg.text)
            times = [
                doc.char_span(s.start_char, s.end_char, "TIME")
                for s in eg.reference.ents
                if s.label_ == "TIME"
            ]
            doc.set_ents(times)
            doc.spans["times"] = times
            examples.append(Example(nlp.make_doc(eg.text), doc))
        fix_random_seed(0)
        nlp.initialize(lambda examples=examples: examples)
        optimizer = Adam(0.01)
        losses.append(
            [
                nlp.update(
                    [copy_of(nlp, eg) for eg in examples], sgd=optimizer, drop=0.2
                )["ner"]
                for _ in range(12)
            ]
        )
        docs = [nlp.make_doc(eg.text) for eg in examples]
        scores.append(np.concatenate(ner.model.predict(docs)))
        entities.append(ner.predict(docs))
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(*scores)
    assert entities[0] == entities[1] and any(entities[0])


def test_pipe_gives_the_same_as_single_texts(trained_nested, nested_examples):
    texts = [eg.text for eg in nested_examples[:20]] + ["", " ", "\n", "好"]
    together = [spans(doc) for doc in trained_nested.pipe(texts, batch_size=7)]
    assert together == [spans(trained_nested(text)) for text in texts]
    assert any(together) and not any(together[20:23])


def test_with_processes(trained_nested, nested_examples):
    texts = [eg.text for eg in nested_examples[:4]]
    docs = trained_nested.pipe(texts, n_process=2)
    assert [spans(d) for d in docs] == [spans(trained_nested(t)) for t in texts]


def test_gold_entities_in_doc_ents_if_there_is_no_group():
    nlp = nested_pipeline()
    doc = nlp.make_doc("王芳在沪")
    doc.ents = [doc.char_span(0, 2, "PER")]
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc)])
    assert nlp.get_pipe("lstm_nested_ner").labels == ("PER",)


def test_adding_a_label_keeps_the_entities(trained_nested, nested_examples):
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    assert ner.add_label("NEW") == 1
    assert ner.add_label("NEW") == 0
    for eg in nested_examples[:20]:
        assert spans(nlp(eg.text)) == spans(trained_nested(eg.text))
    optimizer = Adam(0.01)
    learned = [annotated(nlp, "今天是星期五", [("星期五", "NEW")]) for _ in range(4)]
    for _ in range(60):
        nlp.update([copy_of(nlp, eg) for eg in learned], sgd=optimizer)
    assert (3, 6, "NEW") in spans(nlp("今天是星期五"))


# Windows


def test_windows_find_the_same_entities(trained_nested, nested_examples):
    """In a text of many sentences."""
    text = "".join(eg.text for eg in nested_examples[:30])
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    ner.window = None
    whole = set(spans(nlp(text)))
    ner.window = 200
    in_windows = set(spans(nlp(text)))
    assert len(whole) > 100
    assert len(whole ^ in_windows) < 0.03 * len(whole)
    (p,) = ner.probabilities([nlp.make_doc(text)], [sorted(in_windows)])
    scores = nlp(text).spans[KEY].attrs["scores"]
    by_span = dict(zip(spans(nlp(text)), scores, strict=True))
    assert p == pytest.approx([by_span[span] for span in sorted(in_windows)], abs=0.05)


# Brackets


def test_entities_keep_pairs_of_brackets(trained_nested, nested_examples):
    """In all layers, whatever the scores."""
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    output = ner.model.get_ref("output_layer")
    random = np.random.default_rng(0)
    W = output.get_param("W")
    output.set_param("W", random.standard_normal(W.shape).astype("float32"))
    texts = ["在中国（上海）自由贸易区的《北京（旧城）史》里", "甲（乙（丙）丁）戊"] * 3
    texts += [eg.text for eg in nested_examples if "（" in eg.text]
    n_split = {}
    for whole in (True, False):
        ner.whole_brackets = whole
        n_split[whole] = sum(
            span.text.count(left) != span.text.count(right)
            for doc in nlp.pipe(texts)
            for span in doc.spans[KEY]
            for left, right in ("（）", "《》")
        )
    assert n_split[True] == 0 < n_split[False]


# Partial annotation and incorrect spans


def test_missing_annotation_is_not_outside():
    nlp = nested_pipeline(depth=2)
    known = [
        annotated(nlp, "在上海大学", [("上海大学", "ORG"), ("上海", "ORG")]),
        annotated(nlp, "今天天晴", []),
    ]
    nlp.initialize(lambda: known)
    ner = nlp.get_pipe("lstm_nested_ner")

    def loss(example):
        scores, _ = ner.model.begin_update([example.predicted])
        value, (gradient,) = ner.get_loss([example], scores)
        return value, gradient

    text = "在南京大学"
    unknown = annotated(nlp, text, [], missing=range(5))
    value, gradient = loss(unknown)
    assert value == pytest.approx(0) and not gradient.round(6).any()
    partly = annotated(nlp, text, [], missing=[1, 2])
    value, gradient = loss(partly)
    assert value > 0 and np.abs(gradient[[0, 3, 4]]).max() > 0.01
    # A group without any annotation of tokens is complete.
    assert loss(annotated(nlp, text, []))[0] > value


def test_incorrect_spans_are_unlearned():
    nlp = nested_pipeline(incorrect_spans_key="incorrect")
    text = "在上海大学教书"
    gold = annotated(nlp, text, [("上海大学", "ORG"), ("上海", "ORG")])
    nlp.initialize(lambda: [gold])
    optimizer = Adam(0.01)
    for _ in range(30):
        nlp.update([copy_of(nlp, gold)], sgd=optimizer)
    assert spans(nlp(text)) == [(1, 5, "ORG"), (1, 3, "ORG")]
    for label, wrong in (("inner", (1, 3)), ("outer", (1, 5))):
        other = loaded_again(nlp)
        unknown = annotated(other, text, [], missing=range(7))
        if label == "inner":
            unknown = annotated(other, text, [("上海大学", "ORG")], missing=range(7))
        unknown.reference.spans["incorrect"] = [
            unknown.reference.char_span(*wrong, "ORG")
        ]
        optimizer = Adam(0.01)
        for _ in range(40):
            other.update([copy_of(other, unknown)], sgd=optimizer)
        assert (*wrong, "ORG") not in spans(other(text)), label
    both = annotated(nlp, text, [("上海大学", "ORG")])
    both.reference.spans["incorrect"] = [both.reference.char_span(1, 5, "ORG")]
    with pytest.raises(ValueError, match="'上海大学' is annotated as ORG, and also"):
        nlp.update([both], sgd=Adam(0.01))


# Thresholds, entities in doc.ents


def test_thresholds(trained_nested, nested_examples):
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    docs = [trained_nested(eg.text) for eg in nested_examples[:30]]
    scores = np.concatenate([doc.spans[KEY].attrs["scores"] for doc in docs])
    ner.threshold = float(np.median(scores))
    ner.label_thresholds = {"LOC": 0.0}
    for doc in docs:
        expected = [
            span
            for span, score in zip(
                spans(doc), doc.spans[KEY].attrs["scores"], strict=True
            )
            if span[2] == "LOC" or score >= ner.threshold
        ]
        assert spans(nlp(doc.text)) == expected
    with pytest.raises(ValueError, match=r"label_thresholds = .* is not a probability"):
        ner.label_thresholds = {"LOC": 2}
    with pytest.raises(ValueError, match=r"label_thresholds = .* is not a dictionary"):
        ner.label_thresholds = ["LOC"]


@pytest.mark.parametrize("by", ["longest", "most_probable"])
def test_some_entities_in_doc_ents(trained_nested, nested_examples, by):
    nlp = loaded_again(trained_nested)
    nlp.get_pipe("lstm_nested_ner").ents = by
    for eg in nested_examples[:30]:
        doc = nlp(eg.text)
        assert spans(doc) == spans(trained_nested(eg.text))
        scores = dict(zip(spans(doc), doc.spans[KEY].attrs["scores"], strict=True))
        left = list(scores)
        while left:
            ranks = [(s[1] - s[0], scores[s]) for s in left]
            if by == "most_probable":
                ranks = [(p, length) for length, p in ranks]
            best = left[max(range(len(left)), key=ranks.__getitem__)]
            assert best in found(doc)
            left = [s for s in left if s[1] <= best[0] or best[1] <= s[0]]


def test_entities_of_other_components_are_kept(trained_nested):
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    ner.ents = "longest"
    ruler = nlp.add_pipe("entity_ruler", first=True)
    text = "3月6日，王芳在上海大学"
    ruler.add_patterns([{"label": "RULE", "pattern": list_pattern("月6")}])
    assert (1, 3, "RULE") in found(nlp(text))
    ner.overwrite = True
    assert (1, 3, "RULE") not in found(nlp(text))


# Probabilities


def test_probabilities_of_any_span(trained_nested, nested_examples):
    ner = trained_nested.get_pipe("lstm_nested_ner")
    docs = [trained_nested(eg.text) for eg in nested_examples[:20]]
    found_p = ner.probabilities(docs, [spans(doc) for doc in docs])
    for doc, p in zip(docs, found_p, strict=True):
        np.testing.assert_allclose(p, doc.spans[KEY].attrs["scores"], atol=1e-7)
    doc = docs[3]
    p = ner.probabilities([doc], [[(0, 1, "UNKNOWN"), (0, 1, ""), (0, 1, "LOC")]])[0]
    assert p[0] == 0 and 0 <= p[2] <= 1 - p[1] <= 1
    with pytest.raises(ValueError, match="has no characters 0 to 9999"):
        ner.probabilities([doc], [[(0, 9999, "LOC")]])


def test_calibration(trained_nested, nested_examples):
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    # Half of the gold entities are gone, so that half of the predictions are wrong.
    examples = []
    for eg in nested_examples:
        doc = nlp.make_doc(eg.text)
        group = list(eg.reference.spans[KEY])[::2]
        doc.spans[KEY] = [doc.char_span(*o) for o in map(_offsets, group)]
        examples.append(Example(nlp.make_doc(eg.text), doc))
    assert ner.calibrate(examples) > 1.5
    assert ner.temperature == nlp.get_pipe("lstm_nested_ner").cfg["temperature"]
    for eg in nested_examples[:10]:
        before, after = trained_nested(eg.text), nlp(eg.text)
        assert spans(before) == spans(after)
    again = loaded_again(nlp)
    assert again.get_pipe("lstm_nested_ner").temperature == ner.temperature
    empty = [annotated(nlp, eg.text, []) for eg in nested_examples[:5]]
    with pytest.raises(NotCalibrated, match="nothing to calibrate with"):
        ner.calibrate(empty)


def _offsets(span):
    return span.start_char, span.end_char, span.label_


# Scores


def test_scores_are_those_of_spacy(trained_nested, nested_examples):
    """Of `spancat`, where all is annotated."""
    nlp = loaded_again(trained_nested)
    nlp.get_pipe("lstm_nested_ner").threshold = 0.9
    examples = [copy_of(nlp, eg) for eg in nested_examples]
    for eg in examples:
        eg.predicted = nlp(eg.predicted)
    ours = nlp.get_pipe("lstm_nested_ner").score(examples)
    theirs = Scorer.score_spans(
        examples,
        attr="spans_sc",
        getter=lambda doc, _: doc.spans.get("sc", []),
        has_annotation=lambda doc: "sc" in doc.spans,
        allow_overlap=True,
    )
    assert {key: ours[key] for key in theirs} == theirs
    assert 0 < ours["spans_sc_f"] < 1


# Saving


def test_saved_pipelines_give_the_same_predictions(
    trained_nested, nested_examples, tmp_path
):
    trained_nested.to_disk(tmp_path)
    copies = [
        spacy.load(tmp_path),
        loaded_again(trained_nested),
        pickle.loads(pickle.dumps(trained_nested)),
    ]
    for nlp in copies:
        ner = nlp.get_pipe("lstm_nested_ner")
        assert ner.cfg == trained_nested.get_pipe("lstm_nested_ner").cfg
        for eg in nested_examples[:10]:
            a, b = nlp(eg.text), trained_nested(eg.text)
            assert spans(a) == spans(b)
            np.testing.assert_array_equal(
                a.spans[KEY].attrs["scores"], b.spans[KEY].attrs["scores"]
            )


def test_settings_are_saved(trained_nested, tmp_path):
    nlp = loaded_again(trained_nested)
    ner = nlp.get_pipe("lstm_nested_ner")
    ner.label_thresholds = {"LOC": 0.25}
    ner.ents = "longest"
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), loaded_again(nlp)):
        again = loaded.get_pipe("lstm_nested_ner")
        assert again.label_thresholds == {"LOC": 0.25}
        assert again.ents == "longest" and again.depth == 2
    # A component that was made with the default, too.
    other = nested_pipeline().get_pipe("lstm_nested_ner")
    other.from_bytes(ner.to_bytes())
    assert other.label_thresholds == {"LOC": 0.25}


def test_damage_is_noticed(trained_nested, tmp_path):
    trained_nested.to_disk(tmp_path)
    cfg = tmp_path / "lstm_nested_ner" / "cfg"
    text = cfg.read_text("utf8")
    assert '"depth": 2' in text
    cfg.write_text(text.replace('"depth": 2', '"depth": 3'), "utf8")
    with pytest.raises(DamagedComponent, match="digest"):
        spacy.load(tmp_path)
    flat = spacy.blank("zh").add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    with pytest.raises(DamagedComponent, match="not the weights of the model"):
        flat.from_bytes(trained_nested.get_pipe("lstm_nested_ner").to_bytes())


def test_docs_keep_spans_and_scores(trained_nested, nested_examples):
    doc = trained_nested(nested_examples[1].text)
    (again,) = DocBin(docs=[doc]).get_docs(trained_nested.vocab)
    assert spans(again) == spans(doc)
    np.testing.assert_array_equal(
        again.spans[KEY].attrs["scores"], doc.spans[KEY].attrs["scores"]
    )
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    assert len(doc.spans[KEY]) == len(doc.spans[KEY].attrs["scores"])


# Errors and warnings


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": 0}, "depth = 0 is not a number of layers"),
        ({"ents": "shortest"}, "ents = 'shortest' is not one of"),
        ({"spans_key": ""}, "spans_key = '' is not a key of doc.spans"),
        ({"threshold": 2}, "threshold = 2 is not a probability"),
    ],
)
def test_settings_are_checked(config, message):
    with pytest.raises(ValueError, match=message):
        nested_pipeline(**config)


def test_the_model_has_to_be_one_with_a_crf_for_each_label():
    nlp = spacy.blank("zh")
    model = {"@architectures": "spacy-lstm-ner.NER.v1", "nO": None, "crf": True}
    default = nlp.get_factory_meta("lstm_nested_ner").default_config["model"]
    config = {"model": {**model, "tok2vec": default["tok2vec"]}}
    with pytest.raises(ValueError, match=r"spacy-lstm-ner\.NestedNER\.v1"):
        nlp.add_pipe("lstm_nested_ner", config=config)


def test_what_cannot_be_learned_is_told():
    nlp = nested_pipeline()
    deep = [("浙江省杭州市西湖区", "LOC"), ("浙江省杭州市", "LOC"), ("浙江省", "LOC")]
    crossing = [("东南西北", "DIR"), ("北中发白", "DIR")]
    examples = [
        annotated(nlp, "在浙江省杭州市西湖区", deep),
        annotated(nlp, "东南西北中发白", crossing),
    ]
    with (
        pytest.warns(
            UserWarning, match=r"1 entities are inside of 2 or more.*depth = 3"
        ),
        pytest.warns(
            UserWarning, match=r"1 entities cross a longer one.*DIR '北中发白'"
        ),
    ):
        nlp.initialize(lambda: examples)
    # What is left over is missing, rather than outside.
    loss = nlp.update(examples, sgd=Adam(0.01))
    assert np.isfinite(loss["lstm_nested_ner"])


def test_an_unknown_label_is_an_error(trained_nested):
    nlp = loaded_again(trained_nested)
    with pytest.raises(ValueError, match="The label 'NEW' of a gold entity is not"):
        nlp.update([annotated(nlp, "王芳", [("王芳", "NEW")])], sgd=Adam(0.01))


def test_rehearsal_is_refused(trained_nested, nested_examples):
    with pytest.raises(NotImplementedError, match=r"no rehearsal: .* mix annotated"):
        trained_nested.get_pipe("lstm_nested_ner").rehearse(nested_examples)


# Other components


def test_beside_lstm_ner_on_a_shared_tok2vec(nested_examples):
    """Each learns from its own annotation."""
    nlp = spacy.blank("zh")
    config = token_config()
    listener = {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": 32,
        "upstream": "*",
    }
    nlp.add_pipe("tok2vec", config={"model": config["model"]["tok2vec"]})
    config["model"]["tok2vec"] = listener
    nlp.add_pipe("lstm_ner", config=config)
    config["model"]["@architectures"] = "spacy-lstm-ner.NestedNER.v1"
    nlp.add_pipe("lstm_nested_ner", config=config | {"window": 16})
    train(nlp, nested_examples, steps=90)
    scores = nlp.evaluate([copy_of(nlp, eg) for eg in nested_examples])
    assert scores["ents_f"] > 0.8 and scores["spans_sc_f"] > 0.8
    again = loaded_again(nlp)
    text = nested_examples[1].text
    assert spans(again(text)) == spans(nlp(text))
    assert found(again(text)) == found(nlp(text))
