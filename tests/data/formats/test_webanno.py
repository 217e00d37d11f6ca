"""WebAnno TSV: annotations by token, with their offsets in the document."""

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.exceptions import DataError

from ...helpers.reading import read_with_problems

FORMAT = "#FORMAT=WebAnno TSV 3.2"
LAYER = "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|value"


@pytest.fixture
def write(tmp_path):
    """Write a file with these lines after its header, and return its path."""

    def write(*lines, header=(FORMAT, LAYER)):
        path = tmp_path / "data.tsv"
        path.write_text("\n".join([*header, "", "", *lines, ""]), "utf-8")
        return path

    return write


SECOND = ["", "#Text=王芳", "2-1\t10-12\t王芳\tPER\t"]


def test_parts_of_tokens_escapes_and_blanks(write):
    path = write(
        "#Text= a|b\\tA",
        "1-1\t1-4\ta|b\tX[1]|Y\\_\\|1\t",
        "1-1.1\t1-2\ta\tZ\t",
        "1-2\t5-6\tA\tX[1]\t",
    )
    found = [("a|b\tA", "X"), ("a|b", "Y_|1"), ("a", "Z")]
    [(text, entities)], problems = read_with_problems(path)
    assert text == " a|b\tA"
    assert sorted(entities) == sorted(found)
    assert not problems


def test_text_of_several_lines(write):
    path = write("#Text=王芳", "#Text=李", "1-1\t0-2\t王芳\tPER", "1-2\t3-4\t李\t_")
    assert read_with_problems(path) == ([("王芳\n李", [("王芳", "PER")])], [])


@pytest.mark.parametrize(
    ("line", "at", "kind", "entities"),
    [
        # The next token is not there.
        ("1-1\t1-3\t李雷\tPER\t", 7, "not a record", None),
        ("1-1\t0-2\t李四\tPER\t", 6, "not a record", None),
        ("1-1\t0-x\t李雷\tPER\t", 6, "not a record", None),
        (f"1-1\t0-{'9' * 5000}\t李雷\tPER\t", 6, "not a record", None),
        ("1-1\t0-2\t李雷", 6, "no tag", []),
        ("1-1\t0-2\t李雷\t*\t", 6, "invalid entity", []),
    ],
)
def test_problems_have_the_line_of_the_token(write, line, at, kind, entities):
    texts, problems = read_with_problems(
        write("#Text=李雷去", line, "1-2\t2-3\t去\t_\t", *SECOND)
    )
    assert problems == [(at, kind)]
    assert [found for _, found in texts] == [
        *([] if entities is None else [entities]),
        [("王芳", "PER")],
    ]


def test_tokens_in_another_order(write):
    """An annotation goes from the first to the last of its tokens in the text."""
    lines = ["1-1\t0-1\t去\t_\t", "1-3\t2-3\t芳\tP[1]\t", "1-2\t1-2\t王\tP[1]\t"]
    assert read_with_problems(write("#Text=去王芳", *lines)) == (
        [("去王芳", [("王芳", "P")])],
        [],
    )


def test_sentences_without_text_or_tokens(write):
    path = write("1-1\t0-1\t李\tPER", "", "#Text=", "", "what", *SECOND)
    texts, problems = read_with_problems(path)
    assert texts == [("王芳", [("王芳", "PER")])]
    assert problems == [(5, "not a record"), (9, "not a record"), (7, "empty record")]


def test_annotation_across_sentences_is_reported(write):
    first = ["#Text=李雷", "1-1\t0-2\t李雷\tPER[1]\t", ""]
    path = write(*first, "#Text=王芳", "2-1\t3-5\t王芳\tPER[1]\t")
    texts, problems = read_with_problems(path)
    assert [found for _, found in texts] == [[("李雷", "PER")], [("王芳", "PER")]]
    assert problems == [(9, "entity without end")]


def test_layers(write):
    lines = ["#Text=李雷", "1-1\t0-2\t李雷\tNR\tPER\tx\t"]
    pos, own = "#T_SP=pos.POS|PosValue", "#T_SP=webanno.custom.Thing|kind|note"
    with pytest.raises(DataError, match="tag=4: 4 POS PosValue; 5 Thing kind; 6 T"):
        DataFile(write(*lines, header=[FORMAT, pos, own]))
    path = write(*lines, header=[FORMAT, pos, own])
    assert read_with_problems(path, columns="tag=5")[0] == [("李雷", [("李雷", "PER")])]
    with pytest.raises(DataError, match="column 9 has no annotation"):
        DataFile(path, ReadingOptions(columns="tag=9"))
    with pytest.raises(DataError, match="no layers"):
        DataFile(write(*lines, header=[FORMAT]))
    with pytest.raises(DataError, match="as WebAnno TSV 3"):
        DataFile(write(*lines, header=["# id=1"]), ReadingOptions(format="webanno"))
