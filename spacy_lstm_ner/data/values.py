"""The values of a file with one value per record, whatever holds them: JSON lines, a
JSON array, the same as Python literals, or a Parquet table.

A value that cannot be parsed is reported and skipped. An array may be larger than
memory, and in a single line.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..exceptions import DataError
from .literals import JSON, parse_json, parse_literal
from .records import IGNORED
from .sources import Progress, ReportProblem, TextSource

#: What may hold values, with its description.
CONTAINERS = {
    "json-lines": "JSON lines",
    "json": "JSON",
    "literal-lines": "Python literals, one per line",
    "literal": "Python literals",
    "parquet": "Parquet",
}
# Raised by the parsers for malformed or malicious input.
UNREADABLE = (ValueError, MemoryError, RecursionError)
# How many lines are tried to find one that is a value.
_PEEK_LINES = 20
# A value is at most so long, so that text without an end is not read into memory.
_MAX_SIZE = 1 << 26
# The name of a variable before a list in a Python file.
_ASSIGNED = re.compile(r"\s*[A-Za-z_]\w*\s*=\s*(?=[\[({])")
_STRUCTURE = re.compile(r"""[\[\]{}()"']""")
_STRUCTURE_OR_END = re.compile(r"""[\[\]{}()"',\n]""")
_STRING_END = {quote: re.compile(rf"[{quote}\\]") for quote in "\"'"}
_SPACES = re.compile(r"\s*")
_BETWEEN = re.compile(r"[\s,]*")


def detect_container(source: TextSource) -> str | None:
    """Detect what holds the values of a file.

    source: The file.
    RETURNS: A key of `CONTAINERS`; None if no value begins in the first lines.
    """
    lines = (line.strip() for _, line in source.first_lines())
    first = list(islice(filter(None, lines), _PEEK_LINES))
    if not first:
        return None
    assigned = _ASSIGNED.match(first[0])
    start = first[0][assigned.end() :] if assigned else first[0]
    for name, parse in (("json", parse_json), ("literal", parse_literal)):
        for line in first:
            if line[0] in "[{(" and len(line) <= _MAX_SIZE:
                try:
                    value = parse(line)
                except UNREADABLE:
                    continue
                if isinstance(value, dict) or _is_record(value):
                    if line is first[0] or not _begins_array(start):
                        return f"{name}-lines"
                # A whole array in a line.
                elif line is first[0] and isinstance(value, list | tuple) and value:
                    return name
    if not _begins_array(start) and not start.startswith("{"):
        return None
    for name in ("json", "literal"):
        try:
            if next(read_values(source, name, IGNORED), None) is not None:
                return name
        except DataError:
            continue
    return None


def _begins_array(line: str) -> bool:
    return re.match(r"[\[(]\s*([\[{(]|$)", line) is not None


def _is_record(value: Any) -> bool:
    """Return whether a list is one record, as ("text", {"entities": …}) is."""
    return (
        isinstance(value, list | tuple)
        and len(value) > 1
        and isinstance(value[0], str)
        and any(isinstance(item, dict | list | tuple) for item in value)
    )


def read_values(
    source: TextSource | Path,
    container: str,
    report: ReportProblem,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Any]]:
    """Parse the values of a file.

    source: The file; for a table, its path.
    container: A key of `CONTAINERS`.
    report: Called for each value that cannot be parsed, with its line.
    progress: Called with the number of bytes that were read.
    YIELDS: The line that each value begins at, from 1, and the value. In a table, the
        number of the row.
    RAISES (DataError): If the file ends within a value.
    """
    if isinstance(source, Path):
        yield from _read_parquet(source, progress)
        return
    parse = parse_literal if container.startswith("literal") else parse_json
    elements: Iterable[tuple[int, Any]]
    if container.endswith("-lines"):
        elements = source.lines(report, progress)
    else:
        elements = _Elements(source, parse, report, progress)
    for number, element in elements:
        if isinstance(element, _Parsed):
            yield number, element.value
        elif element.strip():
            try:
                yield number, parse(element)
            except UNREADABLE as error:
                report(number, "not a record", str(error) or type(error).__name__)


class _Parsed(NamedTuple):
    """A value, which may be a string, as opposed to text that is not parsed yet."""

    value: Any


class _Elements:
    """The elements of an array, or values one after the other, which may span lines.
    Those that the JSON parser accepts are yielded as values, others as text."""

    def __init__(
        self,
        source: TextSource,
        parse: Callable[[str], Any],
        report: ReportProblem,
        progress: Progress | None,
    ):
        self._path = source.path
        self._chunks = source.chunks(report, progress)
        self._decode = JSON.raw_decode if parse is parse_json else None
        self._buffer = ""
        self._at = 0  # what is before it is done
        self._line = 1

    def __iter__(self) -> Iterator[tuple[int, "_Parsed | str"]]:
        self._skip(_SPACES)
        if match := _ASSIGNED.match(self._buffer, self._at):
            self._advance(match.end())
        is_array = self._buffer.startswith(("[", "("), self._at)
        if is_array:
            self._advance(self._at + 1)
        while self._skip(_BETWEEN):
            if is_array and self._buffer[self._at] in "])":
                self._advance(self._at + 1)
                if self._skip(_BETWEEN):
                    found = self._buffer[self._at : self._at + 20]
                    raise DataError(
                        f"{self._path}:{self._line}: text after the end of the array: "
                        f"{found!r}"
                    )
                return
            yield self._line, self._next_element()
        if is_array:
            raise DataError(
                f"{self._path}:{self._line}: the array is not closed: the file is cut "
                f"off"
            )

    def _next_element(self) -> "_Parsed | str":
        while self._decode is not None:
            try:
                value, end = self._decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not _is_cut_off(error):
                    break
            except UNREADABLE:
                break
            else:
                size = end - self._at
                # A number may go on in the next chunk.
                if end < len(self._buffer) or not self._fill():
                    self._advance(self._at + size)
                    return _Parsed(value)
                continue
            # What is parsed again is at most half of the text that there is then.
            if not self._fill():
                break
        size = self._find_size()
        element = self._buffer[self._at : self._at + size]
        self._advance(self._at + size)
        return element

    def _find_size(self) -> int:
        """Return the length of the element at the current position. After more text was
        read, the search goes on where it was."""
        at = depth = 0
        quote = ""
        while True:
            pattern = _STRUCTURE if depth else _STRUCTURE_OR_END
            if quote:
                pattern = _STRING_END[quote]
            match = pattern.search(self._buffer, self._at + at)
            if match is None:
                # An escaped character may be beyond the end.
                at = max(at, len(self._buffer) - self._at)
                if not self._fill():
                    return len(self._buffer) - self._at
                continue
            at = match.end() - self._at
            char = match[0]
            if quote:
                if char == "\\":
                    at += 1  # the escaped character
                    continue
                quote = ""
            elif char == '"' or (char == "'" and self._decode is None):
                quote = char
                continue
            elif char in "[{(":
                depth += 1
                continue
            elif char in "]})":
                if depth == 0:
                    # A bracket that closes nothing is an element of its own.
                    return max(at - 1, 1)
                depth -= 1
            elif char == "'":
                continue  # no quotation mark in JSON
            elif at > 1:
                return at - 1
            if depth == 0:
                return at

    def _fill(self) -> bool:
        """Read more text; return whether there was any. What is not done at least
        doubles, so that the time is linear for values that are longer than chunks."""
        rest = self._buffer[self._at :]
        if len(rest) > _MAX_SIZE:
            raise DataError(
                f"{self._path}:{self._line}: a value of more than "
                f"{_MAX_SIZE >> 20} MB: expected one record per value, or an array "
                f"of records"
            )
        parts, size = [rest], 0
        for chunk in self._chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > len(rest):
                break
        self._buffer, self._at = "".join(parts), 0
        return size > 0

    def _skip(self, pattern: re.Pattern) -> bool:
        """Advance over what matches; return whether there is text after it."""
        while True:
            self._advance(pattern.match(self._buffer, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return True
            if not self._fill():
                return False

    def _advance(self, end: int) -> None:
        self._line += self._buffer.count("\n", self._at, end)
        self._at = end


def _is_cut_off(error: json.JSONDecodeError) -> bool:
    """Return whether more text may mend JSON: a string has no end, or the error is in
    the last characters, such as "-Infini"."""
    return error.msg.startswith("Unterminated") or error.pos > len(error.doc) - 12


def unwrapped(values: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Unwrap records that are in one object, as {"data": […]} or {"1": {…}, "2": {…}},
    or in one list per line.

    values: Values with their lines.
    YIELDS: The records with the line of the value.
    """
    for line, value in values:
        inner = value
        if isinstance(value, dict):
            lists = [item for item in value.values() if _are_containers(item)]
            if len(lists) == 1:
                inner = lists[0]
            elif _are_containers(list(value.values())):
                inner = list(value.values())
        if _are_containers(inner):
            for record in inner:
                yield line, record
        else:
            yield line, value


def _are_containers(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(isinstance(item, dict | list | tuple) for item in value)
    )


def describe_value(value: Any) -> str:
    """Describe a value in a few words, for error messages."""
    if isinstance(value, dict):
        keys = ", ".join(map(str, value)) or "none"
        return f"an object with the keys {keys:.200}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} values"
    return f"the value {value!r:.50}"


def is_parquet(path: Path) -> bool:
    """Return whether a file is a Parquet table."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _read_parquet(path: Path, progress: Progress | None) -> Iterator[tuple[int, Any]]:
    parquet = open_parquet(path)
    number = 0
    size = path.stat().st_size
    done = 0
    for rows in _batches(parquet, path):
        for row in rows:
            number += 1
            yield number, row
        if progress is not None:
            now = size * number // max(1, parquet.metadata.num_rows)
            progress(now - done)
            done = now


def _batches(parquet: Any, path: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table in several parts.

    RAISES (DataError): For a damaged file.
    """
    from pyarrow.lib import ArrowException

    try:
        # Without threads: those that still read when Python exits abort the process.
        for batch in parquet.iter_batches(batch_size=1000, use_threads=False):
            yield batch.to_pylist()
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None


def features_in_parquet(path: Path) -> Any:
    """Return the description of the columns that Hugging Face Datasets store in a
    table.

    path: The Parquet file.
    RETURNS: The features by column; None if the file has none.
    """
    metadata = open_parquet(path).schema_arrow.metadata or {}
    try:
        info = json.loads(metadata.get(b"huggingface", b"{}"))
        return info.get("info", {}).get("features")
    except (ValueError, AttributeError, RecursionError):
        return None


def open_parquet(path: Path) -> Any:
    try:
        from pyarrow.lib import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(
            f'{path}: Parquet needs pyarrow: pip install "spacy-lstm-ner[parquet]"'
        ) from None
    try:
        return ParquetFile(path)
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None
