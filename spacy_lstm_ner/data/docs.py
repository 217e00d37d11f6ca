"""Annotated texts → Docs with entities, aligned by character."""

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..exceptions import DataError
from ..util.text import trimmed
from .formats.docbin import INCORRECT_SPANS
from .problems import MISALIGNED, ONLY_WHITESPACE, OVERLAPPING, FileLog
from .records import AnnotatedText


def doc_from_text(
    nlp: Language, text: AnnotatedText, *, report: FileLog, spans_key: str = "sc"
) -> Doc:
    """Create the annotated Doc of a text.

    nlp: Its tokenizer is used, so that the Doc has the same tokens as at prediction
        time.
    text: The annotated text.
    report: The log of its file. Problems are added to it, and entities are counted.
    spans_key: The span group for all entities, if the format has overlapping ones.
    RETURNS: A Doc with entities, of overlapping ones the longest. Where the annotation
        cannot be used, it is missing rather than outside.
    RAISES (DataError): At the first problem if the log is strict, and for a text longer
        than `nlp.max_length`.
    """
    if len(text.text) > nlp.max_length:
        raise DataError(
            f"{report.path}:{text.line}: text of {len(text.text):,} characters, the "
            f"limit is {nlp.max_length:,}: check for missing blank lines between "
            f"sentences"
        )
    doc = nlp.make_doc(text.text)
    gaps = list(text.missing)
    report.log.entities[report.path] += len(text.entities)
    spans: list[Span] = []
    for i, entity in enumerate(text.entities):
        start, end = trimmed(text.text, entity.start, entity.end)
        if start == end:
            report.log.lost[report.path, ONLY_WHITESPACE] += 1
            continue
        report.log.trimmed += end - start < entity.end - entity.start
        span = doc.char_span(start, end, label=entity.label)
        if span is not None:
            spans.append(span)
            continue
        report.log.lost[report.path, MISALIGNED] += 1
        line = text.lines[i] if text.lines else text.line
        surface = text.text[start:end]
        message = f"{entity.label} {surface!r} {MISALIGNED}"
        report(line, "misaligned entity", message)
        gaps.append((start, end))
    entities = spans
    if text.can_overlap:
        doc.spans[spans_key] = spans
        entities = filter_spans(spans)
        report.log.lost[report.path, OVERLAPPING] += len(spans) - len(entities)
    if text.incorrect:
        doc.spans[INCORRECT_SPANS] = [
            span
            for start, end, label in text.incorrect
            if (span := doc.char_span(start, end, label=label)) is not None
        ]
    # A token of an entity is not in a gap beside it.
    missing = _tokens_in_gaps(doc, gaps, entities)
    doc.set_ents(entities, missing=missing)
    if text.can_overlap and missing and len(missing) == len(doc):
        # An empty group would say that there are no entities: see data/nesting.py.
        del doc.spans[spans_key]
    return doc


def _tokens_in_gaps(
    doc: Doc, gaps: list[tuple[int, int]], entities: list[Span]
) -> list[Span]:
    """Return each token that overlaps a gap and is not part of an entity, as a span.

    gaps: Start and end of each gap, in characters.
    """
    if not gaps:
        return []
    in_entity = {i for entity in entities for i in range(entity.start, entity.end)}
    found: list[Span] = []
    rest = iter([*sorted(gaps), (len(doc.text), 0)])
    start, end = next(rest)
    furthest = 0  # the end of the gaps that begin before the end of the token
    for token in doc:
        while start < token.idx + len(token):
            furthest = max(furthest, end)
            start, end = next(rest)
        if token.idx < furthest and token.i not in in_entity:
            found.append(doc[token.i : token.i + 1])
    return found
