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
    assert spans_from_tags(WRITTEN[scheme].split(), scheme) == (SPANS, [], [], 0)


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
        ("BIOES", "B-A O", [(0, 1, "A")], ["entity without end"]),
        ("BIOES", "B-A I-A", [(0, 2, "A")], ["entity without end"]),
        ("BMES", "B-A B-A E-A", [(0, 1, "A"), (1, 3, "A")], ["entity without end"]),
        ("BMES", "E-A", [(0, 1, "A")], ["inside without beginning"]),
        ("BMES", "B-A S-B", [(0, 1, "A"), (1, 2, "B")], ["entity without end"]),
        ("BIO", "B- O -A o", [], ["unknown tag"] * 3),
    ],
)  # fmt: skip
def test_invalid_tags_are_repaired_and_reported(scheme, tags, spans, kinds):
    found = spans_from_tags(tags.split(), scheme)
    assert found.spans == spans
    assert [problem.kind for problem in found.problems] == kinds
    assert found.n_lost == 0


@pytest.mark.parametrize("scheme", FILE_SCHEMES)
@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("B-A E-A O", [(0, 2, "A")]),
        ("B-A L-A O", [(0, 2, "A")]),
        ("B-A I-A M-A E-A S-A U-B W-B",
         [(0, 4, "A"), (4, 5, "A"), (5, 6, "B"), (6, 7, "B")]),
        ("B-A I-A E-A I-A L-A", [(0, 3, "A"), (3, 5, "A")]),
    ],
)  # fmt: skip
def test_a_prefix_means_the_same_in_every_scheme(scheme, tags, spans):
    tags = tags.split()
    found = spans_from_tags(tags, scheme)
    assert found.spans == spans
    assert not found.missing
    foreign = [p.position for p in found.problems if p.kind.startswith("prefix")]
    prefixes = PREFIXES[scheme]
    assert foreign == [
        i for i, tag in enumerate(tags) if tag != "O" and tag[0] not in prefixes
    ]


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "missing", "n_lost"),
    [
        # The entity may go on: it is not read, rather than read too short.
        ("BIO", "B-A X-A O", [], [(0, 1), (1, 2)], 1),
        ("BIO", "B-A I-A ? O B-A", [(4, 5, "A")], [(0, 2), (2, 3)], 1),
        ("BIO", "B-A - O", [], [(0, 1), (1, 2)], 1),
        ("BIOES", "B-A I-A X", [], [(0, 2), (2, 3)], 1),
        # It may have begun before.
        ("BIO", "X I-A O", [], [(0, 1), (1, 2)], 1),
        ("IOB1", "- I-A I-A", [], [(0, 1), (1, 3)], 1),
        ("BIOES", "? E-A", [], [(0, 1), (1, 2)], 1),
        # One entity in two pieces is one entity.
        ("BIO", "B-A X-A I-A I-A O", [], [(0, 1), (1, 2), (2, 4)], 1),
        ("BIO", "B-A ? - I-A O I-A", [(5, 6, "A")],
         [(0, 1), (1, 2), (2, 3), (3, 4)], 1),
        ("BIO", "B-A ? I-B", [], [(0, 1), (1, 2), (2, 3)], 2),
        ("BIO", "I-A ? B-A", [(2, 3, "A")], [(0, 1), (1, 2)], 1),
        # Edges that are certain.
        ("BIO", "? B-A O", [(1, 2, "A")], [(0, 1)], 0),
        ("BIOES", "? S-A ?", [(1, 2, "A")], [(0, 1), (2, 3)], 0),
        ("BIOES", "B-A E-A -", [(0, 2, "A")], [(2, 3)], 0),
        ("BILOU", "B-A L-A - I-A L-A", [(0, 2, "A")], [(2, 3), (3, 5)], 1),
        ("BIO", "B-A X-B I-A", [(0, 1, "A"), (2, 3, "A")], [(1, 2)], 0),
        # Next to the same label, no edge is.
        ("BIO", "X-A B-A O", [], [(0, 1), (1, 2)], 1),
        ("BIOES", "S-A X-A S-A", [], [(0, 1), (1, 2), (2, 3)], 2),
        ("BIO", "B-PER PER-I", [], [(0, 1), (1, 2)], 1),
        ("BIOES", "S-PER PER", [], [(0, 1), (1, 2)], 1),
    ],
)  # fmt: skip
def test_an_unknown_tag_makes_the_whole_entity_unknown(
    scheme, tags, spans, missing, n_lost
):
    tags = ["" if tag == "-" else tag for tag in tags.split()]
    found = spans_from_tags(tags, scheme)
    assert found.spans == spans
    assert found.missing == missing
    assert found.n_lost == n_lost
    reported = {problem.kind for problem in found.problems} - {"entity without end"}
    assert reported <= {"no tag", "unknown tag", "inside without beginning"}


def test_unknown_scheme():
    with pytest.raises(ValueError, match=r"Unknown tag scheme 'IOE2'.*BMES"):
        spans_from_tags(["O"], "IOE2")


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
        ("B-A I-A L-A U-B", "BILOU"),
        ("B-A M-A E-A W-B", "BMEWO"),
        # A few tags of another scheme do not decide.
        ("B-A I-A O S-A O B-B I-B O B-A", "BIO"),
        ("B-A I-A E-A O B-A I-A L-A O B-A E-A", "BIOES"),
        ("I-A I-A O S-A O I-B", "IOB1"),
        # Missing tags are no sign of entities that begin with I-.
        ("X I-A O", "BIO"),
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
    assert spans_from_tags(tags, "IOE2") == (spans, [], [], 0)
    (problem,) = spans_from_tags(["I-A", "O"], "IOE2").problems
    assert problem.kind == "entity without end"
    assert detect_scheme([tags]) == "IOE2"


def test_a_scheme_is_added_in_one_place(tmp_path, monkeypatch):
    new = {"B": "B", "I": "I", "L": "E", "S": "S"}
    monkeypatch.setitem(PREFIXES, "BILS", new)
    monkeypatch.setattr(options, "FILE_SCHEMES", tuple(PREFIXES))
    tags = ["S-A", "B-A", "I-A", "L-A", "O", "B-B-C", "L-B-C"]
    assert spans_from_tags(tags, "BILS") == (SPANS, [], [], 0)
    assert detect_scheme([tags]) == "BILS"
    for scheme, known in WRITTEN.items():
        assert detect_scheme([known.split()]) == scheme
    path = tmp_path / "data.txt"
    path.write_text("".join(f"字 {tag}\n" for tag in tags), "utf8")
    for scheme in ("auto", "BILS"):
        file = DataFile(path, ReadingOptions(scheme=scheme))
        assert file.options.scheme == "BILS"


@pytest.mark.parametrize(
    ("name", "scheme"), [("BILUO", "BILOU"), ("IOBES", "BIOES"), ("IOB2", "BIO")]
)
def test_other_names_of_schemes(name, scheme):
    assert ReadingOptions(scheme=name).scheme == scheme
