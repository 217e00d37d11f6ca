"""Both layers against each other and against `torch.nn.LSTM`."""

import numpy as np
import pytest
from thinc.api import Adam, fix_random_seed, set_dropout_rate
from thinc.types import Ragged

from spacy_lstm_ner.layers import LSTM, TorchLSTM

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

LENGTHS = [4, 0, 7, 1, 7, 0, 3]
SETTINGS = [(bi, depth) for bi in (False, True) for depth in (1, 2, 3)]


def pair(bi, depth, nO=8, nI=5):
    """One layer of each kind, with the same weights."""
    fix_random_seed(0)
    ours = LSTM(nO, nI, bi=bi, depth=depth).initialize()
    theirs = TorchLSTM(nO, nI, bi=bi, depth=depth).from_bytes(ours.to_bytes())
    return ours, theirs


def data(width, lengths=LENGTHS, seed=0):
    X = np.random.default_rng(seed).standard_normal((sum(lengths), width))
    return Ragged(X.astype("float32"), np.array(lengths, dtype="int32"))


def bare_torch(model, bi, depth):
    """`torch.nn.LSTM` itself, with a copy of the weights of a layer."""
    lstm = torch.nn.LSTM(
        model.get_dim("nI"), model.layers[0].get_dim("nO"), depth, bidirectional=bi
    )
    suffixes = [
        f"l{layer}{way}"
        for layer in range(depth)
        for way in (["", "_reverse"] if bi else [""])
    ]
    for cell, suffix in zip(model.layers, suffixes, strict=True):
        values = {
            "weight_ih": cell.get_param("Wx").T,
            "weight_hh": cell.get_param("Wh").T,
            "bias_ih": cell.get_param("b"),
            "bias_hh": np.zeros_like(cell.get_param("b")),
        }
        for name, value in values.items():
            getattr(lstm, f"{name}_{suffix}").data = torch.tensor(value.copy())
    return lstm, suffixes


@pytest.mark.parametrize("bi, depth", SETTINGS)
def test_both_layers_against_torch_run_one_sequence_at_a_time(bi, depth):
    X, dY = data(5), data(8, seed=1)
    ours, theirs = pair(bi, depth)
    lstm, suffixes = bare_torch(ours, bi, depth)
    outputs, d_inputs = [], []
    for sequence in range(len(LENGTHS)):
        if LENGTHS[sequence]:
            x = torch.tensor(X[sequence].dataXd, requires_grad=True)
            y = lstm(x)[0]
            y.backward(torch.tensor(dY[sequence].dataXd))
            outputs.append(y.detach().numpy())
            d_inputs.append(x.grad.numpy())
    for layer in (ours, theirs):
        Y, backprop = layer(X, is_train=True)
        dX = backprop(dY)
        np.testing.assert_allclose(Y.dataXd, np.concatenate(outputs), atol=1e-5)
        np.testing.assert_allclose(dX.dataXd, np.concatenate(d_inputs), atol=1e-5)
        for cell, suffix in zip(layer.layers, suffixes, strict=True):
            for ours_name, name in (
                ("Wx", "weight_ih"),
                ("Wh", "weight_hh"),
                ("b", "bias_ih"),
            ):
                expected = getattr(lstm, f"{name}_{suffix}").grad.numpy().T
                np.testing.assert_allclose(
                    cell.get_grad(ours_name), expected, atol=1e-5
                )


@pytest.mark.parametrize("bi, depth", SETTINGS)
def test_the_same_bytes_load_into_both_layers(bi, depth):
    ours, theirs = pair(bi, depth)
    assert ours.to_bytes() == theirs.to_bytes()
    back = LSTM(bi=bi, depth=depth).from_bytes(theirs.to_bytes())
    X = data(5)
    np.testing.assert_array_equal(ours.predict(X).dataXd, back.predict(X).dataXd)


def test_training_keeps_both_layers_together():
    layers = pair(bi=True, depth=2)
    optimizers = Adam(0.01), Adam(0.01)
    for step in range(5):
        for layer, optimizer in zip(layers, optimizers, strict=True):
            Y, backprop = layer.begin_update(data(5, seed=step))
            backprop(Y)
            layer.finish_update(optimizer)
    ours, theirs = (layer.predict(data(5)).dataXd for layer in layers)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_sequence_is_the_same_alone_and_in_a_batch():
    _, model = pair(bi=True, depth=2)
    X = data(5)
    together = model.predict(X)
    for sequence in range(len(LENGTHS)):
        alone = model.predict(X[sequence]).dataXd
        np.testing.assert_allclose(alone, together[sequence].dataXd, atol=1e-6)


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_batches_with_nothing_in_them(lengths):
    _, model = pair(bi=True, depth=2)
    Y, backprop = model(data(5, lengths), is_train=True)
    assert Y.dataXd.shape == (0, 8)
    assert backprop(Y).dataXd.shape == (0, 5)


def test_dropout_draws_the_same_masks():
    layers = pair(bi=True, depth=2)
    outputs = []
    for layer in layers:
        set_dropout_rate(layer, 0.5)
        fix_random_seed(3)
        outputs.append(layer(data(5), is_train=True)[0].dataXd)
    assert (outputs[0] == 0).any()
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)


def test_odd_width_in_both_directions_is_refused():
    with pytest.raises(ValueError, match="nO has to be even, not 5"):
        TorchLSTM(nO=5, nI=3, bi=True)


def test_input_of_another_width_is_named():
    """PyTorch itself would read past the end of the weights."""
    with pytest.raises(ValueError, match="the input has a width of 6, expected 5"):
        pair(bi=False, depth=1)[1].predict(data(6))


def test_float64_and_integers_are_taken():
    _, model = pair(bi=True, depth=1)
    X = data(5)
    expected = model.predict(X).dataXd
    for dtype in ("float64", "int64"):
        model.predict(Ragged(X.dataXd.astype(dtype), X.lengths))
    double = model.predict(Ragged(X.dataXd.astype("float64"), X.lengths)).dataXd
    np.testing.assert_array_equal(double, expected)
