"""Lines → the cells of columns, for all separators of columns."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice

from .base import Lines

#: Separators that are detected, in the order in which they are preferred. " " stands
#: for any number of blanks and TABs.
SEPARATORS = ("\t", " ", ",", ";", "|", "\u3000", "\xa0")
# Of these, cells may be in quotation marks, as in CSV.
_QUOTABLE = (",", ";", "|")
_BLANK = " \t"
_BLANKS = re.compile(r"[ \t]+")
# A line that only separates records: "end", "EOS", "-----".
_END_LINE = re.compile(r"(?i:end|eos|<eos>|</s>)|-{3,}|={3,}|\*{3,}|_{3,}|~{3,}")
#: How the line begins that separates documents.
DOCUMENT = "-DOCSTART-"
# A quoted cell has at most so many lines: a quotation mark may never be closed.
_MAX_JOINED = 50


class Table:
    """How the lines of a file are split into cells.

    separator: The text between cells; with blanks around it, they do not belong to the
        cells either.
    core: The separator without these blanks.
    is_padded: Whether there are such blanks.
    n: Number of cells per line.
    unit: Index of the cell with the unit, which may be white space, or the separator
        itself.
    is_quoted: Whether cells may be in quotation marks.
    ends: Whether lines such as "end" and "-----" separate records.
    """

    def __init__(self, separator: str, *, n: int = 0, is_quoted: bool = False):
        self.separator = separator
        self.core = separator.strip(" ") or " "
        self.is_padded = self.core != separator and self.core != " "
        self.n = n
        self.unit = 0
        self.is_quoted = is_quoted or self.core in _QUOTABLE
        self.ends = True

    @classmethod
    def detect(cls, lines: Lines, separator: str) -> "Table":
        """Detect the number of cells, and whether they are quoted.

        lines: The first lines of the file, with their numbers.
        separator: The text between cells.
        """
        lines = list(lines)
        table = cls(separator)
        if table.core == "\t":
            cells = {cell for _, line in lines for cell in line.split("\t")}
            # pandas writes a quotation mark like this.
            table.is_quoted = '""""' in cells and '"' not in cells
        filled = [
            line
            for _, line in table.lines(lines)
            if not table.is_empty(line) and not line.startswith(("#", DOCUMENT))
        ]
        counts = Counter(len(table.cells(line)) for line in filled)
        # A line of one cell may be a unit without a tag.
        several = Counter({k: count for k, count in counts.items() if k > 1})
        table.n = (several or counts or Counter([1])).most_common(1)[0][0]
        table.ends = all(
            _END_LINE.fullmatch(line.strip())
            for line in filled
            if len(table.cells(line)) == 1
        )
        return table

    def lines(self, lines: Lines) -> Iterator[tuple[int, str]]:
        """Join lines that are one because a quoted cell has line breaks.

        lines: Lines with their numbers.
        YIELDS: The number of the first line, and the text.
        """
        if not self.is_quoted:
            yield from lines
            return
        rest = iter(lines)
        ahead: deque[tuple[int, str]] = deque()
        while ahead or (ahead := deque(islice(rest, 1))):
            number, line = ahead.popleft()
            if line.count('"') % 2 and not self._has_bare_mark(line):
                # Look for the line that has the other quotation mark.
                for i in range(_MAX_JOINED):
                    if i == len(ahead):
                        ahead.extend(islice(rest, 1))
                    if i == len(ahead):
                        break
                    if ahead[i][1].count('"') % 2:
                        more = [ahead.popleft()[1] for _ in range(i + 1)]
                        line = "\n".join([line, *more])
                        break
            yield number, line

    def _has_bare_mark(self, line: str) -> bool:
        """Return whether one cell of a line is a quotation mark that quotes nothing."""
        cells = line.split(self.core)
        return '"' in cells and len(cells) == (self.n or max(2, len(cells)))

    def is_empty(self, line: str) -> bool:
        """Return whether a line has no cell that is not empty. U+3000 is not empty: it
        may be a character without a tag."""
        if not line.strip(_BLANK + "\n\r\x0b\x0c"):
            return True
        return not line.strip(f"{self.core}{_BLANK}")

    def separates(self, line: str, cells: list[str]) -> bool:
        """Return whether a line only separates records."""
        return (
            self.is_empty(line)
            or line.startswith(DOCUMENT)
            or (
                self.ends
                and len(cells) == 1
                and _END_LINE.fullmatch(line.strip()) is not None
            )
        )

    def cells(self, line: str) -> list[str]:
        """Return the cells of a line. They are `n`, unless the line deviates."""
        if self.core == " ":
            return self._cells_by_blanks(line)
        n, unit = self.n, self.unit
        quoted = self.is_quoted and '"' in line and line.count('"') % 2 == 0
        cells = _parse_quoted(line, self.core) if quoted else line.split(self.core)
        # A separator that is itself the unit.
        if n and len(cells) > n and not quoted and cells[unit : unit + 2] == ["", ""]:
            cells[unit : unit + 2] = [self.core]
        while n and len(cells) > n and not cells[-1].strip():
            cells.pop()
        if n and len(cells) < n and self.core == "\t":
            # In this line, the TAB was lost.
            by_blanks = _BLANKS.split(line.strip(_BLANK))
            if len(by_blanks) == n:
                return by_blanks
        if len(cells) == n and not cells[unit] and self.core.isspace():
            cells[unit] = self.core
        if self.is_padded:
            cells = [cell.strip(_BLANK) or cell[1:] for cell in cells]
        return cells

    def _cells_by_blanks(self, line: str) -> list[str]:
        n, unit = self.n, self.unit
        body = line.rstrip(_BLANK)
        cells = _BLANKS.split(body)
        if body and not cells[0]:
            # White space that is a unit, or an indented line.
            if n and len(cells) == n and unit == 0:
                cells[0] = line[0]
            else:
                cells = cells[1:]
        if not n or len(cells) == n:
            return cells
        if "\t" in body:
            by_tabs = [cell.strip(" ") or cell for cell in body.split("\t")]
            if len(by_tabs) == n:
                return by_tabs
        if len(cells) == n - 1:
            if unit == n - 1:
                # The unit is last, and is white space.
                return [*cells, line[-1]] if line != body else cells
            # The unit is white space, with a separator on both sides.
            blanks = _BLANKS.findall(body.lstrip(_BLANK))
            if 0 < unit <= len(blanks) and len(blanks[unit - 1]) >= 3:
                cells.insert(unit, blanks[unit - 1][1])
        return cells


def _parse_quoted(line: str, separator: str) -> list[str]:
    """Split a line of CSV, which may contain line breaks."""
    has_blanks = f'{separator} "' in line
    lines = [part + "\n" for part in line.split("\n")]
    lines[-1] = lines[-1][:-1]
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=has_blanks))
    except csv.Error:
        return line.split(separator)
    return rows[0] if len(rows) == 1 else line.split(separator)


def detect_padding(units: Iterable[str], separator: str) -> str:
    """Return the separator with blanks around it, if blanks beside it do not belong to
    the cells. They do where they are the blanks of the text: after some words, but not
    after all.

    units: The units of the file.
    separator: The separator without blanks.
    """
    if separator == " ":
        return separator
    filled = [unit for unit in units if unit.strip(_BLANK)]
    padded = [unit for unit in filled if unit != unit.strip(_BLANK)]
    n_words = sum(len(unit.strip()) > 1 and unit.isascii() for unit in padded)
    is_text = 2 * n_words > len(padded) and len(padded) < 0.9 * len(filled)
    return f" {separator} " if padded and not is_text else separator
