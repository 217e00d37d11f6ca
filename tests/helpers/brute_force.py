"""The CRF by brute force: all legal paths enumerated."""

from functools import cache
from itertools import pairwise, product

import numpy as np

from spacy_lstm_ner.tags import TagSet, spans_from_tags

TAGS = TagSet(["A", "B"], "BIO"), TagSet(["A"], "BIOES")
IDS = ["BIO", "BIOES"]
LENGTHS = [3, 0, 1, 4, 2]


@cache
def legal_paths(tags, n):
    """All legal paths of length n, according to the tag names."""
    return list(_legal_paths(tags, n))


def _legal_paths(tags, n):

    def fits(before, tag):
        before_inside = before[0] in "BI"
        if tag[0] in "IE":
            return before_inside and before[2:] == tag[2:]
        return not (before_inside and tags.scheme == "BIOES")

    for path in product(range(len(tags)), repeat=n):
        names = ["O", *(tags.names[tag] for tag in path), "O"]
        if all(fits(a, b) for a, b in pairwise(names)):
            yield path


def score(crf, rows, path):
    starts, transitions, ends = (
        crf.get_param(name) for name in ("starts", "transitions", "ends")
    )
    total = starts[path[0]] + ends[path[-1]]
    total += sum(row[tag] for row, tag in zip(rows, path, strict=True))
    return total + sum(transitions[a, b] for a, b in pairwise(path))


@cache
def spans_of(tags, path, first=0):
    """The entities of a path that begins at the row `first`."""
    names = [tags.names[tag] for tag in path]
    spans, problems, *_ = spans_from_tags(names, tags.scheme)
    assert not problems
    return {(first + start, first + end, label) for start, end, label in spans}


def brute_force_loss(crf, tags, emissions, gold, wrong=()):
    total, start = 0.0, 0
    for n in LENGTHS:
        rows, allowed = (array[start : start + n] for array in (emissions, gold))
        start += n
        if n:
            paths = legal_paths(tags, n)
            scores = np.array([score(crf, rows, path) for path in paths])
            agrees = [
                all(allowed[range(n), path])
                and not spans_of(tags, path, start - n).intersection(wrong)
                for path in paths
            ]
            total += np.log(np.exp(scores).sum()) - np.log(np.exp(scores[agrees]).sum())
    return total


def some_gold(tags, rng, missing):
    """A random legal path for each sequence, and some units without annotation."""
    gold = np.zeros((sum(LENGTHS), len(tags)), dtype=bool)
    start = 0
    for n in LENGTHS:
        if n:
            paths = legal_paths(tags, n)
            gold[range(start, start + n), paths[rng.integers(len(paths))]] = True
        start += n
    gold[rng.random(len(gold)) < missing] = True
    return gold


def all_spans(tags):
    """Every span of every sequence, in rows of the batch, with every label."""
    ends = np.cumsum(LENGTHS).tolist()
    return [
        (start, end, label)
        for size, stop in zip(LENGTHS, ends, strict=True)
        for start in range(stop - size, stop)
        for end in range(start + 1, stop + 1)
        for label in tags.labels
    ]
