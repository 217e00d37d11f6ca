"""Emission scores → entities that may overlap, and their probabilities.

Each label has a CRF, whose best path has the outermost entities of the label. A second
CRF of the label reads the units of each of these again, and finds the entities inside
of it, and so on. So the entities of one label are nested by construction; those of
different labels are found independently, and may overlap in any way.

An entity is not inside of itself: the path on which the inner CRF has one entity over
all units of the outer one is excluded. It is one path. So the search takes the second
best where it is the best one, and probabilities are conditional on all others:

    p₁(x | outer) = p(x) / (1 - p(all units are one entity))

The probability of an entity x is that of either of two events that exclude each other:
x is outermost, or the outer entity that was found is, and x is inside of it:

    p(x) = p₀(x) + p₀(outer) · p₁(x | outer)

and in the same way for further layers. All of these are exact sums over paths. What is
left out is that x may be inside of another outer entity than the one that was found, so
it is a lower bound for an entity that is not outermost.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from spacy.tokens import Doc
from thinc.types import Floats1d, Floats2d, Ints1d, Ragged

from ..layers.label_crfs import OneCRF
from ..layers.marginals import segment_marginals
from ..layers.viterbi import best_paths, n_best_paths
from ..tags import ScoredSpan, Span, TagSet
from .batch import Batch, DocsToScores, score_windows
from .brackets import Pair, best_path_keeping_brackets, split_pairs, unit_pairs
from .state import NestedState
from .windows import Window

# The path inside of an entity has two rules to keep: that of pairs of brackets, and
# that it is not this entity. They are applied in turn, at most so many times.
_ROUNDS = 4
#: An entity, and those inside of it with the same label.
Family = list[ScoredSpan]


@dataclass
class Layer:
    """What one CRF of a label has read: windows, or the units of outer entities.

    crf: The CRF.
    emissions: (M, T) the emission scores of S sequences. Minus infinity excludes a tag.
    in_batch: (S,) the row of the batch that each sequence begins at.
    sequence_of: The sequence of each outer entity; empty for windows.
    """

    crf: OneCRF
    emissions: Ragged
    in_batch: Ints1d
    sequence_of: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = self.emissions.lengths
        #: (S,) the first of the M rows of each sequence.
        self.starts = np.cumsum(lengths) - lengths

    @property
    def rows(self) -> Iterator[slice]:
        """Yield the rows of each sequence."""
        for start, length in zip(self.starts, self.emissions.lengths, strict=True):
            yield slice(int(start), int(start + length))

    def sequences(self, starts: Ints1d) -> Ints1d:
        """The sequence of each of its rows."""
        # Empty sequences begin at the row of the next one.
        found: Ints1d = np.searchsorted(self.starts, starts, side="right") - 1
        return found


@dataclass
class LabelEntities:
    """The entities of one label in a batch.

    label: The label.
    layers: What its CRFs have read.
    spans: (F,) the entities, in rows of the batch.
    outer: (F,) the index of the entity that contains each; -1 in the first layer.
    depth: (F,) the layer of each.
    """

    label: str
    layers: list[Layer] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    outer: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)

    def chain(self, i: int) -> list[int]:
        """Entity i after those that contain it, the outermost first; [] for -1."""
        found = []
        while i >= 0:
            found.append(i)
            i = self.outer[i]
        return found[::-1]

    def around(self, start: int, end: int) -> int:
        """The smallest larger entity around a span that another CRF has searched; -1 if
        there is none."""
        best = -1
        for depth in range(len(self.layers) - 1):
            # The entities of a layer are sorted, and do not overlap.
            low, high = (bisect_left(self.depth, d) for d in (depth, depth + 1))
            i = bisect_right(self.spans, start, low, high, key=lambda s: s.start) - 1
            if i < low or self.spans[i].end < end:
                break
            if self.spans[i].end - self.spans[i].start == end - start:
                break  # it is this entity
            best = i
        return best


@dataclass(frozen=True)
class NestedDecoder:
    """Decodes documents with the settings of a component.

    name: Name of the component, for error messages.
    model: The model, which gives emission scores.
    state: Labels, scheme, unit, temperature and depth.
    whole_brackets: Do not split pairs of brackets, see brackets.py.
    """

    name: str
    model: DocsToScores
    state: NestedState
    whole_brackets: bool

    def batches(
        self,
        docs: list[Doc],
        size: int | None,
        is_needed: Callable[[Window], bool] | None = None,
    ) -> Iterator[Batch]:
        """Yield batches of windows with their emission scores, see `score_windows`."""
        return score_windows(self.name, self.model, self.state, docs, size, is_needed)

    def search(self, batch: Batch) -> list[LabelEntities]:
        """Find the entities of each label.

        batch: The batch. To keep pairs of brackets together, tags are excluded from its
            emission scores.
        RETURNS: (labels,) what was found.
        """
        pairs = PairsInBatch(batch, self) if self.whole_brackets else None
        return [self._search(batch, k, pairs) for k in range(len(self.state.labels))]

    def _search(
        self, batch: Batch, k: int, pairs: "PairsInBatch | None"
    ) -> LabelEntities:
        """Find the entities of label number k, layer by layer."""
        found = LabelEntities(self.state.labels[k])
        data, tags = batch.emissions.dataXd, self.state.tags
        crfs = self.model.get_ref("crf")
        layer = _windows(OneCRF(crfs, k * self.state.depth), batch)
        path = best_paths(layer.crf, layer.emissions, tags.constraints)
        _add(found, layer, _keep_pairs(layer, path, tags, pairs), [])
        for depth in range(1, self.state.depth):
            outers = [
                i
                for i, span in enumerate(found.spans)
                if found.depth[i] == depth - 1 and span.end - span.start > 1
            ]
            if not outers:
                break
            crf = OneCRF(crfs, k * self.state.depth + depth)
            layer = entities_inside(crf, data, [found.spans[i] for i in outers], outers)
            path = best_paths(crf, layer.emissions, tags.constraints)
            spans = search_inside(layer, path, tags, pairs)
            _add(found, layer, spans, outers)
        return found

    def scores(
        self,
        found: LabelEntities,
        queries: Sequence[Span] = (),
        *,
        temperature: float | None = None,
    ) -> Floats1d:
        """The probabilities of entities, see above.

        found: The entities of a label.
        queries: Q other entities of this label, in rows of the batch, each of them in
            one window.
        temperature: All scores are divided by it. None: that of the component.
        RETURNS: (F + Q,) the probabilities of those that were found, and of the others.
        """
        return self._scores(found, queries, temperature)[0]

    def conditional(self, found: LabelEntities) -> Floats1d:
        """(F,) the probability of each entity that was found by the CRF of its layer,
        given that all that contain it exist."""
        return self._scores(found, (), None)[1]

    def _scores(
        self, found: LabelEntities, queries: Sequence[Span], temperature: float | None
    ) -> tuple[Floats1d, Floats1d]:
        """RETURNS: What `scores` and `conditional` do."""
        spans = [*found.spans, *queries]
        if not spans:
            return np.zeros(0), np.zeros(0)
        outer = [*found.outer, *(found.around(*span[:2]) for span in queries)]
        chains = [found.chain(i) for i in outer]
        total = np.zeros(len(spans))
        conditional = np.zeros(len(found.spans))
        # (F + Q,) of the outer entities in the layers before: that they all exist.
        p_outer = np.ones(len(spans))
        for depth, layer in enumerate(found.layers):
            here = [i for i, chain in enumerate(chains) if len(chain) >= depth]
            if not here:
                break
            if depth:
                last = [chains[i][depth - 1] for i in here]
                p_outer[here] *= conditional[last]
                sequences = [layer.sequence_of[i] for i in last]
            else:
                starts = np.array([spans[i].start for i in here])
                sequences = layer.sequences(starts).tolist()
            p = _marginals(
                layer,
                [spans[i] for i in here],
                sequences,
                self.state.tags,
                self.state.temperature if temperature is None else temperature,
                is_inside=depth > 0,
            )
            total[here] += p_outer[here] * p
            for i, value in zip(here, p, strict=True):
                if i < len(found.spans) and found.depth[i] == depth:
                    conditional[i] = value
        return np.clip(total, 0.0, 1.0), conditional

    def outside(self, batch: Batch, spans: Sequence[Span]) -> Floats1d:
        """The probabilities that no entity of any label has any of the units of a span:
        the product over the labels.

        batch: The batch.
        spans: Spans in rows of the batch.
        """
        product = np.ones(len(spans))
        units = [span._replace(label="") for span in spans]
        for k in range(len(self.state.labels)):
            layer = _windows(
                OneCRF(self.model.get_ref("crf"), k * self.state.depth), batch
            )
            sequences = layer.sequences(np.array([span.start for span in spans]))
            product *= _marginals(
                layer,
                units,
                sequences.tolist(),
                self.state.tags,
                self.state.temperature,
            )
        return product

    def decode(self, batch: Batch) -> list[list[Family]]:
        """Find the entities of each window of a batch with their probabilities, see
        `families`."""
        return self.families(batch, self.search(batch))

    def families(
        self, batch: Batch, search: Iterable[LabelEntities]
    ) -> list[list[Family]]:
        """The entities of each window with their probabilities.

        search: What `search` found.
        RETURNS: (B,) the outermost entities, in units of each window, each with those
            inside of it.
        """
        result: list[list[Family]] = [[] for _ in batch.windows]
        for found in search:
            if not found.spans:
                continue
            families: dict[int, Family] = {}
            scores = self.scores(found).tolist()
            layer = found.layers[0]
            starts = np.array([span.start for span in found.spans])
            sequences = layer.sequences(starts).tolist()
            for i, (span, score) in enumerate(zip(found.spans, scores, strict=True)):
                first = int(layer.in_batch[sequences[i]])
                entity = ScoredSpan(
                    span.start - first, span.end - first, found.label, score
                )
                if found.outer[i] < 0:
                    families[i] = [entity]
                    result[sequences[i]].append(families[i])
                else:
                    families[found.chain(i)[0]].append(entity)
        return result


def _windows(crf: OneCRF, batch: Batch) -> Layer:
    """The windows of a batch, as the first CRF of a label reads them."""
    lengths = np.asarray(batch.emissions.lengths)
    emissions = crf.emissions(batch.emissions.dataXd, lengths)
    return Layer(crf, emissions, np.cumsum(lengths) - lengths)


def entities_inside(
    crf: OneCRF, data: Floats2d, spans: Sequence[Span], outers: Iterable[int]
) -> Layer:
    """The units of entities, as another CRF of their label reads them.

    data: (N, K · T) the emission scores of the batch.
    spans: The entities, in rows of the batch.
    outers: Their indices.
    """
    lengths = np.array([end - start for start, end, _ in spans])
    rows = np.concatenate([np.arange(start, end) for start, end, _ in spans])
    return Layer(
        crf,
        Ragged(data[rows, crf.columns], lengths),
        np.array([start for start, _, _ in spans]),
        {outer: i for i, outer in enumerate(outers)},
    )


def _add(
    found: LabelEntities, layer: Layer, spans: list[Span], outers: Sequence[int]
) -> None:
    """Add the entities of a layer.

    spans: The entities, in rows of the layer.
    outers: The outer entity of each sequence; none in the first layer.
    """
    depth = len(found.layers)
    found.layers.append(layer)
    if not spans:
        return
    sequences = layer.sequences(np.array([span.start for span in spans]))
    shifts = (layer.in_batch - layer.starts)[sequences]
    for span, i, shift in zip(spans, sequences.tolist(), shifts.tolist(), strict=True):
        found.spans.append(Span(span.start + shift, span.end + shift, found.label))
        found.outer.append(outers[i] if outers else -1)
        found.depth.append(depth)


def search_inside(
    layer: Layer, path: Ints1d, tags: TagSet, pairs: "PairsInBatch | None"
) -> list[Span]:
    """Find the best path inside of outer entities: one that is not such an entity, and
    splits no pair of brackets.

    layer: The layer.
    path: (M,) its best path, changed in place.
    RETURNS: The entities on the path, in rows of the layer.
    """
    for _ in range(_ROUNDS):
        whole = _sequences_that_are_one_entity(layer, tags.spans_from_ids(path))
        for i, rows in whole:
            paths, log_probs = n_best_paths(
                layer.crf,
                Ragged(layer.emissions.dataXd[rows], layer.emissions.lengths[[i]]),
                tags.constraints,
                2,
            )
            path[rows] = paths[1] if np.isfinite(log_probs[0, 1]) else 0
        spans = _keep_pairs(layer, path, tags, pairs)
        whole = _sequences_that_are_one_entity(layer, spans)
        if not whole:
            return spans
    for _, rows in whole:
        path[rows] = 0
    return tags.spans_from_ids(path)


def _sequences_that_are_one_entity(
    layer: Layer, spans: Iterable[Span]
) -> list[tuple[int, slice]]:
    """The sequences of a layer all of whose units are one entity, with their rows."""
    if not spans:
        return []
    bounds = {(span.start, span.end) for span in spans}
    return [
        (i, rows)
        for i, rows in enumerate(layer.rows)
        if (rows.start, rows.stop) in bounds
    ]


def _keep_pairs(
    layer: Layer, path: Ints1d, tags: TagSet, pairs: "PairsInBatch | None"
) -> list[Span]:
    """Replace the paths of sequences that split a pair of brackets.

    path: (M,) the best path of the layer, changed in place, as are its emission scores.
    RETURNS: The entities on the path, in rows of the layer.
    """
    spans = tags.spans_from_ids(path)
    if not spans or pairs is None or not pairs.exist:
        return spans
    sequences = layer.sequences(np.array([span.start for span in spans])).tolist()
    is_changed = False
    rows = list(layer.rows)
    grouped = groupby(zip(sequences, spans, strict=True), key=lambda one: one[0])
    for i, some in grouped:
        own = rows[i]
        in_batch = int(layer.in_batch[i])
        here = pairs.between(in_batch, in_batch + own.stop - own.start)
        if not here:
            continue
        local = [
            Span(span.start - own.start, span.end - own.start, span.label)
            for _, span in some
        ]
        if split_pairs(here, local):
            path[own] = best_path_keeping_brackets(
                layer.crf, layer.emissions.dataXd[own], path[own], tags, here
            )
            is_changed = True
    return tags.spans_from_ids(path) if is_changed else spans


class PairsInBatch:
    """The pairs of brackets of a batch, in its rows."""

    def __init__(self, batch: Batch, decoder: NestedDecoder):
        units = decoder.state.units
        # By window, relative to its first row.
        self._pairs = [unit_pairs(window.doc, units) for window in batch.windows]
        self._starts = [rows.start for rows in batch.rows]
        #: Whether there are any.
        self.exist = any(self._pairs)

    def between(self, start: int, end: int) -> list[Pair]:
        """The pairs in a range of rows of one window, relative to its first one."""
        k = bisect_right(self._starts, start) - 1
        shift = start - self._starts[k]
        size = end - start
        return [
            (i - shift, j - shift)
            for i, j in self._pairs[k]
            if i - shift >= 0 and j - shift < size
        ]


def _marginals(
    layer: Layer,
    spans: Sequence[Span],
    sequences: Sequence[int],
    tags: TagSet,
    temperature: float,
    *,
    is_inside: bool = False,
) -> Floats1d:
    """The probabilities of entities in a layer.

    spans: Entities in rows of the batch. An empty label is for units outside of
        entities.
    sequences: The sequence of each.
    is_inside: Whether no sequence may be an entity as a whole.
    RETURNS: The probabilities, conditional on that.
    """
    shifts = layer.starts - layer.in_batch  # (S,)
    (entity,) = tags.labels
    asked: list[tuple[int, Span]] = [
        (i, Span(s.start + shift, s.end + shift, s.label and entity))
        for s, i, shift in zip(
            spans, sequences, shifts[list(sequences)].tolist(), strict=True
        )
    ]
    if is_inside:
        rows = list(layer.rows)
        asked += [
            (i, Span(rows[i].start, rows[i].stop, entity)) for i in set(sequences)
        ]
    # The kernel takes the segments of one sequence after the other.
    order = sorted(range(len(asked)), key=lambda k: asked[k][0])
    found = np.empty(len(asked))
    found[order] = segment_marginals(
        layer.crf,
        layer.emissions,
        tags.constraints,
        tags.segments([asked[k][1] for k in order]),
        temperature=temperature,
    )
    if not is_inside:
        return found
    p_whole = np.zeros(len(rows))
    p_whole[[i for i, _ in asked[len(spans) :]]] = found[len(spans) :]
    rest = 1 - p_whole[list(sequences)]
    p = found[: len(spans)]
    return np.clip(np.divide(p, rest, out=np.zeros_like(p), where=rest > 0), 0.0, 1.0)
