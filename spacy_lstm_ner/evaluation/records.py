"""Records: annotated texts with the predictions of a pipeline; and their spans."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from ..tags import Span
from .annotation import AnnotatedText


@dataclass
class Record:
    """An annotated text with the predictions of a pipeline. All spans are in
    characters. Entities of one list only overlap if `can_overlap` is set."""

    #: Its number in the data, from 1.
    number: int
    annotated: AnnotatedText
    #: The predicted entities that can be evaluated: see `evaluable`.
    predicted: list[Span]
    #: Known texts of entities outside of all gold entities: see `find_mentions`.
    mentions: list[tuple[int, int]] = field(default_factory=list)
    #: The probabilities of entities, and of spans without entities (see `no_entity`).
    #: Spans whose probability is unknown are missing.
    p: dict[Span, float] = field(default_factory=dict)
    #: The probabilities of the entities that a component `lstm_ner` has predicted
    #: itself. Preset entities are not among them.
    scores: dict[Span, float] = field(default_factory=dict)
    #: Whether entities may overlap: those of a span group.
    can_overlap: bool = False

    @property
    def text(self) -> str:
        """The text."""
        return self.annotated.text

    @property
    def gold(self) -> list[Span]:
        """The gold entities."""
        return self.annotated.entities


def no_entity(span: tuple) -> Span:
    """Return the span with an empty label: the key in `Record.p` for the probability
    that it contains no entity."""
    return Span(span[0], span[1], "")


def overlap_size(one: Span, other: Span) -> int:
    """Return the number of characters that two spans share; 0 or less if they share
    none."""
    return min(one[1], other[1]) - max(one[0], other[0])


class SpanIndex:
    """Finds the spans that share characters with a region.

    spans: Spans in the order of the text. They may overlap.
    """

    def __init__(self, spans: Sequence[Span]):
        self._spans = spans
        # The largest end of each span and those before it, which increases even if a
        # span contains later ones.
        self._ends = list(accumulate((span.end for span in spans), max))

    def overlapping(self, region: tuple) -> list[Span]:
        """Return the spans that share characters with a region.

        region: Start and end of the region; further items are ignored.
        RETURNS: The overlapping ones.
        """
        first = bisect_right(self._ends, region[0])
        last = bisect_left(
            self._spans, region[1], lo=first, key=lambda span: span.start
        )
        return [span for span in self._spans[first:last] if span.end > region[0]]
