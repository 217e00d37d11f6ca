"""The best path: the tag sequence with the highest score among the legal ones.

Viterbi (1967): the best path to a tag at step t goes through the best path to one of
the tags at step t - 1. All sequences of a batch go through time together, as in the
LSTM (packing.py).
"""

import numpy as np
from thinc.api import NumpyOps
from thinc.types import Floats2d, Ints1d, Ragged

from .packing import pack

_OPS = NumpyOps()


def best_paths(
    scores: Ragged, starts: Ints1d, transitions: Floats2d, ends: Ints1d
) -> Ints1d:
    """The best legal tag sequence of each sequence of a batch.

    scores (Ragged): (N, T) NumPy arrays, the score of each tag at each unit. Minus
        infinity rules a tag out.
    starts (Ints1d): (T,) bool, tags that a sequence may start with.
    transitions (Floats2d): (T, T) bool, whether tag [j] may follow tag [i].
    ends (Ints1d): (T,) bool, tags that a sequence may end with.
    RETURNS (Ints1d): (N,) tag numbers, sequences end to end.
    RAISES (ValueError): Where a sequence has no legal path.
    """
    lengths = scores.lengths
    data = scores.dataXd
    if not len(data):
        return np.zeros(0, dtype="int64")
    # Most often the best tag of each unit makes a legal path, and then no other path
    # can be better.
    path = data.argmax(axis=1)
    last = np.cumsum(lengths) - 1
    first = last + 1 - lengths
    some = lengths > 0
    ruled_out = np.isneginf(data[np.arange(len(data)), path])
    legal = np.append(True, transitions[path[:-1], path[1:]]) & ~ruled_out
    legal[first[some]] = starts[path[first[some]]] & ~ruled_out[first[some]]
    legal[last[some]] &= ends[path[last[some]]]
    row_legal = np.repeat(np.arange(len(lengths)), lengths)
    wrong = np.zeros(len(lengths), dtype=bool)
    wrong[row_legal[~legal]] = True
    rows = wrong[row_legal]
    if rows.any():
        path[rows] = _viterbi(
            Ragged(data[rows], lengths[wrong]), starts, transitions, ends
        )
    return path


def _viterbi(
    scores: Ragged, starts: Ints1d, transitions: Floats2d, ends: Ints1d
) -> Ints1d:
    packing = pack(_OPS, scores.lengths)
    sizes = [*packing.sizes, 0]
    data = scores.dataXd[packing.forwards]
    illegal = data.dtype.type(-np.inf)
    from_tag = np.where(transitions, 0, illegal).T[None]  # (1, to, from)
    at_end = np.where(ends, 0, illegal)
    # The best tag before each tag, and the best tag of each unit.
    before = np.zeros(data.shape, dtype="int64")
    path = np.zeros(len(data), dtype="int64")
    steps = packing.steps()
    best = data[steps[0]] + np.where(starts, 0, illegal)
    last_tag = np.zeros(len(best), dtype="int64")
    for t, rows in enumerate(steps):
        if t:
            by_tag = best[: sizes[t], None, :] + from_tag  # (sequences, to, from)
            before[rows] = by_tag.argmax(axis=2)
            best = data[rows] + by_tag.max(axis=2)
        ending = best[sizes[t + 1] :] + at_end
        last_tag[sizes[t + 1] : sizes[t]] = ending.argmax(axis=1)
        if np.isneginf(ending.max(axis=1, initial=-np.inf)).any() and len(ending):
            raise ValueError("A sequence has no legal path: its tags are ruled out.")
    tag = last_tag
    for t in range(len(steps) - 1, -1, -1):
        path[steps[t]] = tag[: sizes[t]]
        if t:
            tag[: sizes[t]] = before[steps[t]][np.arange(sizes[t]), tag[: sizes[t]]]
    unpacked = np.empty_like(path)
    unpacked[packing.forwards] = path
    return unpacked
