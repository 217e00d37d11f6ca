"""Records → Docs with entities, aligned by character."""

from itertools import accumulate

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..exceptions import DataError
from ..tags import spans_from_tags
from ..util.text import trimmed
from .files import DataFile
from .formats import Record
from .problems import ProblemLog


def doc_from_record(
    nlp: Language, record: Record, *, file: DataFile, problems: ProblemLog
) -> Doc:
    """Create the annotated Doc of a record.

    nlp: Its tokenizer is used, so that the Doc has the same tokens as at prediction
        time.
    record: A record of the file.
    file: The file, which has the tag scheme and the joiner.
    problems: Problems are added to it, and entities that were trimmed or dropped.
    RETURNS: A Doc with entities. Where a tag cannot be used, the annotation is missing
        rather than outside.
    RAISES (DataError): At the first problem if the log is strict, and for a text longer
        than `nlp.max_length`.
    """
    joiner = file.options.joiner or ""
    text = joiner.join(record.units)
    if len(text) > nlp.max_length:
        raise DataError(
            f"{file.path}:{record.lines[0]}: text of {len(text):,} characters, the "
            f"limit is {nlp.max_length:,}: check for missing blank lines between "
            f"sentences"
        )
    doc = nlp.make_doc(text)
    # The offset of each unit in the text, and of one after the last: a unit ends
    # len(joiner) before the next one.
    sizes = (len(unit) + len(joiner) for unit in record.units)
    offsets = list(accumulate(sizes, initial=0))
    found = spans_from_tags(record.tags, file.options.scheme)
    # Parts of the text whose annotation is missing.
    gaps = [(offsets[i], offsets[j] - len(joiner)) for i, j in found.missing]
    for i, kind, message in found.problems:
        message = f"{message}, at {record.units[i]!r}, unit {i + 1} of the record"
        problems.add(str(file.path), record.lines[i], kind, message)
    entities: list[Span] = []
    for first, last, label in found.spans:
        start, end = offsets[first], offsets[last] - len(joiner)
        size = end - start
        start, end = trimmed(text, start, end)
        if start == end:
            problems.dropped += 1
            continue
        problems.trimmed += end - start < size
        entity = doc.char_span(start, end, label=label)
        if entity is None:
            message = f"{label} {text[start:end]!r} begins or ends inside a token"
            problems.add(
                str(file.path), record.lines[first], "misaligned entity", message
            )
            gaps.append((start, end))
        else:
            entities.append(entity)
    doc.set_ents(entities, missing=_tokens_in_gaps(doc, gaps))
    return doc


def _tokens_in_gaps(doc: Doc, gaps: list[tuple[int, int]]) -> list[Span]:
    """Return each token that overlaps a gap, as a span.

    gaps: Start and end of each gap, in characters.
    """
    if not gaps:
        return []
    found: list[Span] = []
    rest = iter([*sorted(gaps), (len(doc.text), 0)])
    start, end = next(rest)
    furthest = 0  # the end of the gaps that begin before the end of the token
    for token in doc:
        while start < token.idx + len(token):
            furthest = max(furthest, end)
            start, end = next(rest)
        if token.idx < furthest:
            found.append(doc[token.i : token.i + 1])
    return found
