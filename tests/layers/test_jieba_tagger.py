"""The tagger inside jieba, against a computation step by step in float64."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from thinc.api import fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner import JiebaTaggerEmbed, kernels
from spacy_lstm_ner.layers import jieba_tagger
from spacy_lstm_ner.layers.jieba_tagger import (
    PARTS,
    feature_width,
    load_tagger,
    tagger_features,
)

pytest.importorskip("jieba")

TEXTS = ["王芳任北京大学教授。", "李", "", "3月6日，ＡＢＣ公司"]


def codes_of(texts):
    codes = np.array([ord(char) for text in texts for char in text])
    return codes, np.array([len(text) for text in texts])


def ragged(texts):
    codes, lengths = codes_of(texts)
    return Ragged(codes.reshape(-1, 1), lengths)


def features(texts, parts=PARTS):
    return tagger_features(load_tagger(), *codes_of(texts), parts)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(text):
    """The features of a text: character by character, direction by direction."""
    tagger = load_tagger()
    X = tagger.embedding[[tagger.rows[ord(char)] for char in text]].astype("float64")
    found = [X]
    for layer in tagger.layers:
        halves = []
        for weights, step in zip(layer.directions, (1, -1), strict=True):
            h, states = np.zeros(128), []
            for x in X[::step]:
                inputs = x @ weights.W + weights.b
                u, r = np.split(sigmoid(inputs[:256] + h @ weights.U_gates), 2)
                c = np.tanh(inputs[256:] + (r * h) @ weights.U_candidate)
                h = (1 - u) * h + u * c
                states.append(h)
            halves.append(np.array(states)[::step])
        X = np.concatenate(halves, axis=1)
        found.append(X)
    scores = np.exp(X @ tagger.W + tagger.b)
    found.append(scores / scores.sum(axis=1, keepdims=True))
    return np.concatenate(found, axis=1)


def test_features_are_those_of_the_definition():
    found = features(TEXTS)
    expected = np.concatenate([reference(text) for text in TEXTS if text])
    assert found.shape == (sum(map(len, TEXTS)), feature_width(PARTS))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_features_of_a_text_do_not_depend_on_the_batch():
    batch = features(TEXTS)
    alone = np.concatenate([features([text]) for text in TEXTS if text])
    # Without kernels, BLAS with several threads adds in another order.
    atol = 2e-6 if kernels.kernels() else 2e-5
    np.testing.assert_allclose(batch, alone, atol=atol)


def test_parts():
    whole = features(TEXTS)
    assert np.array_equal(features(TEXTS, ["characters"]), whole[:, :128])
    np.testing.assert_allclose(features(TEXTS, ["hidden"]), whole[:, 128:640])
    np.testing.assert_allclose(features(TEXTS, ["tags"]), whole[:, 640:])
    # The order in which they are given does not matter.
    assert np.array_equal(features(TEXTS, PARTS[::-1]), whole)


def test_it_knows_names_places_and_times():
    folder = Path(find_spec("jieba").origin).parent / "lac_small"
    lines = (folder / "tag.dic").read_text("utf8").splitlines()
    names = [line.split("\t")[1] for line in lines]
    text = "王芳于3月6日任北京大学教授。"
    tags = [names[i] for i in features([text], ["tags"]).argmax(axis=1)]
    found = dict(zip(text, tags, strict=True))
    assert found["王"] == "PER-B" and found["芳"] == "PER-I"
    assert found["月"] == "TIME-I" and found["大"] == "ORG-I"


def test_the_gradient_is_that_of_finite_differences():
    fix_random_seed(0)
    model = JiebaTaggerEmbed(3, parts=["tags"], dropout=0.0)
    model.initialize()
    X = ragged(TEXTS)
    Y, backprop = model.begin_update(X)
    dY = np.random.default_rng(0).normal(size=Y.dataXd.shape).astype("float32")
    backprop(Ragged(dY, Y.lengths))
    found = model.get_grad("E")
    E = model.get_param("E").copy()
    for i, j in [(0, 0), (20, 1), (56, 2)]:
        ends = []
        for change in (1e-2, -1e-2):
            changed = E.copy()
            changed[i, j] += change
            model.set_param("E", changed)
            ends.append(float((model.predict(X).dataXd * dY).sum()))
        expected = (ends[0] - ends[1]) / 2e-2
        assert found[i, j] == pytest.approx(expected, abs=1e-3)


def test_dropout_is_for_training():
    model = JiebaTaggerEmbed(4, dropout=0.5)
    model.initialize()
    X = ragged(TEXTS)
    assert not np.array_equal(model(X, True)[0].dataXd, model(X, False)[0].dataXd)
    assert np.array_equal(model.predict(X).dataXd, model.predict(X).dataXd)


def test_weights_are_not_saved():
    model = JiebaTaggerEmbed(8)
    model.initialize()
    data = model.to_bytes()
    assert len(data) < 8 * feature_width(["hidden", "tags"]) * 4 + 2000
    other = JiebaTaggerEmbed(8).from_bytes(data)
    X = ragged(TEXTS)
    assert np.array_equal(model.predict(X).dataXd, other.predict(X).dataXd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nO": 0}, "width"),
        ({"nO": 4, "parts": []}, "parts of the tagger are some of"),
        ({"nO": 4, "parts": ["words"]}, "parts of the tagger are some of"),
        ({"nO": 4, "parts": ["tags", "tags"]}, "parts of the tagger are some of"),
        ({"nO": 4, "dropout": 1.0}, "dropout"),
    ],
)
def test_arguments_that_are_not_valid(arguments, message):
    with pytest.raises(ValueError, match=message):
        JiebaTaggerEmbed(**arguments)


@pytest.fixture
def uncached():
    load_tagger.cache_clear()
    yield
    load_tagger.cache_clear()


def test_other_files_are_refused(uncached, monkeypatch):
    monkeypatch.setattr(jieba_tagger, "KNOWN_HASH", "0" * 64)
    with pytest.raises(ValueError, match=r"not those of jieba 0\.42\.1"):
        JiebaTaggerEmbed(4).initialize()


def test_without_jieba(uncached, monkeypatch):
    monkeypatch.setattr(jieba_tagger, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install"):
        JiebaTaggerEmbed(4).initialize()


def test_damaged_files_are_refused(uncached, monkeypatch, tmp_path):
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(jieba_tagger, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match="cannot be read"):
        load_tagger()
