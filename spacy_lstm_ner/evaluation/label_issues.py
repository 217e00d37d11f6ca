"""Label issues: annotation that is probably wrong.

There are two sources of evidence: the pipeline, and the annotation of the same text in
the training data. An annotation, that a span is an entity or that it is none, has the
*plausibility*

    sqrt(p + 0.000001) · (n + 1) / (N + 1)

where p is its probability according to the pipeline, and n of the N occurrences of the
text in the training data are annotated in the same way. The annotation itself is added
to both counts, so a text that does not occur there is no evidence. The plausibility is
between 0 and 1, and small for label issues.

The square root is taken because neural networks are overconfident; below one millionth,
differences in p are meaningless. A source that is not available has the factor 1: a
pipeline without probabilities, or no training data. The pipeline is evidence only if it
was not trained on the same annotation.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import NamedTuple

from ..tags import Span
from .records import Record, SpanIndex, no_entity

# Added to each probability.
_SMOOTHING = 1e-6


class LabelCounts(NamedTuple):
    """How the occurrences of a text are annotated in the training data."""

    text: str
    #: The label of the annotation in question; empty for no entity.
    label: str
    #: The number of occurrences in the training data by label.
    counts: Counter[str]


class LabelIssue(NamedTuple):
    """A region of a text whose annotation is probably wrong."""

    #: The text, with its annotation and predictions.
    record: Record
    #: The first character of the region.
    start: int
    #: The character after its last one.
    end: int
    #: The gold entities in the region, in characters of the text.
    annotated: list[Span]
    #: The predicted entities in the region.
    predicted: list[Span]
    #: The smallest plausibility of an annotation in the region.
    plausibility: float
    #: How the texts in question are annotated in the training data.
    training: list[LabelCounts]


class _Annotation(NamedTuple):
    """The annotation of a span, and the incorrect predictions that overlap it."""

    span: Span  # with an empty label if it is no entity
    conflicts: list[Span]
    plausibility: float

    @property
    def start(self) -> int:
        return min(span.start for span in (self.span, *self.conflicts))

    @property
    def end(self) -> int:
        return max(span.end for span in (self.span, *self.conflicts))


def plausibility(
    p: float | None, counts: Counter[str], label: str, *, counted: bool = False
) -> float:
    """Compute the plausibility of an annotation: see the docstring of this module.

    p: Its probability according to the pipeline; None if it is unknown.
    counts: The number of occurrences of the text in the training data by label.
    label: The label of the annotation; empty for no entity.
    counted: Whether the counts include this annotation, because it is part of the
        training data.
    RETURNS: The plausibility, from 0 to 1.
    """
    # A predicted entity that is not a known text was not counted where it is no entity.
    n = max(counts[label], 1) if counted else counts[label] + 1
    total = max(counts.total(), n) if counted else counts.total() + 1
    return (1.0 if p is None else min(sqrt(p + _SMOOTHING), 1.0)) * n / total


def find_label_issues(
    records: Iterable[Record],
    label_counts: Mapping[str, Counter[str]],
    *,
    counted: bool = False,
    max_plausibility: float = 0.05,
) -> list[LabelIssue]:
    """Find annotation that is probably wrong. Implausible annotations that overlap, or
    that conflict with the same prediction, are one issue.

    records: The texts.
    label_counts: For each text, the number of occurrences in the training data by
        label: see `count_labels`.
    counted: Whether the records are the training data themselves.
    max_plausibility: The maximum plausibility of label issues.
    RETURNS: The issues, the least plausible first.
    """
    issues: list[LabelIssue] = []
    for record in records:
        implausible = [
            annotation
            for annotation in _annotations(record, label_counts, counted)
            if annotation.plausibility <= max_plausibility
        ]
        gold, predicted = SpanIndex(record.gold), SpanIndex(record.predicted)
        issues.extend(
            _issue(record, group, gold, predicted, label_counts)
            for group in _groups(implausible)
        )
    return sorted(issues, key=lambda issue: issue.plausibility)


def _annotations(
    record: Record, label_counts: Mapping[str, Counter[str]], counted: bool
) -> Iterator[_Annotation]:
    """Yield the annotation of gold entities, of spurious predictions and of mentions:
    the latter two are annotated as no entity."""
    gold = set(record.gold)
    wrong = [span for span in record.predicted if span not in gold]
    in_gold = record.annotated.mask(record.gold)
    spurious = [span for span in wrong if not any(in_gold[span.start : span.end])]
    # A predicted entity is better evidence than a mention inside of it.
    in_predicted = record.annotated.mask(record.predicted)
    mentions = [(s, e) for s, e in record.mentions if not any(in_predicted[s:e])]
    unlabeled = [no_entity(span) for span in (*spurious, *mentions)]
    conflicting = SpanIndex(wrong)
    for span in (*record.gold, *unlabeled):
        counts = label_counts.get(record.text[span.start : span.end], Counter())
        p = record.p.get(span)
        yield _Annotation(
            span,
            conflicting.overlapping(span),
            plausibility(p, counts, span.label, counted=counted),
        )


def _groups(annotations: Iterable[_Annotation]) -> Iterator[list[_Annotation]]:
    """Yield groups of annotations that overlap, with their conflicting predictions."""
    group: list[_Annotation] = []
    end = 0
    for annotation in sorted(annotations, key=lambda a: (a.start, a.end)):
        if group and annotation.start >= end:
            yield group
            group, end = [], 0
        group.append(annotation)
        end = max(end, annotation.end)
    if group:
        yield group


def _issue(
    record: Record,
    group: list[_Annotation],
    gold: SpanIndex,
    predicted: SpanIndex,
    label_counts: Mapping[str, Counter[str]],
) -> LabelIssue:
    region = min(a.start for a in group), max(a.end for a in group)
    texts = dict.fromkeys(
        (record.text[a.span.start : a.span.end], a.span.label) for a in group
    )
    return LabelIssue(
        record,
        *region,
        gold.overlapping(region),
        predicted.overlapping(region),
        min(annotation.plausibility for annotation in group),
        [
            LabelCounts(text, label, label_counts[text])
            for text, label in texts
            if label_counts.get(text)
        ],
    )
