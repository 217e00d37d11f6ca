"""Kernels and the NumPy form."""

import os
from contextlib import contextmanager

from spacy_lstm_ner import kernels


def available() -> list[str]:
    """The instruction sets for which there are kernels on this machine."""
    if kernels.kernels() is None:
        return []
    return kernels.kernels().instruction_sets()


@contextmanager
def numpy_form():
    """Compute without kernels inside the block."""
    before = kernels.instruction_set()
    kernels.use(kernels.OFF)
    try:
        yield
    finally:
        kernels.use(before or os.environ.get(kernels.VARIABLE, ""))


def both_forms(function, *args, **kwargs):
    """RETURNS: The results with kernels and without."""
    compiled = function(*args, **kwargs)
    with numpy_form():
        return compiled, function(*args, **kwargs)
