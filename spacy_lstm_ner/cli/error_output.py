"""The output of the command `errors`: what it prints, and the JSON Lines file."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from wasabi import Printer

from ..evaluation.error_analysis import ErrorAnalysis
from ..evaluation.excerpt import make_excerpt
from ..evaluation.label_issues import LabelCounts
from ..evaluation.matching import ERROR_KINDS
from ..evaluation.records import Record, no_entity
from ..tags import Span
from ..util.atomic import atomic_write
from ..util.text import printable, probability_text

# Maximum number of characters before and after an entity, and of the entity.
_CONTEXT, _MAX_LENGTH = 12, 60


def print_table(analysis: ErrorAnalysis, msg: Printer) -> None:
    """Print the number of correct entities and of errors of each kind, by label."""
    counts = Counter((error.entity.label, error.kind) for error in analysis.errors)
    rows = [
        (
            label,
            analysis.gold[label],
            analysis.correct[label],
            *(counts[label, kind] for kind in ERROR_KINDS),
        )
        for label in sorted({*analysis.gold, *(label for label, _ in counts)})
    ]
    total = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    msg.table(
        [
            (printable(label), *(f"{n:,}" for n in numbers))
            for label, *numbers in (*rows, ("all", *total))
        ],
        header=("Entities", "gold", "correct", *ERROR_KINDS),
        aligns=("l", *("r" for _ in total)),
        divider=True,
    )


def print_errors(
    analysis: ErrorAnalysis,
    *,
    limit: int = 0,
    types: Collection[str] = (),
    kinds: Collection[str] = (),
) -> None:
    """Print errors in their context, by label and kind.

    analysis: The errors.
    limit: Print only the first `limit` errors of each label and kind. 0: all.
    types: Print only errors of these labels; empty: all.
    kinds: Print only errors of these kinds; empty: all.
    """
    for (label, kind), group in groupby(
        analysis.errors, key=lambda error: (error.entity.label, error.kind)
    ):
        if (types and label not in types) or (kinds and kind not in kinds):
            continue
        errors = list(group)
        title = f"{printable(label)}, {ERROR_KINDS[kind]}"
        print(_heading(title, len(errors), limit))
        for error in errors[: limit or None]:
            record = error.record
            span = error.gold or error.entity
            print(f"  #{record.number} {_in_context(record, *span[:2])}")
            gold = [error.gold] if error.gold else []
            predicted = [error.predicted] if error.predicted else []
            parts = [
                _entity_list("gold", record, gold, error.p_gold),
                _entity_list("predicted", record, predicted, error.p_predicted),
            ]
            if error.shared:
                parts.append(f"the {error.shared} entity is part of another error")
            print(f"      {'; '.join(parts)}")
        print()


def print_label_issues(
    analysis: ErrorAnalysis, *, limit: int = 0, types: Collection[str] = ()
) -> None:
    """Print label issues, with the evidence.

    analysis: The label issues.
    limit: Print only the first `limit` issues. 0: all.
    types: Print only issues in which an entity with one of these labels is annotated or
        predicted; empty: all.
    """
    issues = [
        issue
        for issue in analysis.label_issues
        if not types
        or any(span.label in types for span in (*issue.annotated, *issue.predicted))
    ]
    if not issues:
        return
    print(_heading("Label issues", len(issues), limit))
    for issue in issues[: limit or None]:
        record = issue.record
        p = record.p.get(no_entity((issue.start, issue.end)))
        print(f"  #{record.number} {_in_context(record, issue.start, issue.end)}")
        print(
            f"      {_entity_list('annotated', record, issue.annotated, p)}; "
            f"{_entity_list('predicted', record, issue.predicted, p)}"
        )
        for counts in issue.training:
            print(f"      {describe_counts(counts)}")
    print()


def describe_counts(labels: LabelCounts) -> str:
    """Describe how a text is annotated in the training data, for example "王芳 in the
    training data: NAME 12, no entity 1, ORG 0"."""
    names = [label for label, _ in labels.counts.most_common()]
    names += [labels.label] if labels.label not in names else []
    listed = (
        f"{printable(name or 'no entity')} {labels.counts[name]:,}" for name in names
    )
    return f"{printable(labels.text)} in the training data: {', '.join(listed)}"


def write_analysis(analysis: ErrorAnalysis, path: Path) -> None:
    """Write all errors and label issues to a JSON Lines file, atomically.

    Each line has "is": "error" or "label_issue"; "record", its number in the data, from
    1; and "text". Entities are {"start", "end", "label", "text"}, with offsets in
    characters of the text.

    An error has "type" (the label by which it is counted) and "kind"; "gold" and
    "predicted", an entity or null, with their probabilities "p_gold" and "p_predicted"
    (or, if the entity is null, the probability that there is no entity); and "shared":
    "gold" or "predicted" if this entity belongs to another error, otherwise null.

    A label issue has "start", "end" and "plausibility"; the entities "annotated" and
    "predicted" there, each with its probability "p"; and "training": for each text in
    question its label "here", and the "counts" of its labels in the training data. An
    empty label stands for no entity.

    Unknown probabilities are null.

    analysis: The errors and the label issues.
    path: The file.
    """
    with atomic_write(path) as new, new.open("w", encoding="utf8") as file:
        for line in _json_lines(analysis):
            # srsly would escape Chinese, and round small probabilities to 0.
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _json_lines(analysis: ErrorAnalysis) -> Iterator[dict[str, Any]]:
    for error in analysis.errors:
        record = error.record
        yield {
            "is": "error",
            "record": record.number,
            "type": error.entity.label,
            "kind": error.kind,
            "gold": _json_entity(record, error.gold),
            "p_gold": error.p_gold,
            "predicted": _json_entity(record, error.predicted),
            "p_predicted": error.p_predicted,
            "shared": error.shared,
            "text": record.text,
        }
    for issue in analysis.label_issues:
        record = issue.record
        yield {
            "is": "label_issue",
            "record": record.number,
            "start": issue.start,
            "end": issue.end,
            "plausibility": issue.plausibility,
            "annotated": _json_entities(record, issue.annotated),
            "predicted": _json_entities(record, issue.predicted),
            "training": [
                {"text": text, "here": label, "counts": dict(counts)}
                for text, label, counts in issue.training
            ],
            "text": record.text,
        }


def _json_entity(record: Record, span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {**span._asdict(), "text": record.text[span.start : span.end]}


def _json_entities(record: Record, spans: Iterable[Span]) -> list[dict[str, Any]]:
    """Entities with their probabilities."""
    return [
        {**(_json_entity(record, span) or {}), "p": record.p.get(span)}
        for span in spans
    ]


def _heading(title: str, number: int, limit: int) -> str:
    shown = f", {limit:,} shown" if 0 < limit < number else ""
    return f"{title}: {number:,}{shown}"


def _entity_list(
    title: str, record: Record, spans: list[Span], p_no_entity: float | None
) -> str:
    """Entities with their probabilities, or "nothing" and its probability."""
    items = []
    for span in spans:
        _, text, _ = _in_parts(record, span.start, span.end)
        items.append((f"{printable(span.label)} {text}", record.p.get(span)))
    listed = (
        item if p is None else f"{item} {probability_text(p)}"
        for item, p in items or [("nothing", p_no_entity)]
    )
    return f"{title} {', '.join(listed)}"


def _in_context(record: Record, start: int, end: int) -> str:
    """An entity in brackets, and some of the text before and after it."""
    before, entity, after = _in_parts(record, start, end)
    return f"{before}[{entity}]{after}"


def _in_parts(record: Record, start: int, end: int) -> tuple[str, str, str]:
    """An excerpt, safe to print: the text before an entity, the entity, and the text
    after it."""
    excerpt = make_excerpt(
        record.text, start, end, context=_CONTEXT, max_length=_MAX_LENGTH
    )
    i, j = excerpt.offset(start), excerpt.offset(end)
    before, entity, after = excerpt.text[:i], excerpt.text[i:j], excerpt.text[j:]
    return printable(before), printable(entity), printable(after)
