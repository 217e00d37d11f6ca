"""The CRF by brute force: all legal paths enumerated."""

from functools import cache
from itertools import pairwise, product

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
