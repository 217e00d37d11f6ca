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
from .lattice import Counts, expected_counts


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
    both = np.concatenate((data, agreeing))  # (2 N, T + C)
    sign = np.repeat((1.0, -1.0), len(lengths))  # (2 B,)
    scores = ConstrainedScores(crf, gold.constraints, tags=tags)
    try:
        counts = expected_counts(both, np.concatenate((lengths, lengths)), scores, sign)
    except ValueError:
        raise ValueError(
            "No legal path of tags agrees with the gold annotation of a text; or "
            "training has diverged, and the emission scores are too far apart: try a "
            "lower learning rate."
        ) from None
    d_emissions = counts.tags[: len(data)] + counts.tags[len(data) :]  # (N, T + C)
    d_transitions = counts.transitions
    if len(gold.copied):
        # The counts of a copy are those of its tag.
        to_tags = np.equal.outer(tags, np.arange(n_tags)).astype("float64")
        d_emissions = d_emissions @ to_tags  # (N, T)
        d_transitions = to_tags.T @ d_transitions @ to_tags  # (T, T)
    _accumulate(crf, lengths, d_emissions, d_transitions)
    loss = float((sign * counts.log_z).sum())
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
    lengths = to_numpy(emissions.lengths)
    firsts, lasts = _ends_of_sequences(lengths)

    def counts_of(layer: Model, rows: Floats2d) -> Counts:
        scores = ConstrainedScores(layer, constraints, tags=np.arange(n))
        return expected_counts(rows, lengths, scores)

    counts, old_counts = counts_of(crf, data[:, :n]), counts_of(old_crf, old_data)

    def expected_score(layer: Model, rows: Floats2d) -> float:
        """The average score of the paths, weighted by the old probabilities."""
        starts, transitions, ends = (
            to_numpy(layer.get_param(name)) for name in layer.param_names
        )
        return float(
            (old_counts.tags * rows).sum()
            + (old_counts.tags[firsts] * starts[:n]).sum()
            + (old_counts.transitions * transitions[:n, :n]).sum()
            + (old_counts.tags[lasts] * ends[:n]).sum()
        )

    loss = float(counts.log_z.sum() - old_counts.log_z.sum())
    loss = loss + expected_score(old_crf, old_data) - expected_score(crf, data[:, :n])
    d_emissions = np.zeros_like(data)  # (N, T)
    d_emissions[:, :n] = counts.tags - old_counts.tags
    d_transitions = np.zeros((data.shape[1], data.shape[1]))  # (T, T)
    d_transitions[:n, :n] = counts.transitions - old_counts.transitions
    _accumulate(crf, lengths, d_emissions, d_transitions)
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def _ends_of_sequences(lengths: Ints1d) -> tuple[Ints1d, Ints1d]:
    """The first and the last row of each sequence that is not empty."""
    ends = np.cumsum(lengths)[lengths > 0]
    return ends - lengths[lengths > 0], ends - 1


def _accumulate(
    crf: Model, lengths: Ints1d, d_emissions: Floats2d, d_transitions: Floats2d
) -> None:
    """Add to the gradients of the layer, if it is learned. The first use of a sequence
    is that of a start score, the last one that of an end score."""
    if not crf.attrs["learned"]:
        return
    asarray = partial(crf.ops.asarray, dtype=crf.get_param("starts").dtype)
    firsts, lasts = _ends_of_sequences(lengths)
    crf.inc_grad("starts", asarray(d_emissions[firsts].sum(axis=0)))
    crf.inc_grad("transitions", asarray(d_transitions))
    crf.inc_grad("ends", asarray(d_emissions[lasts].sum(axis=0)))
