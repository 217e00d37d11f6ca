"""One step of an LSTM: its equations, its gradients, and use by hand."""

import numpy as np
import pytest
from thinc.api import Adam, fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner.layers import LSTM, LSTMCell

from ..helpers.gradients import numeric_gradient, parameters, to_float64


@pytest.fixture
def cell():
    fix_random_seed(0)
    return to_float64(LSTMCell(nO=3, nI=2).initialize())


@pytest.fixture
def inputs():
    rng = np.random.default_rng(1)
    return tuple(rng.standard_normal(shape) for shape in ((4, 2), (4, 3), (4, 3)))


def test_step_follows_the_equations(cell, inputs):
    """Written out gate by gate, with the plain sigmoid."""
    x, h, c = inputs
    gates = x @ cell.get_param("Wx") + h @ cell.get_param("Wh") + cell.get_param("b")
    i, f, g, o = np.split(gates, 4, axis=1)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    next_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    next_h = sigmoid(o) * np.tanh(next_c)
    actual_h, actual_c = cell.predict(inputs)
    np.testing.assert_allclose(actual_h, next_h, rtol=1e-12)
    np.testing.assert_allclose(actual_c, next_c, rtol=1e-12)


def test_gradients_against_finite_differences(cell, inputs):
    rng = np.random.default_rng(2)
    dh, dc = rng.standard_normal((2, 4, 3))

    def loss():
        h, c = cell.predict(inputs)
        return float((h * dh).sum() + (c * dc).sum())

    _, backprop = cell(inputs, is_train=True)
    for actual, array in zip(backprop((dh, dc)), inputs, strict=True):
        np.testing.assert_allclose(actual, numeric_gradient(loss, array), rtol=1e-6)
    for node, name, value in parameters(cell):
        expected = numeric_gradient(loss, value)
        np.testing.assert_allclose(node.get_grad(name), expected, rtol=1e-6)


def test_inputs_are_left_as_they_are(cell, inputs):
    before = [array.copy() for array in inputs]
    _, backprop = cell(inputs, is_train=True)
    backprop((inputs[1], inputs[2]))
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_large_inputs_do_not_overflow(cell):
    x = np.full((1, 2), 1e4)
    zeros = np.zeros((1, 3))
    with np.errstate(all="raise"):
        for sign in (1, -1):
            h, c = cell.predict((sign * x, zeros, zeros))
            assert np.isfinite(h).all() and np.isfinite(c).all()


@pytest.mark.parametrize("large", [1e4, -1e4])
def test_no_warning_for_large_inputs_in_float32(large):
    cell = LSTMCell(3, 2).initialize()
    x = np.full((1, 2), large, dtype="float32")
    zeros = np.zeros((1, 3), dtype="float32")
    with np.errstate(all="raise"):
        (h, c), backprop = cell((x, zeros, zeros), is_train=True)
        gradients = backprop((np.ones_like(h), np.ones_like(c)))
    for array in (h, c, *gradients):
        assert array.dtype == "float32" and np.isfinite(array).all()


def test_steps_by_hand_are_what_the_layer_does():
    fix_random_seed(0)
    layer = LSTM(nO=5, nI=3).initialize()
    (cell,) = layer.layers
    X = np.random.default_rng(0).standard_normal((7, 3)).astype("float32")
    h = c = cell.ops.alloc2f(1, 5)
    outputs = []
    for x in X:
        h, c = cell.predict((x[None], h, c))
        outputs.append(h[0])
    whole = layer.predict(Ragged(X, np.array([7], dtype="int32")))
    np.testing.assert_allclose(np.stack(outputs), whole.dataXd, atol=1e-6)


def test_backwards_through_time_by_hand():
    """Backprop called step by step, last one first, learns to remember a bit."""
    fix_random_seed(0)
    cell = LSTMCell(nO=8, nI=1).initialize()
    optimizer = Adam(0.02)
    bits = np.array([[1.0], [-1.0]], dtype="float32")
    silence = np.zeros((2, 1), dtype="float32")
    for _ in range(80):
        h = c = cell.ops.alloc2f(2, 8)
        callbacks = []
        for x in [bits] + [silence] * 6:
            (h, c), backprop = cell.begin_update((x, h, c))
            callbacks.append(backprop)
        error = h[:, :1] - bits / 2
        dh, dc = np.zeros_like(h), np.zeros_like(c)
        dh[:, :1] = error
        for backprop in reversed(callbacks):
            _, dh, dc = backprop((dh, dc))
        cell.finish_update(optimizer)
    assert np.abs(error).max() < 0.1


def test_sizes_are_taken_from_the_sample(inputs):
    cell = LSTMCell().initialize(X=inputs)
    assert (cell.get_dim("nI"), cell.get_dim("nO")) == (2, 3)
    assert cell.get_param("Wx").shape == (2, 12)
    assert cell.get_param("Wh").shape == (3, 12)


def test_initial_forget_gate_is_open_and_recurrence_keeps_lengths():
    cell = LSTMCell(nO=6, nI=4).initialize()
    np.testing.assert_array_equal(
        cell.get_param("b").reshape(4, 6), np.eye(4)[1][:, None] * np.ones((1, 6))
    )
    for Wh in np.split(cell.get_param("Wh"), 4, axis=1):
        np.testing.assert_allclose(Wh @ Wh.T, np.eye(6), atol=1e-5)


@pytest.mark.parametrize(
    "shapes, named",
    [(((4, 3), (4, 3), (4, 3)), "x"), (((4, 2), (5, 3), (4, 3)), "h")],
)
def test_shapes_that_do_not_fit_are_named(cell, shapes, named):
    with pytest.raises(ValueError, match=rf"LSTMCell: {named} has the shape"):
        cell.predict(tuple(np.zeros(shape) for shape in shapes))
