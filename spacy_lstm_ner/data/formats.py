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

import ast
import json
import re
import string
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..tagging import FILE_SCHEMES, OUTSIDE, split_tag
from .report import DataError, Report

FORMATS = ("jsonl", "literal", "columns")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What JSON and some exporters make of half a character outside the BMP.
SURROGATE = re.compile("[\ud800-\udfff]")
SPLIT_PAIR = re.compile("[\ud800-\udbff]\0[\udc00-\udfff]")
# A character and its position in the word: "科0".
POSITIONED = re.compile("([\ud800-\udbff][\udc00-\udfff]|.)(0|[1-9][0-9]?)", re.DOTALL)
# How much of a file is looked at to find out what it is.
PEEK_LINES = 20
PEEK_RECORDS = 1000

Lines = Iterable[tuple[int, str]]
# Told of a problem by line number, kind and message.
Tell = Callable[[int, str, str], None]


class Record(NamedTuple):
    """A text in units (characters or words), with a tag for each; "" is no tag."""

    units: list[str]
    tags: list[str]
    lines: list[int]  # where in the file each unit stands


class DataFile:
    """A dataset file: what it is, and its records.

    Whatever is left to "auto" or None is found out by looking at the beginning.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        format: str = "auto",
        scheme: str = "auto",
        separator: str | None = None,
        segmentation_digits: bool | None = None,
    ):
        """
        path (str | Path): The file.
        format (str): One of `FORMATS`, or "auto".
        scheme (str): One of `FILE_SCHEMES`, or "auto".
        separator (str | None): What stands between columns. By default whatever
            white space stands before the tag.
        segmentation_digits (bool | None): Whether characters in columns carry their
            position in the word, as in "科0", which is then removed.
        RAISES (DataError): For a file without a readable record, or an unknown
            setting.
        """
        self.path = Path(path)
        for name, value, known in (
            ("format", format, FORMATS),
            ("scheme", scheme, FILE_SCHEMES),
        ):
            if value not in ("auto", *known):
                raise DataError(f"unknown {name} {value!r}: use auto or one of {known}")
        if not self.path.is_file():
            found = "is a folder, not a file" if self.path.is_dir() else "no such file"
            raise DataError(f"{self.path}: {found}")
        self.separator = separator
        self.format = _find_format(self.path) if format == "auto" else format
        self.segmentation_digits = False
        # These problems are met again, and told, when the records are really read.
        unheard = Report()
        peek = list(islice(self.records(unheard), PEEK_RECORDS))
        if not peek:
            why = "\n".join(unheard.messages())
            raise DataError(f"{self.path}: no record in {self.format} format\n{why}")
        if self.format == "columns":
            self.segmentation_digits = (
                _has_segmentation_digits(peek)
                if segmentation_digits is None
                else segmentation_digits
            )
        self.scheme = scheme
        if scheme == "auto":
            found_scheme = _find_scheme(record.tags for record in peek)
            if found_scheme is None:
                raise DataError(
                    f"{self.path}: nothing like a tag (O, B-…, I-…) in {self.format} "
                    f"format: is it another format, or has it another separator?"
                )
            self.scheme = found_scheme

    def records(
        self, report: Report, *, progress: Callable[[int], object] = lambda size: None
    ) -> Iterator[Record]:
        """Read the file from its beginning.

        report (Report): Takes in the problems.
        progress (Callable[[int], object]): Called with the bytes of each line read.
        YIELDS (Record): Every record that can be read, as it is or repaired.
        RAISES (DataError): At the first problem, if the report is strict.
        """
        tell = partial(report.add, self.path)
        lines = _read_lines(self.path, tell, progress)
        if self.format == "columns":
            records = _read_columns(
                lines, self.separator, digits=self.segmentation_digits
            )
        else:
            parse = json.loads if self.format == "jsonl" else _parse_literal
            records = _read_objects(lines, parse, tell)
        for record in records:
            yield _with_whole_characters(record, tell)


def _read_lines(
    path: Path, tell: Tell, progress: Callable[[int], object]
) -> Iterator[tuple[int, str]]:
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


def _read_columns(
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
    if separator is None:
        tag = body.rsplit(None, 1)[-1] if body else ""
        head = body[: len(body) - len(tag)]
        if not head:
            return body or line.strip(string.whitespace), ""
        head, separator = head[:-1], head[-1]
    else:
        head, found, tag = body.rpartition(separator)
        if not found:
            return body, ""
    return head.partition(separator)[0] or separator, tag


def _without_digits(unit: str) -> str:
    """Remove the position in the word from a character; "10" is "1" at position 0."""
    match = POSITIONED.fullmatch(unit)
    return match[1] if match else unit


def _read_objects(
    lines: Lines, parse: Callable[[str], Any], tell: Tell
) -> Iterator[Record]:
    """Read records of one JSON object or Python dict a line."""
    for number, line in lines:
        if not line.strip():
            continue
        try:
            units, tags = _units_and_tags(parse(line))
        except _UNREADABLE as error:
            # The message of a parser's error speaks of "line 1", not of the file's.
            message = getattr(error, "msg", str(error))
            tell(number, "not a record", message or type(error).__name__)
            continue
        if len(units) != len(tags):
            message = f"{len(units)} characters, {len(tags)} labels"
            tell(number, "different lengths", message)
        elif not any(units):
            tell(number, "empty record", "the text is empty")
        else:
            yield Record(units, tags, [number] * len(units))


# What parsers raise on input that is wrong, or made to harm.
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def _parse_literal(line: str) -> Any:
    # The parser refuses half characters as such, but not when they are escaped.
    source = line.strip().encode(errors="backslashreplace").decode()
    try:
        return ast.literal_eval(source)
    except SyntaxError:
        raise
    except _UNREADABLE:
        raise ValueError("not a plain Python literal") from None


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
        # Each label may be of a half character, or of one that two halves make up.
        units = list(_join_halves(text))
    return units, labels


def _are_strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)


def _with_whole_characters(record: Record, tell: Tell) -> Record:
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
        if whole.units and SPLIT_PAIR.fullmatch(f"{whole.units[-1]}\0{unit}"):
            whole.units[-1] += unit
        else:
            whole.units.append(unit)
            whole.tags.append(mend(tag, line))
            whole.lines.append(line)
    units = [mend(*pair) for pair in zip(whole.units, whole.lines, strict=True)]
    return whole._replace(units=units)


def _join_halves(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode(
        "utf-16-le", "surrogatepass"
    )


def _find_format(path: Path) -> str:
    """Tell the format by the first line that can be read as an object.

    RAISES (DataError): For an empty file, one in another encoding, and JSON that is
        not one record a line.
    """
    report = Report()
    lines = _read_lines(path, partial(report.add, path), lambda size: None)
    peek = list(islice((line.strip() for _, line in lines if line.strip()), PEEK_LINES))
    if not peek:
        raise DataError(f"{path}:1: empty file")
    unreadable = report.counts["not UTF-8"]
    if unreadable > 2 and 2 * unreadable > sum(not line.isascii() for line in peek):
        raise DataError(
            f"{path}: not UTF-8 from the first lines on. If it is GBK, make it UTF-8: "
            f"iconv -f GB18030 -t UTF-8 {path.name} > new-file"
        )
    if peek[0] in ("[", "{") or re.match(r"\[\s*[{\[]", peek[0]):
        raise DataError(
            f"{path}:1: one JSON value over the whole file, not one record a line. "
            f"For an array of records: jq -c '.[]' {path.name} > new-file"
        )
    for line in peek:
        for name, parse in (("jsonl", json.loads), ("literal", _parse_literal)):
            try:
                if line.startswith("{") and isinstance(parse(line), dict):
                    return name
            except _UNREADABLE:
                continue
    if all(line.startswith(('{"', "{'")) for line in peek):
        raise DataError(f"{path}: looks like records in JSON, but none can be read")
    return "columns"


def _has_segmentation_digits(records: list[Record]) -> bool:
    """Tell by the units: nearly all are a character and its position, and the first
    one begins a word."""
    units = [unit for record in records for unit in record.units]
    positioned = sum(POSITIONED.fullmatch(unit) is not None for unit in units)
    return units[0].endswith("0") and positioned >= 0.9 * len(units)


def _find_scheme(sequences: Iterable[list[str]]) -> str | None:
    """Tell the tag scheme by the prefixes in use; None if there are none at all.

    BIO and IOB1 have the same ones: it is IOB1 if entities begin with I-, and B-
    stands only where an entity touches another one of the same label.
    """
    prefixes = set()
    begins_inside = False
    begins_needlessly = False
    for tags in sequences:
        previous = ""
        for tag in tags:
            prefix, label = split_tag(tag)
            prefixes.add(prefix)
            if label != previous:
                begins_inside |= prefix == "I"
                begins_needlessly |= prefix == "B"
            previous = label
    if not prefixes & {OUTSIDE, "B", "I", "M", "E", "S"}:
        return None
    if "M" in prefixes:
        return "BMES"
    if prefixes & {"E", "S"}:
        return "BIOES"
    return "IOB1" if begins_inside and not begins_needlessly else "BIO"
