"""Preset entities: those that are in ``doc.ents`` before the component runs.

Unless `overwrite` is set, they are kept, as are blocked spans, and the best path is one
that contains them. Entities with a label that is unknown to the component, and blocked
spans, have the tag "O" on this path.
"""

from collections.abc import Iterable

import numpy as np
from spacy.tokens import Doc

from ..tags import Span
from .batch import Batch
from .state import State


def has_preset(doc: Doc, overwrite: bool) -> bool:
    """Return whether a document has preset annotation that is kept."""
    return not overwrite and doc.has_annotation("ENT_IOB")


def preset_spans(doc: Doc, state: State) -> list[Span]:
    """The preset entities of a document whose labels are known, in units."""
    return [s for s in state.units.from_spans(doc.ents) if s.label in state.labels]


def without_preset(doc: Doc, spans: list[Span], state: State) -> list[Span]:
    """The entities of a path that are not preset."""
    preset = preset_spans(doc, state)
    return [span for span in spans if span not in preset] if preset else spans


def clamp_preset(batch: Batch, docs: Iterable[int], state: State) -> None:
    """Exclude all paths without the preset entities, by minus infinity in the emission
    scores.

    batch: The batch, which is changed in place.
    docs: The indices of the windows that have preset entities.
    state: Labels, scheme and unit.
    """
    tags, units = state.tags, state.units
    rows = batch.rows
    for i in docs:
        doc, scores = batch.windows[i].doc, batch.emissions.dataXd[rows[i]]
        preset = preset_spans(doc, state)
        ids = tags.ids_from_spans(preset, len(scores))
        clamped = units.occupied(doc) | (ids > 0)
        others = np.not_equal.outer(ids, np.arange(scores.shape[1]))
        scores[clamped[:, None] & others] = -np.inf
        # In BIO an entity could be continued after its last unit.
        segments = tags.segments(preset)
        inside = segments.ends < len(scores)
        scores[segments.ends[inside], segments.continuation[inside]] = -np.inf
