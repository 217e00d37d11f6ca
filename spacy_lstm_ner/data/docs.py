"""Records → Docs: texts and entities, exact to the character."""

from itertools import accumulate

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..exceptions import DataError
from ..tags import spans_from_tags
from ..util.text import trimmed
from .files import DataFile
from .formats import Record
from .problems import Report


def doc_from_record(
    nlp: Language,
    record: Record,
    *,
    file: DataFile,
    report: Report,
    joiner: str = "",
) -> Doc:
    """Build the annotated Doc of a record.

    nlp (Language): Its tokenizer is used, so the Doc is like those of running text.
    record (Record): A record of `file`.
    file (DataFile): Knows the tag scheme, and the name to report problems under.
    report (Report): Takes in the problems, and counts what was trimmed.
    joiner (str): What stands between units: nothing between characters.
    RETURNS (Doc): A Doc with entities; where a tag cannot be used, the annotation is
        missing rather than outside.
    RAISES (DataError): At the first problem if the report is strict, and for a text
        longer than `nlp.max_length`.
    """
    text = joiner.join(record.units)
    if len(text) > nlp.max_length:
        raise DataError(
            f"{file.path}:{record.lines[0]}: a text of {len(text):,} characters; "
            f"are the blank lines between the sentences missing?"
        )
    doc = nlp.make_doc(text)
    # Where each unit begins in the text, and where one after the last would: a unit
    # ends a joiner before the next one begins.
    sizes = (len(unit) + len(joiner) for unit in record.units)
    begins = list(accumulate(sizes, initial=0))
    spans, tag_problems = spans_from_tags(record.tags, file.scheme)
    # Stretches of the text whose annotation is unknown.
    gaps: list[tuple[int, int]] = []
    for i, kind, message in tag_problems:
        if not record.tags[i]:
            kind, message = "no tag", "no tag"
        place = f"{message}, at {record.units[i]!r}, number {i + 1} of the record"
        report.add(str(file.path), record.lines[i], kind, place)
        if kind in ("no tag", "unknown tag"):
            gaps.append((begins[i], begins[i + 1] - len(joiner)))
    entities: list[Span] = []
    for first, last, label in spans:
        start, end = begins[first], begins[last] - len(joiner)
        size = end - start
        start, end = trimmed(text, start, end)
        if start == end:
            report.dropped += 1
            continue
        report.trimmed += end - start < size
        entity = doc.char_span(start, end, label=label)
        if entity is None:
            message = f"{label} {text[start:end]!r} begins or ends inside a token"
            report.add(
                str(file.path), record.lines[first], "misaligned entity", message
            )
            gaps.append((start, end))
        else:
            entities.append(entity)
    doc.set_ents(entities, missing=_in_gaps(doc, gaps))
    return doc


def _in_gaps(doc: Doc, gaps: list[tuple[int, int]]) -> list[Span]:
    """The tokens that have a character in one of the stretches, each as a span."""
    if not gaps:
        return []
    found: list[Span] = []
    rest = iter([*sorted(gaps), (len(doc.text), 0)])
    start, end = next(rest)
    furthest = 0  # the end of those that begin before the end of the token
    for token in doc:
        while start < token.idx + len(token):
            furthest = max(furthest, end)
            start, end = next(rest)
        if token.idx < furthest:
            found.append(doc[token.i : token.i + 1])
    return found
