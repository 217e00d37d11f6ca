"""What a file format has to define."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..options import ReadingOptions
from ..records import IGNORED, AnnotatedText, Record, Report

__all__ = [
    "IGNORED",
    "AnnotatedText",
    "Format",
    "Lines",
    "Record",
    "Report",
    "Values",
]

#: Lines of a file with their numbers, from 1.
Lines = Iterable[tuple[int, str]]
#: Values of a file (JSON, Python literals, rows of a table), each with the number of
#: the line that it begins at, from 1.
Values = Iterable[tuple[int, Any]]


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
