"""Pairs of files, one with sentences and one with their tags, line by line: such as
``train.words`` and ``train.tags``. Both may also have one unit per line.

The files are found by their names, of which the words below are a part.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from ...exceptions import DataError
from ..options import ReadingOptions
from ..sources import TextSource
from .base import Record, Report
from .columns import read_columns
from .refusals import are_only_tags
from .sentences import detect_layout, read_sentences

# Words for the file of sentences, and for the one of tags.
_WORDS = {
    **dict.fromkeys(("sentences", "sentence", "sents"), ("tags", "labels", "ner")),
    **dict.fromkeys(("words", "word"), ("tags", "labels", "ner", "tag", "label")),
    **dict.fromkeys(("tokens", "token"), ("tags", "labels", "ner", "tag", "label")),
    **dict.fromkeys(("chars", "char"), ("tags", "labels", "bio", "tag", "label")),
    **dict.fromkeys(("text", "texts"), ("tags", "labels", "tag", "label", "bio")),
    **dict.fromkeys(("source", "src"), ("target", "tgt", "tags", "labels")),
    **dict.fromkeys(("input", "inputs"), ("output", "outputs", "tags", "labels")),
    "in": ("out", "label", "labels", "tags"),
    "x": ("y",),
}
_PART = re.compile(r"[A-Za-z]+")
# How many lines are read to find out whether two files belong together.
_PEEK_LINES = 200
# Between a sentence and its tags, when they are one line.
_JOINED = "\x1f"


def find_pair(path: Path) -> tuple[Path, Path] | None:
    """Return the file of sentences and the file of tags, given one of them.

    RETURNS: The files; None if there are no two files whose first lines belong
        together.
    """
    if not path.is_file():
        return None
    for units, tags in _candidates(path):
        if units.is_file() and tags.is_file() and not units.samefile(tags):
            try:
                joined = _first_lines(units, tags, "auto")
            except (DataError, OSError):
                continue
            if _is_vertical(joined) or _fit(joined):
                return units, tags
    return None


def recognizes(path: Path) -> bool:
    """Return whether a file is one of a pair."""
    return find_pair(path) is not None


def without_partners(paths: Iterable[Path]) -> list[Path]:
    """Return the paths without the files of tags whose file of sentences is there,
    too: the pair is read once."""
    paths = list(paths)
    given = {path.resolve() for path in paths}
    return [
        path
        for path in paths
        if not (pair := find_pair(path))
        or pair[0].resolve() == path.resolve()
        or pair[0].resolve() not in given
    ]


def read_parallel(
    path: Path, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read one record per line of both files, or per block of lines.

    RAISES (DataError): If one file has more lines.
    """
    pair = find_pair(path)
    if pair is None:
        raise DataError(
            f"{path}: no second file beside it with tags for the same number of units "
            f"in each line: name them as train.words and train.tags"
        )
    joined = _join(*pair, options.encoding, report)
    if _is_vertical(_first_lines(*pair, options.encoding)):
        vertical = (
            (number, line.replace(_JOINED, "\t") if line != _JOINED else "")
            for number, line in joined
        )
        settings = replace(options, separator="\t", columns="unit=1,tag=2")
        yield from read_columns(vertical, settings, report)
    else:
        filled = ((number, line) for number, line in joined if line != _JOINED)
        settings = replace(
            options, separator=_JOINED, columns="unit=1,tag=2", header=False
        )
        yield from read_sentences(filled, settings, report)


def _candidates(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the pairs of names that a name may belong to, by the name of the file, or
    of its folder."""
    for name, renamed in (
        (path.name, path.with_name),
        (path.parent.name, lambda name: path.parent.with_name(name) / path.name),
    ):
        for match in _PART.finditer(name):
            word = match[0].lower()
            for units, all_tags in _WORDS.items():
                if word == units:
                    others = all_tags
                elif word in all_tags:
                    others = (units,)
                else:
                    continue
                for other in others:
                    if match[0].istitle() and len(word) > 1:
                        other = other.title()
                    found = renamed(name[: match.start()] + other + name[match.end() :])
                    yield (path, found) if word == units else (found, path)


def _join(
    units: Path, tags: Path, encoding: str, report: Report
) -> Iterator[tuple[int, str]]:
    """Yield the lines of both files as one.

    RAISES (DataError): If one file has more lines.
    """
    pairs = zip_longest(
        TextSource(units, encoding).lines(report),
        TextSource(tags, encoding).lines(report),
    )
    for first, second in pairs:
        if first and second:
            yield first[0], _joined(first[1], second[1])
            continue
        number, line = first or second
        if line.strip():
            longer, shorter = (units, tags) if first else (tags, units)
            raise DataError(
                f"{longer}:{number}: {shorter.name} has only {number - 1:,} lines: the "
                f"lines of both have to correspond"
            )


def _first_lines(units: Path, tags: Path, encoding: str) -> list[tuple[int, str]]:
    """Return the first lines of both files as one, as far as both have them."""
    lines = TextSource(units, encoding).first_lines()
    others = TextSource(tags, encoding).first_lines()
    pairs = zip(lines[:_PEEK_LINES], others[:_PEEK_LINES], strict=False)
    return [(number, _joined(line, other)) for (number, line), (_, other) in pairs]


def _joined(sentence: str, tags: str) -> str:
    return f"{sentence}{_JOINED}{' '.join(tags.split())}"


def _is_vertical(joined: list[tuple[int, str]]) -> bool:
    """Return whether each line has one unit and one tag, and blank lines are the same
    in both files."""
    pairs = [line.split(_JOINED, 1) for _, line in joined]
    return (
        are_only_tags([tag for _, tag in pairs])
        and all(" " not in tag and bool(unit) == bool(tag) for unit, tag in pairs)
        and any(not unit for unit, _ in pairs)
    )


def _fit(joined: list[tuple[int, str]]) -> bool:
    filled = [(number, line) for number, line in joined if line != _JOINED]
    return (
        detect_layout(filled, ReadingOptions(separator=_JOINED, columns="unit=1,tag=2"))
        is not None
    )
