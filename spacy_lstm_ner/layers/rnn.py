"""The plain recurrent layer: `rnn_cell.py` over a batch of sequences.

recurrent.py has the directions, the depth and the dropout. The cell is called once for
each step (unrolled.py): this layer is here to be read and to be compared with the LSTM.
"""

from functools import partial

from thinc.api import Model
from thinc.types import Ragged

from . import unrolled
from .recurrent import recurrent_layer
from .rnn_cell import RNNCell


def RNN(
    nO: int | None = None,
    nI: int | None = None,
    *,
    bi: bool = False,
    depth: int = 1,
    dropout: float = 0.0,
) -> Model[Ragged, Ragged]:
    """A plain recurrent layer (Elman, 1990) over a ragged batch, on NumPy or CuPy.

    Arguments, result and errors are those of `LSTM`, with `RNNCell` layers in place of
    `LSTMCell` layers. The values are those of `torch.nn.RNN`.
    """
    return recurrent_layer(
        "rnn",
        RNNCell,
        partial(unrolled.run_layer, n_states=1),
        nO,
        nI,
        bi=bi,
        depth=depth,
        dropout=dropout,
    )
