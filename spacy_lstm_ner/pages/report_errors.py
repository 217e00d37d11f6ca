"""The errors in a report: confusion matrix, calibration, most confident errors and
label issues."""

from collections.abc import Mapping
from typing import NamedTuple

from ..evaluation.excerpt import make_excerpt
from ..evaluation.label_issues import LabelIssue
from ..evaluation.matching import ERROR_KINDS, EntityError
from ..evaluation.records import Record, SpanIndex, no_entity
from ..evaluation.report import (
    BOUNDARY,
    MISSED,
    SPURIOUS,
    Report,
    confusion_matrix,
    entity_calibration,
    most_confident_errors,
)
from ..evaluation.scorer import CalibrationBin, expected_calibration_error
from ..tags import Span
from ..util.text import probability_text
from .charts import CalibrationPoint, calibration_points
from .entities import MarkedText, marked_text

# Maximum numbers of items.
_MAX_ERRORS, _MAX_LABEL_ISSUES = 30, 10
# Maximum number of kinds in the heading of several errors that overlap.
_MAX_KINDS = 4
# Maximum number of characters before and after entities, and of the entities.
_CONTEXT, _MAX_LENGTH = 60, 160
# A calibration curve of fewer bins is not drawn.
_MIN_BINS = 3

Styles = Mapping[str, str]


class Cell(NamedTuple):
    """A number in the confusion matrix."""

    n: int
    #: "correct" or "wrong", and the strength of its color; empty for 0.
    kind: str = ""
    shade: str = ""


class Confusion(NamedTuple):
    """The confusion matrix: the labels, a row for each of them with its cells and their
    sum, and the row of spurious entities."""

    labels: list[str]
    rows: list[tuple[str, list[Cell], int]]
    spurious: list[Cell]
    n_spurious: int


class Calibration(NamedTuple):
    """The calibration of the probabilities."""

    #: The expected calibration error, in points of 100.
    error: str
    curve: list[CalibrationBin]
    #: Empty if there are too few bins for a chart.
    points: list[CalibrationPoint]


class Side(NamedTuple):
    """The gold or the predicted entities at a place."""

    name: str
    #: The entities in their context; None if there are none.
    text: MarkedText | None
    #: The probability that there are none, if it is known.
    probability: str | None


class Comparison(NamedTuple):
    """A place where annotation and prediction differ."""

    #: Labels and kinds of errors; empty for a label issue.
    kinds: list[tuple[str, str]]
    #: Whether there are more.
    has_more: bool
    #: The number of the record.
    number: int
    sides: list[Side]


class Comparisons(NamedTuple):
    """Places, and the numbers of all errors and of all places."""

    shown: list[Comparison]
    n_errors: int
    n_places: int


def confusion(report: Report) -> Confusion:
    """Return the confusion matrix of a report."""
    counts = confusion_matrix(report.analysis)
    labels = sorted({x for pair in counts for x in pair if isinstance(x, str)})
    columns: list[str | int] = [*labels, BOUNDARY, MISSED]
    rows = []
    for label in labels:
        total = report.analysis.gold[label]
        cells = [
            _cell(counts[label, column], total, correct=label == column)
            for column in columns
        ]
        rows.append((label, cells, total))
    spurious = [counts[SPURIOUS, label] for label in labels]
    total = sum(spurious)
    cells = [_cell(n, total, correct=False) for n in spurious]
    return Confusion(labels, rows, cells, total)


def _cell(n: int, total: int, *, correct: bool) -> Cell:
    if not n:
        return Cell(0)
    fraction = n / total if total else 0.0
    # The square root, so that rare errors can be seen.
    shade = fraction if correct else fraction**0.5
    return Cell(n, "correct" if correct else "wrong", f"{shade:.3f}")


def calibration(report: Report) -> Calibration | None:
    """Return the calibration of the probabilities; None without probabilities."""
    curve = entity_calibration(report.analysis)
    if not curve:
        return None
    error = expected_calibration_error(curve) or 0.0
    points = calibration_points(curve) if len(curve) >= _MIN_BINS else []
    return Calibration(points_text(error), curve, points)


def points_text(difference: float) -> str:
    """Format a difference of fractions in points of 100."""
    return f"{100 * difference:.0f}" if difference >= 0.01 else "less than 1"


def confident_errors(report: Report, styles: Styles) -> Comparisons:
    """Return the most confident errors. Errors that overlap are shown once, at the
    position of the most confident one.

    report: The report.
    styles: The CSS classes of the labels.
    """
    places: dict[tuple[int, int, int], list[EntityError]] = {}
    regions: dict[int, SpanIndex] = {}
    for error in most_confident_errors(report.analysis):
        number = error.record.number
        if number not in regions:
            regions[number] = _regions(error.record)
        place = _widened(error.entity, regions[number])
        places.setdefault((number, *place), []).append(error)
    shown = [
        _errors_at(start, end, errors, report.lang, styles)
        for (_, start, end), errors in [*places.items()][:_MAX_ERRORS]
    ]
    return Comparisons(shown, len(report.analysis.errors), len(places))


def _errors_at(
    start: int, end: int, errors: list[EntityError], lang: str, styles: Styles
) -> Comparison:
    """Errors that overlap."""
    kinds = dict.fromkeys((e.entity.label, ERROR_KINDS[e.kind]) for e in errors)
    p = errors[0].p_gold, errors[0].p_predicted
    compared = _comparison(errors[0].record, start, end, p, lang, styles)
    return compared._replace(
        kinds=[*kinds][:_MAX_KINDS], has_more=len(kinds) > _MAX_KINDS
    )


def label_issues(report: Report, styles: Styles) -> Comparisons | None:
    """Return the label issues; None if there are none, or they are unknown.

    report: The report.
    styles: The CSS classes of the labels.
    """
    issues = report.analysis.label_issues
    if not report.analysis.has_probabilities or not issues:
        return None
    shown = [_issue(one, report.lang, styles) for one in issues[:_MAX_LABEL_ISSUES]]
    return Comparisons(shown, len(issues), len(issues))


def _issue(issue: LabelIssue, lang: str, styles: Styles) -> Comparison:
    place = _widened((issue.start, issue.end), _regions(issue.record))
    p = issue.record.p.get(no_entity((issue.start, issue.end)))
    return _comparison(issue.record, *place, (p, p), lang, styles)


def _comparison(
    record: Record,
    start: int,
    end: int,
    p_no_entity: tuple[float | None, float | None],
    lang: str,
    styles: Styles,
) -> Comparison:
    """The gold and the predicted entities in a part of a text.

    p_no_entity: The probabilities to show if there is no gold entity, and if there is
        no predicted one.
    """
    sides = []
    for name, entities, p in zip(
        ("annotated", "predicted"),
        (record.gold, record.predicted),
        p_no_entity,
        strict=True,
    ):
        found = SpanIndex(entities).overlapping((start, end))
        text = _excerpt(record, found, start, end, lang, styles) if found else None
        sides.append(Side(name, text, None if p is None else probability_text(p)))
    return Comparison([], False, record.number, sides)


def _regions(record: Record) -> SpanIndex:
    """The connected parts of a text that are covered by gold or predicted entities."""
    regions: list[Span] = []
    for start, end, _ in sorted([*record.gold, *record.predicted]):
        if regions and start < regions[-1].end:
            start, before, _ = regions.pop()
            end = max(end, before)
        regions.append(Span(start, end, ""))
    return SpanIndex(regions)


def _widened(place: tuple, regions: SpanIndex) -> tuple[int, int]:
    """A part of a text, widened to contain all regions that it overlaps."""
    found = regions.overlapping(place)
    if not found:
        return place[0], place[1]
    return min(place[0], found[0].start), max(place[1], found[-1].end)


def _excerpt(
    record: Record, spans: list[Span], start: int, end: int, lang: str, styles: Styles
) -> MarkedText:
    """Entities in their context."""
    excerpt = make_excerpt(
        record.text, start, end, context=_CONTEXT, max_length=_MAX_LENGTH
    )
    entities = [
        (excerpt.offset(s.start), excerpt.offset(s.end), s.label, record.p.get(s))
        for s in spans
    ]
    # Entities inside the omitted part are empty.
    return marked_text(
        excerpt.text,
        [entity for entity in entities if entity[0] < entity[1]],
        styles,
        lang=lang,
    )
