"""The layer of a linear-chain conditional random field (CRF) over tags.

After Lafferty, McCallum & Pereira (2001); on top of an LSTM as in Lample et al. (2016).
A path y_1 … y_n through the tags has the score

    s(y) = start[y_1] + Σ_t emission_t[y_t] + Σ_t transition[y_t, y_t+1] + end[y_n]

and the probability exp(s(y)) / Z, where Z is the sum of exp(s) over all *legal* paths,
those that the transition constraints of the tag scheme allow.

The other files compute with these scores:

    lattice.py      sums over all paths: Z, and the probability of a tag at a unit
    crf_loss.py     the training loss and its gradient
    viterbi.py      the best path, the n best paths, and constrained searches
    marginals.py    the probability of a segment of a path, such as an entity

They run on the CPU, in compiled kernels where there are any. Otherwise NumPy processes
all sequences of a batch step by step (packing.py). The NumPy form also decides whatever
the kernels cannot: sequences without a legal path, and scores that are far apart or not
finite.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from thinc.api import Model, Ops, to_numpy
from thinc.types import Floats1d, Floats2d, Ints1d, Ragged

from .. import kernels

SeqT = TypeVar("SeqT", Ragged, list[Floats2d])


class TransitionConstraints(NamedTuple):
    """The constraints that make a path legal."""

    starts: np.ndarray  # (T,) bool: may a path start with this tag?
    transitions: np.ndarray  # (T, T) bool: may tag [j] follow tag [i]?
    ends: np.ndarray  # (T,) bool: may a path end with this tag?


class CRFParameters(Protocol):
    """What the other files use of a `CRF` layer, or of one of the CRFs of a `LabelCRFs`
    layer."""

    ops: Ops

    @property
    def attrs(self) -> dict[str, Any]: ...

    @property
    def param_names(self) -> tuple[str, ...]: ...

    def get_param(self, name: str) -> Any: ...

    def inc_grad(self, name: str, value: Any) -> None: ...


def CRF(nO: int | None = None, *, learned: bool = True) -> Model[SeqT, SeqT]:
    """The scores of starts, transitions and ends. Use it as the last layer: it passes
    the emission scores on unchanged.

    `crf_loss` trains the parameters, `best_paths` searches with them.

    nO: Number of tags, T.
    learned: Train the parameters. Otherwise they stay 0, so that tags are scored
        independently and only the transition constraints connect them.
    RETURNS: The layer, with the parameters starts (nO,), transitions (nO, nO; from row
        to column) and ends (nO,), initialized with 0.
    """
    return Model(
        "crf",
        forward,
        init=init,
        dims={"nO": nO},
        params={"starts": None, "transitions": None, "ends": None},
        attrs={"learned": learned},
    )


def forward(
    model: Model[SeqT, SeqT], X: SeqT, is_train: bool
) -> tuple[SeqT, Callable[[SeqT], SeqT]]:
    return X, lambda dY: dY


def init(
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


class ConstrainedScores:
    """The parameters of a `CRF` layer in float64, minus infinity where the constraints
    forbid a start, a transition or an end."""

    starts: Floats1d  # (T,)
    transitions: Floats2d  # (T, T)
    ends: Floats1d  # (T,)

    def __init__(
        self,
        crf: CRFParameters,
        constraints: TransitionConstraints,
        *,
        tags: Ints1d | None = None,
        temperature: float = 1.0,
    ):
        """
        crf: A `CRF` layer.
        constraints: For the T tags, or for `tags`.
        tags: Select these tags; one may be repeated.
        temperature: All scores are divided by it.
        RAISES (ValueError): If a parameter has a score that is not finite.
        """

        def masked(name: str, legal: np.ndarray) -> np.ndarray:
            scores = finite_param(crf, name).astype("float64")
            if temperature != 1.0:
                scores /= temperature
            if tags is not None:
                scores = scores[np.ix_(*[tags] * scores.ndim)]
            return np.where(legal, scores, -np.inf)

        self.starts = masked("starts", constraints.starts)
        self.transitions = masked("transitions", constraints.transitions)
        self.ends = masked("ends", constraints.ends)

    @cached_property
    def for_search(self) -> Any:
        """The scores for the kernels that search paths; None without kernels."""
        return self._for_kernels("PathScores")

    @cached_property
    def for_sums(self) -> Any:
        """exp(scores) for the kernels that sum over paths; None without kernels."""
        return self._for_kernels("PathWeights")

    def _for_kernels(self, name: str) -> Any:
        native = kernels.kernels()
        if native is None or not len(self.starts):
            return None
        arrays = (self.starts, self.transitions, self.ends)
        tables = getattr(native, name)
        return tables(*arrays)


_cached: dict[tuple[Any, ...], tuple[TransitionConstraints, ConstrainedScores]] = {}
# So many are kept; and of small CRFs, such as those of `LabelCRFs`, more of them, up to
# so many transition scores.
_MAX_CACHED, _MAX_TRANSITIONS = 16, 50_000


def constrained_scores(
    crf: CRFParameters, constraints: TransitionConstraints, *, temperature: float = 1.0
) -> ConstrainedScores:
    """`ConstrainedScores` for inference: cached by the values of the
    parameters, since preparing them takes longer than to search a short text."""
    key = (
        to_numpy(crf.get_param("starts")).tobytes(),
        to_numpy(crf.get_param("transitions")).tobytes(),
        to_numpy(crf.get_param("ends")).tobytes(),
        id(constraints),
        temperature,
        kernels.kernels() is None,
    )
    found = _cached.get(key)
    # The cached object keeps its constraints, so that no other ones have their id.
    if found is None:
        scores = ConstrainedScores(crf, constraints, temperature=temperature)
        if len(_cached) >= _MAX_CACHED:
            sizes = (kept.transitions.size for _, kept in _cached.values())
            if sum(sizes) > _MAX_TRANSITIONS:
                _cached.clear()
        _cached[key] = found = constraints, scores
    return found[1]


def finite_param(crf: CRFParameters, name: str) -> np.ndarray:
    """A parameter of a `CRF` layer, as a NumPy array.

    RAISES (ValueError): If a score is not finite: NaN would make all paths equally
        good.
    """
    scores: np.ndarray = to_numpy(crf.get_param(name))
    if not np.isfinite(scores).all():
        raise ValueError(
            f"The parameter {name!r} of the CRF has non-finite scores (NaN or inf): "
            f"its weights are broken, load or train it again."
        )
    return scores


def float64_scores(emissions: Ragged) -> Floats2d:
    """The emission scores as a new NumPy array in float64, (N, T)."""
    return to_numpy(emissions.dataXd).astype("float64")


def finite_scores(emissions: Ragged) -> Floats2d:
    """`float64_scores` for training.

    RAISES (ValueError): If a score is not finite.
    """
    scores = float64_scores(emissions)
    if not np.isfinite(scores).all():
        raise ValueError(
            "Non-finite emission scores (NaN or inf): training has diverged, try a "
            "lower learning rate."
        )
    return scores
