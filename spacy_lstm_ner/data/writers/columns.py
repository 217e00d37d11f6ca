"""Columns: one unit and its tag a line, and a blank line between texts.

With characters as units, the file has all blanks of a text: a blank is a line that
begins with it. With tokens, blanks between them are not in the file; texts that do not
have either none or one between all tokens are counted. Line breaks and tabs, which a
unit cannot have in this format, are written as blanks and counted, so that the number
of characters stays the same.
"""

from collections.abc import Iterable
from pathlib import Path

from ...exceptions import DataError
from .base import ExportedText, WritingLog, WritingOptions
from .tagged import tagged_text, tags_from_spans

# All characters that end a line for some reader, and the tab between columns.
_AS_BLANK = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"), " ")


def write_columns(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write a unit a line: see `base.Write`."""
    known: set[str] = set()
    with path.open("w", encoding="utf8", newline="\n") as file:
        for exported in texts:
            units, spans, entities = tagged_text(exported, options, log)
            if not units:
                log.changes["text without units left out"] += 1
                continue
            for label in {span.label for span in spans} - known:
                _check_label(label)
                known.add(label)
            tags = tags_from_spans(spans, len(units), options.scheme)
            if log.records:
                file.write("\n")
            for unit, tag in zip(units, tags, strict=True):
                written = unit.translate(_AS_BLANK)
                if written != unit:
                    log.changes["line break or tab written as a blank"] += 1
                file.write(f"{written}{options.separator}{tag}\n")
            log.add(entities)


def _check_label(label: str) -> None:
    if any(char.isspace() for char in label):
        raise DataError(
            f"the label {label!r} has whitespace, which separates columns: rename it, "
            f"or use a format with offsets"
        )
