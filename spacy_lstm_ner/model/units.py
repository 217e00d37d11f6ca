"""The units of a Doc that the model reads: its characters or its tokens.

This module contains everything that differs between the two: the number of units of a
Doc, which of them are occupied, the gold tags, and the conversion between spans of
units and spans of the Doc.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Model
from thinc.types import Ints1d, Ragged

from ..tags import ScoredSpan, TagSet
from ..tags import Span as UnitSpan
from ..util.text import BLANK, trimmed

ALIGNMENT_MODES = ("strict", "contract", "expand")
#: Gold tag of a unit whose annotation is missing.
MISSING = -1
# Values of ent_iob. A token with B and no label is blocked: it is in no entity.
_IOB_MISSING, _IOB_OUTSIDE, _IOB_BEGIN = 0, 2, 3

SpanT = TypeVar("SpanT", UnitSpan, ScoredSpan)


def code_points(texts: Sequence[str]) -> Ints1d:
    """The code points of concatenated texts, without a Python loop over characters.

    texts: The texts, with N characters in total.
    RETURNS: (N,) uint32.
    """
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype="<u4")


def Characters() -> Model[list[Doc], Ragged]:
    """A layer that reads the characters of Docs.

    RETURNS: Code points (N, 1), one row per character of ``doc.text``, including
        spaces.
    """
    return Model("characters", characters_forward)


def characters_forward(
    model: Model[list[Doc], Ragged], docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], list[Doc]]]:
    texts = [doc.text for doc in docs]
    codes = model.ops.asarray(code_points(texts).astype("int64").reshape((-1, 1)))
    lengths = model.ops.asarray1i([len(text) for text in texts])
    return Ragged(codes, lengths), lambda d_codes: []


def reads_characters(model: Model) -> bool:
    """Return whether a model has a layer that reads characters."""
    return any(node.name == "characters" for node in model.walk())


def share_labels(example: Example) -> None:
    """Add the labels of the reference to the vocabulary of the predicted Doc, which may
    be another one: spaCy's alignment creates spans with them."""
    strings = example.predicted.vocab.strings
    if strings is not example.reference.vocab.strings:
        for ent in example.reference.ents:
            strings.add(ent.label_)
        for group in example.reference.spans.values():
            for span in group:
                strings.add(span.label_)


class Units(Protocol):
    """A way to split a Doc into units."""

    def count(self, doc: Doc) -> int:
        """The number of units of a Doc."""

    def token_starts(self, doc: Doc) -> Ints1d:
        """(tokens,) the first unit of each token."""

    def offsets(self, doc: Doc) -> list[tuple[int, int]]:
        """The start and the end of each unit, in characters of ``doc.text``."""

    def occupied(self, doc: Doc) -> np.ndarray:
        """(n,) bool: the units that are part of an entity or of a blocked span."""

    def gold_tags(self, example: Example, tags: TagSet) -> Ints1d:
        """(n,) the ids of the gold tags of the predicted Doc; MISSING without
        annotation."""

    def to_spans(
        self, doc: Doc, spans: Iterable[tuple[int, int, str]], mode: str
    ) -> list[Span | None]:
        """Convert spans of units to spans of tokens, which may overlap. None: there is
        no such span, or it contains only white space. For `mode` see
        `Doc.char_span`."""

    def from_spans(self, spans: Iterable[Span]) -> list[UnitSpan]:
        """Convert spans of tokens to spans of units."""

    def aligned_spans(self, example: Example, spans: list[Span]) -> list[UnitSpan]:
        """Convert spans of the reference to spans of units of the predicted Doc. Spans
        that cannot be aligned are left out."""

    def to_characters(self, doc: Doc, start: int, end: int) -> tuple[int, int]:
        """The character offsets of a span of units, without white space at its
        edges."""

    def from_characters(
        self, doc: Doc, start: int, end: int, mode: str
    ) -> tuple[int, int] | None:
        """The units of a span of characters. None: there is no such span."""


class CharUnits:
    """A unit is a character of ``doc.text``, independently of the tokens."""

    def count(self, doc: Doc) -> int:
        # Equal to `len(doc.text)`, which concatenates the text of all tokens each time.
        return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0

    def token_starts(self, doc: Doc) -> Ints1d:
        return doc.to_array("IDX").astype("int64")

    def offsets(self, doc: Doc) -> list[tuple[int, int]]:
        return [(i, i + 1) for i in range(self.count(doc))]

    def occupied(self, doc: Doc) -> np.ndarray:
        occupied = np.zeros(self.count(doc), dtype=bool)
        for i in np.flatnonzero(_occupied_tokens(doc)).tolist():
            token = doc[i]
            occupied[token.idx : token.idx + len(token)] = True
        return occupied

    def gold_tags(self, example: Example, tags: TagSet) -> Ints1d:
        doc, reference = example.predicted, example.reference
        if doc.text == reference.text:
            ents = reference.ents
            iob, label = reference.to_array(["ENT_IOB", "ENT_TYPE"]).T
            blocked = (iob == _IOB_BEGIN) & (label == 0)
            unknown = np.flatnonzero((iob == _IOB_MISSING) | blocked)
            missing = [reference[i] for i in unknown.tolist()]
        else:
            # The texts may differ in white space: align the tokens.
            share_labels(example)
            ents, biluo = example.get_aligned_ents_and_ner()
            missing = [t for t, tag in zip(doc, biluo, strict=True) if tag is None]
        ids = tags.ids_from_spans(self.from_spans(ents), self.count(doc))
        for token in missing:
            ids[token.idx : token.idx + len(token.text_with_ws)] = MISSING
        return ids

    def to_spans(
        self, doc: Doc, spans: Iterable[tuple[int, int, str]], mode: str
    ) -> list[Span | None]:
        if self.count(doc) == len(doc):
            # Each token is a character, as in most Chinese pipelines: this is faster.
            return UNITS["token"].to_spans(doc, spans, mode)
        text = doc.text
        aligned: list[Span | None] = []
        for start, end, label in spans:
            start, end = trimmed(text, start, end)
            aligned.append(
                doc.char_span(start, end, label, alignment_mode=mode)
                if start < end
                else None
            )
        return aligned

    def from_spans(self, spans: Iterable[Span]) -> list[UnitSpan]:
        return [UnitSpan(s.start_char, s.end_char, s.label_) for s in spans]

    def aligned_spans(self, example: Example, spans: list[Span]) -> list[UnitSpan]:
        if example.predicted.text != example.reference.text:
            share_labels(example)
            spans = example.get_aligned_spans_y2x(spans, allow_overlap=True)
        return self.from_spans(spans)

    def to_characters(self, doc: Doc, start: int, end: int) -> tuple[int, int]:
        return trimmed(doc.text, start, end)

    def from_characters(
        self, doc: Doc, start: int, end: int, mode: str
    ) -> tuple[int, int] | None:
        return start, end


class TokenUnits:
    """A unit is a token."""

    def count(self, doc: Doc) -> int:
        return len(doc)

    def token_starts(self, doc: Doc) -> Ints1d:
        return np.arange(len(doc))

    def offsets(self, doc: Doc) -> list[tuple[int, int]]:
        return [(token.idx, token.idx + len(token)) for token in doc]

    def occupied(self, doc: Doc) -> np.ndarray:
        return _occupied_tokens(doc)

    def gold_tags(self, example: Example, tags: TagSet) -> Ints1d:
        share_labels(example)
        ents, biluo = example.get_aligned_ents_and_ner()
        ids = tags.ids_from_spans(self.from_spans(ents), len(biluo))
        ids[[tag is None for tag in biluo]] = MISSING
        return ids

    def to_spans(
        self, doc: Doc, spans: Iterable[tuple[int, int, str]], mode: str
    ) -> list[Span | None]:
        found: list[Span | None] = []
        for start, end, label in spans:
            # Entities do not begin or end with white space or invisible characters.
            while start < end and not doc[start].text.strip(BLANK):
                start += 1
            while start < end and not doc[end - 1].text.strip(BLANK):
                end -= 1
            found.append(Span(doc, start, end, label) if start < end else None)
        return found

    def from_spans(self, spans: Iterable[Span]) -> list[UnitSpan]:
        return [UnitSpan(s.start, s.end, s.label_) for s in spans]

    def aligned_spans(self, example: Example, spans: list[Span]) -> list[UnitSpan]:
        share_labels(example)
        return self.from_spans(example.get_aligned_spans_y2x(spans, allow_overlap=True))

    def to_characters(self, doc: Doc, start: int, end: int) -> tuple[int, int]:
        span = doc[start:end]
        return trimmed(doc.text, span.start_char, span.end_char)

    def from_characters(
        self, doc: Doc, start: int, end: int, mode: str
    ) -> tuple[int, int] | None:
        span = doc.char_span(start, end, alignment_mode=mode)
        return None if span is None else (span.start, span.end)


def _occupied_tokens(doc: Doc) -> np.ndarray:
    """(tokens,) bool: the tokens that are part of an entity or of a blocked span."""
    return ~np.isin(doc.to_array("ENT_IOB"), (_IOB_MISSING, _IOB_OUTSIDE))


UNITS: dict[str, Units] = {"char": CharUnits(), "token": TokenUnits()}


def in_characters(units: Units, doc: Doc, spans: Iterable[SpanT]) -> Iterator[SpanT]:
    """Convert spans of units to spans of characters.

    units: The kind of units.
    doc: The document.
    spans: The spans.
    YIELDS: Spans in characters of doc.text, without white space at their edges; spans
        that contain only white space are left out.
    """
    for span in spans:
        start, end = units.to_characters(doc, span.start, span.end)
        if start < end:
            yield span._replace(start=start, end=end)
