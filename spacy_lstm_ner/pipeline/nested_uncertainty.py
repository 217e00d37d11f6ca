"""How certain a component is whose entities may overlap: see uncertainty.py. All of it
is computed layer by layer, inside of the entities that were found."""

import numpy as np
from spacy.tokens import Doc
from thinc.types import Floats1d, Ints1d

from ..layers.marginals import segment_marginals, tag_marginals
from ..layers.viterbi import path_scores
from ..tags import ScoredSpan, TagSet
from .nested_decoding import Layer, NestedDecoder
from .nested_paths import path_of_layer
from .nested_windows import families_from_core, resolve_windows
from .uncertainty import Uncertainty


def measure_nested_uncertainty(
    decoder: NestedDecoder, docs: list[Doc], window: int | None
) -> list[Uncertainty]:
    """How certain a component is of documents, see
    `LSTMNestedEntityRecognizer.uncertainty`."""
    lengths = [decoder.state.units.count(doc) for doc in docs]
    log_probabilities, expected = [0.0] * len(docs), [0.0] * len(docs)
    families: list[list[list[ScoredSpan]]] = [[] for _ in docs]
    tags = decoder.state.tags
    for batch in decoder.batches(docs, window):
        search = decoder.search(batch)
        for part, found in zip(
            batch.windows, decoder.families(batch, search), strict=True
        ):
            families[part.doc_index].extend(families_from_core(part, found))
        starts = np.array([rows.start for rows in batch.rows])
        for entities in search:
            p_all = decoder.conditional(entities)
            for depth, layer in enumerate(entities.layers):
                if not len(layer.emissions.dataXd):
                    continue
                path = path_of_layer(entities, depth, tags)
                log_p, begins = _of_layer(
                    layer, path, tags, decoder.state.temperature, is_inside=depth > 0
                )
                # That the outer entities of each sequence all exist.
                p_outer = np.ones(len(layer.in_batch))
                for outer, i in layer.sequence_of.items():
                    p_outer[i] = np.prod([p_all[k] for k in entities.chain(outer)])
                owners = np.searchsorted(starts, layer.in_batch, side="right") - 1
                for i, rows in enumerate(layer.rows):
                    length = rows.stop - rows.start
                    if not length:
                        continue
                    part = batch.windows[i if depth == 0 else int(owners[i])]
                    first = int(layer.in_batch[i] - starts[owners[i]])
                    core = [unit - part.offset for unit in part.core]
                    if depth == 0:
                        # Windows overlap: a unit counts for the one whose core has it.
                        inside = begins[rows][core[0] : core[1]].sum()
                        share = (core[1] - core[0]) / length
                    else:
                        share = float(core[0] <= first < core[1])
                        inside = begins[rows].sum() * share
                    expected[part.doc_index] += float(p_outer[i] * inside)
                    log_probabilities[part.doc_index] += min(float(log_p[i]), 0) * share
    return [
        Uncertainty(*values)
        for values in zip(
            lengths,
            log_probabilities,
            map(resolve_windows, families),
            expected,
            strict=True,
        )
    ]


def _of_layer(
    layer: Layer, path: Ints1d, tags: TagSet, temperature: float, *, is_inside: bool
) -> tuple[Floats1d, Floats1d]:
    """RETURNS: (S,) the logarithm of the probability of the path of each sequence; and
    (M,) the probability that an entity begins at each row. If no sequence may be an
    entity as a whole, they are conditional on that."""
    marginals, log_z = tag_marginals(
        layer.crf, layer.emissions, tags.constraints, temperature=temperature
    )
    begins = marginals[:, tags.opens].sum(axis=1)
    not_empty = np.flatnonzero(layer.emissions.lengths)
    log_p = -log_z
    log_p[not_empty] += (
        path_scores(layer.crf, layer.emissions[not_empty], path) / temperature
    )
    if is_inside:
        (entity,) = tags.labels
        rows = list(layer.rows)
        whole = segment_marginals(
            layer.crf,
            layer.emissions,
            tags.constraints,
            tags.segments([(r.start, r.stop, entity) for r in rows]),
            temperature=temperature,
        )
        whole = np.minimum(whole, 1 - 1e-12)
        log_p -= np.log1p(-whole)
        for one, p in zip(rows, whole.tolist(), strict=True):
            begins[one.start] -= p
            begins[one] /= 1 - p
    return log_p, begins.clip(0, 1)
