"""A dataset file: its format, its tag scheme and its records."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from pathlib import Path

from ..exceptions import DataError
from ..tags import detect_scheme
from .encoding import read_lines, repair_surrogates
from .formats import DEFAULT_FORMAT, FORMATS, Record, check_format, recognize_format
from .formats.columns import has_segmentation_digits
from .options import ReadingOptions
from .problems import ProblemLog
from .split import split_records

# How much of a file is read to detect its format and its scheme.
_PEEK_LINES = 20
_PEEK_RECORDS = 1000

#: Called with the number of bytes that were read.
Progress = Callable[[int], object]


def no_progress(size: int) -> None:
    """Ignore the number of bytes that were read."""


class DataFile:
    """A dataset file. Its format, scheme and segmentation digits are detected from its
    beginning unless they are given.

    path: The file.
    options: The options, in which detected values replace "auto" and None.
    """

    def __init__(self, path: str | Path, options: ReadingOptions | None = None):
        """
        path: The file.
        options: How to read it. None: the defaults.
        RAISES (DataError): For a file without a readable record, or an unknown format.
        """
        self.path = Path(path)
        options = options or ReadingOptions()
        check_format(options.format)
        if not self.path.is_file():
            reason = "is a folder, not a file" if self.path.is_dir() else "no such file"
            raise DataError(f"{self.path}: {reason}")
        if options.format == "auto":
            options = replace(options, format=_detect_format(self.path))
        with_digits = options.segmentation_digits
        self.options = replace(options, segmentation_digits=False)
        # The same problems are reported when the records are read again.
        ignored = ProblemLog()
        first_records = list(islice(self._all_records(ignored), _PEEK_RECORDS))
        if not first_records:
            message = f"{self.path}: no record in {options.format} format"
            raise DataError("\n".join([message, *ignored.messages()]))
        if options.format == "columns":
            if with_digits is None:
                with_digits = has_segmentation_digits(first_records)
            self.options = replace(self.options, segmentation_digits=with_digits)
        if options.scheme == "auto":
            scheme = detect_scheme(record.tags for record in first_records)
            if scheme is None:
                raise DataError(
                    f"{self.path}: no tags such as O, B-… or I-… found in "
                    f"{options.format} format: set the format, or the separator of the "
                    f"columns"
                )
            self.options = replace(self.options, scheme=scheme)

    def records(
        self, problems: ProblemLog, *, progress: Progress = no_progress
    ) -> Iterator[Record]:
        """Read the records of the file, up to the limit.

        problems: Problems are added to it.
        progress: Called with the number of bytes of each line.
        YIELDS: Every record that can be read, repaired if necessary.
        RAISES (DataError): At the first problem, if the log is strict.
        """
        records = self._all_records(problems, progress)
        return islice(records, self.options.limit or None)

    def records_with_part(
        self, problems: ProblemLog, *, progress: Progress = no_progress
    ) -> Iterator[tuple[Record, int]]:
        """Read the records of the file with the part of the split that each one belongs
        to. A split reads the file twice, since the assignment depends on the number of
        records.

        problems: Problems are added to it.
        progress: Called with the number of bytes of each line, in both passes.
        RETURNS: Each record with the index of its part in `PARTS`; 0 without a split.
        RAISES (DataError): At the first problem, if the log is strict.
        """
        part_of: Iterable[int] = repeat(0)
        if shares := self.options.shares:
            # The second pass reports the same problems.
            n = sum(1 for _ in self.records(ProblemLog(), progress=progress))
            part_of = split_records(n, shares, self.options.seed)
        records = self.records(problems, progress=progress)
        # The records come first: zip then reads them to the end, where there may still
        # be a problem.
        return zip(records, part_of, strict=False)

    def _all_records(
        self, problems: ProblemLog, progress: Progress = no_progress
    ) -> Iterator[Record]:
        report = partial(problems.add, str(self.path))
        lines = read_lines(self.path, report, progress)
        for record in FORMATS[self.options.format].read_lines(
            lines, self.options, report
        ):
            yield Record(*repair_surrogates(*record[:3], report))


def _detect_format(path: Path) -> str:
    """Detect the format of a file from its first lines.

    RAISES (DataError): For an empty file, another encoding than UTF-8, and JSON that is
        not one record a line.
    """
    problems = ProblemLog()
    lines = read_lines(path, partial(problems.add, str(path)), no_progress)
    first_lines = list(
        islice((line.strip() for _, line in lines if line.strip()), _PEEK_LINES)
    )
    if not first_lines:
        raise DataError(f"{path}:1: empty file")
    undecodable = problems.counts[str(path), "not UTF-8"]
    non_ascii = sum(not line.isascii() for line in first_lines)
    if undecodable > 2 and 2 * undecodable > non_ascii:
        raise DataError(
            f"{path}: not UTF-8. If it is GBK, convert it: "
            f"iconv -f GB18030 -t UTF-8 {path.name} > new-file"
        )
    if first_lines[0] in ("[", "{") or re.match(r"\[\s*[{\[]", first_lines[0]):
        raise DataError(
            f"{path}:1: the whole file is one JSON value; expected one record a line. "
            f"If it is an array of records, convert it: "
            f"jq -c '.[]' {path.name} > new-file"
        )
    if name := recognize_format(first_lines):
        return name
    if all(line.startswith(('{"', "{'")) for line in first_lines):
        raise DataError(f"{path}: looks like JSON records, but none can be parsed")
    return DEFAULT_FORMAT
