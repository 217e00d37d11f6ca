"""The format with one unit a line: columns of which the first is the unit and the last
its tag, and blank lines between records."""

import re
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..encoding import CHARACTER
from ..options import ReadingOptions
from .base import IGNORED, Lines, Record, Report

# A character and its position in the word: "科0".
_POSITIONED = re.compile(f"({CHARACTER.pattern})(0|[1-9][0-9]?)", re.DOTALL)


def read_columns(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one unit a line. No unit is left out, because that would change
    the text: a unit without a tag gets an empty tag."""
    record = Record([], [], [])
    for number, line in lines:
        # U+3000 does not count as blank: it may be a character without a tag.
        if not line.strip(string.whitespace) or line.startswith("-DOCSTART-"):
            if record.units:
                yield record
                record = Record([], [], [])
            continue
        unit, tag = _split_columns(line, options.separator or None)
        if options.segmentation_digits:
            unit = _without_digits(unit)
        record.units.append(unit)
        record.tags.append(tag)
        record.lines.append(number)
    if record.units:
        yield record


def has_segmentation_digits(records: list[Record]) -> bool:
    """Return whether the characters of records are followed by their position in the
    word: nearly all are, and the first one begins a word."""
    units = [unit for record in records for unit in record.units]
    positioned = sum(_POSITIONED.fullmatch(unit) is not None for unit in units)
    return units[0].endswith("0") and positioned >= 0.9 * len(units)


def _split_columns(line: str, separator: str | None) -> tuple[str, str]:
    """Return the first and the last column of a line. The first one may itself be
    whitespace: a space with the tag O is the line "  O", or " O" if the separator was
    lost."""
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
    match = _POSITIONED.fullmatch(unit)
    return match[1] if match else unit


def detect(
    lines: list[tuple[int, str]], options: ReadingOptions, path: Path
) -> ReadingOptions:
    """Detect whether characters are followed by their position in the word."""
    if options.segmentation_digits is not None:
        return options
    plain = replace(options, segmentation_digits=False)
    records = list(read_columns(lines, plain, IGNORED))
    found = bool(records) and has_segmentation_digits(records)
    return replace(options, segmentation_digits=found)
