"""Texts without annotation, from text files and JSON."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..exceptions import DataError
from .encoding import repair_offsets
from .problems import ProblemLog
from .records import AnnotatedText
from .sources import TextSource
from .values import describe_value, detect_container, is_parquet, read_values

# How many lines are read to find out what a file is.
_PEEK_LINES = 200
# A unit with its tag, as in the format "columns".
_TAGGED = re.compile(r"\S*\s(O|[BIESMLUW][-_]\S+)")


def read_texts(path: str | Path, problems: ProblemLog) -> Iterator[tuple[int, str]]:
    """Read texts, one a line; or, if the first values of a file are JSON, objects with
    a key "text", as lines or as an array. Blank lines and empty texts are left out.

    path: The file.
    problems: Problems are added to it.
    YIELDS: The number of the line, from 1, and the text.
    RAISES (DataError): For a file that cannot be read as texts.
    """
    path = Path(path)
    if not path.is_file():
        reason = "is a folder, not a file" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {reason}")
    if is_parquet(path):
        raise DataError(f"{path}: Parquet: save its texts as JSON lines first")
    report = problems.of_file(path)
    source = TextSource(path)
    container = detect_container(source)
    lines: Iterator[tuple[int, str]]
    if container is None:
        check_untagged(source)
        lines = source.lines(report)
    else:
        values = read_values(source, container, report)
        lines = ((line, _text_of(path, line, value)) for line, value in values)
    is_empty = True
    for line, text in lines:
        if text.strip():
            is_empty = False
            # Surrogates, which spaCy cannot store.
            yield line, repair_offsets(AnnotatedText(text, [], line=line), report).text
    if is_empty:
        raise DataError("\n".join([f"{path}: no texts", *problems.messages()]))


def check_untagged(source: TextSource) -> None:
    """RAISES (DataError): If the lines of a file are not texts but tagged units."""
    lines = [line for _, line in islice(source.first_lines(), _PEEK_LINES)]
    lines = [line.rstrip() for line in lines if line.strip()]
    tagged = sum(_TAGGED.fullmatch(line) is not None for line in lines)
    if tagged > len(lines) / 2:
        raise DataError(
            f"{source.path}: these lines are units with tags, not texts. Convert the "
            f"file to a .spacy file first: its texts can be read from there"
        )


def _text_of(path: Path, line: int, value: Any) -> str:
    """The text of a value.

    RAISES (DataError): If it has none.
    """
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise DataError(
            f'{path}:{line}: expected an object with a string "text", found '
            f"{describe_value(value)}. Convert annotated data to a .spacy file first: "
            f"its texts can be read from there"
        )
    return text
