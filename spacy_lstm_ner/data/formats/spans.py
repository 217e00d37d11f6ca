"""Entities by offsets, and their places in a text."""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from ...exceptions import DataError
from ...tags import Span
from ...util.text import BLANK, shortened
from ..options import ReadingOptions
from .base import AnnotatedText, Report

#: Reasons for which entities are lost.
DUPLICATE = "the same entity twice"
INVALID = "invalid offsets or label"
OUTSIDE_TEXT = "offsets outside the text"
DIFFERENT_TEXT = "its text differs from the text at its offsets"

# What tools remove from the text of an entity, or escape there.
_IGNORED = re.compile(rf"(?:[{BLANK}]|\\[nrt])+")
# Characters of two UTF-16 code units.
_WIDE = re.compile("[\U00010000-\U0010ffff]")
# A tag of a unit.
_TAG = re.compile(r"[BIESMLU]-\S")


class RawSpan(NamedTuple):
    """An entity as it is in a file, with anything as its offsets and label.

    start: Offset of the start.
    end: Offset of the end, which may be inclusive. None: `length` is given.
    label: The label.
    surface: The text of the entity, if the file has it.
    length: Its length.
    problem: What is wrong with it, if it cannot be read.
    """

    start: int | None
    end: int | None
    label: Any
    surface: str | None = None
    length: int | None = None
    problem: str = ""


@dataclass(slots=True)
class SpannedText:
    """A text with its entities, as they are in a file.

    text: The text.
    spans: The entities.
    units: The units that offsets count, if they count tokens.
    joiner: What is between them in the text.
    has_wide_characters: Whether characters and UTF-16 code units are not the same.
    """

    text: str
    spans: list[RawSpan]
    units: list[str] | None = None
    joiner: str = ""
    has_wide_characters: bool = field(init=False)
    _starts: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.has_wide_characters = _WIDE.search(self.text) is not None

    def place(self, span: RawSpan, ends: str, offsets: str) -> tuple[int, int] | None:
        """Return start and end of an entity in the text, in characters and with an
        exclusive end; None if it is not within the text."""
        start, end = span.start, span.end
        if start is None:
            return None
        if end is None:
            end = start + (span.length or 0)
        elif ends == "inclusive":
            end += 1
        if not 0 <= start < end:
            return None
        if self.units is not None:
            if end > len(self.units):
                return None
            if not self._starts:
                sizes = (len(unit) + len(self.joiner) for unit in self.units)
                self._starts = list(accumulate(sizes, initial=0))
            return self._starts[start], self._starts[end] - len(self.joiner)
        if offsets == "utf16" and self.has_wide_characters:
            if not self._starts:
                sizes = (2 if char > "\uffff" else 1 for char in self.text)
                self._starts = list(accumulate(sizes, initial=0))
            found = [bisect_left(self._starts, offset) for offset in (start, end)]
            for i, offset in zip(found, (start, end), strict=True):
                # Beyond the end, or within a character.
                if i == len(self._starts) or self._starts[i] != offset:
                    return None
            return found[0], found[1]
        return (start, end) if end <= len(self.text) else None


def ambiguity(text: SpannedText, ends: str) -> str:
    """Return what is wrong if the entities of a text are other ones depending on what
    offsets count, and the file does not have their text; "" if they are not."""
    if not text.has_wide_characters or text.units is not None:
        return ""
    for span in text.spans:
        places = [text.place(span, ends, name) for name in ("characters", "utf16")]
        if span.surface or None in places or places[0] == places[1]:
            continue
        first, second = (text.text[slice(*place)] for place in places if place)
        wide = _WIDE.search(text.text)
        return (
            f"JavaScript counts {wide[0] if wide else ''!r} as two characters, and the "
            f"file does not show whether its tool does: {shown(span.label)} is "
            f"{shown(second)} with --offsets utf16 (doccano since 1.5.0, Label Studio "
            f"up to 1.3), and {shown(first)} with --offsets characters (doccano up to "
            f"1.4.1, Label Studio, Python). Set one of them"
        )
    return ""


def annotated_text(
    text: SpannedText,
    options: ReadingOptions,
    report: Report,
    line: int,
    names: dict[int, str],
) -> AnnotatedText:
    """Place the entities of a text. Those that cannot be placed are reported.

    text: The text.
    options: The options with `ends`, which `detect_offsets` has set.
    report: Problems and lost entities are reported to it.
    line: The line that the record begins at.
    names: The names of labels that are numbers.
    RETURNS: The text with all entities, overlapping ones included, each of them once.
    """
    ends, offsets = options.ends, options.offsets
    if offsets == "auto":
        offsets = "characters"
        if problem := ambiguity(text, ends):
            raise DataError(f"{report.path}:{line}: {problem}")
        if text.has_wide_characters:
            offsets = max(
                ("characters", "utf16"), key=lambda name: n_fitting(text, ends, name)
            )
    result = AnnotatedText(text.text, [], line=line, can_overlap=True)
    seen: set[Span] = set()
    for span in text.spans:
        label = _label_of(span, names)
        if span.problem or not label:
            problem = span.problem or f"the label is {shown(span.label)}"
            report(line, "invalid entity", problem)
            report.lose(INVALID)
            continue
        place = text.place(span, ends, offsets)
        if place is None:
            found = f"{shown(label)} from {span.start} to {_end_of(span)}"
            message = f"{found}, in a text of {len(text.units or text.text)}"
            report(line, "offsets outside the text", message)
            report.lose(OUTSIDE_TEXT)
            continue
        start, end = place
        part = text.text[start:end]
        if span.surface and not _is_same(span.surface, part):
            found = f"{shown(label)} {shown(span.surface)}"
            message = f"{found}, but at its offsets {shown(part)}"
            report(line, "text of entity differs", message)
            report.lose(DIFFERENT_TEXT)
            result.missing.append(place)
            continue
        entity = Span(start, end, label)
        if entity in seen:
            report.lose(DUPLICATE)
        else:
            seen.add(entity)
            result.entities.append(entity)
    return result


def check_labels(
    texts: list[SpannedText], names: dict[int, str] | None, path: Path
) -> None:
    """Check the labels at the beginning of a file.

    names: The names of labels that are numbers, if they are given.
    RAISES (DataError): For labels that are numbers without names, and for tags in place
        of labels.
    """
    labels = [span.label for text in texts for span in text.spans if not span.problem]
    numbers = {label for label in labels if _is_number(label)}
    if unnamed := sorted(numbers.difference(names or {})):
        raise DataError(
            f"{path}: labels are numbers, such as {unnamed[0]}, and have no names in "
            f"the file. Export them with names, or give their names: --label-names "
            f"{unnamed[0]}=PER,…"
        )
    tags = [label for label in labels if isinstance(label, str) and _TAG.match(label)]
    if len(tags) > len(labels) / 2:
        raise DataError(
            f"{path}: the entities have tags such as {tags[0]!r} in place of labels: "
            f"they are the tags of tokens, perhaps the output of a model. Expected one "
            f"span and one label per entity"
        )


def n_fitting(text: SpannedText, ends: str, offsets: str) -> float:
    """Return how many entities have their text at their offsets. Those for which blanks
    have to be ignored count a little less."""
    return sum(fits(text, span, ends, offsets) for span in text.spans if span.surface)


def fits(text: SpannedText, span: RawSpan, ends: str, offsets: str) -> float:
    place = text.place(span, ends, offsets)
    if place is None or not span.surface:
        return 0
    part = text.text[place[0] : place[1]]
    if part == span.surface:
        return 1
    return 0.999 if _is_same(span.surface, part) else 0


def _is_same(surface: str, part: str) -> bool:
    return surface == part or _IGNORED.sub("", surface) == _IGNORED.sub("", part)


def _end_of(span: RawSpan) -> int | None:
    if span.end is None and span.start is not None:
        return span.start + (span.length or 0)
    return span.end


def _label_of(span: RawSpan, names: dict[int, str]) -> str:
    """Return the label, "" if there is none."""
    label = names.get(span.label) if _is_number(span.label) else span.label
    return label.strip() if isinstance(label, str) else ""


def _is_number(label: Any) -> bool:
    return isinstance(label, int) and not isinstance(label, bool)


def shown(value: Any) -> str:
    """Return a value from data for a message."""
    if isinstance(value, str):
        return repr(shortened(value, 30))
    if isinstance(value, int | float) or value is None:
        return shortened(str(value), 30)
    return f"a {type(value).__name__}"
