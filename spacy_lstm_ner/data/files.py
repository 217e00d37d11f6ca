"""A dataset file: how it is written, and its records."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from spacy.language import Language

from ..exceptions import DataError
from .compatibility import Mismatch
from .encoding import repair_offsets, repair_surrogates
from .formats import (
    DEFAULT_FORMAT,
    FORMATS,
    recognize_lines,
    recognize_path,
    recognize_values,
    resolve_format,
)
from .formats.parallel import without_partners
from .options import ReadingOptions
from .problems import FileLog, ProblemLog
from .records import AnnotatedText, Record
from .sources import Progress, TextSource
from .split import split_records
from .tagged import TagReading
from .values import (
    CONTAINERS,
    describe_value,
    detect_container,
    is_parquet,
    read_values,
    unwrapped,
)

# How many records are read to detect the format, and how tags are written.
_PEEK_RECORDS = 1000
# A file with more unknown tags than this, per entity or unknown tag, is refused.
_MAX_UNKNOWN, _MIN_UNKNOWN = 0.05, 10
# Files in a folder that are not data.
_NOT_DATA = (".md", ".py", ".cfg", ".yml", ".yaml", ".html", ".pdf", ".png", ".rst")


class DataFile:
    """A dataset file, or a folder that is one data set. How it is written is detected
    from its beginning, unless the options say it.

    path: The file.
    options: The options, in which detected values replace "auto" and None.
    container: What holds the values of a file with one value per record: a key of
        `values.CONTAINERS`. None for other files.
    source: Encoding and compression of a text file; None for other files.
    """

    def __init__(self, path: str | Path, options: ReadingOptions | None = None):
        """
        path: The file.
        options: How to read it. None: the defaults.
        RAISES (DataError): For a file without a readable record, or whose format is not
            recognized, and for an unknown format.
        """
        self.path = Path(path)
        options = options or ReadingOptions()
        options = replace(options, format=resolve_format(options.format))
        if not self.path.exists():
            raise DataError(f"{self.path}: no such file")
        self.source: TextSource | None = None
        self.container: str | None = None
        self._is_wrapped = False
        self._reading: TagReading | None = None
        try:
            self.options = self._detect(options)
            self._detect_tags()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from None

    @property
    def size(self) -> int:
        """Number of bytes to read, for the progress of reading."""
        paths = self.path.iterdir() if self.path.is_dir() else [self.path]
        return sum(path.stat().st_size for path in paths if path.is_file())

    def describe(self) -> list[tuple[str, str]]:
        """Return how the file is written, and what was taken for granted: pairs of a
        name and a description, for a summary."""
        options = self.options
        found = FORMATS[options.format].description
        rows = [("format", f"{options.format}: {found}")]
        if self.container is not None:
            rows.append(("stored as", CONTAINERS[self.container]))
        if self.source is not None:
            if self.source.compression:
                rows.append(("compressed with", self.source.compression))
            if self.source.encoding != "utf-8":
                rows.append(("encoding", self.source.encoding))
        if options.columns:
            rows.append(("columns", options.columns))
        if options.header:
            rows.append(("header", "the first line"))
        if options.comment:
            rows.append(("comments", f"lines that begin with {options.comment!r}"))
        if options.segmentation_digits:
            rows.append(("position in the word", "removed (科0 → 科)"))
        if self._reading is not None:
            rows += self._reading.describe()
        if options.ends != "auto":
            rows.append(("end of an entity", options.ends))
        if options.offsets != "auto":
            rows.append(("offsets count", _OFFSETS[options.offsets]))
        return rows

    def tokenizer_mismatch(self, nlp: Language) -> Mismatch | None:
        """Compare the units of the file with the tokens of a pipeline.

        nlp: The pipeline. Only its tokenizer is used.
        RETURNS: How the tokenizer does not fit; None if it fits, and for a file without
            units.
        """
        return self._reading.tokenizer_mismatch(nlp) if self._reading else None

    def records(
        self, problems: ProblemLog, *, progress: Progress | None = None
    ) -> Iterator[Record | AnnotatedText]:
        """Read the records of the file as they are, up to the limit.

        problems: Problems are added to it.
        progress: Called with the number of bytes that were read.
        YIELDS: Every record that can be read, repaired if necessary.
        RAISES (DataError): At the first problem, if the log is strict.
        """
        records = self._all_records(problems.of_file(self.path), progress)
        return islice(records, self.options.limit or None)

    def texts(
        self, problems: ProblemLog, *, progress: Progress | None = None
    ) -> Iterator[AnnotatedText]:
        """Read the records of the file, up to the limit, as texts with entities.

        problems: Problems are added to it.
        progress: Called with the number of bytes that were read.
        YIELDS: Every record that can be read, repaired if necessary.
        RAISES (DataError): At the first problem, if the log is strict. At the end, if
            there was no entity, or if there were many unknown tags, unless `force` is
            set.
        """
        report = problems.of_file(self.path)
        n_records = n_entities = 0
        for record in self.records(problems, progress=progress):
            text = self.text(record, report)
            n_records += 1
            n_entities += len(text.entities)
            yield text
        is_whole = not self.options.limit or n_records < self.options.limit
        if not self.options.force and is_whole:
            self._check(report, n_records, n_entities)

    def text(self, record: Record | AnnotatedText, report: FileLog) -> AnnotatedText:
        """Return a record of the file as a text with entities.

        record: The record.
        report: Problems are added to it.
        """
        if isinstance(record, AnnotatedText):
            return record
        assert self._reading is not None
        return self._reading.read(record, report)

    def texts_with_part(
        self, problems: ProblemLog, *, progress: Progress | None = None
    ) -> Iterator[tuple[AnnotatedText, int]]:
        """Read the texts of the file with the part of the split that each one belongs
        to. A split reads the file twice, since the assignment depends on the number of
        records.

        problems: Problems are added to it.
        progress: Called with the number of bytes that were read, in both passes.
        RETURNS: Each text with the index of its part in `PARTS`; 0 without a split.
        RAISES (DataError): As `texts`.
        """
        part_of: Iterable[int] = repeat(0)
        if shares := self.options.shares:
            # The second pass reports the same problems.
            n = sum(1 for _ in self.records(ProblemLog(), progress=progress))
            part_of = split_records(n, shares, self.options.seed)
        texts = self.texts(problems, progress=progress)
        # The texts come first: zip then reads them to the end, where there may still be
        # a problem.
        return zip(texts, part_of, strict=False)

    def _detect(self, options: ReadingOptions) -> ReadingOptions:
        """Detect the format, and how it is written.

        RAISES (DataError): For a file that is empty or not recognized.
        """
        path = self.path
        format = FORMATS.get(options.format)
        if options.format == "auto" and (name := recognize_path(path)):
            options, format = replace(options, format=name), FORMATS[name]
        if format is not None and format.read_path is not None:
            return format.detect(path, options, path) if format.detect else options
        if path.is_dir():
            raise DataError(f"{path}: is a folder, not a file")
        beginning: Any
        if is_parquet(path):
            self.container = "parquet"
        else:
            self.source = TextSource(path, options.encoding)
            first_lines = self.source.first_lines()
            stripped = [line.strip() for _, line in first_lines if line.strip()]
            if not stripped:
                raise DataError(f"{path}:1: empty file")
            if format is None or format.read_values is not None:
                self.container = detect_container(self.source)
        if self.container is not None:
            beginning, name = self._recognize_values(options)
        else:
            beginning, name = first_lines, recognize_lines(stripped)
            looks_like_json = all(line.startswith(('{"', "{'")) for line in stripped)
            if (format is None or format.read_values) and looks_like_json:
                raise DataError(
                    f"{path}: looks like JSON records, but none can be parsed"
                )
        if format is None:
            options = replace(options, format=name or DEFAULT_FORMAT)
            format = FORMATS[options.format]
        if format.detect is not None:
            options = format.detect(beginning, options, path)
        return options

    def _recognize_values(self, options: ReadingOptions) -> tuple[list[Any], str]:
        """Return the first values and their format."""
        report = ProblemLog().of_file(self.path)
        seen: list[Any] = []
        for self._is_wrapped in (False, True):
            values = [value for _, value in islice(self._values(report), _PEEK_RECORDS)]
            seen = seen or values
            found = recognize_values(values)
            if found and options.format in ("auto", found):
                return values, found
        self._is_wrapped = False
        if options.format != "auto":
            return seen, options.format
        messages = report.log.messages()
        if seen:
            messages = [
                f"found {describe_value(seen[0])}: name the format with --format if "
                f"it is one of {tuple(FORMATS)}, or convert the file to objects with a "
                f"text and its entities"
            ]
        raise DataError("\n".join([f"{self.path}: no record is recognized", *messages]))

    def _detect_tags(self) -> None:
        # The same problems are reported when the records are read again.
        ignored = ProblemLog()
        records = self._all_records(ignored.of_file(self.path), None)
        first = list(islice(records, _PEEK_RECORDS))
        if not first:
            message = f"{self.path}: no record in the format {self.options.format!r}"
            reasons = [*ignored.losses(), *ignored.messages()]
            raise DataError("\n".join([message, *reasons]))
        tagged = [record for record in first if isinstance(record, Record)]
        if tagged:
            self._reading = TagReading.detect(tagged, self.options, self.path)
            self.options = self._reading.options

    def _all_records(
        self, report: FileLog, progress: Progress | None
    ) -> Iterator[Record | AnnotatedText]:
        format = FORMATS[self.options.format]
        if format.read_path is not None:
            records = format.read_path(self.path, self.options, report)
        elif format.read_values is not None:
            values = self._values(report, progress)
            records = format.read_values(values, self.options, report)
        else:
            assert format.read_lines is not None and self.source is not None
            lines = self.source.lines(report, progress)
            records = format.read_lines(lines, self.options, report)
        for record in records:
            if isinstance(record, Record):
                units, tags, lines_of_units, blanks = record
                n = len(units)
                repaired = repair_surrogates(units, tags, lines_of_units, report)
                same = len(repaired[0]) == n
                yield Record(*repaired, blanks if same else None)
            else:
                yield repair_offsets(record, report)

    def _values(
        self, report: FileLog, progress: Progress | None = None
    ) -> Iterator[tuple[int, Any]]:
        assert self.container is not None
        values = read_values(self.source or self.path, self.container, report, progress)
        return unwrapped(values) if self._is_wrapped else values

    def _check(self, report: FileLog, n_records: int, n_entities: int) -> None:
        """RAISES (DataError): If the file has no entities or many unknown tags."""
        unknown = report.log.counts[report.path, "unknown tag"]
        if unknown >= _MIN_UNKNOWN and unknown > _MAX_UNKNOWN * (unknown + n_entities):
            (problem, *_) = report.log.examples[report.path, "unknown tag"]
            raise DataError(
                f"{problem} ({unknown:,} unknown tags, {n_entities:,} entities). Set "
                f"the tag scheme or the columns, or set force if this is intended"
            )
        if n_records and not n_entities:
            # The problems may be the reason.
            reasons = [str(report.log)] if report.log.counts else []
            message = (
                f"{self.path}: no entity (records: {n_records:,}). Check the format "
                f"({self.options.format}), or set force if this is intended"
            )
            raise DataError("\n".join([message, *reasons]))


_OFFSETS = {"characters": "characters", "utf16": "UTF-16 code units, as in JavaScript"}


def open_files(
    paths: str | Path | Iterable[str | Path], options: ReadingOptions
) -> list[DataFile]:
    """Open dataset files.

    paths: One or more files, or folders of files.
    options: How to read them.
    RETURNS: The files. A folder that is not one data set stands for its files.
    RAISES (DataError): As `DataFile`, and for a folder without files.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files: list[DataFile] = []
    for path in without_partners(map(Path, given)):
        if not path.is_dir() or recognize_path(path):
            files.append(DataFile(path, options))
            continue
        inside = [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and file.suffix.lower() not in _NOT_DATA
        ]
        if not inside:
            raise DataError(f"{path}: no data files in this folder")
        files += [DataFile(file, options) for file in without_partners(inside)]
    return files
