"""The LSTM kernels against the NumPy form in float64."""

import copy

import numpy as np
import pytest
from thinc.api import Adam, fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner import kernels
from spacy_lstm_ner.layers import LSTM
from spacy_lstm_ner.layers.recording import record_states

from ..helpers.gradients import to_float64
from ..helpers.kernels import numpy_form

# nI, nH, depth, bi, lengths
CASES = {
    "default": (128, 128, 1, True, [5, 119, 40, 1, 77, 30, 31]),
    "one sequence": (128, 128, 1, True, [50]),
    "one step": (16, 16, 1, True, [1]),
    "single steps": (16, 8, 1, True, [1] * 9),
    "empty sequences": (12, 8, 1, True, [0, 3, 0, 7, 0]),
    "no full vector": (7, 3, 1, True, [4, 2, 6]),
    "part of a vector": (20, 37, 1, True, [9, 4, 12, 2, 8]),
    "one direction": (24, 40, 1, False, [3, 8, 5]),
    "one input, one unit": (1, 1, 1, True, [3, 2]),
    "two layers": (16, 24, 2, True, [6, 3, 9, 1]),
    "three layers": (10, 12, 3, False, [6, 3, 9, 1]),
    "every number of rows": (9, 17, 1, True, list(range(1, 26))),
}


def make(nI, nH, depth, bi, lengths, seed=0):
    fix_random_seed(seed)
    layer = LSTM(nH * (2 if bi else 1), nI, bi=bi, depth=depth)
    layer.initialize()
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((sum(lengths), nI), dtype="float32") * 2
    return layer, Ragged(X, np.array(lengths, dtype="int32"))


def outputs_and_gradients(layer, X, dY):
    result = {"predict": layer.predict(X).dataXd}
    Y, backprop = layer.begin_update(X)
    result["Y"] = Y.dataXd
    result["dX"] = backprop(Ragged(dY, X.lengths)).dataXd
    for i, cell in enumerate(layer.layers):
        for name in cell.param_names:
            result[f"d{name} {i}"] = cell.get_grad(name)
    return result


def assert_close(found, expected, tolerance=2e-6):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        scale = np.abs(array).max(initial=1e-30)
        error = np.abs(found[name] - array).max(initial=0) / scale
        assert error <= tolerance, (name, error)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_same_as_numpy(instruction_set, case):
    layer, X = make(*case)
    dY = np.random.default_rng(1).standard_normal((len(X.dataXd), layer.get_dim("nO")))
    exact = to_float64(layer.copy())
    expected = outputs_and_gradients(
        exact, Ragged(X.dataXd.astype("float64"), X.lengths), dY
    )
    found = outputs_and_gradients(layer, X, dY.astype("float32"))
    assert all(array.dtype == "float32" for array in found.values())
    assert_close(found, expected)


def test_same_with_dropout(instruction_set):
    case = (12, 16, 2, True, [5, 9, 3])
    results = []
    for _ in range(2):
        layer, X = make(*case)
        layer.attrs["dropout_rate"] = 0.3
        fix_random_seed(7)
        dY = np.ones((len(X.dataXd), layer.get_dim("nO")), dtype="float32")
        results.append(outputs_and_gradients(layer, X, dY))
        kernels.use("off")
    kernels.use(instruction_set)
    assert_close(*results)


def test_a_long_sequence(instruction_set):
    layer, X = make(8, 16, 1, True, [10_000, 3])
    dY = np.ones((10_003, 32), dtype="float32")
    exact = to_float64(layer.copy())
    expected = outputs_and_gradients(
        exact, Ragged(X.dataXd.astype("float64"), X.lengths), dY.astype("float64")
    )
    assert_close(outputs_and_gradients(layer, X, dY), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_nan_and_infinity_come_through(instruction_set, bad):
    layer, X = make(6, 20, 1, True, [4, 7])
    X.dataXd[5, 2] = bad
    with np.errstate(all="ignore"):
        found = layer.predict(X).dataXd
        with numpy_form():
            expected = layer.predict(X).dataXd
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert np.isnan(found).any() == np.isnan(bad) or np.isinf(bad)


def test_nan_in_a_parameter_comes_through(instruction_set):
    layer, X = make(6, 20, 1, True, [4, 7])
    layer.layers[1].get_param("Wh")[3, 3] = np.nan
    found = layer.predict(X).dataXd
    assert not np.isnan(found[:, :20]).any() and np.isnan(found[:, 20:]).any()


def test_a_sequence_is_the_same_to_the_bit_alone_and_in_any_batch(instruction_set):
    layer, X = make(32, 40, 2, True, [9, 1, 14, 6, 6, 30, 2, 11])
    Y = layer.predict(X)
    ends = np.cumsum(X.lengths)
    for end, length in zip(ends, X.lengths, strict=True):
        alone = Ragged(X.dataXd[end - length : end], np.array([length]))
        rows = Y.dataXd[end - length : end]
        np.testing.assert_array_equal(layer.predict(alone).dataXd, rows)
    order = np.random.default_rng(0).permutation(len(ends))
    parts = np.split(X.dataXd, ends[:-1])
    shuffled = Ragged(np.concatenate([parts[i] for i in order]), X.lengths[order])
    expected = np.concatenate([np.split(Y.dataXd, ends[:-1])[i] for i in order])
    np.testing.assert_array_equal(layer.predict(shuffled).dataXd, expected)


def test_weights_that_change_in_place_are_never_stale(instruction_set):
    layer, X = make(6, 20, 1, True, [4, 7])
    layer.predict(X)
    for cell in layer.layers:
        for name in cell.param_names:
            cell.get_param(name).flat[-1] += 0.5
            found = layer.predict(X).dataXd
            with numpy_form():
                expected = layer.predict(X).dataXd
            np.testing.assert_allclose(found, expected, atol=2e-6)
    optimizer = Adam(0.1)
    for _ in range(3):
        Y, backprop = layer.begin_update(X)
        backprop(Y)
        layer.finish_update(optimizer)
        found = layer.predict(X).dataXd
        with numpy_form():
            np.testing.assert_allclose(found, layer.predict(X).dataXd, atol=2e-6)


def test_copies_have_their_own_weights(instruction_set):
    layer, X = make(6, 20, 1, True, [4, 7])
    Y = layer.predict(X).dataXd
    for other in (layer.copy(), copy.deepcopy(layer)):
        other.layers[0].get_param("b")[:] = 1
        assert (other.predict(X).dataXd != Y).any()
        np.testing.assert_array_equal(layer.predict(X).dataXd, Y)


def test_states_are_recorded_as_in_numpy(instruction_set):
    layer, X = make(6, 20, 2, True, [4, 7])
    Y = layer.predict(X).dataXd
    with record_states(layer.layers) as found:
        np.testing.assert_allclose(layer.predict(X).dataXd, Y, atol=1e-6)
    with numpy_form(), record_states(layer.layers) as expected:
        layer.predict(X)
    for one, other in zip(found, expected, strict=True):
        for name, array in one._asdict().items():
            np.testing.assert_allclose(array, getattr(other, name), atol=2e-6)


def test_other_types_and_layouts_are_computed_by_numpy(instruction_set):
    layer, X = make(6, 20, 1, True, [4, 7])
    Y = layer.predict(X).dataXd
    wide = np.zeros((11, 12), dtype="float32")
    wide[:, ::2] = X.dataXd
    np.testing.assert_array_equal(
        layer.predict(Ragged(wide[:, ::2], X.lengths)).dataXd, Y
    )
    as_float64 = Ragged(X.dataXd.astype("float64"), X.lengths)
    np.testing.assert_allclose(layer.predict(as_float64).dataXd, Y, atol=1e-6)
    exact = to_float64(layer.copy()).predict(as_float64).dataXd
    assert exact.dtype == "float64"
    for cell in layer.layers:
        for name in ("Wx", "Wh"):
            # `set_param` would copy nothing, but keep the order.
            cell.set_param(name, np.asfortranarray(cell.get_param(name)))
    np.testing.assert_allclose(layer.predict(X).dataXd, Y, atol=1e-6)


def test_sizes_are_checked(instruction_set):
    native = kernels.kernels()
    cell = native.PackedCell(
        np.zeros((3, 8), "float32"), np.zeros((2, 8), "float32"), np.zeros(8, "float32")
    )
    X, Y = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
    sizes, orders = np.ones(4, "int64"), np.zeros((1, 4), "int64")
    native.lstm_forward((cell,), X, sizes, orders, Y, None, 1)
    for args in (
        ((cell,), X[:3], sizes, orders, Y, None, 1),
        ((cell,), X, sizes[:3], orders, Y, None, 1),
        ((cell,), X, sizes, orders[:, :3].copy(), Y, None, 1),
        ((cell,), X, sizes, orders, Y[:, :1].copy(), None, 1),
        ((cell,), X[:, :2].copy(), sizes, orders, Y, None, 1),
        ((cell, cell), X, sizes, orders, Y, None, 1),
    ):
        with pytest.raises(ValueError):
            native.lstm_forward(*args)
    with pytest.raises(ValueError):
        native.PackedCell(
            np.zeros((3, 8), "float32"),
            np.zeros((2, 4), "float32"),
            np.zeros(8, "float32"),
        )


def test_linear(instruction_set):
    rng = np.random.default_rng(0)
    for N, n_inputs, n_outputs in ((1, 1, 1), (50, 256, 33), (7, 30, 130), (13, 5, 16)):
        X, W, b = (
            rng.standard_normal(shape, dtype="float32")
            for shape in ((N, n_inputs), (n_outputs, n_inputs), (n_outputs,))
        )
        Y = np.empty((N, n_outputs), dtype="float32")
        kernels.kernels().linear(X, W, b, Y)
        expected = X.astype("float64") @ W.T + b
        assert_close({"Y": Y}, {"Y": expected})
