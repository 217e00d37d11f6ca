"""Entity spans ↔ tags."""

from itertools import product

import pytest

from spacy_lstm_ner.tags import TagSet, spans_from_tags

SPANS = [(0, 1, "A"), (1, 4, "A"), (5, 7, "B-C")]
WRITTEN = {
    "BIO": "B-A B-A I-A I-A O B-B-C I-B-C",
    "IOB1": "I-A B-A I-A I-A O I-B-C I-B-C",
    "BIOES": "S-A B-A I-A E-A O B-B-C E-B-C",
    "BMES": "S-A B-A M-A E-A O B-B-C E-B-C",
}


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
def test_broken_tags_are_mended_and_reported(scheme, tags, spans, kinds):
    actual, problems = spans_from_tags(tags.split(), scheme)
    assert actual == spans
    assert [problem.kind for problem in problems] == kinds


def test_unknown_schemes_are_refused():
    with pytest.raises(ValueError, match=r"Unknown tag scheme 'BILUO'.*BMES"):
        spans_from_tags(["O"], "BILUO")
    with pytest.raises(ValueError, match="'BMES' for a model"):
        TagSet(["A"], "BMES")


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_model_tags_bring_spans_back(scheme):
    tags = TagSet(["B-C", "A"], scheme)
    ids = tags.ids_from_spans(SPANS, 8)
    assert [tags.names[i] for i in ids] == [*WRITTEN[scheme].split(), "O"]
    assert tags.spans_from_ids(ids) == SPANS
    assert tags.spans_from_ids(ids[:0]) == []
    assert tags.spans_from_ids(ids[4:5]) == []


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_legal_paths_are_those_that_can_be_read_without_problems(scheme):
    tags = TagSet(["A", "B"], scheme)
    for path in product(range(len(tags)), repeat=3):
        names = [tags.names[tag] for tag in path]
        legal = (
            tags.rules.starts[path[0]]
            and tags.rules.transitions[path[0], path[1]]
            and tags.rules.transitions[path[1], path[2]]
            and tags.rules.ends[path[2]]
        )
        _spans, problems = spans_from_tags(names, scheme)
        assert legal == (not problems), names


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_a_new_label_moves_no_tag(scheme):
    before, after = TagSet(["B", "A"], scheme), TagSet(["B", "A", "C"], scheme)
    assert after.names[: len(before)] == before.names
