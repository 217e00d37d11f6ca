"""Brackets and quotation marks: an entity has both of a pair, or neither.

中国（上海）自由贸易区 is an entity as a whole, or 中国 and 上海 are; but 中国（上海 is
none. A model learns this only from many examples, and small data has few; yet the
annotation of the data sets of this project parts a pair once in 22,000 entities. So
where the best path of tags parts one, the best path of those that do not is taken: both
marks are in the same entity, with all that stands between them, or neither is in one.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from thinc.api import Model
from thinc.types import Floats1d, Floats2d, Ints1d, Ints2d, Ragged

from .layers.crf import FORBIDDEN, best_paths, path_scores
from .tagging import Span, TagSet

# Neither ‘’, since ’ is an apostrophe, too, nor <>, which are signs of comparison.
_OPENING, _CLOSING = "(（[［{｛《〈「『【〔〖“«", ")）]］}｝》〉」』】〕〗”»"
_OTHER_HALF = dict(zip(_OPENING, _CLOSING, strict=True))
_MARKS = re.compile(f"[{re.escape(_OPENING + _CLOSING)}]")
# In units.
_MARGIN = 32

#: The places of an opening mark and of its closing one.
Pair = tuple[int, int]


def pairs_in(text: str) -> list[Pair]:
    """The pairs of a text, in characters, by their closing marks. A mark without its
    other half is in none, and pairs do not cross."""
    pairs: list[Pair] = []
    opened: list[tuple[int, str]] = []
    for mark in _MARKS.finditer(text):
        i, char = mark.start(), mark[0]
        if char in _OTHER_HALF:
            opened.append((i, _OTHER_HALF[char]))
            continue
        for k in reversed(range(len(opened))):
            if opened[k][1] == char:
                pairs.append((opened[k][0], i))
                del opened[k:]
                break
    return pairs


def parted(pairs: Iterable[Pair], spans: Sequence[Span]) -> list[Pair]:
    """The pairs of which one of the spans, which do not overlap, has only one half."""
    owner = {
        unit: number
        for number, (start, end, _) in enumerate(spans)
        for unit in range(start, end)
    }
    return [(i, j) for i, j in pairs if owner.get(i) != owner.get(j)]


def hold_together(
    crf: Model, scores: Floats2d, path: Ints1d, tags: TagSet, pairs: Iterable[Pair]
) -> Ints1d:
    """The best path of one text that parts no pair. A pair that the best path parts is
    held to the better of two ways: its marks are in one entity, or in none. Where there
    are several, one is decided on after the other.

    crf (Model): A `CRF` layer.
    scores (Floats2d): (n, T) emission scores. What the pairs rule out becomes minus
        infinity in them.
    path (Ints1d): (n,) the best path, which is changed in place.
    tags (TagSet): T tags.
    pairs (Iterable[Pair]): The pairs, in units. One is let go if there is no path that
        does not part it, since there are entities that stay.
    RETURNS (Ints1d): (n,) the path.
    """
    left = list(pairs)
    while some := parted(left, tags.spans_from_ids(path)):
        pair = min(some)
        part = _around(path, pair)
        ways = _ways(tags, scores, pair)
        edges = np.zeros_like(ways[0])
        edges[[i for i in (part.start, part.stop - 1) if 0 < i < len(path) - 1], 1:] = 1
        held = [(way | edges)[part] for way in ways]
        paths, how_good = _best(crf, tags, scores[part], held)
        better = int(how_good.argmax())
        if how_good[better] > FORBIDDEN / 2:
            scores[ways[better]] = -np.inf
            path[part] = paths[better]
        else:
            left.remove(pair)
    return path


def _around(path: Ints1d, pair: Pair) -> slice:
    """From an "O" of the path well before a pair to one well after it. They stay, so
    the rest of a long text, which it takes long to search, need not be searched."""
    outside = np.flatnonzero(path == 0)
    first = np.searchsorted(outside, pair[0] - _MARGIN, side="right") - 1
    last = np.searchsorted(outside, pair[1] + _MARGIN)
    return slice(
        int(outside[first]) if first >= 0 else 0,
        int(outside[last]) + 1 if last < len(outside) else len(path),
    )


def _ways(tags: TagSet, scores: Floats2d, pair: Pair) -> list[np.ndarray]:
    """What is ruled out, (n, T) bool, where no entity has one of the marks; and where
    one entity has both."""
    i, j = pair
    in_none, in_one = np.zeros((2, *scores.shape), dtype=bool)
    in_none[[i, j], 1:] = True
    in_one[i : j + 1] = ~tags.in_one_entity(j + 1 - i)
    return [in_none, in_one]


def _best(
    crf: Model, tags: TagSet, scores: Floats2d, ruled_out: list[np.ndarray]
) -> tuple[Ints2d, Floats1d]:
    """The best path of each way to rule out tags, and its score: below FORBIDDEN / 2
    where there is none."""
    copies = np.where(ruled_out, scores + FORBIDDEN, scores)
    lengths = np.full(len(copies), len(scores))
    batch = Ragged(copies.reshape((-1, len(tags))), lengths)
    paths = best_paths(crf, batch, tags.rules)
    return paths.reshape((-1, len(scores))), path_scores(crf, batch, paths)
