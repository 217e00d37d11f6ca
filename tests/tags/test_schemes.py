"""Tag schemes of files: conversion of tags to spans, and detection."""

import pytest

from spacy_lstm_ner.data import options
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.tags import detect_scheme, spans_from_tags
from spacy_lstm_ner.tags.schemes import FILE_SCHEMES, MODEL_SCHEMES, PREFIXES

from ..helpers.tags import SPANS, WRITTEN


@pytest.mark.parametrize("scheme", WRITTEN)
def test_every_scheme_is_read(scheme):
    spans, problems = spans_from_tags(WRITTEN[scheme].split(), scheme)
    assert spans == SPANS
    assert problems == []


@pytest.mark.parametrize(
    "scheme, tags, spans, kinds",
    [
        ("BIO", "O I-A I-A", [(1, 3, "A")], ["inside without beginning"]),
        (
            "BIO",
            "B-A I-B O",
            [(0, 1, "A"), (1, 2, "B")],
            ["inside without beginning"],
        ),
        ("IOB1", "I-A I-B", [(0, 1, "A"), (1, 2, "B")], []),
        ("BIO", "B-A X-A I-A", [(0, 1, "A"), (2, 3, "A")],
         ["unknown tag", "inside without beginning"]),
        ("BIO", "B-A E-A", [(0, 1, "A")], ["unknown tag"]),
        ("BIOES", "B-A O", [(0, 1, "A")], ["entity without end"]),
        ("BIOES", "B-A I-A", [(0, 2, "A")], ["entity without end"]),
        ("BMES", "B-A B-A E-A", [(0, 1, "A"), (1, 3, "A")], ["entity without end"]),
        ("BMES", "E-A", [(0, 1, "A")], ["inside without beginning"]),
        ("BMES", "B-A S-B", [(0, 1, "A"), (1, 2, "B")], ["entity without end"]),
        ("BIO", "B- O -A o", [], ["unknown tag"] * 3),
    ],
)  # fmt: skip
def test_invalid_tags_are_repaired_and_reported(scheme, tags, spans, kinds):
    actual, problems = spans_from_tags(tags.split(), scheme)
    assert actual == spans
    assert [problem.kind for problem in problems] == kinds


def test_unknown_scheme():
    with pytest.raises(ValueError, match=r"Unknown tag scheme 'BILUO'.*BMES"):
        spans_from_tags(["O"], "BILUO")


def test_prefixes_map_to_bioes_prefixes():
    assert set(MODEL_SCHEMES) <= set(FILE_SCHEMES) == set(PREFIXES)
    for prefixes in PREFIXES.values():
        assert set(prefixes.values()) in ({"B", "I"}, {"B", "I", "E", "S"})


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B-A I-A O B-B", "BIO"),
        ("B-A I-A I-B O", "BIO"),
        ("I-A I-A B-A O I-B", "IOB1"),
        ("B-A I-A E-A S-B", "BIOES"),
        ("B-A I-A X-A", "BIO"),
        ("S-B O", "BIOES"),
        ("E-B", "BIOES"),
        ("B-A M-A E-A S-B", "BMES"),
        ("M-A I-A", "BMES"),
        ("B-A M-A I-A E-A S-A", "BMES"),
        ("O O", "BIO"),
        ("X-A Y", None),
        ("", None),
    ],
)
def test_detection(tags, scheme):
    assert detect_scheme([tags.split()]) == scheme


def test_a_scheme_without_a_begin_prefix(monkeypatch):
    monkeypatch.setitem(PREFIXES, "IOE2", {"I": "I", "E": "E"})
    tags = ["E-A", "I-A", "I-A", "E-A", "O", "I-B", "E-B"]
    spans = [(0, 1, "A"), (1, 4, "A"), (5, 7, "B")]
    assert spans_from_tags(tags, "IOE2") == (spans, [])
    _, (problem,) = spans_from_tags(["I-A", "O"], "IOE2")
    assert problem.kind == "entity without end"
    assert detect_scheme([tags]) == "IOE2"


def test_a_scheme_is_added_in_one_place(tmp_path, monkeypatch):
    bilou = {"B": "B", "I": "I", "L": "E", "U": "S"}
    monkeypatch.setitem(PREFIXES, "BILOU", bilou)
    monkeypatch.setattr(options, "FILE_SCHEMES", tuple(PREFIXES))
    tags = ["U-A", "B-A", "I-A", "L-A", "O", "B-B-C", "L-B-C"]
    assert spans_from_tags(tags, "BILOU") == (SPANS, [])
    assert detect_scheme([tags]) == "BILOU"
    for scheme, known in WRITTEN.items():
        assert detect_scheme([known.split()]) == scheme
    path = tmp_path / "data.txt"
    path.write_text("".join(f"字 {tag}\n" for tag in tags), "utf8")
    for scheme in ("auto", "BILOU"):
        file = DataFile(path, ReadingOptions(scheme=scheme))
        assert file.options.scheme == "BILOU"
