"""A linear-chain conditional random field (CRF) over tags: loss, best paths, and the
probability of a part of a path.

After Lafferty, McCallum & Pereira (2001); on top of an LSTM as in Lample et al. (2016).
A path y_1 … y_n through the tags has the score

    s(y) = start[y_1] + Σ_t emission_t[y_t] + Σ_t transition[y_t, y_t+1] + end[y_n]

and the probability exp(s(y)) / Z, where Z sums exp(s) over all *legal* paths: an
illegal one has no probability at all. The loss of a text is

    log Z - log Z_gold,

where Z_gold sums over the legal paths that agree with the annotation: one path if each
unit is annotated; more if some are not, which then teach nothing (Tsuboi et al., 2008).
Its gradient by a score is how often the score is used: on average over all legal paths,
minus on average over those that agree. Sums over the paths up to each unit and from it
on, forwards and backwards, give both averages.

All sequences of a batch go through time together, as in the LSTM (packing.py).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from thinc.api import Model, NumpyOps, get_array_module, to_numpy
from thinc.types import Floats1d, Floats2d, Floats3d, Ints1d, Ints2d, Ragged

from .packing import Packing, pack

_OPS = NumpyOps()
# Below this a sum of probabilities loses digits.
_TINY = 1e-250
# What is added to the score of a forbidden tag where infinity could leave no path.
FORBIDDEN = -1e9
SeqT = TypeVar("SeqT", Ragged, list[Floats2d])


class Rules(NamedTuple):
    """Which paths are legal."""

    starts: np.ndarray  # (T,) bool: tags that a path may start with
    transitions: np.ndarray  # (T, T) bool: may tag [j] follow tag [i]?
    ends: np.ndarray  # (T,) bool: tags that a path may end with


def CRF(nO: int | None = None, *, learned: bool = True) -> Model[SeqT, SeqT]:
    """Holds the scores of starts, transitions and ends, and hands the emission scores
    on as they come: put it last.

    `crf_loss` trains its parameters and `best_paths` searches with them.

    nO (int | None): Number of tags, T.
    learned (bool): Train the parameters. Otherwise they stay 0: tags are scored one by
        one, and only the rules tell which may follow which.
    RETURNS (Model[SeqT, SeqT]): The layer, with the parameters starts (nO,),
        transitions (nO, nO; from row to column) and ends (nO,), at first 0.
    """
    return Model(
        "crf",
        _forward,
        init=_init,
        dims={"nO": nO},
        params={"starts": None, "transitions": None, "ends": None},
        attrs={"learned": learned},
    )


def _forward(
    model: Model[SeqT, SeqT], X: SeqT, is_train: bool
) -> tuple[SeqT, Callable[[SeqT], SeqT]]:
    return X, lambda dY: dY


def _init(
    model: Model[SeqT, SeqT], X: SeqT | None = None, Y: SeqT | None = None
) -> None:
    sample = Y if Y is not None else X
    if sample is not None:
        rows = sample.dataXd if isinstance(sample, Ragged) else sample[0]
        model.set_dim("nO", rows.shape[1])
    nO = model.get_dim("nO")
    model.set_param("starts", model.ops.alloc1f(nO))
    model.set_param("transitions", model.ops.alloc2f(nO, nO))
    model.set_param("ends", model.ops.alloc1f(nO))


class Annotation(NamedTuple):
    """Which paths agree with the annotation.

    Where the tag of a unit and the one before do not tell enough, there can be copies
    of tags: they have the scores of those tags, and other rules.
    """

    allowed: np.ndarray  # (N, T + C) bool: the tags that are allowed at each unit
    copied: Ints1d  # (C,) the tag that each copy is one of
    rules: Rules  # of the T tags, followed by the C copies


def crf_loss(
    crf: Model, emissions: Ragged, gold: np.ndarray | Annotation, rules: Rules
) -> tuple[float, Floats2d]:
    """The loss of a batch, and its gradients; those of the layer are added to it.

    It is computed on the CPU and in float64, wherever the emissions are.

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags.
    gold (np.ndarray | Annotation): (N, T) bool, the tags that the annotation allows at
        each unit: one where it is known, all where it is not.
    rules (Rules): The legal paths.
    RETURNS (tuple[float, Floats2d]): log Z - log Z_gold, summed over the batch; and its
        gradient by the emissions, (N, T).
    RAISES (ValueError): Where no legal path agrees with the gold tags of a sequence, or
        the scores are not finite, or too far apart for sums of exponentials.
    """
    lengths = to_numpy(emissions.lengths)
    data = to_numpy(emissions.dataXd).astype("float64")
    if not len(data):
        return 0.0, emissions.dataXd
    if not np.isfinite(data).all():
        raise ValueError("The scores of the tags are not finite numbers any more.")
    n_tags = data.shape[1]
    if not isinstance(gold, Annotation):
        gold = Annotation(gold, np.zeros(0, dtype="int64"), rules)
    tags = np.concatenate((np.arange(n_tags), gold.copied))
    data = data[:, tags]
    held = np.where(gold.allowed, data, -np.inf)
    data[:, n_tags:] = -np.inf
    # Each sequence comes twice: free, and held to the gold tags.
    packing = pack(_OPS, np.concatenate((lengths, lengths)), 2 * len(data))
    order = packing.forwards
    both = np.concatenate((data, held))[order]
    chain = _Chain(crf, gold.rules, tags=tags)
    try:
        lattice = forward_backward(both, packing, chain)
    except ValueError:
        raise ValueError(
            "No legal path of tags agrees with the gold annotation of a text; or "
            "training has diverged, and the scores of the tags are too far apart to "
            "tell: try a lower learning rate."
        ) from None
    sign = np.where(order < len(data), 1.0, -1.0)[:, None]
    expected, pairs = _average_use(lattice, packing, chain, sign)
    if len(gold.copied):
        # What is due to a copy is due to the tag.
        to_tags = np.equal.outer(tags, np.arange(n_tags)).astype("float64")
        expected = expected @ to_tags
        pairs = to_tags.T @ pairs @ to_tags
    d_both = _inc_grads(crf, packing, expected, pairs)
    d_emissions = d_both[: len(data)] + d_both[len(data) :]
    loss = float((sign[: packing.sizes[0], 0] * lattice.log_z).sum())
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def softmax_loss(emissions: Ragged, gold: np.ndarray) -> tuple[float, Floats2d]:
    """The loss of a batch where each tag is scored by itself, whatever stands beside
    it: for a `CRF` layer that is not learned. In float64, as `crf_loss`.

    emissions (Ragged): (N, T) scores of the tags.
    gold (np.ndarray): (N, T) bool, the tags that the annotation allows at each unit.
    RETURNS (tuple[float, Floats2d]): The negative logarithm of the probability of the
        allowed tags, summed over the batch; and its gradient by the emissions, (N, T).
    RAISES (ValueError): Where the scores are not finite.
    """
    data = to_numpy(emissions.dataXd).astype("float64")
    if not np.isfinite(data).all():
        raise ValueError("The scores of the tags are not finite numbers any more.")

    def log_sum_and_softmax(scores: Floats2d) -> tuple[float, Floats2d]:
        highest = scores.max(axis=1, keepdims=True)
        weights = np.exp(scores - highest)
        sums = weights.sum(axis=1, keepdims=True)
        return float((np.log(sums) + highest).sum()), weights / sums

    free, p_free = log_sum_and_softmax(data)
    held, p_held = log_sum_and_softmax(np.where(gold, data, -np.inf))
    xp = get_array_module(emissions.dataXd)
    return free - held, xp.asarray(p_free - p_held, dtype=emissions.dataXd.dtype)


def crf_divergence(
    crf: Model, emissions: Ragged, old_crf: Model, old_emissions: Ragged, rules: Rules
) -> tuple[float, Floats2d]:
    """How far a model has moved away from what it was, and the gradients; those of the
    layer are added to it.

    It is the Kullback-Leibler divergence of the paths: how much less probable the paths
    of the old model are to the new one, on average over the old one. Tags that the old
    model did not have are left out of both: they may come up.

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags.
    old_crf (Model): The layer as it was, with the first S of the tags.
    old_emissions (Ragged): (N, S) scores as they were.
    rules (Rules): The legal paths.
    RETURNS (tuple[float, Floats2d]): The divergence, summed over the batch; and its
        gradient by the emissions, (N, T).
    RAISES (ValueError): Where the scores are not finite, or too far apart for sums of
        exponentials.
    """
    data, old_data = (
        to_numpy(e.dataXd).astype("float64") for e in (emissions, old_emissions)
    )
    if not len(data):
        return 0.0, emissions.dataXd
    if not np.isfinite(data).all():
        raise ValueError("The scores of the tags are not finite numbers any more.")
    n = old_data.shape[1]
    rules = Rules(rules.starts[:n], rules.transitions[:n, :n], rules.ends[:n])
    packing = pack(_OPS, emissions.lengths, len(data))
    first = packing.sizes[0]
    data, old_data = data[packing.forwards], old_data[packing.forwards]

    def sums(layer: Model, scores: Floats2d) -> tuple[Floats2d, Floats2d, float]:
        chain = _Chain(layer, rules, tags=np.arange(n))
        lattice = forward_backward(scores, packing, chain)
        return *_average_use(lattice, packing, chain), float(lattice.log_z.sum())

    use, pairs, log_z = sums(crf, data[:, :n])
    old_use, old_pairs, old_log_z = sums(old_crf, old_data)

    def score(layer: Model, scores: Floats2d) -> float:
        """That of the paths, on average over those of the old model."""
        starts, transitions, ends = (
            to_numpy(layer.get_param(name)) for name in layer.param_names
        )
        return float(
            (old_use * scores).sum()
            + (old_use[:first] * starts[:n]).sum()
            + (old_pairs * transitions[:n, :n]).sum()
            + (old_use[packing.last] * ends[:n]).sum()
        )

    loss = log_z - old_log_z + score(old_crf, old_data) - score(crf, data[:, :n])
    d_emissions = np.zeros_like(data)
    d_emissions[:, :n] = use - old_use
    d_transitions = np.zeros((data.shape[1], data.shape[1]))
    d_transitions[:n, :n] = pairs - old_pairs
    d_emissions = _inc_grads(crf, packing, d_emissions, d_transitions)
    return loss, crf.ops.asarray(d_emissions, dtype=emissions.dataXd.dtype)


def _average_use(
    lattice: "Lattice",
    packing: Packing,
    chain: "_Chain",
    weight: np.ndarray | float = 1,
) -> tuple[Floats2d, Floats2d]:
    """How often each emission (N, T) and each transition (T, T) is used, on average
    over all paths; with a weight a row, (N, 1)."""
    expected = weight * lattice.alpha * lattice.beta
    first = packing.sizes[0]
    pairs = (weight * lattice.alpha)[packing.previous].T @ lattice.incoming[first:]
    return expected, pairs * np.exp(chain.transitions)


def _inc_grads(
    crf: Model, packing: Packing, d_emissions: Floats2d, d_transitions: Floats2d
) -> Floats2d:
    """Add to the gradients of the layer, if it learns. Emissions come in time-major
    order, and are returned as they were."""
    if crf.attrs["learned"]:
        asarray = partial(crf.ops.asarray, dtype=crf.get_param("starts").dtype)
        d_starts = d_emissions[: packing.sizes[0]].sum(axis=0)
        crf.inc_grad("starts", asarray(d_starts))
        crf.inc_grad("transitions", asarray(d_transitions))
        crf.inc_grad("ends", asarray(d_emissions[packing.last].sum(axis=0)))
    unpacked = np.empty_like(d_emissions)
    unpacked[packing.forwards] = d_emissions
    return unpacked


def best_paths(crf: Model, emissions: Ragged, rules: Rules) -> Ints1d:
    """The legal path with the highest score, for each sequence of a batch.

    The best path to a tag goes through the best path to one of the tags a step before
    (Viterbi, 1967).

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags. Minus infinity rules a tag out.
    rules (Rules): The legal paths.
    RETURNS (Ints1d): (N,) tag numbers, sequences end to end.
    RAISES (ValueError): Where a sequence has no legal path.
    """
    data = to_numpy(emissions.dataXd)
    if not len(data):
        return np.zeros(0, dtype="int64")
    packing = pack(_OPS, emissions.lengths, len(data))
    # Tags first, since NumPy is fast where the last axis is the long one.
    data = np.ascontiguousarray(data[packing.forwards].T)
    chain = _Chain(crf, rules, dtype=data.dtype)
    steps = packing.steps()
    score = np.empty_like(data)  # of the best path to each tag
    transitions = chain.transitions[:, :, None]
    paths = chain.starts[:, None]
    for t, rows in enumerate(steps):
        if t:
            paths = paths[:, None, : rows.stop - rows.start]
            paths = np.maximum.reduce(paths + transitions)
        paths = paths + data[:, rows]
        score[:, rows] = paths
    at_end = score[:, packing.last] + chain.ends[:, None]
    if np.isneginf(at_end.max(axis=0)).any():
        raise ValueError("A sequence has no legal path of tags.")
    path = np.empty(len(packing.forwards), dtype="int64")
    path[packing.last] = at_end.argmax(axis=0)
    # Which tag the best path to a tag comes from is only asked on the way back.
    for before, rows in zip(steps[-2::-1], steps[:0:-1], strict=True):
        goes_on = slice(before.start, before.start + rows.stop - rows.start)
        from_tags = score[:, goes_on] + chain.transitions[:, path[rows]]
        path[goes_on] = from_tags.argmax(axis=0)
    unpacked = np.empty_like(path)
    unpacked[packing.forwards] = path
    return unpacked


def n_best_paths(
    crf: Model, emissions: Ragged, rules: Rules, n: int, *, temperature: float = 1.0
) -> tuple[Ints2d, Floats2d]:
    """The n legal paths with the highest scores, for each sequence of a batch.

    As `best_paths`, with the n best paths to each tag: the n best go through n of those
    a step before, and no two of them are the same. In float64.

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags. Minus infinity rules a tag out.
    rules (Rules): The legal paths.
    n (int): How many, at least 1.
    temperature (float): All scores are divided by it, those of the layer, too. It
        changes probabilities, but not which paths are the best.
    RETURNS (tuple[Ints2d, Floats2d]): (n, N) tag numbers, the best paths first; and
        (B, n) the logarithms of their probabilities, minus infinity where a sequence
        has fewer legal paths. An empty sequence has one.
    RAISES (ValueError): Where a sequence has no legal path.
    """
    data = to_numpy(emissions.dataXd).astype("float64") / temperature
    lengths = to_numpy(emissions.lengths)
    log_probs = np.full((len(lengths), n), -np.inf)
    log_probs[:, 0] = 0.0
    if not len(data):
        return np.zeros((n, 0), dtype="int64"), log_probs
    packing = pack(_OPS, lengths, len(data))
    data = data[packing.forwards]
    steps = packing.steps()
    chain = _Chain(crf, rules, temperature=temperature)
    log_z = forward_backward(data, packing, chain).log_z
    n_tags = data.shape[1]
    score = np.empty((*data.shape, n))  # of the n best paths to each tag
    # The tag and the rank that each comes from, as tag · n + rank.
    before = np.zeros(score.shape, dtype="int32")
    paths = np.full((packing.sizes[0], n_tags, n), -np.inf)
    paths[..., 0] = chain.starts
    for t, rows in enumerate(steps):
        if t:
            come_from = paths[: rows.stop - rows.start, None]
            candidates = come_from + chain.transitions.T[..., None]  # (B, to, from, n)
            candidates = candidates.reshape((len(candidates), n_tags, n_tags * n))
            before[rows] = _largest(candidates, n)
            paths = np.take_along_axis(candidates, before[rows], axis=2)
        score[rows] = paths = paths + data[rows][..., None]
    at_end = (score[packing.last] + chain.ends[:, None]).reshape((-1, n_tags * n))
    at = np.empty((len(data), n), dtype="int64")  # tag · n + rank
    at[packing.last] = _largest(at_end, n)
    for rows, next_rows in zip(steps[-2::-1], steps[:0:-1], strict=True):
        next_at = at[next_rows]
        goes_on = slice(rows.start, rows.start + len(next_at))
        backwards = before[next_rows].reshape((len(next_at), n_tags * n))
        at[goes_on] = np.take_along_axis(backwards, next_at, axis=1)
    unpacked = np.empty((n, len(data)), dtype="int64")
    unpacked[:, packing.forwards] = at.T // n
    by_length = np.argsort(-lengths, kind="stable")[: len(log_z)]
    best = np.take_along_axis(at_end, at[packing.last], axis=1)
    log_probs[by_length] = best - log_z[:, None]
    return unpacked, log_probs


def _largest(values: np.ndarray, n: int) -> np.ndarray:
    """Where the n largest values of the last axis are, the largest first."""
    some = np.argpartition(-values, n - 1)[..., :n]
    order = np.argsort(-np.take_along_axis(values, some, axis=-1), kind="stable")
    return np.take_along_axis(some, order, axis=-1)


class Stretches(NamedTuple):
    """Parts of paths, each with its tags: an entity is one."""

    starts: Ints1d  # (K,) the row where each begins
    ends: Ints1d  # (K,) the row after its last
    tags: Ints1d  # (M,) the tags of its rows, one stretch after the other
    goes_on: Ints1d  # (K,) a tag that must not come next: it would go on


def stretch_probabilities(
    crf: Model,
    emissions: Ragged,
    rules: Rules,
    stretches: Stretches,
    *,
    temperature: float = 1.0,
) -> Floats1d:
    """How probable each stretch is: the probability of all paths that have just these
    tags there, and go on with another one.

    Given the whole text the path is a Markov chain. So this is exact:

        p(y_s) · Π_t p(y_t | y_t-1) · (1 - p(goes_on | y_e))

    Sequences without a stretch cost nothing.

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags. Minus infinity rules a tag out.
    rules (Rules): The legal paths.
    stretches (Stretches): K stretches, none of them empty, none over the end of a
        sequence.
    temperature (float): All scores are divided by it, those of the layer, too.
    RETURNS (Floats1d): (K,) float64 probabilities.
    RAISES (ValueError): Where a sequence has no legal path.
    """
    starts, ends, tags, goes_on = stretches
    if not len(starts):
        return np.zeros(0)
    lengths = to_numpy(emissions.lengths)
    asked = np.zeros(len(lengths), dtype=bool)
    asked[np.repeat(np.arange(len(lengths)), lengths)[starts]] = True
    kept = np.repeat(asked, lengths)
    new_row = np.cumsum(kept) - 1
    data = to_numpy(emissions.dataXd)[kept].astype("float64") / temperature
    lengths = lengths[asked]
    packing = pack(_OPS, lengths, len(data))
    chain = _Chain(crf, rules, temperature=temperature)
    lattice = forward_backward(data[packing.forwards], packing, chain)
    place = np.empty(len(data), dtype="int64")  # of each row in the lattice
    place[packing.forwards] = np.arange(len(data))
    transitions = np.exp(chain.transitions)

    def given(row: Ints1d, tag: Ints1d, tag_before: Ints1d) -> Floats1d:
        """p(tag at row | tag_before at the row before)"""
        joint = transitions[tag_before, tag] * lattice.incoming[place[row], tag]
        beta = lattice.beta[place[row - 1], tag_before]
        return np.divide(joint, beta, out=np.zeros_like(joint), where=beta > 0)

    sizes = ends - starts
    firsts = np.cumsum(sizes) - sizes  # of each stretch among all M rows
    rows = np.arange(len(tags)) + np.repeat(new_row[starts] - firsts, sizes)
    factors = np.empty(len(tags))
    later = np.delete(np.arange(len(tags)), firsts)
    factors[later] = given(rows[later], tags[later], tags[later - 1])
    first_places = place[rows[firsts]], tags[firsts]
    factors[firsts] = lattice.alpha[first_places] * lattice.beta[first_places]
    probabilities = np.multiply.reduceat(factors, firsts)
    lasts = firsts + sizes - 1
    followed = ~np.isin(rows[lasts] + 1, np.cumsum(lengths))
    last_tags = tags[lasts][followed]
    next_rows = rows[lasts][followed] + 1
    probabilities[followed] *= 1 - given(next_rows, goes_on[followed], last_tags)
    # Rounding must not make it more than certain.
    return np.clip(probabilities, 0.0, 1.0)


def path_scores(crf: Model, emissions: Ragged, paths: Ints1d) -> Floats1d:
    """The scores of paths, as above.

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags; no sequence is empty.
    paths (Ints1d): (N,) tag numbers, sequences end to end.
    RETURNS (Floats1d): (B,) float64 scores. Whether a path is legal is not looked at.
    """
    data = to_numpy(emissions.dataXd).astype("float64")
    starts, transitions, ends = (
        _finite_param(crf, name).astype("float64")
        for name in ("starts", "transitions", "ends")
    )
    lasts = np.cumsum(to_numpy(emissions.lengths)) - 1
    firsts = np.append(0, lasts[:-1] + 1)
    by_row = data[np.arange(len(paths)), paths]
    by_row[1:] += transitions[paths[:-1], paths[1:]]
    # Nothing leads from one sequence to the next.
    by_row[firsts[1:]] -= transitions[paths[lasts[:-1]], paths[firsts[1:]]]
    by_row[firsts] += starts[paths[firsts]]
    by_row[lasts] += ends[paths[lasts]]
    return np.add.reduceat(by_row, firsts)


def best_paths_without(
    crf: Model, emissions: Ragged, rules: Rules, stretches: Stretches
) -> tuple[Ints2d, Floats1d]:
    """For each of some stretches of one sequence the best legal path without it.

    A path lacks a stretch where it has another tag at one of its rows, or goes on after
    it. So it is the best one of those with one tag forbidden, and of those that go on.

    crf (Model): A `CRF` layer.
    emissions (Ragged): (N, T) scores of the tags of one sequence.
    rules (Rules): The legal paths.
    stretches (Stretches): K stretches.
    RETURNS (tuple[Ints2d, Floats1d]): (K, N) tag numbers; and (K,) the scores of the
        paths, minus infinity where there is none without the stretch.
    RAISES (ValueError): Where the sequence has no legal path.
    """
    data = to_numpy(emissions.dataXd).astype("float64")
    n, n_tags = data.shape
    paths = np.zeros((len(stretches.starts), n), dtype="int64")
    scores = np.full(len(paths), -np.inf)
    first = 0
    places = zip(stretches.starts, stretches.ends, stretches.goes_on, strict=True)
    for k, (start, end, goes_on) in enumerate(places):
        tags = stretches.tags[first : first + end - start]
        first += end - start
        copies = np.repeat(data[None], end - start + (end < n), axis=0)
        rows = np.arange(end - start)
        copies[rows, start + rows, tags] += FORBIDDEN
        if end < n:
            copies[-1, end, np.arange(n_tags) != goes_on] += FORBIDDEN
        batch = Ragged(copies.reshape((-1, n_tags)), np.full(len(copies), n))
        found = best_paths(crf, batch, rules)
        found_scores = path_scores(crf, batch, found)
        best = int(found_scores.argmax())
        if found_scores[best] > FORBIDDEN / 2:
            paths[k] = found.reshape((-1, n))[best]
            scores[k] = found_scores[best]
    return paths, scores


class Lattice(NamedTuple):
    """Forward and backward scores of all paths of a batch, in time-major order.

    At each step they are scaled to sum to 1 (Rabiner, 1989, section V.A): so they stay
    plain numbers, a step is a matrix product, and the scales give log Z.
    """

    #: (N, T) share of each tag in the paths up to here.
    alpha: Floats2d
    #: (N, T) such that alpha · beta is the probability of each tag at each unit.
    beta: Floats2d
    #: (N, T) such that alpha₋[i] · exp(transition[i, j]) · incoming[j] is the
    #: probability that i stands at the unit before and j at this one.
    incoming: Floats2d
    #: (B,) log Z of each sequence that is not empty, the longest first.
    log_z: Floats1d


def _finite_param(crf: Model, name: str) -> np.ndarray:
    """A parameter of a `CRF` layer. One that is not a number would make every path as
    good as any other."""
    scores = to_numpy(crf.get_param(name))
    if not np.isfinite(scores).all():
        raise ValueError(
            f"The parameter {name!r} of the CRF has non-finite scores (NaN or inf): "
            f"its weights are broken, load or train it again."
        )
    return scores


class _Chain:
    """The parameters of a `CRF` layer, minus infinity where the rules forbid."""

    def __init__(
        self,
        crf: Model,
        rules: Rules,
        *,
        dtype="float64",
        tags: Ints1d | None = None,  # to choose or repeat some
        temperature: float = 1.0,
    ):
        def masked(name: str, legal: np.ndarray) -> np.ndarray:
            scores = _finite_param(crf, name).astype(dtype)
            if temperature != 1.0:
                scores /= temperature
            if tags is not None:
                scores = scores[np.ix_(*[tags] * scores.ndim)]
            return np.where(legal, scores, scores.dtype.type(-np.inf))

        self.starts: Floats1d = masked("starts", rules.starts)
        self.transitions: Floats2d = masked("transitions", rules.transitions)
        self.ends: Floats1d = masked("ends", rules.ends)


def forward_backward(emissions: Floats2d, packing: Packing, chain: _Chain) -> Lattice:
    """Sum over all legal paths.

    Both directions of time go through one loop: seen from the other end, the sums over
    the rest of the paths are sums over the paths so far.

    emissions (Floats2d): (N, T) float64, time-major; minus infinity rules a tag out.
    packing (Packing): Their order.
    chain (_Chain): The other scores.
    RETURNS (Lattice): The sums.
    RAISES (ValueError): Where a sequence has no legal path.
    """
    place = np.empty_like(packing.forwards)
    place[packing.forwards] = np.arange(len(place))
    backwards = place[packing.orders[1]]  # the row here of each row in the other order
    both = np.stack((emissions, emissions[backwards]))
    # With the largest one taken out, exp cannot overflow. What that does to 0 / 0 is
    # checked for at the end.
    highest = both.max(axis=2, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weights = np.exp(both - highest)
        ends = np.exp(chain.ends)
        before, after, scale = _sums(both, weights, highest, packing, chain)
        if not scale.min() >= _TINY:
            # The largest is of a tag that no path reaches: take those that can be.
            before, after, scale = _sums(
                both, weights, highest, packing, chain, only_reached=True
            )
        alpha, beta = after[0], np.empty_like(emissions)
        beta[backwards] = before[1]
        beta /= (alpha * beta).sum(axis=1, keepdims=True)
        at_end = alpha[packing.last] @ ends
    if not (at_end > 0).all() or np.isnan(beta).any():
        raise ValueError("A sequence has no legal path of tags.")
    by_unit = np.log(scale[0, :, 0]) + highest[0, :, 0]
    sequence = np.concatenate([np.arange(size) for size in packing.sizes])
    log_z = np.log(at_end) + np.bincount(sequence, by_unit)
    return Lattice(alpha, beta, weights[0] * beta / scale[0], log_z)


def _sums(
    emissions: Floats3d,
    weights: Floats3d,
    highest: Floats3d,
    packing: Packing,
    chain: _Chain,
    *,
    only_reached: bool = False,
) -> tuple[Floats3d, Floats3d, Floats3d]:
    """Sums over the paths to each tag, in both directions of time.

    emissions (Floats3d): (2, N, T).
    weights (Floats3d): (2, N, T), exp(emissions - highest).
    highest (Floats3d): (2, N, 1), the highest emissions.
    only_reached (bool): Set weights and highest anew, by the tags that a path reaches.
    RETURNS (tuple[Floats3d, Floats3d, Floats3d]): The sums (2, N, T) without and with
        the weights of the row itself, the latter scaled to 1; and the scales (2, N, 1).
    """
    before, after = np.empty((2, *emissions.shape))
    scale = np.empty_like(highest)
    transitions = np.exp(chain.transitions)
    transitions = np.stack((transitions, transitions.T))
    paths = np.exp(np.stack((chain.starts, chain.ends)))[:, None]
    paths = np.repeat(paths, packing.sizes[0], axis=1)
    for rows in packing.steps():
        paths = paths[:, : rows.stop - rows.start]
        before[:, rows] = paths
        if only_reached:
            reached = np.where(paths > 0, emissions[:, rows], -np.inf)
            highest[:, rows] = reached.max(axis=2, keepdims=True)
            weights[:, rows] = np.exp(reached - highest[:, rows])
        paths = paths * weights[:, rows]
        total = np.add.reduce(paths, axis=2, keepdims=True)
        paths /= total
        after[:, rows], scale[:, rows] = paths, total
        paths = paths @ transitions
    return before, after, scale
