"""Entities inside of entities: their layers, and how they relate to each other."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from .spans import ScoredSpan, Span

SpanT = TypeVar("SpanT", Span, ScoredSpan)


class Nesting(NamedTuple):
    """Entities of one label in layers: the outermost ones, those inside of them, and so
    on."""

    #: The entities, each of them once, sorted by their starts; of those that begin at
    #: the same unit, the longer one is first. No two of them cross.
    spans: list[Span]
    #: The index of the smallest entity that contains each one; -1 for the outermost.
    outer: list[int]
    #: In how many others each one is.
    layer: list[int]
    #: Entities that are left out, since each crosses a longer one: they have units in
    #: common, and neither contains the other.
    crossing: list[Span]


def nest(spans: Iterable[Span]) -> Nesting:
    """Put entities of one label into layers. Of two that cross, the longer one is kept,
    or the first one if they have the same length.

    spans: The entities, in any order.
    RETURNS: The layers.
    """
    ordered = sorted(set(spans), key=_outermost_first)
    crossing: list[Span] = []
    layers = _in_layers(ordered)
    if layers is None:
        kept: list[Span] = []
        for span in sorted(ordered, key=lambda s: (s.start - s.end, s.start)):
            is_kept = not any(crosses(span, other) for other in kept)
            (kept if is_kept else crossing).append(span)
        ordered = sorted(kept, key=_outermost_first)
        layers = _in_layers(ordered)
        assert layers is not None
    return Nesting(ordered, *layers, sorted(crossing))


def _outermost_first(span: Span) -> tuple[int, int]:
    return span.start, -span.end


def _in_layers(ordered: Sequence[Span]) -> tuple[list[int], list[int]] | None:
    """The fields `outer` and `layer` of `Nesting`. None: two spans cross."""
    outer: list[int] = []
    layer: list[int] = []
    opened: list[int] = []
    for i, span in enumerate(ordered):
        while opened and ordered[opened[-1]].end <= span.start:
            opened.pop()
        if opened and ordered[opened[-1]].end < span.end:
            return None
        outer.append(opened[-1] if opened else -1)
        layer.append(len(opened))
        opened.append(i)
    return outer, layer


def crosses(one: tuple, other: tuple) -> bool:
    """Return whether two spans have units in common, and neither contains the other."""
    first, second = sorted((one[:2], other[:2]))
    return bool(first[0] < second[0] < first[1] < second[1])


#: The kinds of entities by how they relate to the others, see `kinds_of`.
FLAT, NESTED, OVERLAPPING = "flat", "nested", "overlapping"


def kinds_of(spans: Sequence[SpanT]) -> list[str]:
    """How each entity of a text relates to the others, whatever their labels.

    spans: All entities of the text.
    RETURNS: For each of them "flat": it has no unit in common with another one;
        "overlapping": it crosses another one; "nested": otherwise, it contains another
        one or is contained in it, as are two with the same boundaries.
    """
    kinds = [FLAT] * len(spans)
    order = sorted(range(len(spans)), key=lambda i: (spans[i].start, -spans[i].end))
    active: list[int] = []
    for i in order:
        active = [j for j in active if spans[j].end > spans[i].start]
        for j in active:
            kind = OVERLAPPING if crosses(spans[i], spans[j]) else NESTED
            for one in (i, j):
                if kinds[one] != OVERLAPPING:
                    kinds[one] = kind
        active.append(i)
    return kinds


def n_by_kind(spans: Sequence[SpanT]) -> Counter[str]:
    """The number of entities of a text by kind, see `kinds_of`."""
    return Counter(kinds_of(spans))


def choose_flat(spans: Sequence[ScoredSpan], by: str) -> list[ScoredSpan]:
    """Choose entities that do not overlap.

    spans: Entities that may overlap.
    by: Which of those that overlap: the "longest" (of several, the most probable one),
        or the "most_probable" (of several, the longest one).
    RETURNS: The chosen ones, in the order of the text.
    """

    def rank(span: ScoredSpan) -> tuple:
        length = span.end - span.start
        best = (length, span.score) if by == "longest" else (span.score, length)
        return (-best[0], -best[1], span.start, span.label)

    chosen: list[ScoredSpan] = []
    occupied: set[int] = set()
    for span in sorted(spans, key=rank):
        units = range(span.start, span.end)
        if occupied.isdisjoint(units):
            occupied.update(units)
            chosen.append(span)
    return sorted(chosen)
