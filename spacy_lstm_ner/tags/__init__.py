"""Entity spans, tag schemes, and the tag sets of models."""

from .notation import Notation, detect_notation
from .schemes import (
    FILE_SCHEMES,
    MODEL_SCHEMES,
    OUTSIDE,
    SCHEME_ALIASES,
    TaggedSpans,
    TagProblem,
    detect_scheme,
    n_tags,
    spans_from_tags,
    split_tag,
)
from .spans import ScoredSpan, Span
from .tag_set import TagSet

__all__ = [
    "FILE_SCHEMES",
    "MODEL_SCHEMES",
    "OUTSIDE",
    "SCHEME_ALIASES",
    "Notation",
    "ScoredSpan",
    "Span",
    "TagProblem",
    "TagSet",
    "TaggedSpans",
    "detect_notation",
    "detect_scheme",
    "n_tags",
    "spans_from_tags",
    "split_tag",
]
