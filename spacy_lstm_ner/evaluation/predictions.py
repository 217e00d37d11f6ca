"""The predictions of a pipeline on annotated texts, with their probabilities."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan
from spacy.training import Example

from ..pipeline import (
    LSTMEntityRecognizer,
    LSTMNestedEntityRecognizer,
    entity_scores,
    nested_recognizers,
    predicted_entities,
    recognizers,
)
from ..tags import ScoredSpan, Span
from .annotation import AnnotatedText, annotated_text
from .mentions import SurfaceForms, find_mentions
from .records import Record, no_entity

_BATCH_SIZE = 256


def evaluable(annotated: AnnotatedText, predicted: Iterable[Span]) -> list[Span]:
    """Select the predicted entities that are known to be correct or incorrect: those
    where no annotation is missing, and those that overlap a gold entity.

    annotated: The annotation.
    predicted: The predicted entities.
    RETURNS: The selected ones.
    """
    unannotated = annotated.mask(annotated.unannotated)
    gold = annotated.mask(annotated.entities)
    return [
        span
        for span in predicted
        if not any(unannotated[span.start : span.end])
        or any(gold[span.start : span.end])
    ]


def predict_records(
    nlp: Language, examples: Iterable[Example], forms: SurfaceForms
) -> Iterator[Record]:
    """Run a pipeline on examples, and compute probabilities: of the predicted entities
    and of the gold entities, and of there being no entity at these spans and at the
    mentions of known entities.

    nlp: The pipeline. The probabilities are those of its first component `lstm_ner`,
        given the entities of the components before it; without such a component there
        are none. If it has a component `lstm_nested_ner` and no `lstm_ner`, entities
        are those of its span group.
    examples: The examples.
    forms: The texts of known entities.
    YIELDS: A record for each example.
    """
    names = nlp.pipe_names
    spans_key = analyzed_group(nlp)
    components: dict[str, Any] = recognizers(nlp)
    if spans_key is not None:
        components = nested_recognizers(nlp)
    first = names.index(next(iter(components))) if components else 0
    rest = enumerate(examples, start=1)
    while batch := list(islice(rest, _BATCH_SIZE)):
        annotated = [annotated_text(eg, spans_key) for _, eg in batch]
        # Probabilities are computed from the Docs before the component has run: for
        # itself, entities in `doc.ents` are preset, with the probability 1.
        docs = list(nlp.pipe((eg.predicted for _, eg in batch), disable=names[first:]))
        before = [doc.copy() for doc in docs] if components else docs
        docs = list(nlp.pipe(docs, disable=names[:first]))
        records = [
            Record(
                number,
                text,
                evaluable(text, map(_span, _entities(doc, spans_key))),
                list(find_mentions(text, forms)),
                can_overlap=spans_key is not None,
            )
            for (number, _), text, doc in zip(batch, annotated, docs, strict=True)
        ]
        if components:
            _add_probabilities(next(iter(components.values())), before, records)
        for record, doc in zip(records, docs, strict=True):
            if spans_key is not None:
                scored = predicted_entities(doc, [], [spans_key])
                record.scores.update(
                    (Span(*one[:3]), one.score)
                    for one in scored
                    if isinstance(one, ScoredSpan)
                )
            for pipe in components.values() if spans_key is None else ():
                # Also those of entities that were expanded to whole tokens, although
                # the model has computed them for the original boundaries.
                scores = entity_scores(doc, pipe.spans_key)
                record.scores.update(
                    (_span(ent), score)
                    for ent, score in zip(doc.ents, scores, strict=True)
                    if score is not None
                )
            record.p.update(record.scores)
        yield from records


def analyzed_group(nlp: Language) -> str | None:
    """The span group whose entities are analyzed: that of the first component
    `lstm_nested_ner`. None: the entities are those of ``doc.ents``, since the pipeline
    has none, or also an `lstm_ner`."""
    if recognizers(nlp):
        return None
    return next((pipe.spans_key for pipe in nested_recognizers(nlp).values()), None)


def _entities(doc: Doc, spans_key: str | None) -> list[DocSpan]:
    if spans_key is None:
        return list(doc.ents)
    return list(doc.spans.get(spans_key) or ())


def _add_probabilities(
    ner: LSTMEntityRecognizer | LSTMNestedEntityRecognizer,
    docs: list[Doc],
    records: list[Record],
) -> None:
    """Add the probabilities of the gold entities and of there being no entity."""
    spans = []
    for record in records:
        regions = (*record.gold, *record.predicted, *record.mentions)
        spans.append([*record.gold, *sorted({no_entity(region) for region in regions})])
    for record, asked, probabilities in zip(
        records, spans, ner.probabilities(docs, spans), strict=True
    ):
        # 0 is the probability of spans that cannot be predicted at all.
        record.p.update(
            (span, p) for span, p in zip(asked, probabilities, strict=True) if p > 0
        )


def _span(ent: DocSpan) -> Span:
    return Span(ent.start_char, ent.end_char, ent.label_)
