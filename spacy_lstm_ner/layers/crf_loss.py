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

If the annotation is soft, a distribution q over the legal paths, such as that of
another model, the loss is the cross-entropy

    loss = -Σ_y q(y) log p(y) = log Z - E_q[score]

Since a score is a sum over tags and transitions, E_q[score] only depends on how often q
uses each of them, and the gradient is E[count] - E_q[count].

All of it is computed on the CPU in float64, wherever the emission scores are.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from thinc.api import get_array_module, to_numpy
from thinc.types import Floats1d, Floats2d, Floats3d, Ints1d, Ragged

from .crf import (
    ConstrainedScores,
    CRFParameters,
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
    crf: CRFParameters,
    emissions: Ragged,
    gold: np.ndarray | Annotation,
    constraints: TransitionConstraints,
    weights: Floats1d | None = None,
) -> tuple[float, Floats2d]:
    """The negative log-likelihood of a batch and its gradient. The gradients of the
    layer's parameters are accumulated.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores.
    gold: (N, T) bool, the tags that the annotation allows at each unit: one if it is
        known, all if it is not.
    constraints: The legal paths.
    weights: (B,) by which the loss of each sequence is multiplied. None: all are 1.
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
    if weights is not None:
        sign *= np.tile(weights, 2)
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


def softmax_loss(
    emissions: Ragged, gold: np.ndarray, weights: Floats1d | None = None
) -> tuple[float, Floats2d]:
    """The negative log-likelihood of a batch if each tag is predicted independently:
    for a `CRF` layer that is not learned.

    emissions: (N, T) emission scores.
    gold: (N, T) bool, the tags that the annotation allows at each unit.
    weights: (B,) by which the loss of each sequence is multiplied. None: all are 1.
    RETURNS: The negative logarithm of the probability of the allowed tags, summed over
        the batch; and its gradient with respect to the emission scores, (N, T).
    RAISES (ValueError): If the scores are not finite.
    """
    data = finite_scores(emissions)
    log_z, p = _log_sum_and_softmax(data)
    log_z_gold, p_gold = _log_sum_and_softmax(np.where(gold, data, -np.inf))
    return _weighted(emissions, log_z - log_z_gold, p - p_gold, weights)


def softmax_cross_entropy(
    emissions: Ragged, targets: Floats2d, weights: Floats1d | None = None
) -> tuple[float, Floats2d]:
    """`softmax_loss` with soft targets.

    emissions: (N, T) emission scores.
    targets: (N, T) the probability of each tag at each unit.
    weights: (B,) by which the loss of each sequence is multiplied. None: all are 1.
    RETURNS: The cross-entropy, summed over the batch; and its gradient with respect to
        the emission scores, (N, T).
    RAISES (ValueError): If the scores are not finite.
    """
    data = finite_scores(emissions)
    log_z, p = _log_sum_and_softmax(data)
    losses = log_z - (targets * data).sum(axis=1, keepdims=True)
    return _weighted(emissions, losses, p - targets, weights)


def _log_sum_and_softmax(scores: Floats2d) -> tuple[Floats2d, Floats2d]:
    """RETURNS: (N, 1) log Σ exp(scores) of each row; and (N, T) its softmax."""
    highest = scores.max(axis=1, keepdims=True)  # (N, 1)
    exp = np.exp(scores - highest)  # (N, T)
    sums = exp.sum(axis=1, keepdims=True)  # (N, 1)
    return np.log(sums) + highest, exp / sums


def _weighted(
    emissions: Ragged, losses: Floats2d, gradient: Floats2d, weights: Floats1d | None
) -> tuple[float, Floats2d]:
    """The sum of the losses of all rows, (N, 1), and its gradient."""
    if weights is not None:
        of_rows = np.repeat(weights, to_numpy(emissions.lengths))[:, None]  # (N, 1)
        losses, gradient = of_rows * losses, of_rows * gradient
    xp = get_array_module(emissions.dataXd)
    return float(losses.sum()), xp.asarray(gradient, dtype=emissions.dataXd.dtype)


class SoftPaths(NamedTuple):
    """A distribution over the legal paths of B sequences with N units, by its expected
    counts: how often each tag and each transition occur on average."""

    tags: Floats2d  # (N, T) of each tag at each unit: its probability
    transitions: Floats3d  # (B, T, T) of each transition, at all units together


def crf_cross_entropy(
    crf: CRFParameters,
    emissions: Ragged,
    targets: SoftPaths,
    constraints: TransitionConstraints,
    weights: Floats1d | None = None,
) -> tuple[float, Floats2d]:
    """The cross-entropy of a batch relative to a distribution over its paths, and its
    gradient. The gradients of the layer's parameters are accumulated.

        loss = -Σ_y q(y) log p(y)

    It is lowest where p = q, if the layer can give that distribution, as it can if q
    comes from another linear chain: the loss is then the entropy of q, and what it is
    larger by is the Kullback-Leibler divergence. In training a model to give the
    distribution of another one, this is "distillation" (Hinton, Vinyals & Dean, 2015),
    here over whole paths.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores.
    targets: The distribution q.
    constraints: The legal paths.
    weights: (B,) by which the loss of each sequence is multiplied. None: all are 1.
    RETURNS: The loss, summed over the batch; and its gradient with respect to the
        emission scores, (N, T).
    RAISES (ValueError): If the scores are not finite, or too far apart for sums of
        exponentials.
    """
    data = finite_scores(emissions)
    if not len(data):
        return 0.0, emissions.dataXd
    lengths = to_numpy(emissions.lengths)
    if weights is None:
        weights = np.ones(len(lengths))
    counts = expected_counts(
        data, lengths, ConstrainedScores(crf, constraints), weights
    )
    target_tags = np.repeat(weights, lengths)[:, None] * targets.tags  # (N, T)
    target_transitions = np.tensordot(weights, targets.transitions, 1)  # (T, T)
    loss = float((weights * counts.log_z).sum())
    loss -= _score_of_counts(crf, data, lengths, target_tags, target_transitions)
    d_emissions = counts.tags - target_tags  # (N, T)
    _accumulate(crf, lengths, d_emissions, counts.transitions - target_transitions)
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def crf_divergence(
    crf: CRFParameters,
    emissions: Ragged,
    old_crf: CRFParameters,
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

    def counts_of(layer: CRFParameters, rows: Floats2d) -> Counts:
        scores = ConstrainedScores(layer, constraints, tags=np.arange(n))
        return expected_counts(rows, lengths, scores)

    counts, old_counts = counts_of(crf, data[:, :n]), counts_of(old_crf, old_data)

    def expected_score(layer: CRFParameters, rows: Floats2d) -> float:
        """The average score of the paths, weighted by the old probabilities."""
        tags, transitions, _ = old_counts
        return _score_of_counts(layer, rows, lengths, tags, transitions)

    loss = float(counts.log_z.sum() - old_counts.log_z.sum())
    loss = loss + expected_score(old_crf, old_data) - expected_score(crf, data[:, :n])
    d_emissions = np.zeros_like(data)  # (N, T)
    d_emissions[:, :n] = counts.tags - old_counts.tags
    d_transitions = np.zeros((data.shape[1], data.shape[1]))  # (T, T)
    d_transitions[:n, :n] = counts.transitions - old_counts.transitions
    _accumulate(crf, lengths, d_emissions, d_transitions)
    # Equal distributions differ by rounding.
    loss = max(loss, 0.0)
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def _score_of_counts(
    crf: CRFParameters,
    emissions: Floats2d,
    lengths: Ints1d,
    tags: Floats2d,
    transitions: Floats2d,
) -> float:
    """The average score of paths, by their expected counts.

    crf: A layer with these tags, and maybe others after them.
    emissions: (N, T) float64.
    lengths: (B,) length of each sequence.
    tags: (N, T) how often each tag occurs at each unit.
    transitions: (T, T) how often each transition occurs.
    """
    firsts, lasts = _ends_of_sequences(lengths)
    n = emissions.shape[1]
    start_scores, transition_scores, end_scores = (
        to_numpy(crf.get_param(name)) for name in crf.param_names
    )
    return float(
        (tags * emissions).sum()
        + (tags[firsts] * start_scores[:n]).sum()
        + (transitions * transition_scores[:n, :n]).sum()
        + (tags[lasts] * end_scores[:n]).sum()
    )


def _ends_of_sequences(lengths: Ints1d) -> tuple[Ints1d, Ints1d]:
    """The first and the last row of each sequence that is not empty."""
    ends = np.cumsum(lengths)[lengths > 0]
    return ends - lengths[lengths > 0], ends - 1


def _accumulate(
    crf: CRFParameters, lengths: Ints1d, d_emissions: Floats2d, d_transitions: Floats2d
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
