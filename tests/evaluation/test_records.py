"""Spans of records: overlaps."""

from spacy_lstm_ner.evaluation.records import no_entity, overlap_size, overlapping
from spacy_lstm_ner.tags import Span


def test_overlap_size():
    assert overlap_size((0, 4, "A"), (2, 6)) == overlap_size((2, 6), (0, 4)) == 2
    assert overlap_size((0, 2), (2, 4)) == 0 > overlap_size((0, 2), (3, 4))


def test_overlapping_spans():
    spans = [Span(0, 2, "A"), Span(2, 5, "B"), Span(7, 9, "C")]
    assert overlapping(spans, (1, 3)) == spans[:2]
    assert overlapping(spans, (2, 8)) == spans[1:]
    assert overlapping(spans, (5, 7)) == overlapping([], (0, 9)) == []


def test_no_entity():
    assert no_entity((1, 3)) == no_entity(Span(1, 3, "A")) == Span(1, 3, "")
