"""CoNLL-U: ten columns separated by TABs, with tags of entities in the last one (MISC),
as ``NE=B-PER``, or in an eleventh column."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ...exceptions import DataError
from ...tags import OUTSIDE
from ..options import ReadingOptions
from .base import Lines, Record, Report
from .tag_column import TagColumn

_N_COLUMNS = 10
_FORM, _MISC = 1, 9
# Names of tags in MISC, in lower case.
_NAMES = ("ne", "ner", "entity", "bio", "iob", "bioes", "nertag", "ne_tag", "ner_tag")
# How many lines are read to find out how the file is written.
_PEEK_LINES = 5000
_NO_BLANK = "SpaceAfter=No"
# The tag of a unit whose parts begin and end an entity.
_SINGLE = {"E": "S", "L": "U"}


class _Style(NamedTuple):
    """How a file is written.

    without_tag: The tag of words that have none: "" for a missing one, if others are
        tagged as outside of entities.
    has_blanks: Whether it says where blanks are.
    """

    without_tag: str
    has_blanks: bool


def recognizes(lines: list[str]) -> bool:
    """Return whether most lines that are no comments have an id, and ten or eleven
    columns."""
    rows = [line for line in lines[:_PEEK_LINES] if not line.startswith("#")]
    found = [cells for line in rows if (cells := _cells(line)) and _is_id(cells[0])]
    return bool(found) and 2 * len(found) > len(rows)


def detect(
    lines: list[tuple[int, str]], options: ReadingOptions, path: Path
) -> ReadingOptions:
    """Check that there are tags of entities.

    RAISES (DataError): If there are none.
    """
    rows = [cells for _, line in lines[:_PEEK_LINES] if (cells := _cells(line))]
    tags = [tag for cells in rows if (tag := _tag(cells))]
    if not tags or not TagColumn([*tags, OUTSIDE]).has_entities:
        keys = Counter(
            part.partition("=")[0]
            for cells in rows
            for part in cells[_MISC].split("|")
            if part != "_"
        )
        found = ", ".join(key for key, _ in keys.most_common(5)) or "nothing"
        raise DataError(
            f"{path}: CoNLL-U without tags of entities: the last column (MISC) has "
            f"{found:.80}. Expected tags such as B-PER there, as NE=B-PER, or in an "
            f"eleventh column"
        )
    return options


def read_conllu(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read one record per sentence. A word that is split into several (1-2) is one
    unit, as it is in the text; empty nodes (1.1) are not in the text."""
    rest = iter(lines)
    first = list(islice(rest, _PEEK_LINES))
    tags = [_tag(cells) for _, line in first if (cells := _cells(line))]
    has_outside = TagColumn(list(filter(None, tags))).has_outside
    style = _Style(
        without_tag="" if has_outside else OUTSIDE,
        has_blanks=any(_NO_BLANK in line for _, line in first),
    )
    sentence = _Sentence(style, report)
    for number, line in chain(first, rest):
        if not line.strip():
            yield from sentence.records()
            sentence = _Sentence(style, report)
        elif line.startswith("#"):
            sentence.add_comment(number, line)
        else:
            sentence.add(number, line)
    yield from sentence.records()


class _Sentence:
    """A sentence while it is read."""

    def __init__(self, style: _Style, report: Report):
        self._style = style
        self._report = report
        self._units: list[str] = []
        self._tags: list[str] = []
        self._lines: list[int] = []
        self._blanks: list[bool] = []
        self._text: tuple[int, str] | None = None
        # The ids of the parts of a word that is split and follow, and their tags.
        self._parts = range(0)
        self._part_tags: list[str] = []

    def add_comment(self, number: int, line: str) -> None:
        """Add a comment. That of the text says where blanks are."""
        name, _, text = line[1:].partition("=")
        if name.strip() == "text":
            self._text = number, text.strip()

    def add(self, number: int, line: str) -> None:
        """Add a line that is no comment."""
        cells = _cells(line)
        if cells is None or not _is_id(cells[0]):
            cells = line.split("\t")
            message = f"{len(cells)} columns, no line of CoNLL-U: {line!r}"
            self._report(number, "number of columns", message)
            self._append(number, cells[min(1, len(cells) - 1)], "", True)
            return
        id, tag = cells[0], _tag(cells) or self._style.without_tag
        has_blank = _NO_BLANK not in cells[_MISC].split("|")
        if "." in id:
            if tag[:1] in ("B", "S", "U", "W"):
                self._report.lose("tag of a word that is not in the text")
        elif "-" in id:
            self._close_parts()
            first, _, last = id.partition("-")
            self._parts = range(int(first), int(last) + 1)
            self._append(number, cells[_FORM], _tag(cells), has_blank)
        elif int(id) in self._parts:
            self._parts = range(int(id) + 1, self._parts.stop)
            self._part_tags.append(tag)
        else:
            self._close_parts()
            self._append(number, cells[_FORM], tag, has_blank)

    def _append(self, number: int, form: str, tag: str, has_blank: bool) -> None:
        self._units.append(form)
        self._tags.append(tag)
        self._lines.append(number)
        self._blanks.append(has_blank)

    def _close_parts(self) -> None:
        """Set the tag of a word that is split to the tag of its parts as a whole."""
        if self._part_tags and not self._tags[-1]:
            inside = [tag for tag in self._part_tags if tag not in (OUTSIDE, "")]
            # Tags of parts are missing, or outside of entities.
            tag = min(self._part_tags)
            if inside:
                tag, last = inside[0], inside[-1]
                if last[:1] in _SINGLE and tag[:1] in ("B", "I", "M"):
                    tag = last if tag[:1] != "B" else _SINGLE[last[0]] + last[1:]
                begins = sum(part[:1] in ("B", "S", "U", "W") for part in inside[1:])
                if begins:
                    self._report.lose("begins within a word", begins)
            self._tags[-1] = tag
        self._part_tags = []

    def records(self) -> Iterator[Record]:
        """Yield the record of the sentence, if it has units."""
        if not self._units:
            return
        self._close_parts()
        blanks: list[bool] | None = self._blanks if self._style.has_blanks else None
        if self._text is not None:
            number, text = self._text
            found = _blanks_in(text, self._units)
            if found is not None:
                blanks = found
            else:
                message = f"text = {text!r:.80} does not have the words of the sentence"
                self._report(number, "different text", message)
        yield Record(self._units, self._tags, self._lines, blanks)


def _blanks_in(text: str, units: list[str]) -> list[bool] | None:
    """Return whether a blank follows each unit in a text; None if its units are
    others."""
    blanks: list[bool] = []
    at = 0
    for unit in units:
        if not text.startswith(unit, at):
            return None
        at += len(unit)
        start = at
        while text[at : at + 1] == " ":
            at += 1
        blanks.append(at > start)
    return blanks if at == len(text) else None


def _cells(line: str) -> list[str] | None:
    """Return the cells of a line; None if it is none of CoNLL-U."""
    cells = line.split("\t")
    return cells if len(cells) in (_N_COLUMNS, _N_COLUMNS + 1) else None


def _is_id(cell: str) -> bool:
    """Return whether a cell is an id: "1", "1-2" or "1.1"."""
    parts = cell.replace(".", "-").split("-")
    return len(parts) <= 2 and all(
        part.isascii() and part.isdecimal() and len(part) < 10 for part in parts
    )


def _tag(cells: list[str]) -> str:
    """Return the tag of a word, "" if there is none."""
    if len(cells) > _N_COLUMNS:
        return cells[_N_COLUMNS].strip()
    for part in cells[_MISC].split("|"):
        name, _, value = part.partition("=")
        if value and name.strip().lower() in _NAMES:
            return value.strip()
    return ""
