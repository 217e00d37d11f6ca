"""What a pipeline makes of annotated texts, and how probable it is to the pipeline."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..pipeline import LSTMEntityRecognizer, recognizers
from ..pipeline.annotating import entity_scores
from ..tags import Span
from .annotation import Annotated, Surfaces, annotated_text, mentions

_BATCH = 256


@dataclass
class Record:
    """A text with its annotation, and what a pipeline has found there."""

    #: Its number in the data, from 1.
    number: int
    annotated: Annotated
    #: The entities that were found, as far as they can be judged: see `judged`.
    predicted: list[Span]
    #: Where texts of known entities stand outside of all entities: see `mentions`.
    mentions: list[tuple[int, int]] = field(default_factory=list)
    #: Probabilities of entities, and of stretches without any (with an empty label).
    #: What is not in here the pipeline cannot tell.
    p: dict[Span, float] = field(default_factory=dict)
    #: The probabilities of what a component has found itself: not of what was there
    #: before it ran, which is certain to it.
    scores: dict[Span, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.annotated.text

    @property
    def gold(self) -> list[Span]:
        return self.annotated.entities


def outside(span: tuple) -> Span:
    """The same stretch without an entity, to look up its probability."""
    return Span(span[0], span[1], "")


def overlap(one: Span, other: Span) -> int:
    """How many characters two spans have in common; 0 or less where they have none."""
    return min(one[1], other[1]) - max(one[0], other[0])


def overlapping(spans: Sequence[Span], place: tuple) -> list[Span]:
    """RETURNS (list[Span]): Those that have characters in common with a place, of spans
    in the order of the text that do not overlap each other."""
    first = bisect_right(spans, place[0], key=lambda span: span.end)
    last = bisect_left(spans, place[1], lo=first, key=lambda span: span.start)
    return list(spans[first:last])


def judged(annotated: Annotated, predicted: Iterable[Span]) -> list[Span]:
    """The predicted entities that are right or wrong. Others stand where annotation is
    missing. Where they overlap a gold entity, it tells enough.

    annotated (Annotated): The annotation.
    predicted (Iterable[Span]): The predicted entities.
    RETURNS (list[Span]): Those that are right or wrong.
    """
    unknown = annotated.marked(annotated.unknown)
    gold = annotated.marked(annotated.entities)
    return [
        span
        for span in predicted
        if not any(unknown[span.start : span.end]) or any(gold[span.start : span.end])
    ]


def predict_records(
    nlp: Language, examples: Iterable[Example], surfaces: Surfaces
) -> Iterator[Record]:
    """Run a pipeline on examples, and ask it for probabilities: of what it has found
    and of the gold entities, and of there being no entity in these places and where
    the texts of known entities stand outside of all entities.

    nlp (Language): The pipeline. The probabilities are those of its first component
        `lstm_ner`, given what comes before it; without one there are none.
    examples (Iterable[Example]): The examples.
    surfaces (Surfaces): Texts of known entities.
    YIELDS (Record): One an example.
    """
    names = nlp.pipe_names
    found = recognizers(nlp)
    first = names.index(next(iter(found))) if found else 0
    rest = enumerate(examples, start=1)
    while batch := list(islice(rest, _BATCH)):
        annotated = [annotated_text(eg) for _, eg in batch]
        # Once an entity is in doc.ents, it is certain to the component: ask before.
        docs = list(nlp.pipe((eg.predicted for _, eg in batch), disable=names[first:]))
        before = [doc.copy() for doc in docs] if found else docs
        docs = list(nlp.pipe(docs, disable=names[:first]))
        records = [
            Record(number, text, judged(text, _entities(doc)))
            for (number, _), text, doc in zip(batch, annotated, docs, strict=True)
        ]
        for record in records:
            record.mentions = list(mentions(record.annotated, surfaces))
        if found:
            _ask(next(iter(found.values())), before, records)
        for record, doc in zip(records, docs, strict=True):
            for pipe in found.values():
                record.scores.update(_scores(doc, pipe.spans_key))
            record.p.update(record.scores)
        yield from records


def _ask(ner: LSTMEntityRecognizer, docs: list[Doc], records: list[Record]) -> None:
    """Look up the probabilities of what is not in the scores."""
    asked = [
        [*record.gold, *sorted({outside(place) for place in _places(record)})]
        for record in records
    ]
    found = ner.probabilities(docs, asked)
    for record, spans, probabilities in zip(records, asked, found, strict=True):
        for span, p in zip(spans, probabilities, strict=True):
            # 0 stands for what cannot be found, and is no opinion.
            if p > 0:
                record.p[span] = p


def _places(record: Record) -> Iterator[tuple]:
    yield from record.gold
    yield from record.predicted
    yield from record.mentions


def _entities(doc: Doc) -> list[Span]:
    return [Span(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def _scores(doc: Doc, spans_key: str | None) -> Iterator[tuple[Span, float]]:
    """The probabilities of what was found. They count where an entity was moved to
    whole tokens, too, which is not just what the model has seen there."""
    for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True):
        if score is not None:
            yield Span(ent.start_char, ent.end_char, ent.label_), score
