"""Thinc layers on NumPy or CuPy arrays. They do not depend on spaCy."""

from .crf import CRF
from .embed import CharEmbed, HashCharEmbed
from .jieba_tagger import JiebaTaggerEmbed
from .label_crfs import LabelCRFs
from .lexicon import LexiconEmbed
from .lstm import LSTM
from .lstm_cell import LSTMCell
from .rnn import RNN
from .rnn_cell import RNNCell
from .torch_lstm import TorchLSTM
from .word_table import WordTableEmbed

__all__ = [
    "CRF",
    "LSTM",
    "RNN",
    "CharEmbed",
    "HashCharEmbed",
    "JiebaTaggerEmbed",
    "LSTMCell",
    "LabelCRFs",
    "LexiconEmbed",
    "RNNCell",
    "TorchLSTM",
    "WordTableEmbed",
]
