"""The best paths of a CRF, by the Viterbi algorithm (Viterbi, 1967).

With e_t the emission scores of unit t, and A the transition scores (minus infinity for
an illegal transition):

    δ_1[j] = start[j] + e_1[j]
    δ_t[j] = max_i (δ_t-1[i] + A[i, j]) + e_t[j]     the best path to tag j at unit t

    y_n = argmax_j (δ_n[j] + end[j])                 and from there backward
    y_t = argmax_i (δ_t[i] + A[i, y_t+1])

A constrained search excludes tags at some units: their emission score is minus
infinity.
"""

import numpy as np
from thinc.api import to_numpy
from thinc.types import Floats1d, Floats2d, Ints1d, Ints2d, Ragged

from .. import kernels
from .crf import (
    ConstrainedScores,
    CRFParameters,
    TransitionConstraints,
    constrained_scores,
    finite_param,
    float64_scores,
)
from .lattice import expected_counts
from .marginals import Segments
from .packing import pack_on_cpu


def best_paths(
    crf: CRFParameters,
    emissions: Ragged,
    constraints: TransitionConstraints,
    *,
    allowed: np.ndarray | None = None,
) -> Ints1d:
    """The legal path with the highest score, for each sequence of a batch.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores; minus infinity excludes a tag.
    constraints: The legal paths.
    allowed: (N, T) bool, the tags that a path may have at each unit. Default: all.
    RETURNS: (N,) tag ids, sequences end to end.
    RAISES (ValueError): If a sequence has no legal path.
    """
    # In float64: over a long text, float32 loses the digits that distinguish paths.
    data = float64_scores(emissions)
    if not len(data):
        return np.zeros(0, dtype="int64")
    if allowed is not None:
        data[~allowed] = -np.inf
    lengths = to_numpy(emissions.lengths).astype("int64", copy=False)
    constrained = constrained_scores(crf, constraints)
    found = _compiled_search(data, lengths, constrained)
    if found is not None:
        return found
    paths, scores = _search(data, lengths, constrained)
    if np.isneginf(scores).any():
        raise ValueError("A sequence has no legal path of tags.")
    return paths


def _compiled_search(
    data: Floats2d, lengths: Ints1d, scores: ConstrainedScores
) -> Ints1d | None:
    """The best paths (N,) by a kernel. None: there is none, or it cannot decide."""
    native = kernels.kernels()
    if native is None or scores.for_search is None:
        return None
    paths = np.empty(len(data), dtype="int64")
    done = native.best_paths(
        np.ascontiguousarray(data), lengths, scores.for_search, paths
    )
    return paths if done else None


def _search(
    data: Floats2d, lengths: Ints1d, scores: ConstrainedScores
) -> tuple[Ints1d, Floats1d]:
    """The best paths (N,) with NumPy; and the score of each sequence that is not empty,
    the longest first: minus infinity if it has no legal path."""
    packing = pack_on_cpu(lengths, len(data))
    # Tags first, since NumPy is fast if the last axis is the long one.
    data = np.ascontiguousarray(data[packing.forwards].T)  # (T, N)
    steps = packing.steps()
    delta = np.empty_like(data)  # (T, N)
    transitions = scores.transitions[:, :, None]  # (T, T, 1)
    paths = scores.starts[:, None]  # (T, 1)
    for t, rows in enumerate(steps):
        if t:
            paths = paths[:, None, : rows.stop - rows.start]  # (T, 1, size of the step)
            paths = np.maximum.reduce(paths + transitions)  # (T, size)
        paths = paths + data[:, rows]  # (T, size)
        delta[:, rows] = paths
    at_end = delta[:, packing.last] + scores.ends[:, None]  # (T, B)
    path = np.empty(len(packing.forwards), dtype="int64")  # (N,)
    path[packing.last] = at_end.argmax(axis=0)
    # The predecessor of a tag is only computed on the way back, for the best path.
    for before, rows in zip(steps[-2::-1], steps[:0:-1], strict=True):
        unfinished = slice(before.start, before.start + rows.stop - rows.start)
        from_tags = delta[:, unfinished] + scores.transitions[:, path[rows]]
        path[unfinished] = from_tags.argmax(axis=0)
    return packing.to_ragged(path), at_end.max(axis=0)


def n_best_paths(
    crf: CRFParameters,
    emissions: Ragged,
    constraints: TransitionConstraints,
    n: int,
    *,
    temperature: float = 1.0,
) -> tuple[Ints2d, Floats2d]:
    """The n legal paths with the highest scores, for each sequence of a batch.

    As `best_paths`, but with the n best paths to each tag. They continue n of the best
    paths to the tags of the previous unit, and no two of them are equal. In float64.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores; minus infinity excludes a tag.
    constraints: The legal paths.
    n: Number of paths, at least 1.
    temperature: All scores, those of the layer included, are divided by it. It changes
        the probabilities, but not the order of the paths.
    RETURNS: (n, N) tag ids, the best paths first; and (B, n) the logarithms of their
        probabilities, minus infinity if a sequence has fewer legal paths. An empty
        sequence has one.
    RAISES (ValueError): If a sequence has no legal path.
    """
    data = float64_scores(emissions) / temperature
    lengths = to_numpy(emissions.lengths)
    log_probs = np.full((len(lengths), n), -np.inf)
    log_probs[:, 0] = 0.0
    if not len(data):
        return np.zeros((n, 0), dtype="int64"), log_probs
    scores = constrained_scores(crf, constraints, temperature=temperature)
    log_z = expected_counts(data, lengths, scores).log_z  # (B,)
    search = _compiled_n_best(data, lengths, scores, n)
    paths, path_scores = search or _numpy_n_best(data, lengths, scores, n)
    not_empty = np.flatnonzero(lengths)
    log_probs[not_empty] = path_scores[not_empty] - log_z[not_empty, None]
    return paths, log_probs


def _compiled_n_best(
    data: Floats2d, lengths: Ints1d, scores: ConstrainedScores, n: int
) -> tuple[Ints2d, Floats2d] | None:
    """The paths (n, N) and their scores (B, n), by a kernel. None: there is none, or it
    cannot decide."""
    native = kernels.kernels()
    if native is None or scores.for_search is None:
        return None
    paths = np.empty((n, len(data)), dtype="int64")
    path_scores = np.zeros((len(lengths), n))
    done = native.n_best_paths(
        np.ascontiguousarray(data),
        lengths.astype("int64"),
        scores.for_search,
        paths,
        path_scores,
    )
    return (paths, path_scores) if done else None


def _numpy_n_best(
    data: Floats2d, lengths: Ints1d, scores: ConstrainedScores, n: int
) -> tuple[Ints2d, Floats2d]:
    """The same with NumPy."""
    path_scores = np.zeros((len(lengths), n))
    packing = pack_on_cpu(lengths, len(data))
    data = data[packing.forwards]  # (N, T)
    steps = packing.steps()
    n_tags = data.shape[1]
    delta = np.empty((*data.shape, n))  # (N, T, n)
    # The predecessor of each of these: its tag and its rank, as tag · n + rank.
    before = np.zeros(delta.shape, dtype="int32")  # (N, T, n)
    paths = np.full((packing.sizes[0], n_tags, n), -np.inf)  # (B, T, n)
    paths[..., 0] = scores.starts
    for t, rows in enumerate(steps):
        if t:
            previous = paths[: rows.stop - rows.start, None]  # (size, 1, T, n)
            # (size, to, from, n)
            candidates = previous + scores.transitions.T[..., None]
            candidates = candidates.reshape((len(candidates), n_tags, n_tags * n))
            before[rows] = _largest(candidates, n)
            paths = np.take_along_axis(candidates, before[rows], axis=2)
        delta[rows] = paths = paths + data[rows][..., None]  # (size, T, n)
    # (B, T · n)
    at_end = (delta[packing.last] + scores.ends[:, None]).reshape((-1, n_tags * n))
    at = np.empty((len(data), n), dtype="int64")  # (N, n): tag · n + rank
    at[packing.last] = _largest(at_end, n)
    for rows, next_rows in zip(steps[-2::-1], steps[:0:-1], strict=True):
        next_at = at[next_rows]  # (size, n)
        unfinished = slice(rows.start, rows.start + len(next_at))
        predecessors = before[next_rows].reshape((len(next_at), n_tags * n))
        at[unfinished] = np.take_along_axis(predecessors, next_at, axis=1)
    by_length = np.argsort(-lengths, kind="stable")[: packing.sizes[0]]
    path_scores[by_length] = np.take_along_axis(at_end, at[packing.last], axis=1)
    return np.ascontiguousarray(packing.to_ragged(at // n).T), path_scores


def _largest(values: np.ndarray, n: int) -> np.ndarray:
    """The indices of the n largest values of the last axis, the largest first."""
    some = np.argpartition(-values, n - 1)[..., :n]
    order = np.argsort(-np.take_along_axis(values, some, axis=-1), kind="stable")
    return np.take_along_axis(some, order, axis=-1)


def path_scores(crf: CRFParameters, emissions: Ragged, paths: Ints1d) -> Floats1d:
    """The scores of paths, without the transition constraints.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores; no sequence is empty.
    paths: (N,) tag ids, sequences end to end.
    RETURNS: (B,) float64 scores.
    """
    data = float64_scores(emissions)
    starts, transitions, ends = (
        finite_param(crf, name).astype("float64")
        for name in ("starts", "transitions", "ends")
    )
    lasts = np.cumsum(to_numpy(emissions.lengths)) - 1  # (B,)
    firsts = np.append(0, lasts[:-1] + 1)  # (B,)
    by_row = data[np.arange(len(paths)), paths]  # (N,)
    by_row[1:] += transitions[paths[:-1], paths[1:]]
    # There is no transition from one sequence to the next.
    by_row[firsts[1:]] -= transitions[paths[lasts[:-1]], paths[firsts[1:]]]
    by_row[firsts] += starts[paths[firsts]]
    by_row[lasts] += ends[paths[lasts]]
    return np.add.reduceat(by_row, firsts)


def best_paths_without_segments(
    crf: CRFParameters,
    emissions: Ragged,
    constraints: TransitionConstraints,
    segments: Segments,
) -> tuple[Ints2d, Floats1d]:
    """For each of several segments of one sequence, the best legal path without it.

    A path does not contain a segment if it has another tag at one of its units, or the
    continuation after it. So the best one is found among the best paths of several
    constrained searches: one for each unit of the segment, with its tag excluded, and
    one in which the continuation follows.

    crf: A `CRF` layer.
    emissions: (N, T) emission scores of one sequence.
    constraints: The legal paths.
    segments: K segments.
    RETURNS: (K, N) tag ids; and (K,) the scores of the paths, minus infinity if each
        legal path contains the segment.
    """
    data = float64_scores(emissions)
    transition_scores = constrained_scores(crf, constraints)
    n, n_tags = data.shape
    paths = np.zeros((len(segments.starts), n), dtype="int64")
    scores = np.full(len(paths), -np.inf)
    first = 0
    spans = zip(segments.starts, segments.ends, segments.continuation, strict=True)
    for k, (start, end, continuation) in enumerate(spans):
        tags = segments.tags[first : first + end - start]
        first += end - start
        searches = end - start + (end < n)
        allowed = np.ones((searches, n, n_tags), dtype=bool)
        units = np.arange(end - start)
        allowed[units, start + units, tags] = False
        if end < n:
            allowed[-1, end, np.arange(n_tags) != continuation] = False
        batch = Ragged(np.tile(data, (searches, 1)), np.full(searches, n))
        constrained = np.where(allowed.reshape((-1, n_tags)), batch.dataXd, -np.inf)
        found, best_scores = _search(constrained, batch.lengths, transition_scores)
        legal = np.isfinite(best_scores)
        if legal.any():
            found_scores = np.where(legal, path_scores(crf, batch, found), -np.inf)
            best = int(found_scores.argmax())
            paths[k] = found.reshape((-1, n))[best]
            scores[k] = found_scores[best]
    return paths, scores
