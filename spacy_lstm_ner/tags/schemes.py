"""Entity spans ↔ tags, and which tag may follow which.

A *unit* is what one tag belongs to: a character or a token. An entity span is
``(start, end, label)`` in units, ``end`` exclusive. A tag is a prefix that tells the
place in the entity, a hyphen, and the label: ``B-ORG``; ``O`` stands outside.

========  ==========================================================================
scheme    prefixes
========  ==========================================================================
BIO       Begin, Inside (also called IOB2)
IOB1      Inside; Begin only where an entity touches another one of the same label
BIOES     Begin, Inside, End, Single
BMES      Begin, Middle, End, Single: BIOES under another name
========  ==========================================================================

Files come in all four (`spans_from_tags` reads them); a model predicts BIO or BIOES
(`TagSet`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from .spans import Span

OUTSIDE = "O"
FILE_SCHEMES = ("BIO", "IOB1", "BIOES", "BMES")
MODEL_SCHEMES = ("BIO", "BIOES")

# What each prefix of a file's scheme means in BIOES.
PREFIXES: dict[str, dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
}


class TagProblem(NamedTuple):
    """A tag that does not fit: its position, the kind of misfit, and a message."""

    position: int
    kind: str  # "unknown tag", "inside without beginning" or "entity without end"
    message: str


def split_tag(tag: str) -> tuple[str, str]:
    """Part a tag into prefix and label.

    tag (str): For instance "B-ORG". Labels may hold hyphens themselves.
    RETURNS (tuple[str, str]): For instance ("B", "ORG"); ("O", "") for "O", and
        ("", tag) for a tag that has no prefix and label.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, hyphen, label = tag.partition("-")
    return (prefix, label) if hyphen and label else ("", tag)


def spans_from_tags(
    tags: Sequence[str], scheme: str = "BIO"
) -> tuple[list[Span], list[TagProblem]]:
    """Read entity spans off a sequence of tags, mending what is broken.

    An entity that goes on without having begun begins where it goes on; one that
    should have been closed (BIOES, BMES) is closed where the next tag leaves it; a
    tag that the scheme does not know belongs to no entity. Each is reported.

    tags (Sequence[str]): One tag a unit.
    scheme (str): One of `FILE_SCHEMES`.
    RETURNS (tuple[list[Span], list[TagProblem]]): Spans and problems, both in the
        order of the text.
    RAISES (ValueError): For a scheme that is not one of `FILE_SCHEMES`.
    """
    if scheme not in PREFIXES:
        raise ValueError(f"Unknown tag scheme {scheme!r}: use one of {FILE_SCHEMES}.")
    prefixes = PREFIXES[scheme]
    closes = "E" in prefixes.values()
    spans: list[Span] = []
    problems: list[TagProblem] = []
    start = -1  # of the open entity; -1 while there is none
    label = ""

    def close(end: int) -> None:
        nonlocal start
        spans.append(Span(start, end, label))
        start = -1

    for i, tag in enumerate(tags):
        prefix, tag_label = split_tag(tag)
        place = OUTSIDE if tag == OUTSIDE else prefixes.get(prefix, "")
        if not place:
            known = ", ".join(f"{p}-…" for p in prefixes)
            message = f"tag {tag!r} is not in {scheme} (O, {known})"
            problems.append(TagProblem(i, "unknown tag", message))
        goes_on = start >= 0 and place in ("I", "E") and tag_label == label
        if start >= 0 and not goes_on:
            if closes and place:
                message = f"entity {label!r} is not closed before {tag!r}"
                problems.append(TagProblem(i, "entity without end", message))
            close(i)
        if place in ("B", "S"):
            start, label = i, tag_label
        elif place in ("I", "E") and not goes_on:
            if scheme != "IOB1":
                message = f"tag {tag!r} continues no entity"
                problems.append(TagProblem(i, "inside without beginning", message))
            start, label = i, tag_label
        if place in ("E", "S"):
            close(i + 1)
    if start >= 0:
        if closes:
            message = f"entity {label!r} is not closed before the end"
            problems.append(TagProblem(len(tags) - 1, "entity without end", message))
        close(len(tags))
    return spans, problems


def n_tags(labels: Sequence[str], scheme: str) -> int:
    """How many tags labels make in one of `MODEL_SCHEMES`: as `TagSet`, which needs
    the square of it in memory, has them."""
    return 1 + len(labels) * len(PREFIXES[scheme])
