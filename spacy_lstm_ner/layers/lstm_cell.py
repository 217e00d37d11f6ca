"""One step of an LSTM, forwards and back.

An LSTM (long short-term memory; Hochreiter & Schmidhuber, 1997, with the forget gate of
Gers, Schmidhuber & Cummins, 2000) reads a sequence one vector at a time and carries two
vectors from step to step: the *hidden state* h, which is also its output, and the
*cell state* c, its memory. At each step four *gates* look at the input x and at the
hidden state of the step before, h₋:

    i = σ(x·Wx_i + h₋·Wh_i + b_i)       input gate:   what to write
    f = σ(x·Wx_f + h₋·Wh_f + b_f)       forget gate:  what to keep
    g = tanh(x·Wx_g + h₋·Wh_g + b_g)    candidate:    the values to write
    o = σ(x·Wx_o + h₋·Wh_o + b_o)       output gate:  what to show

    c = f ∘ c₋ + i ∘ g
    h = o ∘ tanh(c)

σ(a) = 1 / (1 + exp(-a)) lies between 0 (closed) and 1 (open); ∘ multiplies number by
number. With f open and i closed, c passes a step as it is, and so does its gradient:
that is why an LSTM remembers over many steps.

    c₋ ──────────►(∘)───────────►(+)────────┬───────────────► c
                   ▲              ▲         │
                   │              │        tanh
                   │             (∘)        │
                   │             ▲ ▲        ▼
                   │             │ │ ┌────►(∘)──────────────► h
                   f             i g o
                   ▲             ▲ ▲ ▲
                   └──────┬──────┴─┴─┘
                          │
    h₋ ───► x·Wx + h₋·Wh + b      two products give all four gates
                ▲
                x

Shapes, for n sequences at once, nI inputs and nH hidden units:

    x (n, nI)    h, c (n, nH)    Wx (nI, 4·nH)    Wh (nH, 4·nH)    b (4·nH,)

The parameters have the four gates side by side in their columns, in the order i, f, g,
o. Backwards, with dz the gradient of the loss with respect to z, and a_i, a_f, a_g, a_o
for what stands inside the brackets above:

    dc  += dh ∘ o ∘ (1 - tanh²(c))            c acts on the loss through h, too
    da_i = dc ∘ g ∘ i ∘ (1 - i)               since σ' = σ ∘ (1 - σ)
    da_f = dc ∘ c₋ ∘ f ∘ (1 - f)
    da_g = dc ∘ i ∘ (1 - g²)                  since tanh' = 1 - tanh²
    da_o = dh ∘ tanh(c) ∘ o ∘ (1 - o)

    dx = da·Wxᵀ    dh₋ = da·Whᵀ    dc₋ = dc ∘ f
    dWx = xᵀ·da    dWh = h₋ᵀ·da    db = the rows of da, summed

The functions at the end of this file are the arithmetic. `LSTM` in lstm.py runs them
over whole batches, in D directions at once, so their arrays have more axes than those
above: the gates come first, then the directions (D is 1 for the cell by itself):

    x (D, n, nI)    h, c (D, n, nH)    gates, da (4, D, n, nH)

and the order of the gates is o, i, f, g: the three that are sigmoids lie together, and
so do the three that act through c.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from thinc.api import Model, Ops, get_array_module, glorot_uniform_init
from thinc.types import Floats2d, Floats3d, Floats4d

InT = tuple[Floats2d, Floats2d, Floats2d]
OutT = tuple[Floats2d, Floats2d]


def LSTMCell(nO: int | None = None, nI: int | None = None) -> Model[InT, OutT]:
    """One step of an LSTM: ``(x, h, c) → (h, c)``.

    The caller carries h and c from step to step; zeros are the usual start:

        cell = LSTMCell(nO=64, nI=32)
        cell.initialize()
        h = c = cell.ops.alloc2f(n, 64)
        for x in steps:  # each (n, 32)
            h, c = cell.predict((x, h, c))

    nO (int | None): Number of hidden units, nH above.
    nI (int | None): Number of inputs. Missing sizes are taken from the sample that
        `Model.initialize` is given.
    RETURNS (Model[InT, OutT]): The cell, with the parameters Wx (nI, 4·nO),
        Wh (nO, 4·nO) and b (4·nO,).
    RAISES (ValueError): In use, where the shapes of x, h and c do not fit.
    """
    return Model(
        "lstm_cell",
        forward,
        init=init,
        dims={"nO": nO, "nI": nI},
        params={"Wx": None, "Wh": None, "b": None},
    )


def forward(
    model: Model[InT, OutT], inputs: InT, is_train: bool
) -> tuple[OutT, Callable[[OutT], InT]]:
    _check_shapes(model, *inputs)
    x, h_prev, c_prev = (array[None] for array in inputs)
    weights = Weights.of([model])
    share = input_share(x, weights)
    gates, h, c, tanh_c = lstm_step(share, h_prev, c_prev, weights.Wh)

    def backprop(d_outputs: OutT) -> InT:
        dh, dc = (array[None] for array in d_outputs)
        weights = TransposedWeights.of([model])
        slopes = gate_slopes(Trace(gates, h_prev, c_prev, tanh_c))
        da = model.ops.xp.empty_like(gates)
        dc_prev = lstm_step_back(dh, dc, slopes, da)
        gradients = Gradients.zeros([model])
        gradients.add(x, h_prev, da)
        gradients.give_to([model])
        dx, dh_prev = through(da, weights.Wx), through(da, weights.Wh)
        return dx[0], dh_prev[0], dc_prev[0]

    return (h[0], c[0]), backprop


def check_cell(model: Model[InT, OutT]) -> None:
    """RAISES (ValueError): For parameters, as of a file, that no `LSTMCell` of this
    size can have."""
    if not model.has_param("b"):
        return
    nI, nH = model.get_dim("nI"), model.get_dim("nO")
    for name, shape in (("Wx", (nI, 4 * nH)), ("Wh", (nH, 4 * nH)), ("b", (4 * nH,))):
        found = model.get_param(name).shape
        if found != shape:
            raise ValueError(
                f"the parameter {name} of lstm_cell has the shape {found}, and should "
                f"have {shape}"
            )


def init(model: Model[InT, OutT], X: InT | None = None, Y: OutT | None = None) -> None:
    if X is not None:
        model.set_dim("nI", X[0].shape[1])
        model.set_dim("nO", X[1].shape[1])
    elif Y is not None:
        model.set_dim("nO", Y[0].shape[1])
    nI, nH = model.get_dim("nI"), model.get_dim("nO")
    ops = model.ops
    gates = range(4)
    Wx = [glorot_uniform_init(ops, (nI, nH)) for _ in gates]
    Wh = [_orthogonal(ops, nH) for _ in gates]
    b = ops.alloc1f(4 * nH)
    # An open forget gate lets gradients through from the first update on
    # (Jozefowicz, Zaremba & Sutskever, 2015).
    b[nH : 2 * nH] = 1.0
    model.set_param("Wx", ops.xp.hstack(Wx))
    model.set_param("Wh", ops.xp.hstack(Wh))
    model.set_param("b", b)


def _orthogonal(ops: Ops, n: int) -> Floats2d:
    """A random rotation, (n, n): it keeps the length of the hidden state from step to
    step (Saxe, McClelland & Ganguli, 2014)."""
    xp = ops.xp
    q, r = xp.linalg.qr(xp.random.normal(size=(n, n)))
    # QR leaves the signs open; this makes all rotations equally likely.
    return ops.asarray2f(q * xp.sign(xp.diag(r)))


def _check_shapes(model: Model, x: Floats2d, h: Floats2d, c: Floats2d) -> None:
    nI, nH = model.get_dim("nI"), model.get_dim("nO")
    expected = {"x": (len(x), nI), "h": (len(x), nH), "c": (len(x), nH)}
    for (name, shape), array in zip(expected.items(), (x, h, c), strict=True):
        if array.shape != shape:
            raise ValueError(
                f"LSTMCell: {name} has the shape {array.shape}, expected {shape} "
                f"(rows of x, then {'nI' if name == 'x' else 'nO'})."
            )


# The arithmetic. `LSTMCell` calls it for one step, `LSTM` for all steps of a batch.


class Weights(NamedTuple):
    """The parameters of the cells of D directions, for the way forwards.

    σ(a) = (1 + tanh(a/2)) / 2 cannot overflow, as exp(-a) can, and lets one call of
    tanh serve all four gates. The half is in these weights already: with them a sigmoid
    gate gets a/2.
    """

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
    """The same for the way back, and not halved."""

    Wx: Floats4d  # (4, D, nH, nI)
    Wh: Floats4d  # (4, D, nH, nH)

    @classmethod
    def of(cls, cells: Sequence[Model]) -> "TransposedWeights":
        xp = cells[0].ops.xp
        arrays = (_by_gate(cells, name) for name in cls._fields)
        # Products with a small matrix are much faster where it lies in order.
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


class Trace(NamedTuple):
    """What the way forwards leaves behind for the way back, for n steps."""

    gates: Floats4d  # (4, D, n, nH): o, i, f, g
    h_prev: Floats3d  # (D, n, nH)
    c_prev: Floats3d  # (D, n, nH)
    tanh_c: Floats3d  # (D, n, nH)

    @classmethod
    def empty(cls, D: int, n: int, nH: int, *, like: Floats2d) -> "Trace":
        """Room for n steps, on the device and of the type of `like`."""
        room = get_array_module(like).empty((7, D, n, nH), dtype=like.dtype)
        return cls(room[:4], *room[4:])

    def rows(self, rows: slice) -> "Trace":
        """Some of the steps."""
        return Trace(*(array[..., rows, :] for array in self))


class Slopes(NamedTuple):
    """How the outputs of n steps answer to small changes, before any gradient is known.

    The n steps may lie one after the other in time: nothing here depends on dh or dc,
    so one pass serves all of them.
    """

    gates: Floats4d  # (4, D, n, nH): of h to a_o, and of c to a_i, a_f and a_g
    h_to_c: Floats3d  # (D, n, nH): of h to c
    c_to_c_prev: Floats3d  # (D, n, nH): of c to c₋, which is f

    def rows(self, rows: slice) -> "Slopes":
        """The slopes of some of the steps."""
        return Slopes(
            self.gates[:, :, rows], self.h_to_c[:, rows], self.c_to_c_prev[:, rows]
        )


def input_share(x: Floats3d, weights: Weights) -> Floats4d:
    """What the inputs (D, n, nI) add to the gates: x·Wx + b, (4, D, n, nH).

    It does not depend on h, so one product serves many steps of a sequence.
    """
    share = x @ weights.Wx
    share += weights.b
    return share


def lstm_step(
    share: Floats4d, h: Floats3d, c: Floats3d, Wh: Floats4d
) -> tuple[Floats4d, Floats3d, Floats3d, Floats3d]:
    """One step forwards.

    share (Floats4d): (4, D, n, nH), what `input_share` gives.
    h, c (Floats3d): (D, n, nH), hidden and cell state of the step before.
    Wh (Floats4d): (4, D, nH, nH), of `Weights`.
    RETURNS (tuple[Floats4d, Floats3d, Floats3d, Floats3d]): The gates o, i, f, g
        (4, D, n, nH); and h, c and tanh(c), each (D, n, nH).
    """
    tanh = get_array_module(h).tanh
    gates = h @ Wh
    gates += share
    tanh(gates, out=gates)
    sigmoids = gates[:3]
    sigmoids *= 0.5
    sigmoids += 0.5
    o, i, f, g = gates
    c = f * c
    c += i * g
    tanh_c = tanh(c)
    return gates, o * tanh_c, c, tanh_c


def gate_slopes(trace: Trace) -> Slopes:
    """The slopes of n steps, from what their way forwards left behind."""
    o, i, f, g = trace.gates
    sigmoids = trace.gates[:3]
    slopes = get_array_module(o).empty_like(trace.gates)
    slopes[:3] = sigmoids * (1 - sigmoids)
    slopes[0] *= trace.tanh_c
    slopes[1] *= g
    slopes[2] *= trace.c_prev
    slopes[3] = i * (1 - g * g)
    return Slopes(slopes, o * (1 - trace.tanh_c * trace.tanh_c), f)


def lstm_step_back(
    dh: Floats3d, dc: Floats3d, slopes: Slopes, da: Floats4d
) -> Floats3d:
    """One step backwards.

    dh, dc (Floats3d): (D, n, nH), gradients of the hidden and the cell state.
    slopes (Slopes): Of this step.
    da (Floats4d): (4, D, n, nH), takes the gradient of what stands inside the gates.
    RETURNS (Floats3d): dc₋ (D, n, nH). The third, dh₋, is ``through(da, Wh)``.
    """
    multiply = get_array_module(dh).multiply
    dc = dc + dh * slopes.h_to_c
    multiply(slopes.gates[0], dh, out=da[0])
    multiply(slopes.gates[1:], dc, out=da[1:])
    return dc * slopes.c_to_c_prev


def through(da: Floats4d, W: Floats4d) -> Floats3d:
    """The gradient of x or h₋, from that of the gates.

    da (Floats4d): (4, D, n, nH). W (Floats4d): (4, D, nH, width), one of
        `TransposedWeights`.
    RETURNS (Floats3d): da·Wᵀ, (D, n, width).
    """
    return (da @ W).sum(axis=0)


class Gradients(NamedTuple):
    """Gradients of the parameters of D cells, in the shapes that `Weights` has."""

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

    def give_to(self, cells: Sequence[Model]) -> None:
        """Add them to those that the cells have."""
        for name, array in self._asdict().items():
            for k, cell in enumerate(cells):
                o, i, f, g = array[:, k]
                gradient = cell.ops.xp.hstack((i, f, g, o))
                cell.inc_grad(name, gradient.reshape(cell.get_param(name).shape))
