"""The GRU kernel against the NumPy form in float64."""

import numpy as np
import pytest

from spacy_lstm_ner import kernels
from spacy_lstm_ner.layers.gru import FrozenGRU, GRUWeights, run_gru
from spacy_lstm_ner.layers.packing import pack_on_cpu

CASES = {
    "as the tagger": (256, 128, [5, 119, 40, 1, 77, 30, 31]),
    "one sequence": (128, 128, [50]),
    "one step": (3, 64, [1]),
    "single steps": (16, 64, [1] * 9),
    "empty sequences": (12, 64, [0, 3, 0, 7, 0]),
    "every number of rows": (9, 192, list(range(1, 26))),
    "large": (20, 64, [2] * 700),
}


def make(n_inputs, n, lengths, scale=1.0):
    rng = np.random.default_rng(0)

    def array(*shape):
        return (rng.standard_normal(shape) * scale).astype("float32")

    directions = [
        GRUWeights(array(n_inputs, 3 * n), array(3 * n), array(n, 2 * n), array(n, n))
        for _ in range(2)
    ]
    return directions, array(sum(lengths), n_inputs), pack_on_cpu(lengths, sum(lengths))


def reference(directions, X, packing):
    halves = []
    for i, weights in enumerate(directions):
        exact = GRUWeights(*(array.astype("float64") for array in weights))
        H = run_gru(exact, X[packing.orders[i]].astype("float64"), packing)
        Y = np.empty_like(H)
        Y[packing.orders[i]] = H
        halves.append(Y)
    return np.hstack(halves)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_same_states_as_in_numpy(case, threads, instruction_set, monkeypatch):
    n_inputs, n, lengths = CASES[case]
    directions, X, packing = make(n_inputs, n, np.array(lengths), n**-0.5)
    monkeypatch.setattr("spacy_lstm_ner.layers.gru.TWO_THREADS", 0)
    native = kernels.kernels()
    before = native.num_threads()
    native.set_num_threads(threads)
    try:
        found = FrozenGRU(*directions)(X, packing)
    finally:
        native.set_num_threads(before)
    np.testing.assert_allclose(found, reference(directions, X, packing), atol=3e-6)


def test_large_sums_saturate(instruction_set):
    directions, X, packing = make(16, 64, np.array([20, 7]), 50.0)
    found = FrozenGRU(*directions)(X, packing)
    assert np.isfinite(found).all() and np.abs(found).max() <= 1
    np.testing.assert_allclose(found, reference(directions, X, packing), atol=1e-3)


def test_other_instruction_sets_pack_again(instruction_set):
    directions, X, packing = make(16, 64, np.array([20, 7]), 0.1)
    layer = FrozenGRU(*directions)
    expected = layer(X, packing)
    for name in kernels.kernels().instruction_sets():
        kernels.use(name)
        np.testing.assert_allclose(layer(X, packing), expected, atol=3e-6)


def test_sizes_are_checked(instruction_set):
    native = kernels.kernels()
    directions, X, packing = make(16, 64, np.array([20, 7]))
    weights = directions[0]
    with pytest.raises(ValueError, match="do not fit together"):
        native.PackedGRU(weights.W, weights.b[1:], weights.U_gates, weights.U_candidate)
    with pytest.raises(ValueError, match="do not fit together"):
        # No whole number of panels.
        small = [np.zeros(shape, "float32") for shape in ((2, 9), 9, (3, 6), (3, 3))]
        native.PackedGRU(*small)
    packed = tuple(
        native.PackedGRU(w.W, w.b, w.U_gates, w.U_candidate) for w in directions
    )
    sizes = np.array(packing.sizes)
    Y = np.empty((27, 128), "float32")
    for arguments in (
        (packed, X[:-1], sizes, packing.orders, Y, 1),
        (packed, X[:, :-1].copy(), sizes, packing.orders, Y, 1),
        (packed, X, sizes[:-1], packing.orders, Y, 1),
        (packed, X, sizes, packing.orders, Y[:, :64].copy(), 1),
    ):
        with pytest.raises(ValueError, match="do not fit together"):
            native.gru_forward(*arguments)
