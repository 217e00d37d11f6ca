"""The LSTM layer: blocks of steps, and what both directions are for.

Tests that apply to all recurrent layers are in test_recurrent.py."""

import numpy as np
import pytest
from thinc.api import Adam, fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner.layers import LSTM, fused_lstm

from ..helpers.batches import batch
from ..helpers.gradients import check_gradients, to_float64


def make(nO=4, nI=3, **settings):
    fix_random_seed(0)
    return LSTM(nO, nI, **settings).initialize()


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_gradients_where_time_is_cut_into_blocks(rows, monkeypatch):
    monkeypatch.setattr(fused_lstm, "_BLOCK_ROWS", rows)
    model = to_float64(make(bi=True, depth=2))
    X = np.random.default_rng(3).standard_normal((11, 3))
    check_gradients(model, X, [2, 4, 0, 1, 4], unused=[])


def test_blocks_make_no_difference(monkeypatch):
    """Not to the last bit, since products of other sizes round differently."""
    model = make(nO=6, bi=True)
    X = batch([300, 3, 150])
    whole = model.predict(X).dataXd
    monkeypatch.setattr(fused_lstm, "_BLOCK_ROWS", 10)
    np.testing.assert_allclose(model.predict(X).dataXd, whole, atol=1e-6)


def test_learns_what_one_direction_cannot_know():
    """Say at each step whether the *last* input of the sequence is positive."""

    def error_after_training(bi):
        fix_random_seed(0)
        model = LSTM(nO=8, nI=1, bi=bi).initialize()
        optimizer = Adam(0.02)
        rng = np.random.default_rng(0)
        for _ in range(120):
            lengths = rng.integers(3, 8, 16).astype("int32")
            X = rng.choice([-1.0, 1.0], (lengths.sum(), 1)).astype("float32")
            last = np.repeat(X[np.cumsum(lengths) - 1], lengths, axis=0)
            Y, backprop = model.begin_update(Ragged(X, lengths))
            dY = np.zeros_like(Y.dataXd)
            dY[:, -1:] = Y.dataXd[:, -1:] - last / 2
            backprop(Ragged(dY / len(dY), lengths))
            model.finish_update(optimizer)
        return float(np.square(dY[:, -1]).mean())

    assert error_after_training(bi=True) < 0.02
    assert error_after_training(bi=False) > 0.1
