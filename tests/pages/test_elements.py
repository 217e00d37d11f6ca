"""Small parts of pages."""

from spacy_lstm_ner.pages.elements import (
    label_html,
    lang_html,
    percent,
    table_html,
    text_html,
)


def test_control_characters_are_shown_by_their_code_points():
    assert "U+202E" in text_html("a\u202eb") and "\u202e" not in text_html("a\u202eb")
    assert text_html("a\nb\tc") == "a\nb\tc"
    assert "U+0007" in text_html("\x07")
    assert text_html("<b>\u3000王") == "&lt;b&gt;\u3000王"


def test_labels_are_isolated():
    assert label_html("<A>") == "<bdi>&lt;A&gt;</bdi>"


def test_language():
    assert lang_html("zh") == ' lang="zh"'
    assert lang_html("xx") == lang_html("") == ' lang=""'
    assert lang_html(None) == ""


def test_table():
    html = table_html(["A", "B"], [["x", "1"], ["y", "2"]], caption="C")
    assert html.count('<th scope="col">') == html.count('<th scope="row">') == 2
    assert "<td>2</td>" in html and "<caption>C</caption>" in html
    assert "caption" not in table_html([], [])


def test_percent():
    assert (percent(0.12345), percent(None)) == ("12.35", "–")
