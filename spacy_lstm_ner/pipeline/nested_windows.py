"""Entities that may overlap: those of windows → those of documents, see windows.py."""

from collections.abc import Iterable, Iterator
from functools import partial

from spacy.tokens import Doc
from thinc.types import Floats1d

from ..tags import ScoredSpan, Span
from .batch import Batch
from .decoding import queries_in_units
from .nested_decoding import Family, LabelEntities, NestedDecoder
from .windows import Window


def predict_nested(
    decoder: NestedDecoder, docs: list[Doc], window: int | None
) -> list[list[ScoredSpan]]:
    """Find the entities of documents, see `LSTMNestedEntityRecognizer.predict`."""
    found: list[list[Family]] = [[] for _ in docs]
    for batch in decoder.batches(docs, window):
        for part, families in zip(batch.windows, decoder.decode(batch), strict=True):
            found[part.doc_index].extend(families_from_core(part, families))
    return list(map(resolve_windows, found))


def resolve_windows(families: Iterable[Family]) -> list[ScoredSpan]:
    """The entities of a document, of which those of neighboring windows may overlap."""
    spans = [span for family in without_overlaps(families) for span in family]
    return sorted(spans, key=_outermost_first)


def families_from_core(part: Window, families: Iterable[Family]) -> Iterator[Family]:
    """Yield the families whose outermost entity begins in the core of a window, in
    units of the document."""
    first, end = part.core
    for family in families:
        if first <= family[0].start + part.offset < end:
            yield [
                s._replace(start=s.start + part.offset, end=s.end + part.offset)
                for s in family
            ]


def without_overlaps(families: Iterable[Family]) -> list[Family]:
    """Resolve conflicts between windows: of two outermost entities of one label that
    overlap, the more probable one is kept, with those inside of it."""
    last: dict[str, int] = {}
    result: list[Family] = []
    for family in sorted(families, key=lambda family: family[0].start):
        outermost = family[0]
        i = last.get(outermost.label)
        if i is not None and outermost.start < result[i][0].end:
            if outermost.score > result[i][0].score:
                result[i] = family
        else:
            last[outermost.label] = len(result)
            result.append(family)
    return result


def _outermost_first(span: ScoredSpan) -> tuple[int, int, str]:
    return span.start, -span.end, span.label


def nested_span_probabilities(
    decoder: NestedDecoder,
    docs: list[Doc],
    spans: Iterable[Iterable[tuple[int, int, str]]],
    window: int | None,
) -> list[list[float]]:
    """The probabilities of any spans, see
    `LSTMNestedEntityRecognizer.probabilities`."""
    found, queries = queries_in_units(decoder.name, decoder.state, docs, spans)
    batches = decoder.batches(
        docs, window, lambda part: any(part.select(queries[part.doc_index]))
    )
    for batch in batches:
        by_label: dict[str, list[tuple[int, int, Span]]] = {}
        for part, rows in zip(batch.windows, batch.rows, strict=True):
            for i, (start, end, label) in part.select(queries[part.doc_index]):
                span = Span(rows.start + start, rows.start + end, label)
                by_label.setdefault(label, []).append((part.doc_index, i, span))
        compute = partial(
            _probabilities_of_label, decoder, batch, decoder.search(batch)
        )
        for label, asked in by_label.items():
            scores = compute(label, [span for _, _, span in asked])
            for (doc_index, i, _), score in zip(asked, scores.tolist(), strict=True):
                found[doc_index][i] = score
    return found


def _probabilities_of_label(
    decoder: NestedDecoder,
    batch: Batch,
    entities: list[LabelEntities],
    label: str,
    spans: list[Span],
) -> Floats1d:
    if not label:
        return decoder.outside(batch, spans)
    found = entities[decoder.state.labels.index(label)]
    return decoder.scores(found, spans)[len(found.spans) :]
