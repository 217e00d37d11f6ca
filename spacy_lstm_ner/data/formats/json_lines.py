"""Formats with one object a line, as JSON or as a Python literal."""

from collections.abc import Callable, Iterator
from typing import Any

from ..encoding import CHARACTER
from ..literals import parse_json, parse_literal
from ..options import ReadingOptions
from .base import Lines, Record, Report

# Raised by the parsers for malformed or malicious input.
UNREADABLE = (ValueError, MemoryError, RecursionError)


def read_jsonl(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one JSON object a line."""
    return _read_objects(lines, report, parse_json)


def read_literal(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one Python dict a line."""
    return _read_objects(lines, report, parse_literal)


def is_json_object(line: str) -> bool:
    """Return whether a line is a JSON object."""
    return _is_object(line, parse_json)


def is_literal_object(line: str) -> bool:
    """Return whether a line is a Python dict literal."""
    return _is_object(line, parse_literal)


def _is_object(line: str, parse: Callable[[str], Any]) -> bool:
    if not line.startswith("{"):
        return False
    try:
        return isinstance(parse(line), dict)
    except UNREADABLE:
        return False


def _read_objects(
    lines: Lines, report: Report, parse: Callable[[str], Any]
) -> Iterator[Record]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            units, tags = _units_and_tags(parse(line))
        except UNREADABLE as error:
            report(number, "not a record", str(error) or type(error).__name__)
            continue
        if len(units) != len(tags):
            message = f"{len(units)} characters, {len(tags)} labels"
            report(number, "different lengths", message)
        elif not any(units):
            report(number, "empty record", "the text is empty")
        else:
            yield Record(units, tags, [number] * len(units))


def _units_and_tags(value: Any) -> tuple[list[str], list[str]]:
    """Extract text and labels from a parsed line. Labels that are null become empty
    tags.

    RAISES (ValueError): If one of them is missing or has the wrong type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, not {type(value).__name__}")
    for key in ("text", "labels"):
        if key not in value:
            keys = ", ".join(map(str, value)) or "none"
            raise ValueError(f"key {key!r} is missing; keys found: {keys:.100}")
    text, labels = value["text"], value["labels"]
    if not isinstance(text, str) and not _are_strings(text):
        raise ValueError("'text' is neither a string nor a list of strings")
    if isinstance(labels, list | tuple):
        labels = ["" if label is None else label for label in labels]
    if not _are_strings(labels):
        raise ValueError("'labels' is not a list of strings")
    units = list(text)
    if isinstance(text, str) and len(units) != len(labels):
        # There may be one label for each surrogate pair of the text.
        units = CHARACTER.findall(text)
    return units, labels


def _are_strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
