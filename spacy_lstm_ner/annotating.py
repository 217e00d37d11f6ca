"""Entities in ``doc.ents`` and ``doc.spans``, with their probabilities.

Nothing else in this package reads or writes probabilities of a Doc. They are kept
twice:

- in ``doc.user_data``, by the characters of the entity, as spaCy keeps the values of
  extension attributes of spans. So they stay with their entities where tokens are
  merged or split, in copies, in bytes, and in `Doc.from_docs`;
- in ``doc.spans[spans_key].attrs["scores"]``, in the order of the group: the form of
  spaCy's `spancat`, which a `DocBin` keeps also without ``store_user_data``.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import srsly
from spacy.tokens import Doc, Span, SpanGroup

#: The default of the setting `spans_key`.
SPANS_KEY = "lstm_ner"


def entity_scores(doc: Doc, spans_key: str | None = SPANS_KEY) -> list[float | None]:
    """The probabilities of the entities of a document.

        for ent, score in zip(doc.ents, entity_scores(doc)):
            print(ent.text, ent.label_, score)

    They are those of entities that still are what the component has found: the same
    characters, with the same label. It does not matter what else was done to the
    document: tokens merged or split, other entities added, a copy, bytes, a `DocBin`.

    doc (Doc): The document.
    spans_key (str | None): The setting of the component.
    RETURNS (list[float | None]): One for each entity in ``doc.ents``. None: that
        component has not found it.
    """
    if spans_key is None:
        return [None] * len(doc.ents)
    scores = dict(_scores(doc, spans_key))
    return [scores.get((e.start_char, e.end_char, e.label_)) for e in doc.ents]


def _scores(doc: Doc, spans_key: str) -> Iterator[tuple[tuple[int, int, str], float]]:
    """All probabilities that are there, by characters and label."""
    user_data = _user_data(doc)
    keys = list(_user_data_keys(doc, spans_key))
    for key in keys:
        for label, score in user_data[key].items():
            yield (*key[2:], label), score
    group = doc.spans.get(spans_key)
    if keys or group is None:
        return
    raw, scores = _raw_spans(group), group.attrs.get("scores", ())
    # With as many spans as scores nobody else has changed the group.
    if len(scores) == len(raw):
        for span, score in zip(raw, scores, strict=True):
            if not isnan(score):
                label = doc.vocab.strings[span.label]
                yield (span.start_char, span.end_char, label), float(score)


def write_entities(
    doc: Doc,
    found: Sequence[tuple[Span, float]],
    *,
    unplaced: list[list[Any]],
    free: np.ndarray | None,
    spans_key: str | None,
) -> None:
    """Write entities to ``doc.ents``, and with their probabilities to ``doc.spans`` and
    ``doc.user_data``.

    doc (Doc): The document.
    found (Sequence[tuple[Span, float]]): Entities that do not overlap each other, in
        the order of the text.
    unplaced (list[list[Any]]): See `LSTMEntityRecognizer.set_annotations`.
    free (np.ndarray | None): (tokens,) bool: those that are in no entity, neither one
        that is found nor one that is there. All others stay as they are. None: what is
        there is put aside.
    spans_key (str | None): The setting of the component.
    """
    ents = [ent for ent, _ in found]
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
    if free is not None:
        found = sorted((*_found_before(doc, spans_key), *found), key=_start)
    user_data = _user_data(doc)
    for key in list(_user_data_keys(doc, spans_key)):
        del user_data[key]
    for ent, score in found:
        if not isnan(score):
            key = ("._.", _name(spans_key), ent.start_char, ent.end_char)
            user_data[key] = {ent.label_: score}
    doc.spans[spans_key] = EntityGroup(
        doc,
        name=spans_key,
        spans=[ent for ent, _ in found],
        attrs={"scores": np.array([p for _, p in found]), "unplaced": unplaced},
    )


def _found_before(doc: Doc, spans_key: str) -> Iterator[tuple[Span, float]]:
    """What the component has found in an earlier pass, and still is in ``doc.ents``. A
    document from JSON does not have the probabilities any more: they are NaN."""
    group = doc.spans.get(spans_key)
    if group is None and not doc.user_data:
        return
    places = {(s.start_char, s.end_char, s.label) for s in group or ()}
    for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True):
        if score is not None:
            yield ent, score
        elif (ent.start_char, ent.end_char, ent.label) in places:
            yield ent, float("nan")


def _start(scored: tuple[Span, float]) -> int:
    return scored[0].start


def _name(spans_key: str) -> str:
    """As an extension attribute would be called."""
    return f"{spans_key}_score"


def _user_data(doc: Doc) -> dict[Any, Any]:
    """spaCy's type stubs do not know that keys may be tuples."""
    return doc.user_data


def _user_data_keys(doc: Doc, spans_key: str) -> Iterator[tuple]:
    if doc.user_data:
        name = _name(spans_key)
        for key in _user_data(doc):
            if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name):
                yield key


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
            pairs = zip(again, scores, strict=True)
            attrs["scores"] = np.array([p for span, p in pairs if span is not None])
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
        return _ATTRS.__get__(self)

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
