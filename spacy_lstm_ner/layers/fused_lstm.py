"""The steps of `lstm_cell.py` for all cells of one layer and all steps of a batch.

The numbers are those of `lstm_step`, up to rounding; the tests compare the outputs and
all gradients. This form exists only for its speed, where there are no compiled kernels.
With the sizes of the default config, on one CPU thread, calling the cell for each step
(unrolled.py) takes 1.7 times as long in inference and 1.4 times as long in training for
32 sequences of 5 to 119 steps, and 3 to 6 times as long for a single sequence of 50
steps. The differences:

- The cells of all D directions of a layer run in one loop, and arrays have an axis for
  the gates and one for the directions: gates (4, D, n, nH), states (D, n, nH).
- The order of the gates is o, i, f, g: the three sigmoids are adjacent, and so are the
  three gates that affect the cell state.
- One call of tanh computes all four gates: the weights of the sigmoid gates are halved
  beforehand, since σ(a) = (1 + tanh(a/2)) / 2.
- What does not depend on the previous step is computed for a block of steps at once:
  before the loop the *input projection* x·Wx + b, after it the gradients of inputs and
  parameters. Backward, the *local gradients* of a block, the derivatives of its outputs
  without the incoming gradient, are computed before its loop.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from thinc.api import Model, get_array_module
from thinc.types import Floats2d, Floats3d, Floats4d

from .packing import Block, Packing
from .recording import active_recorder
from .util import append_zero_rows

# Rows that are processed at a time: few enough to stay in the cache of a core.
_BLOCK_ROWS = 128


def run_layer(
    cells: list[Model], X: Floats2d, packing: Packing, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    """Run the LSTM cells of one layer, each in its own direction, in one loop.

    cells: D `LSTMCell` layers, one for each direction.
    X: (N, nI) rows in ragged order.
    packing: Their time-major order.
    is_train: Whether `backprop` will be called.
    RETURNS: (N, D·nH) hidden states, directions side by side; and backprop, from their
        gradient to that of X.
    """
    xp = cells[0].ops.xp
    n_rows, nH, D = len(X), cells[0].get_dim("nO"), len(cells)
    orders = packing.orders[:D]
    blocks = list(packing.blocks(_BLOCK_ROWS))
    weights = Weights.of(cells)
    inputs = X[orders]  # (D, N, nI)
    H = xp.empty((D, n_rows, nH), dtype=X.dtype)
    recorder = active_recorder()
    keep = is_train or recorder is not None
    # One large array, since that is allocated faster than several small ones.
    cache = ForwardCache.empty(D, n_rows if keep else 0, nH, like=X)
    h = c = xp.zeros((D, packing.sizes[0], nH), dtype=X.dtype)
    for block in blocks:
        projection = input_projection(inputs[:, block.rows], weights)
        block_cache = cache.rows(block.rows) if keep else None
        h, c = _run_block(
            block, projection, h, c, weights.Wh, H[:, block.rows], block_cache
        )
    Y = xp.empty((n_rows, D, nH), dtype=X.dtype)
    for k, order in enumerate(orders):
        Y[order, k] = H[k]
    if recorder is not None:
        o, i, f, g = cache.gates
        recorder.record(cells, (i, f, o, g, f * cache.c_prev + i * g, H), orders)

    def backprop(dY: Floats2d) -> Floats2d:
        dY = dY.reshape(Y.shape)
        dH = xp.stack([dY[order, k] for k, order in enumerate(orders)])
        d_inputs = xp.empty_like(inputs)
        weights = TransposedWeights.of(cells)
        gradients = Gradients.zeros(cells)
        dh = dc = xp.zeros((D, 0, nH), dtype=X.dtype)
        for block in reversed(blocks):
            rows = block.rows
            block_cache = cache.rows(rows)
            dA, dh, dc = _run_block_backward(
                block, dH[:, rows], dh, dc, block_cache, weights.Wh
            )
            gradients.add(inputs[:, rows], block_cache.h_prev, dA)
            d_inputs[:, rows] = input_gradient(dA, weights.Wx)
        gradients.accumulate(cells)
        dX = xp.empty_like(X)
        dX[orders[0]] = d_inputs[0]
        for order, dx in zip(orders[1:], d_inputs[1:], strict=True):
            dX[order] += dx
        return dX

    return Y.reshape((n_rows, D * nH)), backprop


def _run_block(
    block: Block,
    projection: Floats4d,
    h: Floats3d,
    c: Floats3d,
    Wh: Floats4d,
    H: Floats3d,
    cache: "ForwardCache | None",
) -> tuple[Floats3d, Floats3d]:
    """The steps of a block, forward, with n rows in total.

    projection: (4, D, n, nH), see `input_projection`.
    h, c (Floats3d): (D, at least the size of the first step, nH), the state before it.
    H: (D, n, nH), output: the hidden states.
    cache: Output: what the backward pass needs.
    RETURNS: h and c after the last step.
    """
    for rows in block.steps:
        # Finished sequences come last, so slicing drops them.
        size = rows.stop - rows.start
        h_prev, c_prev = h[:, :size], c[:, :size]
        gates, h, c, tanh_c = fused_step(projection[:, :, rows], h_prev, c_prev, Wh)
        H[:, rows] = h
        if cache is not None:
            cache.gates[:, :, rows] = gates
            cache.h_prev[:, rows], cache.c_prev[:, rows] = h_prev, c_prev
            cache.tanh_c[:, rows] = tanh_c
    return h, c


def _run_block_backward(
    block: Block,
    dH: Floats3d,
    dh: Floats3d,
    dc: Floats3d,
    cache: "ForwardCache",
    Wh: Floats4d,
) -> tuple[Floats4d, Floats3d, Floats3d]:
    """The same steps, backward.

    dH: (D, n, nH), the gradient of the hidden states.
    dh, dc (Floats3d): (D, size of the step after the block, nH), the gradients of the
        state after the block, from the steps that follow.
    Wh: (4, D, nH, nH), transposed.
    RETURNS: dA (4, D, n, nH), the gradient of the arguments of σ and tanh; and dh and
        dc before the first step.
    """
    local = local_gradients(cache)
    dA = get_array_module(dH).empty_like(local.gates)
    for rows in reversed(block.steps):
        size = rows.stop - rows.start
        # Sequences that end at this step have no gradient from later steps.
        dh, dc = append_zero_rows(dh, size), append_zero_rows(dc, size)
        da = dA[:, :, rows]
        dc = fused_step_backward(dh + dH[:, rows], dc, local.rows(rows), da)
        dh = input_gradient(da, Wh)
    return dA, dh, dc


class Weights(NamedTuple):
    """The parameters of D cells for the forward pass; those of the sigmoid gates are
    halved."""

    Wx: Floats4d  # (4, D, nI, nH)
    Wh: Floats4d  # (4, D, nH, nH)
    b: Floats4d  # (4, D, 1, nH)

    @classmethod
    def of(cls, cells: Sequence[Model]) -> "Weights":
        weights = cls(*(_by_gate(cells, name) for name in cls._fields))
        for array in weights:
            array[:3] *= 0.5
        return weights


class TransposedWeights(NamedTuple):
    """The parameters of D cells for the backward pass, not halved."""

    Wx: Floats4d  # (4, D, nH, nI)
    Wh: Floats4d  # (4, D, nH, nH)

    @classmethod
    def of(cls, cells: Sequence[Model]) -> "TransposedWeights":
        xp = cells[0].ops.xp
        arrays = (_by_gate(cells, name) for name in cls._fields)
        # Products with a small matrix are much faster if it is contiguous.
        return cls(*(xp.ascontiguousarray(array.swapaxes(2, 3)) for array in arrays))


def _by_gate(cells: Sequence[Model], name: str) -> Floats4d:
    """A parameter of D cells, from columns i f g o to (4, D, rows, nH), o i f g."""
    params = [cell.get_param(name) for cell in cells]
    nH = cells[0].get_dim("nO")
    rows = params[0].size // (4 * nH)
    shape = (4, len(cells), rows, nH)
    array = cells[0].ops.xp.empty(shape, dtype=params[0].dtype)
    for k, param in enumerate(params):
        gates = param.reshape((rows, 4, nH)).swapaxes(0, 1)
        array[0, k], array[1:, k] = gates[3], gates[:3]
    return array


class ForwardCache(NamedTuple):
    """What the backward pass of n steps needs from the forward pass."""

    gates: Floats4d  # (4, D, n, nH): o, i, f, g
    h_prev: Floats3d  # (D, n, nH)
    c_prev: Floats3d  # (D, n, nH)
    tanh_c: Floats3d  # (D, n, nH)

    @classmethod
    def empty(cls, D: int, n: int, nH: int, *, like: Floats2d) -> "ForwardCache":
        """Allocate the cache of n steps, with the device and dtype of `like`."""
        arrays = get_array_module(like).empty((7, D, n, nH), dtype=like.dtype)
        return cls(arrays[:4], *arrays[4:])

    def rows(self, rows: slice) -> "ForwardCache":
        """The cache of some of the steps."""
        return ForwardCache(*(array[..., rows, :] for array in self))


class LocalGradients(NamedTuple):
    """The derivatives of the outputs of n steps, without the incoming gradients dh and
    dc: so they can be computed for several steps at once."""

    gates: Floats4d  # (4, D, n, nH): of h by a_o, and of c by a_i, a_f and a_g
    h_by_c: Floats3d  # (D, n, nH): of h by c
    c_by_c_prev: Floats3d  # (D, n, nH): of c by c₋, which is f

    def rows(self, rows: slice) -> "LocalGradients":
        """The derivatives of some of the steps."""
        return LocalGradients(
            self.gates[:, :, rows], self.h_by_c[:, rows], self.c_by_c_prev[:, rows]
        )


def input_projection(x: Floats3d, weights: Weights) -> Floats4d:
    """x·Wx + b, (4, D, n, nH), of the inputs (D, n, nI) of any number of steps."""
    projection = x @ weights.Wx  # (4, D, n, nH)
    projection += weights.b
    return projection


def fused_step(
    projection: Floats4d, h: Floats3d, c: Floats3d, Wh: Floats4d
) -> tuple[Floats4d, Floats3d, Floats3d, Floats3d]:
    """One step forward.

    projection: (4, D, n, nH), see `input_projection`.
    h, c (Floats3d): (D, n, nH), hidden and cell state of the previous step.
    Wh: (4, D, nH, nH), of `Weights`.
    RETURNS: The gates o, i, f, g (4, D, n, nH); and h, c and tanh(c), each (D, n, nH).
    """
    tanh = get_array_module(h).tanh
    gates = h @ Wh  # (4, D, n, nH)
    gates += projection
    tanh(gates, out=gates)
    sigmoids = gates[:3]  # (3, D, n, nH)
    sigmoids *= 0.5
    sigmoids += 0.5
    o, i, f, g = gates  # (D, n, nH) each
    c = f * c
    c += i * g
    tanh_c = tanh(c)
    return gates, o * tanh_c, c, tanh_c


def local_gradients(cache: ForwardCache) -> LocalGradients:
    """The local gradients of n steps."""
    o, i, f, g = cache.gates  # (D, n, nH) each
    sigmoids = cache.gates[:3]  # (3, D, n, nH)
    local = get_array_module(o).empty_like(cache.gates)  # (4, D, n, nH)
    local[:3] = sigmoids * (1 - sigmoids)
    local[0] *= cache.tanh_c
    local[1] *= g
    local[2] *= cache.c_prev
    local[3] = i * (1 - g * g)
    return LocalGradients(local, o * (1 - cache.tanh_c * cache.tanh_c), f)


def fused_step_backward(
    dh: Floats3d, dc: Floats3d, local: LocalGradients, da: Floats4d
) -> Floats3d:
    """One step backward.

    dh, dc (Floats3d): (D, n, nH), gradients of the hidden and the cell state.
    local: Those of this step.
    da: (4, D, n, nH), output: the gradient of the arguments of σ and tanh.
    RETURNS: dc₋ (D, n, nH). The third gradient, dh₋, is ``input_gradient(da, Wh)``.
    """
    multiply = get_array_module(dh).multiply
    dc = dc + dh * local.h_by_c
    multiply(local.gates[0], dh, out=da[0])
    multiply(local.gates[1:], dc, out=da[1:])
    return dc * local.c_by_c_prev


def input_gradient(da: Floats4d, W: Floats4d) -> Floats3d:
    """The gradient of x or of h₋: da·Wᵀ, summed over the gates.

    da: (4, D, n, nH).
    W: (4, D, nH, width), one of `TransposedWeights`.
    RETURNS: (D, n, width).
    """
    return (da @ W).sum(axis=0)


class Gradients(NamedTuple):
    """The gradients of the parameters of D cells, in the shapes of `Weights`."""

    Wx: Floats4d
    Wh: Floats4d
    b: Floats4d

    @classmethod
    def zeros(cls, cells: Sequence[Model]) -> "Gradients":
        nI, nH = cells[0].get_dim("nI"), cells[0].get_dim("nO")
        zeros = partial(cells[0].ops.xp.zeros, dtype=cells[0].get_param("b").dtype)
        return cls(*(zeros((4, len(cells), rows, nH)) for rows in (nI, nH, 1)))

    def add(self, x: Floats3d, h_prev: Floats3d, da: Floats4d) -> None:
        """Add those of n steps: x (D, n, nI), h_prev (D, n, nH), da (4, D, n, nH)."""
        Wx, Wh, b = self
        Wx += x.swapaxes(1, 2) @ da
        Wh += h_prev.swapaxes(1, 2) @ da
        b += da.sum(axis=2, keepdims=True)

    def accumulate(self, cells: Sequence[Model]) -> None:
        """Add them to the gradients of the cells."""
        for name, array in self._asdict().items():
            for k, cell in enumerate(cells):
                o, i, f, g = array[:, k]
                gradient = cell.ops.xp.hstack((i, f, g, o))
                cell.inc_grad(name, gradient.reshape(cell.get_param(name).shape))
