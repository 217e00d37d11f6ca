"""The n most probable analyses of a document whose entities may overlap.

An analysis is a path of the first CRF of each label, and inside of each entity on it a
path of the next one, and so on. Its probability is the product of those of the paths.
The labels are independent of each other, and so are the entities on a path. So the n
best of all of them are among the sums of the n best of each:

    n best of a text   = n best sums over labels
    n best of a label  = n best over paths y of  log p(y) + n best sums over entities

An analysis with a path y has at most log p(y), since the logarithms of what is inside
are never positive. So the paths of a label are taken in the order of their
probabilities, until the next one is less probable than the n best analyses so far. All
of it is exact.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from thinc.types import Floats2d, Ragged

from ..layers.label_crfs import OneCRF
from ..layers.marginals import segment_marginals
from ..layers.viterbi import (
    best_paths,
    best_paths_without_segments,
    n_best_paths,
    path_scores,
)
from ..model.units import in_characters
from ..tags import Span
from .batch import Batch
from .decoding import Analysis
from .nested_decoding import (
    NestedDecoder,
    PairsInBatch,
    entities_inside,
    search_inside,
)

#: A logarithm of a probability, and entities in rows of the batch.
_Scored = tuple[float, tuple[Span, ...]]


def nested_best_without(
    decoder: NestedDecoder, batch: Batch, spans: Iterable[Span]
) -> list[tuple[Analysis, float] | None]:
    """The best analyses without an entity, see
    `LSTMNestedEntityRecognizer.best_without`.

    batch: One document.
    spans: The entities, in units.
    """
    # Excludes the paths that split a pair of brackets.
    decoder.search(batch)
    (window,) = batch.windows
    labels, units = decoder.state.labels, decoder.state.units
    search = _Search(decoder, batch, 1)
    best = [search.of_region(k, 0, 0, window.length)[0] for k in range(len(labels))]
    total = sum(log_prob for log_prob, _ in best)
    found: list[tuple[Analysis, float] | None] = []
    for span in spans:
        k = labels.index(span.label)
        other = _Search(decoder, batch, 1, without=span).of_region(
            k, 0, 0, window.length
        )
        if not other:
            found.append(None)
            continue
        ((log_prob, of_label),) = other
        margin = best[k][0] - log_prob
        others = (one for i, (_, some) in enumerate(best) if i != k for one in some)
        entities = set(in_characters(units, window.doc, [*of_label, *others]))
        analysis = Analysis(
            float(np.exp(total - margin)), tuple(sorted(entities, key=_order))
        )
        found.append((analysis, margin))
    return found


def nested_n_best(decoder: NestedDecoder, batch: Batch, n: int) -> list[list[Analysis]]:
    """The n best analyses of each document of a batch, see
    `LSTMNestedEntityRecognizer.n_best`.

    batch: Whole documents.
    """
    # Excludes the paths that split a pair of brackets.
    decoder.search(batch)
    found = []
    units = decoder.state.units
    for window, rows in zip(batch.windows, batch.rows, strict=True):
        search = _Search(decoder, batch, n)
        best: list[_Scored] = [(0.0, ())]
        for k in range(len(decoder.state.labels) if window.length else 0):
            best = _sums(best, search.of_region(k, 0, rows.start, rows.stop), n)
        probabilities: dict[tuple[Span, ...], float] = {}
        for log_prob, spans in best:
            local = (
                s._replace(start=s.start - rows.start, end=s.end - rows.start)
                for s in spans
            )
            # Analyses that differ only in white space at the edges of entities are one.
            entities = tuple(
                sorted(set(in_characters(units, window.doc, local)), key=_order)
            )
            probabilities.setdefault(entities, 0.0)
            probabilities[entities] += float(np.exp(log_prob))
        analyses = [Analysis(p, entities) for entities, p in probabilities.items()]
        found.append(sorted(analyses, key=lambda analysis: -analysis.probability))
    return found


def _order(span: Span) -> tuple[int, int, str]:
    return span.start, -span.end, span.label


class _Search:
    """The n best analyses of parts of a document.

    without: An entity that none of them has, if n is 1. Then the path of the first CRF
        is its best one without this entity.
    """

    def __init__(
        self,
        decoder: NestedDecoder,
        batch: Batch,
        n: int,
        *,
        without: Span | None = None,
    ):
        self._decoder = decoder
        self._data: Floats2d = batch.emissions.dataXd
        self._pairs = PairsInBatch(batch, decoder) if decoder.whole_brackets else None
        self._n = n
        self._without = without
        self._known: dict[tuple[int, int, int, int], list[_Scored]] = {}

    def of_region(self, k: int, depth: int, start: int, end: int) -> list[_Scored]:
        """The n best analyses of rows of the batch by one label.

        k: The number of the label.
        depth: 0 for a document, more for the units of an entity in the layer before.
        RETURNS: The best ones first.
        """
        key = k, depth, start, end
        if key not in self._known:
            self._known[key] = self._of_region(*key)
        return self._known[key]

    def _of_region(self, k: int, depth: int, start: int, end: int) -> list[_Scored]:
        state = self._decoder.state
        emissions, log_rest = self._emissions(k, depth, start, end)
        crf = OneCRF(self._decoder.model.get_ref("crf"), k * state.depth + depth)
        if self._without is not None and not depth:
            return self._without_on_path(k, crf, emissions, self._without)
        n_paths = self._n
        while True:
            paths, log_probs = n_best_paths(
                crf,
                emissions,
                state.tags.constraints,
                n_paths,
                temperature=state.temperature,
            )
            best: list[_Scored] = []
            is_complete = False
            for path, log_prob in zip(paths, log_probs[0].tolist(), strict=True):
                if log_prob == -np.inf:
                    is_complete = True
                    break
                spans = [
                    Span(start + i, start + j, state.labels[k])
                    for i, j, _ in state.tags.spans_from_ids(path)
                ]
                if depth and spans == [Span(start, end, state.labels[k])]:
                    continue  # it is the outer entity
                if self._without in spans:
                    continue
                here = log_prob - log_rest
                if len(best) == self._n and here <= best[-1][0]:
                    is_complete = True
                    break
                best = _largest([*best, *self._on_path(k, depth, here, spans)], self._n)
            if is_complete:
                return best
            n_paths *= 2

    def _without_on_path(
        self, k: int, crf: OneCRF, emissions: Ragged, span: Span
    ) -> list[_Scored]:
        """The best analysis of a document by one label without an entity, or none."""
        state = self._decoder.state
        (entity,) = state.tags.labels
        best, log_probs = n_best_paths(
            crf, emissions, state.tags.constraints, 1, temperature=state.temperature
        )
        paths, scores = best_paths_without_segments(
            crf,
            emissions,
            state.tags.constraints,
            state.tags.segments([(span.start, span.end, entity)]),
        )
        if np.isneginf(scores[0]):
            return []
        (best_score,) = path_scores(crf, emissions, best[0])
        log_prob = float(log_probs[0, 0] - (best_score - scores[0]) / state.temperature)
        spans = [
            Span(i, j, state.labels[k])
            for i, j, _ in state.tags.spans_from_ids(paths[0])
        ]
        return self._on_path(k, 0, log_prob, spans)

    def _emissions(
        self, k: int, depth: int, start: int, end: int
    ) -> tuple[Ragged, float]:
        """The emission scores of a region, and the logarithm of the probability that it
        is not one entity, by which those of its paths are divided."""
        state = self._decoder.state
        crf = OneCRF(self._decoder.model.get_ref("crf"), k * state.depth + depth)
        if not depth:
            rows = self._data[start:end, crf.columns]
            return Ragged(rows, np.array([end - start])), 0.0
        tags = state.tags
        (entity,) = tags.labels
        layer = entities_inside(crf, self._data, [Span(start, end, entity)], [0])
        path = best_paths(crf, layer.emissions, tags.constraints)
        search_inside(layer, path, tags, self._pairs)  # excludes split pairs
        (whole,) = segment_marginals(
            crf,
            layer.emissions,
            tags.constraints,
            tags.segments([(0, end - start, entity)]),
            temperature=state.temperature,
        )
        return layer.emissions, float(np.log1p(-min(whole, 1 - 1e-12)))

    def _on_path(
        self, k: int, depth: int, log_prob: float, spans: Sequence[Span]
    ) -> list[_Scored]:
        """The n best analyses that have a path.

        spans: The entities on it.
        """
        best: list[_Scored] = [(log_prob, tuple(spans))]
        if depth + 1 < self._decoder.state.depth:
            for start, end, _ in spans:
                if end - start > 1:
                    inside = self.of_region(k, depth + 1, start, end)
                    best = _sums(best, inside, self._n)
        return best


def _sums(some: list[_Scored], others: list[_Scored], n: int) -> list[_Scored]:
    """The n largest sums of one of each, both sorted. The pair of the ones with the
    indices i and j has (i + 1) (j + 1) - 1 others before it."""
    return _largest(
        [
            (p + q, (*spans, *more))
            for i, (p, spans) in enumerate(some)
            for j, (q, more) in enumerate(others)
            if (i + 1) * (j + 1) <= n
        ],
        n,
    )


def _largest(analyses: Iterable[_Scored], n: int) -> list[_Scored]:
    return sorted(analyses, key=lambda scored: -scored[0])[:n]
