"""The formats of dataset files. All readers yield the same records.

========  ==========================================================================
format    a record
========  ==========================================================================
jsonl     a line ``{"text": "…" or ["…", …], "labels": ["B-ORG", …]}``
literal   the same as a Python literal, with single quotes
columns   a line for each unit, its tag last; a blank line between records
========  ==========================================================================

To add a format, write a module with a function that yields the records of a file
(see `base.Format`; `columns` is an example), and add the format to `FORMATS`. The
reader, `convert`, `check` and the command line then accept it under its key there.
"""

from ...exceptions import DataError
from . import columns, json_lines
from .base import AnnotatedText, Format, Lines, Record, Report

__all__ = [
    "AnnotatedText",
    "DEFAULT_FORMAT",
    "FORMATS",
    "Format",
    "Lines",
    "Record",
    "Report",
    "check_format",
    "recognize_format",
]

#: All formats by name, in the order in which detection tries them.
FORMATS: dict[str, Format] = {
    "jsonl": Format(
        "JSON lines", json_lines.read_jsonl, recognizes=json_lines.is_json_object
    ),
    "literal": Format(
        "literals", json_lines.read_literal, recognizes=json_lines.is_literal_object
    ),
    "columns": Format("columns", columns.read_columns),
}
#: The format of a file in which no line is recognized.
DEFAULT_FORMAT = "columns"


def check_format(name: str) -> None:
    """RAISES (DataError): Unless the name is "auto" or a key of `FORMATS`."""
    if name not in ("auto", *FORMATS):
        raise DataError(f"unknown format {name!r}: use auto or one of {tuple(FORMATS)}")


def recognize_format(lines: list[str]) -> str | None:
    """Detect the format of a file from its first lines.

    lines: Lines without surrounding whitespace, none of them empty.
    RETURNS: The format that recognizes the earliest line; None if no line is
        recognized.
    """
    for line in lines:
        for name, format in FORMATS.items():
            if format.recognizes is not None and format.recognizes(line):
                return name
    return None
