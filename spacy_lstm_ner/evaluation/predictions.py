"""The predictions of a pipeline on annotated texts, with their probabilities."""

from collections.abc import Iterable, Iterator
from itertools import islice

from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan
from spacy.training import Example

from ..pipeline import LSTMEntityRecognizer, entity_scores, recognizers
from ..tags import Span
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
        are none.
    examples: The examples.
    forms: The texts of known entities.
    YIELDS: A record for each example.
    """
    names = nlp.pipe_names
    components = recognizers(nlp)
    first = names.index(next(iter(components))) if components else 0
    rest = enumerate(examples, start=1)
    while batch := list(islice(rest, _BATCH_SIZE)):
        annotated = [annotated_text(eg) for _, eg in batch]
        # Probabilities are computed from the Docs before the component has run: for
        # itself, entities in `doc.ents` are preset, with the probability 1.
        docs = list(nlp.pipe((eg.predicted for _, eg in batch), disable=names[first:]))
        before = [doc.copy() for doc in docs] if components else docs
        docs = list(nlp.pipe(docs, disable=names[:first]))
        records = [
            Record(
                number,
                text,
                evaluable(text, map(_span, doc.ents)),
                list(find_mentions(text, forms)),
            )
            for (number, _), text, doc in zip(batch, annotated, docs, strict=True)
        ]
        if components:
            _add_probabilities(next(iter(components.values())), before, records)
        for record, doc in zip(records, docs, strict=True):
            for pipe in components.values():
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


def _add_probabilities(
    ner: LSTMEntityRecognizer, docs: list[Doc], records: list[Record]
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
