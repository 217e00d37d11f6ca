"""Tag schemes: the conversion of tags to entity spans.

A *unit* is what one tag belongs to: a character or a token. An entity span is
``(start, end, label)`` in units, with `end` exclusive. A tag consists of a prefix for
the position in the entity, a hyphen, and the label: ``B-ORG``. The tag ``O`` is for
units outside of entities. (`notation` reads tags that are written in other ways.)

========  ==========================================================================
scheme    prefixes
========  ==========================================================================
BIO       Begin, Inside (also called IOB2)
IOB1      Inside; Begin only if an entity follows another one of the same label
BIOES     Begin, Inside, End, Single (also called IOBES)
BMES      Begin, Middle, End, Single: BIOES with another prefix
BILOU     Begin, Inside, Last, Unit: BIOES with other prefixes (also called BILUO)
BMEWO     Begin, Middle, End, Whole: BIOES with other prefixes
========  ==========================================================================

Files may use all of them (`spans_from_tags` reads them); a model predicts BIO or BIOES
(`TagSet`). A prefix means the same in all files: the scheme decides only which prefixes
are expected, and whether an entity has to begin with a begin tag and to end with an end
tag.

To add a tag scheme, add a line to `PREFIXES` that says which BIOES prefix each of its
prefixes stands for. Files in this scheme can then be read. If entities need not begin
with its begin prefix, add the scheme to `OPTIONAL_BEGIN`, too. `detect_scheme` chooses
the scheme in which a file has the fewest problems; schemes with the same prefixes need
a rule there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from .spans import Span

OUTSIDE = "O"

#: The prefixes of each scheme, and the BIOES prefix that each one stands for.
PREFIXES: dict[str, dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
    "BILOU": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "BMEWO": {"B": "B", "M": "I", "E": "E", "W": "S"},
}
#: The prefixes of all schemes, and the BIOES prefix that each one stands for.
MEANINGS = {
    prefix: meaning
    for prefixes in PREFIXES.values()
    for prefix, meaning in prefixes.items()
}
#: The schemes in which an inside prefix may begin an entity although they have a begin
#: prefix.
OPTIONAL_BEGIN = frozenset({"IOB1"})
#: The schemes that files may use.
FILE_SCHEMES = tuple(PREFIXES)
#: Other names of these schemes.
SCHEME_ALIASES = {"IOB2": "BIO", "IOBES": "BIOES", "BILUO": "BILOU"}
#: The schemes that a model may use.
MODEL_SCHEMES = ("BIO", "BIOES")


class TagProblem(NamedTuple):
    """A tag that is not valid at its position.

    position: Index of the tag in the sequence.
    kind: "no tag", "unknown tag", "prefix of another scheme", "inside without
        beginning" or "entity without end".
    message: What is wrong.
    """

    position: int
    kind: str
    message: str


class TaggedSpans(NamedTuple):
    """The entities of a sequence of tags.

    spans: The entities, in the order of the text.
    problems: The tags that are not valid, in the order of the text.
    missing: Start and end of each part whose annotation is missing, in units: unknown
        and missing tags, and the entities that they leave uncertain.
    n_lost: Number of these entities.
    """

    spans: list[Span]
    problems: list[TagProblem]
    missing: list[tuple[int, int]]
    n_lost: int


@lru_cache(10_000)
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


def spans_from_tags(tags: Sequence[str], scheme: str = "BIO") -> TaggedSpans:
    """Convert a sequence of tags to entity spans, and repair invalid sequences.

    An inside tag that continues no entity begins one. An entity without an end tag
    (BIOES and its kind) ends before the next tag that does not continue it. A prefix of
    another scheme is read as what it means there. Each of these is reported.

    A tag that is unknown or missing ("") may belong to the entity beside it. Such an
    entity is not read, and its annotation is missing, too, unless its edge is certain:
    there is a begin tag at the left, or an end tag at the right, or the unknown tag has
    another label. An edge beside an unknown tag of the same label is never certain.

    tags: One tag for each unit.
    scheme: One of `FILE_SCHEMES`.
    RETURNS: The entities, the problems, and what is missing.
    RAISES (ValueError): For a scheme that is not one of `FILE_SCHEMES`.
    """
    if scheme not in PREFIXES:
        raise ValueError(f"Unknown tag scheme {scheme!r}: use one of {FILE_SCHEMES}.")
    expected = PREFIXES[scheme]
    meanings = MEANINGS | expected
    closes = "E" in expected.values()
    opens = "B" in expected.values() and scheme not in OPTIONAL_BEGIN
    inner = next((p for p, meaning in expected.items() if meaning == "I"), "")
    spans: list[Span] = []
    problems: list[TagProblem] = []
    missing: list[tuple[int, int]] = []
    n_lost = 0
    start = -1  # of the open entity; -1 if there is none
    label = ""
    uncertain = False  # whether the open entity is not read, since an edge is uncertain
    gap: str | None = None  # the tag before, if it is unknown
    lost = ""  # the label of the lost entity that ends at this gap

    def close(end: int) -> None:
        nonlocal start
        if uncertain:
            missing.append((start, end))
        else:
            spans.append(Span(start, end, label))
        start = -1

    for i, tag in enumerate(tags):
        if tag == OUTSIDE and start < 0:
            gap = None
            continue
        prefix, tag_label = split_tag(tag)
        if start >= 0 and tag_label == label and prefix == inner:
            continue
        position = OUTSIDE if tag == OUTSIDE else meanings.get(prefix, "")
        if not position:
            problems.append(_unknown(i, tag, scheme))
            if start >= 0:
                if not uncertain and _may_continue(tag, label):
                    uncertain = True
                    n_lost += 1
                lost = label if uncertain else ""
                close(i)
            elif gap is None:
                lost = ""
                if spans and spans[-1].end == i and _has_label(tag, spans[-1].label):
                    first, _, lost = spans.pop()
                    missing.append((first, i))
                    n_lost += 1
            missing.append((i, i + 1))
            gap = tag
            continue
        if position != OUTSIDE and prefix not in expected:
            message = f"tag {tag!r} is not in {_tags_of(scheme)}: read as {position}-"
            problems.append(TagProblem(i, "prefix of another scheme", message))
        inside = position in ("I", "E")
        continues = start >= 0 and inside and tag_label == label
        if start >= 0 and not continues:
            if closes and not uncertain:
                message = f"entity {label!r} is not closed before {tag!r}"
                problems.append(TagProblem(i, "entity without end", message))
            close(i)
        if position != OUTSIDE and not continues:
            start, label = i, tag_label
            uncertain = gap is not None and (
                _has_label(gap, label) or (inside and _may_continue(gap, label))
            )
            if uncertain:
                n_lost += not (inside and lost == label)
            elif inside and opens:
                message = f"tag {tag!r} continues no entity"
                problems.append(TagProblem(i, "inside without beginning", message))
        if position in ("E", "S"):
            close(i + 1)
        gap = None
    if start >= 0:
        if closes and not uncertain:
            message = f"entity {label!r} is not closed before the end of the text"
            problems.append(TagProblem(len(tags) - 1, "entity without end", message))
        close(len(tags))
    return TaggedSpans(spans, problems, missing, n_lost)


def _tags_of(scheme: str) -> str:
    """Return a scheme and its tags, for messages."""
    return f"{scheme} (O, {', '.join(f'{prefix}-…' for prefix in PREFIXES[scheme])})"


def _unknown(position: int, tag: str, scheme: str) -> TagProblem:
    if not tag:
        return TagProblem(position, "no tag", "no tag")
    message = f"tag {tag!r} is not in {_tags_of(scheme)}"
    return TagProblem(position, "unknown tag", message)


def _has_label(tag: str, label: str) -> bool:
    """Return whether an unknown tag seems to have a label: "X-PER", "PER-X", "PER"."""
    return len(tag) <= len(label) + 2 and (tag.endswith(label) or tag.startswith(label))


def _may_continue(tag: str, label: str) -> bool:
    """Return whether a unit with an unknown tag may belong to the entity beside it: all
    except those with another label, such as "X-ORG" beside an entity PER."""
    prefix, other = split_tag(tag)
    return not prefix or not other or label in tag


def detect_scheme(sequences: Iterable[Sequence[str]]) -> str | None:
    """Detect the tag scheme of a file: the one in which its tags have the fewest
    problems, so that a few tags of another scheme do not decide. Of equals, the first
    one in `PREFIXES` is chosen, which has the fewest prefixes. BIO and IOB1 have the
    same prefixes: the scheme is IOB1 if entities begin with I-, and B- is used only
    where an entity follows another one of the same label.

    sequences: The tags of some records.
    RETURNS: One of `FILE_SCHEMES`; None if there are no tags of any scheme.
    """
    # Whether a tag is a problem depends only on the tag before it.
    pairs: Counter[tuple[str, str]] = Counter()
    used: set[str] = set()
    for tags in sequences:
        pairs.update(pairwise((OUTSIDE, *tags, OUTSIDE)))
        used.update(tags)
    known = {OUTSIDE, *MEANINGS}.union(*PREFIXES.values())
    if all(split_tag(tag)[0] not in known for tag in used):
        return None
    candidates = [name for name in PREFIXES if name not in OPTIONAL_BEGIN]
    scheme = min(
        candidates, key=lambda name: (_n_problems(pairs, name), len(PREFIXES[name]))
    )
    if scheme == "BIO" and _begins_as_iob1(pairs):
        return "IOB1"
    return scheme


def _n_problems(pairs: Mapping[tuple[str, str], int], scheme: str) -> int:
    """Return the number of problems in a scheme.

    pairs: How often each pair of consecutive tags occurs.
    """
    return sum(
        n * sum(problem.position == 1 for problem in problems)
        for pair, n in pairs.items()
        if (problems := spans_from_tags((*pair, OUTSIDE), scheme).problems)
    )


def _begins_as_iob1(pairs: Iterable[tuple[str, str]]) -> bool:
    """Return whether entities begin with I-, and B- is used only where an entity
    follows another one of the same label."""
    begins = set()
    for before, tag in pairs:
        prefix, label = split_tag(tag)
        prefix_before, label_before = split_tag(before)
        if prefix_before and label != label_before:
            begins.add(prefix)
    return "I" in begins and "B" not in begins


def n_tags(labels: Sequence[str], scheme: str) -> int:
    """Return the number of tags of a `TagSet`, without building it: a tag set needs
    memory that grows with the square of this number.

    labels: Entity labels.
    scheme: One of `MODEL_SCHEMES`.
    RETURNS: The number of tags.
    """
    return 1 + len(labels) * len(PREFIXES[scheme])
