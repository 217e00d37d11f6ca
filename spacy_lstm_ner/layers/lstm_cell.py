"""One step of an LSTM, forward and backward.

An LSTM (long short-term memory; Hochreiter & Schmidhuber, 1997, with the forget gate of
Gers, Schmidhuber & Cummins, 2000) reads a sequence one vector at a time and carries two
vectors from step to step: the *hidden state* h, which is also its output, and the
*cell state* c, its memory. At each step four *gates* are computed from the input x and
the previous hidden state h₋:

    i = σ(x·Wx_i + h₋·Wh_i + b_i)       input gate:   how much to write
    f = σ(x·Wx_f + h₋·Wh_f + b_f)       forget gate:  how much to keep
    g = tanh(x·Wx_g + h₋·Wh_g + b_g)    candidate:    what to write
    o = σ(x·Wx_o + h₋·Wh_o + b_o)       output gate:  how much to output

    c = f ∘ c₋ + i ∘ g
    h = o ∘ tanh(c)

σ(a) = 1 / (1 + exp(-a)) lies between 0 (closed) and 1 (open); ∘ is the elementwise
product. With f = 1 and i = 0, c passes through a step unchanged, and so does its
gradient: that is why an LSTM can remember over many steps.

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

The columns of the parameters hold the four gates side by side, in the order i, f, g, o.

Backward, dz stands for the gradient of the loss with respect to z, for any z. Steps run
from the last to the first. dh and dc are given: dh by everything that uses h, i.e. the
output and the next step, and dc by the next step; the last step gets dc = 0. a_i, a_f,
a_g and a_o are the arguments of σ and tanh above, and a is all four, side by side. The
first line updates dc, and the others use the new value:

    dc  += dh ∘ o ∘ (1 - tanh²(c))            c affects the loss through h, too
    da_i = dc ∘ g ∘ i ∘ (1 - i)               since σ' = σ ∘ (1 - σ)
    da_f = dc ∘ c₋ ∘ f ∘ (1 - f)
    da_g = dc ∘ i ∘ (1 - g²)                  since tanh' = 1 - tanh²
    da_o = dh ∘ tanh(c) ∘ o ∘ (1 - o)

    dx = da·Wxᵀ    dh₋ = da·Whᵀ    dc₋ = dc ∘ f
    dWx = xᵀ·da    dWh = h₋ᵀ·da    db = sum of the rows of da
"""

from collections.abc import Callable

from thinc.api import Model, get_array_module, glorot_uniform_init
from thinc.types import Floats1d, Floats2d

from .util import check_step_inputs, orthogonal_init

State = tuple[Floats2d, Floats2d]
InT = tuple[Floats2d, Floats2d, Floats2d]
OutT = State
StepGradients = tuple[Floats2d, Floats2d, Floats2d, Floats2d, Floats2d, Floats1d]


def sigmoid(a: Floats2d) -> Floats2d:
    """σ(a), by the identity σ(a) = (1 + tanh(a/2)) / 2: exp(-a) overflows for
    large negative a."""
    return 0.5 * (1 + get_array_module(a).tanh(0.5 * a))


def lstm_step(
    x: Floats2d,
    h_prev: Floats2d,
    c_prev: Floats2d,
    Wx: Floats2d,
    Wh: Floats2d,
    b: Floats1d,
) -> tuple[State, Callable[[Floats2d, Floats2d], StepGradients]]:
    """Compute the equations above.

    RETURNS: ``(h, c)``, and the backward step: a function from ``(dh, dc)`` to ``(dx,
        dh_prev, dc_prev, dWx, dWh, db)``.
    """
    xp = get_array_module(x)
    a = x @ Wx + h_prev @ Wh + b  # (n, 4·nH)
    a_i, a_f, a_g, a_o = xp.split(a, 4, axis=1)  # (n, nH) each
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), xp.tanh(a_g), sigmoid(a_o)  # (n, nH) each
    c = f * c_prev + i * g  # (n, nH)
    tanh_c = xp.tanh(c)  # (n, nH)
    h = o * tanh_c  # (n, nH)

    def backprop(dh: Floats2d, dc: Floats2d) -> StepGradients:
        dc = dc + dh * o * (1 - tanh_c**2)  # (n, nH)
        da_i = dc * g * i * (1 - i)  # (n, nH)
        da_f = dc * c_prev * f * (1 - f)  # (n, nH)
        da_g = dc * i * (1 - g**2)  # (n, nH)
        da_o = dh * tanh_c * o * (1 - o)  # (n, nH)
        da = xp.hstack((da_i, da_f, da_g, da_o))  # (n, 4·nH)
        dx, dh_prev, dc_prev = da @ Wx.T, da @ Wh.T, dc * f  # (n, nI), 2 × (n, nH)
        dWx, dWh = x.T @ da, h_prev.T @ da  # (nI, 4·nH), (nH, 4·nH)
        db = da.sum(axis=0)  # (4·nH,)
        return dx, dh_prev, dc_prev, dWx, dWh, db

    return (h, c), backprop


def LSTMCell(nO: int | None = None, nI: int | None = None) -> Model[InT, OutT]:
    """One step of an LSTM as a Thinc layer: ``(x, h₋, c₋) → (h, c)``.

    The caller carries h and c from step to step, usually starting with zeros:

        cell = LSTMCell(nO=64, nI=32)
        cell.initialize()
        h = c = cell.ops.alloc2f(n, 64)
        for x in steps:  # each (n, 32)
            h, c = cell.predict((x, h, c))

    nO: Number of hidden units, nH above.
    nI: Number of inputs. Missing sizes are inferred from the sample that is passed to
        `Model.initialize`.
    RETURNS: The cell, with the parameters Wx (nI, 4·nO), Wh (nO, 4·nO) and b (4·nO,).
    RAISES (ValueError): When called, if the shapes of x, h and c do not match.
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
    check_step_inputs(model, "LSTMCell", x, h=h_prev, c=c_prev)
    Wx, Wh, b = (model.get_param(name) for name in ("Wx", "Wh", "b"))
    (h, c), step_backprop = lstm_step(x, h_prev, c_prev, Wx, Wh, b)

    def backprop(d_outputs: OutT) -> InT:
        dh, dc = d_outputs
        dx, dh_prev, dc_prev, dWx, dWh, db = step_backprop(dh, dc)
        model.inc_grad("Wx", dWx)
        model.inc_grad("Wh", dWh)
        model.inc_grad("b", db)
        return dx, dh_prev, dc_prev

    return (h, c), backprop


def init(model: Model[InT, OutT], X: InT | None = None, Y: OutT | None = None) -> None:
    if X is not None:
        model.set_dim("nI", X[0].shape[1])
        model.set_dim("nO", X[1].shape[1])
    elif Y is not None:
        model.set_dim("nO", Y[0].shape[1])
    nI, nH = model.get_dim("nI"), model.get_dim("nO")
    ops = model.ops
    Wx = [glorot_uniform_init(ops, (nI, nH)) for _ in "ifgo"]
    Wh = [orthogonal_init(ops, nH) for _ in "ifgo"]
    b = ops.alloc1f(4 * nH)
    # With a forget gate that is mostly open, gradients reach early steps from the first
    # update on (Jozefowicz, Zaremba & Sutskever, 2015).
    b[nH : 2 * nH] = 1.0
    model.set_param("Wx", ops.xp.hstack(Wx))
    model.set_param("Wh", ops.xp.hstack(Wh))
    model.set_param("b", b)
