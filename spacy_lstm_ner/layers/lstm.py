"""The LSTM layer: `lstm_cell.py` over a batch of sequences.

recurrent.py has the directions, the depth and the dropout. The arithmetic of a layer is
in compiled_lstm.py, with compiled kernels, and in fused_lstm.py, with NumPy or CuPy.
"""

from thinc.api import Model
from thinc.types import Ragged

from . import compiled_lstm
from .lstm_cell import LSTMCell
from .recurrent import recurrent_layer


def LSTM(
    nO: int | None = None,
    nI: int | None = None,
    *,
    bi: bool = False,
    depth: int = 1,
    dropout: float = 0.0,
) -> Model[Ragged, Ragged]:
    """An LSTM layer over a ragged batch, on NumPy or CuPy.

    The output of a sequence does not depend on the rest of the batch, up to rounding.
    `TorchLSTM` takes the same arguments, computes the same values and saves the same
    bytes.

    nO: Width of the output: both directions side by side if `bi`.
    nI: Width of the input. Missing sizes are inferred from the sample that is passed to
        `Model.initialize`.
    bi: Read each sequence in both directions (Graves & Schmidhuber, 2005) with ``nO /
        2`` hidden units each.
    depth: Number of layers; each reads the output of the previous one.
    dropout: Dropout rate in training, on the input of each layer and on the output of
        the last one, i.e. on all connections but the recurrent ones (Zaremba, Sutskever
        & Vinyals, 2014). One mask is used for all steps of a sequence (Gal &
        Ghahramani, 2016). `thinc.api.set_dropout_rate`, and so `nlp.update(drop=…)`,
        sets it.
    RETURNS: The layer. Its `layers` are the cells in the order layer 0 forward, layer 0
        backward, layer 1 forward, …; it has no parameters of its own.
    RAISES (ValueError): If the depth or a width is below 1, nO is odd with `bi`, or the
        dropout is not in [0, 1); when called, if the input has another width.
    """
    return recurrent_layer(
        "lstm",
        LSTMCell,
        compiled_lstm.run_layer,
        nO,
        nI,
        bi=bi,
        depth=depth,
        dropout=dropout,
    )
