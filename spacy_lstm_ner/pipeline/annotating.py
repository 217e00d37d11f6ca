"""Entities in ``doc.ents`` and ``doc.spans``, with their probabilities.

Nothing else in this package reads or writes probabilities of a Doc. They stand in the
attrs of a span group, which spaCy saves with the Doc:

- "scores", in the order of the spans: the form of spaCy's `spancat`;
- "offsets", the characters and the label that each score belongs to. By them a score is
  found again whatever was done to the spans of the group, or to the tokens.

They could stand in ``doc.user_data``, too, which `Doc.from_docs` takes along. But a Doc
with user data takes three times as long to get into bytes and out again (0.4 and 1.2 ms
with srsly 2.5), as each does in ``nlp.pipe(n_process=2)``.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import srsly
from spacy.tokens import Doc, Span, SpanGroup

from ..model.units import UNITS, Units, in_characters
from ..tags import ScoredSpan

#: The default of the setting `spans_key`.
SPANS_KEY = "lstm_ner"


def entity_scores(doc: Doc, spans_key: str | None = SPANS_KEY) -> list[float | None]:
    """The probabilities of the entities of a document.

        for ent, score in zip(doc.ents, entity_scores(doc)):
            print(ent.text, ent.label_, score)

    They are those of entities that still are what the component has found: the same
    characters, with the same label. It does not matter what else was done to the
    document: tokens merged or split, other entities or spans added, a copy, bytes, a
    `DocBin`. Only `Doc.from_docs` and `Doc.to_json` leave out what belongs to a group.

    doc (Doc): The document.
    spans_key (str | None): The setting of the component.
    RETURNS (list[float | None]): One for each entity in ``doc.ents``. None: that
        component has not found it.
    """
    if spans_key is None:
        return [None] * len(doc.ents)
    try:
        scores = dict(_scores(doc, spans_key))
    except (TypeError, ValueError, AttributeError):
        scores = {}  # somebody else has put something into the attrs
    return [scores.get((e.start_char, e.end_char, e.label_)) for e in doc.ents]


def _scores(doc: Doc, spans_key: str) -> Iterator[tuple[tuple[int, int, str], float]]:
    """All probabilities that are there, by characters and label."""
    group = doc.spans.get(spans_key)
    scores = group.attrs.get("scores", ()) if group is not None else ()
    if group is None or not len(scores):
        return
    offsets = group.attrs.get("offsets")
    if offsets is None:
        # From an earlier version. With as many spans as scores it was not changed.
        strings = doc.vocab.strings
        offsets = [
            (span.start_char, span.end_char, strings[span.label])
            for span in _raw_spans(group)
        ]
    if len(offsets) == len(scores):
        for (start, end, label), score in zip(offsets, scores, strict=True):
            if not isnan(score):
                yield (start, end, label), float(score)


def annotate(
    doc: Doc,
    spans: list[ScoredSpan],
    units: Units,
    *,
    alignment_mode: str,
    keep_preset: bool,
    spans_key: str | None,
) -> None:
    """Write entities to ``doc.ents``, and with their probabilities to ``doc.spans``,
    see `LSTMEntityRecognizer.set_annotations`.

    doc (Doc): The document.
    spans (list[ScoredSpan]): The entities, in units.
    units (Units): What they are in.
    alignment_mode (str): What to do with an entity that begins or ends inside a token.
    keep_preset (bool): Keep entities and blocked spans that are there already.
    spans_key (str | None): The key of ``doc.spans``. None: write only ``doc.ents``.
    """
    occupied = bytearray(len(doc))  # a flag per token
    if keep_preset:
        occupied[:] = UNITS["token"].occupied(doc).tobytes()
    aligned, unaligned = _align(doc, spans, units, alignment_mode, occupied)
    free = np.frombuffer(occupied, dtype=bool) == 0 if keep_preset else None
    _write(doc, aligned, unaligned, free, spans_key)


def _align(
    doc: Doc,
    spans: list[ScoredSpan],
    units: Units,
    mode: str,
    occupied: bytearray,
) -> tuple[list[tuple[Span, float]], list[list[Any]]]:
    """Align entities with the tokens. Of two entities that need the same token, the
    more probable one gets it.

    occupied (bytearray): (tokens,) the tokens that are in an entity, which is updated.
    RETURNS (tuple[list[tuple[Span, float]], list[list[Any]]]): The entities and their
        probabilities, in the order of the text; and ``[start_char, end_char, label,
        score]`` for each entity without tokens.
    """
    found = units.to_spans(doc, (span[:3] for span in spans), mode)
    aligned: list[tuple[Span, float]] = []
    unaligned: list[list[Any]] = []
    by_score = sorted(zip(spans, found, strict=True), key=lambda x: -x[0].score)
    for span, ent in by_score:
        if ent is not None and not any(occupied[ent.start : ent.end]):
            occupied[ent.start : ent.end] = b"\1" * len(ent)
            aligned.append((ent, span.score))
        else:
            unaligned.extend(map(list, in_characters(units, doc, [span])))
    aligned.sort(key=_start)
    return aligned, sorted(unaligned)


def _write(
    doc: Doc,
    found: Sequence[tuple[Span, float]],
    unplaced: list[list[Any]],
    free: np.ndarray | None,
    spans_key: str | None,
) -> None:
    """Write entities to a document.

    doc (Doc): The document.
    found (Sequence[tuple[Span, float]]): Entities that do not overlap, in the order of
        the text.
    unplaced (list[list[Any]]): Entities without tokens.
    free (np.ndarray | None): (tokens,) bool: those that are in no entity, neither a
        found nor a preset one; all other tokens are unmodified. None: remove all preset
        entities.
    spans_key (str | None): The key of ``doc.spans``.
    """
    ents = [ent for ent, _ in found]
    if free is not None and spans_key is not None:
        # Before they are set: one that was removed may have been found again.
        found = sorted((*_previous(doc, spans_key), *found), key=_start)
    if free is None:
        doc.set_ents(ents)
        _clear_ids(doc, range(len(doc)))
    else:
        # Those that are there, too: where tokens were split they are not whole.
        doc.set_ents(
            [*doc.ents, *ents], outside=_segments(doc, free), default="unmodified"
        )
        _clear_ids(doc, (i for ent in ents for i in range(ent.start, ent.end)))
    if spans_key is None:
        return
    doc.spans[spans_key] = EntityGroup(
        doc,
        name=spans_key,
        spans=[ent for ent, _ in found],
        attrs={
            "scores": np.array([score for _, score in found]),
            "offsets": [[e.start_char, e.end_char, e.label_] for e, _ in found],
            "unplaced": unplaced,
        },
    )


def _previous(doc: Doc, spans_key: str) -> Iterator[tuple[Span, float]]:
    """What the component has found in an earlier pass, and still is in ``doc.ents``. A
    document from JSON does not have the probabilities any more: they are NaN."""
    group = doc.spans.get(spans_key)
    if group is None:
        return
    places = {(s.start_char, s.end_char, s.label) for s in _raw_spans(group)}
    for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True):
        if score is not None:
            yield ent, score
        elif (ent.start_char, ent.end_char, ent.label) in places:
            yield ent, float("nan")


def _start(scored: tuple[Span, float]) -> int:
    return scored[0].start


def _clear_ids(doc: Doc, tokens: Iterable[int]) -> None:
    """`Doc.set_ents` leaves the ids of an entity that was there."""
    if not doc.has_annotation("ENT_ID") and not doc.has_annotation("ENT_KB_ID"):
        return
    for i in tokens:
        token = doc[i]
        token.ent_id = token.ent_kb_id = 0


def _segments(doc: Doc, chosen: np.ndarray) -> list[Span]:
    """The tokens that are chosen, in spans that are as long as can be."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).tolist()
    return [doc[i:j] for i, j in zip(edges[::2], edges[1::2], strict=True)]


def _after_refresh(name: str) -> Any:
    method = getattr(SpanGroup, name)

    def refreshed(self: "EntityGroup", *args: Any, **kwargs: Any) -> Any:
        self.refresh()
        return method(self, *args, **kwargs)

    return refreshed


# The attribute itself, which `EntityGroup` puts a property in front of.
_ATTRS: Any = SpanGroup.__dict__["attrs"]


class EntityGroup(SpanGroup):
    """A span group that stays with its text where tokens are merged or split.

    spaCy leaves span groups as they are there: their spans then have other tokens, or
    are beyond the end of the document, and whatever looks at them fails, `Doc.to_bytes`
    and `Doc.copy` among others. This one finds its spans again by their characters
    before anything looks at them. What begins or ends inside a token by now is left
    out, and its score with it. A group that was read from bytes is spaCy's own.
    """

    def refresh(self) -> None:
        """Find the spans again, if their tokens have changed."""
        try:
            doc = self.doc
        except RuntimeError:  # it is not there any more
            return
        try:
            n = SpanGroup.__len__(self)
            if all(_fits(doc, SpanGroup.__getitem__(self, i)) for i in range(n)):
                return
        except IndexError:  # beyond the end of the document
            pass
        raw = _raw_spans(self)
        attrs = dict(_ATTRS.__get__(self))
        scores = attrs.get("scores", ())
        again = [
            doc.char_span(
                span.start_char,
                span.end_char,
                label=span.label,
                kb_id=span.kb_id,
                span_id=span.id,
            )
            for span in raw
        ]
        if len(scores) == len(raw):
            there = [span is not None for span in again]
            attrs["scores"] = np.array(list(compress(scores, there)))
            if "offsets" in attrs:
                attrs["offsets"] = list(compress(attrs["offsets"], there))
        found = SpanGroup(
            doc,
            name=self.name,
            attrs=attrs,
            spans=[span for span in again if span is not None],
        )
        # Nothing else takes spans out of a group.
        SpanGroup.from_bytes(self, SpanGroup.to_bytes(found))

    @property
    def attrs(self) -> dict[str, Any]:
        self.refresh()
        attrs: dict[str, Any] = _ATTRS.__get__(self)
        return attrs

    @attrs.setter
    def attrs(self, value: dict[str, Any]) -> None:
        _ATTRS.__set__(self, value)

    def __iter__(self) -> Iterator[Span]:
        self.refresh()
        for i in range(SpanGroup.__len__(self)):
            yield SpanGroup.__getitem__(self, i)

    def copy(self, doc: Doc | None = None) -> "EntityGroup":
        copied = SpanGroup.copy(self, doc)
        return EntityGroup(
            copied.doc, name=copied.name, attrs=copied.attrs, spans=list(copied)
        )

    __len__ = _after_refresh("__len__")
    __getitem__ = _after_refresh("__getitem__")
    __setitem__ = _after_refresh("__setitem__")
    __delitem__ = _after_refresh("__delitem__")
    to_bytes = _after_refresh("to_bytes")
    append = _after_refresh("append")
    extend = _after_refresh("extend")
    __iadd__ = _after_refresh("__iadd__")
    __add__ = _after_refresh("__add__")


class _RawSpan(NamedTuple):
    """A span of a group, in numbers. There need not be such tokens."""

    id: int
    kb_id: int
    label: int
    start: int
    end: int
    start_char: int
    end_char: int


def _raw_spans(group: SpanGroup) -> list[_RawSpan]:
    """The spans of a group. Only its bytes tell of spans without tokens."""
    packed = srsly.msgpack_loads(SpanGroup.to_bytes(group))["spans"]
    return [_RawSpan(*struct.unpack(">QQQllll", span)) for span in packed]


def _fits(doc: Doc, span: Span) -> bool:
    """Do the tokens of a span begin and end where its characters do?"""
    if not 0 <= span.start < span.end <= len(doc):
        return False
    last = doc[span.end - 1]
    ends = last.idx + len(last)
    return doc[span.start].idx == span.start_char and ends == span.end_char
