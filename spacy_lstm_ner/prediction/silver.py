"""Silver annotation: what teachers agree on, and are certain of, as the annotation of a
Doc. Everything else stays without annotation."""

from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan
from thinc.types import Floats1d

from ..data.soft_targets import set_soft_targets
from ..pipeline.distributions import Distributions
from ..pipeline.soft_targets import mean_targets
from ..tags import Span
from .teachers import Teacher


class Silver(NamedTuple):
    """A text that teachers have annotated.

    doc: The Doc with the annotation.
    unsure: Number of entities that a teacher has predicted, and that are not annotated.
    missing: Number of tokens without annotation.
    """

    doc: Doc
    unsure: int
    missing: int


def silver(
    teachers: list[Teacher],
    nlp: Language,
    texts: list[str],
    *,
    threshold: float,
    soft: bool,
) -> list[Silver]:
    """Annotate texts.

    teachers: The teachers.
    nlp: Its tokenizer makes the Docs.
    texts: The texts.
    threshold: Minimum probability, on average over the teachers, of an entity, and of
        a token to be outside of entities.
    soft: Store the soft targets of the teachers.
    RETURNS: The annotation of each text.
    RAISES (DataError): As `Teacher.predict`.
    RAISES (ValueError): As `Teacher.predict`, or if the tokenizer changes a text.
    """
    predictions = [teacher.predict(texts, soft=soft) for teacher in teachers]
    candidates = [
        sorted({Span(*entity[:3]) for found in by_teacher for entity in found})
        for by_teacher in zip(*(p.entities for p in predictions), strict=True)
    ]
    scores = [p.probabilities(candidates) for p in predictions]
    targets = [
        p.soft_targets() for p in predictions if soft and isinstance(p, Distributions)
    ]
    annotated = []
    for i, text in enumerate(texts):
        doc = nlp.make_doc(text)
        if doc.text != text:
            raise ValueError(f"the tokenizer changes the text: {text[:40]!r}")
        p = np.mean([of_teacher[i] for of_teacher in scores], axis=0)
        outside = np.mean([each.outside[i] for each in predictions], axis=0)
        certain = [s for s, q in zip(candidates[i], p, strict=True) if q >= threshold]
        n = _annotate(doc, certain, outside, threshold)
        missing = int((doc.to_array("ENT_IOB") == 0).sum())
        if soft:
            set_soft_targets(doc, mean_targets(of_teacher[i] for of_teacher in targets))
        annotated.append(Silver(doc, len(candidates[i]) - n, missing))
    return annotated


def _annotate(
    doc: Doc, entities: list[Span], outside: Floats1d, threshold: float
) -> int:
    """Set the entities of a Doc.

    entities: The certain ones, by character offsets, sorted.
    outside: The probability of each character that it is in no entity.
    RETURNS: How many entities were set: not those that overlap, which only span groups
        can, and not those that begin or end inside a token.
    """
    overlapping = {s for pair in _overlaps(entities) for s in pair}
    found = (doc.char_span(*s) for s in entities if s not in overlapping)
    ents = [ent for ent in found if ent is not None]
    occupied = {token.i for ent in ents for token in ent}
    known = [
        token.i not in occupied
        and bool((outside[token.idx : token.idx + len(token)] >= threshold).all())
        for token in doc
    ]
    edges = np.flatnonzero(np.diff(known, prepend=False, append=False)).tolist()
    runs = [
        DocSpan(doc, start, end)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    doc.set_ents(ents, outside=runs, default="missing")
    return len(ents)


def _overlaps(entities: list[Span]) -> list[tuple[Span, Span]]:
    """Pairs of entities that overlap. Each entity that overlaps another one is in at
    least one pair."""
    found = []
    longest = None  # the one that ends last, so far
    for entity in entities:
        if longest is not None and entity.start < longest.end:
            found.append((longest, entity))
        if longest is None or entity.end > longest.end:
            longest = entity
    return found
