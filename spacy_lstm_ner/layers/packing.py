"""Conversion of ragged batches to time-major order and back.

A ragged batch holds its sequences one after the other. A recurrent layer processes one
step of all sequences at a time: first the first rows of all sequences, then the second
rows, and so on, without padding. With the longest sequence first, the sequences that
are not finished at a step are always the first ones:

    ragged rows   a0 a1 | b0 b1 b2 | c0        lengths  2 3 1

    step            0        1      2
    packed rows   b0 a0 c0 | b1 a1 | b2        sizes    3 2 1

For the backward direction each sequence starts at its own last row, so the packed rows
are ``b2 a1 c0 | b1 a0 | b0``: the sizes are the same.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from thinc.api import NumpyOps, Ops, get_array_module, to_numpy
from thinc.types import ArrayXd, Ints1d, Ints2d

_CPU = NumpyOps()
# The orders of single sequences up to this length are cached.
_SHORT = 200


class Packing(NamedTuple):
    """The time-major order of the N rows of B sequences.

    All index arrays are on the device of the ops that created them.
    """

    #: For each of the T steps the number of sequences that have it: never increasing,
    #: with the sum N. (`torch.nn.utils.rnn.PackedSequence` calls it `batch_sizes`.)
    sizes: list[int]
    #: (2, N) the ragged row of each packed row: reading forward, and reading backward.
    orders: Ints2d
    #: (N - sizes[0],) for each packed row after the first step, the packed row of the
    #: same sequence at the previous step.
    previous: Ints1d
    #: The packed row of the last step of each sequence that is not empty, the longest
    #: sequence first.
    last: Ints1d

    @property
    def forwards(self) -> Ints1d:
        """The first of the two orders."""
        return self.orders[0]

    def to_ragged(self, packed: ArrayXd) -> ArrayXd:
        """Rows in the forward order, back in ragged order."""
        rows = get_array_module(packed).empty_like(packed)
        rows[self.forwards] = packed
        return rows

    def steps(self) -> list[slice]:
        """The packed rows of each step."""
        ends = accumulate(self.sizes)
        return [
            slice(end - size, end) for size, end in zip(self.sizes, ends, strict=True)
        ]

    def blocks(self, n_rows: int) -> Iterator["Block"]:
        """The steps in groups of at least `n_rows` packed rows (the last group may be
        smaller)."""
        start, steps = 0, []
        for rows in self.steps():
            steps.append(slice(rows.start - start, rows.stop - start))
            if rows.stop - start >= n_rows:
                yield Block(slice(start, rows.stop), steps)
                start, steps = rows.stop, []
        if steps:
            yield Block(slice(start, start + steps[-1].stop), steps)


class Block(NamedTuple):
    """Some consecutive steps."""

    #: The packed rows of all of them.
    rows: slice
    #: The rows of each, relative to the first row of the block.
    steps: list[slice]


def pack(ops: Ops, lengths: Ints1d, n_rows: int) -> Packing:
    """Compute the time-major order of a ragged batch.

    ops: The ops that create the index arrays.
    lengths: (B,) length of each sequence; zeros are allowed.
    n_rows: N, the number of rows of the batch.
    RETURNS: The order. ``data[packing.forwards]`` packs rows,
        ``packing.to_ragged(packed)`` is the inverse.
    RAISES (ValueError): If the sum of the lengths is not the number of rows.
    """
    lengths = to_numpy(lengths).astype("int64", copy=False)
    total = int(lengths.sum())
    if total != n_rows:
        raise ValueError(f"The lengths sum to {total}, but there are {n_rows} rows.")
    if len(lengths) == 1:  # a frequent case, and much simpler
        if ops is _CPU and total <= _SHORT:
            return _cached_packing(total)
        return _pack_one(ops, total)
    longest = int(lengths.max()) if len(lengths) else 0
    # The rank of each sequence by length. The sort is stable, so that results do not
    # depend on the platform.
    by_length = np.argsort(-lengths, kind="stable")
    rank = np.empty_like(lengths)
    rank[by_length] = np.arange(len(lengths))
    # The number of sequences longer than t: all but those that ended at t or before.
    sizes = len(lengths) - np.cumsum(np.bincount(lengths, minlength=longest + 1))
    sizes = sizes[:longest]
    step_starts = np.concatenate(([0], np.cumsum(sizes)))
    row_starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    step = np.arange(total) - row_starts
    step_from_end = np.repeat(lengths, lengths) - 1 - step
    row_rank = np.repeat(rank, lengths)
    orders = np.empty((2, total), dtype="int64")
    orders[0, step_starts[step] + row_rank] = np.arange(total)
    orders[1, step_starts[step_from_end] + row_rank] = np.arange(total)
    first = int(sizes[0]) if longest else 0
    previous = np.arange(first, total) - np.repeat(sizes[:-1], sizes[1:])
    last = step_starts[lengths[by_length[:first]] - 1] + np.arange(first)
    return Packing(
        sizes=sizes.tolist(),
        orders=ops.asarray(orders),
        previous=ops.asarray(previous),
        last=ops.asarray(last),
    )


def _pack_one(ops: Ops, length: int) -> Packing:
    """The order of a single sequence."""
    rows = np.arange(length)
    orders = ops.asarray(np.stack((rows, rows[::-1])))
    return Packing([1] * length, orders, orders[0][:-1], orders[0][-1:])


@lru_cache(maxsize=_SHORT + 1)
def _cached_packing(length: int) -> Packing:
    packing = _pack_one(_CPU, length)
    packing.orders.flags.writeable = False
    return packing


def pack_on_cpu(lengths: Ints1d, n_rows: int) -> Packing:
    """`pack`, with index arrays for NumPy whatever the current ops are."""
    return pack(_CPU, lengths, n_rows)
