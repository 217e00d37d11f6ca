"""A recurrent cell run over a batch of sequences: directions, depth and dropout.

A direction is nothing but an order of the rows (packing.py), so the same code reads
forward and backward:

    ragged rows ──┬─► time-major, forward  ──► cell 0 ──► ragged ──┬─► next layer
                  └─► time-major, backward ──► cell 1 ──► ragged ──┘  (side by side)
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from thinc.api import Model, to_numpy
from thinc.types import Floats2d, Ints1d, Ragged

from .packing import Packing, pack

Backprop = Callable[[Floats2d], Floats2d]
RunLayer = Callable[[list[Model], Floats2d, Packing, bool], tuple[Floats2d, Backprop]]


def recurrent_layer(
    name: str,
    make_cell: Callable[[], Model],
    run_layer: RunLayer,
    nO: int | None,
    nI: int | None,
    *,
    bi: bool,
    depth: int,
    dropout: float,
) -> Model[Ragged, Ragged]:
    """Build a recurrent layer over ragged batches: see `LSTM` for its arguments.

    make_cell: Creates a cell without sizes.
    run_layer: Takes the cells of one layer (one for each direction), its input (N,
        width) in ragged order, the time-major order, and whether gradients are needed.
        Returns the output, directions side by side, and a function from its gradient to
        that of the input.
    """
    if depth < 1:
        raise ValueError(f"{name}: the depth has to be at least 1, not {depth}.")
    if not 0 <= dropout < 1:
        raise ValueError(
            f"{name}: the dropout has to be at least 0 and below 1, not {dropout}."
        )
    if min(1 if size is None else size for size in (nO, nI)) < 1:
        raise ValueError(f"{name}: widths have to be at least 1, not {nO=}, {nI=}.")
    _check_width(name, nO, bi)
    return Model(
        name,
        partial(forward, run_layer),
        init=init,
        dims={"nO": nO, "nI": nI},
        layers=[make_cell() for _ in range(depth * (2 if bi else 1))],
        attrs={"bi": bi, "depth": depth, "dropout_rate": dropout},
    )


def init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    if X is not None:
        model.set_dim("nI", X.dataXd.shape[1])
    if Y is not None:
        model.set_dim("nO", Y.dataXd.shape[1])
    nO, nI = model.get_dim("nO"), model.get_dim("nI")
    _check_width(model.name, nO, model.attrs["bi"])
    directions = n_directions(model)
    for i, cell in enumerate(model.layers):
        cell.set_dim("nO", nO // directions)
        cell.set_dim("nI", nI if i < directions else nO)
        cell.initialize()


def _check_width(name: str, nO: int | None, bi: bool) -> None:
    if bi and nO is not None and nO % 2:
        raise ValueError(
            f"{name}: with bi=True, each direction gives half of the output, so nO has "
            f"to be even, not {nO} (try {nO + 1})."
        )


def n_directions(model: Model[Ragged, Ragged]) -> int:
    """1, or 2 for a bidirectional layer."""
    return 2 if model.attrs["bi"] else 1


def forward(
    run_layer: RunLayer, model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    X: Floats2d = Xr.dataXd  # (N, nI)
    X = X.astype(model.layers[0].get_param("b").dtype, copy=False)
    if not len(X):
        return _empty(model, "nO", X, Xr), lambda dYr: _empty(model, "nI", X, dYr)
    nI = model.get_dim("nI")
    if X.shape[1] != nI:
        raise ValueError(
            f"{model.name}: the input has a width of {X.shape[1]}, expected {nI}."
        )
    packing = pack(model.ops, Xr.lengths, len(X))
    X, dropout_backprop = sequence_dropout(model, X, Xr.lengths, is_train)
    callbacks = [dropout_backprop]
    directions = n_directions(model)
    for i in range(0, len(model.layers), directions):
        cells = model.layers[i : i + directions]
        X, layer_backprop = run_layer(cells, X, packing, is_train)
        X, dropout_backprop = sequence_dropout(model, X, Xr.lengths, is_train)
        callbacks += [layer_backprop, dropout_backprop]

    def backprop(dYr: Ragged) -> Ragged:
        dY = dYr.dataXd
        for callback in reversed(callbacks):
            dY = callback(dY)
        return Ragged(dY, dYr.lengths)

    return Ragged(X, Xr.lengths), backprop


def _empty(model: Model, dim: str, X: Floats2d, batch: Ragged) -> Ragged:
    """No rows, but of the right width: Thinc flattens an empty list of sequences to no
    columns."""
    rows = model.ops.xp.empty((0, model.get_dim(dim)), dtype=X.dtype)
    return Ragged(rows, batch.lengths)


def sequence_dropout(
    model: Model, X: Floats2d, lengths: Ints1d, is_train: bool
) -> tuple[Floats2d, Backprop]:
    """Apply dropout with the layer's `dropout_rate` and one mask for all steps of a
    sequence (Gal & Ghahramani, 2016).

    X: (N, width) rows in ragged order.
    RETURNS: (N, width), and backprop.
    """
    rate = model.attrs["dropout_rate"]
    if not is_train or rate <= 0:
        return X, lambda dX: dX
    mask = model.ops.get_dropout_mask((len(lengths), X.shape[1]), rate)  # (B, width)
    lengths = to_numpy(lengths)
    sequence_of_row = np.repeat(np.arange(len(lengths)), lengths)  # (N,)
    mask = mask[model.ops.asarray(sequence_of_row)]  # (N, width)
    return X * mask, lambda dX: dX * mask
