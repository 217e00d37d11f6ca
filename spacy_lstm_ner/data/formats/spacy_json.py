"""spaCy's JSON of version 2: documents with paragraphs, sentences and tokens.

The tags of the tokens are read, since they say where annotation is missing ("-"); the
entities of a paragraph only if its tokens have no tags.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..options import ReadingOptions
from .base import AnnotatedText, Record, Report, Values
from .offset_detection import detect_offsets
from .offsets import extract_spans
from .spans import SpannedText, annotated_text

# The tag of a token whose annotation is missing.
_MISSING = "-"


def recognizes(values: list[Any]) -> bool:
    """Return whether there is a document with paragraphs of text or tokens."""
    return any(
        isinstance(paragraph, dict) and ("sentences" in paragraph or "raw" in paragraph)
        for value in values
        for paragraph in _list_in(value, "paragraphs")
    )


def detect(values: list[Any], options: ReadingOptions, path: Path) -> ReadingOptions:
    """Check the offsets of entities, whose ends are exclusive.

    RAISES (DataError): If they are contradictory.
    """
    texts = [
        text
        for value in values
        for paragraph in _list_in(value, "paragraphs")
        if not _has_tags(_tokens_of(paragraph))
        and (text := _spanned(paragraph)) is not None
    ]
    if not texts:
        return options
    return detect_offsets(
        texts, options, path, convention="exclusive", counted="characters"
    )


def read_documents(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[Record | AnnotatedText]:
    """Read each paragraph of each document as a record."""
    for line, value in values:
        if not isinstance(value, dict) or not isinstance(value.get("paragraphs"), list):
            report(line, "not a record", "expected a document with paragraphs")
            continue
        for paragraph in value["paragraphs"]:
            yield from _read_paragraph(paragraph, options, report, line)


def _read_paragraph(
    paragraph: Any, options: ReadingOptions, report: Report, line: int
) -> Iterator[Record | AnnotatedText]:
    tokens = _tokens_of(paragraph)
    if not all(isinstance(token.get("orth"), str) for token in tokens):
        report(line, "not a record", "a token has no text (orth)")
        return
    words = [token["orth"] for token in tokens]
    text = _spanned(paragraph)
    if _has_tags(tokens):
        tags = [_tag_of(token) for token in tokens]
        if text is None:
            yield Record(words, tags, [line] * len(words))
        elif found := _with_gaps(text.text, words, tags):
            units, all_tags = found
            yield Record(units, all_tags, [line] * len(units), [False] * len(units))
        else:
            report(line, "not a record", "the tokens are not those of the raw text")
    elif text is not None and text.spans:
        yield annotated_text(text, options, report, line, {})
    else:
        # An empty list of entities is what spaCy writes for unannotated text, too.
        report.leave_out("no annotation")


def _list_in(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _tokens_of(paragraph: Any) -> list[dict[str, Any]]:
    """Return the tokens of a paragraph: empty ones for those that cannot be read."""
    tokens: list[dict[str, Any]] = []
    for sentence in _list_in(paragraph, "sentences"):
        listed = sentence.get("tokens") if isinstance(sentence, dict) else None
        for token in listed if isinstance(listed, list) else [None]:
            tokens.append(token if isinstance(token, dict) else {})
    return tokens


def _has_tags(tokens: list[dict[str, Any]]) -> bool:
    return any(_tag_of(token) for token in tokens)


def _tag_of(token: dict[str, Any]) -> str:
    tag = token.get("ner")
    return tag if isinstance(tag, str) and tag != _MISSING else ""


def _spanned(paragraph: Any) -> SpannedText | None:
    raw = paragraph.get("raw") if isinstance(paragraph, dict) else None
    if not isinstance(raw, str) or not raw:
        return None
    return SpannedText(raw, extract_spans(_items(paragraph)))


def _items(paragraph: Any) -> list[Any]:
    # What is neither an object nor a list is an entity that cannot be read.
    return [
        item if isinstance(item, dict | list | tuple) else {}
        for item in _list_in(paragraph, "entities")
    ]


def _with_gaps(
    text: str, words: list[str], tags: list[str]
) -> tuple[list[str], list[str]] | None:
    """Return the tokens and what is between them in the text as units with tags; None
    if the text does not have these tokens."""
    units: list[str] = []
    all_tags: list[str] = []
    at = 0
    for word, tag in zip(words, tags, strict=True):
        start = text.find(word, at)
        if start < 0 or text[at:start].strip():
            return None
        if start > at:
            units.append(text[at:start])
            # Within an entity, the tag that its inner tokens have.
            is_inside = tag.startswith(("I-", "L-", "E-", "M-"))
            all_tags.append(f"I-{tag[2:]}" if is_inside else "O")
        units.append(word)
        all_tags.append(tag)
        at = start + len(word)
    if text[at:].strip():
        return None
    if at < len(text):
        units.append(text[at:])
        all_tags.append("O")
    return units, all_tags
