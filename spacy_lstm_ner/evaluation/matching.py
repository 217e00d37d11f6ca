"""Matching of gold and predicted entities, and kinds of errors.

Each gold entity that was not predicted, and each predicted entity that is not gold,
belongs to exactly one error, and each error has one kind. So the counts of correct
entities and of errors sum up to the numbers of gold and of predicted entities.

A gold and a predicted entity that overlap form one error. If more than two overlap,
these are matched first:

1. those with the same boundaries (their labels differ);
2. those with the same label: if the boundary between two adjacent entities is wrong,
   each is matched with its counterpart;
3. those with the largest overlap, relative to the number of characters of their union.

Where entities may be nested, only those with the same boundaries or the same label form
one error: an ORG inside of a TITLE says nothing of the TITLE.

An entity that is left over, such as the second of two gold entities that were predicted
as one, is an error of its own. The error also names the overlapping entity that comes
first by these rules, which is *shared*: it belongs to another error, and is not counted
again.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..tags import Span
from .records import Record, SpanIndex, no_entity, overlap_size

#: The kinds of errors, in the order in which they are shown, with their descriptions.
ERROR_KINDS: dict[str, str] = {
    "boundary": "wrong boundary",
    "type": "wrong type",
    "boundary_and_type": "wrong boundary and type",
    "missed": "missed",
    "spurious": "spurious",
}
#: Former names of kinds, which are still accepted.
_FORMER_NAMES = {"both": "boundary_and_type", "invented": "spurious"}


class EntityError(NamedTuple):
    """A gold entity that was not predicted, a predicted entity that is not gold, or one
    of each that overlap."""

    #: "boundary", "type", "boundary_and_type", "missed" or "spurious".
    kind: str
    #: The text, with its annotation and predictions.
    record: Record
    #: The gold entity, in characters of the text; None if there is none.
    gold: Span | None
    #: The predicted entity, in characters of the text; None if there is none.
    predicted: Span | None
    #: "gold" or "predicted" if this entity belongs to another error; otherwise None.
    shared: str | None = None

    @property
    def entity(self) -> Span:
        """The entity by whose label the error is counted: the gold entity, unless it is
        shared or there is none."""
        if self.gold is not None and self.shared != "gold":
            return self.gold
        assert self.predicted is not None
        return self.predicted

    @property
    def p_gold(self) -> float | None:
        """The probability of the gold entity or, if there is none, that there is no
        entity; None if it is unknown."""
        return self.record.p.get(self.gold or no_entity(self.entity))

    @property
    def p_predicted(self) -> float | None:
        """The probability of the predicted entity or, if there is none, that there is
        no entity; None if it is unknown."""
        return self.record.p.get(self.predicted or no_entity(self.entity))


def error_kinds(names: Iterable[str]) -> list[str]:
    """Return kinds of errors by their current names.

    names: Names of kinds. The former names "both" and "invented" are accepted as well.
    RETURNS: Keys of `ERROR_KINDS`.
    RAISES (ValueError): For an unknown name.
    """
    kinds = [_FORMER_NAMES.get(name, name) for name in names]
    for kind in kinds:
        if kind not in ERROR_KINDS:
            raise ValueError(
                f"Unknown kind of error {kind!r}: use {', '.join(ERROR_KINDS)}."
            )
    return kinds


def match_entities(record: Record) -> tuple[list[Span], list[EntityError]]:
    """Match the predicted entities of a text with the gold ones: see the docstring of
    this module.

    record: The text.
    RETURNS: The correct entities, and the errors, both in the order of the text.
    """
    correct = set(record.predicted).intersection(record.gold)
    missing = sorted(set(record.gold) - correct)
    wrong = sorted(set(record.predicted) - correct)
    # The partner of each entity, and the overlapping entity that the rules put first.
    predicted_of: dict[Span, Span] = {}
    gold_of: dict[Span, Span] = {}
    best_predicted: dict[Span, Span] = {}
    best_gold: dict[Span, Span] = {}
    pairs = _overlapping_pairs(missing, wrong)
    if record.can_overlap:
        pairs = (pair for pair in pairs if _kind(*pair) != "boundary_and_type")
    for gold, predicted in sorted(pairs, key=_distance):
        best_predicted.setdefault(gold, predicted)
        best_gold.setdefault(predicted, gold)
        if gold not in predicted_of and predicted not in gold_of:
            predicted_of[gold] = predicted
            gold_of[predicted] = gold
    errors = []
    for gold in missing:
        best = best_predicted.get(gold)
        if best is None:
            errors.append(EntityError("missed", record, gold, None))
        elif gold in predicted_of:
            partner = predicted_of[gold]
            errors.append(EntityError(_kind(gold, partner), record, gold, partner))
        else:
            kind = _kind(gold, best)
            errors.append(EntityError(kind, record, gold, best, shared="predicted"))
    for predicted in wrong:
        best = best_gold.get(predicted)
        if best is None:
            errors.append(EntityError("spurious", record, None, predicted))
        elif predicted not in gold_of:
            kind = _kind(best, predicted)
            errors.append(EntityError(kind, record, best, predicted, shared="gold"))
    return sorted(correct), sorted(errors, key=lambda error: error.entity)


def _overlapping_pairs(
    gold: list[Span], predicted: list[Span]
) -> Iterator[tuple[Span, Span]]:
    """Yield the pairs of entities that share characters. Both lists are in the order of
    the text."""
    index = SpanIndex(predicted)
    for entity in gold:
        for other in index.overlapping(entity):
            yield entity, other


def _distance(pair: tuple[Span, Span]) -> tuple:
    """The sort key of a pair: the smallest is matched first."""
    gold, predicted = pair
    shared = overlap_size(gold, predicted)
    union = gold.end - gold.start + predicted.end - predicted.start - shared
    has_other_boundaries = _kind(gold, predicted) != "type"
    return has_other_boundaries, gold.label != predicted.label, -shared / union, pair


def _kind(gold: Span, predicted: Span) -> str:
    if gold[:2] == predicted[:2]:
        return "type"
    return "boundary" if gold.label == predicted.label else "boundary_and_type"
