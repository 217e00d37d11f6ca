"""Whether text is tags, and what they are like."""

import re
from collections import Counter

from ...tags import OUTSIDE, Notation, detect_notation
from ...tags.schemes import MEANINGS

# Share of the cells of a column that are tags.
_MIN_TAGS = 0.5
# Labels of chunks, as in CoNLL-2000 and the Chinese Treebank.
_CHUNKS = (
    "NP VP PP ADJP ADVP SBAR PRT CONJP INTJ LST UCP LCP DP QP CLP DNP DVP IP CP FRAG "
    "PRN VRD VSB VCD VCP VNV VPT"
)
_NOT_BARE = re.compile(r"[=()\[\]{}|<>]")
# Outside of entities in a column without entities: numbers may be anything.
_OUTSIDE = frozenset(("o", "ｏ", "other", "others"))


def is_tag(tag: str, notation: Notation) -> bool:
    """Return whether a tag is valid in any scheme. A missing tag is."""
    tag = notation.normalize(tag)
    return tag in ("", OUTSIDE) or (tag[0] in MEANINGS and tag[1:2] == "-")


class TagColumn:
    """A column, as if it was one of tags.

    are_tags: Whether it can be one.
    are_all_tags: Whether all cells are tags.
    are_plain: Whether there are prefixes, or the tag O or OTHER.
    n_entities: Number of tags of entities.
    has_prefixes: Whether tags have prefixes such as B-.
    is_bare: Whether tags are labels without prefixes.
    has_outside: Whether there are tags outside of entities.
    are_chunks: Whether the labels are those of chunks.
    """

    def __init__(self, column: list[str]):
        notation = detect_notation(column)
        self._notation = notation
        counts = Counter(map(str.strip, column))
        self.n_entities = 0
        n_valid = n_filled = 0
        self._labels: Counter[str] = Counter()
        self.has_outside = False
        is_outside = False
        for cell, n in counts.items():
            tag = notation.normalize(cell)
            if not tag:
                continue
            n_filled += n
            if not is_tag(tag, notation) and not is_tag(cell, notation):
                continue
            n_valid += n
            if tag == OUTSIDE:
                self.has_outside = True
                is_outside |= cell.lower() in _OUTSIDE
            else:
                self.n_entities += n
                self._labels[tag[2:]] += n
        self.is_bare = notation.form in ("bare", "position") and self.n_entities > 0
        self.has_prefixes = self.n_entities > 0 and not self.is_bare
        self.are_all_tags = n_filled > 0 and n_valid == n_filled
        self.are_plain = is_outside or self.has_prefixes
        self.are_tags = n_valid > 0 and n_valid >= _MIN_TAGS * n_filled
        # Without entities, and with numbers or fillers, it may be anything.
        self.are_tags &= is_outside or self.n_entities > 0
        # Words with a hyphen, or with a part of speech, are no tags.
        self.are_tags &= self.has_outside or notation.form == "prefix"
        # Features such as Case=Nom, and brackets of mentions.
        self.are_tags &= not (self.is_bare and any(map(_NOT_BARE.search, self._labels)))
        labels = {label.upper() for label in self._labels}
        self.are_chunks = bool(labels) and labels <= set(_CHUNKS.split())

    @property
    def has_entities(self) -> bool:
        """Whether the column can be one of tags, and has some of entities."""
        return self.are_tags and self.n_entities > 0

    def is_tag(self, cell: str) -> bool:
        """Return whether a cell is a tag, if the column can be one of tags."""
        return self.are_tags and is_tag(cell, self._notation)

    def labels(self) -> list[str]:
        """Return the labels, the most frequent ones first."""
        return [label for label, _ in self._labels.most_common()]
