"""The tag sets of models."""

from itertools import product

import pytest

from spacy_lstm_ner.tags import TagSet, spans_from_tags

from ..helpers.tags import SPANS, WRITTEN


def test_unknown_scheme():
    with pytest.raises(ValueError, match="'BMES' for a model"):
        TagSet(["A"], "BMES")


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_spans_to_tags_and_back(scheme):
    tags = TagSet(["B-C", "A"], scheme)
    ids = tags.ids_from_spans(SPANS, 8)
    assert [tags.names[i] for i in ids] == [*WRITTEN[scheme].split(), "O"]
    assert tags.spans_from_ids(ids) == SPANS
    assert tags.spans_from_ids(ids[:0]) == []
    assert tags.spans_from_ids(ids[4:5]) == []


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_legal_paths_are_those_without_tag_problems(scheme):
    tags = TagSet(["A", "B"], scheme)
    for path in product(range(len(tags)), repeat=3):
        names = [tags.names[tag] for tag in path]
        legal = (
            tags.constraints.starts[path[0]]
            and tags.constraints.transitions[path[0], path[1]]
            and tags.constraints.transitions[path[1], path[2]]
            and tags.constraints.ends[path[2]]
        )
        assert legal == (not spans_from_tags(names, scheme).problems), names


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_a_new_label_changes_no_tag_id(scheme):
    before, after = TagSet(["B", "A"], scheme), TagSet(["B", "A", "C"], scheme)
    assert after.names[: len(before)] == before.names


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_tags_for_those_of_another_set_in_bioes(scheme):
    other = TagSet(["A", "B-C"], "BIOES")
    tags = TagSet(["B-C", "C", "A"], scheme)
    ids = tags.ids_of(other)
    for spans in (SPANS, [(0, 1, "A"), (1, 3, "A"), (3, 7, "B-C")]):
        expected = tags.ids_from_spans(spans, 8)
        assert ids[other.ids_from_spans(spans, 8)].tolist() == expected.tolist()
    with pytest.raises(KeyError, match="B-C"):
        TagSet(["A"], scheme).ids_of(other)
