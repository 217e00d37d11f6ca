"""Sentences in lines: lines that are not split as most of the file."""

import pytest

from ...helpers.reading import read_with_problems

FOUR = "7\tnews\t王 芳 在\tB-P I-P O\n"
TWO = "王 芳 在\tB-P I-P O\n"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        # As many words as the other lines have parts.
        (FOUR, "沪 市\tB-L O\n"),
        (FOUR, "沪 市 \t\tB-L O\n"),
        (TWO, "沪 B-L\n"),
        (TWO, "沪 市\tB-L\n"),
    ],
)
def test_a_line_with_fewer_parts_is_reported(good, bad, tmp_path):
    path = tmp_path / "data.txt"
    path.write_text(good * 4 + bad + good, "utf8")
    texts, problems = read_with_problems(path)
    assert texts == [("王芳在", [("王芳", "P")])] * 5
    assert problems == [(5, "different lengths")]


def test_a_text_with_the_separator(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text(TWO * 4 + "王 \t 芳\tB-P O B-P\n", "utf8")
    texts, problems = read_with_problems(path)
    assert texts[4] == ("王\t芳", [("王", "P"), ("芳", "P")])
    assert problems == []
