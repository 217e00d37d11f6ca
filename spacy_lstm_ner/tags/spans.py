"""Entity spans in units: a character or a token each."""

from typing import NamedTuple


class Span(NamedTuple):
    """An entity: units `start` to `end` (exclusive), and its label."""

    start: int
    end: int
    label: str


class ScoredSpan(NamedTuple):
    """An entity that a model has found, and how probable it is."""

    start: int
    end: int
    label: str
    score: float
