"""The best paths of all CRFs of a component whose entities may overlap."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc
from thinc.types import Floats2d, Ints1d, Ints2d

from ..tags import ScoredSpan, TagSet
from .nested_decoding import LabelEntities, NestedDecoder
from .nested_windows import resolve_windows


class NestedDecoding(NamedTuple):
    """The result of decoding a text of n units with K CRFs of T tags each."""

    #: (n, K · T) emission scores. Minus infinity excludes a tag, for pairs of brackets
    #: that would be split.
    emissions: Floats2d
    #: (K, n) the columns of the tags on the best path of each CRF; -1 where it reads
    #: nothing, since no entity of the layer before it is there.
    path: Ints2d
    #: The entities on the paths, in units.
    spans: list[ScoredSpan]


def decode_nested(decoder: NestedDecoder, docs: list[Doc]) -> Iterator[NestedDecoding]:
    """Yield the result for each document, without windows."""
    tags, depth = decoder.state.tags, decoder.state.depth
    for batch in decoder.batches(docs, None):
        search = decoder.search(batch)
        data = batch.emissions.dataXd
        path = np.full((len(search) * depth, len(data)), -1, dtype="int64")
        for k, found in enumerate(search):
            for layer_index, layer in enumerate(found.layers):
                crf = k * depth + layer_index
                ids = path_of_layer(found, layer_index, tags)
                for first, rows in zip(layer.in_batch, layer.rows, strict=True):
                    end = first + rows.stop - rows.start
                    path[crf, first:end] = ids[rows] + crf * len(tags)
        families = decoder.families(batch, search)
        for rows, some in zip(batch.rows, families, strict=True):
            yield NestedDecoding(data[rows], path[:, rows], resolve_windows(some))


def path_of_layer(found: LabelEntities, depth: int, tags: TagSet) -> Ints1d:
    """(M,) the path of a layer with the entities that were found in it."""
    layer = found.layers[depth]
    (entity,) = tags.labels
    spans = []
    for (start, end, _), outer, own in zip(
        found.spans, found.outer, found.depth, strict=True
    ):
        if own == depth:
            i = layer.sequence_of[outer] if depth else layer.sequences(start)
            shift = int(layer.starts[i] - layer.in_batch[i])
            spans.append((start + shift, end + shift, entity))
    return tags.ids_from_spans(spans, len(layer.emissions.dataXd)).astype("int64")
