"""Gradients of a layer against finite differences, in float64."""

import numpy as np
from thinc.api import Model
from thinc.types import Ragged


def to_float64(model: Model) -> Model:
    """Convert all parameters to float64, for precise finite differences."""
    for node in model.walk():
        for name in node.param_names:
            node.set_param(name, node.get_param(name).astype("float64"))
    return model


def parameters(model: Model):
    """Each parameter of a layer, with its node and its name there."""
    return [
        (node, name, node.get_param(name))
        for node in model.walk()
        for name in node.param_names
    ]


def numeric_gradient(function, array: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
    """The gradient of function() with respect to an array, by central differences."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + epsilon
        above = function()
        array[index] = value - epsilon
        below = function()
        array[index] = value
        gradient[index] = (above - below) / (2 * epsilon)
    return gradient


def check_gradients(
    model: Model, X: np.ndarray, lengths: list[int], *, unused: list[str]
):
    """Compare the gradients of the inputs and of all parameters of a layer with finite
    differences. They must not be zero, except for the `unused` parameters."""
    batch = Ragged(X, np.array(lengths, dtype="int32"))
    Y, backprop = model(batch, is_train=True)
    weights = np.random.default_rng(0).standard_normal(Y.dataXd.shape)

    def loss() -> float:
        return float((model.predict(batch).dataXd * weights).sum())

    dX = backprop(Ragged(weights, batch.lengths)).dataXd
    assert dX.shape == X.shape
    np.testing.assert_allclose(dX, numeric_gradient(loss, X), rtol=1e-6, atol=1e-8)
    for node, name, value in parameters(model):
        expected = numeric_gradient(loss, value)
        np.testing.assert_allclose(
            node.get_grad(name), expected, rtol=1e-6, atol=1e-8, err_msg=name
        )
        assert expected.any() == (name not in unused), name
