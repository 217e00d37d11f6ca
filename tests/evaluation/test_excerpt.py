"""Excerpts of texts around an entity."""

import pytest

from spacy_lstm_ner.evaluation.excerpt import make_excerpt

TEXT = "".join(map(chr, range(0x4E00, 0x4E00 + 60)))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 3, TEXT[:8] + "…"),
        (2, 4, TEXT[:9] + "…"),
        (20, 23, "…" + TEXT[15:28] + "…"),
        (55, 60, "…" + TEXT[50:]),
        (20, 40, "…" + TEXT[15:25] + "…" + TEXT[35:45] + "…"),
        (0, 60, TEXT[:5] + "…" + TEXT[-5:]),
    ],
)
def test_context_and_omitted_parts(start, end, expected):
    excerpt = make_excerpt(TEXT, start, end, context=5, max_length=10)
    assert excerpt.text == expected
    shown = excerpt.text[excerpt.offset(start) : excerpt.offset(end)]
    whole = TEXT[start:end]
    assert shown == (whole if end - start <= 10 else f"{whole[:5]}…{whole[-5:]}")


def test_offsets():
    excerpt = make_excerpt(TEXT, 20, 40, context=5, max_length=10)
    for i in (*range(15, 25), *range(35, 45)):
        assert excerpt.text[excerpt.offset(i)] == TEXT[i]
    # Omitted characters have the offset of the next part, or of the end.
    assert excerpt.offset(30) == excerpt.offset(35)
    assert excerpt.offset(60) == excerpt.offset(45) == len(excerpt.text) - 1


def test_a_short_text_is_shown_completely():
    assert (
        make_excerpt("王芳任教授", 1, 2, context=9, max_length=9).text == "王芳任教授"
    )
