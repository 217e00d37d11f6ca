"""The distributions of a component over the analyses of texts. The network reads the
texts once, and several quantities are computed from its scores."""

from collections.abc import Iterator

import numpy as np
from spacy.tokens import Doc
from thinc.types import Floats1d

from ..data.soft_targets import SoftTargets
from ..layers.crf import ConstrainedScores
from ..layers.lattice import expected_counts
from ..layers.marginals import tag_marginals
from ..model.units import UNITS, in_characters
from ..tags import ScoredSpan, Span
from .batch import Batch
from .decoding import Decoder
from .state import tag_set


class Distributions:
    """The distributions of a component over the analyses of B texts.

    decoder: The component.
    docs: (B,) the texts, without preset entities. Windows are not used.
    threshold: Minimum probability of an entity.
    """

    #: (B,) the entities of the best analysis of each text by character offsets, with
    #: their probabilities.
    entities: list[list[ScoredSpan]]
    #: (B,) the probability of each character of a text that it is in no entity.
    outside: list[Floats1d]

    def __init__(self, decoder: Decoder, docs: list[Doc], threshold: float = 0.0):
        self._decoder = decoder
        self._docs = docs
        self._batches: list[Batch] = []
        self.entities, self.outside = [], []
        units = decoder.state.units
        for batch in decoder.batches(docs, None):
            self._batches.append(batch)
            _, found = decoder.search(batch)  # excludes paths that split brackets
            scores = decoder.marginals(batch, found)
            tags, _ = tag_marginals(
                decoder.model.get_ref("crf"),
                batch.emissions,
                decoder.state.tags.constraints,
                temperature=decoder.state.temperature,
            )
            rows = zip(batch.docs, found, scores, batch.split(tags[:, 0]), strict=True)
            for doc, spans, p, outside in rows:
                entities = [
                    ScoredSpan(*span, score)
                    for span, score in zip(spans, p, strict=True)
                    if score >= threshold
                ]
                self.entities.append(list(in_characters(units, doc, entities)))
                self.outside.append(self._of_characters(doc, outside))

    def _of_characters(self, doc: Doc, values: Floats1d) -> Floats1d:
        """Values of units as values of characters; 1 between units."""
        if self._decoder.state.unit == "char":
            return values
        found = np.ones(UNITS["char"].count(doc))
        for (start, end), value in zip(
            self._decoder.state.units.offsets(doc), values, strict=True
        ):
            found[start:end] = value
        return found

    def probabilities(self, spans: list[list[Span]]) -> list[list[float]]:
        """The marginal probabilities of any entities.

        spans: (B,) entities of each text, by character offsets.
        RETURNS: (B,) their probabilities; 0 for those that the component cannot
            predict.
        """
        known = [self._known(i, asked) for i, asked in enumerate(spans)]
        queries = [
            [span for span in values.values() if isinstance(span, Span)]
            for values in known
        ]
        scores = iter(self._marginals(queries))
        found = []
        for asked, values in zip(spans, known, strict=True):
            computed = iter(next(scores))
            p = {
                span: next(computed) if isinstance(value, Span) else value
                for span, value in values.items()
            }
            found.append([p[span] for span in asked])
        return found

    def _known(self, i: int, spans: list[Span]) -> dict[Span, float | Span]:
        """The probability of each entity of a text if it is known, and otherwise the
        entity in units."""
        known: dict[Span, float | Span] = dict.fromkeys(spans, 0.0)
        state = self._decoder.state
        for span in known:
            units = state.units.from_characters(
                self._docs[i], span.start, span.end, "strict"
            )
            if units is not None and span.label in state.labels:
                known[span] = Span(*units, span.label)
        # In units, these may have white space at their edges.
        for entity in self.entities[i]:
            span = Span(*entity[:3])
            if span in known:
                known[span] = entity.score
        return known

    def _marginals(self, spans: list[list[Span]]) -> Iterator[list[float]]:
        """Yield the probabilities of entities in units."""
        first = 0
        for batch in self._batches:
            end = first + len(batch.windows)
            yield from self._decoder.marginals(batch, spans[first:end])
            first = end

    def soft_targets(self) -> list[SoftTargets]:
        """The expected counts of tags and transitions.

        A legal sequence of BIO tags is a legal one in BIOES as well, with the same
        score if "E" has the scores of "I", and "S" those of "B". So the counts are
        exact in both schemes.

        RETURNS: (B,) the soft targets of each text.
        RAISES (ValueError): If the component does not read characters.
        """
        state = self._decoder.state
        if state.unit != "char":
            raise ValueError(f'Soft targets need unit = "char", not {state.unit!r}.')
        tags = state.tags
        names = tag_set(tags.labels, "BIOES")
        ids = tags.ids_of(names)
        scores = ConstrainedScores(
            self._decoder.model.get_ref("crf"),
            names.constraints,
            tags=ids,
            temperature=state.temperature,
        )
        found = []
        for batch in self._batches:
            for rows in batch.split(batch.emissions.dataXd):
                emissions = rows[:, ids].astype("float64") / state.temperature
                # One by one, since transitions are counted for each text.
                counts = expected_counts(emissions, np.array([len(rows)]), scores)
                found.append(SoftTargets(names, counts.tags, counts.transitions))
        return found
