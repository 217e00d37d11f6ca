"""What the model reads of a Doc, unit by unit: its characters or its tokens.

Everything that differs between the two stands here: how many units a Doc has, which of
them are taken, what the gold tags are, and where a span of units lies in the Doc.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Model
from thinc.types import Ints1d, Ragged

from ..tags import Span as UnitSpan
from ..tags import TagSet
from ..util.text import BLANK, trimmed

ALIGNMENT_MODES = ("strict", "contract", "expand")
#: Gold tag of a unit whose annotation is missing.
MISSING = -1
# Values of ent_iob. A token with B and no label is blocked: it shall be in no entity.
_IOB_MISSING, _IOB_OUTSIDE, _IOB_BEGIN = 0, 2, 3


def code_points(texts: Sequence[str]) -> Ints1d:
    """The code points of texts end to end, with no Python loop over characters.

    RETURNS (Ints1d): (N,) uint32, as many as ``len(text)`` says, summed.
    """
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype="<u4")


def Characters() -> Model[list[Doc], Ragged]:
    """A layer that reads the characters of Docs.

    RETURNS (Model[list[Doc], Ragged]): Code points (N, 1), one row a character of
        ``doc.text``, spaces included.
    """
    return Model("characters", _characters_forward)


def _characters_forward(
    model: Model[list[Doc], Ragged], docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], list[Doc]]]:
    texts = [doc.text for doc in docs]
    codes = model.ops.asarray(code_points(texts).astype("int64").reshape((-1, 1)))
    lengths = model.ops.asarray1i([len(text) for text in texts])
    return Ragged(codes, lengths), lambda d_codes: []


def share_labels(example: Example) -> None:
    """Let the vocabulary of the predicted Doc know the labels of the reference, whose
    own may be another one: spaCy's alignment makes spans with them."""
    strings = example.predicted.vocab.strings
    if strings is not example.reference.vocab.strings:
        for ent in example.reference.ents:
            strings.add(ent.label_)
        for group in example.reference.spans.values():
            for span in group:
                strings.add(span.label_)


class Units(Protocol):
    """One way to cut a Doc into units."""

    def count(self, doc: Doc) -> int:
        """How many units the Doc has."""

    def first_units(self, doc: Doc) -> Ints1d:
        """(tokens,) the first unit of each token."""

    def places(self, doc: Doc) -> list[tuple[int, int]]:
        """Where each unit begins and ends, in characters of the text."""

    def taken(self, doc: Doc) -> np.ndarray:
        """(n,) bool: units that an entity or a blocked span already holds."""

    def gold_tags(self, example: Example, tags: TagSet) -> Ints1d:
        """(n,) gold tag numbers of the predicted Doc; MISSING where unknown."""

    def to_spans(
        self, doc: Doc, spans: Iterable[tuple[int, int, str]], mode: str
    ) -> list[Span | None]:
        """Spans of units as spans of tokens, which may overlap; None where there is no
        such span, or nothing but white space in it."""

    def from_spans(self, spans: Iterable[Span]) -> list[UnitSpan]:
        """Spans of tokens as spans of units."""

    def aligned_spans(self, example: Example, spans: list[Span]) -> list[UnitSpan]:
        """Spans of the reference as spans of units of the predicted Doc; those that do
        not fit its units are left out."""

    def characters(self, doc: Doc, start: int, end: int) -> tuple[int, int]:
        """The characters of a span of units, without white space at its edges."""

    def from_characters(
        self, doc: Doc, start: int, end: int, mode: str
    ) -> tuple[int, int] | None:
        """The units of a span of characters; None where there is no such span."""


class CharUnits:
    """A unit is a character of ``doc.text``, whatever the tokenizer made of it."""

    def count(self, doc: Doc) -> int:
        # As `len(doc.text)`, which puts the text together from its tokens each time.
        return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0

    def first_units(self, doc: Doc) -> Ints1d:
        return doc.to_array("IDX").astype("int64")

    def places(self, doc: Doc) -> list[tuple[int, int]]:
        return [(i, i + 1) for i in range(self.count(doc))]

    def taken(self, doc: Doc) -> np.ndarray:
        taken = np.zeros(self.count(doc), dtype=bool)
        for i in np.flatnonzero(_taken_tokens(doc)).tolist():
            token = doc[i]
            taken[token.idx : token.idx + len(token)] = True
        return taken

    def gold_tags(self, example: Example, tags: TagSet) -> Ints1d:
        doc, reference = example.predicted, example.reference
        if doc.text == reference.text:
            ents = reference.ents
            iob, label = reference.to_array(["ENT_IOB", "ENT_TYPE"]).T
            blocked = (iob == _IOB_BEGIN) & (label == 0)
            unknown = np.flatnonzero((iob == _IOB_MISSING) | blocked)
            missing = [reference[i] for i in unknown.tolist()]
        else:
            # They may differ in white space: go by the tokens that both have.
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
            # A token a character, as in most Chinese pipelines: this is faster.
            return UNITS["token"].to_spans(doc, spans, mode)
        text = doc.text
        placed: list[Span | None] = []
        for start, end, label in spans:
            start, end = trimmed(text, start, end)
            placed.append(
                doc.char_span(start, end, label, alignment_mode=mode)
                if start < end
                else None
            )
        return placed

    def from_spans(self, spans: Iterable[Span]) -> list[UnitSpan]:
        return [UnitSpan(s.start_char, s.end_char, s.label_) for s in spans]

    def aligned_spans(self, example: Example, spans: list[Span]) -> list[UnitSpan]:
        if example.predicted.text != example.reference.text:
            share_labels(example)
            spans = example.get_aligned_spans_y2x(spans, allow_overlap=True)
        return self.from_spans(spans)

    def characters(self, doc: Doc, start: int, end: int) -> tuple[int, int]:
        return trimmed(doc.text, start, end)

    def from_characters(
        self, doc: Doc, start: int, end: int, mode: str
    ) -> tuple[int, int] | None:
        return start, end


class TokenUnits:
    """A unit is a token."""

    def count(self, doc: Doc) -> int:
        return len(doc)

    def first_units(self, doc: Doc) -> Ints1d:
        return np.arange(len(doc))

    def places(self, doc: Doc) -> list[tuple[int, int]]:
        return [(token.idx, token.idx + len(token)) for token in doc]

    def taken(self, doc: Doc) -> np.ndarray:
        return _taken_tokens(doc)

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
            # Entities neither begin nor end with what nobody sees.
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

    def characters(self, doc: Doc, start: int, end: int) -> tuple[int, int]:
        span = doc[start:end]
        return trimmed(doc.text, span.start_char, span.end_char)

    def from_characters(
        self, doc: Doc, start: int, end: int, mode: str
    ) -> tuple[int, int] | None:
        span = doc.char_span(start, end, alignment_mode=mode)
        return None if span is None else (span.start, span.end)


def _taken_tokens(doc: Doc) -> np.ndarray:
    """(tokens,) bool: those that an entity or a blocked span holds."""
    return ~np.isin(doc.to_array("ENT_IOB"), (_IOB_MISSING, _IOB_OUTSIDE))


UNITS: dict[str, Units] = {"char": CharUnits(), "token": TokenUnits()}
