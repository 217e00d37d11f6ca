"""Text and numbers in the form in which pages show them."""

from spacy_lstm_ner.pages.elements import language, percent, visible


def test_control_characters_are_shown_by_their_code_points():
    assert "U+202E" in visible("a\u202eb") and "\u202e" not in visible("a\u202eb")
    assert visible("a\nb\tc") == "a\nb\tc"
    assert "U+0007" in visible("\x07")
    assert visible("<b>\u3000王") == "&lt;b&gt;\u3000王"


def test_language():
    assert language("zh") == "zh"
    assert language("xx") == language("") == ""
    assert language(None) is None


def test_percent():
    assert (percent(0.12345), percent(None)) == ("12.35", "–")
