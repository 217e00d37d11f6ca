"""Characters → which words of a lexicon stand there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import Adam, get_current_ops
from thinc.types import Ragged

from spacy_lstm_ner.layers import HashCharEmbed, LexiconEmbed
from spacy_lstm_ner.layers.embed import side_by_side
from spacy_lstm_ner.layers.lexicon import (
    MAX_KINDS,
    PLACES,
    profiles_of,
    set_lexicon,
    words_at,
)

from ..helpers.embeddings import ragged
from ..helpers.gradients import numeric_gradient, to_float64

LEXICON = {
    "place": {"北京": 30, "北京大学": 1, "南京": 9},
    "person": {"京大": 1, "大学生物": 1},
    "thing": {"大学": 5, "京大": 2, "𠀀𠀁": 1, "大": 4},
}


def make(lexicon=LEXICON, nO=4):
    model = LexiconEmbed(nO)
    set_lexicon(model, lexicon)
    return model.initialize()


def known(model, *texts):
    batch = ragged(*texts)
    return words_at(model, batch.dataXd.ravel(), batch.lengths)


def in_words(model, text):
    """For each character, what it is told of each place."""
    names = [*sorted(model.attrs["kinds"]), "2", "3", "4", "5+"]
    return [
        {
            place: {names[i] for i in np.flatnonzero(row)}
            for place, row in zip(PLACES, rows, strict=True)
            if row.any()
        }
        for rows in known(model, text)
    ]


def test_each_character_learns_of_all_words_around_it():
    assert in_words(make(), "在北京大学") == [
        {},
        {"begin": {"place", "2", "4"}},
        {
            "begin": {"person", "thing", "2"},
            "inside": {"place", "4"},
            "end": {"place", "2"},
        },
        {
            "begin": {"thing", "2"},
            "inside": {"place", "4"},
            "end": {"person", "thing", "2"},
        },
        {"end": {"place", "thing", "2", "4"}},
    ]


def test_profiles_say_how_words_use_a_character():
    model = make()
    big, other = profiles_of(model, np.array([ord("大"), ord("山")])).astype("float64")
    by_words, (n_words,), by_frequency, (frequency,) = np.split(big, [12, 13, 25])
    # Places: begin, inside, end, alone; in each of them person, place, thing.
    words = [[1, 0, 1], [0, 1, 0], [1, 0, 1], [0, 0, 1]]
    frequencies = [[1, 0, 5], [0, 1, 0], [1, 0, 2], [0, 0, 4]]
    expected = np.sqrt(np.ravel(words) / (6 + 3))
    np.testing.assert_allclose(by_words, expected, atol=1e-3)
    expected = np.sqrt(np.ravel(frequencies) / (14 + 50))
    np.testing.assert_allclose(by_frequency, expected, atol=1e-3)
    assert n_words == pytest.approx(np.log1p(6) / 8, abs=1e-3)
    assert frequency == pytest.approx(np.log1p(14) / 8, abs=1e-3)
    assert not other.any(), "no word has it"


def test_words_do_not_go_on_in_the_next_text():
    model = make()
    assert not known(model, "北", "京").any()
    alone = np.concatenate([known(model, t) for t in ("北京", "", "大学")])
    together = known(model, "北京", "", "大学")
    assert (together == alone).all() and together.any()


@given(
    words=st.lists(st.text("甲乙丙", min_size=2, max_size=5), min_size=1),
    texts=st.lists(st.text("甲乙丙", max_size=9), max_size=4),
)
def test_against_a_search_word_by_word(words, texts):
    model = LexiconEmbed(4)
    set_lexicon(model, {"a": dict.fromkeys(words, 1)})
    expected = []
    for text in texts:
        rows = np.zeros((len(text), 3, 5), dtype=int)
        for word in words:
            for i in range(len(text)):
                if text.startswith(word, i):
                    n = len(word)
                    for bit in (0, 1 + min(n - 2, 3)):
                        rows[i, 0, bit] = rows[i + n - 1, 2, bit] = 1
                        rows[i + 1 : i + n - 1, 1, bit] = 1
        expected.append(rows)
    expected = np.concatenate([np.zeros((0, 3, 5), dtype=int), *expected])
    np.testing.assert_array_equal(known(model, *texts), expected)


def test_no_characters_at_all():
    model = make()
    Y, backprop = model(ragged("", ""), is_train=True)
    assert Y.dataXd.shape == (0, 4)
    assert backprop(Y).dataXd.shape == (0, 1)


def test_gradient_against_finite_differences():
    model = to_float64(make())
    batch = ragged("在北京大学", "", "大学")
    weights = np.random.default_rng(0).standard_normal((7, 4))
    _, backprop = model(batch, is_train=True)
    backprop(Ragged(weights, batch.lengths))
    E = model.get_param("E")
    expected = numeric_gradient(
        lambda: float((model.predict(batch).dataXd * weights).sum()), E
    )
    assert expected.any()
    np.testing.assert_allclose(model.get_grad("E"), expected, rtol=1e-6, atol=1e-8)


def test_saved_and_loaded():
    model = make()
    loaded = LexiconEmbed(4).from_bytes(model.to_bytes())
    batch = ragged("在北京大学")
    assert model.predict(batch).dataXd.any()
    assert (loaded.predict(batch).dataXd == model.predict(batch).dataXd).all()


def test_a_new_lexicon_replaces_the_old_one():
    model = make()
    set_lexicon(model, {"x": {"山水": 1}})
    model.initialize()
    assert not known(model, "北京").any() and known(model, "山水").any()
    assert model.get_param("E").shape == (3 * 5 + 2 * (4 + 1), 4)


def test_as_many_kinds_as_there_is_room_for():
    kinds = {f"k{i:02}": {f"{chr(0x4E00 + i)}山": 1} for i in range(MAX_KINDS)}
    model = make(kinds)
    last = known(model, chr(0x4E00 + MAX_KINDS - 1) + "山")
    assert np.flatnonzero(last[0, 0]).tolist() == [MAX_KINDS - 1, MAX_KINDS]
    with pytest.raises(ValueError, match=f"at most {MAX_KINDS} kinds"):
        make(kinds | {"one more": {"山水": 1}})


@pytest.mark.parametrize("lexicon", [{}, {"a": {}}, {"a": {"山": 1, "": 1}}])
def test_no_words(lexicon):
    with pytest.raises(ValueError, match="no words of two or more characters"):
        make(lexicon)


def test_initialize_without_words():
    with pytest.raises(ValueError, match="none was set"):
        LexiconEmbed(4).initialize()


def test_width():
    with pytest.raises(ValueError, match="width of an embedding has to be at least 1"):
        LexiconEmbed(0)


def test_side_by_side():
    hashed, words = HashCharEmbed(3, rows=[20]), LexiconEmbed(4)
    set_lexicon(words, LEXICON)
    model = side_by_side(hashed, words).initialize()
    assert model.get_dim("nO") == 7
    batch = ragged("在北京大学", "", "大学")
    Y, backprop = model(batch, is_train=True)
    both = [layer.predict(batch).dataXd for layer in (hashed, words)]
    np.testing.assert_allclose(Y.dataXd, np.hstack(both), atol=1e-6)
    dY = get_current_ops().xp.ones_like(Y.dataXd)
    assert backprop(Ragged(dY, Y.lengths)).dataXd.shape == (7, 1)
    before = model.predict(batch).dataXd.copy()
    model.finish_update(Adam(0.1))
    changed = (model.predict(batch).dataXd != before).any(axis=0)
    assert changed.all()
