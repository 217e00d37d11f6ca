"""What all file formats share: what readers yield, and what a format has to define."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ...tags import Span
from ..options import ReadingOptions

#: Lines of a file with their numbers, from 1.
Lines = Iterable[tuple[int, str]]
#: Values of a file (JSON, Python literals, rows of a table), each with the number of the
#: line that it begins at, from 1.
Values = Iterable[tuple[int, Any]]


class Report(Protocol):
    """What readers tell about a file: `problems.FileLog` is the one implementation."""

    def __call__(self, line: int, kind: str, message: str) -> None:
        """Report a problem: its line, its kind (a key of `problems.ACTIONS`) and what is
        wrong."""

    def lose(self, reason: str, n: int = 1) -> None:
        """Count entities of the file that are not read, by reason (a key of
        `problems.LOSSES`)."""

    def leave_out(self, reason: str, n: int = 1) -> None:
        """Count records of the file that are left out on purpose, by reason, such as
        answers that were rejected in a tool."""


class Record(NamedTuple):
    """A text in units (characters or words), with a tag for each unit ("" if the tag is
    missing) and the line of the file that each unit is from.

    units: The units.
    tags: The tag of each unit.
    lines: The line of each unit.
    blanks: Whether a blank follows each unit, if the file says so. None: the option
        `joiner` decides.
    """

    units: list[str]
    tags: list[str]
    lines: list[int]
    blanks: list[bool] | None = None


@dataclass(slots=True)
class AnnotatedText:
    """A text with its entities.

    text: The text.
    entities: Its entities by character offsets, with `end` exclusive; they may overlap.
    missing: Start and end of each part of the text whose annotation is missing, in
        characters.
    line: The line of the file that the record begins at, from 1.
    lines: The line of each entity. Empty: that of the record.
    can_overlap: Whether the format can express overlapping entities. The Doc then has
        all entities in a span group, too.
    incorrect: Spans by character offsets that are known not to be entities.
    """

    text: str
    entities: list[Span]
    missing: list[tuple[int, int]] = field(default_factory=list)
    line: int = 1
    lines: list[int] = field(default_factory=list)
    can_overlap: bool = False
    incorrect: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """A file format: one of `read_lines`, `read_values` and `read_path`.

    description: The layout in a few words, for ``--help`` and the documentation.
    read_lines: Yields the records of a text file, given its lines.
    read_values: Yields the records of a file with one value per record, in JSON lines,
        a JSON array, Python literals or Parquet, given these values.
    read_path: Yields the records of a file or folder that is not read line by line.
    recognizes: Returns whether a file has this format: given its first lines (stripped,
        none of them empty), its first values, or its path. None: the format has to be
        named.
    detect: Returns the options with what is detected from the beginning of a file in
        place of "auto" and None: given the first lines with their numbers, the first
        values, or the path. It raises a `DataError` if the file cannot be read in this
        format, or not without an option.
    """

    description: str
    read_lines: (
        Callable[[Lines, ReadingOptions, Report], Iterator[Record | AnnotatedText]]
        | None
    ) = None
    read_values: (
        Callable[[Values, ReadingOptions, Report], Iterator[Record | AnnotatedText]]
        | None
    ) = None
    read_path: (
        Callable[[Path, ReadingOptions, Report], Iterator[Record | AnnotatedText]]
        | None
    ) = None
    recognizes: Callable[[Any], bool] | None = None
    detect: Callable[[Any, ReadingOptions, Path], ReadingOptions] | None = None
