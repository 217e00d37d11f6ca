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

The four gates lie side by side in the columns, in the order i, f, g, o. Backwards,
with dz the gradient of the loss with respect to z, and a_i, a_f, a_g, a_o for what
stands inside the brackets above:

    dc  += dh ∘ o ∘ (1 - tanh²(c))            c acts on the loss through h, too
    da_i = dc ∘ g ∘ i ∘ (1 - i)               since σ' = σ ∘ (1 - σ)
    da_f = dc ∘ c₋ ∘ f ∘ (1 - f)
    da_g = dc ∘ i ∘ (1 - g²)                  since tanh' = 1 - tanh²
    da_o = dh ∘ tanh(c) ∘ o ∘ (1 - o)

    dx = da·Wxᵀ    dh₋ = da·Whᵀ    dc₋ = dc ∘ f
    dWx = xᵀ·da    dWh = h₋ᵀ·da    db = the rows of da, summed

`LSTM` in lstm.py runs the functions at the end of this file over whole batches.
"""

from collections.abc import Callable
from typing import NamedTuple

from thinc.api import Model, Ops, get_array_module, glorot_uniform_init
from thinc.types import Floats1d, Floats2d, Floats3d

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
    x, h_prev, c_prev = inputs
    _check_shapes(model, x, h_prev, c_prev)
    Wh = model.get_param("Wh")
    gates = input_share(model, x)
    h, c, tanh_c = lstm_step(gates, h_prev, c_prev, Wh)

    def backprop(d_outputs: OutT) -> InT:
        dh, dc = d_outputs
        slopes = gate_slopes(gates, c_prev, tanh_c)
        da, dc_prev = lstm_step_back(dh, dc, slopes)
        dx = add_gradients(model, x, h_prev, da)
        return dx, da @ Wh.T, dc_prev

    return (h, c), backprop


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


class Slopes(NamedTuple):
    """How the outputs of n steps answer to small changes, before any gradient is known.

    The n steps may lie one after the other in time: nothing here depends on dh or dc,
    so one pass serves all of them.
    """

    #: (n, 4, nH): of c to a_i, a_f and a_g, and of h to a_o.
    gates: Floats3d
    #: (n, nH): of h to c.
    h_to_c: Floats2d
    #: (n, nH): of c to c₋, which is f.
    c_to_c_prev: Floats2d

    def rows(self, rows: slice) -> "Slopes":
        """The slopes of some of the steps."""
        return Slopes(self.gates[rows], self.h_to_c[rows], self.c_to_c_prev[rows])


def input_share(model: Model, x: Floats2d) -> Floats2d:
    """What the inputs add to the gates: x·Wx + b, (n, 4·nH).

    It does not depend on h, so one product serves all steps of a sequence.
    """
    share = x @ model.get_param("Wx")
    share += model.get_param("b")
    return share


def lstm_step(
    gates: Floats2d, h: Floats2d, c: Floats2d, Wh: Floats2d
) -> tuple[Floats2d, Floats2d, Floats2d]:
    """One step forwards.

    gates (Floats2d): (n, 4·nH), the share of the inputs. It becomes i, f, g, o.
    h, c (Floats2d): (n, nH), hidden and cell state of the step before.
    Wh (Floats2d): (nH, 4·nH).
    RETURNS (tuple[Floats2d, Floats2d, Floats2d]): h, c and tanh(c), each (n, nH).
    """
    tanh = get_array_module(gates).tanh
    nH = Wh.shape[0]
    gates += h @ Wh
    for a in (gates[:, : 2 * nH], gates[:, 3 * nH :]):  # i and f; o
        # σ(a) = (1 + tanh(a/2)) / 2 cannot overflow, as exp(-a) can.
        a *= 0.5
        tanh(a, out=a)
        a += 1.0
        a *= 0.5
    g = gates[:, 2 * nH : 3 * nH]
    tanh(g, out=g)
    i, f, o = gates[:, :nH], gates[:, nH : 2 * nH], gates[:, 3 * nH :]
    c = f * c + i * g
    tanh_c = tanh(c)
    return o * tanh_c, c, tanh_c


def gate_slopes(gates: Floats2d, c_prev: Floats2d, tanh_c: Floats2d) -> Slopes:
    """The slopes of n steps, from what their way forwards left behind.

    gates (Floats2d): (n, 4·nH), i, f, g, o.
    c_prev, tanh_c (Floats2d): (n, nH).
    RETURNS (Slopes): See there.
    """
    xp = get_array_module(gates)
    n, nH = c_prev.shape
    by_gate = gates.reshape((n, 4, nH))
    i, f, g, o = (by_gate[:, k] for k in range(4))
    slopes = xp.empty_like(by_gate)
    slopes[:, 0] = g * i * (1 - i)
    slopes[:, 1] = c_prev * f * (1 - f)
    slopes[:, 2] = i * (1 - g * g)
    slopes[:, 3] = tanh_c * o * (1 - o)
    return Slopes(slopes, o * (1 - tanh_c * tanh_c), f)


def lstm_step_back(
    dh: Floats2d, dc: Floats2d, slopes: Slopes
) -> tuple[Floats2d, Floats2d]:
    """One step backwards.

    dh, dc (Floats2d): (n, nH), gradients of the hidden and the cell state.
    slopes (Slopes): Of these n steps.
    RETURNS (tuple[Floats2d, Floats2d]): da (n, 4·nH), the gradient of what stands
        inside the gates; and dc₋ (n, nH). The third, dh₋, is da·Whᵀ.
    """
    xp = get_array_module(dh)
    n, nH = dh.shape
    dc = dc + dh * slopes.h_to_c
    da = xp.empty_like(slopes.gates)
    xp.multiply(slopes.gates[:, :3], dc[:, None], out=da[:, :3])
    xp.multiply(slopes.gates[:, 3], dh, out=da[:, 3])
    return da.reshape((n, 4 * nH)), dc * slopes.c_to_c_prev


def add_gradients(
    model: Model, x: Floats2d, h_prev: Floats2d, da: Floats2d
) -> Floats2d:
    """Add the gradients of n steps to those of the cell's parameters.

    x (Floats2d): (n, nI). h_prev (Floats2d): (n, nH). da (Floats2d): (n, 4·nH).
    RETURNS (Floats2d): dx (n, nI).
    """
    db: Floats1d = da.sum(axis=0)
    model.inc_grad("Wx", x.T @ da)
    model.inc_grad("Wh", h_prev.T @ da)
    model.inc_grad("b", db)
    return da @ model.get_param("Wx").T
