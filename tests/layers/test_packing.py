"""Time-major order of ragged batches."""

from itertools import chain

import numpy as np
import pytest
from thinc.api import get_current_ops

from spacy_lstm_ner.layers.packing import pack

LENGTHS = [[2, 3, 1], [0, 2, 0, 2, 5], [4], [1, 1], [], [0, 0]]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_rows_of_a_step_stand_together(lengths):
    packing = pack(get_current_ops(), np.array(lengths, dtype="int32"), sum(lengths))
    rows = [(s, t) for s, length in enumerate(lengths) for t in range(length)]
    order = sorted(range(len(lengths)), key=lambda s: -lengths[s])
    steps = range(max(lengths, default=0))
    forwards = [[(s, t) for s in order if lengths[s] > t] for t in steps]
    backwards = [[(s, lengths[s] - 1 - t) for s, t in step] for step in forwards]
    assert packing.sizes == [len(step) for step in forwards]
    assert [rows[i] for i in packing.forwards] == list(chain(*forwards))
    assert [rows[i] for i in packing.orders[1]] == list(chain(*backwards))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_the_row_before_belongs_to_the_same_sequence(lengths):
    packing = pack(get_current_ops(), np.array(lengths, dtype="int32"), sum(lengths))
    first = packing.sizes[0] if packing.sizes else 0
    for order, distance in ((packing.forwards, -1), (packing.orders[1], 1)):
        before = order[packing.previous]
        assert before.tolist() == (order[first:] + distance).tolist()


@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_blocks_are_whole_steps_and_leave_none_out(lengths, n_rows):
    packing = pack(get_current_ops(), np.array(lengths, dtype="int32"), sum(lengths))
    blocks = list(packing.blocks(n_rows))
    rows = range(sum(lengths))
    steps = [list(rows[block.rows][step]) for block in blocks for step in block.steps]
    assert steps == [list(rows[step]) for step in packing.steps()]
    sizes = [len(rows[block.rows]) for block in blocks]
    assert all(size >= n_rows for size in sizes[:-1])
    assert sum(sizes) == len(rows)
