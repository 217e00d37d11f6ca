"""One reader for each file format, all yielding the same records.

========  ==========================================================================
format    a record
========  ==========================================================================
jsonl     a line ``{"text": "…" or ["…", …], "labels": ["B-ORG", …]}``
literal   the same as a Python literal, with single quotes
columns   a line for each unit, its tag last; a blank line between records
========  ==========================================================================

Files are read as bytes, line by line: a file may be larger than memory, and a line
that is not UTF-8 spoils no other one.
"""

import re
import string
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .literals import parse_json, parse_literal

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Half a character outside the BMP: what JSON and some exporters make of one.
SURROGATE = re.compile("[\ud800-\udfff]")
CHARACTER = re.compile("[\ud800-\udbff][\udc00-\udfff]|.", re.DOTALL)
# A character and its position in the word: "科0".
POSITIONED = re.compile(f"({CHARACTER.pattern})(0|[1-9][0-9]?)", re.DOTALL)
# What the parsers raise on input that is wrong, or made to harm.
UNREADABLE = (ValueError, MemoryError, RecursionError)

Lines = Iterable[tuple[int, str]]
# Told of a problem by line number, kind and message.
Tell = Callable[[int, str, str], None]
# Told of progress by the number of bytes that were read.
Progress = Callable[[int], object]


class Record(NamedTuple):
    """A text in units (characters or words), with the tag of each ("" if it has none)
    and the line of the file that it stands on."""

    units: list[str]
    tags: list[str]
    lines: list[int]


def read_lines(path: Path, tell: Tell, progress: Progress) -> Iterator[tuple[int, str]]:
    """Decode the lines of a file; half characters (surrogates) are let through."""
    with path.open("rb") as file:
        # Only "\n" ends a line here: a text may well hold U+2028 or a form feed.
        for number, raw in enumerate(file, 1):
            progress(len(raw))
            if number == 1 and raw.startswith(BYTE_ORDER_MARK):
                tell(number, "byte-order mark", "the file begins with one")
                raw = raw[len(BYTE_ORDER_MARK) :]
            line = raw.rstrip(b"\r\n")
            if raw.endswith((b"\r\n", b"\r")):
                tell(number, "Windows line end", r"lines end in \r\n")
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                try:
                    text = line.decode(errors="surrogatepass")
                except UnicodeDecodeError:
                    tell(number, "not UTF-8", f"{error.reason}, byte {error.start + 1}")
                    text = line.decode(errors="replace")
            yield number, text


def read_jsonl(lines: Lines, tell: Tell) -> Iterator[Record]:
    """Read records of one JSON object a line."""
    return _read_objects(lines, tell, parse_json)


def read_literal(lines: Lines, tell: Tell) -> Iterator[Record]:
    """Read records of one Python dict a line."""
    return _read_objects(lines, tell, parse_literal)


def read_columns(
    lines: Lines, separator: str | None, *, digits: bool
) -> Iterator[Record]:
    """Read records of one unit a line. No unit is ever left out, since that would
    silently change the text: one without a tag gets an empty tag."""
    record = Record([], [], [])
    for number, line in lines:
        # U+3000 is no blank: it may be a character that lacks its tag.
        if not line.strip(string.whitespace) or line.startswith("-DOCSTART-"):
            if record.units:
                yield record
                record = Record([], [], [])
            continue
        unit, tag = _split_columns(line, separator)
        record.units.append(_without_digits(unit) if digits else unit)
        record.tags.append(tag)
        record.lines.append(number)
    if record.units:
        yield record


def _split_columns(line: str, separator: str | None = None) -> tuple[str, str]:
    """Take the first and the last column of a line. The first may be white space
    itself: a space with the tag O makes the line "  O", or " O" in careless files."""
    body = line.rstrip()
    if not body:
        return line.strip(string.whitespace), ""
    if separator is None:
        tag = body.rsplit(maxsplit=1)[-1]
        separator = body[: -len(tag)][-1:]
    if not separator or separator not in body:
        return body, ""
    head, _, tag = body.rpartition(separator)
    return head.partition(separator)[0] or separator, tag.strip()


def _without_digits(unit: str) -> str:
    """Remove the position in the word from a character; "10" is "1" at position 0."""
    match = POSITIONED.fullmatch(unit)
    return match[1] if match else unit


def _read_objects(
    lines: Lines, tell: Tell, parse: Callable[[str], Any]
) -> Iterator[Record]:
    """Read records of one JSON object or Python dict a line."""
    for number, line in lines:
        if not line.strip():
            continue
        try:
            units, tags = _units_and_tags(parse(line))
        except UNREADABLE as error:
            tell(number, "not a record", str(error) or type(error).__name__)
            continue
        if len(units) != len(tags):
            message = f"{len(units)} characters, {len(tags)} labels"
            tell(number, "different lengths", message)
        elif not any(units):
            tell(number, "empty record", "the text is empty")
        else:
            yield Record(units, tags, [number] * len(units))


def _units_and_tags(value: Any) -> tuple[list[str], list[str]]:
    """Take text and labels out of a parsed line; null labels become empty tags.

    RAISES (ValueError): If they are not there or of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where an object should be")
    for key in ("text", "labels"):
        if key not in value:
            keys = ", ".join(map(str, value)) or "none"
            raise ValueError(f"no {key!r} in it; its keys: {keys:.100}")
    text, labels = value["text"], value["labels"]
    if not isinstance(text, str) and not _are_strings(text):
        raise ValueError("'text' is neither a string nor a list of strings")
    if isinstance(labels, list | tuple):
        labels = ["" if label is None else label for label in labels]
    if not _are_strings(labels):
        raise ValueError("'labels' is not a list of strings")
    units = list(text)
    if isinstance(text, str) and len(units) != len(labels):
        # The labels may be of whole characters where the text has halves.
        units = CHARACTER.findall(text)
    return units, labels


def _are_strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)


def with_whole_characters(record: Record, tell: Tell) -> Record:
    """Join the halves of characters, within a unit or over two; replace single ones,
    which no Doc can hold. Two units that are joined keep the tag of the first."""
    if not SURROGATE.search("".join(record.units) + "".join(record.tags)):
        return record

    def mend(text: str, line: int) -> str:
        if not SURROGATE.search(text):
            return text
        mended = SURROGATE.sub("\ufffd", _join_halves(text))
        lone = mended.count("\ufffd") > text.count("\ufffd")
        tell(line, "lone surrogate" if lone else "surrogate pair", f"in {mended!r}")
        return mended

    whole = Record([], [], [])
    for unit, tag, line in zip(*record, strict=True):
        pair = whole.units[-1] + unit if whole.units else ""
        if len(pair) == 2 and len(_join_halves(pair)) == 1:
            whole.units[-1] = pair
        else:
            whole.units.append(unit)
            whole.tags.append(mend(tag, line))
            whole.lines.append(line)
    units = [mend(u, line) for u, line in zip(whole.units, whole.lines, strict=True)]
    return whole._replace(units=units)


def _join_halves(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode(
        "utf-16-le", "surrogatepass"
    )
