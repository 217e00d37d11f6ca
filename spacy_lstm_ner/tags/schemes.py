"""Tag schemes: the conversion of tags to entity spans.

A *unit* is what one tag belongs to: a character or a token. An entity span is
``(start, end, label)`` in units, with `end` exclusive. A tag consists of a prefix for
the position in the entity, a hyphen, and the label: ``B-ORG``. The tag ``O`` is for
units outside of entities.

========  ==========================================================================
scheme    prefixes
========  ==========================================================================
BIO       Begin, Inside (also called IOB2)
IOB1      Inside; Begin only if an entity follows another one of the same label
BIOES     Begin, Inside, End, Single
BMES      Begin, Middle, End, Single: BIOES with another prefix
========  ==========================================================================

Files may use all four (`spans_from_tags` reads them); a model predicts BIO or BIOES
(`TagSet`).

To add a tag scheme, add a line to `PREFIXES` that says which BIOES prefix each of its
prefixes stands for. Files in this scheme can then be read. If entities need not begin
with its begin prefix, add the scheme to `OPTIONAL_BEGIN`, too. `detect_scheme` chooses
it for files whose prefixes no smaller scheme has; schemes with the same prefixes need a
rule there.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from .spans import Span

OUTSIDE = "O"

#: The prefixes of each scheme, and the BIOES prefix that each one stands for.
PREFIXES: dict[str, dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
}
#: The schemes in which an inside prefix may begin an entity although they have a begin
#: prefix.
OPTIONAL_BEGIN = frozenset({"IOB1"})
#: The schemes that files may use.
FILE_SCHEMES = tuple(PREFIXES)
#: The schemes that a model may use.
MODEL_SCHEMES = ("BIO", "BIOES")


class TagProblem(NamedTuple):
    """A tag that is not valid at its position.

    position: Index of the tag in the sequence.
    kind: "unknown tag", "inside without beginning" or "entity without end".
    message: What is wrong.
    """

    position: int
    kind: str
    message: str


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into prefix and label.

    tag: For example "B-ORG". Labels may contain hyphens.
    RETURNS: For example ("B", "ORG"); ("O", "") for "O", and ("", tag) for a tag
        without prefix and label.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, hyphen, label = tag.partition("-")
    return (prefix, label) if hyphen and label else ("", tag)


def spans_from_tags(
    tags: Sequence[str], scheme: str = "BIO"
) -> tuple[list[Span], list[TagProblem]]:
    """Convert a sequence of tags to entity spans, and repair invalid sequences.

    An inside tag that continues no entity begins one. An entity without an end tag
    (BIOES, BMES) ends before the next tag that does not continue it. A tag that is not
    in the scheme belongs to no entity. Each of these is reported.

    tags: One tag for each unit.
    scheme: One of `FILE_SCHEMES`.
    RETURNS: Spans and problems, both in the order of the text.
    RAISES (ValueError): For a scheme that is not one of `FILE_SCHEMES`.
    """
    if scheme not in PREFIXES:
        raise ValueError(f"Unknown tag scheme {scheme!r}: use one of {FILE_SCHEMES}.")
    prefixes = PREFIXES[scheme]
    closes = "E" in prefixes.values()
    opens = "B" in prefixes.values() and scheme not in OPTIONAL_BEGIN
    spans: list[Span] = []
    problems: list[TagProblem] = []
    start = -1  # of the open entity; -1 if there is none
    label = ""

    def close(end: int) -> None:
        nonlocal start
        spans.append(Span(start, end, label))
        start = -1

    for i, tag in enumerate(tags):
        prefix, tag_label = split_tag(tag)
        position = OUTSIDE if tag == OUTSIDE else prefixes.get(prefix, "")
        if not position:
            known = ", ".join(f"{p}-…" for p in prefixes)
            message = f"tag {tag!r} is not in {scheme} (O, {known})"
            problems.append(TagProblem(i, "unknown tag", message))
        continues = start >= 0 and position in ("I", "E") and tag_label == label
        if start >= 0 and not continues:
            if closes and position:
                message = f"entity {label!r} is not closed before {tag!r}"
                problems.append(TagProblem(i, "entity without end", message))
            close(i)
        if position in ("B", "S"):
            start, label = i, tag_label
        elif position in ("I", "E") and not continues:
            if opens:
                message = f"tag {tag!r} continues no entity"
                problems.append(TagProblem(i, "inside without beginning", message))
            start, label = i, tag_label
        if position in ("E", "S"):
            close(i + 1)
    if start >= 0:
        if closes:
            message = f"entity {label!r} is not closed before the end of the text"
            problems.append(TagProblem(len(tags) - 1, "entity without end", message))
        close(len(tags))
    return spans, problems


def detect_scheme(sequences: Iterable[Sequence[str]]) -> str | None:
    """Detect the tag scheme of a file by the prefixes in use.

    The smallest scheme that has all of them is chosen; if none has, the one that has
    most. BIO and IOB1 have the same prefixes: the scheme is IOB1 if entities begin with
    I-, and B- is used only where an entity follows another one of the same label.

    sequences: The tags of some records.
    RETURNS: One of `FILE_SCHEMES`; None if there are no tags of any scheme.
    """
    used = set()
    begins_inside = False
    begins_needlessly = False
    for tags in sequences:
        previous = ""
        for tag in tags:
            prefix, label = split_tag(tag)
            used.add(prefix)
            if label != previous:
                begins_inside |= prefix == "I"
                begins_needlessly |= prefix == "B"
            previous = label
    known = used.intersection(chain.from_iterable(PREFIXES.values()))
    if not known and OUTSIDE not in used:
        return None
    complete = [name for name, prefixes in PREFIXES.items() if known <= set(prefixes)]
    if complete:
        scheme = min(complete, key=lambda name: len(PREFIXES[name]))
    else:
        # Of equals, the last one: the schemes with rarer prefixes come last.
        scheme = max(
            reversed(PREFIXES), key=lambda name: len(known.intersection(PREFIXES[name]))
        )
    if scheme == "BIO" and begins_inside and not begins_needlessly:
        return "IOB1"
    return scheme


def n_tags(labels: Sequence[str], scheme: str) -> int:
    """Return the number of tags of a `TagSet`, without building it: a tag set needs
    memory that grows with the square of this number.

    labels: Entity labels.
    scheme: One of `MODEL_SCHEMES`.
    RETURNS: The number of tags.
    """
    return 1 + len(labels) * len(PREFIXES[scheme])
