"""Annotated texts as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from spacy.training import Example

from ..data.nesting import annotated_spans, unknown_tokens
from ..tags import Span


@dataclass
class AnnotatedText:
    """A text and its annotation. All offsets are in characters of the text."""

    text: str
    entities: list[Span]
    #: Parts whose annotation is missing: it is unknown whether they contain entities.
    unannotated: list[tuple[int, int]] = field(default_factory=list)
    #: 1 for each offset inside a token, where no entity can start or end. Offsets
    #: beyond its end count as 0.
    token_inside: bytes = b""

    def mask(self, spans: Iterable[tuple]) -> bytes:
        """Return a mask with 1 for each character in one of the spans, and 0 for the
        others."""
        return _mask(len(self.text), spans)


def annotated_text(example: Example, spans_key: str | None = None) -> AnnotatedText:
    """Convert an example. The result has the text of the predicted Doc, which may
    differ from the reference in whitespace and tokens.

    example: The example.
    spans_key: The span group with the annotation, see `annotated_spans`. None: it is in
        ``doc.ents``.
    RETURNS: The text and its gold annotation.
    """
    doc, reference = example.predicted, example.reference
    # `Example.alignment` compares all tokens at each access.
    aligned = None if doc.text == reference.text else example.alignment.y2x

    def characters(start: int, end: int) -> tuple[int, int]:
        """The characters of tokens of the reference; empty if they have no
        counterpart."""
        if aligned is not None:
            tokens = aligned[start:end]
            if not len(tokens):
                return 0, 0
            span = doc[int(tokens[0]) : int(tokens[-1]) + 1]
        else:
            span = reference[start:end]
        return span.start_char, span.end_char

    entities = dict.fromkeys(
        Span(*characters(e.start, e.end), e.label_)
        for e in annotated_spans(reference, spans_key)
    )
    missing = (
        [i for i, iob in enumerate(reference.to_array("ENT_IOB")) if iob == 0]
        if spans_key is None
        else np.flatnonzero(unknown_tokens(reference, spans_key)).tolist()
    )
    return AnnotatedText(
        doc.text,
        [span for span in entities if span.start < span.end],
        [characters(i, i + 1) for i in missing],
        _mask(len(doc.text), ((t.idx + 1, t.idx + len(t)) for t in doc)),
    )


def _mask(size: int, spans: Iterable[tuple]) -> bytes:
    mask = bytearray(size)
    for start, end, *_ in spans:
        mask[start:end] = b"\1" * (end - start)
    return bytes(mask)
