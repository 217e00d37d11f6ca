"""The LSTM layer on `torch.nn.LSTM`: the only file that imports torch.

The parameters stay with Thinc, in the same cells that `LSTM` has: PyTorch is lent them
for the length of a call. So both layers save the same bytes, and the optimizer that
Thinc's other layers use trains this one, too.
"""

import os
from functools import partial

from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d, Ragged
from thinc.util import is_cupy_array

from .lstm import Backprop, sequence_layer
from .packing import Packing

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

_PROCESS = os.getpid()


def TorchLSTM(
    nO: int | None = None,
    nI: int | None = None,
    *,
    bi: bool = False,
    depth: int = 1,
    dropout: float = 0.0,
) -> Model[Ragged, Ragged]:
    """`LSTM` computed by PyTorch (cuDNN on a GPU), from packed sequences.

    Arguments, result and errors are those of `LSTM`.

    RAISES (ImportError): Where PyTorch is not installed.
    """
    if torch is None:
        raise ImportError(
            "TorchLSTM needs PyTorch, which is not installed. Install the extra: "
            'pip install "spacy-lstm-ner[torch]". Or use the LSTM that needs none: '
            "layers.LSTM, in a config spacy-lstm-ner.LSTMEncoder.v1; it loads the "
            "same weights."
        )
    return sequence_layer("lstm", _run_layer, nO, nI, bi, depth, dropout)


def _run_layer(
    cells: list[Model], X: Floats2d, packing: Packing, is_train: bool
) -> tuple[Floats2d, Backprop]:
    """One layer. PyTorch packs sequences as packing.py does and finds its own way back
    through time, so the order of the forward direction serves both."""
    order = packing.forwards
    # A forked process, as of `nlp.pipe(n_process=2)`, does not have the threads that
    # PyTorch believes in, and would wait for them for ever.
    if os.getpid() != _PROCESS and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    # By default Thinc asks for the ops of the thread, which may not be those of X.
    device = f"cuda:{X.device.id}" if is_cupy_array(X) else "cpu"
    lend = partial(xp2torch, requires_grad=is_train, device=torch.device(device))
    inputs = lend(X[order])
    names = ("Wx", "Wh", "b")
    params = [[lend(cell.get_param(name)) for name in names] for cell in cells]
    weights = {}
    for (Wx, Wh, b), suffix in zip(params, ("l0", "l0_reverse"), strict=False):
        weights[f"weight_ih_{suffix}"] = Wx.T
        weights[f"weight_hh_{suffix}"] = Wh.T
        weights[f"bias_ih_{suffix}"] = b
        # A second bias adds nothing to the first one.
        weights[f"bias_hh_{suffix}"] = torch.zeros_like(b)
    # On the device "meta" the module has sizes but no weights of its own. A new one a
    # call costs little and lets several threads use the layer.
    nI, nH = X.shape[1], cells[0].get_dim("nO")
    lstm = torch.nn.LSTM(nI, nH, bidirectional=len(cells) == 2, device="meta")
    sizes = torch.tensor(packing.sizes, device="cpu")
    packed = torch.nn.utils.rnn.PackedSequence(inputs, sizes)
    with torch.set_grad_enabled(is_train):
        outputs = torch.func.functional_call(lstm, weights, (packed,))[0].data
    Y = _to_ragged_order(torch2xp(outputs.detach()), order)

    def backprop(dY: Floats2d) -> Floats2d:
        leaves = [inputs, *(param for group in params for param in group)]
        d_outputs = xp2torch(dY[order], device=torch.device(device))
        gradients = torch.autograd.grad(outputs, leaves, d_outputs, retain_graph=True)
        d_inputs, *d_params = (torch2xp(gradient) for gradient in gradients)
        for cell in cells:
            for name in names:
                cell.inc_grad(name, d_params.pop(0))
        return _to_ragged_order(d_inputs, order)

    return Y, backprop


def _to_ragged_order(packed: Floats2d, order) -> Floats2d:
    rows = packed.copy()
    rows[order] = packed
    return rows
