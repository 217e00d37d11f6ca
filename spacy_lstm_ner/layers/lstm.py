"""The LSTM cell run over a batch of sequences, in one or both directions, any depth.

A batch is taken through time: each step of the loop moves all sequences that still run
(packing.py says how they lie). A direction is an order of the rows and nothing else, so
the backward LSTM is the same code with another index.

    ragged rows ──┬─► time-major, forwards ──► cell 0 ──► ragged ──┬─► next layer
                  └─► time-major, backwards ─► cell 1 ──► ragged ──┘  (side by side)

Both cells of a layer go through one loop, which halves the number of its small steps.
What does not wait for a step is done for a block of steps at once: before the loop what
the inputs add to the gates, after it the gradients of inputs and weights.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import NamedTuple

import numpy as np
from thinc.api import Model, get_array_module, to_numpy
from thinc.types import Floats2d, Floats3d, Floats4d, Ints1d, Ints2d, Ragged

from .lstm_cell import (
    Gradients,
    LSTMCell,
    Trace,
    TransposedWeights,
    Weights,
    gate_slopes,
    input_share,
    lstm_step,
    lstm_step_back,
    through,
)
from .packing import Block, Packing, pack

# Rows that are worked on at a time: so few that they stay in the cache of a core.
_BLOCK_ROWS = 128

Backprop = Callable[[Floats2d], Floats2d]
RunLayer = Callable[[list[Model], Floats2d, Packing, bool], tuple[Floats2d, Backprop]]


def LSTM(
    nO: int | None = None,
    nI: int | None = None,
    *,
    bi: bool = False,
    depth: int = 1,
    dropout: float = 0.0,
) -> Model[Ragged, Ragged]:
    """An LSTM layer over a ragged batch, in NumPy or CuPy.

    A sequence gets the same vectors, up to rounding, whatever else is in the batch.
    `TorchLSTM` takes the same arguments, gives the same numbers and saves the same
    bytes.

    nO (int | None): Width of the output: both directions side by side if `bi`.
    nI (int | None): Width of the input. Missing sizes are taken from the sample that
        `Model.initialize` is given.
    bi (bool): Read each sequence in both directions (Graves & Schmidhuber, 2005)
        with ``nO / 2`` hidden units each.
    depth (int): Number of layers; each reads the output of the one below.
    dropout (float): In training, the chance of each unit to be dropped from what a
        layer reads and from what the last one puts out: on all connections but the
        recurrent ones (Zaremba, Sutskever & Vinyals, 2014). One mask serves all steps
        of a sequence (Gal & Ghahramani, 2016). `thinc.api.set_dropout_rate`, and so
        `nlp.update(drop=…)`, sets it.
    RETURNS (Model[Ragged, Ragged]): The layer. `layers` holds its cells in the order
        layer 0 forwards, layer 0 backwards, layer 1 forwards, …; it has no parameters
        of its own.
    RAISES (ValueError): For a depth or a width below 1, an odd nO where `bi` is set, or
        a dropout that is not below 1; in use, for an input of another width.
    """
    return sequence_layer("lstm", _run_layer, nO, nI, bi, depth, dropout)


def sequence_layer(
    name: str,
    run_layer: RunLayer,
    nO: int | None,
    nI: int | None,
    bi: bool,
    depth: int,
    dropout: float,
) -> Model[Ragged, Ragged]:
    """What `LSTM` and `TorchLSTM` share: all but the arithmetic of one layer. Each
    loads what the other has saved.

    run_layer (RunLayer): Takes the cells of one layer (one a direction), its input
        (N, width) in ragged order, the order of time, and whether gradients will be
        wanted. Returns the output, directions side by side, and what takes its
        gradient to that of the input.
    """
    if depth < 1:
        raise ValueError(f"An LSTM needs a depth of at least 1, not {depth}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"Dropout has to be at least 0 and below 1, not {dropout}.")
    if min(1 if size is None else size for size in (nO, nI)) < 1:
        raise ValueError(f"An LSTM needs widths of at least 1, not {nO=}, {nI=}.")
    _check_width(nO, bi)
    return Model(
        name,
        partial(forward, run_layer),
        init=init,
        dims={"nO": nO, "nI": nI},
        layers=[LSTMCell() for _ in range(depth * (2 if bi else 1))],
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
    _check_width(nO, model.attrs["bi"])
    directions = _directions(model)
    for i, cell in enumerate(model.layers):
        cell.set_dim("nO", nO // directions)
        cell.set_dim("nI", nI if i < directions else nO)
        cell.initialize()


def _check_width(nO: int | None, bi: bool) -> None:
    if bi and nO is not None and nO % 2:
        raise ValueError(
            f"An LSTM in both directions cannot be {nO} wide: each direction gives "
            f"half of the output, so nO has to be even (try {nO + 1})."
        )


def check_lstm(model: Model[Ragged, Ragged]) -> None:
    """RAISES (ValueError): For attributes, as of a file, that no `LSTM` can have."""
    bi, depth, rate = (model.attrs[name] for name in ("bi", "depth", "dropout_rate"))
    if not isinstance(bi, bool) or depth * _directions(model) != len(model.layers):
        raise ValueError(
            f"lstm has bi = {bi!r:.40} and depth = {depth!r:.40}, which do not go with "
            f"{len(model.layers)} cells"
        )
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise ValueError(f"lstm has dropout_rate = {rate!r:.40}")


def _directions(model: Model) -> int:
    return 2 if model.attrs["bi"] else 1


def forward(
    run_layer: RunLayer, model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    X: Floats2d = Xr.dataXd
    X = X.astype(model.layers[0].get_param("b").dtype, copy=False)
    if not len(X):
        return _empty(model, "nO", X, Xr), lambda dYr: _empty(model, "nI", X, dYr)
    nI = model.get_dim("nI")
    if X.shape[1] != nI:
        raise ValueError(f"{model.name}: the input is {X.shape[1]} wide, not {nI}.")
    if _watch.get() is not None:
        # PyTorch does not show its gates; with the same weights, these are the same.
        run_layer = _run_layer
    packing = pack(model.ops, Xr.lengths, len(X))
    X, undrop = drop_units(model, X, Xr.lengths, is_train)
    callbacks = [undrop]
    directions = _directions(model)
    for i in range(0, len(model.layers), directions):
        cells = model.layers[i : i + directions]
        X, backprop_layer = run_layer(cells, X, packing, is_train)
        X, undrop = drop_units(model, X, Xr.lengths, is_train)
        callbacks += [backprop_layer, undrop]

    def backprop(dYr: Ragged) -> Ragged:
        dY = dYr.dataXd
        for callback in reversed(callbacks):
            dY = callback(dY)
        return Ragged(dY, dYr.lengths)

    return Ragged(X, Xr.lengths), backprop


def _empty(model: Model, dim: str, X: Floats2d, batch: Ragged) -> Ragged:
    """No rows. Their width has to be said, since Thinc flattens an empty list of
    sequences to no columns."""
    rows = model.ops.xp.empty((0, model.get_dim(dim)), dtype=X.dtype)
    return Ragged(rows, batch.lengths)


def drop_units(
    model: Model, X: Floats2d, lengths: Ints1d, is_train: bool
) -> tuple[Floats2d, Backprop]:
    """Drop units of a ragged batch by the layer's `dropout_rate`, the same ones at all
    steps of a sequence.

    X (Floats2d): (N, width).
    RETURNS (tuple[Floats2d, Callable]): (N, width), and what takes a gradient back.
    """
    rate = model.attrs["dropout_rate"]
    if not is_train or rate <= 0:
        return X, lambda dX: dX
    mask = model.ops.get_dropout_mask((len(lengths), X.shape[1]), rate)
    lengths = to_numpy(lengths)
    sequence_of_row = np.repeat(np.arange(len(lengths)), lengths)
    mask = mask[model.ops.asarray(sequence_of_row)]
    return X * mask, lambda dX: dX * mask


class States(NamedTuple):
    """What the cells of one layer did at each of N rows, in the order of the batch.

    The first of D directions reads forwards, the second one backwards. All arrays are
    (D, N, nH), on the CPU.
    """

    input_gate: Floats3d  # i, 0 (closed) to 1 (open)
    forget_gate: Floats3d  # f, likewise
    output_gate: Floats3d  # o, likewise
    candidate: Floats3d  # g, -1 to 1
    cell: Floats3d  # c, after this step
    hidden: Floats3d  # h, -1 to 1: the output of the layer


class _Watch:
    """What is seen of some cells."""

    def __init__(self, cells: Collection[Model]):
        self.ids = {cell.id for cell in cells}
        self.seen: list[States] = []

    def see(
        self, cells: list[Model], trace: Trace, H: Floats3d, orders: Ints2d
    ) -> None:
        if not self.ids.issuperset(cell.id for cell in cells):
            return
        o, i, f, g = trace.gates
        c = f * trace.c_prev + i * g
        packed = [to_numpy(array) for array in (i, f, o, g, c, H)]
        states = States(*(np.empty_like(array) for array in packed))
        for array, rows in zip(states, packed, strict=True):
            for k, order in enumerate(to_numpy(orders)):
                array[k, order] = rows[k]
        self.seen.append(states)


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(cells: Collection[Model]) -> Iterator[list[States]]:
    """Look on while layers run: inside of the block, each layer all of whose cells are
    among these adds what its cells do to the list, in the order in which layers run.

        with watched(layer.layers) as seen:
            layer.predict(batch)

    A `TorchLSTM` runs as `LSTM` there, with its own weights. Other threads are not
    watched.

    cells (Collection[Model]): The cells, as in the `layers` of an `LSTM`.
    YIELDS (list[States]): One for each layer each time that it runs.
    """
    watch = _Watch(cells)
    before = _watch.set(watch)
    try:
        yield watch.seen
    finally:
        _watch.reset(before)


def _run_layer(
    cells: list[Model], X: Floats2d, packing: Packing, is_train: bool
) -> tuple[Floats2d, Backprop]:
    """The cells of one layer, each in its own direction, all in one loop."""
    xp = cells[0].ops.xp
    n_rows, nH, D = len(X), cells[0].get_dim("nO"), len(cells)
    orders = packing.orders[:D]
    blocks = list(packing.blocks(_BLOCK_ROWS))
    weights = Weights.of(cells)
    inputs = X[orders]  # (D, N, nI)
    H = xp.empty((D, n_rows, nH), dtype=X.dtype)
    watch = _watch.get()
    keep = is_train or watch is not None
    # One allocation, since one large piece of memory is found faster than many.
    trace = Trace.empty(D, n_rows if keep else 0, nH, like=X)
    h = c = xp.zeros((D, packing.sizes[0], nH), dtype=X.dtype)
    for block in blocks:
        share = input_share(inputs[:, block.rows], weights)
        kept = trace.rows(block.rows) if keep else None
        h, c = _run_block(block, share, h, c, weights.Wh, H[:, block.rows], kept)
    Y = xp.empty((n_rows, D, nH), dtype=X.dtype)
    for k, order in enumerate(orders):
        Y[order, k] = H[k]
    if watch is not None:
        watch.see(cells, trace, H, orders)

    def backprop(dY: Floats2d) -> Floats2d:
        dY = dY.reshape(Y.shape)
        dH = xp.stack([dY[order, k] for k, order in enumerate(orders)])
        d_inputs = xp.empty_like(inputs)
        weights = TransposedWeights.of(cells)
        gradients = Gradients.zeros(cells)
        dh = dc = xp.zeros((D, 0, nH), dtype=X.dtype)
        for block in reversed(blocks):
            rows = block.rows
            kept = trace.rows(rows)
            dA, dh, dc = _run_block_back(block, dH[:, rows], dh, dc, kept, weights.Wh)
            gradients.add(inputs[:, rows], kept.h_prev, dA)
            d_inputs[:, rows] = through(dA, weights.Wx)
        gradients.give_to(cells)
        dX = xp.empty_like(X)
        dX[orders[0]] = d_inputs[0]
        for order, dx in zip(orders[1:], d_inputs[1:], strict=True):
            dX[order] += dx
        return dX

    return Y.reshape((n_rows, D * nH)), backprop


def _run_block(
    block: Block,
    share: Floats4d,
    h: Floats3d,
    c: Floats3d,
    Wh: Floats4d,
    H: Floats3d,
    trace: Trace | None,
) -> tuple[Floats3d, Floats3d]:
    """Some steps forwards, over the n rows of the block.

    share (Floats4d): (4, D, n, nH), what the inputs add to the gates.
    h, c (Floats3d): (D, at least the size of the first step, nH), the state before it.
    H (Floats3d): (D, n, nH), takes the hidden states.
    trace (Trace | None): Takes what the way back needs.
    RETURNS (tuple[Floats3d, Floats3d]): h and c after the last step.
    """
    for rows in block.steps:
        # Sequences that ended stand last: cutting the rows lets them drop out.
        size = rows.stop - rows.start
        h_prev, c_prev = h[:, :size], c[:, :size]
        gates, h, c, tanh_c = lstm_step(share[:, :, rows], h_prev, c_prev, Wh)
        H[:, rows] = h
        if trace is not None:
            trace.gates[:, :, rows] = gates
            trace.h_prev[:, rows], trace.c_prev[:, rows] = h_prev, c_prev
            trace.tanh_c[:, rows] = tanh_c
    return h, c


def _run_block_back(
    block: Block, dH: Floats3d, dh: Floats3d, dc: Floats3d, trace: Trace, Wh: Floats4d
) -> tuple[Floats4d, Floats3d, Floats3d]:
    """The same steps back.

    dH (Floats3d): (D, n, nH), gradient of the hidden states.
    dh, dc (Floats3d): (D, size of the step after the block, nH), what comes back
        through time.
    Wh (Floats4d): (4, D, nH, nH), transposed.
    RETURNS (tuple[Floats4d, Floats3d, Floats3d]): dA (4, D, n, nH), the gradient of
        what stands inside the gates; and dh and dc before the first step.
    """
    slopes = gate_slopes(trace)
    dA = get_array_module(dH).empty_like(slopes.gates)
    for rows in reversed(block.steps):
        size = rows.stop - rows.start
        dh, dc = _with_rows(dh, size), _with_rows(dc, size)
        da = dA[:, :, rows]
        dc = lstm_step_back(dh + dH[:, rows], dc, slopes.rows(rows), da)
        dh = through(da, Wh)
    return dA, dh, dc


def _with_rows(d_state: Floats3d, size: int) -> Floats3d:
    """Room for sequences whose last step this is: nothing comes back for them yet."""
    D, rows, nH = d_state.shape
    if rows == size:
        return d_state
    larger = get_array_module(d_state).zeros((D, size, nH), dtype=d_state.dtype)
    larger[:, :rows] = d_state
    return larger
