"""Text from data that is safe to print and to show."""

import unicodedata

import pytest

from spacy_lstm_ner.util.text import (
    code_point,
    escaped,
    is_control,
    is_invisible,
    printable,
    probability_text,
)

JOINER = "\u200d"


def test_control_characters():
    for char in "\x00\n\x1b\x9b\ud800\u2028\u2029\u061c\u200e\u202e\u2066\u2069":
        assert is_control(char) and is_invisible(char) and escaped(char) != char
    for char in "a王 \u3000é👍":
        assert not is_control(char) and not is_invisible(char) and escaped(char) == char
    # A joiner is a part of emoji, and only escaped in a terminal.
    assert not is_control(JOINER) and is_invisible(JOINER)
    assert escaped(f"👨{JOINER}👩") == "👨\\u200d👩"


def test_all_directional_characters_are_control_characters():
    for char in map(chr, range(0x110000)):
        if unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF"):
            assert is_control(char)
        if unicodedata.bidirectional(char) in ("LRI", "RLI", "FSI", "PDI"):
            assert is_control(char)


def test_code_point():
    assert code_point("\u202e") == "U+202E" and code_point("😀") == "U+1F600"


def test_visible_text():
    assert printable("王芳 a-1。\u3000é") == "王芳 a-1。\u3000é"
    assert printable("a\u200fb\u00ad\ud800") == r"a\u200fb\xad\ud800"
    assert printable("سلام 1") == "\u2068سلام 1\u2069"


@pytest.mark.parametrize(
    "p, text",
    [
        *((0.0, "<0.01"), (0.004, "<0.01"), (0.006, "0.01"), (0.5, "0.50")),
        *((0.994, "0.99"), (0.996, ">0.99"), (1.0, ">0.99")),
    ],
)
def test_probabilities_are_never_certain(p, text):
    assert probability_text(p) == text
