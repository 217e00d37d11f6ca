"""Annotations of brat: a text as ``name.txt``, with its entities in ``name.ann``.

    T1⇥PER 0 2⇥王芳

Each file is one text. Offsets count the characters of the whole file, line breaks
included; whether they count the CR of Windows line ends, and a byte-order mark, is
decided by the text of the entities. Relations, events, attributes and notes are not
read.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ...exceptions import DataError
from ..options import ReadingOptions
from ..sources import TextSource
from .base import IGNORED, AnnotatedText, Report
from .offset_detection import detect_offsets
from .spans import INVALID, RawSpan, SpannedText, annotated_text

#: Reason for which entities are lost.
DISCONTINUOUS = "discontinuous"
_NUMBER = "[0-9]{1,12}"
_PLACES = re.compile(f"{_NUMBER} {_NUMBER}(;{_NUMBER} {_NUMBER})*")
# Relations, events, attributes, modifications, normalizations, equivalences, notes.
_OTHER_KINDS = "REAMN*#"
# Characters that offsets may not count, since tools remove them.
_REMOVED = re.compile("\\A\ufeff+|\r(?=\n)")
# How many documents are read to decide what offsets count.
_PEEK = 200


class _Document(NamedTuple):
    """A text with its entities.

    text: The text with the entities.
    places_of_others: Start and end of each discontinuous entity.
    """

    text: SpannedText
    places_of_others: list[tuple[int, int]]


class _Named:
    """A report that names the file of each problem."""

    def __init__(self, report: Report, name: str):
        self._report = report
        self._name = name
        self.path = f"{report.path}: {name}"
        self.lose = report.lose
        self.leave_out = report.leave_out

    def __call__(self, line: int, kind: str, message: str) -> None:
        self._report(line, kind, f"{self._name}: {message}")


def recognizes(path: Path) -> bool:
    """Return whether a path is an .ann file, a text with an .ann file beside it, or a
    folder with such files."""
    if path.is_dir():
        return next(path.rglob("*.ann"), None) is not None
    return path.suffix == ".ann" or (
        path.suffix == ".txt" and path.with_suffix(".ann").is_file()
    )


def detect(path: Path, options: ReadingOptions, name: Path) -> ReadingOptions:
    """Decide what offsets count, by the text of the entities.

    path: The file or folder.
    options: The options.
    name: The same path, for messages.
    RAISES (DataError): If the entities are not at their offsets, whatever is counted,
        or if a text is missing.
    """
    texts = [
        _read(file, options, IGNORED).text
        for file in islice(_annotation_files(path), _PEEK)
    ]
    return detect_offsets(
        texts, options, name, convention="exclusive", counted="characters"
    )


def read_brat(
    path: Path, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read one record per text."""
    for number, file in enumerate(_annotation_files(path), 1):
        named = _Named(report, str(file.relative_to(path))) if path.is_dir() else report
        document = _read(file, options, named)
        if not document.text.text.strip():
            named(number, "empty record", "the text is empty")
            continue
        text = annotated_text(document.text, options, named, number, {})
        if document.places_of_others:
            report.lose(DISCONTINUOUS, len(document.places_of_others))
        size = len(text.text)
        for start, end in document.places_of_others:
            text.missing.append((min(start, size), min(end, size)))
        yield text
    if path.is_dir():
        for file in path.rglob("*.txt"):
            if not file.with_suffix(".ann").exists():
                report.leave_out("no annotation")


def _annotation_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(path.rglob("*.ann"))
    else:
        yield path.with_suffix(".ann")


def _read(file: Path, options: ReadingOptions, report: Report) -> _Document:
    """Read an .ann file, and the text beside it.

    RAISES (DataError): If there is no text.
    """
    text_file = file.with_suffix(".txt")
    if not text_file.is_file():
        raise DataError(
            f"{file}: annotations of brat without their text: copy {text_file.name} "
            f"beside it"
        )
    raw = _read_text(text_file, options, report)
    lines = TextSource(file, options.encoding).lines(report)
    found = list(_entities(lines, report))
    removed = [match.start() for match in _REMOVED.finditer(raw)]
    text = _REMOVED.sub("", raw)
    if raw.startswith("\ufeff"):
        report(1, "byte-order mark", f"at the beginning of {text_file.name}")
    if "\r\n" in raw:
        report(1, "Windows line end", f"in {text_file.name}")
    counted = bool(removed) and _count(raw, found) > _count(text, found)
    spans: list[RawSpan] = []
    others: list[tuple[int, int]] = []
    for label, places, surface in found:
        if counted:
            places = [
                (i - bisect_left(removed, i), j - bisect_left(removed, j))
                for i, j in places
            ]
        start, end = places[0][0], max(end for _, end in places)
        if _is_contiguous(places, text):
            spans.append(RawSpan(start, end, label, surface))
        else:
            others.append((start, end))
    return _Document(SpannedText(text, spans), others)


def _read_text(file: Path, options: ReadingOptions, report: Report) -> str:
    """Read a text with all its characters."""
    source = TextSource(file, options.encoding)
    with source.open() as stream:
        data = stream.read()
    errors = "surrogatepass" if source.encoding == "utf-8" else "strict"
    try:
        return data.decode(source.encoding, errors)
    except UnicodeDecodeError as error:
        report(1, "invalid bytes", f"in {file.name}: {error.reason}")
        return data.decode(source.encoding, "replace")


_Places = list[tuple[int, int]]


def _entities(
    lines: Iterator[tuple[int, str]], report: Report
) -> Iterator[tuple[str, _Places, str | None]]:
    """Yield label, offsets and text of the entities in an .ann file."""
    for number, line in lines:
        if not line.strip() or line[0] in _OTHER_KINDS:
            continue
        _, middle, surface = (*line.split("\t", 2), "", "")[:3]
        # Other tools have labels with blanks.
        words = middle.split()
        n = next((i for i, word in enumerate(words) if i and word.isdecimal()), 0)
        written = " ".join(words[n:])
        if line[0] == "T" and n and _PLACES.fullmatch(written):
            parts = (part.split() for part in written.split(";"))
            places = sorted((int(start), int(end)) for start, end in parts)
            yield " ".join(words[:n]), places, surface or None
        elif line[0] == "T":
            report(number, "invalid entity", f"expected T1⇥LABEL START END: {line!r}")
            report.lose(INVALID)
        else:
            report(number, "not a record", f"no annotation of brat: {line!r}")


def _count(text: str, found: list[tuple[str, _Places, str | None]]) -> int:
    """Return how many entities have their text at their offsets."""
    return sum(
        surface is not None
        and _words(" ".join(text[i:j] for i, j in places)) == _words(surface)
        for _, places, surface in found
    )


def _words(text: str) -> list[str]:
    return text.replace("\ufeff", "").split()


def _is_contiguous(places: _Places, text: str) -> bool:
    """Return whether there is only white space between the parts of an entity: those of
    one that spans lines."""
    ends = [end for _, end in places[:-1]]
    starts = [start for start, _ in places[1:]]
    return all(
        not text[i:j].strip() and i <= j for i, j in zip(ends, starts, strict=True)
    )
