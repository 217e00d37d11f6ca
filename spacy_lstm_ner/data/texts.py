"""Texts without annotation, from text files and JSON lines."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from ..exceptions import DataError
from .encoding import read_lines, repair_surrogates
from .literals import parse_json
from .problems import ProblemLog

# How many lines are read to find out what a file is.
_PEEK_LINES = 200
# A unit with its tag, as in the format "columns".
_TAGGED = re.compile(r"\S*\s(O|[BIESMLUW]-\S+)")


def read_texts(
    path: str | Path,
    problems: ProblemLog,
    *,
    progress: Callable[[int], object] = lambda size: None,
) -> Iterator[tuple[int, str]]:
    """Read texts, one a line: as they are, or as JSON objects with a key "text" if the
    first line begins with a brace. Blank lines are left out.

    path: The file.
    problems: Problems are added to it.
    progress: Called with the number of bytes of each line.
    YIELDS: The number of the line, from 1, and the text.
    RAISES (DataError): For a file that cannot be read as texts.
    """
    path = Path(path)
    if not path.is_file():
        reason = "is a folder, not a file" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {reason}")

    def report(line: int, kind: str, message: str) -> None:
        if kind == "not UTF-8":
            raise DataError(
                f"{path}:{line}: not UTF-8. If it is GBK, convert it: "
                f"iconv -f GB18030 -t UTF-8 {path.name} > new-file"
            )
        problems.add(str(path), line, kind, message)

    is_json = _has_json_lines(path)
    is_empty = True
    for line, content in read_lines(path, report, progress):
        if not content.strip():
            continue
        text = _text_of(path, line, content) if is_json else content
        (text,), _, _ = repair_surrogates([text], [""], [line], report)
        if text:
            is_empty = False
            yield line, text
    if is_empty:
        raise DataError(f"{path}: no texts")


def _has_json_lines(path: Path) -> bool:
    """Return whether the lines of a file are JSON objects.

    RAISES (DataError): If they are neither JSON objects nor texts.
    """
    ignored = partial(ProblemLog().add, str(path))
    lines = read_lines(path, ignored, lambda size: None)
    first_lines = [line for _, line in islice(lines, _PEEK_LINES) if line.strip()]
    if not first_lines:
        return False
    if re.match(r"\s*\[\s*([{\[]|$)", first_lines[0]):
        raise DataError(
            f"{path}:1: the whole file is one JSON value; expected one object a line. "
            f"If it is an array of objects, convert it: "
            f"jq -c '.[]' {path.name} > new-file"
        )
    tagged = sum(_TAGGED.fullmatch(line.rstrip()) is not None for line in first_lines)
    if tagged > len(first_lines) / 2:
        raise DataError(
            f"{path}: these lines are units with tags, not texts. Convert the file to "
            f"a .spacy file first: its texts can be read from there"
        )
    return first_lines[0].lstrip().startswith("{")


def _text_of(path: Path, line: int, content: str) -> str:
    """The text of a line in JSON.

    RAISES (DataError): If it has none.
    """
    try:
        value = parse_json(content)
    except (ValueError, MemoryError, RecursionError) as error:
        raise DataError(f"{path}:{line}: not JSON: {error}") from None
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise DataError(f'{path}:{line}: expected an object with a string "text"')
    return text
