"""What is seen of the cells while a layer runs, against the cells run by hand."""

import threading

import numpy as np
import pytest
from thinc.api import fix_random_seed

from spacy_lstm_ner.layers import LSTM
from spacy_lstm_ner.layers.recording import record_states

from ..helpers.batches import batch

LENGTHS = [3, 0, 5, 1]


def layer(**settings):
    fix_random_seed(0)
    return LSTM(8, 3, **settings).initialize()


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def by_hand(cell, X):
    """i, f, o, g, c and h of each step, as the equations have them."""
    Wx, Wh, b = (cell.get_param(name).astype("float64") for name in ("Wx", "Wh", "b"))
    h = c = np.zeros(cell.get_dim("nO"))
    steps = []
    for x in X:
        i, f, g, o = np.split(x @ Wx + h @ Wh + b, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, o, g, c, h))
    return np.array(steps).swapaxes(0, 1)


@pytest.mark.parametrize("bi", [False, True])
@pytest.mark.parametrize("depth", [1, 2])
def test_states_are_those_of_the_equations(bi, depth):
    model, X = layer(bi=bi, depth=depth), batch(LENGTHS, seed=1)
    with record_states(model.layers) as seen:
        Y = model.predict(X)
    assert len(seen) == depth
    inputs = X.dataXd
    for number, states in enumerate(seen):
        directions = 2 if bi else 1
        outputs = []
        for k in range(directions):
            cell = model.layers[number * directions + k]
            start = 0
            for length in LENGTHS:
                rows = slice(start, start + length)
                x = inputs[rows][::-1] if k else inputs[rows]
                if length:
                    expected = by_hand(cell, x)
                    expected = expected[:, ::-1] if k else expected
                    for array, right in zip(states, expected, strict=True):
                        np.testing.assert_allclose(array[k, rows], right, atol=1e-5)
                start += length
            outputs.append(states.hidden[k])
        inputs = np.hstack(outputs)
    np.testing.assert_array_equal(inputs, Y.dataXd)


def test_watching_changes_nothing_and_ends():
    model, X = layer(bi=True), batch(LENGTHS, seed=1)
    before = model.predict(X).dataXd
    with record_states(model.layers) as seen:
        # The NumPy form records, and computes the same up to rounding.
        np.testing.assert_allclose(model.predict(X).dataXd, before, atol=1e-6)
        model.predict(X)
    model.predict(X)
    assert len(seen) == 2


def test_only_these_cells_and_this_thread_are_record_states():
    model, other, X = layer(), layer(), batch(LENGTHS, seed=1)
    with record_states(model.layers) as seen:
        other.predict(X)
        thread = threading.Thread(target=model.predict, args=[X])
        thread.start()
        thread.join()
        assert not seen
        with record_states(other.layers) as inner:
            model.predict(X)
            other.predict(X)
        assert (len(seen), len(inner)) == (0, 1)
        model.predict(X)
    assert len(seen) == 1


def test_gradients_are_the_same_while_record_states():
    model, X = layer(bi=True), batch(LENGTHS, seed=1)
    Y, backprop = model.begin_update(X)
    expected = backprop(Y).dataXd
    with record_states(model.layers):
        Y, backprop = model.begin_update(X)
        np.testing.assert_allclose(backprop(Y).dataXd, expected, atol=1e-6)


@pytest.mark.torch
def test_the_layer_on_pytorch_shows_the_same():
    pytest.importorskip("torch")
    from spacy_lstm_ner.layers import TorchLSTM

    ours = layer(bi=True, depth=2)
    theirs = TorchLSTM(8, 3, bi=True, depth=2).from_bytes(ours.to_bytes())
    X = batch(LENGTHS, seed=1)
    with record_states(ours.layers) as seen:
        ours.predict(X)
    with record_states(theirs.layers) as seen_of_torch:
        theirs.predict(X)
    for one, other in zip(seen, seen_of_torch, strict=True):
        for array, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, same)
    # And that is what PyTorch computes.
    hidden = np.hstack(list(seen_of_torch[-1].hidden))
    np.testing.assert_allclose(hidden, theirs.predict(X).dataXd, atol=1e-5)
