"""Hidden units ranked by how closely they follow the entities of a type."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats2d, Floats3d

from ..layers.recording import States, record_states
from ..pipeline import LSTMEntityRecognizer
from .access import find_component, lstm_cells, run_preceding_pipes

_BATCH_SIZE = 64


class RankedUnit(NamedTuple):
    """A hidden unit, and how closely it follows the entities of a type."""

    label: str
    layer: int  # from 0
    direction: int  # 0: forward, 1: backward
    unit: int  # from 0, within its direction
    correlation: float  # from -1 to 1


def rank_units(
    nlp: Language,
    docs: Doc | Iterable[Doc],
    *,
    state: str = "hidden",
    component: str | None = None,
) -> dict[str, list[RankedUnit]]:
    """Rank the hidden units of an LSTM by how closely they follow the entities of each
    type: by the absolute value of Pearson's correlation between the value of a unit and
    being inside an entity of the type (1) or not (0), over all characters (tokens) of a
    corpus.

        corpus = DocBin().from_disk("corpus/dev.spacy").get_docs(nlp.vocab)
        rank_units(nlp, corpus)["ORG"][0]

    nlp: The pipeline.
    docs: The corpus, with gold entities, or with the entities that a pipeline has
        predicted; for `lstm_nested_ner` in its span group. The pipeline processes its
        texts again.
    state: The value of a unit: "hidden" or "cell", or a gate, as in `Gates.layers`.
    component: Name of the component; default: the first `lstm_ner`, or else
        `lstm_nested_ner`.
    RETURNS: All hidden units for each type, those with the largest absolute correlation
        first.
    RAISES (ValueError): If there is no such state or component, the component is not
        trained or has no LSTM, or the corpus contains no entities.
    """
    if state not in States._fields:
        raise ValueError(f"Unknown state {state!r}: use {', '.join(States._fields)}.")
    name, ner = find_component(nlp, component)
    is_flat = isinstance(ner, LSTMEntityRecognizer)
    key = None if is_flat else ner.spans_key
    cells = lstm_cells(nlp, ner)
    sums: _Sums | None = None
    hidden_units: list[tuple[int, int, int]] = []
    annotated = (doc for doc in ([docs] if isinstance(docs, Doc) else docs) if doc.text)
    while batch := list(islice(annotated, _BATCH_SIZE)):
        with record_states(cells) as layers:
            new_docs = [nlp.make_doc(doc.text) for doc in batch]
            new_docs = run_preceding_pipes(nlp, new_docs, name)
            ner.decode(new_docs)
        values = [getattr(layer, state) for layer in layers]
        # (N, hidden units) of all layers.
        x = np.hstack([direction for value in values for direction in value])
        if sums is None:
            sums, hidden_units = _Sums(x.shape[1]), _hidden_units(values)
        start = 0
        for doc, new in zip(batch, new_docs, strict=True):
            offsets = ner.state.units.offsets(new)
            sums.add(x[start : start + len(offsets)], _inside(doc, offsets, key))
            start += len(offsets)
    if sums is None or not sums.labels:
        raise ValueError("The corpus contains no entities to rank hidden units by.")
    return {
        label: [
            RankedUnit(label, *hidden_unit, r)
            for r, hidden_unit in sorted(
                zip(correlation.tolist(), hidden_units, strict=True),
                key=lambda ranked: -abs(ranked[0]),
            )
        ]
        for label, correlation in sums.correlations()
    }


def _hidden_units(values: list[Floats3d]) -> list[tuple[int, int, int]]:
    """The layer, direction and index of each hidden unit.

    values: For each layer (directions, N, hidden units).
    """
    return [
        (layer, direction, unit)
        for layer, array in enumerate(values)
        for direction in range(len(array))
        for unit in range(array.shape[2])
    ]


def _inside(
    doc: Doc, offsets: list[tuple[int, int]], key: str | None
) -> dict[str, np.ndarray]:
    """(n,) bool for each label: whether a unit has a character in such an entity.

    key: The span group of the entities; ``doc.ents`` if it is None, or is not there.
    """
    characters: dict[str, np.ndarray] = {}
    for ent in doc.ents if key is None else doc.spans.get(key, doc.ents):
        mask = characters.setdefault(ent.label_, np.zeros(len(doc.text) + 1))
        mask[ent.start_char : ent.end_char] = 1
    starts, ends = np.array(offsets).T
    inside = {}
    for label, mask in characters.items():
        before = np.concatenate(([0], mask.cumsum()))
        inside[label] = before[ends] > before[starts]
    return inside


class _Sums:
    """Sums from which correlations are computed, so that a corpus of any size can be
    processed in batches."""

    def __init__(self, width: int):
        self.n = 0
        self.x = np.zeros(width)
        self.xx = np.zeros(width)
        self.counts: dict[str, int] = {}
        self.xy: dict[str, np.ndarray] = {}

    @property
    def labels(self) -> list[str]:
        return sorted(self.counts)

    def add(self, x: Floats2d, inside: dict[str, np.ndarray]) -> None:
        """Add the rows (n, units) of a document."""
        x = x.astype("float64")
        self.n += len(x)
        self.x += x.sum(axis=0)
        self.xx += (x * x).sum(axis=0)
        for label, mask in inside.items():
            self.counts[label] = self.counts.get(label, 0) + int(mask.sum())
            xy = self.xy.setdefault(label, np.zeros(x.shape[1]))
            xy += x[mask].sum(axis=0)

    def correlations(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield for each label (units,) the correlations; 0 for a unit that never
        changes."""
        variance = self.xx - self.x**2 / self.n
        for label in self.labels:
            y = self.counts[label]
            product = variance * (y - y * y / self.n)
            covariance = self.xy[label] - self.x * y / self.n
            zero = np.zeros_like(product)
            scale = np.sqrt(product, out=zero.copy(), where=product > 1e-12)
            yield label, np.divide(covariance, scale, out=zero, where=scale > 0)
