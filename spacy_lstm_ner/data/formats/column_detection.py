"""Which columns a file has, by what is in them."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ...exceptions import DataError
from ...tags import OUTSIDE
from ..options import ReadingOptions
from .cells import SEPARATORS, Table, detect_padding
from .columns import PEEK_LINES, Columns, without_position
from .refusals import are_only_tags, looks_like
from .tag_column import TagColumn


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# How many lines are read to choose the columns. A second column of entities may have
# few of them.
_SAMPLE_LINES = 20_000
# Share of the numbers of a column that go on counting.
_MIN_POSITIONS = 0.9
# More lines than this that have another number of columns, and at least so many, mean
# that the file has no columns.
_MAX_DEVIATING, _MIN_DEVIATING = 0.05, 3
# A header without a known name is recognized in files of so many lines.
_MIN_LINES = 10
_UNIT_NAMES = _words(
    "word words token tokens char chars character characters text form unit "
    "字 词 字符 单字 汉字 单词 词语 文本"
)
_TAG_NAMES = _words(
    "tag tags label labels ner ner_tag ner_tags nertag entity entities bio iob iob2 "
    "bioes bmes 标签 标注 实体 实体标签 类别"
)
# Spans in brackets, as in CoNLL-2012: of entities, but not of frames or phrases.
_BRACKETED = re.compile(r"(\([\w-]+)*\*?\)*|[-_*]")
_BRACKETS = re.compile(r"\(([\w-]+)")
_BRACKETED_NAMES = {"PERSON", "PER", "GPE", "LOC", "ORG", "DATE", "NORP", "CARDINAL"}
# Units of at least so many characters are sentences.
_SENTENCE = 12


def detect(
    lines: list[tuple[int, str]], options: ReadingOptions, path: Path
) -> ReadingOptions:
    """Detect separator, columns, header, comments and positions in words.

    lines: The first lines of the file, with their numbers.
    options: The options; what they say is not detected.
    path: The file, for error messages.
    RETURNS: The options with all that is detected.
    RAISES (DataError): If there is no column of tags, or several with entities, or if
        the number of columns is not the same in nearly all lines.
    """
    lines = lines[:_SAMPLE_LINES]
    separators = SEPARATORS if options.separator is None else (options.separator,)
    samples = [_Sample(lines[:PEEK_LINES], each, options) for each in separators]
    samples = [sample for sample in samples if sample.table.n > 1 and sample.rows]
    if not samples or are_only_tags([line for _, line in lines]):
        raise _no_tags(lines, path)
    best = max(samples, key=_Sample.rating)
    sample = _Sample(lines, best.table.separator, options)
    named = Columns.parse(options.columns or "")
    try:
        Columns(**named).resolved(sample.table.n)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    n = sample.table.n
    named = {name: i % n for name, i in named.items()}
    tag = named["tag"] if "tag" in named else sample.find_tag(named, lines, path)
    unit = named["unit"] if "unit" in named else sample.find_unit(tag)
    columns = Columns(unit, tag, named.get("sentence"))
    header = options.header
    if header is None:
        header = sample.has_header(columns)
    if header:
        sample.remove_header()
    if "sentence" not in named:
        columns = replace(columns, sentence=sample.find_sentence(columns))
    if not named and sample.has_sentences_as_units(columns):
        raise DataError(
            f"{path}: the units look like whole sentences, with one label for each: "
            f"this is no annotation of entities. If it is, set the columns, such as "
            f"{columns}"
        )
    sample.check_deviating(columns, path)
    units = [row[unit] for row in sample.rows]
    separator = options.separator or detect_padding(units, best.table.separator)
    digits = options.segmentation_digits
    if digits is None:
        digits = _have_positions(units, sample.starts)
    return replace(
        options,
        separator=separator,
        columns=str(columns),
        comment=sample.comment,
        header=header,
        segmentation_digits=digits,
    )


class _Sample:
    """The first lines of a file, split with one separator.

    table: How lines are split.
    comment: How comment lines begin; "" if there are none.
    rows: The cells of lines that have as many as there are columns.
    starts: Indices of the rows that begin a record.
    n_split: Number of rows in whose line the separator is.
    deviating: Lines with another number of cells, with their numbers.
    """

    def __init__(
        self, lines: list[tuple[int, str]], separator: str, options: ReadingOptions
    ):
        self.table = Table.detect(lines[:PEEK_LINES], separator)
        self.comment = options.comment or ""
        self.rows: list[list[str]] = []
        self.starts: set[int] = set()
        self.deviating: list[tuple[int, str]] = []
        self.n_split = 0
        self._tags_of: dict[int, TagColumn] = {}
        # Lines that begin like a comment, with whether each begins a record.
        marked: list[tuple[str, list[str], bool]] = []
        begins = True
        # A TAB counts as a blank where any number of them separates cells.
        blank = " " if self.table.core == " " else ""
        for number, line in self.table.lines(lines):
            cells = self.table.cells(line)
            if self.table.separates(line, cells):
                begins = True
            elif self.comment and line.startswith(self.comment):
                continue
            elif options.comment is None and line.startswith("#"):
                marked.append((line, cells, begins))
            elif len(cells) == self.table.n:
                if begins:
                    self.starts.add(len(self.rows))
                begins = False
                self.rows.append(cells)
                self.n_split += self.table.core in line.replace("\t", f"\t{blank}")
            else:
                begins = False
                self.deviating.append((number, line))
        self.has_blank_lines = len(self.starts) > 1
        self._add_marked(marked)

    @property
    def _has_names(self) -> bool:
        """Whether the first line may be the names of the columns."""
        return len(self.rows) > 1 and any(
            first.strip().lower() in _TAG_NAMES and first != second
            for first, second in zip(*self.rows[:2], strict=True)
        )

    def _add_marked(self, marked: list[tuple[str, list[str], bool]]) -> None:
        """Find out which of the lines that begin with "#" are comments."""
        comments = []
        for line, cells, begins in marked:
            is_row = len(cells) == self.table.n
            if is_row and any(
                self._is_tag_at(i, cells[i]) for i in range(1, len(cells))
            ):
                self.rows.append(cells)
            elif begins or "=" in line:
                comments.append(line)
        if comments:
            has_blank = all(line.startswith("# ") for line in comments)
            self.comment = "# " if has_blank else "#"

    def _is_tag_at(self, i: int, cell: str) -> bool:
        return bool(cell.strip()) and self._tags(i).is_tag(cell)

    def column(self, i: int) -> list[str]:
        """Return the cells of a column, without names in the first line."""
        rows = self.rows[1:] if self._has_names else self.rows
        return [row[i] for row in rows]

    def _tags(self, i: int) -> TagColumn:
        if i not in self._tags_of:
            self._tags_of[i] = TagColumn(self.column(i))
        return self._tags_of[i]

    def rating(self) -> tuple[bool, bool, float]:
        """Return how well the separator fits: it is compared with those of others."""
        tags = [tags for i in range(self.table.n) if (tags := self._tags(i)).are_tags]
        share = self.n_split / (len(self.rows) + len(self.deviating))
        has_entities = any(column.n_entities for column in tags)
        return has_entities and share > 0.5, bool(tags), round(share, 1)

    def find_tag(
        self, named: dict[str, int], lines: list[tuple[int, str]], path: Path
    ) -> int:
        """Return the column of tags."""
        for i in range(self.table.n):
            if not named and self._are_brackets(i):
                raise DataError(
                    f"{path}: the column {i + 1} has entities in brackets, such as "
                    f"(PER* and *), as in CoNLL-2012: convert them to BIO tags, or "
                    f"name another column of tags, such as --columns tag=2"
                )
        found = {
            i: self._tags(i)
            for i in range(self.table.n)
            if i not in named.values() and self._tags(i).are_tags
        }
        if not found:
            raise _no_tags(lines, path, self.rows)
        # Those that lose against others, one rule after the other.
        rules: list[Callable[[TagColumn], bool]] = [
            lambda tags: tags.are_plain,
            lambda tags: tags.n_entities > 0,
            lambda tags: tags.has_prefixes,
            lambda tags: not tags.are_chunks,
            lambda tags: tags.has_outside,
        ]
        for is_better in rules:
            found = {i: tags for i, tags in found.items() if is_better(tags)} or found
        if len({tuple(self.column(i)) for i in found}) > 1:
            most = max(found, key=lambda i: found[i].n_entities)
            shown = " and ".join(
                f"{i + 1} ({', '.join(tags.labels()[:3]):.60})"
                for i, tags in found.items()
            )
            raise DataError(
                f"{path}: the columns {shown} both have entities: nested entities, "
                f"another annotation, or predictions. Name the one to read, such as "
                f"--columns tag={most + 1}"
            )
        return max(found)

    def _are_brackets(self, i: int) -> bool:
        """Return whether a column has spans in brackets, with the names of entities."""
        cells = [cell.strip() for cell in self.column(i)]
        names = {match[1] for cell in cells if (match := _BRACKETS.match(cell))}
        return (
            all(_BRACKETED.fullmatch(cell) for cell in cells)
            and len(names & _BRACKETED_NAMES) > 0
        )

    def find_unit(self, tag: int) -> int:
        """Return the column of units."""
        others = [i for i in range(self.table.n) if i != tag]
        rest = others
        for is_none in (
            self._are_empty,
            self._are_numbers,
            self._are_constant,
            self._sentence_names,
        ):
            rest = [i for i in rest if not is_none(i)] or rest
        counts = {i: len(set(self.column(i))) for i in rest}
        most = max(counts.values())
        first = self.rows[0]
        named = [i for i in rest if first[i].strip().lower() in _UNIT_NAMES]
        if named and first[tag].strip().lower() in _TAG_NAMES:
            return named[0]
        return next(i for i in rest if 3 * counts[i] >= most)

    def _are_empty(self, i: int) -> bool:
        cells = self.column(i)
        return 2 * sum(not cell or cell == "_" for cell in cells) > len(cells)

    def _are_numbers(self, i: int) -> bool:
        return all(cell.strip().isdecimal() for cell in self.column(i))

    def _are_positions(self, i: int) -> bool:
        """Return whether a column counts 1, 2, 3 …"""
        if not self._are_numbers(i):
            return False
        numbers = list(map(int, self.column(i)))
        n = sum(
            b == a + 1 or (b <= 1 and (b < a or at in self.starts))
            for at, (a, b) in enumerate(pairwise(numbers), 1 + self._has_names)
        )
        return n >= _MIN_POSITIONS * (len(numbers) - 1)

    def _are_constant(self, i: int) -> bool:
        """Return whether a column is the same in each record, such as the name of a
        document, and not a character."""
        rows = self.rows[self._has_names :]
        return all(
            a[i] == b[i] or at in self.starts or not b[i].strip()
            for at, (a, b) in enumerate(pairwise(rows), 1 + self._has_names)
        ) and (len(rows) > 1 or len(rows[0][i].strip()) > 1)

    def find_sentence(self, columns: Columns) -> int | None:
        """Return the column of sentence numbers or names, if the records are separated
        by nothing else."""
        for i in range(self.table.n):
            if (
                i not in (columns.unit, columns.tag)
                and not self._are_positions(i)
                and (runs := self._sentence_names(i))
                and (not self.has_blank_lines or len(runs) > len(self.starts))
            ):
                return i
        return None

    def _sentence_names(self, i: int) -> list[str]:
        """Return the numbers or names of sentences in a column, such as s1 and s2, each
        for the lines of a sentence or only for its first one; none for a column of
        something else."""
        cells = [row[i].strip() for row in self.rows[self._has_names :]]
        filled = list(filter(None, cells))
        names = [a for a, b in zip(filled, ["", *filled], strict=False) if a != b]
        is_column_of_names = (
            names
            and all(any(map(str.isdecimal, name)) for name in names)
            and len(set(names)) == len(names)
            and 3 * len(names) <= 2 * len(cells)
            and cells[0]
        )
        return names if is_column_of_names else []

    def has_header(self, columns: Columns) -> bool:
        """Return whether the first line has the names of the columns."""
        first, *rest = self.rows
        name = first[columns.tag].strip()
        if not rest or name in {row[columns.tag].strip() for row in rest}:
            return False
        if name.lower() in _TAG_NAMES:
            return True
        tags = TagColumn([row[columns.tag] for row in rest])
        # No header: the tag of a unit outside of entities, which no other line has.
        if name in ("", OUTSIDE, "0"):
            return False
        if not tags.are_all_tags or TagColumn([name, OUTSIDE]).has_prefixes:
            return False
        unit = first[columns.unit]
        if tags.is_bare:
            return unit.strip().lower() in _UNIT_NAMES
        units = [row[columns.unit] for row in rest]
        is_longer = len(unit) > max(map(len, units))
        return is_longer or (len(rest) >= _MIN_LINES and unit not in units)

    def remove_header(self) -> None:
        """Remove the first line."""
        del self.rows[0]
        self.starts = {max(0, start - 1) for start in self.starts}

    def has_sentences_as_units(self, columns: Columns) -> bool:
        """Return whether texts have labels rather than units tags."""
        if not self._tags(columns.tag).is_bare:
            return False
        units = [row[columns.unit].strip() for row in self.rows]
        n = sum(
            " " in unit or (len(unit) >= _SENTENCE and not unit.isascii())
            for unit in units
        )
        return 2 * n > len(units)

    def check_deviating(self, columns: Columns, path: Path) -> None:
        """RAISES (DataError): If many lines have another number of columns."""
        found = [
            (number, line)
            for number, line in self.deviating
            # A unit without a tag.
            if columns.unit or len(self.table.cells(line)) > 1
        ]
        total = len(self.rows) + len(self.deviating)
        if len(found) >= _MIN_DEVIATING and len(found) > _MAX_DEVIATING * total:
            number, line = found[0]
            raise DataError(
                f"{path}:{number}: {len(self.table.cells(line))} columns, most lines "
                f"have {self.table.n}: {line!r:.100} ({len(found):,} such lines of "
                f"{total:,}). Correct these lines, or set the separator (now "
                f"{self.table.separator!r}) or the beginning of comment lines"
            )


def _have_positions(units: list[str], starts: set[int]) -> bool:
    """Return whether units end in their position in the word: nearly all do, and the
    first one begins a word."""
    if not units[0].endswith("0") or len(units[0]) < 2:
        return False
    n = n_letters = 0
    position = -1
    for i, unit in enumerate(units):
        stem, position = without_position(unit, -1 if i in starts else position)
        n += position >= 0
        n_letters += position >= 0 and not stem.isdecimal()
    return n >= _MIN_POSITIONS * len(units) and n_letters > 0


def _no_tags(
    lines: list[tuple[int, str]], path: Path, rows: list[list[str]] | None = None
) -> DataError:
    """Return the error for a file without a column of tags."""
    return DataError(
        f"{path}: no tags such as O, B-… or I-… found in columns format: "
        f"{looks_like([line for _, line in lines], rows or [])}"
    )
