"""Characters → vectors."""

import numpy as np
import pytest
from thinc.api import Adam, fix_random_seed, get_current_ops
from thinc.types import Ragged

from spacy_lstm_ner.layers import CharEmbed, HashCharEmbed
from spacy_lstm_ner.layers.embed import ngrams

from ..helpers.embeddings import codes, ragged
from ..helpers.gradients import numeric_gradient, to_float64


@pytest.fixture(params=["learned", "onehot", "normal", "uniform"])
def kind(request):
    return request.param


def make(kind, text="北京大学大学", nO=4):
    fix_random_seed(0)
    width = None if kind == "onehot" else nO
    return CharEmbed(width, kind=kind).initialize(X=codes(text))


def test_same_character_same_vector(kind):
    model = make(kind)
    a, b, c = model.predict(codes("大京大"))
    assert (a == c).all() and (a != b).any()


def test_unknown_characters_get_the_zero_vector(kind):
    model = make(kind)
    vectors = model.predict(codes("\0北𠀀\U0010ffff"))
    assert vectors.any(axis=1).tolist() == [False, True, False, False]


def test_one_hot_vectors_are_one_hot():
    model = make("onehot")
    assert model.get_dim("nO") == 4
    vectors = model.predict(codes("北京大学"))
    assert sorted(vectors.tolist()) == sorted(np.eye(4).tolist())


def test_random_vectors_are_drawn_as_they_are_called():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    normal = make("normal", text, nO=50).predict(codes(text))
    assert abs(normal.mean()) < 0.05 and abs(normal.std() - 1) < 0.05
    uniform = make("uniform", text, nO=50).predict(codes(text))
    assert uniform.min() >= 0 and uniform.max() <= 1
    assert abs(uniform.mean() - 0.5) < 0.05


def test_only_the_learned_one_learns(kind):
    model = make(kind)
    before = model.predict(codes("北京")).copy()
    Y, backprop = model.begin_update(codes("北京山"))
    backprop(np.ones_like(Y))
    model.finish_update(Adam(0.1, L2=0.1))
    changed = (model.predict(codes("北京")) != before).any()
    assert changed == (kind == "learned")
    assert not model.predict(codes("山")).any(), "unknown stays zero"


def test_learned_gradient_against_finite_differences():
    model = to_float64(make("learned"))
    X = codes("大学大山")
    weights = np.random.default_rng(0).standard_normal((4, 4))
    _, backprop = model(X, is_train=True)
    backprop(weights)
    E = model.get_param("E")
    expected = numeric_gradient(lambda: float((model.predict(X) * weights).sum()), E)
    expected[0] = 0  # held at zero
    np.testing.assert_allclose(model.get_grad("E"), expected, atol=1e-8)


def test_bytes_bring_back_vocabulary_and_vectors(kind):
    model = make(kind)
    loaded = CharEmbed(None if kind == "onehot" else 4, kind=kind)
    loaded.from_bytes(model.to_bytes())
    X = codes("北京大学山")
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


def test_settings_that_do_not_go():
    with pytest.raises(ValueError, match="Unknown kind of embedding 'gaussian'"):
        CharEmbed(4, kind="gaussian")
    with pytest.raises(ValueError, match="number of characters: leave it out"):
        CharEmbed(4, kind="onehot")
    with pytest.raises(ValueError, match="needs a width"):
        CharEmbed(kind="normal")
    with pytest.raises(ValueError, match="at least 1, not -1"):
        CharEmbed(-1)
    with pytest.raises(ValueError, match=r"which has none.*HashCharEmbed"):
        CharEmbed(4).initialize()


def test_ngrams_written_out():
    """Each n-gram that a character is a part of, and none over the end of a text."""
    texts = ["北京大学", "", "一", "中国"]
    features = ngrams(get_current_ops(), ragged(*texts), 3)
    names = {}  # which n-gram a number stands for: one each

    def written(text, first, size):
        return tuple(
            text[i] if 0 <= i < len(text) else "" for i in range(first, first + size)
        )

    row = 0
    for text in texts:
        for place in range(len(text)):
            expected = [
                written(text, place + first, size)
                for size in (1, 2, 3)
                for first in range(1 - size, 1)
            ]
            for number, name in zip(features[row].tolist(), expected, strict=True):
                assert names.setdefault((len(name), number), name) == name
            row += 1
    assert len(set(names.values())) == len(names), "two numbers for one n-gram"


def test_hashed_vectors_know_every_character():
    model = HashCharEmbed(8, rows=[50, 100]).initialize()
    Y = model.predict(ragged("\0𠀀\U0010ffff北", "", "x"))
    assert Y.dataXd.shape == (5, 24) and Y.dataXd.any(axis=1).all()


def test_hashed_vectors_do_not_depend_on_the_batch():
    model = HashCharEmbed(8, rows=[50, 100, 100]).initialize()
    together = model.predict(ragged("北京", "大学", ""))
    alone = model.predict(ragged("大学"))
    np.testing.assert_array_equal(together.dataXd[2:], alone.dataXd)


@pytest.mark.parametrize("rows, columns", [([50], 1), ([50, 50], 3), ([50] * 3, 6)])
def test_hashed_widths(rows, columns):
    model = HashCharEmbed(8, rows=rows).initialize()
    assert model.get_dim("nO") == 8 * columns
    assert model.predict(ragged("北京")).dataXd.shape == (2, 8 * columns)


def test_hashed_vectors_learn():
    model = HashCharEmbed(4, rows=[50, 100]).initialize()
    before = model.predict(ragged("北京")).dataXd.copy()
    Y, backprop = model.begin_update(ragged("北京"))
    backprop(Ragged(np.ones_like(Y.dataXd), Y.lengths))
    model.finish_update(Adam(0.1))
    assert (model.predict(ragged("北京")).dataXd < before).all()


def test_ngram_dropout_leaves_out_whole_ngrams_in_training_only():
    model = HashCharEmbed(4, rows=[50, 100], ngram_dropout=0.5).initialize()
    X = ragged("北京大学" * 50)
    before = model.predict(X).dataXd
    Y, backprop = model.begin_update(X)
    vectors = Y.dataXd.reshape(200, 3, 4)
    dropped = (vectors == 0).all(axis=2)
    assert not dropped[:, 0].any(), "single characters stay"
    assert 0.4 < dropped[:, 1:].mean() < 0.6
    kept = ~dropped[:, 1]
    # What is kept is scaled, so that the mean stays as it is.
    whole = before.reshape(200, 3, 4)
    np.testing.assert_allclose(vectors[kept, 1], 2 * whole[kept, 1], rtol=1e-6)
    backprop(Ragged(np.ones_like(Y.dataXd), X.lengths))
    gradient = model.layers[1].get_grad("E").sum()
    assert gradient == pytest.approx(4 * 2 * kept.sum() * 4, rel=1e-5)


@pytest.mark.parametrize(
    "width, settings",
    [(0, {}), (4, {"rows": [0]}), (4, {"ngram_dropout": 1.5}),
     (4, {"ngram_dropout": -1})],
)  # fmt: skip
def test_sizes_and_chances_that_there_cannot_be(width, settings):
    with pytest.raises(ValueError, match="at least"):
        HashCharEmbed(width, **{"rows": [50], **settings})


@pytest.mark.parametrize("rows", [[], [9, 9, 9, 9]])
def test_too_few_or_too_many_ngrams(rows):
    with pytest.raises(ValueError, match="n-grams of 1 to 3 characters"):
        HashCharEmbed(8, rows=rows)


def test_nothing():
    model = HashCharEmbed(8, rows=[50, 100]).initialize()
    for texts in ((), ("",), ("", "")):
        Y, backprop = model(ragged(*texts), is_train=True)
        assert len(Y.dataXd) == 0 and len(Y.lengths) == len(texts)
        backprop(Y)
