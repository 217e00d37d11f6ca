"""Sums over all legal paths of a CRF, by the forward-backward algorithm.

With e_t the emission scores of unit t, and A the transition scores (minus infinity for
an illegal transition):

    α_1 = exp(start) ∘ exp(e_1)           β_n = exp(end)
    α_t = (α_t-1 · exp(A)) ∘ exp(e_t)     β_t = exp(A) · (exp(e_t+1) ∘ β_t+1)

α_t[j] is the sum of exp(score) over the paths up to unit t that end in tag j, β_t[j]
over the ways to continue from there. So

    Z                     = α_n · exp(end)
    p(y_t = j)            = α_t[j] β_t[j] / Z
    p(y_t-1 = i, y_t = j) = α_t-1[i] exp(A[i, j]) exp(e_t[j]) β_t[j] / Z

At each step α and β are scaled to sum to 1 (Rabiner, 1989, section V.A). So nothing
overflows or underflows, and the logarithms of the scales add up to log Z.
"""

from typing import NamedTuple

import numpy as np
from thinc.types import Floats1d, Floats2d, Floats3d, Ints1d

from .. import kernels
from .crf import ConstrainedScores
from .packing import Packing, pack_on_cpu

# Below this, a sum of probabilities loses digits.
_TINY = 1e-250


class Counts(NamedTuple):
    """How often scores are used, on average over all paths: expected counts."""

    #: (N, T) of each tag at each unit: its probability.
    tags: Floats2d
    #: (T, T) of each transition, in all sequences together.
    transitions: Floats2d
    #: (B,) log Z of each sequence, 0 for an empty one.
    log_z: Floats1d


def expected_counts(
    emissions: Floats2d,
    lengths: Ints1d,
    scores: ConstrainedScores,
    factors: Floats1d | None = None,
) -> Counts:
    """The expected counts of a batch.

    emissions: (N, T) float64, sequences end to end; minus infinity excludes a tag.
    lengths: (B,) length of each sequence.
    scores: The other scores.
    factors: (B,) numbers by which the counts of each sequence are multiplied.
    RETURNS: The counts.
    RAISES (ValueError): If a sequence has no legal path.
    """
    if factors is None:
        factors = np.ones(len(lengths))
    found = _compiled_counts(emissions, lengths, scores, factors)
    return found or _numpy_counts(emissions, lengths, scores, factors)


def _compiled_counts(
    emissions: Floats2d, lengths: Ints1d, scores: ConstrainedScores, factors: Floats1d
) -> Counts | None:
    native = kernels.kernels()
    if native is None or scores.for_sums is None:
        return None
    n_tags = emissions.shape[1]
    counts = Counts(
        np.empty(emissions.shape), np.zeros((n_tags, n_tags)), np.zeros(len(lengths))
    )
    done = native.expected_counts(
        np.ascontiguousarray(emissions),
        np.asarray(lengths, dtype="int64"),
        scores.for_sums,
        factors,
        counts.tags,
        counts.transitions,
        counts.log_z,
    )
    return counts if done else None


def _numpy_counts(
    emissions: Floats2d, lengths: Ints1d, scores: ConstrainedScores, factors: Floats1d
) -> Counts:
    log_z = np.zeros(len(lengths))
    if not len(emissions):
        n_tags = emissions.shape[1]
        return Counts(np.zeros(emissions.shape), np.zeros((n_tags, n_tags)), log_z)
    packing = pack_on_cpu(lengths, len(emissions))
    lattice = forward_backward(emissions[packing.forwards], packing, scores)
    weights = np.repeat(factors, lengths)[packing.forwards][:, None]  # (N, 1)
    weighted = weights * lattice.alpha  # (N, T)
    # (T, T), without the factor exp(A)
    pairs = weighted[packing.previous].T @ lattice.incoming[packing.sizes[0] :]
    by_length = np.argsort(-np.asarray(lengths), kind="stable")[: len(lattice.log_z)]
    log_z[by_length] = lattice.log_z
    return Counts(
        packing.to_ragged(weighted * lattice.beta),
        pairs * np.exp(scores.transitions),
        log_z,
    )


class Lattice(NamedTuple):
    """The scaled sums of a batch, rows in time-major order."""

    #: (N, T) the share of each tag in the paths up to here.
    alpha: Floats2d
    #: (N, T) such that alpha · beta is the probability of each tag at each unit.
    beta: Floats2d
    #: (N, T) such that alpha₋[i] · exp(A[i, j]) · incoming[j] is the probability of tag
    #: i at the previous unit and tag j at this one.
    incoming: Floats2d
    #: (B,) log Z of each sequence that is not empty, the longest first.
    log_z: Floats1d


def forward_backward(
    emissions: Floats2d, packing: Packing, scores: ConstrainedScores
) -> Lattice:
    """Sum over all legal paths.

    Both directions run in one loop: backward, the sums over continuations are sums over
    the paths so far.

    emissions: (N, T) float64, time-major; minus infinity excludes a tag.
    packing: Their order.
    scores: The other scores.
    RETURNS: The sums.
    RAISES (ValueError): If a sequence has no legal path.
    """
    position = packing.to_ragged(np.arange(len(emissions)))  # (N,) of each ragged row
    backwards = position[packing.orders[1]]  # (N,) the row here of each backward row
    both = np.stack((emissions, emissions[backwards]))  # (2, N, T)
    # Relative to the largest score, exp cannot overflow. A resulting 0 / 0 is detected
    # at the end.
    highest = both.max(axis=2, keepdims=True)  # (2, N, 1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weights = np.exp(both - highest)  # (2, N, T)
        ends = np.exp(scores.ends)  # (T,)
        before, after, scale = _sums(both, weights, highest, packing, scores)
        if not scale.min() >= _TINY:
            # The largest score belongs to a tag that no path reaches: only consider the
            # tags that are reached.
            before, after, scale = _sums(
                both, weights, highest, packing, scores, only_reached=True
            )
        alpha, beta = after[0], np.empty_like(emissions)  # (N, T) each
        beta[backwards] = before[1]
        beta /= (alpha * beta).sum(axis=1, keepdims=True)
        at_end = alpha[packing.last] @ ends  # (B,)
    if not (at_end > 0).all() or np.isnan(beta).any():
        raise ValueError("A sequence has no legal path of tags.")
    log_scale = np.log(scale[0, :, 0]) + highest[0, :, 0]  # (N,)
    sequence = np.concatenate([np.arange(size) for size in packing.sizes])  # (N,)
    log_z = np.log(at_end) + np.bincount(sequence, log_scale)  # (B,)
    return Lattice(alpha, beta, weights[0] * beta / scale[0], log_z)


def _sums(
    emissions: Floats3d,
    weights: Floats3d,
    highest: Floats3d,
    packing: Packing,
    scores: ConstrainedScores,
    *,
    only_reached: bool = False,
) -> tuple[Floats3d, Floats3d, Floats3d]:
    """Sums over the paths to each tag, in both directions.

    emissions: (2, N, T).
    weights: (2, N, T), exp(emissions - highest).
    highest: (2, N, 1), the highest emissions.
    only_reached: Recompute weights and highest, in place, from the tags that a path
        reaches.
    RETURNS: The sums (2, N, T) without and with the weights of the row itself, the
        latter scaled to 1; and the scales (2, N, 1).
    """
    before, after = np.empty((2, *emissions.shape))
    scale = np.empty_like(highest)
    transitions = np.exp(scores.transitions)
    transitions = np.stack((transitions, transitions.T))  # (2, T, T)
    paths = np.exp(np.stack((scores.starts, scores.ends)))[:, None]  # (2, 1, T)
    paths = np.repeat(paths, packing.sizes[0], axis=1)  # (2, B, T)
    for rows in packing.steps():
        paths = paths[:, : rows.stop - rows.start]  # (2, size of the step, T)
        before[:, rows] = paths
        if only_reached:
            reached = np.where(paths > 0, emissions[:, rows], -np.inf)
            highest[:, rows] = reached.max(axis=2, keepdims=True)
            weights[:, rows] = np.exp(reached - highest[:, rows])
        paths = paths * weights[:, rows]
        total = np.add.reduce(paths, axis=2, keepdims=True)  # (2, size, 1)
        paths /= total
        after[:, rows], scale[:, rows] = paths, total
        paths = paths @ transitions  # (2, size, T)
    return before, after, scale
