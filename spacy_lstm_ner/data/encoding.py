"""Surrogate code points in text, which spaCy cannot store, and their repair."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

from ..tags import Span
from .records import AnnotatedText

# One half of a character outside the Basic Multilingual Plane, as JSON escapes and some
# export tools write it.
_SURROGATE = re.compile("[\ud800-\udfff]")
#: A character; a surrogate pair counts as one.
CHARACTER = re.compile("[\ud800-\udbff][\udc00-\udfff]|.", re.DOTALL)


def repair_surrogates(
    units: list[str],
    tags: list[str],
    lines: list[int],
    report: Callable[[int, str, str], None],
) -> tuple[list[str], list[str], list[int]]:
    """Join surrogate pairs, within a unit or across two, and replace lone surrogates,
    which spaCy cannot store. Two units that are joined keep the tag of the first.

    units: The units of a record.
    tags: The tag of each unit.
    lines: The line of each unit.
    report: Called for each problem with line number, kind and message.
    RETURNS: Units, tags and lines.
    """
    if not _SURROGATE.search("".join(units)) and not _SURROGATE.search("".join(tags)):
        return units, tags, lines

    def repair(text: str, line: int) -> str:
        if not _SURROGATE.search(text):
            return text
        repaired = _SURROGATE.sub("\ufffd", _join_pairs(text))
        lone = repaired.count("\ufffd") > text.count("\ufffd")
        kind = "lone surrogate" if lone else "surrogate pair"
        report(line, kind, f"in {repaired!r}")
        return repaired

    new_units: list[str] = []
    new_tags: list[str] = []
    new_lines: list[int] = []
    for unit, tag, line in zip(units, tags, lines, strict=True):
        pair = new_units[-1] + unit if new_units else ""
        if len(pair) == 2 and len(_join_pairs(pair)) == 1:
            new_units[-1] = pair
        else:
            new_units.append(unit)
            new_tags.append(repair(tag, line))
            new_lines.append(line)
    new_units = [
        repair(unit, line) for unit, line in zip(new_units, new_lines, strict=True)
    ]
    return new_units, new_tags, new_lines


def _join_pairs(text: str) -> str:
    """Join each surrogate pair into one character."""
    return text.encode("utf-16-le", "surrogatepass").decode(
        "utf-16-le", "surrogatepass"
    )


def repair_offsets(
    text: AnnotatedText, report: Callable[[int, str, str], None]
) -> AnnotatedText:
    """Join surrogate pairs in an annotated text, and replace lone surrogates.

    text: The text. Each surrogate is a character in its offsets.
    report: Called for each problem with line number, kind and message.
    RETURNS: The text, with offsets for the characters that it has then.
    """
    labels = {label for _, _, label in (*text.entities, *text.incorrect)}
    new_labels = {
        label: _SURROGATE.sub("\ufffd", _join_pairs(label))
        for label in labels
        if _SURROGATE.search(label)
    }
    for label in new_labels.values():
        report(text.line, "lone surrogate", f"in the label {label!r}")
    if not new_labels and not _SURROGATE.search(text.text):
        return text
    characters = CHARACTER.findall(text.text)
    units, _, _ = repair_surrogates(
        characters, [""] * len(characters), [text.line] * len(characters), report
    )
    # The offset of the character that each code point belongs to.
    sizes = list(accumulate(map(len, characters), initial=0))
    number = {offset: i for i, offset in enumerate(sizes)}
    after = {offset: i for i, offset in enumerate(sizes)}
    for i, character in enumerate(characters):
        if len(character) == 2:  # an offset within a pair
            number[sizes[i] + 1], after[sizes[i] + 1] = i, i + 1

    def moved(spans: list[Span]) -> list[Span]:
        return [
            Span(number[start], after[end], new_labels.get(label, label))
            for start, end, label in spans
        ]

    return replace(
        text,
        text="".join(units),
        entities=moved(text.entities),
        incorrect=moved(text.incorrect),
        missing=[(number[start], after[end]) for start, end in text.missing],
    )
