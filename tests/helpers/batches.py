"""Batches of sequences."""

import numpy as np
from thinc.types import Ragged


def batch(lengths, width=3, dtype="float32", seed=0):
    """Sequences of these lengths, with random rows."""
    X = np.random.default_rng(seed).standard_normal((sum(lengths), width))
    return Ragged(X.astype(dtype), np.array(lengths, dtype="int32"))
