"""Entity spans in units, each of which is a character or a token."""

from typing import NamedTuple


class Span(NamedTuple):
    """An entity.

    start (int): Index of its first unit.
    end (int): Index after its last unit.
    label (str): Its label.
    """

    start: int
    end: int
    label: str


class ScoredSpan(NamedTuple):
    """An entity that a model predicts, with its probability.

    start (int): Index of its first unit.
    end (int): Index after its last unit.
    label (str): Its label.
    score (float): Its probability.
    """

    start: int
    end: int
    label: str
    score: float
