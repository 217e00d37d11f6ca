"""A linear layer: Y = X·Wᵀ + b."""

from collections.abc import Callable
from functools import partial

from thinc.api import Model, glorot_uniform_init, zero_init
from thinc.layers.linear import init
from thinc.types import Floats2d


def Linear(nO: int | None = None, nI: int | None = None) -> Model[Floats2d, Floats2d]:
    """`thinc.api.Linear`, with the products of NumPy (or CuPy) instead of those of
    Thinc's ops, which on some processors take three times as long. It has the same
    parameters and saves the same bytes.

    nO: Width of the output.
    nI: Width of the input. Missing sizes are inferred from the sample that is passed to
        `Model.initialize`.
    RETURNS: From (N, nI) to (N, nO), with the parameters W (nO, nI) and b (nO,).
    """
    return Model(
        "linear",
        forward,
        init=partial(init, glorot_uniform_init, zero_init),
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
    )


def forward(
    model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    W, b = model.get_param("W"), model.get_param("b")

    def backprop(dY: Floats2d) -> Floats2d:
        model.inc_grad("b", dY.sum(axis=0))
        model.inc_grad("W", dY.T @ X)
        dX: Floats2d = dY @ W
        return dX

    return X @ W.T + b, backprop
