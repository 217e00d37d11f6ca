"""WebAnno TSV 3, which WebAnno and INCEpTION export: a token with its annotation on
each line, below the text of its sentence.

#Text=王芳在沪
1-1⇥0-1⇥王⇥*[1]⇥PER[1]
1-2⇥1-2⇥芳⇥*[1]⇥PER[1]
1-3⇥2-3⇥在⇥_⇥_
1-4⇥3-4⇥沪⇥*⇥LOC

Offsets count the UTF-16 code units of the whole document. The number in brackets is the
same for all tokens of an annotation, and missing if there is only one token and one
annotation at it. Several annotations at a token are separated by "|".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

from ...exceptions import DataError
from ...tags import Span
from ...util.text import shortened
from ..options import ReadingOptions
from .base import AnnotatedText, Lines, Report
from .columns import Columns
from .spans import INVALID

_FORMAT = re.compile(r"#FORMAT=WebAnno TSV 3(\.\d+)?\s*")
# Spans, chains and relations: the layers of a file in the order of their columns.
_LAYER = re.compile(r"#T_(SP|CH|RL)=(.*)")
_TEXT = "#Text="
# Number of the sentence and the token, and of a part of the token.
_TOKEN = re.compile(r"[0-9]+-[0-9]+(\.[0-9]+)?")
_OFFSETS = re.compile("([0-9]{1,12})-([0-9]{1,12})")
# Columns before those of the layers: number, offsets and text of a token.
_FIRST = 3
_NAMED_ENTITY = "NamedEntity"
_FEATURES = ("value", "label", "type", "category", "entity")
_NONE, _EMPTY = "_", "*"
_SEPARATOR = re.compile(r"(?<!\\)\|")
_NUMBERED = re.compile(r"(.*?)(?<!\\)\[(\d+)\]", re.DOTALL)
_ESCAPED = re.compile(r"\\(->|.)", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}
_MAX_SHOWN = 30


def recognizes(lines: list[str]) -> bool:
    """Return whether the first line names the format."""
    return bool(_FORMAT.fullmatch(lines[0]))


def detect(
    lines: list[tuple[int, str]], options: ReadingOptions, path: Path
) -> ReadingOptions:
    """Find the column of the entities by the layers that the file begins with.

    RAISES (DataError): If the file does not say its format, or which layer has the
        entities.
    """
    first = next((line for _, line in lines if line.strip()), "")
    if not _FORMAT.fullmatch(first):
        raise DataError(
            f"{path}:1: expected a first line such as #FORMAT=WebAnno TSV 3.2, found "
            f"{first!r:.60}. Export the document as WebAnno TSV 3"
        )
    named = Columns.parse(options.columns or "")
    features = _features(line for _, line in lines)
    column = named["tag"] if "tag" in named else _find_entities(features, path)
    if not _FIRST <= column < _FIRST + len(features):
        raise DataError(
            f"{path}: columns: column {column + 1} has no annotation. "
            f"{_listed(features)}"
        )
    offsets = "utf16" if options.offsets == "auto" else options.offsets
    return replace(options, columns=f"tag={column + 1}", offsets=offsets)


def read_webanno(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read the records of a file, one for each sentence."""
    column = Columns.parse(options.columns or "")["tag"]
    reader = _Reader(column, options.offsets == "utf16", report)
    sentence = _Sentence()
    for number, line in lines:
        if line.startswith(_TEXT):
            if sentence.tokens:
                yield from reader.read(sentence)
                sentence = _Sentence()
            part = _unescaped(line.removeprefix(_TEXT))
            if sentence.line:
                # A sentence with line breaks.
                sentence.text += f"\n{part}"
            else:
                sentence = _Sentence(part, number)
        elif _TOKEN.match(line):
            sentence.tokens.append((number, line.split("\t")))
        elif line.strip() and not line.startswith("#"):
            found = f"neither a token nor a text: {line!r}"
            report(number, "not a record", found)
        elif not line.strip() and (sentence.tokens or sentence.line):
            yield from reader.read(sentence)
            sentence = _Sentence()
    if sentence.tokens or sentence.line:
        yield from reader.read(sentence)


@dataclass
class _Sentence:
    """The lines of a sentence.

    text: Its text.
    line: The line of the text; 0 if there is none.
    tokens: The line and the cells of each token and each part of a token.
    """

    text: str = ""
    line: int = 0
    tokens: list[tuple[int, list[str]]] = field(default_factory=list)


class _Reader:
    """Reads the sentences of a file.

    numbers: Numbers of the annotations that have ended.
    """

    def __init__(self, column: int, in_utf16: bool, report: Report):
        self.column = column
        self.in_utf16 = in_utf16
        self.report = report
        self.numbers: set[str] = set()

    def read(self, sentence: _Sentence) -> Iterator[AnnotatedText]:
        """Read a sentence: a record, or nothing."""
        if not sentence.line:
            line, _ = sentence.tokens[0]
            self.report(line, "not a record", f"tokens without a line {_TEXT}…")
            return
        if not sentence.text.strip() or not sentence.tokens:
            self.report(sentence.line, "empty record", "no text or no tokens")
            return
        places = self._places(sentence)
        if places is None:
            return
        result = AnnotatedText(sentence.text, [], line=sentence.line, can_overlap=True)
        # Start, end and line of each annotation of several tokens.
        open: dict[tuple[str, str], tuple[int, int, int]] = {}
        for (line, cells), (start, end) in zip(sentence.tokens, places, strict=True):
            if len(cells) <= self.column:
                message = f"{len(cells)} columns, that of the entities is "
                self.report(line, "no tag", f"{message}{self.column + 1}")
                result.missing.append((start, end))
                continue
            for label, number in _annotations(cells[self.column]):
                if not label:
                    self.report(line, "invalid entity", "the annotation has no value")
                    self.report.lose(INVALID)
                    result.missing.append((start, end))
                elif not number:
                    result.entities.append(Span(start, end, label))
                    result.lines.append(line)
                else:
                    first, last, at = open.get((label, number), (start, end, line))
                    open[label, number] = min(first, start), max(last, end), at
        for (label, number), (start, end, line) in open.items():
            if number in self.numbers:
                message = f"{label}[{number}] continues from an earlier sentence"
                self.report(line, "entity without end", message)
            result.entities.append(Span(start, end, label))
            result.lines.append(line)
        self.numbers.update(number for _, number in open)
        yield result

    def _places(self, sentence: _Sentence) -> list[tuple[int, int]] | None:
        """Return start and end of each token in the text of its sentence; None if a
        token is not where its offsets say, which is reported."""
        text = sentence.text
        sizes = (2 if self.in_utf16 and char > "\uffff" else 1 for char in text)
        starts = list(accumulate(sizes, initial=0))
        position = {offset: i for i, offset in enumerate(starts)}
        base: int | None = None
        found: list[tuple[int, int]] = []
        for line, cells in sentence.tokens:
            match = _OFFSETS.fullmatch(cells[1]) if len(cells) >= _FIRST else None
            if match is None:
                message = f"expected number, offsets and text of a token: {cells!r}"
                self.report(line, "not a record", f"{message:.150}, in its sentence")
                return None
            forms = {cells[2], _unescaped(cells[2])}
            if base is None:
                # The text may begin with blanks, which are no tokens.
                n_blanks = len(text) - len(text.lstrip())
                base = int(match[1]) - starts[n_blanks]
            start, end = (position.get(int(each) - base) for each in match.groups())
            if start is None or end is None or text[start:end] not in forms:
                at = "nothing" if start is None else repr(text[start:end])
                self.report(
                    line,
                    "not a record",
                    f"the sentence of line {sentence.line}: at {cells[1]}, there is "
                    f"{shortened(at, _MAX_SHOWN)}, not the token "
                    f"{shortened(cells[2], _MAX_SHOWN)!r}. Its text was changed, or "
                    f"other offsets are meant",
                )
                return None
            found.append((start, end))
        return found


def _features(lines: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return kind, layer and feature of each column of annotation."""
    found: list[tuple[str, str, str]] = []
    for line in lines:
        if line.startswith(_TEXT):
            break
        if match := _LAYER.fullmatch(line.strip()):
            layer, *features = match[2].split("|")
            # A layer without features has one column, too.
            found += [(match[1], layer, name) for name in features or [""]]
    return found


def _find_entities(features: list[tuple[str, str, str]], path: Path) -> int:
    """Return the column of the entities.

    RAISES (DataError): If there is no such column, or if there are several.
    """
    spans = {
        i: (layer, name)
        for i, (kind, layer, name) in enumerate(features, _FIRST)
        if kind == "SP" and name
    }
    named = {i: both for i, both in spans.items() if both[0].endswith(_NAMED_ENTITY)}
    candidates = named or spans
    by_name = {i: both for i, both in candidates.items() if both[1] in _FEATURES}
    if len(candidates) > 1 and len({layer for layer, _ in candidates.values()}) == 1:
        candidates = by_name or candidates
    if len(candidates) != 1:
        what = "which layer has the entities?" if spans else "no layer of spans."
        raise DataError(f"{path}: {what} {_listed(features)}")
    return next(iter(candidates))


def _listed(features: list[tuple[str, str, str]]) -> str:
    shown = "; ".join(
        f"{i} {layer.rpartition('.')[2]} {name}".rstrip()
        for i, (_, layer, name) in enumerate(features, _FIRST + 1)
    )
    return (
        f"Name its column, such as --columns tag={_FIRST + 1}: {shown or 'none'}"
        if features
        else "The file has no layers (#T_SP=…): export it with annotation"
    )


def _annotations(cell: str) -> Iterator[tuple[str, str]]:
    """Yield label and number of each annotation at a token; "" for no label, and for no
    number."""
    if cell in (_NONE, ""):
        return
    for part in _SEPARATOR.split(cell):
        match = _NUMBERED.fullmatch(part)
        label, number = (match[1], match[2]) if match else (part, "")
        yield "" if label == _EMPTY else _unescaped(label).strip(), number


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: _CONTROL.get(match[1], match[1]), text)
