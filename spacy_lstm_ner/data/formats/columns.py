"""The format with one unit per line in columns, with blank lines between records."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from ...exceptions import DataError
from ...tags import detect_notation
from ..encoding import CHARACTER
from ..options import ReadingOptions
from .base import Lines, Record, Report
from .cells import DOCUMENT, SEPARATORS, Table
from .tag_column import is_tag

#: How many lines are read to find out how lines are split.
PEEK_LINES = 2000
_NAMES = ("unit", "tag", "sentence")
# A character and its position in the word: "科0".
_POSITIONED = re.compile(f"({CHARACTER.pattern})(0|[1-9][0-9]?)", re.DOTALL)


@dataclass(frozen=True)
class Columns:
    """Which column has what, by index from 0, or from the end if it is negative.

    unit: The units.
    tag: Their tags.
    sentence: Numbers or names of sentences, which separate the records. None: only
        blank lines do.
    """

    unit: int = 0
    tag: int = -1
    sentence: int | None = None

    @classmethod
    def parse(cls, text: str) -> dict[str, int]:
        """Parse columns by name, numbered from 1, such as "unit=2,tag=-1".

        RETURNS: The index of each column that is named.
        RAISES (DataError): If it cannot be parsed.
        """
        found: dict[str, int] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            name, _, number = (word.strip() for word in part.partition("="))
            if name not in _NAMES or not re.fullmatch("-?[1-9][0-9]?", number):
                raise DataError(
                    f"columns: {part!r} is not a column: use names of {_NAMES} with "
                    f"numbers from 1, such as unit=1,tag=2"
                )
            found[name] = int(number) - (not number.startswith("-"))
        return found

    def __str__(self) -> str:
        named = {"unit": self.unit, "tag": self.tag, "sentence": self.sentence}
        return ",".join(
            f"{name}={i + (i >= 0)}" for name, i in named.items() if i is not None
        )

    def resolved(self, n: int) -> "Columns":
        """Return the columns by index from 0.

        n: Number of columns.
        RAISES (DataError): If there are fewer columns.
        """
        for i in filter(None, (self.unit, self.tag, self.sentence)):
            if not -n <= i < n:
                raise DataError(
                    f"columns: there is no column {i + (i >= 0)}: most lines have {n}. "
                    f"Set the columns or the separator"
                )
        sentence = None if self.sentence is None else self.sentence % n
        return Columns(self.unit % n, self.tag % n, sentence)


def read_columns(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one unit per line. No unit is left out, because that would change
    the text: a unit without a tag gets an empty tag."""
    rest = iter(lines)
    first = list(islice(rest, PEEK_LINES))
    reader = _Reader(first, options, report)
    return reader.records(chain(first, rest))


class _Reader:
    """Reads one file."""

    def __init__(
        self, first: list[tuple[int, str]], options: ReadingOptions, report: Report
    ):
        separator = options.separator
        if separator is None:
            tables = [Table.detect(first, each) for each in SEPARATORS]
            separator = max(tables, key=lambda table: table.n > 1).separator
        self.table = Table.detect(first, separator)
        # A single column is units without tags.
        self.table.n = max(2, self.table.n)
        named = Columns.parse(options.columns or "")
        self.columns = Columns(**named).resolved(self.table.n)
        self.table.unit = self.columns.unit
        self.comment = options.comment or ""
        self.has_header = options.header or False
        self.has_positions = options.segmentation_digits or False
        self.report = report
        cells = (self.table.cells(line) for _, line in self.table.lines(first))
        tags = [row[self.columns.tag] for row in cells if len(row) == self.table.n]
        self.notation = detect_notation(tags[self.has_header :])

    def records(self, lines: Lines) -> Iterator[Record]:
        table, columns = self.table, self.columns
        n, i_unit, i_tag, i_sentence = (
            table.n,
            columns.unit,
            columns.tag,
            columns.sentence,
        )
        core = table.core
        special = (DOCUMENT, self.comment) if self.comment else DOCUMENT
        # A character that makes splitting at the separator wrong.
        other = "\t" if core == " " else '"' if table.is_quoted else "\0"
        must_split = table.is_padded
        has_positions, position = self.has_positions, -1
        sentence = ""
        units: list[str] = []
        tags: list[str] = []
        numbers: list[int] = []
        for number, line in table.lines(lines):
            cells = line.split(core)
            # What is not plain is looked at more closely.
            if (
                len(cells) != n
                or must_split
                or not cells[i_unit]
                or not cells[i_tag]
                or other in line
                or line.startswith(special)
                or self.has_header
            ):
                found = self._cells(number, line)
                if found is None:
                    if units:
                        yield from self._record(units, tags, numbers)
                        units, tags, numbers = [], [], []
                    position = -1
                    continue
                if not found:
                    continue
                cells = found
            if i_sentence is not None:
                value = cells[i_sentence].strip()
                if value and value != sentence:
                    sentence = value
                    if units:
                        yield from self._record(units, tags, numbers)
                        units, tags, numbers = [], [], []
                    position = -1
            unit = cells[i_unit]
            if has_positions:
                unit, position = without_position(unit, position)
                if position < 0 and unit[-1:].isdigit():
                    message = f"{unit!r} does not end in its position in the word"
                    self.report(number, "position in the word", message)
            units.append(unit)
            tags.append(cells[i_tag].strip())
            numbers.append(number)
        if units:
            yield from self._record(units, tags, numbers)

    def _record(
        self, units: list[str], tags: list[str], numbers: list[int]
    ) -> Iterator[Record]:
        if any(units):
            yield Record(units, tags, numbers)
        else:
            self.report(numbers[0], "empty record", "all units are empty")

    def _cells(self, number: int, line: str) -> list[str] | None:
        """Return the cells of a line that is not plain: none for a comment and the
        header. None: the line separates records."""
        table, columns = self.table, self.columns
        cells = table.cells(line)
        if table.separates(line, cells):
            return None
        conforms = len(cells) == table.n
        if self.comment and line.startswith(self.comment):
            if not (conforms and self._is_tag(cells[columns.tag])):
                return []
            if cells[columns.unit] != self.comment.strip():
                message = f"{line!r} begins like a comment and ends with a tag"
                self.report(number, "comment or unit", message)
                return []
        if self.has_header:
            self.has_header = False
            return []
        if conforms:
            return cells
        return self._adapted(number, line, cells)

    def _adapted(self, number: int, line: str, cells: list[str]) -> list[str]:
        """Return as many cells as there are columns, for a line that has others."""
        table, columns = self.table, self.columns
        if len(cells) == 1 and columns.unit == 0:
            # A unit without a tag.
            unit = line.strip("\t\n\r\x0b\x0c ") if table.core.isspace() else cells[0]
            return [unit, *[""] * (table.n - 1)]
        message = f"{len(cells)} columns, expected {table.n}: {line!r}"
        self.report(number, "number of columns", message)
        adapted = [""] * table.n
        tag = columns.tag - table.n
        if len(cells) + tag > columns.unit and self._is_tag(cells[tag]):
            adapted[columns.tag] = cells[tag]
        if columns.unit == 0 and table.n == 2 and adapted[1]:
            # Perhaps the unit contains the separator.
            head = line.rstrip()[: -len(cells[-1])]
            adapted[0] = head.removesuffix(table.core).strip() or table.core
        else:
            adapted[columns.unit] = cells[min(columns.unit, len(cells) - 1)]
        return adapted

    def _is_tag(self, tag: str) -> bool:
        return bool(tag.strip()) and is_tag(tag, self.notation)


def without_position(unit: str, previous: int) -> tuple[str, int]:
    """Remove the position in the word from a unit.

    unit: The unit, such as "科0" or "NBA1".
    previous: Position of the unit before it; -1 if there is none.
    RETURNS: The unit and its position; -1 if it does not end in one. "10" is "1" at
        position 0.
    """
    for position in (previous + 1, 0):
        digits = str(position)
        if unit.endswith(digits) and len(unit) > len(digits):
            return unit[: -len(digits)], position
    match = _POSITIONED.fullmatch(unit)
    return (match[1], int(match[2])) if match else (unit, -1)
