"""Brackets and quotation marks: an entity has both of a pair, or neither.

中国（上海）自由贸易区 is an entity as a whole, or 中国 and 上海 are; but 中国（上海 is
none. A model learns this only from many examples, and small data has few; yet the
annotation of the data sets of this project parts a pair once in 22,000 entities. So
where the best path of tags parts one, the best path of those that do not is taken: both
marks are in the same entity, with all that stands between them, or neither is in one.

That path is found in time that grows with the text, however deep brackets are nested.
Where the marks of a pair are in no entity, the best path between them does not depend
on what is around. So pairs are taken from the inside out, and to what is around it a
pair is one step, with two ways to make it: outside of all entities, with the best path
of its inside; or in one entity, whose tags are all given.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats1d, Floats2d, Ints1d, Ragged

from ..layers.crf import ConstrainedScores
from ..layers.viterbi import best_paths
from ..model.units import Units
from ..tags import Span, TagSet

# Neither ‘’, since ’ is an apostrophe, too, nor <>, which are signs of comparison.
_OPENING, _CLOSING = "(（[［{｛《〈「『【〔〖“«", ")）]］}｝》〉」』】〕〗”»"
_OTHER_HALF = dict(zip(_OPENING, _CLOSING, strict=True))
_MARKS = re.compile(f"[{re.escape(_OPENING + _CLOSING)}]")
# So often only those pairs are held together that the best path parts, until it parts
# none; then all are.
_ROUNDS = 3

#: The places of an opening mark and of its closing one.
Pair = tuple[int, int]


def bracket_pairs(text: str) -> list[Pair]:
    """The pairs of a text, in characters, by their closing marks. A mark without its
    other half is in none, and pairs do not cross."""
    pairs: list[Pair] = []
    opened: list[tuple[int, str]] = []
    waiting = dict.fromkeys(_CLOSING, 0)  # how many of those opened wait for each
    for mark in _MARKS.finditer(text):
        i, char = mark.start(), mark[0]
        if char in _OTHER_HALF:
            opened.append((i, _OTHER_HALF[char]))
            waiting[_OTHER_HALF[char]] += 1
        elif waiting[char]:
            closing = ""
            while closing != char:
                first, closing = opened.pop()
                waiting[closing] -= 1
            pairs.append((first, i))
    return pairs


def unit_pairs(doc: Doc, units: Units) -> list[Pair]:
    """The pairs of the text of a document, in units. A token may contain both."""
    pairs = []
    for pair in bracket_pairs(doc.text):
        places = [units.from_characters(doc, i, i + 1, "expand") for i in pair]
        (first, _), (last, _) = (place for place in places if place is not None)
        if first != last:
            pairs.append((first, last))
    return pairs


def split_pairs(pairs: Iterable[Pair], spans: Sequence[Span]) -> list[Pair]:
    """The pairs of which one of the spans, which do not overlap, has only one half."""
    owner = {
        unit: number
        for number, (start, end, _) in enumerate(spans)
        for unit in range(start, end)
    }
    return [(i, j) for i, j in pairs if owner.get(i) != owner.get(j)]


def best_path_keeping_brackets(
    crf: Model, scores: Floats2d, path: Ints1d, tags: TagSet, pairs: Iterable[Pair]
) -> Ints1d:
    """The best path of one text that parts no pair.

    crf (Model): A `CRF` layer.
    scores (Floats2d): (n, T) emission scores. What the pairs that would be parted rule
        out becomes minus infinity in them, so that the path is their best one.
    path (Ints1d): (n,) the best path, which is changed in place.
    tags (TagSet): T tags.
    pairs (Iterable[Pair]): The pairs, in units. Those are let go which every path
        parts, since there are entities that stay.
    RETURNS (Ints1d): (n,) the path.
    """
    possible = _possible(pairs, tags, scores)
    some = split_pairs(possible, tags.spans_from_ids(path))
    if not some:
        return path
    in_one = _in_one_entity(crf, scores, tags, possible)
    held: dict[Pair, None] = {}
    allowed = np.ones(scores.shape, dtype=bool)
    for number in range(_ROUNDS + 1):
        held.update(dict.fromkeys(some if number < _ROUNDS else possible))
        _rule_out(allowed, tags, held, in_one)
        text = Ragged(scores, np.array([len(path)]))
        path[:] = best_paths(crf, text, tags.constraints, allowed=allowed)
        some = split_pairs(possible, tags.spans_from_ids(path))
        if not some:
            break
    scores[~allowed] = -np.inf
    return path


def _possible(pairs: Iterable[Pair], tags: TagSet, scores: Floats2d) -> list[Pair]:
    """Without those that are parted by entities that stay."""
    places = np.array(list(dict.fromkeys(pairs)), dtype="int64").reshape((-1, 2))
    first, last = places.T
    can = np.isfinite(scores)
    begin, inside, end = _tags_of_entities(tags)
    # (n + 1, labels) how many units before each cannot be inside.
    cannot = np.zeros((len(scores) + 1, len(tags.labels)), dtype="int64")
    np.cumsum(~can[:, inside], axis=0, out=cannot[1:])
    in_one = cannot[last] == cannot[first + 1]
    in_one &= can[first][:, begin] | can[first][:, inside]
    in_one &= can[last][:, inside] | can[last][:, end]
    good = (can[first, 0] & can[last, 0]) | in_one.any(axis=1)
    return [(i, j) for i, j in places[good].tolist()]


def _tags_of_entities(tags: TagSet) -> tuple[Ints1d, Ints1d, Ints1d]:
    """(labels,) the numbers of the tags with which an entity of several units begins,
    goes on and ends, label by label."""
    begin = 1 + np.arange(len(tags.labels)) * len(tags.prefixes)
    inside = begin + 1
    return begin, inside, begin + 2 if "E" in tags.prefixes else inside


def _rule_out(
    allowed: np.ndarray, tags: TagSet, pairs: Iterable[Pair], in_one: np.ndarray
) -> None:
    """Rule out all paths on which one of the pairs is not as it should be: in one
    entity, or outside of all.

    allowed (np.ndarray): (n, T) bool, the tags that a path may have, changed in place.
    in_one (np.ndarray): (n,) bool, the units that are in one entity with a pair.
    """
    outside = [unit for pair in pairs for unit in pair if not in_one[unit]]
    allowed[outside, 1:] = False
    whole = [pair for pair in pairs if in_one[pair[0]]]
    if not whole:
        return
    first, last = np.array(whole).T
    between = np.zeros(len(allowed) + 1, dtype="int64")
    np.add.at(between, first + 1, 1)
    np.add.at(between, last, -1)
    opens, goes_on, closes = tags.in_one_entity(3)
    for units, its_tags in (
        (first, opens),
        (last, closes),
        (np.flatnonzero(between.cumsum()), goes_on),
    ):
        allowed[np.ix_(units, ~its_tags)] = False


class _Block(NamedTuple):
    """Units that are in one entity, or each outside of all: those of a pair, and of all
    pairs that share one with it. A token may have several marks."""

    units: list[int]
    #: What is between each and the next one: filled from the inside out.
    gaps: list["_Steps"]


class _Step(NamedTuple):
    """A unit, or a block with all that is in it."""

    block: _Block | None
    #: (T,) the score of the best path to each tag: at the first unit of it, and at the
    #: last.
    first: Floats1d
    last: Floats1d


_Steps = list[_Step]


def _blocks(pairs: Iterable[Pair]) -> Iterator[_Block]:
    """The blocks by their last units: those inside of others come first."""
    units: dict[int, list[int]] = {}
    for i, j in pairs:
        one, other = units.setdefault(i, [i]), units.setdefault(j, [j])
        if one is not other:
            if len(one) < len(other):
                one, other = other, one
            one.extend(other)
            units.update(dict.fromkeys(other, one))
    blocks = {id(block): sorted(block) for block in units.values()}
    for block in sorted(blocks.values(), key=lambda block: block[-1]):
        yield _Block(block, [])


def _in_one_entity(
    crf: Model, scores: Floats2d, tags: TagSet, pairs: list[Pair]
) -> np.ndarray:
    """Find the best path that parts no pair.

    RETURNS (np.ndarray): (n,) bool, the units from the first to the last mark of each
        pair that is in one entity.
    """
    search = _Search(crf, scores, tags)
    begins: dict[int, _Block] = {}
    for block in _blocks(pairs):
        for before, after in pairwise(block.units):
            block.gaps.append(
                search.steps(before + 1, after, search.transitions[0], begins)
            )
        begins[block.units[0]] = block
    whole = search.steps(0, len(scores), search.starts, begins)
    in_one = np.zeros(len(scores), dtype=bool)
    rest = [(whole, search.ends)]
    while rest:
        steps, after = rest.pop()
        for block, tag in search.back(steps, after):
            if tag:
                in_one[block.units[0] : block.units[-1] + 1] = True
            else:
                rest.extend((gap, search.transitions[:, 0]) for gap in block.gaps)
    return in_one


class _Search:
    """As `best_paths`, with blocks as steps. In float64."""

    def __init__(self, crf: Model, scores: Floats2d, tags: TagSet):
        constrained = ConstrainedScores(crf, tags.constraints)
        self.starts: Floats1d = constrained.starts
        self.transitions: Floats2d = constrained.transitions
        self.ends: Floats1d = constrained.ends
        self.scores = scores.astype("float64")
        begin, inside, end = _tags_of_entities(tags)
        self.begin, self.inside, self.end = begin, inside, end
        self.begin_inside = self.transitions[begin, inside]
        self.begin_end = self.transitions[begin, end]
        self.inside_inside = self.transitions[inside, inside]
        self.inside_end = self.transitions[inside, end]
        # (n + 1, labels) sums over the units before, and how many are ruled out.
        on = self.scores[:, inside]
        ruled_out = np.isneginf(on)
        self.sums = np.zeros((len(on) + 1, len(inside)))
        np.cumsum(np.where(ruled_out, 0.0, on), axis=0, out=self.sums[1:])
        self.ruled_out = np.zeros(self.sums.shape, dtype="int64")
        np.cumsum(ruled_out, axis=0, out=self.ruled_out[1:])

    def steps(
        self, start: int, end: int, before: Floats1d, begins: dict[int, _Block]
    ) -> _Steps:
        """Go from a unit to another one, by the blocks that begin between.

        before (Floats1d): (T,) what it takes to get to each tag of the first unit.
        """
        steps: _Steps = []
        unit = start
        while unit < end:
            if steps:
                before = np.maximum.reduce(steps[-1].last[:, None] + self.transitions)
            first = before + self.scores[unit]
            block = begins.get(unit)
            last = first if block is None else self._over(block, first)
            steps.append(_Step(block, first, last))
            unit = unit + 1 if block is None else block.units[-1] + 1
        return steps

    def _over(self, block: _Block, first: Floats1d) -> Floats1d:
        """The scores at the last unit of a block, from those at the first one."""
        units = block.units
        last = np.full_like(first, -np.inf)
        between = self.transitions[:, 0]
        inner = (
            (gap[-1].last + between).max() if gap else between[0] for gap in block.gaps
        )
        last[0] = first[0] + self.scores[units[1:], 0].sum() + sum(inner)
        to_inside = self._entered(block, first, self.inside)
        to_end = self._entered(block, first, self.end)
        last[self.inside] = to_inside.max(axis=0) + self.scores[units[-1], self.inside]
        # In BIO these are the same tags.
        last[self.end] = to_end.max(axis=0) + self.scores[units[-1], self.end]
        return last

    def _entered(self, block: _Block, first: Floats1d, to: Ints1d) -> Floats2d:
        """(2, labels): what it takes to get to the last unit of a block, which has the
        tag `to` of each label, where it begins at the first unit and where before."""
        start, end = block.units[0], block.units[-1]
        begins, goes_on = first[self.begin], first[self.inside]
        last_step = self.inside_end if to is self.end else self.inside_inside
        if end - start == 1:
            begin = self.begin_end if to is self.end else self.begin_inside
            return np.stack((begins + begin, goes_on + last_step))
        through = self.sums[end] - self.sums[start + 1]
        through = through + (end - start - 2) * self.inside_inside + last_step
        through[self.ruled_out[end] > self.ruled_out[start + 1]] = -np.inf
        return np.stack((begins + self.begin_inside, goes_on + self.inside_inside)) + (
            through
        )

    def back(self, steps: _Steps, after: Floats1d) -> Iterator[tuple[_Block, int]]:
        """The blocks on the best path, from the end on, each with its last tag.

        after (Floats1d): (T,) what it takes to go on after each tag of the last unit.
        """
        for block, first, last in reversed(steps):
            tag = int((last + after).argmax())
            if block is not None:
                yield block, tag
                if tag:
                    to = self.end if tag in self.end else self.inside
                    label = int(np.flatnonzero(to == tag)[0])
                    ways = self._entered(block, first, to)[:, label]
                    came_by = self.inside if ways.argmax() else self.begin
                    tag = int(came_by[label])
            after = self.transitions[:, tag]
