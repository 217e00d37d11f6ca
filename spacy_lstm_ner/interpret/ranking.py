"""Which hidden units follow the entities of a type."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats2d

from ..layers.recording import States, record_states
from .access import find_component, lstm_cells, prepared

_BATCH = 64


class RankedUnit(NamedTuple):
    """A hidden unit, and how well it tells entities of a type from all else."""

    label: str
    layer: int  # from 0
    direction: int  # 0: reads forwards, 1: backwards
    unit: int  # from 0, within its direction
    correlation: float  # -1 to 1


def rank_units(
    nlp: Language,
    docs: Doc | Iterable[Doc],
    *,
    state: str = "hidden",
    component: str | None = None,
) -> dict[str, list[RankedUnit]]:
    """Rank hidden units by how well they follow the entities of each type: by Pearson's
    correlation of their value with being inside of such an entity (1) or not (0), over
    all characters (tokens) of a corpus.

        corpus = DocBin().from_disk("corpus/dev.spacy").get_docs(nlp.vocab)
        rank_units(nlp, corpus)["ORG"][0]

    nlp (Language): The pipeline, which reads the texts anew.
    docs (Doc | Iterable[Doc]): The corpus: annotated, to see what the units have to do
        with the truth; or read by the pipeline, to see what they have to do with its
        output.
    state (str): Which value of a unit: "hidden" or "cell", or one of the gates, as they
        are named in `Gates.layers`.
    component (str | None): Name of the component; default: the first `lstm_ner`.
    RETURNS (dict[str, list[RankedUnit]]): For each type all units, the largest
        correlation first, whatever its sign.
    RAISES (ValueError): For a state that there is not, a corpus without entities, or a
        pipeline as `open_gates` refuses it.
    """
    if state not in States._fields:
        raise ValueError(f"No state {state!r}: there are {', '.join(States._fields)}.")
    name, ner = find_component(nlp, component)
    cells = lstm_cells(nlp, ner)
    units = ner.state.units
    sums: _Sums | None = None
    shapes: list[tuple[int, int]] = []
    docs = [docs] if isinstance(docs, Doc) else docs
    annotated = (doc for doc in docs if doc.text)
    while batch := list(islice(annotated, _BATCH)):
        with record_states(cells) as layers:
            read = prepared(nlp, [nlp.make_doc(doc.text) for doc in batch], name)
            ner.decode(read)
        values = [getattr(layer, state) for layer in layers]
        shapes = [(len(v), v.shape[2]) for v in values]
        # All units of all layers side by side: (N, units).
        x = np.hstack([direction for value in values for direction in value])
        sums = sums or _Sums(x.shape[1])
        start = 0
        for doc, new in zip(batch, read, strict=True):
            places = units.offsets(new)
            sums.add(x[start : start + len(places)], _inside(doc, places))
            start += len(places)
    if sums is None or not sums.labels:
        raise ValueError("There are no entities in the corpus to rank units by.")
    owners = [
        (layer, direction, unit)
        for layer, (directions, width) in enumerate(shapes)
        for direction in range(directions)
        for unit in range(width)
    ]
    return {
        label: [
            RankedUnit(label, layer, direction, unit, r)
            for r, (layer, direction, unit) in sorted(
                zip(correlation.tolist(), owners, strict=True),
                key=lambda ranked: -abs(ranked[0]),
            )
        ]
        for label, correlation in sums.correlations()
    }


def _inside(doc: Doc, places: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """(n,) bool for each label: which units have a character in such an entity."""
    characters: dict[str, np.ndarray] = {}
    for ent in doc.ents:
        mask = characters.setdefault(ent.label_, np.zeros(len(doc.text) + 1))
        mask[ent.start_char : ent.end_char] = 1
    starts, ends = np.array(places).T
    inside = {}
    for label, mask in characters.items():
        before = np.concatenate(([0], mask.cumsum()))
        inside[label] = before[ends] > before[starts]
    return inside


class _Sums:
    """What correlations are computed from, so that a corpus need not fit in memory."""

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
        """For each label (units,). A unit that never changes has 0."""
        variance = self.xx - self.x**2 / self.n
        for label in self.labels:
            y = self.counts[label]
            product = variance * (y - y * y / self.n)
            covariance = self.xy[label] - self.x * y / self.n
            zero = np.zeros_like(product)
            scale = np.sqrt(product, out=zero.copy(), where=product > 1e-12)
            yield label, np.divide(covariance, scale, out=zero, where=scale > 0)
