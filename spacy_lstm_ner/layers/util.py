"""What several layers share."""

from typing import TypeVar

from thinc.api import Model, Ops, get_array_module
from thinc.types import Floats2d, Floats3d

FloatsT = TypeVar("FloatsT", Floats2d, Floats3d)


def orthogonal_init(ops: Ops, n: int) -> Floats2d:
    """Draw a random orthogonal matrix, (n, n). Recurrent weights start like this: the
    product with such a matrix preserves the length of the hidden state (Saxe,
    McClelland & Ganguli, 2014)."""
    xp = ops.xp
    q, r = xp.linalg.qr(xp.random.normal(size=(n, n)))
    # The signs of a QR decomposition are arbitrary; fixing them by those of r makes the
    # distribution uniform over all orthogonal matrices.
    return ops.asarray2f(q * xp.sign(xp.diag(r)))


def check_step_inputs(model: Model, name: str, x: Floats2d, **state: Floats2d) -> None:
    """Check the inputs of a recurrent cell: x (n, nI), and (n, nO) for each state.

    RAISES (ValueError): If a shape does not match, with the name of the input.
    """
    nI, nO = model.get_dim("nI"), model.get_dim("nO")
    expected = {"x": (len(x), nI)} | {key: (len(x), nO) for key in state}
    for key, array in {"x": x, **state}.items():
        if array.shape != expected[key]:
            raise ValueError(
                f"{name}: {key} has the shape {array.shape}, expected {expected[key]} "
                f"(rows of x, then {'nI' if key == 'x' else 'nO'})."
            )


def append_zero_rows(array: FloatsT, size: int) -> FloatsT:
    """Extend the last axis but one to `size` with zeros."""
    *axes, rows, width = array.shape
    if rows == size:
        return array
    larger = get_array_module(array).zeros((*axes, size, width), dtype=array.dtype)
    larger[..., :rows, :] = array
    return larger
