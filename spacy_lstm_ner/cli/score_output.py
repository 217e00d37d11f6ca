"""The output of the command `evaluate`: what it prints, and the JSON file."""

from pathlib import Path
from typing import Any

import srsly
from wasabi import Printer

from ..util.atomic import atomic_write
from ..util.text import printable


def write_scores(scores: dict[str, Any], path: Path) -> None:
    """Write scores to a JSON file, atomically."""
    with atomic_write(path) as new:
        srsly.write_json(new, scores)


def print_scores(scores: dict[str, Any], msg: Printer) -> None:
    """Print scores as tables, in percent."""
    per_type = scores.get("ents_per_type") or {}
    rows = [
        (printable(name), *map(_percent, prf.values()))
        for name, prf in per_type.items()
    ]
    overall = [_percent(scores.get(f"ents_{x}")) for x in "prf"]
    msg.table(
        [*sorted(rows), ("all", *overall)],
        header=("Entities", "P", "R", "F"),
        aligns=("l", "r", "r", "r"),
        divider=True,
    )
    if scores.get("ents_ece") is not None:
        msg.table(
            [("all", _percent(scores["ents_ece"]))],
            header=("Probabilities", "Expected calibration error"),
            aligns=("l", "r"),
            divider=True,
        )
    if "bio_acc" in scores:
        names = {"acc": "Accuracy", "macro_p": "P", "macro_r": "R", "macro_f": "F"}
        msg.table(
            [("all (macro)", *(_percent(scores[f"bio_{x}"]) for x in names))],
            header=("BIO tags", *names.values()),
            aligns=("l", "r", "r", "r", "r"),
            divider=True,
        )


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{100 * score:.2f}"
