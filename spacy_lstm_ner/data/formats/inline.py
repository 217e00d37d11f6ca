"""Texts with their entities marked in them, one text per line:

    {{PER:王芳}}在沪
    [@王芳#PER*]在沪
    <PER>王芳</PER>在沪
    [王芳](PER)在沪

The text is what remains without the markup. Entities can be nested, except in the last
form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ...exceptions import DataError
from ...tags import Span
from ..options import ReadingOptions
from .base import AnnotatedText, Lines, Report
from .refusals import looks_like

#: Reasons for which entities are lost.
SUGGESTED = "suggested by the tool, not confirmed"
EMPTY = "no text"

# How many lines are read to find out which markup a file has.
_PEEK_LINES = 20_000
# The share of lines that have markup.
_MIN_MARKED = 0.02
_LABEL = r"[^\W\d_][\w.&-]{0,49}"
# Elements of XML and HTML that are no labels of entities.
_HTML = (
    "a abbr article b big body br center code dd div dl doc dt em font footer form h1 "
    "h2 h3 h4 h5 h6 head header hr html i img input li link meta nav ol p pre q s "
    "script section sentence small span strong style sub sup table tbody td text th "
    "thead title tr tt u ul xml"
)
# A link of Markdown, or an entity with attributes.
_LINK = re.compile(r"\]\([^()]*[/.:#][^()]*\)|\]\{")


@dataclass(frozen=True)
class Markup:
    """A way to mark entities.

    name: What it looks like.
    pattern: What begins an entity (group "open"), and what ends one ("close"); either
        contains its label ("label", "label_at_end").
    is_plain: Whether it may be anything else, such as HTML, so that all of it has to be
        right.
    """

    name: str
    pattern: re.Pattern[str]
    is_plain: bool = False


_MARKUPS = (
    Markup(
        "{{PER:…}}",
        re.compile(r"(?P<open>\{\{(?P<label>[^{}:\s]{1,50}):)|(?P<close>\}\})"),
    ),
    Markup(
        "[@…#PER*]",
        re.compile(
            r"(?P<open>\[[@$])|(?P<close>#(?P<label_at_end>[^\s#*\[\]]{1,50})\*\])"
        ),
    ),
    Markup(
        "<PER>…</PER>",
        re.compile(
            rf"(?P<open><(?P<label>{_LABEL})>)|(?P<close></(?P<label_at_end>{_LABEL})>)"
        ),
        is_plain=True,
    ),
    Markup(
        "[…](PER)",
        re.compile(
            rf"(?P<open>\[(?=[^\[\]]*\]\({_LABEL}\)))"
            rf"|(?P<close>\]\((?P<label_at_end>{_LABEL})\))"
        ),
        is_plain=True,
    ),
)


class _Mark(NamedTuple):
    """An entity that is not closed yet.

    start: Offset in the text.
    label: Its label, if it is known.
    is_suggested: Whether it was suggested by the tool.
    """

    start: int
    label: str
    is_suggested: bool


class _Unbalanced(ValueError):
    """Markup that is not closed, or not opened."""


def recognizes(lines: list[str]) -> bool:
    """Return whether there is markup of entities."""
    return find_markup(lines) is not None


def detect(
    lines: list[tuple[int, str]], options: ReadingOptions, path: Path
) -> ReadingOptions:
    """Check that there is markup of entities.

    RAISES (DataError): If there is none.
    """
    texts = [line for _, line in lines]
    if find_markup(texts) is None:
        names = ", ".join(markup.name for markup in _MARKUPS)
        raise DataError(
            f"{path}: no markup of entities ({names}): {looks_like(texts, [])}"
        )
    return options


def read_inline(
    lines: Lines, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read one record per line."""
    rest = iter(lines)
    first = list(islice(rest, _PEEK_LINES))
    markup = find_markup([line for _, line in first])
    for number, line in chain(first, rest):
        if not line.strip():
            continue
        try:
            text, entities, suggested = _parse(line, markup)
        except _Unbalanced as error:
            report(number, "markup", str(error))
            continue
        found = [entity for entity in entities if entity.end > entity.start]
        if len(found) < len(entities):
            report(number, "invalid entity", f"an entity without text: {line!r}")
            report.lose(EMPTY, len(entities) - len(found))
        if suggested:
            report.lose(SUGGESTED, len(suggested))
        if text.strip():
            yield AnnotatedText(
                text, found, missing=suggested, line=number, can_overlap=True
            )
        else:
            report(number, "empty record", "the text is empty")


def find_markup(lines: list[str]) -> Markup | None:
    """Return the markup that the lines have."""
    filled = [line for line in lines[:_PEEK_LINES] if line.strip()]
    for markup in _MARKUPS:
        n = n_unbalanced = n_whole = 0
        labels: set[str] = set()
        for line in filled:
            if not markup.pattern.search(line):
                continue
            try:
                text, entities, suggested = _parse(line, markup)
            except _Unbalanced:
                n_unbalanced += 1
                continue
            n += bool(entities or suggested)
            n_whole += (0, len(text)) in [entity[:2] for entity in entities]
            labels.update(entity.label for entity in entities)
        if markup.is_plain and (
            n_unbalanced > _MIN_MARKED * n
            or 2 * n_whole > n
            or not labels.isdisjoint(_HTML.split())
            or any(map(_is_other, filled))
        ):
            continue
        if n and n >= _MIN_MARKED * len(filled) and n > n_unbalanced:
            return markup
    return None


def _is_other(line: str) -> bool:
    """Return whether a line has other markup, which is not a part of the text either:
    XML, Markdown, or training data for chat bots."""
    return (
        line.startswith(("<?xml", "<!DOCTYPE", "## ", "- ", "* "))
        or _LINK.search(line) is not None
    )


def _parse(
    line: str, markup: Markup | None
) -> tuple[str, list[Span], list[tuple[int, int]]]:
    """Return the text of a line without markup, its entities, and start and end of
    those that are only suggested.

    RAISES (_Unbalanced): If markup is not closed.
    """
    if markup is None:
        return line, [], []
    pieces: list[str] = []
    entities: list[Span] = []
    suggested: list[tuple[int, int]] = []
    marks: list[_Mark] = []
    size = at = 0
    for match in markup.pattern.finditer(line):
        piece = line[at : match.start()]
        pieces.append(piece)
        size += len(piece)
        at = match.end()
        groups = match.groupdict()
        if match["open"]:
            marks.append(_Mark(size, groups.get("label") or "", match["open"] == "[$"))
            continue
        label = groups.get("label_at_end") or ""
        if not marks or (marks[-1].label and label not in ("", marks[-1].label)):
            raise _Unbalanced(f"{match[0]!r} closes nothing: {line!r}")
        mark = marks.pop()
        if mark.is_suggested:
            suggested.append((mark.start, size))
        else:
            entities.append(Span(mark.start, size, mark.label or label))
    if marks:
        raise _Unbalanced(f"markup is not closed: {line!r}")
    pieces.append(line[at:])
    # In the order of the text, the outer ones first.
    entities.sort(key=lambda entity: (entity.start, -entity.end))
    return "".join(pieces), entities, suggested
