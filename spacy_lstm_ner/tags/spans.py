"""Entity spans in units, each of which is a character or a token."""

from typing import NamedTuple


class Span(NamedTuple):
    """An entity.

    start: Index of its first unit.
    end: Index after its last unit.
    label: Its label.
    """

    start: int
    end: int
    label: str


class ScoredSpan(NamedTuple):
    """An entity that a model predicts, with its probability.

    start: Index of its first unit.
    end: Index after its last unit.
    label: Its label.
    score: Its probability.
    """

    start: int
    end: int
    label: str
    score: float
