"""Sequences end to end ↔ time-major rows.

A ragged batch holds its sequences one after the other. A recurrent layer works through
time: it wants the first rows of all sequences together, then the second rows, and so
on, with no padding in between. With the longest sequence first, the sequences that
still run at a step are always the first ones:

    ragged rows   a0 a1 | b0 b1 b2 | c0        lengths  2 3 1

    step            0        1      2
    packed rows   b0 a0 c0 | b1 a1 | b2        sizes    3 2 1

For the other direction of time each sequence is read from its own last row, so the
packed rows are ``b2 a1 c0 | b1 a0 | b0``: the sizes are the same, and no padding can
come before the first real row.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from thinc.api import Ops, to_numpy
from thinc.types import Ints1d, Ints2d


class Packing(NamedTuple):
    """How the N rows of B sequences are put into time-major order.

    All index arrays live on the device of the ops that made them.
    """

    #: At each of the T steps: how many sequences are that long. Falling; sums to N.
    sizes: list[int]
    #: (2, N) the ragged row that stands at each packed row: time running forwards, and
    #: time running backwards.
    orders: Ints2d
    #: (N - sizes[0],) for every packed row but those of the first step: the packed row
    #: of the same sequence one step before.
    previous: Ints1d
    #: The packed row of the last step of each sequence that is not empty, the longest
    #: sequence first.
    last: Ints1d

    @property
    def forwards(self) -> Ints1d:
        """The first of the two orders."""
        return self.orders[0]

    def steps(self) -> list[slice]:
        """The packed rows of each step."""
        ends = accumulate(self.sizes)
        return [
            slice(end - size, end) for size, end in zip(self.sizes, ends, strict=True)
        ]

    def blocks(self, n_rows: int) -> Iterator["Block"]:
        """The steps in groups of at least `n_rows` packed rows, but for the last."""
        start, steps = 0, []
        for rows in self.steps():
            steps.append(slice(rows.start - start, rows.stop - start))
            if rows.stop - start >= n_rows:
                yield Block(slice(start, rows.stop), steps)
                start, steps = rows.stop, []
        if steps:
            yield Block(slice(start, start + steps[-1].stop), steps)


class Block(NamedTuple):
    """Some steps, one after the other."""

    #: The packed rows of all of them.
    rows: slice
    #: The rows of each, counted from the first row of the block.
    steps: list[slice]


def pack(ops: Ops, lengths: Ints1d, n_rows: int) -> Packing:
    """Find the time-major order of a ragged batch.

    ops (Ops): Where the index arrays are wanted.
    lengths (Ints1d): (B,) length of each sequence; zeros are allowed.
    n_rows (int): N, how many rows the batch has.
    RETURNS (Packing): The order. ``data[packing.forwards]`` packs rows, and
        ``out[packing.forwards] = packed`` puts them back.
    RAISES (ValueError): Where the lengths do not sum to the number of rows.
    """
    lengths = to_numpy(lengths).astype("int64", copy=False)
    total = int(lengths.sum())
    if total != n_rows:
        raise ValueError(f"The lengths sum to {total}, but there are {n_rows} rows.")
    if len(lengths) == 1:  # often so, and it need not be found out
        rows = np.arange(total)
        orders = ops.asarray(np.stack((rows, rows[::-1])))
        return Packing([1] * total, orders, orders[0][:-1], orders[0][-1:])
    longest = int(lengths.max()) if len(lengths) else 0
    # The place of each sequence when the longest comes first. The sort is stable, so
    # equal lengths keep their order and results do not depend on the platform.
    by_length = np.argsort(-lengths, kind="stable")
    rank = np.empty_like(lengths)
    rank[by_length] = np.arange(len(lengths))
    # Sequences of length > t: all but those that ended at t or before.
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
