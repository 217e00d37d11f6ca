"""One step of a plain recurrent neural network (RNN), forward and backward.

A plain RNN (Elman, 1990) reads a sequence one vector at a time and carries one vector
from step to step: the *hidden state* h, which is also its output. At each step it is
computed from the input x and the previous hidden state h₋:

    h = tanh(x·Wx + h₋·Wh + b)

    h₋ ───► ·Wh ───►(+)───► tanh ───┬───► h
                     ▲              │
                     │              ▼
    x  ───► ·Wx ─────┤           output
                     │
                     b

Shapes, for n sequences at once, nI inputs and nH hidden units:

    x (n, nI)    h (n, nH)    Wx (nI, nH)    Wh (nH, nH)    b (nH,)

Backward, dz is the gradient of the loss with respect to z. dh is given, by everything
that uses h: the output and the next step. a is the argument of tanh above, and ∘ is the
elementwise product:

    da  = dh ∘ (1 - h²)                       since tanh' = 1 - tanh²

    dx  = da·Wxᵀ    dh₋ = da·Whᵀ
    dWx = xᵀ·da     dWh = h₋ᵀ·da    db = sum of the rows of da

Each step back multiplies the gradient by 1 - h², which is at most 1, and by the same
matrix Whᵀ: over many steps it vanishes or explodes (Bengio, Simard & Frasconi, 1994).
The cell state of an LSTM is the remedy: see lstm_cell.py.
"""

from collections.abc import Callable

from thinc.api import Model, get_array_module, glorot_uniform_init
from thinc.types import Floats1d, Floats2d

from .util import check_step_inputs, orthogonal_init

InT = tuple[Floats2d, Floats2d]
StepGradients = tuple[Floats2d, Floats2d, Floats2d, Floats2d, Floats1d]


def rnn_step(
    x: Floats2d, h_prev: Floats2d, Wx: Floats2d, Wh: Floats2d, b: Floats1d
) -> tuple[Floats2d, Callable[[Floats2d], StepGradients]]:
    """Compute the equations above.

    RETURNS: h, and the backward step: a function from dh to ``(dx, dh_prev, dWx, dWh,
        db)``.
    """
    h = get_array_module(x).tanh(x @ Wx + h_prev @ Wh + b)  # (n, nH)

    def backprop(dh: Floats2d) -> StepGradients:
        da = dh * (1 - h**2)  # (n, nH)
        dx, dh_prev = da @ Wx.T, da @ Wh.T  # (n, nI), (n, nH)
        dWx, dWh = x.T @ da, h_prev.T @ da  # (nI, nH), (nH, nH)
        db = da.sum(axis=0)  # (nH,)
        return dx, dh_prev, dWx, dWh, db

    return h, backprop


def RNNCell(nO: int | None = None, nI: int | None = None) -> Model[InT, Floats2d]:
    """One step of a plain RNN as a Thinc layer: ``(x, h₋) → h``.

    The caller carries h from step to step, usually starting with zeros:

        cell = RNNCell(nO=64, nI=32)
        cell.initialize()
        h = cell.ops.alloc2f(n, 64)
        for x in steps:  # each (n, 32)
            h = cell.predict((x, h))

    nO: Number of hidden units, nH above.
    nI: Number of inputs. Missing sizes are inferred from the sample that is passed to
        `Model.initialize`.
    RETURNS: The cell, with the parameters Wx (nI, nO), Wh (nO, nO) and b (nO,).
    RAISES (ValueError): When called, if the shapes of x and h do not match.
    """
    return Model(
        "rnn_cell",
        forward,
        init=init,
        dims={"nO": nO, "nI": nI},
        params={"Wx": None, "Wh": None, "b": None},
    )


def forward(
    model: Model[InT, Floats2d], inputs: InT, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], InT]]:
    x, h_prev = inputs
    check_step_inputs(model, "RNNCell", x, h=h_prev)
    Wx, Wh, b = (model.get_param(name) for name in ("Wx", "Wh", "b"))
    h, step_backprop = rnn_step(x, h_prev, Wx, Wh, b)

    def backprop(dh: Floats2d) -> InT:
        dx, dh_prev, dWx, dWh, db = step_backprop(dh)
        model.inc_grad("Wx", dWx)
        model.inc_grad("Wh", dWh)
        model.inc_grad("b", db)
        return dx, dh_prev

    return h, backprop


def init(
    model: Model[InT, Floats2d], X: InT | None = None, Y: Floats2d | None = None
) -> None:
    if X is not None:
        model.set_dim("nI", X[0].shape[1])
        model.set_dim("nO", X[1].shape[1])
    elif Y is not None:
        model.set_dim("nO", Y.shape[1])
    nI, nH = model.get_dim("nI"), model.get_dim("nO")
    model.set_param("Wx", glorot_uniform_init(model.ops, (nI, nH)))
    model.set_param("Wh", orthogonal_init(model.ops, nH))
    model.set_param("b", model.ops.alloc1f(nH))
