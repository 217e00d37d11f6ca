"""The training losses of a CRF, and their gradients.

The loss of a text is its negative log-likelihood,

    loss = log Z - log Z_gold

where Z sums exp(score) over all legal paths, and Z_gold over those that agree with the
annotation: one path if each unit is annotated. The tags of units without annotation are
marginalized out (Tsuboi et al., 2008).

The gradient of the loss with respect to a score is the difference of two expected
counts, i.e. of how often the score is used by a path,

    ∂loss / ∂score = E[count] - E_gold[count]

on average over all legal paths, and over those that agree. Both come from the sums of
lattice.py:

    E[count of tag j at unit t]       = p(y_t = j)
    E[count of transitions i → j]     = Σ_t p(y_t-1 = i, y_t = j)

All of it is computed on the CPU in float64, wherever the emission scores are.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from thinc.api import Model, get_array_module, to_numpy
from thinc.types import Floats2d, Ints1d, Ragged

from .crf import (
    ConstrainedScores,
    TransitionConstraints,
    finite_scores,
    float64_scores,
)
from .lattice import Lattice, forward_backward
from .packing import Packing, pack_on_cpu


class Annotation(NamedTuple):
    """The paths that agree with an annotation.

    There may be copies of tags, with the same scores and other constraints, to
    distinguish paths by more than the tags of two adjacent units.
    """

    allowed: np.ndarray  # (N, T + C) bool: the tags that are allowed at each unit
    copied: Ints1d  # (C,) the tag that each copy is a copy of
    constraints: TransitionConstraints  # of the T tags, followed by the C copies


def crf_loss(
    crf: Model,
    emissions: Ragged,
    gold: np.ndarray | Annotation,
    constraints: TransitionConstraints,
) -> tuple[float, Floats2d]:
    """The negative log-likelihood of a batch and its gradient. The gradients of the
    layer's parameters are accumulated.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores.
    gold: (N, T) bool, the tags that the annotation allows at each unit: one if it is
        known, all if it is not.
    constraints: The legal paths.
    RETURNS: log Z - log Z_gold, summed over the batch; and the gradient with respect to
        the emission scores, (N, T).
    RAISES (ValueError): If no legal path of a sequence agrees with the annotation, or
        the scores are not finite, or too far apart for sums of exponentials.
    """
    lengths = to_numpy(emissions.lengths)
    data = finite_scores(emissions)
    if not len(data):
        return 0.0, emissions.dataXd
    n_tags = data.shape[1]
    if not isinstance(gold, Annotation):
        gold = Annotation(gold, np.zeros(0, dtype="int64"), constraints)
    tags = np.concatenate((np.arange(n_tags), gold.copied))  # (T + C,)
    data = data[:, tags]  # (N, T + C)
    agreeing = np.where(gold.allowed, data, -np.inf)  # (N, T + C)
    data[:, n_tags:] = -np.inf
    # Each sequence occurs twice: with all legal paths, and with those that agree.
    packing = pack_on_cpu(np.concatenate((lengths, lengths)), 2 * len(data))
    order = packing.forwards
    both = np.concatenate((data, agreeing))[order]  # (2 N, T + C)
    scores = ConstrainedScores(crf, gold.constraints, tags=tags)
    try:
        lattice = forward_backward(both, packing, scores)
    except ValueError:
        raise ValueError(
            "No legal path of tags agrees with the gold annotation of a text; or "
            "training has diverged, and the emission scores are too far apart: try a "
            "lower learning rate."
        ) from None
    sign = np.where(order < len(data), 1.0, -1.0)[:, None]  # (2 N, 1)
    tag_counts, transition_counts = expected_counts(lattice, packing, scores, sign)
    if len(gold.copied):
        # The counts of a copy are those of its tag.
        to_tags = np.equal.outer(tags, np.arange(n_tags)).astype("float64")
        tag_counts = tag_counts @ to_tags  # (2 N, T)
        transition_counts = to_tags.T @ transition_counts @ to_tags  # (T, T)
    d_both = _accumulate(crf, packing, tag_counts, transition_counts)  # (2 N, T)
    d_emissions = d_both[: len(data)] + d_both[len(data) :]  # (N, T)
    loss = float((sign[: packing.sizes[0], 0] * lattice.log_z).sum())
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def softmax_loss(emissions: Ragged, gold: np.ndarray) -> tuple[float, Floats2d]:
    """The negative log-likelihood of a batch if each tag is predicted independently:
    for a `CRF` layer that is not learned.

    emissions: (N, T) emission scores.
    gold: (N, T) bool, the tags that the annotation allows at each unit.
    RETURNS: The negative logarithm of the probability of the allowed tags, summed over
        the batch; and its gradient with respect to the emission scores, (N, T).
    RAISES (ValueError): If the scores are not finite.
    """
    data = finite_scores(emissions)

    def log_sum_and_softmax(scores: Floats2d) -> tuple[float, Floats2d]:
        highest = scores.max(axis=1, keepdims=True)  # (N, 1)
        weights = np.exp(scores - highest)  # (N, T)
        sums = weights.sum(axis=1, keepdims=True)  # (N, 1)
        return float((np.log(sums) + highest).sum()), weights / sums

    log_z, p = log_sum_and_softmax(data)
    log_z_gold, p_gold = log_sum_and_softmax(np.where(gold, data, -np.inf))
    xp = get_array_module(emissions.dataXd)
    return log_z - log_z_gold, xp.asarray(p - p_gold, dtype=emissions.dataXd.dtype)


def crf_divergence(
    crf: Model,
    emissions: Ragged,
    old_crf: Model,
    old_emissions: Ragged,
    constraints: TransitionConstraints,
) -> tuple[float, Floats2d]:
    """The Kullback-Leibler divergence of a model's paths from those of an older state
    of it, and its gradient. The gradients of the layer's parameters are accumulated.

        divergence = Σ_y p_old(y) (log p_old(y) - log p(y))

    Both distributions are over the paths of the old model's tags: paths with a tag that
    was added later are ignored.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores.
    old_crf: The old layer, with the first S of the tags.
    old_emissions: (N, S) the old emission scores.
    constraints: The legal paths of the T tags.
    RETURNS: The divergence, summed over the batch; and its gradient with respect to the
        emission scores, (N, T).
    RAISES (ValueError): If the scores are not finite, or too far apart for sums of
        exponentials.
    """
    data, old_data = finite_scores(emissions), float64_scores(old_emissions)
    if not len(data):
        return 0.0, emissions.dataXd
    n = old_data.shape[1]
    constraints = TransitionConstraints(
        constraints.starts[:n], constraints.transitions[:n, :n], constraints.ends[:n]
    )
    packing = pack_on_cpu(emissions.lengths, len(data))
    first = packing.sizes[0]
    data, old_data = data[packing.forwards], old_data[packing.forwards]

    def sums(layer: Model, rows: Floats2d) -> tuple[Floats2d, Floats2d, float]:
        scores = ConstrainedScores(layer, constraints, tags=np.arange(n))
        lattice = forward_backward(rows, packing, scores)
        return *expected_counts(lattice, packing, scores), float(lattice.log_z.sum())

    counts, transition_counts, log_z = sums(crf, data[:, :n])
    old_counts, old_transition_counts, old_log_z = sums(old_crf, old_data)

    def expected_score(layer: Model, rows: Floats2d) -> float:
        """The average score of the paths, weighted by the old probabilities."""
        starts, transitions, ends = (
            to_numpy(layer.get_param(name)) for name in layer.param_names
        )
        return float(
            (old_counts * rows).sum()
            + (old_counts[:first] * starts[:n]).sum()
            + (old_transition_counts * transitions[:n, :n]).sum()
            + (old_counts[packing.last] * ends[:n]).sum()
        )

    loss = log_z - old_log_z
    loss = loss + expected_score(old_crf, old_data) - expected_score(crf, data[:, :n])
    d_emissions = np.zeros_like(data)  # (N, T)
    d_emissions[:, :n] = counts - old_counts
    d_transitions = np.zeros((data.shape[1], data.shape[1]))  # (T, T)
    d_transitions[:n, :n] = transition_counts - old_transition_counts
    d_emissions = _accumulate(crf, packing, d_emissions, d_transitions)
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def expected_counts(
    lattice: Lattice,
    packing: Packing,
    scores: ConstrainedScores,
    weight: np.ndarray | float = 1,
) -> tuple[Floats2d, Floats2d]:
    """How often each emission score (N, T) and each transition score (T, T) is used, on
    average over all paths, optionally with a weight for each row, (N, 1)."""
    tag_counts = weight * lattice.alpha * lattice.beta  # (N, T)
    first = packing.sizes[0]
    # (T, T), without the factor exp(A)
    pairs = (weight * lattice.alpha)[packing.previous].T @ lattice.incoming[first:]
    return tag_counts, pairs * np.exp(scores.transitions)


def _accumulate(
    crf: Model, packing: Packing, d_emissions: Floats2d, d_transitions: Floats2d
) -> Floats2d:
    """Add to the gradients of the layer, if it is learned. The first use of a sequence
    is that of a start score, the last one that of an end score.

    RETURNS: `d_emissions`, from time-major to ragged order.
    """
    if crf.attrs["learned"]:
        asarray = partial(crf.ops.asarray, dtype=crf.get_param("starts").dtype)
        d_starts = d_emissions[: packing.sizes[0]].sum(axis=0)  # (T,)
        crf.inc_grad("starts", asarray(d_starts))
        crf.inc_grad("transitions", asarray(d_transitions))
        crf.inc_grad("ends", asarray(d_emissions[packing.last].sum(axis=0)))
    return packing.to_ragged(d_emissions)
