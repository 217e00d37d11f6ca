"""The kernels of embeddings against Thinc's HashEmbed and the NumPy form."""

import numpy as np
import pytest
from thinc.api import fix_random_seed, set_dropout_rate
from thinc.types import Ragged

from spacy_lstm_ner import kernels
from spacy_lstm_ner.layers import HashCharEmbed, LexiconEmbed
from spacy_lstm_ner.layers.lexicon import set_lexicon

from ..helpers.kernels import both_forms, numpy_form

TEXTS = {
    "none": [],
    "empty": ["", ""],
    "one": ["在北京大学学习中国历史。"],
    "several": ["北京", "", "京", "a\U0001f600\U0010ffff\0b", "大学" * 40],
}
LEXICON = {
    "place": {"北京": 5, "北京大学": 2, "中国": 9},
    "noun": {"大学": 4, "学习": 3, "历史": 1, "大": 7, "北京大学学习": 1},
}


def batch(texts):
    codes = np.array([ord(c) for text in texts for c in text], dtype="int64")
    return Ragged(codes.reshape((-1, 1)), np.array([len(t) for t in texts], "int32"))


@pytest.mark.parametrize("rows", [[50], [1, 7], [30, 70, 3000]], ids=str)
@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("width", [1, 13, 64])
def test_hash_embeddings(instruction_set, rows, texts, width):
    layer = HashCharEmbed(width, rows=rows)
    layer.initialize()
    X = batch(texts)
    found, expected = both_forms(layer.predict, X)
    # The four rows of a table are added in the same order.
    np.testing.assert_array_equal(found.dataXd, expected.dataXd)
    assert list(found.lengths) == list(expected.lengths)


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.5, 0.0), (0.5, 0.3)], ids=str)
def test_gradients_of_hash_embeddings(instruction_set, rates):
    def train():
        fix_random_seed(0)
        layer = HashCharEmbed(16, rows=[20, 30], ngram_dropout=rates[0])
        layer.initialize()
        set_dropout_rate(layer, rates[1])
        outputs = []
        for texts in (TEXTS["several"], TEXTS["one"]):  # gradients accumulate
            X = batch(texts)
            Y, backprop = layer.begin_update(X)
            backprop(Ragged(np.sin(Y.dataXd), X.lengths))
            outputs.append(Y.dataXd)
        return [*outputs, *(table.get_grad("E") for table in layer.layers)]

    for found, expected in zip(*both_forms(train), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_lexicon(instruction_set, texts):
    layer = LexiconEmbed(24)
    set_lexicon(layer, LEXICON)
    layer.initialize()
    X = batch(texts)
    found, expected = both_forms(layer.predict, X)
    np.testing.assert_allclose(found.dataXd, expected.dataXd, atol=1e-6)

    def train():
        Y, backprop = layer.begin_update(X)
        backprop(Y)
        gradient = layer.get_grad("E").copy()
        layer.set_grad("E", np.zeros_like(gradient))
        return Y.dataXd, gradient

    for found, expected in zip(*both_forms(train), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_lexicon_and_weights_that_change_are_never_stale(instruction_set):
    layer = LexiconEmbed(8)
    set_lexicon(layer, LEXICON)
    layer.initialize()
    X = batch(TEXTS["one"])
    first = layer.predict(X).dataXd
    layer.get_param("E")[-1] += 1  # of profiles
    layer.get_param("E")[0] += 1  # of words
    second, expected = both_forms(layer.predict, X)
    np.testing.assert_allclose(second.dataXd, expected.dataXd, atol=1e-6)
    assert np.abs(second.dataXd - first).max() > 0.1
    set_lexicon(layer, {"place": {"学习": 1}, "noun": {"在北": 1}})
    found, expected = both_forms(layer.predict, X)
    np.testing.assert_allclose(found.dataXd, expected.dataXd, atol=1e-6)


def test_kinds_fill_all_bits(instruction_set):
    layer = LexiconEmbed(3)
    set_lexicon(layer, {f"kind {i:02}": {"北京" + "大" * i: 1} for i in range(60)})
    layer.initialize()
    X = batch(["北京" + "大" * 70])
    found, expected = both_forms(layer.predict, X)
    np.testing.assert_allclose(found.dataXd, expected.dataXd, atol=1e-5)


def test_sizes_are_checked(instruction_set):
    native = kernels.kernels()
    codes, lengths = np.array([65, 66], "uint32"), np.array([2])
    table, X = np.zeros((5, 4), "float32"), np.zeros((2, 4), "float32")
    native.hash_embed(codes, lengths, 1, (table,), (0,), X)
    for args in (
        (codes, lengths + 1, 1, (table,), (0,), X),
        (codes, lengths, 2, (table,), (0,), X),
        (codes, lengths, 4, (table,) * 10, (0,) * 10, X),
        (codes, lengths, 1, (table,), (0,), X[:, :3].copy()),
        (codes, lengths, 1, (table,), (0,), X, 0, np.zeros((2, 2, 4), "uint32")),
        (codes, lengths, 1, (table[:0],), (0,), X),
        (codes, lengths, 1, (table,), (0,), X, 1),
        (codes, lengths, 1, (table,), (0,), X, -1),
    ):
        with pytest.raises(ValueError):
            native.hash_embed(*args)
    keys = np.full((2, 1, 4), 5, "uint32")
    with pytest.raises(ValueError, match="key"):
        native.hash_gradient(keys, X, (table,))
    with numpy_form():
        assert kernels.kernels() is None
