"""The gate activations of an LSTM, recorded while it runs."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import numpy as np
from thinc.api import Model, to_numpy
from thinc.types import Floats3d, Ints2d


class States(NamedTuple):
    """The activations of the cells of one layer at each of N rows, in the order of the
    batch.

    The first of D directions reads forward, the second one backward. All arrays are
    (D, N, nH), on the CPU. The letters are those of `lstm_cell.py`.
    """

    input_gate: Floats3d  # i, 0 (closed) to 1 (open)
    forget_gate: Floats3d  # f, likewise
    output_gate: Floats3d  # o, likewise
    candidate: Floats3d  # g, -1 to 1
    cell: Floats3d  # c, after this step
    hidden: Floats3d  # h, -1 to 1: the output of the layer


class StateRecorder:
    """Collects the states of some cells."""

    def __init__(self, cells: Collection[Model]):
        self.ids = {cell.id for cell in cells}
        self.states: list[States] = []

    def record(
        self, cells: Sequence[Model], arrays: Sequence[Floats3d], orders: Ints2d
    ) -> None:
        """Add the states of a layer, if all of its cells are to be recorded.

        cells: The D cells of the layer.
        arrays: The fields of `States`, rows in time-major order.
        orders: (D, N) the row of the batch that each of these rows is.
        """
        if not self.ids.issuperset(cell.id for cell in cells):
            return
        packed = [to_numpy(array) for array in arrays]
        states = States(*(np.empty_like(array) for array in packed))
        for array, rows in zip(states, packed, strict=True):
            for k, order in enumerate(to_numpy(orders)):
                array[k, order] = rows[k]
        self.states.append(states)


_recorder: ContextVar[StateRecorder | None] = ContextVar("recorder", default=None)


def active_recorder() -> StateRecorder | None:
    """The recorder of the innermost `record_states` of this thread, if any."""
    return _recorder.get()


@contextmanager
def record_states(cells: Collection[Model]) -> Iterator[list[States]]:
    """Record the states of LSTM cells while layers run inside the block.

        with record_states(layer.layers) as recorded:
            layer.predict(batch)

    A `TorchLSTM` runs as `LSTM` inside the block, with its own weights, because PyTorch
    does not expose its gates. Other threads are not recorded.

    cells: The cells, as in the `layers` of an `LSTM`. A layer is recorded if all of its
        cells are among them.
    YIELDS: One entry for each run of a layer, in the order in which layers run.
    """
    recorder = StateRecorder(cells)
    token = _recorder.set(recorder)
    try:
        yield recorder.states
    finally:
        _recorder.reset(token)
