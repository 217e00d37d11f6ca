"""What offsets count, in files that do not have the text of their entities."""

import json

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError

WAVE = "\U0001f44b"


@pytest.fixture
def read(tmp_path):
    def read(*records, **options):
        path = tmp_path / "data.jsonl"
        path.write_text("\n".join(map(json.dumps, records)), "utf8")
        texts = DataFile(path, ReadingOptions(**options)).texts(ProblemLog())
        return [[t.text[s:e] for s, e, _ in t.entities] for t in texts]

    return read


AMBIGUOUS = {"text": f"{WAVE}在王芳家里", "label": [[2, 4, "PER"]]}


def test_two_possible_readings_are_refused(read):
    with pytest.raises(DataError, match=r"'在王' with --offsets utf16.*'王芳' with"):
        read(AMBIGUOUS)
    assert read(AMBIGUOUS, offsets="characters") == [["王芳"]]
    assert read(AMBIGUOUS, offsets="utf16") == [["在王"]]


def test_offsets_that_fit_only_one_reading_decide(read):
    at_end = {"text": f"{WAVE}在青岛", "label": [[3, 5, "LOC"]]}
    assert read(AMBIGUOUS, at_end) == [["在王"], ["青岛"]]


def test_an_ambiguous_record_after_the_beginning_is_refused(read):
    plain = {"text": "王芳来了", "label": [[0, 2, "PER"]]}
    with pytest.raises(DataError, match=r"data\.jsonl:1501: JavaScript counts"):
        read(*[plain] * 1500, AMBIGUOUS)


def test_entities_before_the_character_are_not_ambiguous(read):
    assert read({"text": f"王芳{WAVE}", "label": [[0, 2, "PER"]]}) == [["王芳"]]


@pytest.mark.parametrize(
    "record",
    [
        [AMBIGUOUS["text"], {"entities": AMBIGUOUS["label"]}],
        {
            "text": AMBIGUOUS["text"],
            "spans": [{"start": 2, "end": 4, "label": "PER"}],
            "answer": "accept",
        },
    ],
    ids=["spacy", "prodigy"],
)
def test_tools_in_python_count_characters(read, record):
    assert read(record) == [["王芳"]]
