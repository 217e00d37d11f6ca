"""`spacy pretrain`: on characters with an objective of ours, on tokens with spaCy's."""

import json

import numpy as np
import pytest
import spacy
from spacy.cli._util import app
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from thinc.api import Adam, Config, fix_random_seed
from typer.testing import CliRunner

from spacy_lstm_ner.pretraining import build_pretrain_neighbours

from .conftest import REPOSITORY

TEXTS = ["高勇任北京大学教授。", "", "好", "王芳，女，汉族。"]


def tok2vec(embed="HashCharEmbed", encode="LSTMEncoder", **settings):
    """The tok2vec of a blank component."""
    embeds = {
        "HashCharEmbed": {"width": 8, "rows": [100, 200], "ngram_dropout": 0.0},
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


def objective(buckets=50, **settings):
    nlp = spacy.blank("zh")
    fix_random_seed(0)
    model = build_pretrain_neighbours(buckets)(nlp.vocab, tok2vec(**settings))
    docs = [nlp.make_doc(text) for text in TEXTS]
    return model.initialize(X=docs), docs


@pytest.mark.parametrize(
    "settings",
    [{}, {"bi": False}, {"encode": "LSTMStackEncoder", "linear_width": 6, "bi": False}],
)
def test_the_loss_falls(settings):
    model, docs = objective(**settings)
    optimizer = Adam(0.02)
    losses = []
    for _ in range(60):
        scores, backprop = model.begin_update(docs)
        loss, gradients = model.attrs["loss"](model.ops, docs, scores)
        backprop(gradients)
        model.finish_update(optimizer)
        losses.append(loss)
    guesses = sum(max(len(text) - 2, 0) for text in TEXTS) * len(scores)
    assert len(scores) == (2 if settings.get("bi", True) else 1)
    assert losses[0] == pytest.approx(guesses * np.log(50), rel=0.05)
    assert losses[-1] < losses[0] / 4


def test_what_is_asked_for_has_not_been_read():
    """A row asks for the character two steps ahead or behind; the one in between is
    known, since pairs of characters are read."""
    model, (doc, *_) = objective()
    other = spacy.blank("zh").make_doc(doc.text[:5] + "龘" + doc.text[6:])
    same = [
        np.flatnonzero((a == b).all(axis=1)).tolist()
        for a, b in zip(model.predict([doc]), model.predict([other]), strict=True)
    ]
    assert same == [[0, 1, 2, 3], [7, 8, 9]]


def test_gradients_against_finite_differences():
    model, docs = objective(buckets=7)
    scores = [half.astype("float64") for half in model.predict(docs)]
    loss = model.attrs["loss"]
    _, gradients = loss(model.ops, docs, scores)
    rows = sum(max(len(text) - 2, 0) for text in TEXTS)
    for half in range(2):
        for place in [(0, 0), (5, 3), (len(scores[half]) - 1, 6)]:
            values = []
            for step in (1e-5, -1e-5):
                moved = [half_scores.copy() for half_scores in scores]
                moved[half][place] += step
                values.append(loss(model.ops, docs, moved)[0])
            numeric = (values[0] - values[1]) / 2e-5 / rows
            assert gradients[half][place] == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"depth": 2}, "one layer or reads in one direction"),
        ({"encode": "LSTMStackEncoder", "linear_width": 6, "depth": 2}, "one layer or"),
        ({"embed": "CharEmbed"}, r"on HashCharEmbed.*spacy\.PretrainCharacters"),
    ],
)
def test_a_tok2vec_that_it_is_not_for(settings, says):
    with pytest.raises(ValueError, match=says):
        build_pretrain_neighbours(50)(spacy.blank("zh").vocab, tok2vec(**settings))


def test_not_with_a_lexicon_whose_words_tell_what_comes():
    nlp = spacy.blank("zh")
    embed = {"embed": {"lexicon_width": 8}}
    ner = nlp.add_pipe("lstm_ner", config={"model": {"tok2vec": embed}})
    with pytest.raises(ValueError, match="does not go with a lexicon"):
        build_pretrain_neighbours(50)(nlp.vocab, ner.model.get_ref("tok2vec"))


def test_one_bucket_is_too_few():
    with pytest.raises(ValueError, match="At least 2 buckets"):
        build_pretrain_neighbours(1)


CHARACTERS = {
    "@architectures": "spacy-lstm-ner.PretrainNeighbours.v1",
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
