"""The format with one sentence per line: its units and their tags in two halves, as
``王 芳 在⇥B-PER I-PER O``, or in pairs, as ``王/B-PER 芳/I-PER 在/O``. A text need not
be split into units if each of its characters has a tag."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice, permutations
from pathlib import Path

from ...exceptions import DataError
from ..encoding import CHARACTER
from ..options import ReadingOptions
from .base import Lines, Record, Report
from .cells import Table
from .columns import Columns
from .refusals import are_only_tags, looks_like
from .tag_column import TagColumn

# How many lines are read to find out how lines are split.
_PEEK_LINES = 200
# What is detected between the halves, and between a unit and its tag.
_HALVES = ("\t", "|||", "\x02", "\x01", "###", "@@@", "|", ",", ";")
_PAIRS = ("/", "|", "_", "\x02", "#")
# A line has at most so many parts.
_MAX_PARTS = 4
# The share of lines that have as many units as tags.
_MIN_FITTING = 0.8

Split = tuple[list[str], list[str], list[bool] | None]


@dataclass(frozen=True)
class Layout:
    """How a line is split.

    table: How it is split into parts, one of which has the units, another their tags.
        In pairs, its separator is between a unit and its tag.
    columns: Which part has what.
    is_pairs: Whether each unit is followed by its tag.
    by_character: Whether there is a tag for each character of a text that is not split
        into units.
    """

    table: Table
    columns: Columns
    is_pairs: bool = False
    by_character: bool = False

    def split(self, line: str) -> Split:
        """Return units, tags, and whether a blank follows each unit, if the line says
        so. Without as many units as tags, the line does not have this layout."""
        table, columns = self.table, self.columns
        if self.is_pairs:
            return _pairs(line, table.core)
        # With fewer separators, `cells` would split at blanks, which are within parts.
        parts = table.cells(line) if line.count(table.core) >= table.n - 1 else []
        if len(parts) > table.n:
            # The text contains the separator.
            split = line.rsplit if columns.tag > columns.unit else line.split
            parts = split(table.core, table.n - 1)
        if len(parts) < table.n:
            return [line], [], None
        text, tags = parts[columns.unit], parts[columns.tag].split()
        if len(tags) == 1:
            tags = tags[0].split(",")
        if not self.by_character:
            return _words(text, len(tags)), tags, None
        units, blanks = _characters(text, len(tags))
        return units, tags, blanks


def read_sentences(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one line."""
    rest = iter(lines)
    first = list(islice(rest, _PEEK_LINES))
    layout: Layout | None
    if options.separator is not None and options.columns is None:
        # What `detect` sets for pairs.
        layout = Layout(Table(options.separator), Columns(), is_pairs=True)
    else:
        layout = detect_layout(first, options)
    if layout is None:
        layout = Layout(Table(options.separator or "\t", n=2), Columns(0, 1))
    has_header = options.header
    for number, line in layout.table.lines(chain(first, rest)):
        if not line.strip():
            continue
        if has_header:
            has_header = False
            continue
        units, tags, blanks = layout.split(line)
        if len(units) != len(tags):
            message = f"{len(units)} units, {len(tags)} tags: {line!r}"
            report(number, "different lengths", message)
        else:
            yield Record(units, tags, [number] * len(units), blanks)


def recognizes(lines: list[str]) -> bool:
    """Return whether nearly all lines have as many units as tags, and some several."""
    return detect_layout(list(enumerate(lines)), ReadingOptions()) is not None


def detect(
    lines: list[tuple[int, str]], options: ReadingOptions, path: Path
) -> ReadingOptions:
    """Detect how lines are split.

    RAISES (DataError): If nearly all lines do not have as many units as tags.
    """
    layout = detect_layout(lines, options)
    if layout is None:
        text = [line for _, line in lines]
        raise DataError(
            f"{path}: no lines with as many units as tags: {looks_like(text, [])}"
        )
    if options.header is None:
        options = replace(options, header=_has_header(lines, layout))
    return replace(
        options,
        separator=layout.table.separator,
        columns=None if layout.is_pairs else str(layout.columns),
    )


def detect_layout(
    lines: list[tuple[int, str]], options: ReadingOptions
) -> Layout | None:
    """Detect how lines are split.

    lines: The first lines of the file, with their numbers.
    options: Separator and columns are not detected if they are given.
    RETURNS: The layout that most lines have; None if there is none.
    """
    lines = [(number, line) for number, line in lines[:_PEEK_LINES] if line.strip()]
    layout, share = _best(_layouts(lines, options, by_character=False), lines)
    if share >= _MIN_FITTING:
        return layout
    layout, more = _best(_layouts(lines, options, by_character=True), lines)
    # Otherwise, many lines are only damaged.
    return layout if more >= _MIN_FITTING and more > 2 * share else None


def _best(
    layouts: Iterator[Layout], lines: list[tuple[int, str]]
) -> tuple[Layout | None, float]:
    """Return the layout that most lines have, with their share."""
    best, most = None, 0.0
    for layout in layouts:
        texts = [line for _, line in layout.table.lines(lines)]
        share = _share_fitting(texts, layout)
        if len(texts) > 1:
            # Without a header.
            share = max(share, _share_fitting(texts[1:], layout))
        if share > most:
            best, most = layout, share
    return best, most


def _layouts(
    lines: list[tuple[int, str]], options: ReadingOptions, *, by_character: bool
) -> Iterator[Layout]:
    """Yield the layouts that a file may have: of equals, the first one counts."""
    given = options.separator
    named = Columns.parse(options.columns or "")
    for separator in _HALVES if given is None else (given,):
        table = Table.detect(lines, separator)
        for unit, tag in permutations(range(min(table.n, _MAX_PARTS)), 2):
            columns = Columns(unit, tag)
            if named and Columns(**{"unit": unit, "tag": tag, **named}) != columns:
                continue
            yield Layout(table, columns, by_character=by_character)
    if not named and not by_character:
        for separator in _PAIRS if given is None else (given,):
            yield Layout(Table(separator), Columns(), is_pairs=True)


def _share_fitting(lines: list[str], layout: Layout) -> float:
    """Return the share of lines that have a layout; 0 if the tags are no tags, or there
    is never more than one."""
    splits = [layout.split(line) for line in lines]
    fitting = [tags for units, tags, _ in splits if len(units) == len(tags)]
    if not any(len(tags) > 1 for tags in fitting):
        return 0.0
    # Two parts with tags, neither of which is a text.
    if are_only_tags([" ".join(units) for units, _, _ in splits]):
        return 0.0
    column = TagColumn([tag for tags in fitting for tag in tags])
    return len(fitting) / len(lines) if column.are_tags else 0.0


def _has_header(lines: list[tuple[int, str]], layout: Layout) -> bool:
    """Return whether the first line has names: it does not have the layout."""
    first, *rest = (line for _, line in layout.table.lines(lines) if line.strip())
    units, tags, _ = layout.split(first)
    has_names = len(layout.table.cells(first)) == layout.table.n
    if layout.is_pairs or not rest or not has_names:
        return False
    return len(units) != len(tags) or not TagColumn(tags).are_tags


def _pairs(line: str, separator: str) -> Split:
    """Split a line into units, each followed by its tag."""
    units: list[str] = []
    tags: list[str] = []
    before = "-"
    for part in line.split(" "):
        if part:
            unit, found, tag = part.rpartition(separator)
            if not found:
                return [line], [], None
            # A blank that is a unit has a blank before it.
            units.append(unit or ("" if before else " "))
            tags.append(tag)
        before = part
    return units, tags, None


def _words(text: str, n: int) -> list[str]:
    """Split a text at blanks.

    n: Expected number of words.
    RETURNS: The words. A blank that is itself a word has a blank on both sides.
    """
    parts = text.split(" ")
    words = [part for part in parts if part]
    if len(words) == n:
        return words
    with_blanks: list[str] = []
    was_empty = False
    for part in parts:
        if part:
            with_blanks.append(part)
        elif was_empty:
            with_blanks.append(" ")
        was_empty = not part and not was_empty
    return with_blanks if len(with_blanks) == n else words


def _characters(text: str, n: int) -> tuple[list[str], list[bool] | None]:
    """Split a text into characters.

    n: Number of tags. Blanks may have none.
    RETURNS: The characters that have a tag, and whether a blank follows each one. None:
        the blanks have tags, too.
    """
    for part in (text, text.strip(" ")):
        characters: list[str] = CHARACTER.findall(part)
        if len(characters) == n:
            return characters, None
    units: list[str] = []
    blanks: list[bool] = []
    for char in characters:
        if char == " " and blanks:
            # Only one blank can follow a unit.
            if blanks[-1]:
                return characters, None
            blanks[-1] = True
        else:
            units.append(char)
            blanks.append(False)
    return units, blanks
