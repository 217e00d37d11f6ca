"""The linear layer against that of Thinc."""

import numpy as np
import thinc.api

from spacy_lstm_ner.layers.linear import Linear


def test_same_as_thinc():
    rng = np.random.default_rng(0)
    X, dY = (rng.standard_normal((7, n), dtype="float32") for n in (5, 3))
    ours, other = Linear(3), thinc.api.Linear(3)
    ours.initialize(X=X)
    other.initialize(X=X)
    other.from_bytes(ours.to_bytes())
    results = []
    for layer in (ours, other):
        Y, backprop = layer.begin_update(X)
        gradients = [backprop(dY), layer.get_grad("W"), layer.get_grad("b")]
        results.append([layer.predict(X), Y, *gradients])
    for one, expected in zip(*results, strict=True):
        assert one.dtype == "float32"
        np.testing.assert_allclose(one, expected, atol=1e-6)
    assert ours.to_bytes() == other.to_bytes()


def test_sizes_are_inferred():
    X, Y = np.zeros((2, 4), "float32"), np.zeros((2, 6), "float32")
    layer = Linear().initialize(X=X, Y=Y)
    assert layer.get_param("W").shape == (6, 4)
    assert layer.predict(X[:0]).shape == (0, 6)
