"""Text from data that is safe to print."""

from spacy_lstm_ner.util.text import printable


def test_visible_text():
    assert printable("王芳 a-1。\u3000é") == "王芳 a-1。\u3000é"
    assert printable("a\u200fb\u00ad\ud800") == r"a\u200fb\xad\ud800"
    assert printable("سلام 1") == "\u2068سلام 1\u2069"
