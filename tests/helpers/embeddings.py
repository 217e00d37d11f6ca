"""Inputs of the embedding layers."""

import numpy as np
from thinc.types import Ragged


def codes(text):
    """The code points of a text, as an array of shape (characters, 1)."""
    return np.array([[ord(char)] for char in text], dtype="int64").reshape(-1, 1)


def ragged(*texts):
    """Texts as a ragged array of code points."""
    lengths = np.array([len(text) for text in texts], dtype="int32")
    return Ragged(codes("".join(texts)), lengths)
