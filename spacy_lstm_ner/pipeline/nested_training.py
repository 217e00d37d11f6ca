"""The loss of gold annotation with entities that may overlap.

It is the sum of the negative log-likelihoods of all CRFs. The first CRF of a label
reads the text, and its gold path has the outermost entities of the label; the next one
reads the units of each of these, and its gold paths have the entities inside of them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from spacy.training import Example
from thinc.api import Model
from thinc.types import Floats1d, Floats2d, Ints1d, Ragged

from ..data.nesting import annotated_spans, unknown_tokens
from ..data.soft_targets import has_soft_targets
from ..layers.crf_loss import crf_loss, softmax_loss
from ..layers.label_crfs import OneCRF
from ..model.units import MISSING, in_characters
from ..tags import Span, TagSet
from ..tags.nesting import nest
from .batch import Batch, whole_docs
from .incorrect_spans import exclude_spans
from .state import NestedState
from .training import allowed_tags, name_batch, unknown_label, weights_of


class Annotation(NamedTuple):
    """The annotation of a text of n units."""

    #: The entities, in units.
    spans: list[Span]
    #: (n,) bool: the units whose annotation is missing.
    unknown: np.ndarray
    #: The units that may be part of an entity of a label which cannot be aligned with
    #: them: start, end and label.
    misaligned: list[Span]


def annotation(state: NestedState, example: Example, spans_key: str) -> Annotation:
    """The gold annotation of the predicted Doc of an example, in units.

    state: The unit of the component.
    spans_key: The span group, see `annotated_spans`.
    """
    doc, reference, units = example.predicted, example.reference, state.units
    gold = annotated_spans(reference, spans_key)
    unknown = unknown_tokens(reference, spans_key)
    spans = units.aligned_spans(example, gold)
    n = units.count(doc)
    mask = np.zeros(n, dtype=bool)
    misaligned: list[Span] = []
    if doc.text == reference.text:
        for token in np.flatnonzero(unknown).tolist():
            start = reference[token].idx
            end = start + len(reference[token].text_with_ws)
            found = units.from_characters(doc, start, end, "expand")
            if found is not None:
                mask[slice(*found)] = True
        if len(spans) < len(gold):
            known = {(s.start, s.end, s.label) for s in spans}
            for span in gold:
                place = units.from_characters(
                    doc, span.start_char, span.end_char, "expand"
                )
                if place is not None and (*place, span.label_) not in known:
                    misaligned.append(Span(*place, span.label_))
        return Annotation(spans, mask, misaligned)
    # The texts differ in white space. A token without counterpart is unknown.
    aligned = example.alignment.x2y
    starts = units.token_starts(doc).tolist()
    for i, (start, end) in enumerate(zip(starts, [*starts[1:], n], strict=True)):
        tokens = aligned[i]
        mask[start:end] = not len(tokens) or unknown[tokens].any()
    return Annotation(spans, mask, misaligned)


def nested_loss(
    name: str,
    model: Model,
    state: NestedState,
    examples: list[Example],
    scores: list[Floats2d],
    spans_key: str,
    incorrect_spans_key: str | None,
) -> tuple[float, list[Floats2d]]:
    """The negative log-likelihood of the gold annotation, see
    `LSTMNestedEntityRecognizer.get_loss`."""
    if any(has_soft_targets(eg.reference) for eg in examples):
        raise ValueError(
            f"[{name}] lstm_nested_ner cannot learn from soft targets, which are of "
            f"the tags of lstm_ner: write the data without them (lstm-ner distill "
            f"--hard)."
        )
    batch = whole_docs(name, model, state, [eg.predicted for eg in examples], scores)
    gold = _Gold(name, state, batch, examples, spans_key, incorrect_spans_key)
    weights = weights_of(examples)
    data, lengths = batch.emissions.dataXd, np.asarray(batch.emissions.lengths)
    d_scores = model.ops.xp.zeros_like(data)
    total = 0.0
    with name_batch(name, batch):
        for k, label in enumerate(state.labels):
            sequences = _Sequences(
                np.arange(len(data)), lengths, gold.of(label), weights, state.tags
            )
            for depth in range(state.depth):
                crf = OneCRF(model.get_ref("crf"), k * state.depth + depth)
                total += sequences.add_loss(crf, data, d_scores)
                if depth + 1 < state.depth:
                    sequences = sequences.inside()
                    if not len(sequences.rows):
                        break
    return total, batch.split(d_scores)


class _LabelGold(NamedTuple):
    """The annotation of one label in a batch, in its rows."""

    #: The entities; of those that cross, the longest ones.
    spans: list[Span]
    outer: list[int]
    depth: list[int]
    #: (N,) bool: where the annotation of this label is missing.
    unknown: np.ndarray
    #: Spans that are known to be no entities of this label.
    incorrect: list[Span]


class _Gold:
    """The annotation of a batch."""

    def __init__(
        self,
        name: str,
        state: NestedState,
        batch: Batch,
        examples: list[Example],
        spans_key: str,
        incorrect_spans_key: str | None,
    ):
        found = [annotation(state, eg, spans_key) for eg in examples]
        self._unknown = np.concatenate([one.unknown for one in found])
        self._spans = _by_label(batch.join_spans(one.spans for one in found))
        self._misaligned = _by_label(batch.join_spans(one.misaligned for one in found))
        for label in self._spans.keys() | self._misaligned.keys():
            if label not in state.labels:
                raise unknown_label(name, label, state)
        self._incorrect = _by_label(
            batch.join_spans(
                _incorrect_spans(name, state, eg, one.spans, incorrect_spans_key)
                for eg, one in zip(examples, found, strict=True)
            )
        )

    def of(self, label: str) -> _LabelGold:
        """The annotation of a label."""
        nesting = nest(self._spans.get(label, ()))
        unknown = self._unknown
        # What cannot be learned is missing, rather than outside of entities.
        lost = [*self._misaligned.get(label, ()), *nesting.crossing]
        if lost:
            unknown = unknown.copy()
            for start, end, _ in lost:
                unknown[start:end] = True
        return _LabelGold(
            nesting.spans,
            nesting.outer,
            nesting.layer,
            unknown,
            self._incorrect.get(label, []),
        )


def _by_label(spans: Iterable[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.label, []).append(span)
    return found


def _incorrect_spans(
    name: str, state: NestedState, example: Example, gold: list[Span], key: str | None
) -> list[Span]:
    """The spans that are known not to be entities, in units, as in training.py."""
    if key is None or key not in example.reference.spans:
        return []
    found = state.units.aligned_spans(example, list(example.reference.spans[key]))
    both = set(gold).intersection(found)
    for start, end, label in in_characters(state.units, example.predicted, both):
        raise ValueError(
            f"[{name}] {example.predicted.text[start:end]!r} is annotated as {label}, "
            f'and also marked as incorrect in doc.spans["{key}"]: remove it from one '
            f"of them."
        )
    return [s for s in found if s.label in state.labels and s.start < s.end]


class _Sequences:
    """The sequences that one CRF of a label reads, with their annotation.

    rows: (M,) the row of the batch of each unit, one sequence after the other.
    lengths: (S,).
    gold: The annotation of the label.
    weights: (S,) the weights of the sequences. None: all are 1.
    tags: The tags of the CRF.
    outers: (S,) the entity that each sequence has the units of; None for texts.
    """

    def __init__(
        self,
        rows: Ints1d,
        lengths: Ints1d,
        gold: _LabelGold,
        weights: Floats1d | None,
        tags: TagSet,
        outers: list[int] | None = None,
    ):
        self.rows = rows
        self.lengths = lengths
        self.gold = gold
        self.weights = weights
        self.tags = tags
        self.outers = outers
        self.starts = np.cumsum(lengths) - lengths
        self.depth = 0 if outers is None else gold.depth[outers[0]] + 1 if outers else 0

    def _own(self) -> Iterator[tuple[int, Span]]:
        """Yield the entities in this layer and their indices, in rows of the layer."""
        (entity,) = self.tags.labels
        sequence_of = {outer: i for i, outer in enumerate(self.outers or ())}
        for k, (start, end, _) in enumerate(self.gold.spans):
            if self.gold.depth[k] != self.depth:
                continue
            shift = 0
            if self.outers is not None:
                outer = self.gold.outer[k]
                shift = self.starts[sequence_of[outer]] - self.gold.spans[outer].start
            yield k, Span(start + shift, end + shift, entity)

    def add_loss(self, crf: OneCRF, data: Floats2d, d_data: Floats2d) -> float:
        """Compute the loss of the layer.

        data: (N, K · T) the emission scores of the batch.
        d_data: Their gradient, to which that of this layer is added.
        RETURNS: The loss.
        """
        is_text = self.outers is None
        rows = data[:, crf.columns] if is_text else data[self.rows, crf.columns]
        emissions = Ragged(rows, self.lengths)
        allowed, incorrect = self._annotation()
        if incorrect:
            loss, gradient = crf_loss(
                crf,
                emissions,
                exclude_spans(self.tags, allowed, incorrect),
                self.tags.constraints,
                self.weights,
            )
        elif crf.attrs["learned"]:
            loss, gradient = crf_loss(
                crf, emissions, allowed, self.tags.constraints, self.weights
            )
        else:
            loss, gradient = softmax_loss(emissions, allowed, self.weights)
        if is_text:
            d_data[:, crf.columns] += gradient
        else:
            # No unit is in two sequences of a layer.
            d_data[self.rows, crf.columns] += gradient
        return loss

    def _annotation(self) -> tuple[np.ndarray, list[Span]]:
        """RETURNS: (M, T) bool, the tags that agree with the annotation, and spans that
        are no entities, in rows of the layer."""
        unknown = self.gold.unknown[self.rows]
        own = [span for _, span in self._own()]
        ids = self.tags.ids_from_spans(own, len(self.rows))
        ids[unknown & (ids == 0)] = MISSING
        (entity,) = self.tags.labels
        incorrect: list[Span] = []
        if self.outers is None:
            incorrect = [span._replace(label=entity) for span in self.gold.incorrect]
        else:
            for i, outer in enumerate(self.outers):
                start, end, _ = self.gold.spans[outer]
                shift = self.starts[i] - start
                incorrect += [
                    Span(s.start + shift, s.end + shift, entity)
                    for s in self.gold.incorrect
                    if start <= s.start and s.end <= end
                ]
                # An entity is not inside of itself.
                if unknown[self.starts[i] : self.starts[i] + self.lengths[i]].any():
                    incorrect.append(Span(start + shift, end + shift, entity))
        return allowed_tags(self.tags, ids), incorrect

    def inside(self) -> "_Sequences":
        """The sequences that the next CRF of the label reads: the units of each entity
        of this layer that has more than one."""
        outers, parts, weights = [], [], []
        owner = np.repeat(np.arange(len(self.lengths)), self.lengths)
        for k, span in self._own():
            if span.end - span.start > 1:
                outers.append(k)
                parts.append(self.rows[span.start : span.end])
                weights.append(owner[span.start])
        rows = np.concatenate(parts) if parts else np.zeros(0, dtype="int64")
        return _Sequences(
            rows,
            np.array([len(part) for part in parts], dtype="int64"),
            self.gold,
            None if self.weights is None else self.weights[weights],
            self.tags,
            outers,
        )
