"""Calibrated probabilities: of all entities with probability 0.8, 80% are correct.

A network that fits its training data closely is overconfident on other data.
*Temperature scaling* (Guo, Pleiss, Sun & Weinberger, ICML 2017) divides all of its
scores by one number T; here these are the scores of paths, transitions included:

    p(y) = exp(s(y) / T) / Σ exp(s(y') / T)

The order of the paths stays the same, so the same entities are found; only their
probabilities change, and are closer to each other for T > 1. T minimizes a loss on data
that the network was not trained on. It is the log loss of the probabilities p of the
entities found, -log p for correct and -log(1 - p) for incorrect ones, summed, plus
(log T)² / 2, which keeps T near 1 where there are few entities.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import exp, log

import numpy as np
from spacy.training import Example
from thinc.types import Floats1d

from ..exceptions import NotCalibrated
from ..model.units import MISSING
from ..tags import ScoredSpan, Span
from .batch import Batch
from .decoding import Decoder
from .state import State, tag_set
from .windows import Window

LOWEST, HIGHEST = 0.1, 20.0
# The logarithm of the temperature is found to this precision.
_PRECISION = 0.01
_GOLDEN = (5**0.5 - 1) / 2


def find_temperature(
    decoder: Decoder, examples: list[Example], window: int | None
) -> float:
    """Find the temperature for a component, see `LSTMEntityRecognizer.calibrate`.

    decoder: The component with the temperature that it has.
    examples: Examples that it was not trained on.
    window: Units per window.
    RETURNS: The temperature, rounded to four decimals.
    RAISES (NotCalibrated): If no entity is found, or none is correct.
    """
    found: list[tuple[Batch, list[list[Span]]]] = []
    is_correct: list[bool] = []
    for batch in decoder.batches([eg.predicted for eg in examples], window):
        _, all_spans = decoder.search(batch)
        judged = [
            _judge(decoder.state, examples[part.doc_index], part, spans)
            for part, spans in zip(batch.windows, all_spans, strict=True)
        ]
        found.append((batch, [[span for span, _ in spans] for spans in judged]))
        is_correct += [correct for spans in judged for _, correct in spans]
    if not any(is_correct):
        raise NotCalibrated(
            f"[{decoder.name}] None of {len(is_correct)} entities found in "
            f"{len(examples)} texts is correct: there is nothing to calibrate with."
        )

    def probabilities(temperature: float) -> Floats1d:
        at = replace(decoder, state=replace(decoder.state, temperature=temperature))
        return np.array(
            [
                p
                for batch, spans in found
                for some in at.marginals(batch, spans)
                for p in some
            ]
        )

    return round(fit_temperature(probabilities, np.array(is_correct)), 4)


def _judge(
    state: State, example: Example, window: Window, spans: Iterable[Span]
) -> list[tuple[Span, bool]]:
    """The entities of a window that count, and which of them are correct. Those on
    tokens without annotation do not count."""
    units = state.units
    gold = set(units.aligned_spans(example, list(example.reference.ents)))
    # A label that the component does not know cannot be predicted, but is not an error.
    others = {span.label for span in gold}.difference(state.labels)
    tags = tag_set((*state.labels, *sorted(others)), state.scheme)
    unknown = units.gold_tags(example, tags) == MISSING
    judged = []
    for own in window.from_core(ScoredSpan(*span, 0.0) for span in spans):
        if not unknown[own.start : own.end].any():
            start, end = own.start - window.offset, own.end - window.offset
            judged.append((Span(start, end, own.label), Span(*own[:3]) in gold))
    return judged


def fit_temperature(
    probabilities: Callable[[float], Floats1d], is_correct: np.ndarray
) -> float:
    """Find the temperature with the lowest loss, by golden-section search over its
    logarithm.

    probabilities: Computes the probabilities (n,) at a temperature.
    is_correct: (n,) bool, which are correct; at least one is.
    RETURNS: The temperature, from `LOWEST` to `HIGHEST`.
    """

    def loss(log_temperature: float) -> float:
        p = probabilities(exp(log_temperature))
        return log_loss(p, is_correct) + log_temperature**2 / 2

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


def log_loss(probabilities: Floats1d, is_correct: np.ndarray) -> float:
    """The sum of -log p of what is correct, and of -log(1 - p) of what is not.

    Probabilities are clipped to 1 - 1e-6, so that no single annotation error dominates.
    """
    p = np.asarray(probabilities).clip(1e-6, 1 - 1e-6)
    return float(-np.log(np.where(is_correct, p, 1 - p)).sum())
