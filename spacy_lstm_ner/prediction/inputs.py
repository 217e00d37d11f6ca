"""The files to read, and their records: texts with their other fields.

A record that cannot be used is yielded as `Rejected`, as is the rest of a file that is
damaged; reading goes on after it.
"""

import csv
import glob
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ..data.encoding import repair_offsets
from ..data.literals import parse_json
from ..data.problems import ACTIONS
from ..data.records import AnnotatedText
from ..data.sources import Progress, ReportProblem, TextSource
from ..data.texts import check_untagged
from ..data.values import (
    UNREADABLE,
    describe_value,
    detect_container,
    is_parquet,
    open_parquet,
    read_values,
)
from ..exceptions import DataError
from .rows import ENTITIES_FIELD, TEXT_FIELD, Rejected

if TYPE_CHECKING:
    import pyarrow as pa

#: The path that stands for standard input.
STDIN = Path("-")
#: Input formats, and the suffixes of their files.
FORMATS = {
    "text": (".txt", ".text"),
    "json": (".jsonl", ".ndjson", ".json"),
    "csv": (".csv", ".tsv"),
    "parquet": (".parquet", ".pq"),
    "spacy": (".spacy",),
}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
# Separators of columns that are looked for in the header of a CSV file.
_SEPARATORS = ",\t;|"
# A field of a CSV file is at most so long: an open quotation mark does not read the
# whole file into memory.
_MAX_FIELD = 1 << 26
# Rows of a Parquet file that are read at once.
_ROWS = 1000
_MAX_EXAMPLES = 3


class Record(NamedTuple):
    """A text to predict.

    path: Its file.
    line: The line or row of the file that it begins at, from 1.
    text: The text.
    fields: The text with its other fields.
    """

    path: str
    line: int
    text: str
    fields: dict[str, Any]


class Rows(NamedTuple):
    """Consecutive rows of a Parquet file.

    path: The file.
    line: Number of the first row, from 1.
    batch: The rows.
    """

    path: str
    line: int
    batch: "pa.RecordBatch"


@dataclass
class Repairs:
    """What was repaired in the input, such as invalid bytes: numbers by kind, and the
    first few messages of each kind."""

    counts: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)

    def of_file(self, path: str) -> ReportProblem:
        """Return a function to report the line, the kind and a message."""

        def report(line: int, kind: str, message: str) -> None:
            self.counts[kind] += 1
            if self.counts[kind] <= _MAX_EXAMPLES:
                self.messages.append(
                    f"{path}:{line}: {kind}: {message} ({ACTIONS[kind]})"
                )

        return report


@dataclass(frozen=True)
class InputOptions:
    """How to read the input.

    text_field: The field, or column, of the text.
    entities_field: The field that will be added, and must not be there.
    format: A key of `FORMATS`, or "auto": by the suffix, otherwise by the content.
    """

    text_field: str = TEXT_FIELD
    entities_field: str = ENTITIES_FIELD
    format: str = "auto"

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise DataError(
                f"unknown input format {self.format!r}: use auto or one of "
                f"{tuple(FORMATS)}"
            )
        if self.text_field == self.entities_field:
            raise DataError(
                f"the text and the entities cannot both be in {self.text_field!r}"
            )


def find_files(inputs: Iterable[str | Path], output: str | Path = "") -> list[Path]:
    """Find the input files.

    inputs: Files, folders, patterns such as "news/*.jsonl.gz" ("**" for folders at any
        depth), and "-" for standard input.
    output: The output, which may be a folder in an input folder.
    RETURNS: The files in the order of the inputs; those of a folder or a pattern sorted
        by name. Of a folder, files with a suffix of `FORMATS`, at any depth, except in
        files and folders whose names begin with "." or "_", and in the output.
    RAISES (DataError): For an input without files, and standard input beside others.
    """
    files: list[Path] = []
    given = [str(path) for path in inputs]
    for name in given:
        path = Path(name)
        if name == str(STDIN) or path.is_file():
            found = [path]
        elif path.is_dir():
            found = sorted(
                file
                for file in path.rglob("*")
                if _is_data(file, path) and not _is_in(file, output, path)
            )
            if not found:
                listed = ", ".join(suffix for few in FORMATS.values() for suffix in few)
                raise DataError(f"{name}: no file in this folder ends in {listed}")
        elif glob.has_magic(name):
            matches = map(Path, sorted(glob.glob(name, recursive=True)))
            found = [file for file in matches if file.is_file()]
            if not found:
                raise DataError(f"{name}: no file matches this pattern")
        else:
            raise DataError(f"{name}: no such file")
        files += found
    if STDIN in files and len(files) > 1:
        raise DataError("standard input (-) can only be read alone")
    return files


def _is_in(file: Path, output: str | Path, folder: Path) -> bool:
    """Return whether a file of a folder belongs to an output inside of the folder."""
    target = Path(output).resolve()
    return folder.resolve() in target.parents and target in file.resolve().parents


def _is_data(file: Path, folder: Path) -> bool:
    hidden = any(part[0] in "._" for part in file.relative_to(folder).parts)
    return not hidden and _format_by_name(file) is not None and file.is_file()


def _format_by_name(path: Path) -> str | None:
    """The format by the suffix, before that of a compressed file."""
    name = path.name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    suffix = Path(name).suffix
    return next((key for key, few in FORMATS.items() if suffix in few), None)


def is_table(path: Path, options: InputOptions) -> bool:
    """Return whether a file is read as Parquet."""
    if path == STDIN:
        return False
    if options.format == "auto":
        return is_parquet(path) or _format_by_name(path) == "parquet"
    return options.format == "parquet"


def read_records(
    path: Path, options: InputOptions, repairs: Repairs, progress: Progress
) -> Iterator[Record | Rejected | Rows]:
    """Read the records of a file.

    path: The file.
    options: How to read it.
    repairs: What is repaired is added to it.
    progress: Called with the number of bytes that were read.
    YIELDS: Records; of a Parquet file, rows.
    """
    items: Iterator[Record | Rejected | Rows]
    try:
        if is_table(path, options):
            items = read_rows(path, options, progress)
        else:
            report = repairs.of_file(str(path))
            values = _read(path, options, report, progress)
            items = _checked(values, path, options, report)
        yield from up_to_damage(path, items)
    except OSError as error:
        yield _unread(path, "the file", error)


def read_files(
    files: Iterable[Path], options: InputOptions, repairs: Repairs, progress: Progress
) -> Iterator[Record | Rejected | Rows]:
    """Read the records of several files: see `read_records`."""
    for file in files:
        yield from read_records(file, options, repairs, progress)


def check_not_an_input(output: Path, files: Iterable[Path]) -> None:
    """Check an output before it is written.

    output: The file or folder.
    files: The input files.
    RAISES (DataError): If an input file would be overwritten, or is in the output
        folder, where the next run would not find the same files.
    """
    target = output.resolve()
    for file in files:
        resolved = file.resolve()
        if file != STDIN and (target == resolved or target in resolved.parents):
            raise DataError(
                f"{output} is or contains the input file {file}: choose another output"
            )


def total_size(files: Iterable[Path]) -> int | None:
    """The size of files in bytes, for their progress. None: it is not known."""
    return sum(file.stat().st_size for file in files if file != STDIN) or None


def up_to_damage(
    path: Path, items: Iterable[Record | Rejected | Rows]
) -> Iterator[Record | Rejected | Rows]:
    """Pass on what is read of a file, and reject the rest if it cannot be read."""
    what = "the file"
    try:
        for item in items:
            yield item
            what = "the rest of the file"
    except (OSError, DataError) as error:
        yield _unread(path, what, error)


def _unread(path: Path, what: str, error: Exception) -> Rejected:
    reason = str(error).removeprefix(f"{path}: ")
    return Rejected(str(path), 0, f"{what} was not read: {reason}")


class _Value(NamedTuple):
    """A value that was read. content: its text in the file."""

    line: int
    value: Any
    content: str | None = None


def _checked(
    values: Iterator[_Value | Rejected],
    path: Path,
    options: InputOptions,
    report: ReportProblem,
) -> Iterator[Record | Rejected]:
    """Make records of values that have a text."""
    name = str(path)
    for item in values:
        if isinstance(item, Rejected):
            yield item
            continue
        line, value, content = item
        text = value.get(options.text_field) if isinstance(value, dict) else None
        if not isinstance(text, str):
            reason = (
                f"no text in the field {options.text_field!r}, found "
                f"{describe_value(value)}: set --text-field"
            )
        elif options.entities_field in value:
            reason = (
                f"there is a field {options.entities_field!r} already: set "
                f"--entities-field"
            )
        else:
            # Surrogates, which spaCy cannot store.
            repaired = repair_offsets(AnnotatedText(text, [], line=line), report).text
            if repaired is not text:
                value = {**value, options.text_field: repaired}
            yield Record(name, line, repaired, value)
            continue
        yield Rejected(name, line, reason, content)


def _read(
    path: Path, options: InputOptions, report: ReportProblem, progress: Progress
) -> Iterator[_Value | Rejected]:
    """Read the values of a file that is not Parquet."""
    format = options.format
    if path == STDIN:
        yield from _read_stdin(options, report, progress)
        return
    if format == "auto":
        format = _format_by_name(path) or "auto"
    if format == "spacy":
        yield from _read_docs(path, options)
        progress(path.stat().st_size)
        return
    source = TextSource(path)
    if format in ("auto", "json"):
        container = detect_container(source)
        if container in ("json", "literal", "literal-lines"):
            yield from _read_array(source, container, report, progress)
            return
        if container is None:
            # In a file of another kind, or a JSON file whose beginning is damaged.
            format = "text" if format == "auto" else "json"
    if format == "text":
        check_untagged(source)
    yield from _read_lines(str(path), source.lines(report, progress), format, options)


def _read_lines(
    path: str, lines: Iterator[tuple[int, str]], format: str, options: InputOptions
) -> Iterator[_Value | Rejected]:
    if format == "text":
        for number, line in lines:
            yield _Value(number, {options.text_field: line}, line)
    elif format == "csv":
        yield from _read_csv(path, lines, options)
    else:
        for number, line in lines:
            if line.strip():
                try:
                    yield _Value(number, parse_json(line), line)
                except UNREADABLE as error:
                    reason = f"not JSON: {error or type(error).__name__}"
                    yield Rejected(path, number, reason, line)


def _read_array(
    source: TextSource,
    container: str,
    report: ReportProblem,
    progress: Progress,
) -> Iterator[_Value | Rejected]:
    """Read values that may span lines."""
    rejected: list[Rejected] = []

    def sort_out(line: int, kind: str, message: str) -> None:
        if ACTIONS[kind] == "skipped":
            rejected.append(Rejected(str(source.path), line, f"{kind}: {message}"))
        else:
            report(line, kind, message)

    for line, value in read_values(source, container, sort_out, progress):
        yield from rejected
        rejected.clear()
        yield _Value(line, value)
    yield from rejected


def _read_csv(
    path: str, lines: Iterator[tuple[int, str]], options: InputOptions
) -> Iterator[_Value | Rejected]:
    """Read CSV with a header. The separator is the one with which the header has the
    text column.

    RAISES (DataError): If no separator does.
    """
    header = next(lines, None)
    if header is None:
        return
    candidates = [
        (separator, next(csv.reader([header[1]], delimiter=separator), []))
        for separator in _SEPARATORS
    ]
    fitting = [(sep, names) for sep, names in candidates if options.text_field in names]
    if not fitting:
        names = max((names for _, names in candidates), key=len)
        raise DataError(
            f"no column {options.text_field!r}, only {names}: set --text-field"
        )
    separator, names = max(fitting, key=lambda found: len(found[1]))
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise DataError(f"the column {repeated[0]!r} occurs twice")
    csv.field_size_limit(_MAX_FIELD)
    # A field in quotation marks may contain line ends.
    reader = csv.reader((f"{line}\n" for _, line in lines), delimiter=separator)
    while True:
        # The line after the last one that was read; the header is the first.
        line = reader.line_num + 2
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Rejected(path, line, f"not CSV: {error}")
            continue
        if cells is None:
            return
        if len(cells) == len(names):
            yield _Value(line, dict(zip(names, cells, strict=True)))
        elif cells:
            reason = f"{len(cells)} columns; the header has {len(names)}"
            yield Rejected(path, line, reason, separator.join(cells))


def _read_docs(path: Path, options: InputOptions) -> Iterator[_Value]:
    """Read the texts of a .spacy file."""
    import spacy

    from ..data.corpus import read_examples

    examples = read_examples(path, spacy.blank("xx"))
    for number, example in enumerate(examples, 1):
        yield _Value(number, {options.text_field: example.reference.text})


def _read_stdin(
    options: InputOptions, report: ReportProblem, progress: Progress
) -> Iterator[_Value | Rejected]:
    """Read standard input, as UTF-8."""
    if sys.stdin is None or options.format in ("parquet", "spacy"):
        raise DataError(
            f"standard input cannot be read as {options.format}: use a file"
        )
    stream: Any = sys.stdin
    stream = getattr(stream, "buffer", stream)
    lines = _decoded(stream, report, progress)
    format = options.format
    if format == "auto":
        first = list(islice(lines, 1))
        format = "json" if first and first[0][1].lstrip().startswith("{") else "text"
        lines = chain(first, lines)
    yield from _read_lines(str(STDIN), lines, format, options)


def _decoded(
    stream: IO[bytes], report: ReportProblem, progress: Progress
) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(stream, 1):
        progress(len(raw))
        raw = raw.rstrip(b"\r\n")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            yield number, raw.decode()
        except UnicodeDecodeError as error:
            report(number, "not UTF-8", f"{error.reason}, byte {error.start + 1}")
            yield number, raw.decode(errors="replace")


def read_rows(
    path: Path,
    options: InputOptions,
    progress: Progress = lambda n: None,
    *,
    first: int = 0,
    last: int | None = None,
) -> Iterator[Rows | Rejected]:
    """Read rows of a Parquet file.

    path: The file.
    options: How to read it.
    progress: Called with the number of bytes that were read.
    first: Index of the first row.
    last: Index after the last row. None: up to the end.
    YIELDS: Rows with a text in the text column, and those without one as `Rejected`.
    RAISES (DataError): If the file cannot be read, or does not have the text column.
    """
    from pyarrow.lib import ArrowException

    parquet = open_parquet(path)
    check_columns(parquet.schema_arrow, options, path)
    metadata = parquet.metadata
    size, total = path.stat().st_size, max(1, metadata.num_rows)
    last = metadata.num_rows if last is None else last
    start = 0  # of the row group
    for group in range(metadata.num_row_groups):
        end = start + metadata.row_group(group).num_rows
        if start < last and end > first:
            done = start
            try:
                batches = parquet.iter_batches(
                    batch_size=_ROWS, row_groups=[group], use_threads=False
                )
                for batch in batches:
                    a = min(max(first - done, 0), len(batch))
                    b = min(last - done, len(batch))
                    if a < b:
                        part = batch.slice(a, b - a)
                        yield from _usable_rows(str(path), done + a, part, options)
                    progress(size * len(batch) // total)
                    done += len(batch)
                    if done >= last:
                        return
            except (ArrowException, OSError, ValueError, OverflowError) as error:
                raise DataError(f"{path}: cannot be read: {error}") from None
        start = end


def check_columns(schema: "pa.Schema", options: InputOptions, path: Path) -> None:
    """RAISES (DataError): If the columns of a file do not fit the options."""
    from pyarrow import types

    if options.text_field not in schema.names:
        raise DataError(
            f"{path}: no column {options.text_field!r}, only {schema.names}: set "
            f"--text-field"
        )
    if options.entities_field in schema.names:
        raise DataError(
            f"{path}: there is a column {options.entities_field!r} already: set "
            f"--entities-field"
        )
    kind = schema.field(options.text_field).type
    value = kind.value_type if types.is_dictionary(kind) else kind
    # `is_string_view` is newer than the lowest version of pyarrow.
    if str(value) not in ("string", "large_string", "string_view"):
        raise DataError(
            f"{path}: the column {options.text_field!r} holds {kind}, not texts"
        )


def _usable_rows(
    path: str, index: int, batch: "pa.RecordBatch", options: InputOptions
) -> Iterator[Rows | Rejected]:
    """Split a batch at rows without a text.

    index: Index of its first row in the file.
    """
    texts = batch.column(batch.schema.get_field_index(options.text_field))
    begin = 0
    if texts.null_count:
        for i, is_null in enumerate(texts.is_null().to_pylist()):
            if is_null:
                if begin < i:
                    yield Rows(path, index + begin + 1, batch.slice(begin, i - begin))
                reason = f"no text in the column {options.text_field!r}: it is null"
                yield Rejected(path, index + i + 1, reason)
                begin = i + 1
    if begin < len(batch):
        yield Rows(path, index + begin + 1, batch.slice(begin))
