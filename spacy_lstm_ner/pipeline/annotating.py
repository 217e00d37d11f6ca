"""Write entities to ``doc.ents`` and ``doc.spans``, and read their probabilities.

No other module of this package reads or writes the probabilities in a Doc. They are in
the attrs of a span group, which spaCy saves with the Doc:

- "scores", in the order of the spans, as in spaCy's `spancat`;
- "offsets", the character offsets and the label for each score. They identify the
  entity of a score, even if the spans of the group or the tokens have been changed.

``doc.user_data`` would be an alternative, which `Doc.from_docs` also copies. But it
takes three times as long to serialize and deserialize a Doc with user data (1.2 instead
of 0.4 ms with srsly 2.5), and ``nlp.pipe(n_process=2)`` does so with each Doc.
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
from ..tags import Span as CharSpan
from ..util.msgpack_registries import cache_registries

# Docs are serialized with the span groups that are written here.
cache_registries()

#: The default of the setting `spans_key`.
SPANS_KEY = "lstm_ner"


def entity_scores(doc: Doc, spans_key: str | None = SPANS_KEY) -> list[float | None]:
    """The probabilities of the entities of a document.

        for ent, score in zip(doc.ents, entity_scores(doc)):
            print(ent.text, ent.label_, score)

    An entity has a probability if the component has predicted it with the same
    character offsets and label. All other changes of the document are allowed: tokens
    may be merged or split, entities or spans added, and the document may be copied,
    serialized or stored in a `DocBin`. Only `Doc.from_docs` and `Doc.to_json` drop the
    attrs of span groups.

    doc: The document.
    spans_key: The setting `spans_key` of the component.
    RETURNS: The probability of each entity in ``doc.ents``; None if the component has
        not predicted it.
    """
    if spans_key is None:
        return [None] * len(doc.ents)
    try:
        scores = dict(_scores(doc, spans_key))
    except (TypeError, ValueError, AttributeError):
        scores = {}  # another component has changed the attrs
    return [scores.get((e.start_char, e.end_char, e.label_)) for e in doc.ents]


def predicted_entities(
    doc: Doc, keys: Sequence[str | None], spans_keys: Iterable[str] = ("sc",)
) -> list[CharSpan | ScoredSpan]:
    """The entities that a pipeline has predicted: those in ``doc.ents``, and those in
    span groups, as `lstm_nested_ner` and spaCy's `spancat` write them.

    doc: The document.
    keys: The setting `spans_key` of each component `lstm_ner` of the pipeline: an
        entity has its probability from the component that predicted it.
    spans_keys: The span groups.
    RETURNS: The entities by character offsets, each of them once, in the order of the
        text; those with a known probability as `ScoredSpan`. Of those that begin at the
        same character, the longest is first.
    """
    by_key = [entity_scores(doc, key) for key in keys]
    found = []
    for i, ent in enumerate(doc.ents):
        known = (scores[i] for scores in by_key if scores[i] is not None)
        found.append(_in_characters(ent, next(known, None)))
    for spans_key in spans_keys:
        group = doc.spans.get(spans_key)
        if group:
            scores = list(group.attrs.get("scores", ()))
            if len(scores) != len(group):
                scores = [None] * len(group)
            found += map(_in_characters, group, scores)
    best: dict[tuple[int, int, str], CharSpan | ScoredSpan] = {}
    for entity in found:
        # One in both `doc.ents` and a group may have its probability in either.
        if not isinstance(best.setdefault(entity[:3], entity), ScoredSpan):
            best[entity[:3]] = entity
    return sorted(best.values(), key=lambda entity: (entity.start, -entity.end))


def _in_characters(span: Span, score: float | None) -> "CharSpan | ScoredSpan":
    offsets = span.start_char, span.end_char, span.label_
    return CharSpan(*offsets) if score is None else ScoredSpan(*offsets, float(score))


def _scores(doc: Doc, spans_key: str) -> Iterator[tuple[tuple[int, int, str], float]]:
    """Yield all probabilities, each with its character offsets and label."""
    group = doc.spans.get(spans_key)
    scores = group.attrs.get("scores", ()) if group is not None else ()
    if group is None or not len(scores):
        return
    offsets = group.attrs.get("offsets")
    if offsets is None:
        # Saved by an earlier version. If there are as many spans as scores, the group
        # has not been changed.
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
    """Write entities to ``doc.ents``, and with their probabilities to ``doc.spans``.
    See `LSTMEntityRecognizer.set_annotations`.

    doc: The document.
    spans: The entities, in units.
    units: The kind of units.
    alignment_mode: How to align an entity that begins or ends inside a token.
    keep_preset: Keep preset entities and blocked spans.
    spans_key: The key of ``doc.spans``. None: write only ``doc.ents``.
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
    """Align entities with the tokens. If several entities need the same token, the most
    probable one gets it.

    occupied: (tokens,) a flag for each token that is part of an entity, changed in
        place.
    RETURNS: The aligned entities and their probabilities, in the order of the text; and
        ``[start_char, end_char, label, score]`` for each of the others.
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
    unaligned: list[list[Any]],
    free: np.ndarray | None,
    spans_key: str | None,
) -> None:
    """Write entities to a document.

    doc: The document.
    found: Entities that do not overlap, in the order of the text.
    unaligned: Entities that could not be aligned with the tokens.
    free: (tokens,) bool, the tokens that are to be outside of entities; preset
        annotation of all others is kept. None: remove all preset entities.
    spans_key: The key of ``doc.spans``.
    """
    ents = [ent for ent, _ in found]
    if free is not None and spans_key is not None:
        # Before the entities are set, since a removed one may be predicted again.
        found = sorted((*_previous(doc, spans_key), *found), key=_start)
    if free is None:
        doc.set_ents(ents)
        _clear_ids(doc, range(len(doc)))
    else:
        # Preset entities are set again, since splitting a token breaks them up.
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
            "unplaced": unaligned,
        },
    )


def _previous(doc: Doc, spans_key: str) -> Iterator[tuple[Span, float]]:
    """Yield the entities that the component predicted in an earlier pass and that are
    still in ``doc.ents``. Probabilities that were lost, in a document from JSON, are
    NaN."""
    group = doc.spans.get(spans_key)
    if group is None:
        return
    offsets = {(s.start_char, s.end_char, s.label) for s in _raw_spans(group)}
    for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True):
        if score is not None:
            yield ent, score
        elif (ent.start_char, ent.end_char, ent.label) in offsets:
            yield ent, float("nan")


def _start(scored: tuple[Span, float]) -> int:
    return scored[0].start


def _clear_ids(doc: Doc, tokens: Iterable[int]) -> None:
    """Remove the ids of entities that were removed: `Doc.set_ents` keeps them."""
    if not doc.has_annotation("ENT_ID") and not doc.has_annotation("ENT_KB_ID"):
        return
    for i in tokens:
        token = doc[i]
        token.ent_id = token.ent_kb_id = 0


def _segments(doc: Doc, selected: np.ndarray) -> list[Span]:
    """The maximal spans of selected tokens.

    selected: (tokens,) bool.
    """
    edges = np.flatnonzero(np.diff(selected, prepend=False, append=False)).tolist()
    return [doc[i:j] for i, j in zip(edges[::2], edges[1::2], strict=True)]


def _after_refresh(name: str) -> Any:
    method = getattr(SpanGroup, name)

    def refreshed(self: "EntityGroup", *args: Any, **kwargs: Any) -> Any:
        self.refresh()
        return method(self, *args, **kwargs)

    return refreshed


# The original attribute, which a property of `EntityGroup` hides.
_ATTRS: Any = SpanGroup.__dict__["attrs"]


class EntityGroup(SpanGroup):
    """A span group whose spans keep their text when tokens are merged or split.

    spaCy does not update span groups then: their spans cover other tokens or extend
    beyond the end of the document, and any access to them fails, by `Doc.to_bytes` and
    `Doc.copy` for example. This class aligns its spans again by their character offsets
    before each access. Spans that now begin or end inside a token are removed, with
    their scores. A group that is read from bytes is a plain `SpanGroup` of spaCy.
    """

    def refresh(self) -> None:
        """Align the spans with the tokens again, if the tokens have changed."""
        try:
            doc = self.doc
        except RuntimeError:  # the Doc has been garbage collected
            return
        try:
            n = SpanGroup.__len__(self)
            if all(_is_aligned(doc, SpanGroup.__getitem__(self, i)) for i in range(n)):
                return
        except IndexError:  # beyond the end of the document
            pass
        raw = _raw_spans(self)
        attrs = dict(_ATTRS.__get__(self))
        scores = attrs.get("scores", ())
        aligned = [
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
            kept = [span is not None for span in aligned]
            attrs["scores"] = np.array(list(compress(scores, kept)))
            if "offsets" in attrs:
                attrs["offsets"] = list(compress(attrs["offsets"], kept))
        group = SpanGroup(
            doc,
            name=self.name,
            attrs=attrs,
            spans=[span for span in aligned if span is not None],
        )
        # There is no other way to replace the spans of a group.
        SpanGroup.from_bytes(self, SpanGroup.to_bytes(group))

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
    """The fields of a span in a group. Its token indices may be invalid."""

    id: int
    kb_id: int
    label: int
    start: int
    end: int
    start_char: int
    end_char: int


def _raw_spans(group: SpanGroup) -> list[_RawSpan]:
    """The spans of a group, including those with invalid token indices, which only its
    serialized form gives."""
    packed = srsly.msgpack_loads(SpanGroup.to_bytes(group))["spans"]
    return [_RawSpan(*struct.unpack(">QQQllll", span)) for span in packed]


def _is_aligned(doc: Doc, span: Span) -> bool:
    """Return whether the tokens of a span match its character offsets."""
    if not 0 <= span.start < span.end <= len(doc):
        return False
    last = doc[span.end - 1]
    ends = last.idx + len(last)
    return doc[span.start].idx == span.start_char and ends == span.end_char
