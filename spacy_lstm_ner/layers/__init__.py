"""Layers: arrays in, arrays out. They know Thinc and NumPy, nothing of spaCy."""

from .crf import CRF
from .embed import CharEmbed, HashCharEmbed
from .lexicon import LexiconEmbed
from .lstm import LSTM
from .lstm_cell import LSTMCell
from .torch_lstm import TorchLSTM

__all__ = [
    "CRF",
    "LSTM",
    "CharEmbed",
    "HashCharEmbed",
    "LSTMCell",
    "LexiconEmbed",
    "TorchLSTM",
]
