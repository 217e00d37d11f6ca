"""The LSTM layer on `torch.nn.LSTM`: the only file that imports torch.

The parameters belong to the same Thinc cells as those of `LSTM`, and PyTorch gets them
for the duration of a call. So both layers save the same bytes, and Thinc's optimizers
train both.
"""

import os
from functools import partial
from typing import Any, cast

from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d, Ragged
from thinc.util import is_cupy_array

from . import fused_lstm
from .lstm_cell import LSTMCell
from .packing import Packing
from .recording import active_recorder
from .recurrent import Backprop, recurrent_layer

try:
    import torch
except ImportError:
    torch = cast(Any, None)

_PROCESS = os.getpid()


def TorchLSTM(
    nO: int | None = None,
    nI: int | None = None,
    *,
    bi: bool = False,
    depth: int = 1,
    dropout: float = 0.0,
) -> Model[Ragged, Ragged]:
    """`LSTM` computed by PyTorch (cuDNN on a GPU), on packed sequences.

    Arguments, result and errors are those of `LSTM`.

    RAISES (ImportError): If PyTorch is not installed.
    """
    if torch is None:
        raise ImportError(
            "TorchLSTM needs PyTorch, which is not installed. Install the extra: "
            'pip install "spacy-lstm-ner[torch]". Or use the LSTM that does not '
            "need it: layers.LSTM, in a config spacy-lstm-ner.LSTMEncoder.v1; it loads "
            "the same weights."
        )
    return recurrent_layer(
        "lstm", LSTMCell, _run_layer, nO, nI, bi=bi, depth=depth, dropout=dropout
    )


def _run_layer(
    cells: list[Model], X: Floats2d, packing: Packing, is_train: bool
) -> tuple[Floats2d, Backprop]:
    """Run one layer. PyTorch packs sequences as packing.py does and reverses time
    itself, so the order of the forward direction is used for both."""
    if active_recorder() is not None:
        # PyTorch does not expose its gates; with the same weights they are the same.
        return fused_lstm.run_layer(cells, X, packing, is_train)
    order = packing.forwards
    # A forked process, as in `nlp.pipe(n_process=2)`, does not have PyTorch's threads,
    # and would wait for them forever.
    if os.getpid() != _PROCESS and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    # By default Thinc uses the device of the current ops, which may not be that of X.
    device = f"cuda:{X.device.id}" if is_cupy_array(X) else "cpu"
    to_torch = partial(xp2torch, requires_grad=is_train, device=torch.device(device))
    inputs = to_torch(X[order])
    names = ("Wx", "Wh", "b")
    params = [[to_torch(cell.get_param(name)) for name in names] for cell in cells]
    weights = {}
    for (Wx, Wh, b), suffix in zip(params, ("l0", "l0_reverse"), strict=False):
        weights[f"weight_ih_{suffix}"] = Wx.T
        weights[f"weight_hh_{suffix}"] = Wh.T
        weights[f"bias_ih_{suffix}"] = b
        # The cell has one bias: the second one of PyTorch is zero.
        weights[f"bias_hh_{suffix}"] = torch.zeros_like(b)
    # On the device "meta" the module has sizes but no weights of its own. Creating one
    # for each call is cheap and makes the layer thread-safe.
    nI, nH = X.shape[1], cells[0].get_dim("nO")
    lstm = torch.nn.LSTM(nI, nH, bidirectional=len(cells) == 2, device="meta")
    sizes = torch.tensor(packing.sizes, device="cpu")
    packed = torch.nn.utils.rnn.PackedSequence(inputs, sizes)
    with torch.set_grad_enabled(is_train):
        outputs = torch.func.functional_call(lstm, weights, (packed,))[0].data
    Y = packing.to_ragged(torch2xp(outputs.detach()))

    def backprop(dY: Floats2d) -> Floats2d:
        leaves = [inputs, *(param for group in params for param in group)]
        d_outputs = xp2torch(dY[order], device=torch.device(device))
        gradients = torch.autograd.grad(outputs, leaves, d_outputs, retain_graph=True)
        d_inputs, *d_params = (torch2xp(gradient) for gradient in gradients)
        for cell in cells:
            for name in names:
                cell.inc_grad(name, d_params.pop(0))
        return packing.to_ragged(d_inputs)

    return Y, backprop
