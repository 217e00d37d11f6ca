"""How certain scores are: bootstrap intervals, and tests of the difference between two
pipelines on the same documents.

The unit is the document: entities of one document depend on each other. What differs
between two trainings with other seeds is not part of it: intervals and tests are about
other documents of the same kind, for these two pipelines as they are.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Documents of all resamples that are computed at once.
_BLOCK = 4_000_000


class Interval(NamedTuple):
    """A confidence interval of a score."""

    low: float
    high: float


class ScoreIntervals(NamedTuple):
    """The intervals of precision, recall and F1."""

    p: Interval
    r: Interval
    f: Interval


class PairedTest(NamedTuple):
    """The difference between the F1 of two pipelines.

    difference: F1 of the second one minus F1 of the first one.
    interval: The interval of the difference, by the paired bootstrap.
    p_bootstrap: The p-value of the paired bootstrap.
    p_randomization: The p-value of approximate randomization.
    """

    difference: float
    interval: Interval
    p_bootstrap: float
    p_randomization: float


def scores(counts: NDArray) -> NDArray[np.float64]:
    """Compute precision, recall and F1 of counts; 0 where they are not defined.

    counts: (..., 3) true positives, false positives and false negatives.
    RETURNS: (..., 3)
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, dtype="float64"), -1, 0)
    found = np.stack([tp, tp, 2 * tp])
    total = np.stack([tp + fp, tp + fn, 2 * tp + fp + fn])
    ratios: NDArray[np.float64] = np.divide(
        found, total, out=np.zeros_like(found), where=total > 0
    )
    return np.moveaxis(ratios, 0, -1)


def bootstrap_intervals(
    counts: NDArray, *, level: float = 0.95, samples: int = 2000, seed: int = 0
) -> ScoreIntervals:
    """Compute percentile intervals of precision, recall and F1 (Efron & Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapter 13): documents are drawn with
    replacement. Resamples without any entity, gold or predicted, have no scores, and
    are left out.

    counts: (documents, 3) true positives, false positives and false negatives.
    level: The confidence level.
    samples: The number of resamples.
    seed: The seed of the resamples.
    """
    totals = np.concatenate(
        [weights @ counts for weights in _resamples(len(counts), samples, seed)]
    )
    with_entities = totals.any(axis=1)
    found = scores(totals[with_entities] if with_entities.any() else totals)
    limits = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ScoreIntervals(*(Interval(*map(float, column)) for column in limits.T))


def paired_test(
    first: NDArray,
    second: NDArray,
    *,
    level: float = 0.95,
    samples: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Test whether two pipelines have the same F1, by two methods, both two-sided.

    - The paired bootstrap (Berg-Kirkpatrick, Burkett & Klein, "An Empirical
      Investigation of Statistical Significance in NLP", 2012): how often the difference
      on a resample of the documents deviates from the observed one by at least as much
      as the observed one does from 0.
    - Approximate randomization (Noreen, "Computer-Intensive Methods for Testing
      Hypotheses", 1989; Yeh, 2000): how often the difference is at least as large if
      the predictions of the two pipelines are exchanged on a random half of the
      documents.

    The observed data is counted as one of the samples, so that no p-value is 0.

    first: (documents, 3) the counts of the first pipeline.
    second: (documents, 3) those of the second one, on the same documents.
    level: The confidence level of the interval.
    samples: The number of samples of each method.
    seed: The seed of the samples.
    RETURNS: The difference, its interval and the p-values.
    """

    def f1(counts: NDArray) -> NDArray[np.float64]:
        return scores(counts)[..., 2]

    observed = float(f1(second.sum(axis=0)) - f1(first.sum(axis=0)))
    # Sums in another order must not make equal differences unequal.
    limit = abs(observed) - 1e-12
    differences = np.concatenate(
        [
            f1(weights @ second) - f1(weights @ first)
            for weights in _resamples(len(first), samples, seed)
        ]
    )
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    n_shifted = int((np.abs(differences - observed) >= limit).sum())
    total, change = first.sum(axis=0), second - first
    n_exchanged = 0
    for exchanged in _exchanges(len(first), samples, seed):
        moved = exchanged @ change
        swapped = f1(second.sum(axis=0) - moved) - f1(total + moved)
        n_exchanged += int((np.abs(swapped) >= limit).sum())
    return PairedTest(
        observed,
        Interval(float(low), float(high)),
        (n_shifted + 1) / (samples + 1),
        (n_exchanged + 1) / (samples + 1),
    )


def _resamples(documents: int, samples: int, seed: int) -> Iterator[NDArray]:
    """Yield how often each document is in each resample, in blocks: (some, documents),
    float64, which BLAS multiplies."""
    rng = np.random.default_rng(seed)
    for size in _block_sizes(documents, samples):
        drawn = rng.integers(0, documents, (size, documents))
        drawn += np.arange(size)[:, None] * documents
        counted = np.bincount(drawn.ravel(), minlength=size * documents)
        yield counted.reshape(size, documents).astype("float64")


def _exchanges(documents: int, samples: int, seed: int) -> Iterator[NDArray]:
    """Yield which documents are exchanged in each sample, in blocks."""
    rng = np.random.default_rng(seed)
    for size in _block_sizes(documents, samples):
        yield rng.integers(0, 2, (size, documents)).astype("float64")


def _block_sizes(documents: int, samples: int) -> Iterator[int]:
    size = max(1, _BLOCK // max(documents, 1))
    while samples > 0:
        yield min(size, samples)
        samples -= size


def decimals(interval: Sequence[float] | None) -> int:
    """Return how many decimals of a score in percent mean something: none if the
    interval is wider than 4 points, one if it is wider than 1, otherwise two. None if
    it has no width: without any error, resamples have none either, which does not mean
    that there would be none in other documents. Two if there is no interval."""
    if interval is None:
        return 2
    width = 100 * (interval[1] - interval[0])
    return 0 if width > 4 or width == 0 else 1 if width > 1 else 2


def percent(score: float | None, digits: int = 2, *, none: str = "-") -> str:
    """Format a score in percent.

    score: The score.
    digits: The number of decimals.
    none: What stands for no score.
    """
    return none if score is None else f"{100 * score:.{digits}f}"


def interval_text(interval: Sequence[float] | None, *, none: str = "-") -> str:
    """Format an interval in percent.

    interval: The interval.
    none: What stands for no interval, and for one without width.
    """
    if interval is None or interval[0] == interval[1]:
        return none
    return " to ".join(percent(limit, decimals(interval)) for limit in interval)
