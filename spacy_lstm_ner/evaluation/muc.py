"""Partial matches, counted as in MUC (Chinchor & Sundheim, "MUC-5 Evaluation Metrics",
1993), by the four schemes of SemEval-2013 task 9 (Segura-Bedmar, Martínez & Herrero-
Zazo, 2013):

- "strict": boundaries and label must be correct;
- "exact": the boundaries must be correct, whatever the label;
- "partial": as "exact"; an overlap is half correct;
- "type": the label must be correct, and the entities must overlap.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..tags import Span
from .records import overlap_size

_Grade = Callable[[Span, Span], str]


def _strict(gold: Span, predicted: Span) -> str:
    return "correct" if gold == predicted else "incorrect"


def _exact(gold: Span, predicted: Span) -> str:
    return "correct" if gold[:2] == predicted[:2] else "incorrect"


def _partial(gold: Span, predicted: Span) -> str:
    return "correct" if gold[:2] == predicted[:2] else "partial"


def _type(gold: Span, predicted: Span) -> str:
    return "correct" if gold.label == predicted.label else "incorrect"


#: What a predicted entity that overlaps a gold entity is, by scheme.
SCHEMES: dict[str, _Grade] = {
    "strict": _strict,
    "exact": _exact,
    "partial": _partial,
    "type": _type,
}


@dataclass
class MucCounts:
    """The counts of a scheme."""

    correct: int = 0
    incorrect: int = 0
    partial: int = 0
    missing: int = 0
    spurious: int = 0

    @property
    def prf(self) -> tuple[float, float, float]:
        """Precision, recall and F1, with partial matches as half correct; 0 where they
        are not defined."""
        matched = self.correct + self.incorrect + self.partial
        predicted, gold = matched + self.spurious, matched + self.missing
        credit = self.correct + 0.5 * self.partial
        return (
            credit / predicted if predicted else 0.0,
            credit / gold if gold else 0.0,
            2 * credit / (predicted + gold) if predicted + gold else 0.0,
        )


def count_muc(
    documents: Iterable[tuple[Sequence[Span], Sequence[Span]]],
) -> dict[str, MucCounts]:
    """Count the matches of documents by each scheme.

    Each predicted entity, in the order of the text, is matched with one gold entity
    that it overlaps, if there is one that is not matched yet: one for which it is
    correct, if possible, with the closest boundaries; otherwise the first one.

    documents: The gold and the predicted entities of each document.
    RETURNS: The counts by scheme.
    """
    counts = {scheme: MucCounts() for scheme in SCHEMES}
    for gold, predicted in documents:
        for scheme, grade in SCHEMES.items():
            _count(sorted(gold), sorted(predicted), grade, counts[scheme])
    return counts


def _count(
    gold: list[Span], predicted: list[Span], grade: _Grade, counts: MucCounts
) -> None:
    unmatched = list(gold)
    for entity in predicted:
        near = [other for other in unmatched if overlap_size(entity, other) > 0]
        if not near:
            counts.spurious += 1
            continue
        correct = [other for other in near if grade(other, entity) == "correct"]
        best = min(correct, key=lambda other: _distance(other, entity), default=near[0])
        result = grade(best, entity)
        setattr(counts, result, getattr(counts, result) + 1)
        unmatched.remove(best)
    counts.missing += len(unmatched)


def _distance(one: Span, other: Span) -> int:
    return abs(one.start - other.start) + abs(one.end - other.end)
