"""Reading texts without annotation."""

import gzip
import json

import pytest

from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.texts import read_texts
from spacy_lstm_ner.exceptions import DataError


def texts(path):
    return list(read_texts(path, ProblemLog()))


def test_one_text_a_line_without_blank_ones(tmp_path):
    path = tmp_path / "news.txt"
    path.write_text("王芳在京。\n\n  \n 缩进 👋\u2028x\n{没有 JSON\n", "utf8")
    assert texts(path) == [
        (1, "王芳在京。"),
        (4, " 缩进 👋\u2028x"),
        (5, "{没有 JSON"),
    ]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("as_array", [False, True])
def test_json_objects_with_a_text(as_array, indent, tmp_path):
    values = [{"id": 1, "text": "王芳\n在京"}, {"text": " "}, {"text": "北京"}]
    path = tmp_path / "texts.json"
    if as_array:
        path.write_text(json.dumps(values, indent=indent), "utf8")
    else:
        path.write_text("".join(f"{json.dumps(value)}\n" for value in values), "utf8")
    assert [text for _, text in texts(path)] == ["王芳\n在京", "北京"]


def test_other_encodings_and_compression(tmp_path):
    path = tmp_path / "news.txt.gz"
    path.write_bytes(gzip.compress(("王芳任北京大学教授。\n" * 20).encode("gb18030")))
    assert [text for _, text in texts(path)] == ["王芳任北京大学教授。"] * 20


def test_surrogates_are_repaired_and_reported(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(
        '{"text": "\\ud83d\\udc4b"}\n{"text": "a\\ud83d"}\n', encoding="utf8"
    )
    problems = ProblemLog()
    assert [text for _, text in read_texts(path, problems)] == ["👋", "a\ufffd"]
    assert [kind for _, kind in problems.counts] == ["lone surrogate"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no texts"),
        (" \n\n", "no texts"),
        ("王 B-PER\n芳 I-PER\n在 O\n", "units with tags, not texts"),
        ("王\tB_PER\n芳\tI_PER\n\n在\tO\n", "units with tags, not texts"),
        ('{"text": ["王"], "labels": ["O"]}\n', ":1: expected an object with a string"),
        ('{"sentence": "王"}\n', "an object with the keys sentence"),
        ('{"text": "王"}\n{"label": 1}\n', ":2: expected an object"),
    ],
)
def test_what_is_not_texts_is_refused(content, says, tmp_path):
    path = tmp_path / "data.txt"
    path.write_text(content, "utf8")
    with pytest.raises(DataError) as error:
        texts(path)
    assert says in str(error.value) and str(path) in str(error.value)


def test_files_that_do_not_exist_and_folders(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        texts(tmp_path / "nothing.txt")
    with pytest.raises(DataError, match="is a folder"):
        texts(tmp_path)
