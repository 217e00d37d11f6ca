"""Teachers: any pipelines, and what they predict for texts, with how certain they are
of it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats1d

from ..exceptions import DataError
from ..pipeline import (
    LSTMEntityRecognizer,
    nested_recognizers,
    predicted_entities,
    recognizers,
)
from ..pipeline.preset import has_preset
from ..tags import ScoredSpan, Span

# What components declare to assign if they set entities.
_ENTITIES = {"doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"}
_MISSING = 0  # of ent_iob


class Predictions(Protocol):
    """What a teacher predicts for B texts."""

    #: (B,) the entities of each text by character offsets, with their probabilities.
    entities: list[list[ScoredSpan]]
    #: (B,) the probability of each character of a text that it is in no entity.
    outside: list[Floats1d]

    def probabilities(self, spans: list[list[Span]]) -> list[list[float]]:
        """The probabilities of any entities of each text."""


class Teacher:
    """A pipeline that annotates texts.

    nlp: The pipeline.
    name: What it is called in messages.
    spans_key: The span group with entities beyond ``doc.ents``.
    RAISES (DataError): If its components `lstm_ner` do not write their probabilities,
        or it has a component `lstm_nested_ner`.
    """

    def __init__(self, nlp: Language, name: str = "", spans_key: str = "sc"):
        self.nlp = nlp
        self.name = name or f"{nlp.lang}_{nlp.meta['name']}"
        self._spans_key = spans_key
        if nested := nested_recognizers(nlp):
            raise DataError(
                f"{self.name}: the entities of the component {min(nested)} may "
                f"overlap, and students learn entities that do not: write them as "
                f"annotated data instead, lstm-ner export --model"
            )
        for key, pipe in recognizers(nlp).items():
            if pipe.spans_key is None:
                raise DataError(
                    f"{self.name}: the component {key} has spans_key = null, so its "
                    f'probabilities are not known: set it to "lstm_ner"'
                )

    @property
    def component(self) -> LSTMEntityRecognizer | None:
        """The component that predicts all entities, if it is an `lstm_ner`: then the
        probabilities of all analyses are known."""
        *others, last = self.nlp.pipe_names or [""]
        found = recognizers(self.nlp)
        sets_entities = any(
            _ENTITIES.intersection(self.nlp.get_pipe_meta(name).assigns)
            for name in others
        )
        if sets_entities or list(found) != [last]:
            return None
        return found[last]

    @property
    def gives_soft_targets(self) -> bool:
        """Whether its predictions have soft targets."""
        return self.component is not None and self.component.state.unit == "char"

    def predict(self, texts: list[str], *, soft: bool = False) -> Predictions:
        """Predict the entities of texts. What is returned must be used before the
        memory of the Docs is freed.

        texts: (B,) the texts.
        soft: Whether soft targets are needed.
        RETURNS: What it predicts for each.
        RAISES (DataError): If soft targets are needed, and another component sets
            entities, though it does not declare that.
        RAISES (ValueError): If the tokenizer changes a text; or whatever a component
            raises.
        """
        nlp, component = self.nlp, self.component
        if component is not None:
            docs = list(nlp.pipe(texts, disable=nlp.pipe_names[-1:]))
            _check_texts(docs, texts)
            for doc in docs:
                is_preset = len(doc) and has_preset(doc, component.overwrite)
                if is_preset or self._spans_key in doc.spans:
                    break
            else:
                return component.distributions(docs)
            if soft:
                raise DataError(
                    f"{self.name}: another component sets entities, which have no soft "
                    f"targets, in {doc.text[:40]!r}: use --hard"
                )
        return _PipelinePredictions(nlp, texts, self._spans_key)


class _PipelinePredictions:
    """What any pipeline predicts. An entity without a probability is certain, and so is
    the text outside of entities, where no component `lstm_ner` says otherwise. Tokens
    that the pipeline has left without annotation are not."""

    def __init__(self, nlp: Language, texts: list[str], spans_key: str):
        found = recognizers(nlp)
        names = nlp.pipe_names
        self.outside = [np.ones(len(text)) for text in texts]
        part: Sequence[str | Doc] = texts
        done = 0  # components that have been applied
        for name, ner in found.items():
            i = names.index(name)
            docs = list(nlp.pipe(part, disable=names[:done] + names[i:]))
            self._limit_outside(ner, docs)
            part, done = docs, i
        docs = list(nlp.pipe(part, disable=names[:done]))
        _check_texts(docs, texts)
        keys = [ner.spans_key for ner in found.values()]
        self.entities = [
            _scored(predicted_entities(d, keys, [spans_key])) for d in docs
        ]
        for doc, entities, outside in zip(
            docs, self.entities, self.outside, strict=True
        ):
            for start, end, _, score in entities:
                outside[start:end] = np.minimum(outside[start:end], 1 - score)
            if spans_key not in doc.spans:
                missing = np.flatnonzero(doc.to_array("ENT_IOB") == _MISSING)
                for i in missing.tolist():
                    token = doc[i]
                    outside[token.idx : token.idx + len(token)] = 0.0

    def _limit_outside(self, ner: LSTMEntityRecognizer, docs: list[Doc]) -> None:
        """A component `lstm_ner` knows how probable it is that a token is in no
        entity."""
        tokens = [[(t.idx, t.idx + len(t), "") for t in doc if len(t)] for doc in docs]
        found = ner.probabilities(docs, tokens)
        for outside, spans, p in zip(self.outside, tokens, found, strict=True):
            for (start, end, _), value in zip(spans, p, strict=True):
                outside[start:end] = np.minimum(outside[start:end], value)

    def probabilities(self, spans: list[list[Span]]) -> list[list[float]]:
        found = []
        for asked, entities in zip(spans, self.entities, strict=True):
            known = {Span(*entity[:3]): entity.score for entity in entities}
            found.append([known.get(span, 0.0) for span in asked])
        return found


def _scored(entities: Iterable[Span | ScoredSpan]) -> list[ScoredSpan]:
    """The entities with a probability, 1 where the pipeline gives none. A score of
    another component may be any number."""
    scored = (e if isinstance(e, ScoredSpan) else ScoredSpan(*e, 1.0) for e in entities)
    return [
        e._replace(score=float(np.clip(np.nan_to_num(e.score), 0, 1))) for e in scored
    ]


def _check_texts(docs: list[Doc], texts: list[str]) -> None:
    for doc, text in zip(docs, texts, strict=True):
        if doc.text != text:
            raise ValueError(
                f"the tokenizer changes the text: {text[:40]!r} becomes "
                f"{doc.text[:40]!r}"
            )
