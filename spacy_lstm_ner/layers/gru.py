"""A gated recurrent unit (Cho et al., 2014), for weights that are not trained: there is
only a forward pass.

With the update gate u, the reset gate r and the candidate c, a step is

    u, r = sigmoid(x W_gates + h U_gates + b_gates)
    c    = tanh(x W_candidate + (r * h) U_candidate + b_candidate)
    h    = (1 - u) * h + u * c
"""

from typing import Any, NamedTuple

import numpy as np
from thinc.types import Floats2d

from .. import kernels
from .compiled_lstm import TWO_THREADS
from .packing import Packing


class GRUWeights(NamedTuple):
    """The weights of a direction with n hidden units.

    W: (inputs, 3 n) of the inputs: for update gate, reset gate and candidate.
    b: (3 n,) biases.
    U_gates: (n, 2 n) of the hidden state, for the gates.
    U_candidate: (n, n) of the hidden state, for the candidate.
    """

    W: Floats2d
    b: np.ndarray
    U_gates: Floats2d
    U_candidate: Floats2d


def run_gru(weights: GRUWeights, X: Floats2d, packing: Packing) -> Floats2d:
    """Compute the hidden states of packed sequences.

    weights: The weights.
    X: (N, inputs) packed rows, in the order in which they are read.
    packing: The time-major order of the sequences.
    RETURNS: (N, n) packed rows.
    """
    n = len(weights.U_candidate)
    P = X @ weights.W + weights.b
    H = np.empty((len(X), n), dtype=X.dtype)
    before = np.zeros((packing.sizes[0] if packing.sizes else 0, n), dtype=X.dtype)
    for rows in packing.steps():
        h = before[: rows.stop - rows.start]
        p = P[rows]
        gates = p[:, : 2 * n] + h @ weights.U_gates
        # The sigmoid as a hyperbolic tangent, which cannot overflow.
        gates = 0.5 + 0.5 * np.tanh(0.5 * gates)
        u, r = gates[:, :n], gates[:, n:]
        c = np.tanh(p[:, 2 * n :] + (r * h) @ weights.U_candidate)
        before = H[rows] = h + u * (c - h)
    return H


class FrozenGRU:
    """A layer of a GRU in both directions, whose weights never change.

    forward: The weights of the forward direction.
    backward: Those of the backward direction.
    """

    def __init__(self, forward: GRUWeights, backward: GRUWeights):
        self.directions = forward, backward
        # What the kernels of an instruction set read.
        self._packed: tuple[str, tuple[Any, ...]] | None = None

    def __call__(self, X: Floats2d, packing: Packing) -> Floats2d:
        """Compute the hidden states of both directions.

        X: (N, inputs) rows in ragged order.
        packing: The time-major order.
        RETURNS: (N, 2 n) rows in ragged order: forward, then backward.
        """
        n = len(self.directions[0].U_candidate)
        Y = np.empty((len(X), 2 * n), dtype=X.dtype)
        native = kernels.kernels_for(X)
        if native is None:
            for i, weights in enumerate(self.directions):
                order = packing.orders[i]
                Y[order, i * n : (i + 1) * n] = run_gru(weights, X[order], packing)
            return Y
        sizes = np.array(packing.sizes, dtype="int64")
        work = len(X) * (X.shape[1] + n) * 3 * n * 2
        threads = native.num_threads() if work >= TWO_THREADS else 1
        packed = self._packed_for(native)
        native.gru_forward(packed, X, sizes, packing.orders, Y, threads)
        return Y

    def _packed_for(self, native: Any) -> tuple[Any, ...]:
        name = native.instruction_set()
        if self._packed is None or self._packed[0] != name:
            packed = tuple(
                native.PackedGRU(w.W, w.b, w.U_gates, w.U_candidate)
                for w in self.directions
            )
            self._packed = name, packed
        return self._packed[1]
