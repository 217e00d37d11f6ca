"""The errors in a report: confusion matrix, calibration, most confident errors and
label issues."""

from ..evaluation.excerpt import make_excerpt
from ..evaluation.label_issues import LabelIssue
from ..evaluation.matching import ERROR_KINDS, EntityError
from ..evaluation.records import Record, no_entity, overlapping
from ..evaluation.report import (
    BOUNDARY,
    MISSED,
    SPURIOUS,
    Report,
    confusion_matrix,
    entity_calibration,
    most_confident_errors,
)
from ..evaluation.scorer import expected_calibration_error
from ..tags import Span
from .charts import calibration_chart
from .elements import chart_html, label_html, note_html, percent, table_html
from .entities import entities_html, probability_text

# Maximum numbers of items.
_MAX_ERRORS, _MAX_LABEL_ISSUES = 30, 10
# Maximum number of kinds in the heading of several errors that overlap.
_MAX_KINDS = 4
# Maximum number of characters before and after entities, and of the entities.
_CONTEXT, _MAX_LENGTH = 60, 160


def confusion(report: Report) -> str:
    """Return the section with the confusion matrix, as HTML."""
    analysis = report.analysis
    counts = confusion_matrix(analysis)
    labels = sorted({x for pair in counts for x in pair if isinstance(x, str)})
    columns: list[str | int] = [*labels, BOUNDARY, MISSED]
    header = ["Gold", *map(label_html, labels), "wrong boundary", "missed", "all"]
    rows = []
    for label in labels:
        total = analysis.gold[label]
        cells = [
            _shaded(counts[label, column], total, correct=label == column)
            for column in columns
        ]
        rows.append([label_html(label), *cells, f"{total:,}"])
    spurious = [counts[SPURIOUS, label] for label in labels]
    total = sum(spurious)
    cells = [_shaded(n, total, correct=False) for n in spurious]
    rows.append(["spurious", *cells, "", "", f"{total:,}"])
    note = note_html(
        "Rows are the types of gold entities, columns the predicted types. An entity "
        "counts as wrong boundary if its type was predicted for an overlapping span, "
        "and as another type if that was predicted for its span or an overlapping one. "
        "The last row counts predicted entities that match no gold entity. The color "
        "is the fraction of the row; for errors its square root, so that rare ones can "
        "be seen."
    )
    return f'<div class="confusion">{table_html(header, rows)}</div>{note}'


def _shaded(n: int, total: int, *, correct: bool) -> str:
    fraction = n / total if total else 0.0
    if not n:
        return '<span class="none">0</span>'
    kind = "correct" if correct else "wrong"
    shade = fraction if correct else fraction**0.5
    return f'<span class="shade {kind}" style="--shade: {shade:.3f}">{n:,}</span>'


def calibration(report: Report) -> str:
    """Return the section with the calibration curve, as HTML."""
    curve = entity_calibration(report.analysis)
    if not curve:
        return note_html(
            "The pipeline has no probabilities, because it has no component lstm_ner."
        )
    error = percent(expected_calibration_error(curve))
    description = (
        "Chart: the fraction of entities that is correct, by probability, and the "
        "number of entities. A table of the values follows."
    )
    table = table_html(
        ["Probability", "entities", "mean probability", "fraction correct"],
        (
            [
                f"{one.low:.1f} to {one.high:.1f}",
                f"{one.size:,}",
                f"{one.mean_probability:.3f}",
                f"{one.fraction_correct:.3f}",
            ]
            for one in curve
        ),
    )
    svg = calibration_chart("calibration", description, curve)
    chart = chart_html("Fraction correct by probability", svg, "", table)
    note = note_html(
        "Bars show the fraction of entities that is correct; dots show the same at the "
        "mean probability of the bin. On the dotted line, the calibration is perfect; "
        "below it, probabilities are too high. The expected calibration error is "
        f"{error}%."
    )
    return chart + note


def confident_errors(report: Report) -> str:
    """Return the section with the most confident errors, as HTML."""
    analysis = report.analysis
    # Errors that overlap are shown once, at the position of the most confident one.
    places: dict[tuple[int, int, int], list[EntityError]] = {}
    regions: dict[int, list[Span]] = {}
    for error in most_confident_errors(analysis):
        number = error.record.number
        if number not in regions:
            regions[number] = _regions(error.record)
        place = _widened(error.entity, regions[number])
        places.setdefault((number, *place), []).append(error)
    if not places:
        return note_html("There are no errors.")
    shown = list(places.items())[:_MAX_ERRORS]
    order = (
        "the most confident ones"
        if analysis.has_probabilities
        else "the first ones in the data, because the pipeline has no probabilities"
    )
    note = note_html(
        f"{len(analysis.errors):,} errors in {len(places):,} places, of which "
        f"{len(shown):,} are shown: {order}. Numbers are probabilities."
    )
    items = (
        _error_html(start, end, errors, report.lang)
        for (_, start, end), errors in shown
    )
    return f"{note}<ol>{''.join(items)}</ol>"


def _error_html(start: int, end: int, errors: list[EntityError], lang: str) -> str:
    """Errors that overlap."""
    kinds = [f"{label_html(e.entity.label)}, {ERROR_KINDS[e.kind]}" for e in errors]
    kinds = list(dict.fromkeys(kinds))
    if len(kinds) > _MAX_KINDS:
        kinds[_MAX_KINDS:] = ["and others"]
    p = errors[0].p_gold, errors[0].p_predicted
    return _comparison(errors[0].record, start, end, p, "; ".join(kinds), lang)


def label_issues(report: Report) -> str:
    """Return the section with the label issues, as HTML; empty if there are none."""
    issues = report.analysis.label_issues
    if not report.analysis.has_probabilities or not issues:
        return ""
    note = note_html(
        f"{min(len(issues), _MAX_LABEL_ISSUES):,} of {len(issues):,}: annotation that "
        "is probably wrong, because its probability is very low. <code>python -m spacy "
        "lstm-ner errors</code> lists all of them, and compares the annotation with "
        "the training data."
    )
    items = (_issue_html(issue, report.lang) for issue in issues[:_MAX_LABEL_ISSUES])
    return f"{note}<ol>{''.join(items)}</ol>"


def _issue_html(issue: LabelIssue, lang: str) -> str:
    place = _widened((issue.start, issue.end), _regions(issue.record))
    p = issue.record.p.get(no_entity((issue.start, issue.end)))
    return _comparison(issue.record, *place, (p, p), "", lang)


def _comparison(
    record: Record,
    start: int,
    end: int,
    p_no_entity: tuple[float | None, float | None],
    title: str,
    lang: str,
) -> str:
    """The gold and the predicted entities in a part of a text.

    p_no_entity: The probabilities to show if there is no gold entity, and if there is
        no predicted one.
    """
    rows = []
    for name, entities, p in zip(
        ("annotated", "predicted"),
        (record.gold, record.predicted),
        p_no_entity,
        strict=True,
    ):
        found = overlapping(entities, (start, end))
        if found:
            shown = _excerpt_html(record, found, start, end, lang)
        else:
            shown = "nothing" if p is None else f"nothing, {probability_text(p)}"
        rows.append(f"<dt>{name}</dt><dd>{shown}</dd>")
    title = " · ".join(part for part in (title, f"record {record.number:,}") if part)
    return f"<li><h3>{title}</h3><dl>{''.join(rows)}</dl></li>"


def _regions(record: Record) -> list[Span]:
    """The connected parts of a text that are covered by gold or predicted entities."""
    regions: list[Span] = []
    for start, end, _ in sorted([*record.gold, *record.predicted]):
        if regions and start < regions[-1].end:
            start, before, _ = regions.pop()
            end = max(end, before)
        regions.append(Span(start, end, ""))
    return regions


def _widened(place: tuple, regions: list[Span]) -> tuple[int, int]:
    """A part of a text, widened to contain all regions that it overlaps."""
    found = overlapping(regions, place)
    if not found:
        return place[0], place[1]
    return min(place[0], found[0].start), max(place[1], found[-1].end)


def _excerpt_html(
    record: Record, spans: list[Span], start: int, end: int, lang: str
) -> str:
    """Entities in their context."""
    excerpt = make_excerpt(
        record.text, start, end, context=_CONTEXT, max_length=_MAX_LENGTH
    )
    entities = [
        (excerpt.offset(s.start), excerpt.offset(s.end), s.label, record.p.get(s))
        for s in spans
    ]
    # Entities inside the omitted part are empty.
    return entities_html(
        excerpt.text,
        [entity for entity in entities if entity[0] < entity[1]],
        lang=lang,
    )
