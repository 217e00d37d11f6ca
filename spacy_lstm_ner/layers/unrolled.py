"""A recurrent cell over a batch of sequences, one call of the cell for each step.

`RNN` runs like this, and `fused_lstm.py` is tested against it.
"""

from collections.abc import Callable

from thinc.api import Model
from thinc.types import Floats2d

from .packing import Packing
from .util import append_zero_rows


def run_layer(
    cells: list[Model], X: Floats2d, packing: Packing, is_train: bool, *, n_states: int
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    """Run the cells of one layer, each in its own direction.

    cells: D cells, one for each direction: `RNNCell` or `LSTMCell`.
    X: (N, nI) rows in ragged order.
    packing: Their time-major order.
    is_train: Whether `backprop` will be called.
    n_states: Number of arrays that a cell carries from step to step: 2 for `LSTMCell`,
        h and c; 1 for `RNNCell`.
    RETURNS: (N, D·nH) hidden states, directions side by side; and backprop, from their
        gradient to that of X.
    """
    xp = cells[0].ops.xp
    nH = cells[0].get_dim("nO")
    Y = xp.empty((len(X), len(cells) * nH), dtype=X.dtype)
    directions = []
    for k, cell in enumerate(cells):
        order, columns = packing.orders[k], slice(k * nH, (k + 1) * nH)
        H, backprop_direction = _run_direction(
            cell, X[order], packing, is_train, n_states
        )
        Y[order, columns] = H
        directions.append((order, columns, backprop_direction))

    def backprop(dY: Floats2d) -> Floats2d:
        dX = xp.zeros_like(X)
        for order, columns, backprop_direction in directions:
            dX[order] += backprop_direction(dY[order, columns])
        return dX

    return Y, backprop


def _run_direction(
    cell: Model, inputs: Floats2d, packing: Packing, is_train: bool, n_states: int
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    """One cell, over rows in time-major order."""
    xp = cell.ops.xp
    nH, steps = cell.get_dim("nO"), packing.steps()
    H = xp.empty((len(inputs), nH), dtype=inputs.dtype)
    state = (xp.zeros((packing.sizes[0], nH), dtype=inputs.dtype),) * n_states
    callbacks = []
    for rows in steps:
        # Finished sequences come last, so slicing drops them.
        state = tuple(array[: rows.stop - rows.start] for array in state)
        outputs, backprop_step = cell((inputs[rows], *state), is_train)
        state = (outputs,) if n_states == 1 else outputs
        H[rows] = state[0]  # (size of the step, nH)
        if is_train:
            callbacks.append(backprop_step)

    def backprop(dH: Floats2d) -> Floats2d:
        d_inputs = xp.empty_like(inputs)
        d_state = (xp.zeros((0, nH), dtype=inputs.dtype),) * n_states
        for rows, backprop_step in zip(steps[::-1], callbacks[::-1], strict=True):
            size = rows.stop - rows.start
            # Sequences that end at this step have no gradient from later steps.
            dh, *rest = (append_zero_rows(array, size) for array in d_state)
            dh = dh + dH[rows]
            d_outputs = dh if n_states == 1 else (dh, *rest)
            d_inputs[rows], *d_state = backprop_step(d_outputs)
        return d_inputs

    return H, backprop
