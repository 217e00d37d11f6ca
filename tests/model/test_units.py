"""Characters and tokens of Docs."""

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example

from spacy_lstm_ner.model.units import MISSING, UNITS, code_points
from spacy_lstm_ner.tags import TagSet

TEXTS = [
    "",
    " ",
    "\n",
    "北京",
    " 北京 ",
    "a  b\u3000c\n\n",
    "👩‍👩‍👧 好",
    "𠀀\0x",
    "don't",
]
TAGS = TagSet(["A"], "BIO")


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("text", TEXTS)
def test_characters_are_those_of_the_text(lang, text):
    doc = spacy.blank(lang).make_doc(text)
    assert UNITS["char"].count(doc) == len(doc.text) == len(text)
    assert UNITS["token"].count(doc) == len(doc)


def test_code_points():
    assert code_points(TEXTS).tolist() == [ord(c) for text in TEXTS for c in text]
    assert code_points([]).tolist() == []


def english(words, spaces=None, **annotation):
    return Doc(spacy.blank("en").vocab, words=words, spaces=spaces, **annotation)


def gold(unit, predicted, reference):
    return UNITS[unit].gold_tags(Example(predicted, reference), TAGS).tolist()


def test_gold_tags_of_characters():
    """They depend only on the position of the entity, not on the tokens of the Docs."""
    predicted = english(["NewYork", "is"])
    reference = english(
        ["New", "York", "is"], [False, True, True], ents=["B-A", "I-A", "O"]
    )
    assert gold("char", predicted, reference) == [1] + [2] * 6 + [0] * 4
    assert gold("token", predicted, reference) == [1, 0]


def test_a_gold_entity_inside_a_token_has_tags_by_character_only():
    predicted = english(["NewYork", "is"])
    reference = english(
        ["New", "York", "is"], [False, True, True], ents=["O", "B-A", "O"]
    )
    assert gold("char", predicted, reference) == [0] * 3 + [1, 2, 2, 2] + [0] * 4
    assert gold("token", predicted, reference) == [MISSING, 0]


@pytest.mark.parametrize("unit", ["char", "token"])
def test_white_space_inside_an_entity_belongs_to_it(unit):
    words = ["New", "\n", "York", "\n"]
    reference = english(words, [False] * 4, ents=["B-A", "I-A", "I-A", "O"])
    expected = {"char": [1] + [2] * 7 + [0], "token": [1, 2, 2, 0]}[unit]
    assert gold(unit, english(words, [False] * 4), reference) == expected


def test_missing_annotation():
    words = ["ab", "c"]
    unknown = english(words)
    assert gold("char", english(words), unknown) == [MISSING] * 5
    assert gold("token", english(words), unknown) == [MISSING] * 2
    partly = english(words)
    partly.set_ents([], missing=[partly[:1]], default="outside")
    assert gold("char", english(words), partly) == [MISSING] * 3 + [0] * 2
    assert gold("token", english(words), partly) == [MISSING, 0]


def test_blocked_gold_tokens_have_no_annotation():
    reference = english(["ab", "c"])
    reference.set_ents([], blocked=[reference[:1]], default="outside")
    assert gold("char", english(["ab", "c"]), reference) == [MISSING] * 3 + [0] * 2
    assert gold("token", english(["ab", "c"]), reference) == [MISSING, 0]


def test_texts_may_differ_in_white_space():
    predicted = english(["ab", "c", "d"], [True, True, False])
    reference = english(["ab", "c", "d"], [False] * 3, ents=["O", "B-A", "O"])
    assert gold("char", predicted, reference) == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("unit", ["char", "token"])
def test_occupied_units(unit):
    doc = english(["ab", "c", "d", "e"], ents=["B-A", "I-A", "O", "O"])
    doc.set_ents([], blocked=[doc[3:]], default="unmodified")
    occupied = UNITS[unit].occupied(doc)
    words = occupied if unit == "token" else [occupied[token.idx] for token in doc]
    assert list(words) == [True, True, False, True]
    assert len(occupied) == UNITS[unit].count(doc)


# Zero-width characters, and marks of the writing direction.
INVISIBLE = [
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u200e",
    " \u200b\u3000",
]


@pytest.mark.parametrize("invisible", INVISIBLE)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_entities_do_not_begin_or_end_with_invisible_characters(invisible, lang):
    text = f"{invisible}北京{invisible}大学{invisible}"
    doc = spacy.blank(lang).make_doc(text)
    units = UNITS["char"]
    size = len(invisible)
    assert units.to_characters(doc, 0, len(text)) == (size, len(text) - size)
    start, end = units.to_characters(doc, 0, size)
    assert start >= end
    (span,) = units.to_spans(doc, [(0, len(text), "A")], "expand")
    if lang == "zh":
        assert span.text == f"北京{invisible}大学"
        assert units.to_spans(doc, [(0, size, "A")], "expand") == [None]
        tokens = UNITS["token"]
        (span,) = tokens.to_spans(doc, [(0, len(doc), "A")], "strict")
        assert span.text == f"北京{invisible}大学"
