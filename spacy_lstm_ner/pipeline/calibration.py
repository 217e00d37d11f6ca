"""Probabilities that mean what they say: of all entities with 0.8, 80% should be right.

A network that knows its training data by heart is too sure of what it has not read.
*Temperature scaling* (Guo, Pleiss, Sun & Weinberger, ICML 2017) divides all of its
scores by one number T. Here these are the scores of paths, with their transitions:

    p(y) = exp(s(y) / T) / Σ exp(s(y') / T)

A path that had a higher score than another one still has it. So nothing else is found;
only probabilities change, towards even ones for T > 1. T is chosen on data that the
network was not trained on, such that the probabilities p of the entities that it finds
tell best which of them are right: the log loss -log p for those that are, -log(1 - p)
for those that are not, summed up, is lowest. To it (log T)² / 2 is added: where there
is little to go by, T stays near 1.
"""

from collections.abc import Callable
from math import exp, log

import numpy as np
from thinc.types import Floats1d

LOWEST, HIGHEST = 0.1, 20.0
# The logarithm of the temperature is found up to this.
_PRECISION = 0.01
_GOLDEN = (5**0.5 - 1) / 2


def fit_temperature(
    probabilities: Callable[[float], Floats1d], is_right: np.ndarray
) -> float:
    """Find the temperature with the lowest loss, by golden-section search over its
    logarithm.

    probabilities (Callable[[float], Floats1d]): Gives the probabilities (n,) at a
        temperature.
    is_right (np.ndarray): (n,) bool, what is right; at least one.
    RETURNS (float): The temperature, from `LOWEST` to `HIGHEST`.
    """

    def loss(log_temperature: float) -> float:
        p = probabilities(exp(log_temperature))
        return log_loss(p, is_right) + log_temperature**2 / 2

    low, high = log(LOWEST), log(HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _PRECISION:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return exp((low + high) / 2)


def log_loss(probabilities: Floats1d, is_right: np.ndarray) -> float:
    """The sum of -log p of what is right, and of -log(1 - p) of what is not.

    Nothing is more certain than 1 - 1e-6: one wrong label in the data must not decide.
    """
    p = np.asarray(probabilities).clip(1e-6, 1 - 1e-6)
    return float(-np.log(np.where(is_right, p, 1 - p)).sum())
