"""What all file formats share: records, and what a format has to define."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..options import ReadingOptions

#: Lines of a file with their numbers, from 1.
Lines = Iterable[tuple[int, str]]
#: Called for each problem in a file with line number, kind and message.
ReportProblem = Callable[[int, str, str], None]


class Record(NamedTuple):
    """A text in units (characters or words), with a tag for each unit ("" if the tag is
    missing) and the line of the file that each unit is from."""

    units: list[str]
    tags: list[str]
    lines: list[int]


@dataclass(frozen=True)
class Format:
    """A file format.

    read: Yields the records of a file, given its lines.
    recognizes: Returns whether a line can only be from a file of this format. None:
        there are no such lines.
    has_segmentation_digits: Whether the option `segmentation_digits` applies.
    """

    read: Callable[[Lines, ReadingOptions, ReportProblem], Iterator[Record]]
    recognizes: Callable[[str], bool] | None = None
    has_segmentation_digits: bool = False
