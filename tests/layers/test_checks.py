"""Recurrent layers that were loaded from a broken file."""

import numpy as np
import pytest

from spacy_lstm_ner.layers import LSTM, RNN
from spacy_lstm_ner.layers.checks import LAYER_CHECKS

LAYERS = pytest.mark.parametrize("layer", [LSTM, RNN], ids=["lstm", "rnn"])


def check(model):
    for node in model.walk():
        LAYER_CHECKS[node.name](node)


@LAYERS
def test_what_was_saved_passes(layer):
    model = layer(8, 3, bi=True, depth=2).initialize()
    check(layer(bi=True, depth=2).from_bytes(model.to_bytes()))
    check(layer(8, 3))  # not initialized


@LAYERS
@pytest.mark.parametrize("name", ["Wx", "Wh", "b"])
def test_a_parameter_of_another_shape_is_named(layer, name):
    model = layer(8, 3).initialize()
    (cell,) = model.layers
    param = cell.get_param(name)
    cell.set_param(name, np.zeros((len(param) + 1, *param.shape[1:]), "float32"))
    with pytest.raises(
        ValueError, match=f"parameter {name} of {cell.name} has the shape"
    ):
        check(model)


@LAYERS
@pytest.mark.parametrize(
    "name, value, says",
    [
        ("bi", 1, r"bi = 1 and depth = 1, which do not match its 1 cells"),
        ("bi", True, r"bi = True and depth = 1, which do not match its 1 cells"),
        ("depth", 3, r"bi = False and depth = 3, which do not match its 1 cells"),
        ("dropout_rate", 1.5, r"dropout_rate = 1\.5"),
        ("dropout_rate", "a", "dropout_rate = 'a'"),
    ],
)
def test_an_attribute_that_cannot_be_is_named(layer, name, value, says):
    model = layer(8, 3).initialize()
    model.attrs[name] = value
    with pytest.raises(ValueError, match=f"^{model.name} has .*{says}"):
        check(model)
