"""The probability of a tag at a unit, and of a segment of a path, such as an entity.

A segment has the tags y_s … y_e, and the path must not go on with its continuation c:
an entity that is longer is another one. Given the text, a path is a Markov chain. So
the probability of all paths that contain the segment is exactly

    p(segment) = p(y_s) · Π_t p(y_t | y_t-1) · (1 - p(c | y_e))        t = s+1 … e

where, by the sums of lattice.py,

    p(y_t | y_t-1) = exp(A[y_t-1, y_t]) exp(e_t[y_t]) β_t[y_t] / β_t-1[y_t-1]
"""

from typing import NamedTuple

import numpy as np
from thinc.api import to_numpy
from thinc.types import Floats1d, Floats2d, Ints1d, Ragged

from .. import kernels
from .crf import (
    ConstrainedScores,
    CRFParameters,
    TransitionConstraints,
    constrained_scores,
    float64_scores,
)
from .lattice import expected_counts, forward_backward
from .packing import pack_on_cpu


class Segments(NamedTuple):
    """Segments of paths."""

    starts: Ints1d  # (K,) the first row of each
    ends: Ints1d  # (K,) the row after its last one
    tags: Ints1d  # (M,) the tags of their rows, one segment after the other
    continuation: Ints1d  # (K,) the tag that must not follow: it would extend it


def segment_marginals(
    crf: CRFParameters,
    emissions: Ragged,
    constraints: TransitionConstraints,
    segments: Segments,
    *,
    temperature: float = 1.0,
) -> Floats1d:
    """The probability of each segment. Sequences without a segment are skipped.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores; minus infinity excludes a tag.
    constraints: The legal paths.
    segments: K segments, none of them empty, each within one sequence.
    temperature: All scores, those of the layer included, are divided by it.
    RETURNS: (K,) float64 probabilities.
    RAISES (ValueError): If a sequence has no legal path.
    """
    if not len(segments.starts):
        return np.zeros(0)
    data = to_numpy(emissions.dataXd)
    lengths = to_numpy(emissions.lengths).astype("int64", copy=False)
    scores = constrained_scores(crf, constraints, temperature=temperature)
    found = _compiled_marginals(data, lengths, scores, segments, temperature)
    if found is None:
        found = _numpy_marginals(data, lengths, scores, segments, temperature)
    return found


def _compiled_marginals(
    data: Floats2d,
    lengths: Ints1d,
    scores: ConstrainedScores,
    segments: Segments,
    temperature: float,
) -> Floats1d | None:
    """By a kernel. None: there is none, or it cannot decide."""
    native = kernels.kernels()
    if native is None or scores.for_sums is None:
        return None
    starts, ends, tags, continuation = (
        np.ascontiguousarray(array, dtype="int64") for array in segments
    )
    if len(lengths) > 1:
        # The kernel takes the segments of one sequence after the other.
        row_starts = np.cumsum(lengths) - lengths  # (B,)
        owners = np.searchsorted(row_starts, starts, side="right") - 1  # (K,)
        if (owners[1:] < owners[:-1]).any():
            return None
        counts = np.bincount(owners, minlength=len(lengths))
        starts, ends = starts - row_starts[owners], ends - row_starts[owners]
    else:
        counts = np.array([len(starts)])
    found = np.empty(len(starts))
    done = native.segment_marginals(
        np.ascontiguousarray(data, dtype="float64") / temperature,
        lengths,
        scores.for_sums,
        counts,
        starts,
        ends,
        tags,
        continuation,
        found,
    )
    return found if done else None


def _numpy_marginals(
    data: Floats2d,
    lengths: Ints1d,
    scores: ConstrainedScores,
    segments: Segments,
    temperature: float,
) -> Floats1d:
    """The same with NumPy."""
    starts, ends, tags, continuation = segments
    requested = np.zeros(len(lengths), dtype=bool)
    requested[np.repeat(np.arange(len(lengths)), lengths)[starts]] = True
    selected = np.repeat(requested, lengths)  # (N,)
    new_row = np.cumsum(selected) - 1  # (N,)
    data = data[selected].astype("float64") / temperature
    lengths = lengths[requested]
    packing = pack_on_cpu(lengths, len(data))
    lattice = forward_backward(data[packing.forwards], packing, scores)
    position = packing.to_ragged(np.arange(len(data)))  # of each row in the lattice
    transitions = np.exp(scores.transitions)  # (T, T)

    def conditional(row: Ints1d, tag: Ints1d, tag_before: Ints1d) -> Floats1d:
        """p(tag at row | tag_before at the previous row)"""
        joint = transitions[tag_before, tag] * lattice.incoming[position[row], tag]
        beta = lattice.beta[position[row - 1], tag_before]
        return np.divide(joint, beta, out=np.zeros_like(joint), where=beta > 0)

    sizes = ends - starts  # (K,)
    firsts = np.cumsum(sizes) - sizes  # (K,) the first row of each among all M
    rows = np.arange(len(tags)) + np.repeat(new_row[starts] - firsts, sizes)  # (M,)
    factors = np.empty(len(tags))  # (M,)
    later = np.delete(np.arange(len(tags)), firsts)  # (M - K,)
    factors[later] = conditional(rows[later], tags[later], tags[later - 1])
    at_first = position[rows[firsts]], tags[firsts]
    factors[firsts] = lattice.alpha[at_first] * lattice.beta[at_first]
    probabilities = np.multiply.reduceat(factors, firsts)  # (K,)
    lasts = firsts + sizes - 1  # (K,)
    followed = ~np.isin(rows[lasts] + 1, np.cumsum(lengths))  # (K,)
    last_tags = tags[lasts][followed]
    next_rows = rows[lasts][followed] + 1
    probabilities[followed] *= 1 - conditional(
        next_rows, continuation[followed], last_tags
    )
    # Rounding must not leave the range of probabilities.
    return np.clip(probabilities, 0.0, 1.0)


def tag_marginals(
    crf: CRFParameters,
    emissions: Ragged,
    constraints: TransitionConstraints,
    *,
    temperature: float = 1.0,
) -> tuple[Floats2d, Floats1d]:
    """The probability of each tag at each unit.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores; minus infinity excludes a tag.
    constraints: The legal paths.
    temperature: All scores, those of the layer included, are divided by it.
    RETURNS: (N, T) float64 probabilities; and (B,) log Z of each sequence, 0 for an
        empty one.
    RAISES (ValueError): If a sequence has no legal path.
    """
    data = float64_scores(emissions) / temperature
    if not len(data):
        return data, np.zeros(len(emissions.lengths))
    scores = constrained_scores(crf, constraints, temperature=temperature)
    counts = expected_counts(data, to_numpy(emissions.lengths), scores)
    return counts.tags, counts.log_z
