"""Bootstrap intervals and paired tests, against SciPy and full enumeration."""

from itertools import product

import numpy as np
import pytest

from spacy_lstm_ner.evaluation.significance import (
    Interval,
    bootstrap_intervals,
    decimals,
    paired_test,
    scores,
)

stats = pytest.importorskip("scipy.stats")


def random_counts(documents, seed=0):
    return np.random.default_rng(seed).integers(0, 5, (documents, 3))


def f1(counts):
    tp, fp, fn = counts
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0


def test_scores_are_those_of_the_definition():
    found = scores(np.array([[3, 1, 2], [0, 0, 0], [0, 2, 0]]))
    assert found.tolist() == [[3 / 4, 3 / 5, 6 / 9], [0, 0, 0], [0, 0, 0]]


def test_intervals_are_those_of_scipy():
    counts = random_counts(60)
    found = bootstrap_intervals(counts, samples=20_000)

    def statistic(tp, fp, fn, axis):
        return 2 * tp.sum(axis) / (2 * tp.sum(axis) + fp.sum(axis) + fn.sum(axis))

    reference = stats.bootstrap(
        counts.T,
        statistic,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    # Two samples of 20,000: the quantiles differ by chance.
    assert found.f == pytest.approx(tuple(reference), abs=0.003)
    assert bootstrap_intervals(counts) == bootstrap_intervals(counts)
    assert bootstrap_intervals(counts, seed=1) != bootstrap_intervals(counts)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        # Each document has 10 gold entities, of which a share of 0.8 is found.
        found = rng.binomial(10, 0.8, 80)
        counts = np.stack([found, np.zeros(80, int), 10 - found], axis=1)
        interval = bootstrap_intervals(counts, samples=500, seed=seed).r
        covered += interval.low <= 0.8 <= interval.high
    assert 0.90 <= covered / 200 <= 0.99


def test_p_values_are_those_of_all_samples():
    first, second = random_counts(6), random_counts(6, seed=3)
    observed = f1(second.sum(axis=0)) - f1(first.sum(axis=0))
    found = paired_test(first, second, samples=40_000)
    assert found.difference == pytest.approx(observed)
    # All 2^6 exchanges.
    extreme = 0
    for exchanged in product([False, True], repeat=6):
        a = np.where(np.array(exchanged)[:, None], second, first)
        b = np.where(np.array(exchanged)[:, None], first, second)
        difference = f1(b.sum(axis=0)) - f1(a.sum(axis=0))
        extreme += abs(difference) >= abs(observed) - 1e-12
    assert found.p_randomization == pytest.approx(extreme / 64, abs=0.01)
    # All 6^6 resamples.
    differences = []
    for drawn in product(range(6), repeat=6):
        a, b = first[list(drawn)].sum(axis=0), second[list(drawn)].sum(axis=0)
        differences.append(f1(b) - f1(a))
    shifted = np.abs(np.array(differences) - observed) >= abs(observed) - 1e-12
    assert found.p_bootstrap == pytest.approx(shifted.mean(), abs=0.01)
    limits = np.quantile(differences, [0.025, 0.975])
    assert found.interval == pytest.approx(tuple(limits), abs=0.01)


def test_randomization_is_that_of_scipy():
    first, second = random_counts(40), random_counts(40, seed=1)
    second[:, 0] += 1
    found = paired_test(first, second, samples=20_000)

    def statistic(a, b):
        # SciPy exchanges documents by their indices into both.
        pick = np.concatenate([first, second])
        return f1(pick[b.astype(int)].sum(axis=0)) - f1(pick[a.astype(int)].sum(axis=0))

    reference = stats.permutation_test(
        (np.arange(40), np.arange(40, 80)),
        statistic,
        permutation_type="samples",
        n_resamples=5_000,
        rng=np.random.default_rng(1),
    )
    assert found.p_randomization == pytest.approx(reference.pvalue, abs=0.02)


def test_resamples_without_an_entity_have_no_scores():
    # Of a label that occurs once, and is found.
    counts = np.zeros((20, 3), int)
    counts[3, 0] = 1
    assert bootstrap_intervals(counts).f == (1, 1)
    assert bootstrap_intervals(np.zeros((20, 3), int)).f == (0, 0)


def test_equal_pipelines_do_not_differ():
    counts = random_counts(30)
    found = paired_test(counts, counts)
    assert found.difference == 0 and found.interval == (0, 0)
    assert found.p_bootstrap == 1 and found.p_randomization == 1


@pytest.mark.parametrize(
    ("width", "n"), [(0.2, 0), (0.041, 0), (0.03, 1), (0.011, 1), (0.005, 2), (0, 0)]
)
def test_decimals(width, n):
    assert decimals(Interval(0.5, 0.5 + width)) == n
