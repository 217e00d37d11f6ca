"""Annotation that is probably wrong.

There are two witnesses: the pipeline, and how the same text is annotated in the
training data. What the annotation says of a place, an entity or that there is none, has
the *support*

    sqrt(p + 0.000001) · (n + 1) / (N + 1)

where p is how probable that is to the pipeline, and of N times that the text stands in
the training data it is annotated in this way n times (this one is counted in, so a text
that is not there says nothing). It is between 0 and 1, and doubtful where it is small.

Of p the square root is taken since networks are too certain of what they say; below a
millionth one p is as good as another. A witness who says nothing has the factor 1: a
pipeline without probabilities, or no training data. The pipeline is a witness only if
it was not trained on this very annotation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import sqrt
from typing import NamedTuple

from ..tags import Span
from .predictions import Record, outside, overlapping

# Below this a probability tells nothing more.
_LEAST_P = 1e-6


class Doubt(NamedTuple):
    """A place where the annotation is probably wrong."""

    record: Record
    start: int
    end: int
    #: What the annotation says there, and what the pipeline says.
    annotated: list[Span]
    predicted: list[Span]
    #: That of the entity, or of the stretch without one, which has least.
    support: float
    #: How the texts in question are annotated in the training data.
    uses: list["Use"]


class Use(NamedTuple):
    """How a text is annotated in the training data."""

    text: str
    label: str  # that it has here; empty for no entity
    counts: Counter[str]  # how often it has which label there

    def in_words(self, text: str, show: Callable[[str], str] = str) -> str:
        """RETURNS (str): The same in words, with another way to show the text, and one
        to show labels."""
        labels = [label for label, _ in self.counts.most_common()]
        labels += [self.label] if self.label not in labels else []
        listed = (
            f"{show(label or 'no entity')} {self.counts[label]:,}" for label in labels
        )
        return f"{text} in the training data: {', '.join(listed)}"


class _Claim(NamedTuple):
    """What the annotation says of a place, and the wrong predictions on it."""

    place: Span  # with an empty label: there is no entity
    against: list[Span]
    support: float

    @property
    def start(self) -> int:
        return min(span.start for span in (self.place, *self.against))

    @property
    def end(self) -> int:
        return max(span.end for span in (self.place, *self.against))


def support(
    p: float | None, uses: Counter[str], label: str, *, counted: bool = False
) -> float:
    """What speaks for an annotation: see the top of this file.

    p (float | None): How probable it is to the pipeline, if that can be told.
    uses (Counter[str]): How often the text has which label in the training data.
    label (str): The label that it has here; empty for none.
    counted (bool): This annotation is in the training data, and was counted.
    RETURNS (float): From 0, nothing, to 1.
    """
    # Rounded down to 1 since a place that was predicted was not searched for.
    here = max(uses[label], 1) if counted else uses[label] + 1
    everywhere = max(uses.total(), here) if counted else uses.total() + 1
    return (1.0 if p is None else min(sqrt(p + _LEAST_P), 1.0)) * here / everywhere


def find_doubts(
    records: Iterable[Record],
    uses: Mapping[str, Counter[str]],
    *,
    counted: bool = False,
    max_support: float = 0.05,
) -> list[Doubt]:
    """Find annotation that is probably wrong. Doubtful annotations that overlap, or
    are disputed by the same prediction, become one.

    records (Iterable[Record]): The texts.
    uses (Mapping[str, Counter[str]]): How often each text has which label in the
        training data.
    counted (bool): The records are the training data, and were counted there.
    max_support (float): What has more support than this is left out.
    RETURNS (list[Doubt]): Those with the least support first.
    """
    doubts: list[Doubt] = []
    for record in records:
        claims = [
            claim
            for claim in _claims(record, uses, counted)
            if claim.support <= max_support
        ]
        doubts.extend(_doubt(record, together, uses) for together in _regions(claims))
    return sorted(doubts, key=lambda doubt: doubt.support)


def _claims(
    record: Record, uses: Mapping[str, Counter[str]], counted: bool
) -> Iterator[_Claim]:
    """Everything that the annotation of a text says of entities."""
    gold = set(record.gold)
    wrong = [span for span in record.predicted if span not in gold]
    marks = record.annotated.marked(record.gold)
    invented = [span for span in wrong if not any(marks[span.start : span.end])]
    # What was predicted there tells more than a part of it.
    found = record.annotated.marked(record.predicted)
    mentions = [(s, e) for s, e in record.mentions if not any(found[s:e])]
    empty = [outside(place) for place in (*invented, *mentions)]
    for place in (*record.gold, *empty):
        text = record.text[place.start : place.end]
        p = record.p.get(place)
        yield _Claim(
            place,
            overlapping(wrong, place),
            support(p, uses.get(text, Counter()), place.label, counted=counted),
        )


def _regions(claims: Iterable[_Claim]) -> Iterator[list[_Claim]]:
    """Claims that overlap, or whose wrong predictions do."""
    together: list[_Claim] = []
    end = 0
    for claim in sorted(claims, key=lambda claim: (claim.start, claim.end)):
        if together and claim.start >= end:
            yield together
            together, end = [], 0
        together.append(claim)
        end = max(end, claim.end)
    if together:
        yield together


def _doubt(
    record: Record, claims: list[_Claim], uses: Mapping[str, Counter[str]]
) -> Doubt:
    start = min(claim.start for claim in claims)
    end = max(claim.end for claim in claims)
    region = (start, end)
    in_question = dict.fromkeys(
        (record.text[claim.place.start : claim.place.end], claim.place.label)
        for claim in claims
    )
    return Doubt(
        record,
        start,
        end,
        overlapping(record.gold, region),
        overlapping(record.predicted, region),
        min(claim.support for claim in claims),
        [Use(t, label, uses[t]) for t, label in in_question if uses.get(t)],
    )
