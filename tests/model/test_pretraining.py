"""Pretraining: the setting of the component; and `spacy pretrain`, for characters with
the objective of this package, for tokens with one of spaCy."""

import copy
import io
import json
import pickle
import random
import re

import numpy as np
import pytest
import spacy
from spacy.cli._util import app
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Adam, Config, NumpyOps, fix_random_seed
from typer.testing import CliRunner

import spacy_lstm_ner.model.pretraining
from spacy_lstm_ner.layers.lexicon import set_lexicon
from spacy_lstm_ner.model.pretraining import (
    BUCKETS,
    PendingPretraining,
    Predictions,
    build_pretrain_masked_characters,
    masked_loss,
    pretrain,
)

from ..helpers.paths import EASY, REPOSITORY
from ..helpers.pipelines import SMALL_MODEL, copy_of

TEXTS = ["高勇任北京大学教授。", "", "好", "王芳，女，汉族。"]


def tok2vec(embed="HashCharEmbed", encode="LSTMEncoder", lexicon_width=0, **settings):
    """The tok2vec of a blank component."""
    embeds = {
        "HashCharEmbed": {
            "width": 8,
            "rows": [100, 200],
            "ngram_dropout": 0.0,
            "lexicon_width": lexicon_width,
        },
        "CharEmbed": {"width": 8, "kind": "learned"},
    }
    config = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {"@architectures": f"spacy-lstm-ner.{embed}.v1", **embeds[embed]},
        "encode": {
            "@architectures": f"spacy-lstm-ner.{encode}.v1",
            **{"width": 12, "depth": 1, "bi": True, **settings},
        },
    }
    model = {"@architectures": "spacy-lstm-ner.NER.v1", "tok2vec": config}
    ner = spacy.blank("zh").add_pipe("lstm_ner", config={"model": model})
    return ner.model.get_ref("tok2vec")


def masked_model(masked=0.2, buckets=50, lexicon=None, **settings):
    nlp = spacy.blank("zh")
    fix_random_seed(0)
    encoder = tok2vec(lexicon_width=8 if lexicon else 0, **settings)
    for node in encoder.walk():
        if node.name == "lexicon_embed":
            set_lexicon(node, lexicon)
    model = build_pretrain_masked_characters(masked, buckets)(nlp.vocab, encoder)
    docs = [nlp.make_doc(text) for text in TEXTS]
    return model.initialize(X=docs), docs


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bi": False},
        {"depth": 2},
        {"encode": "LSTMStackEncoder", "linear_width": 6, "depth": 2},
        {"embed": "CharEmbed"},
        {"lexicon": {"": {"北京": 1, "大学": 1, "汉族": 1}}},
    ],
)
def test_every_encoder_of_characters_learns_to_predict(settings):
    model, docs = masked_model(**settings)
    optimizer = Adam(0.02)
    losses = []
    for _ in range(150):
        predictions, backprop = model.begin_update(docs)
        loss, gradient = model.attrs["loss"](model.ops, docs, predictions)
        backprop(gradient)
        model.finish_update(optimizer)
        losses.append(loss / len(predictions.targets))
    assert np.mean(losses[:3]) == pytest.approx(np.log(50), rel=0.1)
    # The masked characters differ from step to step.
    assert np.mean(losses[-20:]) < np.mean(losses[:3]) / 3


def test_a_proportion_of_the_characters_is_masked():
    model, docs = masked_model(masked=0.3)
    text = "".join(TEXTS)
    predictions = model.predict(docs)
    assert len(predictions.targets) == round(0.3 * len(text))
    assert predictions.scores.shape == (len(predictions.targets), 50)
    assert set(predictions.targets.tolist()) <= {ord(char) % 50 for char in text}
    # At least one of a short text, none of an empty one.
    assert len(model.predict(docs[2:3]).targets) == 1
    assert len(model.predict(docs[1:2]).targets) == 0


def test_features_do_not_reveal_masked_characters(monkeypatch):
    """The prediction for a masked character does not depend on it, neither through
    n-grams nor through words of the lexicon."""
    lexicon = {"": {"北京大学": 1, "京": 1, "北龘": 1}}
    model, (doc, *_) = masked_model(lexicon=lexicon)
    index = doc.text.index("京")
    other = spacy.blank("zh").make_doc(doc.text.replace("京", "龘"))
    monkeypatch.setattr(
        np.random, "permutation", lambda n: np.roll(np.arange(n), -index)[: n * 2]
    )
    one, two = model.predict([doc]), model.predict([other])
    assert one.targets[0] != two.targets[0]
    assert (one.scores == two.scores).all()


def test_the_gradient_against_finite_differences():
    rng = np.random.default_rng(0)
    predictions = Predictions(rng.normal(size=(6, 7)), np.array([0, 3, 3, 6, 1, 2]))
    _, gradient = masked_loss(NumpyOps(), [], predictions)
    for place in [(0, 0), (2, 3), (5, 6)]:
        values = []
        for step in (1e-5, -1e-5):
            moved = predictions.scores.copy()
            moved[place] += step
            changed = predictions._replace(scores=moved)
            values.append(masked_loss(NumpyOps(), [], changed)[0])
        numeric = (values[0] - values[1]) / 2e-5 / len(predictions.targets)
        assert gradient[place] == pytest.approx(numeric, abs=1e-6)


def initialized(examples, *, seed=0, **settings):
    """An initialized component, with settings of `initialize`."""
    fix_random_seed(seed)
    ner = spacy.blank("zh").add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    ner.initialize(lambda: examples, **settings)
    return ner


def fresh(examples):
    return [copy_of(spacy.blank("zh"), eg) for eg in examples[:20]]


def encoder_of(ner):
    return ner.model.get_ref("tok2vec").to_bytes()


def test_pretraining_runs_when_training_begins(examples, capsys):
    """The first update runs it, once, not `initialize`. The same seed gives the same
    weights, whatever is done in between."""
    nlp = spacy.blank("zh")
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    plain = initialized([empty, *examples])
    pretrained = initialized([empty, *examples], pretrain_steps=80)
    assert encoder_of(plain) == encoder_of(copy.deepcopy(pretrained))
    assert capsys.readouterr().err == ""
    losses = {}
    # An empty example changes no weights, but pretraining does.
    pretrained.update([empty], losses=losses)
    assert losses == {"lstm_ner": 0.0}
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "[lstm_ner] Pretraining on 60 texts, 80 steps"
    assert re.fullmatch(
        r"\[lstm_ner\] Pretraining took \d+ s; loss per masked character: "
        r"7\.\d\d at the start, 5\.\d\d at the end",
        printed[-1],
    )
    # On a slow machine, there are lines of progress.
    assert all(line.startswith("Pretraining: ") for line in printed[1:-1])
    once = encoder_of(pretrained)
    assert once != encoder_of(plain)
    pretrained.update([empty], losses=losses)
    again = initialized([empty, *examples], pretrain_steps=80)
    fix_random_seed(7)
    again.update([empty], losses=losses)
    assert encoder_of(pretrained) == encoder_of(again) == once


def test_pretraining_fits_the_encoder_to_the_texts(examples):
    plain = initialized(examples).model.get_ref("tok2vec")
    losses = pretrain(plain, ["", *(eg.text for eg in examples)], 240)
    assert len(losses) == 240
    assert losses[0] > np.log(BUCKETS) - 0.2
    assert np.mean(losses[-4:]) < losses[0] - 2


def training_config(steps, **training):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    config = Config(nlp.config).copy()
    path = str(EASY)
    reader = {"@readers": "spacy-lstm-ner.BIOCorpus.v1", "path": path, "limit": 40}
    config["corpora"].update(train=reader, dev=reader)
    config["training"].update(
        max_steps=6,
        eval_frequency=3,
        batcher={"@batchers": "spacy.batch_by_sequence.v1", "size": 8},
        **training,
    )
    config["initialize"]["components"] = {"lstm_ner": {"pretrain_steps": steps}}
    return config


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_weights_are_those_of_pretraining_at_initialization(accumulate, tmp_path):
    """Byte for byte, with spaCy's training loop, which saves averaged weights."""
    late = init_nlp(training_config(10, accumulate_gradient=accumulate))
    early = init_nlp(training_config(0, accumulate_gradient=accumulate))
    encoder = early.get_pipe("lstm_ner").model.get_ref("tok2vec")
    corpora = spacy.registry.resolve(early.config.interpolate()["corpora"])
    pretrain(encoder, [eg.text for eg in corpora["train"](early)], 10)
    weights = []
    for nlp in (early, late):
        train(nlp, tmp_path, stdout=io.StringIO(), stderr=io.StringIO())
        saved = tmp_path / "model-last" / "lstm_ner" / "model"
        weights.append(saved.read_bytes())
    assert weights[0] == weights[1]


def test_each_text_is_read_at_most_64_times(examples, capsys):
    """With the default of 3,000 steps, this limit applies to fewer than 737 texts."""
    ner = initialized(examples[:17], pretrain_steps=3000)
    ner.update(fresh(examples), losses={})
    says = "17 texts, 128 steps (not 3,000: each text is read at most 64 times)"
    assert says in capsys.readouterr().err
    assert ner.pretraining.steps == 128
    encoder = ner.model.get_ref("tok2vec")

    def planned(n):
        return PendingPretraining("", encoder, n * ["王"], 3000).steps

    assert [planned(n) for n in (1, 16, 736, 737, 5000)] == [64, 64, 2944, 3000, 3000]


def test_pretraining_does_not_run_without_training(examples, monkeypatch):
    """As in `spacy debug model`, which passes neither losses nor an optimizer."""
    ner = initialized(examples, pretrain_steps=3)
    before = encoder_of(copy.deepcopy(ner))
    ner.predict([eg.predicted for eg in fresh(examples)])
    ner.update(fresh(examples))
    assert encoder_of(copy.deepcopy(ner)) == before and ner.pretraining is None
    # `finish_update` runs it, too, and accumulated gradients are kept.
    encoder = ner.model.get_ref("tok2vec")
    gradient = encoder.get_gradients()
    gradient = {key: dW.copy() for key, (_, dW) in gradient.items()}
    used = {}

    def sgd(key, weights, gradient):
        used[key] = gradient.copy()
        return weights, gradient

    ner.finish_update(sgd)
    assert ner.pretraining.steps == 3 and encoder_of(ner) != before
    assert gradient and all((used[key] == dW).all() for key, dW in gradient.items())


def test_pretraining_does_not_change_the_state_of_random_numbers(examples):
    numbers = []
    for steps in (0, 3):
        ner = initialized(examples, pretrain_steps=steps)
        fix_random_seed(3)
        ner.update(fresh(examples), losses={})
        numbers.append((np.random.rand(), random.random()))
    assert numbers[0] == numbers[1]


def test_loaded_weights_are_not_pretrained(examples, tmp_path, capsys):
    other = initialized(examples, seed=1)
    other.to_disk(tmp_path / "other")
    weights = encoder_of(other)
    load = {
        "from_bytes": lambda ner: ner.from_bytes(other.to_bytes()),
        "from_disk": lambda ner: ner.from_disk(tmp_path / "other"),
        "init_tok2vec": lambda ner: ner.model.get_ref("tok2vec").from_bytes(weights),
    }
    for into in load.values():
        ner = initialized(examples, pretrain_steps=3)
        into(ner)
        ner.update([], losses={})
        assert encoder_of(ner) == weights and ner.pretraining is None
        assert (
            "[lstm_ner] Pretraining is skipped: the weights of the encoder"
            in capsys.readouterr().err
        )
        ner.update([], losses={})
        assert capsys.readouterr().err == ""


def test_a_component_can_be_initialized_again(examples):
    ner = initialized(examples, pretrain_steps=3)
    ner.initialize(lambda: examples)
    ner.update([], losses={})
    assert ner.pretraining is None
    ner.initialize(lambda: examples, pretrain_steps=2)
    ner.update([], losses={})
    assert ner.pretraining.steps == 2
    with pytest.raises(ValueError, match="pretrain_steps = -1"):
        ner.initialize(lambda: examples, pretrain_steps=-1)
    assert ner.pretraining is None


def test_interrupted_pretraining_changes_nothing(examples, monkeypatch):
    ner = initialized(examples, pretrain_steps=4)
    before = encoder_of(copy.deepcopy(ner))
    whole = copy.deepcopy(ner)
    whole.update([], losses={})
    with monkeypatch.context() as patched:
        calls = []

        def interrupted(*args):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return masked_loss(*args)

        patched.setattr(spacy_lstm_ner.model.pretraining, "masked_loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ner.update([], losses={})
    assert encoder_of(copy.deepcopy(ner)) == before and ner.pretraining is None
    # The next update begins again.
    ner.update([], losses={})
    assert encoder_of(ner) == encoder_of(whole) != before


def test_copies_are_pretrained_alike(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    settings = nlp.config["initialize"]["components"].setdefault("lstm_ner", {})
    settings["pretrain_steps"] = 3
    nlp.initialize(lambda: examples)
    twin = copy.deepcopy(nlp)
    for each in (nlp, twin):
        fix_random_seed(0)
        each.update(fresh(examples), sgd=Adam(0.01))
    one, two = (each.get_pipe("lstm_ner") for each in (nlp, twin))
    assert one.pretraining.losses == two.pretraining.losses
    assert encoder_of(one) == encoder_of(two)


def test_texts_are_not_saved_or_pickled(examples, tmp_path):
    ner = initialized(examples, pretrain_steps=3)
    warns = pytest.warns(UserWarning, match=r"\[lstm_ner\] The pretraining .* \(3 st")
    texts = [eg.text for eg in examples]
    with warns:
        saved = ner.to_bytes()
    with warns:
        pickled = pickle.dumps(ner)
    with warns:
        ner.to_disk(tmp_path / "ner")
    files = [path for path in (tmp_path / "ner").rglob("*") if path.is_file()]
    data = [saved, pickled, *(path.read_bytes() for path in files)]
    for text in texts:
        assert not any(text.encode() in part for part in data)
    sent = pickle.loads(pickled)
    sent.update([], losses={})
    assert sent.pretraining is None
    # After pretraining there is no warning.
    ner.update([], losses={})
    assert pickle.loads(pickle.dumps(ner)).pretraining == ner.pretraining
    assert ner.to_bytes() != saved


def test_several_components_are_pretrained(examples, capsys):
    nlp = spacy.blank("zh")
    for name in ("one", "two", "frozen", "none"):
        nlp.add_pipe("lstm_ner", name, config={"model": SMALL_MODEL, "spans_key": name})
        steps = {"one": 2, "two": 3, "frozen": 4, "none": 0}[name]
        nlp.config["initialize"]["components"][name] = {"pretrain_steps": steps}
    nlp.initialize(lambda: examples)
    for _ in range(2):
        nlp.update(fresh(examples), exclude=["frozen"], sgd=Adam(0.01))
    output = capsys.readouterr().err
    printed = re.findall(r"\[(\w+)\] Pretraining on 60 texts, (\d+) steps", output)
    assert printed == [("one", "2"), ("two", "3")]


def test_rehearsal_runs_pretraining_first(examples):
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    nlp.config["initialize"]["components"]["lstm_ner"] = {"pretrain_steps": 3}
    nlp.initialize(lambda: examples)
    nlp.resume_training()
    losses = nlp.rehearse(fresh(examples), sgd=Adam(0.01))
    assert nlp.get_pipe("lstm_ner").pretraining.steps == 3
    assert np.isfinite(losses["lstm_ner"])


def test_raw_text_is_read_too(examples, tmp_path, capsys):
    lines = [
        json.dumps({"text": text}) for text in ("天下大势", "分久必合", "合久必分")
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(lines), "utf8")
    reader = {"@readers": "spacy.JsonlCorpus.v1", "path": str(path)}
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    settings = {"pretrain_steps": 2, "raw_text": reader}
    nlp.config["initialize"]["components"]["lstm_ner"] = settings
    nlp.initialize(lambda: examples)
    # The file is not needed any longer; its problems were reported by `initialize`.
    path.unlink()
    nlp.update(fresh(examples), sgd=Adam(0.01))
    assert "Pretraining on 63 texts, 2 steps" in capsys.readouterr().err
    with pytest.raises((OSError, ValueError), match=r"texts\.jsonl"):
        nlp.initialize(lambda: examples)
    settings["pretrain_steps"] = 0
    with pytest.raises(ValueError, match="raw_text is set, but pretrain_steps = 0"):
        nlp.initialize(lambda: examples)


def test_dropout_is_reset_after_pretraining():
    encoder = tok2vec()
    encoder.initialize(X=[spacy.blank("zh").make_doc(TEXTS[0])])
    pretrain(encoder, TEXTS, 1)
    doc = spacy.blank("zh").make_doc(TEXTS[0])
    (one,), (two,) = encoder(doc_list := [doc], True)[0], encoder(doc_list, True)[0]
    assert (one == two).all()


def test_invalid_pretraining_settings(examples):
    ner = spacy.blank("zh").add_pipe("lstm_ner")
    for steps in (-1, 2.5, float("nan"), "9"):
        says = rf"\[lstm_ner\] pretrain_steps = {steps}: set it"
        with pytest.raises(ValueError, match=says):
            ner.initialize(lambda: examples, pretrain_steps=steps)
    vectors = {"width": 8, "rows": [100], "attrs": ["NORM"]}
    embed = {"@architectures": "spacy.MultiHashEmbed.v2", **vectors}
    model = {"tok2vec": {"embed": {**embed, "include_static_vectors": False}}}
    settings = {"unit": "token", "model": model}
    ner = spacy.blank("zh").add_pipe("lstm_ner", config=settings)
    with pytest.raises(
        ValueError, match=r"that reads characters.*set pretrain_steps = 0"
    ):
        ner.initialize(lambda: examples, pretrain_steps=1)


def test_pretraining_without_any_text():
    with pytest.raises(
        ValueError, match="no text for pretraining: all texts are empty"
    ):
        pretrain(tok2vec(), ["", ""], 1)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"buckets": 1}, "buckets = 1 is too small"),
        ({"masked": 0}, "masked = 0 is not a proportion"),
        ({"masked": 1.0}, "masked = 1.0 is not a proportion"),
    ],
)
def test_invalid_settings_of_the_objective(settings, message):
    with pytest.raises(ValueError, match=message):
        build_pretrain_masked_characters(**settings)


CHARACTERS = {
    "@architectures": "spacy-lstm-ner.PretrainMaskedCharacters.v1",
    "buckets": 500,
}
TOKENS = {
    "@architectures": "spacy.PretrainCharacters.v1",
    "maxout_pieces": 2,
    "hidden_size": 16,
    "n_characters": 2,
}


@pytest.mark.parametrize("objective", [CHARACTERS, TOKENS], ids=["char", "token"])
def test_spacy_pretrain_and_training_from_its_weights(objective, examples, tmp_path):
    path = tmp_path / "config.cfg"
    base = REPOSITORY / "configs" / "no_lexicon.cfg"
    fill_config(path, base, pretraining=True, silent=True)
    config = Config().from_disk(path, interpolate=False)
    embed = {"width": 8, "rows": [100, 200]}
    tok2vec = config["components"]["lstm_ner"]["model"]["tok2vec"]
    if objective == TOKENS:
        config["components"]["lstm_ner"]["unit"] = "token"
        tok2vec["embed"] = {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "attrs": ["NORM", "SHAPE"],
            "include_static_vectors": False,
        }
    tok2vec["embed"].update(embed)
    tok2vec["encode"]["width"] = 16
    config["paths"]["raw_text"] = str(tmp_path / "texts.jsonl")
    for part in ("train", "dev"):
        config["paths"][part] = str(tmp_path / "train.spacy")
    settings = config["initialize"]["components"]["lstm_ner"]
    assert settings["pretrain_steps"] == 3000
    if objective == TOKENS:
        settings["pretrain_steps"] = 0
    config["pretraining"].update(
        component="lstm_ner", layer="tok2vec", objective=objective, max_epochs=3
    )
    config["pretraining"]["batcher"]["size"] = 500
    config.to_disk(path)
    lines = [json.dumps({"text": eg.text}) for eg in examples]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "train.spacy")

    args = ["pretrain", path, tmp_path / "weights"]
    result = CliRunner().invoke(app, list(map(str, args)))
    assert result.exit_code == 0, result.output
    log = (tmp_path / "weights" / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["epoch_loss"] for line in log[:3]]
    assert losses[2] < losses[0]

    weights = tmp_path / "weights" / "model-last.bin"
    config["initialize"]["init_tok2vec"] = str(weights)
    nlp = init_nlp(config)
    ner = nlp.get_pipe("lstm_ner")
    assert encoder_of(copy.deepcopy(ner)) == weights.read_bytes()
    assert nlp.update(examples[:5])["lstm_ner"] > 0
    # These weights are not pretrained a second time.
    assert ner.pretraining is None
