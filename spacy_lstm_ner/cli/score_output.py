"""The output of the command `evaluate`: what it prints, and the JSON file."""

from pathlib import Path
from typing import Any

import srsly
from wasabi import Printer

from ..evaluation.significance import decimals, interval_text, percent
from ..util.atomic import atomic_write
from ..util.text import printable


def write_scores(scores: dict[str, Any], path: Path) -> None:
    """Write scores to a JSON file, atomically."""
    with atomic_write(path) as new:
        srsly.write_json(new, scores)


def print_scores(scores: dict[str, Any], msg: Printer) -> None:
    """Print scores as tables, in percent, with as many decimals as their intervals
    allow."""
    suffix = "_intervals"
    groups = [key.removesuffix(suffix) for key in scores if key.endswith(suffix)]
    # Those of `doc.ents` first.
    for name in sorted(groups):
        of_group = {
            key.removeprefix(f"{name}_"): value
            for key, value in scores.items()
            if key.startswith(f"{name}_")
        }
        title = "Entities" if name == "ents" else f"Entities in {name[6:]!r}"
        _print_group(title, of_group, msg)
    if scores.get("bio_acc") is not None:
        names = {"acc": "Accuracy", "macro_p": "P", "macro_r": "R", "macro_f": "F"}
        msg.table(
            [("all (macro)", *(percent(scores[f"bio_{x}"], 1) for x in names))],
            header=("BIO tags", *names.values()),
            aligns=("l", "r", "r", "r", "r"),
            divider=True,
        )


def _print_group(title: str, scores: dict[str, Any], msg: Printer) -> None:
    """Print the scores of `doc.ents` or of a span group.

    scores: By the ends of their keys, such as "f".
    """
    intervals = scores.get("intervals") or {}
    of_type = intervals.get("per_type", {})
    msg.table(
        [
            *sorted(
                (printable(label), *_score_cells(prf, of_type.get(label, {})))
                for label, prf in (scores.get("per_type") or {}).items()
            ),
            ("all", *_score_cells({x: scores.get(x) for x in "prf"}, intervals)),
        ],
        header=(printable(title), "P", "R", "F", "95% interval of F"),
        aligns=("l", "r", "r", "r", "r"),
        divider=True,
    )
    if documents := intervals.get("documents"):
        msg.text(
            f"Intervals: bootstrap over {documents:,} documents. Trainings with other "
            f"seeds may differ by more."
        )
    if kinds := scores.get("by_kind"):
        _print_kinds(kinds, intervals, msg)
    if muc := scores.get("muc"):
        _print_matches(muc, intervals, msg)
    if scores.get("ece") is not None:
        msg.table(
            [("all", percent(scores["ece"], 1))],
            header=("Probabilities", "Expected calibration error"),
            aligns=("l", "r"),
            divider=True,
        )


def _print_kinds(
    kinds: dict[str, dict[str, Any]], intervals: dict[str, Any], msg: Printer
) -> None:
    """Print the scores of flat, nested and overlapping entities."""
    digits = decimals(intervals.get("f"))
    msg.table(
        [
            (
                kind,
                f"{values['gold']:,}",
                f"{values['predicted']:,}",
                *(percent(values[x], digits) for x in "prf"),
            )
            for kind, values in kinds.items()
        ],
        header=("Kind", "Gold", "Predicted", "P", "R", "F"),
        aligns=("l", "r", "r", "r", "r", "r"),
        divider=True,
    )


def _print_matches(
    muc: dict[str, Any], intervals: dict[str, Any], msg: Printer
) -> None:
    """Print the counts of partial matches."""
    names = ("correct", "incorrect", "partial", "missing", "spurious")
    digits = decimals(intervals.get("f"))
    msg.table(
        [
            (
                scheme,
                *(f"{counts[name]:,}" for name in names),
                percent(counts["f"], digits),
            )
            for scheme, counts in muc.items()
        ],
        header=("Matches", *map(str.capitalize, names), "F"),
        aligns=("l", *("r" for _ in names), "r"),
        divider=True,
    )


def _score_cells(prf: dict[str, Any], intervals: dict[str, Any]) -> list[str]:
    """Precision, recall, F1 and the interval of F1."""
    cells = [percent(prf[x], decimals(intervals.get(x))) for x in "prf"]
    return [*cells, interval_text(intervals.get("f"))]
