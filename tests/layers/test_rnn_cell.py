"""One step of a plain RNN: its equations, its gradients, and use step by step."""

import numpy as np
import pytest
from thinc.api import fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner.layers import RNN, RNNCell

from ..helpers.gradients import numeric_gradient, parameters, to_float64


@pytest.fixture
def cell():
    fix_random_seed(0)
    return to_float64(RNNCell(nO=3, nI=2).initialize())


@pytest.fixture
def inputs():
    rng = np.random.default_rng(1)
    return tuple(rng.standard_normal(shape) for shape in ((4, 2), (4, 3)))


def test_step_follows_the_equation(cell, inputs):
    """Row by row and neuron by neuron."""
    x, h = inputs
    Wx, Wh, b = (cell.get_param(name) for name in ("Wx", "Wh", "b"))
    actual = cell.predict(inputs)
    for row in range(4):
        for k in range(3):
            a = sum(x[row, j] * Wx[j, k] for j in range(2)) + b[k]
            a += sum(h[row, j] * Wh[j, k] for j in range(3))
            assert actual[row, k] == pytest.approx(np.tanh(a), rel=1e-12)


def test_gradients_against_finite_differences(cell, inputs):
    dh = np.random.default_rng(2).standard_normal((4, 3))

    def loss():
        return float((cell.predict(inputs) * dh).sum())

    _, backprop = cell(inputs, is_train=True)
    for actual, array in zip(backprop(dh), inputs, strict=True):
        np.testing.assert_allclose(actual, numeric_gradient(loss, array), rtol=1e-6)
    for node, name, value in parameters(cell):
        expected = numeric_gradient(loss, value)
        np.testing.assert_allclose(node.get_grad(name), expected, rtol=1e-6)


def test_inputs_are_not_changed(cell, inputs):
    before = [array.copy() for array in inputs]
    h, backprop = cell(inputs, is_train=True)
    backprop(h)
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_steps_by_hand_equal_the_layer():
    fix_random_seed(0)
    layer = RNN(nO=5, nI=3).initialize()
    (cell,) = layer.layers
    X = np.random.default_rng(0).standard_normal((7, 3)).astype("float32")
    h = cell.ops.alloc2f(1, 5)
    outputs = []
    for x in X:
        h = cell.predict((x[None], h))
        outputs.append(h[0])
    whole = layer.predict(Ragged(X, np.array([7], dtype="int32")))
    np.testing.assert_allclose(np.stack(outputs), whole.dataXd, atol=1e-6)


def test_sizes_are_inferred_from_the_sample(inputs):
    cell = RNNCell().initialize(X=inputs)
    assert (cell.get_dim("nI"), cell.get_dim("nO")) == (2, 3)
    shapes = [cell.get_param(name).shape for name in ("Wx", "Wh", "b")]
    assert shapes == [(2, 3), (3, 3), (3,)]
    assert RNNCell(nI=2).initialize(Y=inputs[1]).get_dim("nO") == 3


def test_recurrent_weights_are_orthogonal_at_first():
    cell = RNNCell(nO=6, nI=4).initialize()
    Wh = cell.get_param("Wh")
    np.testing.assert_allclose(Wh @ Wh.T, np.eye(6), atol=1e-5)
    assert not cell.get_param("b").any()


@pytest.mark.parametrize(
    "shapes, named", [(((4, 3), (4, 3)), "x"), (((4, 2), (5, 3)), "h")]
)
def test_shapes_that_do_not_match_are_named(cell, shapes, named):
    with pytest.raises(ValueError, match=rf"RNNCell: {named} has the shape"):
        cell.predict(tuple(np.zeros(shape) for shape in shapes))
