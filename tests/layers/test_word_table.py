"""Words → what a table of clusters and frequencies says of them."""

import numpy as np
import pytest
from spacy.strings import get_string_id
from thinc.types import Ragged

from spacy_lstm_ner import WordTableEmbed
from spacy_lstm_ner.layers.checks import LAYER_CHECKS
from spacy_lstm_ner.layers.word_table import set_word_table, word_features

from ..helpers.gradients import numeric_gradient, to_float64

# Path of the cluster, logarithm of the probability.
WORDS = {
    "london": (0, -14.2),
    "London": (0b1010100110, -9.5),
    "the": (0b1011, -3.5),
    "The": (0, -6.0),
    "NYC": (0b11000110101, -11.0),
    "nyc": (0b11000110101, -12.1),
    "weird": (0, -10.0),
}
TEXT = ["London", "london", "LONDON", "the", "NYC", "weird", "unknown"]


def make(words=WORDS, width=3):
    model = WordTableEmbed(width)
    hashes = np.array([get_string_id(word) for word in words], dtype="uint64")
    clusters, log_probs = map(np.array, zip(*words.values(), strict=True))
    set_word_table(model, hashes, clusters, log_probs)
    return model.initialize()


def forms(words=TEXT):
    rows = [(word, word.lower(), word.title(), word.upper()) for word in words]
    ids = [[get_string_id(form) for form in row] for row in rows]
    array = np.array(ids, dtype="uint64").reshape((-1, 4))
    return Ragged(array, np.array([len(words)], dtype="i"))


def by_definition(word):
    looked_up = [
        WORDS.get(form, (0, -25.0))
        for form in (word, word.lower(), word.title(), word.upper())
    ]
    cluster = next((c for c, _ in looked_up if c), 0)
    halves = [int(-np.float16(p) / 2) for _, p in looked_up]
    lower, title = (np.float16(looked_up[i][1]) for i in (1, 2))
    difference = round(float(max(-6, min(6, title - lower))))
    case = (difference + 6) * 4 + 2 * (word == word.title()) + (word == word.upper())
    frequency = halves[0] * 1024 + halves[1] * 32 + halves[2]
    return [cluster, cluster % 256, cluster % 16, frequency, case]


def test_features_are_those_of_the_definition():
    found = word_features(make(), forms().dataXd)
    assert found.tolist() == [by_definition(word) for word in TEXT]
    # A word without a cluster has that of a form that has one.
    assert len({row[0] for row in found[:3].tolist()}) == 1 and found[0, 0]
    assert found[-1, 0] == 0


def test_words_of_one_cluster_have_almost_the_same_vector():
    model = make({"London": (678, -9.0), "Paris": (678, -9.1), "the": (11, -3.5)})
    Y = model.predict(forms(["London", "Paris", "the"])).dataXd
    np.testing.assert_array_equal(Y[0], Y[1])
    assert (Y[0] != Y[2]).any()
    assert Y.shape == (3, model.get_dim("nO")) == (3, 15)


def test_gradient():
    model = make()
    to_float64(model)
    X = forms()
    weights = np.random.default_rng(0).normal(size=(len(TEXT), 15))

    def loss():
        return float((model.predict(X).dataXd * weights).sum())

    Y, backprop = model(X, is_train=True)
    dX = backprop(Ragged(weights, Y.lengths))
    assert dX.dataXd.shape == X.dataXd.shape and not dX.dataXd.any()
    for table in model.layers:
        numeric = numeric_gradient(loss, table.get_param("E"))
        np.testing.assert_allclose(table.get_grad("E"), numeric, atol=1e-6)


def test_no_words():
    model = make()
    Y, backprop = model(forms([]), is_train=True)
    assert Y.dataXd.shape == (0, 15)
    backprop(Y)


def test_the_table_is_saved():
    model = make()
    loaded = WordTableEmbed(3).from_bytes(model.to_bytes())
    check = LAYER_CHECKS[loaded.name]
    check(loaded)
    for word in TEXT:
        np.testing.assert_array_equal(
            loaded.predict(forms([word])).dataXd, model.predict(forms([word])).dataXd
        )


def test_a_damaged_table_is_refused():
    def damaged(name, value):
        model = make()
        model.attrs[name] = value(model.attrs[name])
        return model

    check = LAYER_CHECKS["word_table_embed"]
    check(WordTableEmbed(3))
    for name, value in (
        ("keys", lambda a: a[::-1]),
        ("keys", lambda a: a.astype("int64")),
        ("clusters", lambda a: a[1:]),
        ("log_probs", lambda a: a.tolist()),
        ("log_probs", lambda a: "x"),
        ("keys", lambda a: []),
    ):
        with pytest.raises(ValueError, match="inconsistent"):
            check(damaged(name, value))


def test_errors():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        WordTableEmbed(0)
    with pytest.raises(ValueError, match=r"LookupsWords\.v1"):
        WordTableEmbed(3).initialize()
    none = np.zeros(0)
    with pytest.raises(ValueError, match="empty"):
        set_word_table(WordTableEmbed(3), none.astype("uint64"), none, none)
