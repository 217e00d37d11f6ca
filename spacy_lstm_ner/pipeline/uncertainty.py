"""How certain a component is of its predictions, by exact quantities of the CRF: the
probability of the best analysis, the probabilities of its entities, and the number of
entities that is to be expected."""

from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from ..layers.marginals import tag_marginals
from ..layers.viterbi import path_scores
from ..tags import ScoredSpan
from .decoding import Decoder
from .windows import without_overlaps


class Uncertainty(NamedTuple):
    """How certain a component is of the entities of a document."""

    #: Number of units.
    length: int
    #: The logarithm of the probability of the best analysis.
    log_probability: float
    #: The entities of the best analysis, in units, each with its marginal probability,
    #: whatever the threshold. Without preset entities.
    entities: list[ScoredSpan]
    #: The expected number of entities: its mean over all analyses. Without preset
    #: entities.
    expected_entities: float

    @property
    def expected_errors(self) -> float:
        """The expected number of errors in the best analysis: of entities that are
        incorrect, which are Σ (1 - p), and of those that are missed, which are the
        expected number of entities minus Σ p."""
        correct = sum(entity.score for entity in self.entities)
        errors = len(self.entities) + self.expected_entities - 2 * correct
        return max(errors, 0.0)  # rounding


def measure_uncertainty(
    decoder: Decoder, docs: list[Doc], window: int | None
) -> list[Uncertainty]:
    """How certain a component is of documents, see
    `LSTMEntityRecognizer.uncertainty`."""
    crf = decoder.model.get_ref("crf")
    tags, temperature = decoder.state.tags, decoder.state.temperature
    lengths = [decoder.state.units.count(doc) for doc in docs]
    log_probabilities, expected = [0.0] * len(docs), [0.0] * len(docs)
    entities: list[list[ScoredSpan]] = [[] for _ in docs]
    for batch in decoder.batches(docs, window):
        path, found = decoder.search(batch)
        scores = decoder.marginals(batch, found)
        marginals, log_z = tag_marginals(
            crf, batch.emissions, tags.constraints, temperature=temperature
        )
        begins = marginals[:, tags.opens].sum(axis=1)  # (N,)
        is_preset = tags.opens[path]  # (N,) whether a preset entity begins
        is_preset[[span.start for span in batch.join_spans(found)]] = False
        begins[is_preset] = 0.0
        log_probs = -log_z
        not_empty = np.flatnonzero(batch.emissions.lengths)
        if len(not_empty):
            emissions = batch.emissions[not_empty]
            log_probs[not_empty] += path_scores(crf, emissions, path) / temperature
        parts = zip(batch.windows, batch.split(begins), found, scores, strict=True)
        for i, (part, part_begins, spans, p) in enumerate(parts):
            scored = [ScoredSpan(*s, score) for s, score in zip(spans, p, strict=True)]
            entities[part.doc_index].extend(part.from_core(scored))
            first, end = (unit - part.offset for unit in part.core)
            expected[part.doc_index] += float(part_begins[first:end].sum())
            # Windows overlap: a unit counts for the window whose core contains it.
            share = (end - first) / max(part.length, 1)
            log_probabilities[part.doc_index] += min(float(log_probs[i]), 0.0) * share
    return [
        Uncertainty(*values)
        for values in zip(
            lengths,
            log_probabilities,
            map(without_overlaps, entities),
            expected,
            strict=True,
        )
    ]
