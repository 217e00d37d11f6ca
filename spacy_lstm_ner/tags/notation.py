"""How a file writes its tags: ``B-PER``, ``B_PER``, ``PER-B``, ``b-per`` or ``PER``.

`detect_notation` finds out how the tags of a file are written, and
`Notation.normalize` rewrites a tag as `schemes` reads it: ``B-PER``, ``O``, or ``""``
for a missing one. A notation is detected only where it is plain what is meant. All
other tags stay as they are, and are unknown.

========  ==================  ======================================================
form      tags                read if
========  ==================  ======================================================
prefix    B-PER, b_per        it is the most frequent form with a prefix
suffix    PER-B, PER_I        all tags have it
position  B, I                they have no label: there is one type of entities
bare      PER                 no tag has a prefix, and some are outside of entities
========  ==================  ======================================================
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ..util.text import escaped, shortened
from .schemes import MEANINGS, OUTSIDE

#: The label of entities in files whose tags have none.
UNNAMED = "ENT"

_HYPHENS = "-－–—‐‑−﹣"
_SEPARATORS = "-_/:.|"
_WIDE = {"＿": "_", "／": "/", "：": ":", "．": ".", "｜": "|"}
_SEPARATOR = f"[{re.escape(_HYPHENS + _SEPARATORS + ''.join(_WIDE))}]"
# The letters of all schemes, in both cases, and full-width.
_LETTERS = "".join(
    letter + chr(ord(letter) + 0xFEE0)
    for prefix in MEANINGS
    for letter in (prefix, prefix.lower())
)
_PREFIXED = re.compile(
    rf"(?P<letter>[{_LETTERS}]){_SEPARATOR}(?P<label>.*\S)", re.DOTALL
)
_SUFFIXED = re.compile(
    rf"(?P<label>\S.*){_SEPARATOR}(?P<letter>[{_LETTERS}])", re.DOTALL
)
# Units outside of entities, in lower case, by how they are written: like the letter O,
# as a word, or as a character that may also stand for a missing tag.
_LIKE_O = ("o", "0")
_OTHER = ("other", "others")
_WORDS = (*_OTHER, "none", "out", "outside", "nil")
_FILLERS = ("-", "_")
# Words that tell that a label has a position, after all.
_POSITION_WORDS = re.compile(r"(?i)\b(begin|start|inside|middle|end|last|single)\b")
_MIN_OUTSIDE = 0.1
_MAX_LABELS = 100
_MIN_RUNS = 3
# Distinct tags are few, unless the file has something else in place of tags.
_CACHE_SIZE = 10_000
_MAX_SHOWN = 30


class _Parts(NamedTuple):
    """A tag in its parts.

    letter: The prefix, as it is written.
    separator: The character between prefix and label, an ASCII one.
    label: The label.
    """

    letter: str
    separator: str
    label: str

    @property
    def prefix(self) -> str:
        """The prefix, as in `schemes.PREFIXES`."""
        return _folded(self.letter).upper()


class Notation:
    """How a file writes its tags.

    form: "prefix", "suffix", "position", "bare", or "" if the tags are not plain: none
        of them is rewritten.
    separator: What is between prefix and label.
    any_case: Whether prefixes may be written in lower case.
    outside: How units outside of entities are written.
    missing: How missing tags are written, besides "".
    description: What is not usual about it, in a few words for the user; "" if the tags
        are written as in `schemes`.
    normalize: Rewrites a tag: "B-PER", "O", or "" for a missing one; an unknown tag
        stays as it is.
    """

    def __init__(
        self,
        form: str = "prefix",
        *,
        separator: str = "-",
        any_case: bool = False,
        outside: Iterable[str] = (OUTSIDE,),
        missing: Iterable[str] = (),
    ):
        self.form = form
        self.separator = separator
        self.any_case = any_case
        self.outside = frozenset(outside)
        self.missing = frozenset(missing)
        self.description = ""
        self.normalize = lru_cache(_CACHE_SIZE)(self._normalize)

    @property
    def scheme(self) -> str | None:
        """The tag scheme that this notation implies, if any."""
        return "IOB1" if self.form == "bare" else None

    def _normalize(self, tag: str) -> str:
        tag = tag.strip()
        if not tag or tag in self.missing:
            return ""
        if tag in self.outside:
            return OUTSIDE
        if self.form in ("prefix", "suffix"):
            parts = _parts(tag, _PREFIXED if self.form == "prefix" else _SUFFIXED)
            if (
                parts
                and parts.separator == self.separator
                and (self.any_case or parts.letter.isupper())
            ):
                return f"{parts.prefix}-{parts.label}"
        elif self.form == "position":
            prefix = _folded(tag).upper()
            if prefix in MEANINGS:
                return f"{prefix}-{UNNAMED}"
        elif self.form == "bare" and _is_bare(tag):
            # In IOB1, so that a run of the same label is one entity.
            return f"I-{tag}"
        return tag


def detect_notation(tags: Iterable[str]) -> Notation:
    """Detect how a file writes its tags.

    tags: Tags of the file, in the order of the text.
    RETURNS: The notation.
    """
    sequence = [stripped for tag in tags if (stripped := tag.strip())]
    counts = Counter(sequence)
    names = {tag: _folded(tag) for tag in counts}
    outside = {t for t, name in names.items() if name in (*_LIKE_O, *_WORDS, *_FILLERS)}
    others = [tag for tag in counts if tag not in outside]
    prefixed = _plausible(others, _PREFIXED)
    suffixed = _plausible(others, _SUFFIXED)
    parts = prefixed
    if len(prefixed) == len(others) or (prefixed and len(suffixed) < len(others)):
        form = "prefix"
    elif len(suffixed) == len(others):
        form, parts = "suffix", suffixed
    elif not outside:
        form = ""
    elif _are_positions(others):
        form = "position"
    else:
        form = "bare"
    separator = _separator(parts, counts)
    any_case = any(
        tag.letter.islower() for tag in parts.values() if tag.separator == separator
    )
    written, missing = _outside(outside, counts)
    notation = Notation(
        form,
        separator=separator,
        any_case=any_case,
        outside=written,
        missing=missing,
    )
    if not form or (form == "bare" and not _bare_is_plain(notation, sequence)):
        return Notation("")
    notation.description = _description(notation, counts)
    return notation


def _folded(text: str) -> str:
    """Return a text in lower case and in ASCII, if it is full-width."""
    return unicodedata.normalize("NFKC", "-" if text in _HYPHENS else text).lower()


def _parts(tag: str, pattern: re.Pattern[str]) -> _Parts | None:
    match = pattern.fullmatch(tag)
    if match is None:
        return None
    letter, label = match["letter"], match["label"]
    at = 1 if pattern is _PREFIXED else -2
    separator = "-" if tag[at] in _HYPHENS else _WIDE.get(tag[at], tag[at])
    return _Parts(letter, separator, label.strip())


def _plausible(tags: list[str], pattern: re.Pattern[str]) -> dict[str, _Parts]:
    """Return the tags that have a prefix (suffix), in their parts: except those that
    are not of the usual form and whose labels never begin, such as "e-mail"."""
    found = {tag: parts for tag in tags if (parts := _parts(tag, pattern))}
    begins = {
        (parts.separator, parts.label)
        for parts in found.values()
        if MEANINGS[parts.prefix] != "E"
    }
    return {
        tag: parts
        for tag, parts in found.items()
        if (parts.separator, parts.label) in begins
        or (pattern is _PREFIXED and tag.startswith(f"{parts.prefix}-"))
    }


def _separator(tags: Mapping[str, _Parts], counts: Mapping[str, int]) -> str:
    """Return the separator of most tags."""
    totals = dict.fromkeys(_SEPARATORS, 0)
    for tag, parts in tags.items():
        totals[parts.separator] += counts[tag]
    return max(totals, key=totals.__getitem__)


def _are_positions(tags: Iterable[str]) -> bool:
    """Return whether tags are prefixes without a label."""
    prefixes = {_folded(tag).upper() for tag in tags}
    return prefixes <= MEANINGS.keys() and not prefixes.isdisjoint(("B", "I"))


def _outside(
    tags: Iterable[str], counts: Mapping[str, int]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return which of the tags are for units outside of entities, and which are for
    missing tags: "-" and "_" beside "O"."""
    names = {tag: _folded(tag) for tag in tags}
    like_o = [tag for tag, name in names.items() if name in _LIKE_O]
    if like_o:
        fillers = [tag for tag, name in names.items() if name in _FILLERS]
        return frozenset({OUTSIDE, *like_o}), frozenset(fillers)
    totals: Counter[str] = Counter()
    for tag, name in names.items():
        totals[name] += counts[tag]
    most = [name for name, _ in totals.most_common(1)]
    found = [tag for tag, name in names.items() if name in most]
    return frozenset({OUTSIDE, *found}), frozenset()


def _is_bare(tag: str) -> bool:
    """Return whether a tag can be a label without a prefix."""
    return (
        any(char.isalpha() for char in tag)
        and not _PREFIXED.fullmatch(tag)
        and not _SUFFIXED.fullmatch(tag)
    )


def _bare_is_plain(notation: Notation, tags: list[str]) -> bool:
    """Return whether labels without prefixes are entities: not parts of speech or ids,
    and no tags whose positions are written in a way of their own.

    tags: Tags of the file, in the order of the text.
    """
    counts = Counter(tags)
    labels = [tag for tag in counts if tag not in notation.outside | notation.missing]
    n_outside = sum(counts[tag] for tag in notation.outside)
    if n_outside < _MIN_OUTSIDE * len(tags) or len(labels) > _MAX_LABELS:
        return False
    not_labels = set(_WORDS).difference(_OTHER)
    if not all(_is_bare(tag) and _folded(tag) not in not_labels for tag in labels):
        return False
    if any(_POSITION_WORDS.search(label.replace("_", " ")) for label in labels):
        return False
    # Labels that differ in one letter only have prefixes of an unknown scheme.
    separators = (*_HYPHENS, *_SEPARATORS, *_WIDE)
    stems = [label[1:] for label in labels if label[1:].startswith(separators)]
    stems += [label[:-1] for label in labels if label[:-1].endswith(separators)]
    if len(set(stems)) < len(stems):
        return False
    # A label that always follows the same other one is its inside tag: BPER, IPER.
    before: dict[str, Counter[str]] = {label: Counter() for label in labels}
    for first, second in pairwise(("", *tags)):
        if second in before and first != second:
            before[second][first] += 1
    return not any(
        len(found) == 1
        and found.total() >= _MIN_RUNS
        and not found.keys() & {"", *notation.outside}
        for found in before.values()
    )


def _description(notation: Notation, counts: Counter[str]) -> str:
    """Return what is not usual about a notation, with the most frequent such tag."""
    usual = {"", OUTSIDE, *notation.outside, *notation.missing}
    example = next(
        (
            tag
            for tag, _ in counts.most_common()
            if tag not in usual and notation.normalize(tag) != tag
        ),
        None,
    )
    words = []
    if example is not None:
        shown = escaped(shortened(example, _MAX_SHOWN))
        if notation.form == "bare":
            words.append(
                f"tags without prefix such as {shown}, "
                f"a run of the same label is one entity"
            )
        elif notation.form == "position":
            words.append(f'tags without label such as {shown}, read as "{UNNAMED}"')
        else:
            words.append(f"tags such as {shown}")
    for what, tags in (
        ("outside", notation.outside),
        ("missing tags", notation.missing),
    ):
        found = sorted(tags & counts.keys())
        if found and found != [OUTSIDE]:
            words.append(f"{what} written {' or '.join(found)}")
    return ", ".join(words)
