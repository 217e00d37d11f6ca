"""The steps of `lstm_cell.py` for a batch, by compiled kernels where there are any.

The kernels compute what depends on the previous step: forward everything, backward the
gradients da of the arguments of the gates. The gradients of inputs and parameters are
matrix products with them:

    dx = da·Wxᵀ    dWx = xᵀ·da    dWh = h₋ᵀ·da    db = sum of the rows of da

Elsewhere `fused_lstm.py` runs: without kernels, on a GPU, in float64, and while states
are recorded. The numbers are the same, up to rounding.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from thinc.api import Model
from thinc.types import Floats2d

from .. import kernels
from . import fused_lstm
from .packing import Packing
from .recording import active_recorder

_PARAMS = ("Wx", "Wh", "b")
#: The number of multiplications of a layer from which on two threads are faster.
TWO_THREADS = 8_000_000


def run_layer(
    cells: list[Model], X: Floats2d, packing: Packing, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    """Run the cells of one layer, each in its own direction. Arguments and result are
    those of `fused_lstm.run_layer`."""
    params = [tuple(cell.get_param(name) for name in _PARAMS) for cell in cells]
    native = kernels.kernels_for(*(array for group in params for array in group))
    if native is None or type(X) is not np.ndarray or active_recorder() is not None:
        return fused_lstm.run_layer(cells, X, packing, is_train)
    # In the order in which the kernels read them. A copy from an earlier call could be
    # used again if it were compared with the parameters, which optimizers and users
    # change in place; but that takes as long.
    packed = tuple(native.PackedCell(*group, len(X), is_train) for group in params)
    X = np.ascontiguousarray(X)
    n_rows, nH, D = len(X), cells[0].get_dim("nO"), len(cells)
    sizes = np.array(packing.sizes, dtype="int64")
    threads = 1
    if D > 1 and n_rows * (X.shape[1] + nH) * 4 * nH * D >= TWO_THREADS:
        threads = native.num_threads()
    Y = np.empty((n_rows, D * nH), dtype="float32")
    H_prev: Any = np.empty_like(Y) if is_train else None
    cache = native.lstm_forward(packed, X, sizes, packing.orders, Y, H_prev, threads)

    def backprop(dY: Floats2d) -> Floats2d:
        dA = np.empty((n_rows, D, 4 * nH), dtype="float32")
        dY = np.ascontiguousarray(dY, dtype="float32")
        native.lstm_backward(packed, cache, dY, sizes, packing.orders, dA, threads)
        dX, ones = np.zeros_like(X), np.ones(n_rows, dtype="float32")
        for k, cell in enumerate(cells):
            da, h_prev = dA[:, k], H_prev[:, k * nH : (k + 1) * nH]
            cell.inc_grad("Wx", X.T @ da)
            cell.inc_grad("Wh", h_prev.T @ da)
            # `sum` adds one row after the other, which loses digits in long texts.
            cell.inc_grad("b", ones @ da)
            dX += da @ cell.get_param("Wx").T
        return dX

    return Y, backprop
