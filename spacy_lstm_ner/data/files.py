"""What a dataset file is: its format, its tag scheme, and its records."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from ..exceptions import DataError
from ..tags import FILE_SCHEMES, OUTSIDE, split_tag
from .formats import (
    POSITIONED,
    UNREADABLE,
    Progress,
    Record,
    read_columns,
    read_jsonl,
    read_lines,
    read_literal,
    with_whole_characters,
)
from .literals import parse_json, parse_literal
from .problems import Report

FORMATS = ("jsonl", "literal", "columns")
# How much of a file is looked at to find out what it is.
PEEK_LINES = 20
PEEK_RECORDS = 1000


def no_progress(size: int) -> None:
    """Tell nobody how many bytes were read."""


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
        self.separator = separator or None
        self.format = _find_format(self.path) if format == "auto" else format
        self.segmentation_digits = False
        # These problems are met again, and told, when the records are really read.
        unheard = Report()
        peek = list(islice(self.records(unheard), PEEK_RECORDS))
        if not peek:
            what = f"{self.path}: no record in {self.format} format"
            raise DataError("\n".join([what, *unheard.messages()]))
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
        self, report: Report, *, progress: Progress = no_progress
    ) -> Iterator[Record]:
        """Read the file from its beginning.

        report (Report): Takes in the problems.
        progress (Progress): Called with the bytes of each line read.
        YIELDS (Record): Every record that can be read, as it is or repaired.
        RAISES (DataError): At the first problem, if the report is strict.
        """
        tell = partial(report.add, str(self.path))
        lines = read_lines(self.path, tell, progress)
        if self.format == "jsonl":
            records = read_jsonl(lines, tell)
        elif self.format == "literal":
            records = read_literal(lines, tell)
        else:
            digits = self.segmentation_digits
            records = read_columns(lines, self.separator, digits=digits)
        for record in records:
            yield with_whole_characters(record, tell)


def _find_format(path: Path) -> str:
    """Tell the format by the first line that can be read as an object.

    RAISES (DataError): For an empty file, one in another encoding, and JSON that is
        not one record a line.
    """
    report = Report()
    lines = read_lines(path, partial(report.add, str(path)), no_progress)
    peek = list(islice((line.strip() for _, line in lines if line.strip()), PEEK_LINES))
    if not peek:
        raise DataError(f"{path}:1: empty file")
    unreadable = report.counts[str(path), "not UTF-8"]
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
    for line in (line for line in peek if line[0] == "{"):
        for name, parse in (("jsonl", parse_json), ("literal", parse_literal)):
            with suppress(*UNREADABLE):
                if isinstance(parse(line), dict):
                    return name
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
