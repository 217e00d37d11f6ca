"""Lists of words for a model to know."""

import sys

import pytest

from spacy_lstm_ner.data.lexicon import read_jieba_lexicon, read_lexicon
from spacy_lstm_ner.exceptions import DataError


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_words_and_their_kinds(tmp_path):
    path = write(
        tmp_path / "words.tsv",
        "\ufeff王府井\tplace\r\n\n# a comment\n"
        "副总经理\ttitle\n北京\tplace\t2.5\n无\n大 学\t \t7\n",
    )
    assert read_lexicon(path) == {
        "place": {"王府井": 1, "北京": 2.5},
        "title": {"副总经理": 1},
        "": {"无": 1, "大 学": 7},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "北京\n王府井\tplace\tBeijing\n",
            r":2: expected a word, .*Beijing",
        ),
        ("北京\n\tplace\n", r"words\.tsv:2: expected a word, "),
        ("# nothing\n\n", r"words\.tsv: no words found"),
    ],
)
def test_malformed_lines_are_reported_with_their_number(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_lexicon(write(tmp_path / "words.tsv", text))


def test_missing_file_and_other_encodings(tmp_path):
    with pytest.raises(DataError, match=r"words\.tsv: No such file"):
        read_lexicon(tmp_path / "words.tsv")
    path = write(tmp_path / "words.tsv", "abc\n北京\n", "gbk")
    with pytest.raises(DataError, match=r"words\.tsv:2: this line is not UTF-8"):
        read_lexicon(path)


def test_dictionary_of_jieba():
    pytest.importorskip("jieba")
    lexicon = read_jieba_lexicon()
    assert lexicon["ns"]["北京"] > 1000
    assert sum(map(len, lexicon.values())) > 300_000
    assert all(len(words) >= 1000 for words in lexicon.values())


def test_without_jieba(monkeypatch):
    # Python finds no module where this is None.
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ImportError, match=r"spacy-lstm-ner\[lexicon\]"):
        read_jieba_lexicon()
