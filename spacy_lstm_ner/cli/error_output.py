"""What `python -m spacy lstm-ner errors` prints and writes."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from wasabi import Printer

from ..evaluation.error_analysis import KINDS, Findings
from ..evaluation.predictions import Record, outside
from ..tags import Span
from ..util.atomic import atomic_write
from ..util.text import printable

# So many characters are shown before and after an entity,
_AROUND = 12
# and so many of the entity itself.
_LONGEST = 60


def print_table(findings: Findings, msg: Printer) -> None:
    """Print how many entities of each type are right, and how many errors there are of
    each kind."""
    counts = Counter((error.own.label, error.kind) for error in findings.errors)
    rows = [
        (
            label,
            findings.gold[label],
            findings.right[label],
            *(counts[label, kind] for kind in KINDS),
        )
        for label in sorted({*findings.gold, *(label for label, _ in counts)})
    ]
    total = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    msg.table(
        [
            (printable(label), *(f"{n:,}" for n in numbers))
            for label, *numbers in (*rows, ("all", *total))
        ],
        header=("Entities", "gold", "right", *KINDS),
        aligns=("l", *("r" for _ in total)),
        divider=True,
    )


def print_errors(
    findings: Findings,
    *,
    limit: int = 0,
    types: Collection[str] = (),
    kinds: Collection[str] = (),
) -> None:
    """Print errors with their context, by type and kind.

    findings (Findings): The errors.
    limit (int): Print only so many of each type and kind. 0 for all.
    types (Collection[str]): Print only errors of these types; empty for all.
    kinds (Collection[str]): Print only errors of these kinds; empty for all.
    """
    for (label, kind), group in groupby(
        findings.errors, key=lambda error: (error.own.label, error.kind)
    ):
        if (types and label not in types) or (kinds and kind not in kinds):
            continue
        errors = list(group)
        title = f"{printable(label)}, {KINDS[kind]}"
        print(_title(title, len(errors), limit))
        for error in errors[: limit or None]:
            record = error.record
            place = error.gold or error.own
            print(f"  #{record.number} {_context(record, place.start, place.end)}")
            gold = [error.gold] if error.gold else []
            predicted = [error.predicted] if error.predicted else []
            facts = [
                _facts("gold", record, gold, error.p_gold),
                _facts("predicted", record, predicted, error.p_predicted),
            ]
            if error.shared:
                facts.append(f"this {error.shared} one is in another error, too")
            print(f"      {'; '.join(facts)}")
        print()


def print_doubts(
    findings: Findings, *, limit: int = 0, types: Collection[str] = ()
) -> None:
    """Print annotation that is probably wrong, and what speaks against it.

    findings (Findings): The doubts.
    limit (int): Print only so many. 0 for all.
    types (Collection[str]): Print only those in which one of these types is annotated
        or predicted; empty for all.
    """
    doubts = [
        doubt
        for doubt in findings.doubts
        if not types
        or any(span.label in types for span in (*doubt.annotated, *doubt.predicted))
    ]
    if not doubts:
        return
    print(_title("Annotation that is probably wrong", len(doubts), limit))
    for doubt in doubts[: limit or None]:
        record = doubt.record
        p = record.p.get(outside((doubt.start, doubt.end)))
        print(f"  #{record.number} {_context(record, doubt.start, doubt.end)}")
        print(
            f"      {_facts('annotated', record, doubt.annotated, p)}; "
            f"{_facts('predicted', record, doubt.predicted, p)}"
        )
        for use in doubt.uses:
            print(f"      {use.in_words(printable(use.text), show=printable)}")
    print()


def write_findings(findings: Findings, path: Path) -> None:
    """Write all errors and doubts as lines of JSON, whole or not at all.

    A line has "is", "error" or "doubt"; "record", its number in the data, from 1; and
    "text". Entities are {"start", "end", "label", "text"}, in characters of the text.

    An error has "type" and "kind"; "gold" and "predicted", an entity or null, with
    their probabilities "p_gold" and "p_predicted" (of there being no entity, where it
    is null); and "shared": which of the two belongs to another error, or null.

    A doubt has "start", "end" and "support"; the entities "annotated" and "predicted"
    there, each with its probability "p"; and "training": for each text in question, as
    what it is annotated "here", and how often as what in the training data ("counts");
    an empty label stands for no entity.

    Probabilities are null where the pipeline cannot tell them.

    findings (Findings): What to write.
    path (Path): The file.
    """
    with atomic_write(path) as new, new.open("w", encoding="utf8") as file:
        for line in _lines(findings):
            # srsly would escape Chinese, and round small probabilities to 0.
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _lines(findings: Findings) -> Iterator[dict[str, Any]]:
    for error in findings.errors:
        record = error.record
        yield {
            "is": "error",
            "record": record.number,
            "type": error.own.label,
            "kind": error.kind,
            "gold": _plain(record, error.gold),
            "p_gold": error.p_gold,
            "predicted": _plain(record, error.predicted),
            "p_predicted": error.p_predicted,
            "shared": error.shared,
            "text": record.text,
        }
    for doubt in findings.doubts:
        record = doubt.record
        yield {
            "is": "doubt",
            "record": record.number,
            "start": doubt.start,
            "end": doubt.end,
            "support": doubt.support,
            "annotated": [_with_p(record, span) for span in doubt.annotated],
            "predicted": [_with_p(record, span) for span in doubt.predicted],
            "training": [
                {"text": use.text, "here": use.label, "counts": dict(use.counts)}
                for use in doubt.uses
            ],
            "text": record.text,
        }


def _plain(record: Record, span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {**span._asdict(), "text": record.text[span.start : span.end]}


def _with_p(record: Record, span: Span) -> dict[str, Any]:
    return {**(_plain(record, span) or {}), "p": record.p.get(span)}


def _title(title: str, number: int, limit: int) -> str:
    shown = f", {limit:,} shown" if 0 < limit < number else ""
    return f"{title}: {number:,}{shown}"


def _facts(who: str, record: Record, spans: list[Span], p_nothing: float | None) -> str:
    """What someone says of a place, and how probable that is to the pipeline."""
    said = [
        (f"{printable(span.label)} {_short(record, *span[:2])}", record.p.get(span))
        for span in spans
    ] or [("nothing", p_nothing)]
    listed = (what if p is None else f"{what} {p:.2f}" for what, p in said)
    return f"{who} {', '.join(listed)}"


def _context(record: Record, start: int, end: int) -> str:
    """The entity in brackets, and some of the text before and after it."""
    text = record.text
    first, last = max(0, start - _AROUND), end + _AROUND
    before = "…" * (first > 0) + printable(text[first:start])
    after = printable(text[end:last]) + "…" * (last < len(text))
    return f"{before}[{_short(record, start, end)}]{after}"


def _short(record: Record, start: int, end: int) -> str:
    if end - start <= _LONGEST:
        return printable(record.text[start:end])
    half = _LONGEST // 2
    text = record.text
    return (
        f"{printable(text[start : start + half])}…{printable(text[end - half : end])}"
    )
