"""Pretraining: the setting of the component; and `spacy pretrain`, on characters with
an objective of ours, on tokens with those of spaCy."""

import json

import numpy as np
import pytest
import spacy
from spacy.cli._util import app
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from thinc.api import Adam, Config, NumpyOps, fix_random_seed
from typer.testing import CliRunner

from spacy_lstm_ner.layers.lexicon import set_lexicon
from spacy_lstm_ner.pretraining import (
    BUCKETS,
    Guesses,
    build_pretrain_masked_characters,
    masked_loss,
    pretrain,
)

from .conftest import REPOSITORY, SMALL_MODEL

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
def test_any_encoder_of_characters_learns_to_guess(settings):
    model, docs = masked_model(**settings)
    optimizer = Adam(0.02)
    losses = []
    for _ in range(150):
        guesses, backprop = model.begin_update(docs)
        loss, gradient = model.attrs["loss"](model.ops, docs, guesses)
        backprop(gradient)
        model.finish_update(optimizer)
        losses.append(loss / len(guesses.targets))
    assert np.mean(losses[:3]) == pytest.approx(np.log(50), rel=0.1)
    # Which characters are asked for differs from time to time.
    assert np.mean(losses[-20:]) < np.mean(losses[:3]) / 3


def test_a_share_of_the_characters_is_masked_and_asked_for():
    model, docs = masked_model(masked=0.3)
    text = "".join(TEXTS)
    guesses = model.predict(docs)
    assert len(guesses.targets) == round(0.3 * len(text))
    assert guesses.scores.shape == (len(guesses.targets), 50)
    assert set(guesses.targets.tolist()) <= {ord(char) % 50 for char in text}
    # Of a short text at least one, of none nothing.
    assert len(model.predict(docs[2:3]).targets) == 1
    assert len(model.predict(docs[1:2]).targets) == 0


def test_what_is_masked_shows_nowhere(monkeypatch):
    """The guess for a masked character is the same whatever it is: pairs and words of
    the lexicon do not tell, either."""
    lexicon = {"": {"北京大学": 1, "京": 1, "北龘": 1}}
    model, (doc, *_) = masked_model(lexicon=lexicon)
    at = doc.text.index("京")
    other = spacy.blank("zh").make_doc(doc.text.replace("京", "龘"))
    monkeypatch.setattr(
        np.random, "permutation", lambda n: np.roll(np.arange(n), -at)[: n * 2]
    )
    one, two = model.predict([doc]), model.predict([other])
    assert one.targets[0] != two.targets[0]
    assert (one.scores == two.scores).all()


def test_gradients_against_finite_differences():
    rng = np.random.default_rng(0)
    guesses = Guesses(rng.normal(size=(6, 7)), np.array([0, 3, 3, 6, 1, 2]))
    _, gradient = masked_loss(NumpyOps(), [], guesses)
    for place in [(0, 0), (2, 3), (5, 6)]:
        values = []
        for step in (1e-5, -1e-5):
            moved = guesses.scores.copy()
            moved[place] += step
            there = guesses._replace(scores=moved)
            values.append(masked_loss(NumpyOps(), [], there)[0])
        numeric = (values[0] - values[1]) / 2e-5 / len(guesses.targets)
        assert gradient[place] == pytest.approx(numeric, abs=1e-6)


def test_pretraining_reads_before_the_entities_are_learned(examples, caplog):
    """It fits the encoder to the texts, is the same for the same seed, and goes with
    documents that have no text."""
    nlp = spacy.blank("zh")
    texts = ["", *(eg.text for eg in examples)]

    def initialized(steps):
        fix_random_seed(0)
        ner = spacy.blank("zh").add_pipe("lstm_ner", config={"model": SMALL_MODEL})
        empty = Example(nlp.make_doc(""), nlp.make_doc(""))
        ner.initialize(lambda: [empty, *examples], pretrain_steps=steps)
        return ner.model.get_ref("tok2vec")

    with caplog.at_level("INFO", "spacy"):
        read = initialized(80)
    assert "[lstm_ner] Pretraining on 61 texts, 80 steps" in caplog.text
    assert read.to_bytes() == initialized(80).to_bytes()
    unread = initialized(0)
    assert read.to_bytes() != unread.to_bytes()
    losses = pretrain(unread, texts, 240)
    assert len(losses) == 240
    assert losses[0] > np.log(BUCKETS) - 0.2
    assert np.mean(losses[-4:]) < losses[0] - 2


def test_other_texts_are_read_too(examples, tmp_path, caplog):
    lines = [
        json.dumps({"text": text}) for text in ("天下大势", "分久必合", "合久必分")
    ]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), "utf8")
    reader = {"@readers": "spacy.JsonlCorpus.v1", "path": str(tmp_path / "texts.jsonl")}
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    settings = {"pretrain_steps": 2, "raw_text": reader}
    nlp.config["initialize"]["components"]["lstm_ner"] = settings
    with caplog.at_level("INFO", "spacy"):
        nlp.initialize(lambda: examples)
    assert "Pretraining on 63 texts, 2 steps" in caplog.text
    settings["pretrain_steps"] = 0
    with pytest.raises(ValueError, match="raw_text to read, but pretrain_steps = 0"):
        nlp.initialize(lambda: examples)


def test_dropout_of_the_encoder_ends_with_pretraining():
    encoder = tok2vec()
    encoder.initialize(X=[spacy.blank("zh").make_doc(TEXTS[0])])
    pretrain(encoder, TEXTS, 1)
    doc = spacy.blank("zh").make_doc(TEXTS[0])
    (one,), (two,) = encoder(doc_list := [doc], True)[0], encoder(doc_list, True)[0]
    assert (one == two).all()


def test_pretraining_that_cannot_be(examples):
    ner = spacy.blank("zh").add_pipe("lstm_ner")
    with pytest.raises(ValueError, match=r"\[lstm_ner\] pretrain_steps = -1: set it"):
        ner.initialize(lambda: examples, pretrain_steps=-1)
    vectors = {"width": 8, "rows": [100], "attrs": ["NORM"]}
    embed = {"@architectures": "spacy.MultiHashEmbed.v2", **vectors}
    model = {"tok2vec": {"embed": {**embed, "include_static_vectors": False}}}
    settings = {"unit": "token", "model": model}
    ner = spacy.blank("zh").add_pipe("lstm_ner", config=settings)
    with pytest.raises(ValueError, match=r"reads characters.*set pretrain_steps = 0"):
        ner.initialize(lambda: examples, pretrain_steps=1)


def test_pretraining_without_any_text():
    with pytest.raises(ValueError, match="no text to read"):
        pretrain(tok2vec(), ["", ""], 1)


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"buckets": 1}, "At least 2 buckets"),
        ({"masked": 0}, "between 0 and 1"),
        ({"masked": 1.0}, "between 0 and 1"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    with pytest.raises(ValueError, match=says):
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
    config["initialize"]["components"]["lstm_ner"]["pretrain_steps"] = 0
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
    begins = nlp.get_pipe("lstm_ner").model.get_ref("tok2vec")
    assert begins.to_bytes() == weights.read_bytes()
    assert nlp.update(examples[:5])["lstm_ner"] > 0
