"""Brackets and quotation marks: an entity contains both marks of a pair, or neither.

中国（上海）自由贸易区 may be one entity, or 中国 and 上海 may be two; but 中国（上海 is
not an entity. A model needs many examples to learn this, and small data sets have few;
yet in the annotation of the data sets of this project, only one entity in 22,000 splits
a pair. So if the best path of tags splits a pair, it is replaced by the best path that
splits none: both marks of a pair are in the same entity, together with everything
between them, or neither mark is in an entity.

The search takes time linear in the length of the text, however deeply brackets are
nested. If the marks of a pair are outside of entities, the best path between them does
not depend on their context. So pairs are processed from the innermost outwards, and a
processed pair is a single step of the surrounding path, with two alternatives: its
marks are outside of entities, with the best path between them; or it is inside of one
entity, which determines all of its tags.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc
from thinc.types import Floats1d, Floats2d, Ints1d, Ragged

from ..layers.crf import ConstrainedScores, CRFParameters
from ..layers.viterbi import best_paths
from ..model.units import Units
from ..tags import Span, TagSet

# Without ‘’, since ’ is also an apostrophe, and without <>, which are comparison signs.
_OPENING, _CLOSING = "(（[［{｛《〈「『【〔〖“«", ")）]］}｝》〉」』】〕〗”»"
_CLOSING_OF = dict(zip(_OPENING, _CLOSING, strict=True))
_MARKS = re.compile(f"[{re.escape(_OPENING + _CLOSING)}]")
# In the first rounds, only the pairs that the best path splits are kept together. If
# some are still split after this many rounds, all pairs are kept together.
_ROUNDS = 3

#: The positions of an opening mark and of its closing mark.
Pair = tuple[int, int]


def bracket_pairs(text: str) -> list[Pair]:
    """The bracket pairs of a text, as character offsets, in the order of their closing
    marks. An unmatched mark belongs to no pair, and pairs do not cross."""
    pairs: list[Pair] = []
    opened: list[tuple[int, str]] = []
    # For each closing mark, the number of open brackets that it would close.
    n_open = dict.fromkeys(_CLOSING, 0)
    for mark in _MARKS.finditer(text):
        i, char = mark.start(), mark[0]
        if char in _CLOSING_OF:
            opened.append((i, _CLOSING_OF[char]))
            n_open[_CLOSING_OF[char]] += 1
        elif n_open[char]:
            closing = ""
            while closing != char:
                first, closing = opened.pop()
                n_open[closing] -= 1
            pairs.append((first, i))
    return pairs


def unit_pairs(doc: Doc, units: Units) -> list[Pair]:
    """The bracket pairs of a document, in units. Pairs within one token are left
    out."""
    pairs = []
    for pair in bracket_pairs(doc.text):
        found = [units.from_characters(doc, i, i + 1, "expand") for i in pair]
        (first, _), (last, _) = (span for span in found if span is not None)
        if first != last:
            pairs.append((first, last))
    return pairs


def split_pairs(pairs: Iterable[Pair], spans: Sequence[Span]) -> list[Pair]:
    """The pairs of which a span contains only one mark. Spans must not overlap."""
    owner = {
        unit: number
        for number, (start, end, _) in enumerate(spans)
        for unit in range(start, end)
    }
    return [(i, j) for i, j in pairs if owner.get(i) != owner.get(j)]


def best_path_keeping_brackets(
    crf: CRFParameters,
    scores: Floats2d,
    path: Ints1d,
    tags: TagSet,
    pairs: Iterable[Pair],
) -> Ints1d:
    """Find the best path of one text that splits no pair.

    crf: A `CRF` layer.
    scores: (n, T) emission scores, changed in place: tags that would split a pair are
        excluded with minus infinity, so that the returned path is the best one of the
        changed scores.
    path: (n,) the best path, changed in place.
    tags: T tags.
    pairs: The pairs, in units. Pairs that every path splits, because of preset
        entities, are ignored.
    RETURNS: (n,) the path.
    """
    possible = _unsplit_pairs(pairs, tags, scores)
    split = split_pairs(possible, tags.spans_from_ids(path))
    if not split:
        return path
    in_entity = _pairs_in_entities(crf, scores, tags, possible)
    kept_together: dict[Pair, None] = {}
    allowed = np.ones(scores.shape, dtype=bool)
    for number in range(_ROUNDS + 1):
        kept_together.update(dict.fromkeys(split if number < _ROUNDS else possible))
        _keep_together(allowed, tags, kept_together, in_entity)
        text = Ragged(scores, np.array([len(path)]))
        path[:] = best_paths(crf, text, tags.constraints, allowed=allowed)
        split = split_pairs(possible, tags.spans_from_ids(path))
        if not split:
            break
    scores[~allowed] = -np.inf
    return path


def _unsplit_pairs(pairs: Iterable[Pair], tags: TagSet, scores: Floats2d) -> list[Pair]:
    """The pairs that are not split by preset entities."""
    positions = np.array(list(dict.fromkeys(pairs)), dtype="int64").reshape((-1, 2))
    first, last = positions.T
    allowed = np.isfinite(scores)
    begin, inside, end = _entity_tags(tags)
    # (n + 1, labels) number of preceding units that cannot be inside of an entity.
    excluded = np.zeros((len(scores) + 1, len(tags.labels)), dtype="int64")
    np.cumsum(~allowed[:, inside], axis=0, out=excluded[1:])
    in_entity = excluded[last] == excluded[first + 1]
    in_entity &= allowed[first][:, begin] | allowed[first][:, inside]
    in_entity &= allowed[last][:, inside] | allowed[last][:, end]
    outside = allowed[first, 0] & allowed[last, 0]
    possible = outside | in_entity.any(axis=1)
    return [(i, j) for i, j in positions[possible].tolist()]


def _entity_tags(tags: TagSet) -> tuple[Ints1d, Ints1d, Ints1d]:
    """(labels,) for each label, the tags of the first unit of an entity of several
    units, of its inner units, and of its last unit."""
    begin = 1 + np.arange(len(tags.labels)) * len(tags.prefixes)
    inside = begin + 1
    return begin, inside, begin + 2 if "E" in tags.prefixes else inside


def _keep_together(
    allowed: np.ndarray, tags: TagSet, pairs: Iterable[Pair], in_entity: np.ndarray
) -> None:
    """Exclude all tags that would split one of the pairs.

    allowed: (n, T) bool, the tags that a path may have, changed in place.
    in_entity: (n,) bool, the units of the pairs that are to be inside of one entity.
        All other pairs are to be outside of entities.
    """
    outside = [unit for pair in pairs for unit in pair if not in_entity[unit]]
    allowed[outside, 1:] = False
    inside = [pair for pair in pairs if in_entity[pair[0]]]
    if not inside:
        return
    first, last = np.array(inside).T
    # +1 at the first unit between two marks, -1 after the last one.
    changes = np.zeros(len(allowed) + 1, dtype="int64")
    np.add.at(changes, first + 1, 1)
    np.add.at(changes, last, -1)
    between = np.flatnonzero(changes.cumsum())
    at_first, at_inner, at_last = tags.in_one_entity(3)
    for units, allowed_tags in (
        (first, at_first),
        (last, at_last),
        (between, at_inner),
    ):
        allowed[np.ix_(units, ~allowed_tags)] = False


class _Group(NamedTuple):
    """Pairs that share units, directly or through other pairs, as a token may contain
    several marks: all of them are in the same entity, or all are outside of entities.
    Usually a group is one pair."""

    #: The units of the marks, in the order of the text.
    units: list[int]
    #: The best paths between each unit and the next one, set from the innermost group
    #: outwards.
    gaps: list["_Steps"]


class _Step(NamedTuple):
    """A step of the search: one unit, or a group with everything in it."""

    group: _Group | None
    #: (T,) the score of the best path that ends with each tag, at the first unit of the
    #: step and at its last unit.
    first: Floats1d
    last: Floats1d


_Steps = list[_Step]


def _groups(pairs: Iterable[Pair]) -> Iterator[_Group]:
    """Group the pairs that share units.

    YIELDS: The groups, sorted by their last units, so that a group comes after those
        inside of it.
    """
    units: dict[int, list[int]] = {}
    for i, j in pairs:
        larger, smaller = units.setdefault(i, [i]), units.setdefault(j, [j])
        if larger is not smaller:
            if len(larger) < len(smaller):
                larger, smaller = smaller, larger
            larger.extend(smaller)
            units.update(dict.fromkeys(smaller, larger))
    groups = {id(group): sorted(group) for group in units.values()}
    for group in sorted(groups.values(), key=lambda group: group[-1]):
        yield _Group(group, [])


def _pairs_in_entities(
    crf: CRFParameters, scores: Floats2d, tags: TagSet, pairs: list[Pair]
) -> np.ndarray:
    """Find the pairs that are inside of entities on the best path that splits no pair.

    RETURNS: (n,) bool, the units from the first to the last mark of each such pair.
    """
    search = _GroupSearch(crf, scores, tags)
    group_at: dict[int, _Group] = {}
    for group in _groups(pairs):
        for left, right in pairwise(group.units):
            group.gaps.append(
                search.forward(left + 1, right, search.transitions[0], group_at)
            )
        group_at[group.units[0]] = group
    text = search.forward(0, len(scores), search.starts, group_at)
    in_entity = np.zeros(len(scores), dtype=bool)
    remaining = [(text, search.ends)]
    while remaining:
        steps, final = remaining.pop()
        for group, tag in search.backtrack(steps, final):
            if tag:
                in_entity[group.units[0] : group.units[-1] + 1] = True
            else:
                remaining.extend((gap, search.transitions[:, 0]) for gap in group.gaps)
    return in_entity


class _GroupSearch:
    """The Viterbi search of `best_paths`, in which a group is a single step. It
    computes in float64."""

    def __init__(self, crf: CRFParameters, scores: Floats2d, tags: TagSet):
        constrained = ConstrainedScores(crf, tags.constraints)
        self.starts: Floats1d = constrained.starts
        self.transitions: Floats2d = constrained.transitions
        self.ends: Floats1d = constrained.ends
        self.scores = scores.astype("float64")
        begin, inside, end = _entity_tags(tags)
        self.begin, self.inside, self.end = begin, inside, end
        self.begin_inside = self.transitions[begin, inside]
        self.begin_end = self.transitions[begin, end]
        self.inside_inside = self.transitions[inside, inside]
        self.inside_end = self.transitions[inside, end]
        # (n + 1, labels) for the preceding units, the sums of the scores of the inside
        # tags, and how many of these tags are excluded.
        inside_scores = self.scores[:, inside]
        excluded = np.isneginf(inside_scores)
        self.sums = np.zeros((len(inside_scores) + 1, len(inside)))
        np.cumsum(np.where(excluded, 0.0, inside_scores), axis=0, out=self.sums[1:])
        self.excluded = np.zeros(self.sums.shape, dtype="int64")
        np.cumsum(excluded, axis=0, out=self.excluded[1:])

    def forward(
        self, start: int, end: int, initial: Floats1d, group_at: dict[int, _Group]
    ) -> _Steps:
        """Compute the scores of the best paths over a range of units.

        start: The first unit.
        end: The unit after the last one.
        initial: (T,) the scores of the transitions to each tag of the first unit.
        group_at: The groups by their first units.
        RETURNS: The steps of the search.
        """
        steps: _Steps = []
        unit = start
        while unit < end:
            if steps:
                initial = np.maximum.reduce(steps[-1].last[:, None] + self.transitions)
            first = initial + self.scores[unit]
            group = group_at.get(unit)
            last = first if group is None else self._group_scores(group, first)
            steps.append(_Step(group, first, last))
            unit = unit + 1 if group is None else group.units[-1] + 1
        return steps

    def _group_scores(self, group: _Group, first: Floats1d) -> Floats1d:
        """(T,) the scores of the best paths to each tag of the last unit of a group,
        given those to the tags of its first unit."""
        units = group.units
        last = np.full_like(first, -np.inf)
        between = self.transitions[:, 0]
        gap_scores = (
            (gap[-1].last + between).max() if gap else between[0] for gap in group.gaps
        )
        last[0] = first[0] + self.scores[units[1:], 0].sum() + sum(gap_scores)
        to_inside = self._entity_scores(group, first, self.inside)
        to_end = self._entity_scores(group, first, self.end)
        last[self.inside] = to_inside.max(axis=0) + self.scores[units[-1], self.inside]
        # In BIO these are the same tags.
        last[self.end] = to_end.max(axis=0) + self.scores[units[-1], self.end]
        return last

    def _entity_scores(self, group: _Group, first: Floats1d, to: Ints1d) -> Floats2d:
        """The scores of the best paths that have a group inside of one entity.

        to: (labels,) the tags of the last unit: `inside` or `end`.
        RETURNS: (2, labels) scores, without the emission scores of the last unit. Row
            0: the entity begins at the first unit of the group. Row 1: it begins
            before.
        """
        start, end = group.units[0], group.units[-1]
        at_begin, at_inside = first[self.begin], first[self.inside]
        last_step = self.inside_end if to is self.end else self.inside_inside
        if end - start == 1:
            begin = self.begin_end if to is self.end else self.begin_inside
            return np.stack((at_begin + begin, at_inside + last_step))
        inner = self.sums[end] - self.sums[start + 1]
        inner = inner + (end - start - 2) * self.inside_inside + last_step
        inner[self.excluded[end] > self.excluded[start + 1]] = -np.inf
        return (
            np.stack((at_begin + self.begin_inside, at_inside + self.inside_inside))
            + inner
        )

    def backtrack(self, steps: _Steps, final: Floats1d) -> Iterator[tuple[_Group, int]]:
        """Follow the best path backwards.

        steps: What `forward` returned.
        final: (T,) the scores of the transitions from each tag of the last unit.
        YIELDS: The groups, the last one first, each with the tag of its last unit.
        """
        for group, first, last in reversed(steps):
            tag = int((last + final).argmax())
            if group is not None:
                yield group, tag
                if tag:
                    to = self.end if tag in self.end else self.inside
                    label = int(np.flatnonzero(to == tag)[0])
                    scores = self._entity_scores(group, first, to)[:, label]
                    first_tags = self.inside if scores.argmax() else self.begin
                    tag = int(first_tags[label])
            final = self.transitions[:, tag]
