"""Write entities that may overlap to a span group, and some of them to ``doc.ents``."""

import numpy as np
from spacy.tokens import Doc, Span

from ..model.units import Units, in_characters
from ..tags import ScoredSpan
from ..tags.nesting import choose_flat
from .annotating import EntityGroup, annotate


def annotate_spans(
    doc: Doc,
    spans: list[ScoredSpan],
    units: Units,
    *,
    alignment_mode: str,
    spans_key: str,
) -> None:
    """Write entities to a span group, which replaces one that is there.

    doc: The document.
    spans: The entities, in units.
    units: The kind of units.
    alignment_mode: How to align an entity that begins or ends inside a token. If
        several with one label are aligned with the same tokens, the most probable one
        is kept.
    spans_key: The key of ``doc.spans``.
    """
    found = units.to_spans(doc, (span[:3] for span in spans), alignment_mode)
    best: dict[tuple[int, int, int], tuple[Span, float]] = {}
    unplaced: list[ScoredSpan] = []
    for scored, span in zip(spans, found, strict=True):
        if span is None:
            unplaced.append(scored)
            continue
        key = span.start, span.end, span.label
        if key not in best or best[key][1] < scored.score:
            best[key] = span, scored.score
    kept = list(best.values())
    doc.spans[spans_key] = EntityGroup(
        doc,
        name=spans_key,
        spans=[span for span, _ in kept],
        attrs={
            "scores": np.array([score for _, score in kept], dtype="float64"),
            "offsets": [[s.start_char, s.end_char, s.label_] for s, _ in kept],
            "unplaced": [list(one) for one in in_characters(units, doc, unplaced)],
        },
    )


def annotate_ents(
    doc: Doc,
    spans: list[ScoredSpan],
    units: Units,
    *,
    by: str,
    alignment_mode: str,
    keep_preset: bool,
) -> None:
    """Write entities that do not overlap to ``doc.ents``.

    spans: The entities, in units.
    by: Which of those that overlap, see `choose_flat`.
    keep_preset: Keep entities that are in ``doc.ents`` already, and blocked spans.
    """
    annotate(
        doc,
        choose_flat(spans, by),
        units,
        alignment_mode=alignment_mode,
        keep_preset=keep_preset,
        spans_key=None,
    )
