"""Spans of records: overlaps."""

from spacy_lstm_ner.evaluation.records import SpanIndex, no_entity, overlap_size
from spacy_lstm_ner.tags import Span


def test_overlap_size():
    assert overlap_size((0, 4, "A"), (2, 6)) == overlap_size((2, 6), (0, 4)) == 2
    assert overlap_size((0, 2), (2, 4)) == 0 > overlap_size((0, 2), (3, 4))


def test_overlapping_spans():
    spans = [Span(0, 2, "A"), Span(2, 5, "B"), Span(7, 9, "C")]
    overlapping = SpanIndex(spans).overlapping
    assert overlapping((1, 3)) == spans[:2]
    assert overlapping((2, 8)) == spans[1:]
    assert overlapping((5, 7)) == SpanIndex([]).overlapping((0, 9)) == []


def test_spans_that_contain_later_ones():
    spans = [Span(0, 9, "A"), Span(1, 2, "B"), Span(3, 4, "C"), Span(8, 12, "D")]
    overlapping = SpanIndex(spans).overlapping
    assert overlapping((2, 3)) == spans[:1]
    assert overlapping((3, 5)) == [spans[0], spans[2]]
    assert overlapping((8, 10)) == [spans[0], spans[3]]
    assert overlapping((9, 10)) == spans[3:]


def test_no_entity():
    assert no_entity((1, 3)) == no_entity(Span(1, 3, "A")) == Span(1, 3, "")
