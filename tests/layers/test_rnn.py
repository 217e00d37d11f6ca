"""The plain recurrent layer against `torch.nn.RNN`, with the same weights."""

import numpy as np
import pytest
from thinc.api import fix_random_seed
from thinc.types import Ragged

from spacy_lstm_ner.layers import RNN

from ..helpers.gradients import to_float64

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

LENGTHS = [4, 0, 7, 1, 7, 0, 3]
NAMES = {"Wx": "weight_ih", "Wh": "weight_hh", "b": "bias_ih"}


def torch_rnn(model, bi, depth):
    """`torch.nn.RNN` with a copy of the weights, and the suffix of each cell."""
    rnn = torch.nn.RNN(5, model.layers[0].get_dim("nO"), depth, bidirectional=bi)
    rnn = rnn.double()
    suffixes = [
        f"l{layer}{direction}"
        for layer in range(depth)
        for direction in (["", "_reverse"] if bi else [""])
    ]
    for cell, suffix in zip(model.layers, suffixes, strict=True):
        for ours, theirs in NAMES.items():
            value = torch.tensor(cell.get_param(ours).T.copy())
            getattr(rnn, f"{theirs}_{suffix}").data = value
        getattr(rnn, f"bias_hh_{suffix}").data.zero_()
    return rnn, suffixes


@pytest.mark.parametrize("bi", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_against_torch_one_sequence_at_a_time(bi, depth):
    fix_random_seed(0)
    model = to_float64(RNN(8, 5, bi=bi, depth=depth).initialize())
    rng = np.random.default_rng(0)
    X = Ragged(rng.standard_normal((sum(LENGTHS), 5)), np.array(LENGTHS, dtype="int32"))
    dY = Ragged(rng.standard_normal((sum(LENGTHS), 8)), X.lengths)
    Y, backprop = model(X, is_train=True)
    dX = backprop(dY)
    rnn, suffixes = torch_rnn(model, bi, depth)
    for sequence, length in enumerate(LENGTHS):
        if length:
            x = torch.tensor(X[sequence].dataXd, requires_grad=True)
            y = rnn(x)[0]
            y.backward(torch.tensor(dY[sequence].dataXd))
            for ours, theirs in ((Y, y.detach()), (dX, x.grad)):
                np.testing.assert_allclose(
                    ours[sequence].dataXd, theirs.numpy(), atol=1e-12
                )
    for cell, suffix in zip(model.layers, suffixes, strict=True):
        for ours, theirs in NAMES.items():
            expected = getattr(rnn, f"{theirs}_{suffix}").grad.numpy().T
            np.testing.assert_allclose(cell.get_grad(ours), expected, atol=1e-12)
