"""The CRF kernels against the NumPy form, and both against enumerating all paths."""

from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thinc.types import Ragged

from spacy_lstm_ner import kernels
from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.crf import ConstrainedScores
from spacy_lstm_ner.layers.crf_loss import Annotation, crf_divergence, crf_loss
from spacy_lstm_ner.layers.lattice import expected_counts
from spacy_lstm_ner.layers.marginals import segment_marginals, tag_marginals
from spacy_lstm_ner.layers.viterbi import best_paths, n_best_paths
from spacy_lstm_ner.pipeline.incorrect_spans import exclude_spans
from spacy_lstm_ner.tags import TagSet

from ..helpers.kernels import available, both_forms, numpy_form

LENGTHS = {
    "one": [30],
    "ragged": [4, 1, 17, 2],
    "empty sequences": [0, 5, 0, 3],
    "long": [10_000, 3],
}
SIZES = {"no labels": 0, "one label": 1, "default": 8, "many labels": 40}


def make(lengths, n_labels, scheme="BIOES", seed=0, dtype="float32"):
    """A random CRF, its tags, and random emission scores."""
    tags = TagSet([f"L{i}" for i in range(n_labels)], scheme)
    rng = np.random.default_rng(seed)
    crf = CRF(len(tags))
    crf.initialize()
    for name in crf.param_names:
        array = crf.get_param(name)
        crf.set_param(name, rng.standard_normal(array.shape, dtype="float32"))
    data = 3 * rng.standard_normal((sum(lengths), len(tags)))
    return crf, tags, Ragged(data.astype(dtype), np.array(lengths, dtype="int32"))


def random_spans(tags, lengths, seed=0):
    rng = np.random.default_rng(seed)
    spans, first = [], 0
    for length in lengths:
        for _ in range(min(length, 6)):
            start = rng.integers(length)
            end = rng.integers(start, min(length, start + 9)) + 1
            label = ["", *tags.labels][rng.integers(len(tags.labels) + 1)]
            spans.append((first + start, first + end, label))
        first += length
    return spans


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("n_labels", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_same_as_numpy(instruction_set, lengths, n_labels, scheme, dtype):
    if max(lengths) > 1000 and n_labels > 10:
        pytest.skip("takes long in NumPy")
    crf, tags, emissions = make(lengths, n_labels, scheme, dtype=dtype)
    args = crf, emissions, tags.constraints
    found, expected = both_forms(best_paths, *args)
    np.testing.assert_array_equal(found, expected)
    for found, expected in zip(
        *both_forms(tag_marginals, *args, temperature=1.7), strict=True
    ):
        assert_close(found, expected)
    if n_labels:
        segments = tags.segments(random_spans(tags, lengths))
        assert_close(*both_forms(segment_marginals, *args, segments, temperature=0.6))


@pytest.mark.parametrize("n_labels", [0, 1, 3, 8])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_n_best_paths(instruction_set, n, n_labels):
    crf, tags, emissions = make([4, 1, 9, 0, 2], n_labels)
    args = crf, emissions, tags.constraints, n
    (paths, log_probs), (expected, expected_log_probs) = both_forms(
        n_best_paths, *args, temperature=1.3
    )
    assert_close(log_probs, expected_log_probs)
    exists = np.repeat(log_probs > -np.inf, emissions.lengths, axis=0).T
    np.testing.assert_array_equal(paths[exists], expected[exists])


def gradients(crf):
    result = {name: crf.get_grad(name).copy() for name in crf.param_names}
    for name in crf.param_names:
        crf.set_grad(name, np.zeros_like(crf.get_grad(name)))
    return result


def loss_and_gradients(function, crf, *args):
    loss, d_emissions = function(crf, *args)
    return {"loss": loss, "emissions": d_emissions, **gradients(crf)}


def annotation(tags, lengths, seed=0):
    """Partial annotation: legal tags at most units, all tags at others."""
    rng = np.random.default_rng(seed)
    spans, first = [], 0
    for length in lengths:
        start = 0
        while start < length and tags.labels:
            end = min(length, start + int(rng.integers(1, 5)))
            label = tags.labels[rng.integers(len(tags.labels))]
            spans.append((first + start, first + end, label))
            start = end + int(rng.integers(0, 3))
        first += length
    ids = tags.ids_from_spans(spans, first)
    allowed = np.equal.outer(ids, np.arange(len(tags)))
    allowed[rng.random(first) < 0.3] = True
    return allowed, spans


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("n_labels", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("lengths", [[30], [4, 1, 17, 2], [0, 5, 0, 3]], ids=str)
def test_loss_and_gradients(instruction_set, lengths, n_labels, scheme):
    # Float64 scores, since gradients are returned in the type of the scores.
    crf, tags, emissions = make(lengths, n_labels, scheme, dtype="float64")
    for name in crf.param_names:
        crf.set_param(name, crf.get_param(name).astype("float64"))
    allowed, _ = annotation(tags, lengths)
    found, expected = both_forms(
        loss_and_gradients, crf_loss, crf, emissions, allowed, tags.constraints
    )
    for name, array in expected.items():
        assert_close(found[name], array)


def test_loss_with_copies_of_tags(instruction_set):
    lengths = [9, 14]
    crf, tags, emissions = make(lengths, 3, dtype="float64")
    allowed = np.ones((23, len(tags)), dtype=bool)
    incorrect = [(1, 4, "L0"), (2, 3, "L1"), (10, 20, "L2"), (12, 13, "L2")]
    gold = exclude_spans(tags, allowed, incorrect)
    assert isinstance(gold, Annotation)
    found, expected = both_forms(
        loss_and_gradients, crf_loss, crf, emissions, gold, tags.constraints
    )
    for name, array in expected.items():
        assert_close(found[name], array)


def test_divergence(instruction_set):
    crf, tags, emissions = make([5, 0, 8], 3, dtype="float64")
    old, old_tags, _ = make([], 2)
    old_emissions = Ragged(
        emissions.dataXd[:, : len(old_tags)] * 0.5, emissions.lengths
    )
    args = crf, emissions, old, old_emissions, tags.constraints
    found, expected = both_forms(loss_and_gradients, crf_divergence, *args)
    for name, array in expected.items():
        assert_close(found[name], array)


def test_preset_entities(instruction_set):
    """Minus infinity excludes tags."""
    lengths = [12, 5, 20]
    crf, tags, emissions = make(lengths, 4)
    allowed, spans = annotation(tags, lengths, seed=3)
    emissions.dataXd[~allowed] = -np.inf
    args = crf, emissions, tags.constraints
    found, expected = both_forms(best_paths, *args)
    np.testing.assert_array_equal(found, expected)
    assert allowed[np.arange(len(found)), found].all()
    for found, expected in zip(*both_forms(tag_marginals, *args), strict=True):
        assert_close(found, expected)
    segments = tags.segments(spans + random_spans(tags, lengths))
    assert_close(*both_forms(segment_marginals, *args, segments))
    for found, expected in zip(*both_forms(n_best_paths, *args, 3), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("scale", [1e-3, 30, 300, 3000])
def test_scores_that_are_far_apart(instruction_set, scale):
    """Sums of exponentials would overflow, or lose tags that no path reaches."""
    crf, tags, emissions = make([6, 11], 3)
    emissions = Ragged(emissions.dataXd * scale, emissions.lengths)
    args = crf, emissions, tags.constraints
    found, expected = both_forms(best_paths, *args)
    np.testing.assert_array_equal(found, expected)

    expected = log_space_marginals(*args)
    for form in range(2):
        try:
            with numpy_form() if form else nullcontext():
                found = tag_marginals(*args)
        except ValueError:
            assert scale >= 300  # NumPy refuses these, and decides for the kernel
        else:
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def log_space_marginals(crf, emissions, constraints):
    """`tag_marginals` with logarithms of sums, which are slow and never overflow."""
    scores = ConstrainedScores(crf, constraints)
    A = scores.transitions
    marginals, log_z = [], []
    for e in np.split(emissions.dataXd, np.cumsum(emissions.lengths)[:-1]):
        e = e.astype("float64")
        alpha, beta = [scores.starts + e[0]], [scores.ends]
        for row in e[1:]:
            alpha.append(np.logaddexp.reduce(alpha[-1][:, None] + A) + row)
        for row in e[:0:-1]:
            beta.append(np.logaddexp.reduce(A + row + beta[-1], axis=1))
        both = np.array(alpha) + np.array(beta[::-1])
        log_z.append(np.logaddexp.reduce(both[-1]))
        marginals.append(np.exp(both - log_z[-1]))
    return np.concatenate(marginals), np.array(log_z)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_left_to_numpy(instruction_set, bad):
    crf, tags, emissions = make([6, 11], 3)
    emissions.dataXd[3, 2] = bad
    args = crf, emissions, tags.constraints
    with np.errstate(all="ignore"):
        found, expected = both_forms(best_paths, *args)
        np.testing.assert_array_equal(found, expected)
        for _ in both_forms(lambda: None):
            with pytest.raises(ValueError):
                tag_marginals(*args)
    allowed = np.ones((17, len(tags)), dtype=bool)
    with pytest.raises(ValueError, match="Non-finite"):
        crf_loss(crf, emissions, allowed, tags.constraints)


def test_no_legal_path(instruction_set):
    crf, tags, emissions = make([4, 3], 2)
    emissions.dataXd[5] = -np.inf
    args = crf, emissions, tags.constraints
    for function in (best_paths, tag_marginals):
        with pytest.raises(ValueError, match="no legal path"):
            function(*args)
    with pytest.raises(ValueError, match="no legal path"):
        n_best_paths(*args, 2)
    with pytest.raises(ValueError, match="no legal path"):
        segment_marginals(*args, tags.segments([(4, 6, "L0")]))
    allowed = np.zeros((7, len(tags)), dtype=bool)
    finite = Ragged(np.zeros((7, len(tags)), dtype="float32"), emissions.lengths)
    with pytest.raises(ValueError, match="No legal path"):
        crf_loss(crf, finite, allowed, tags.constraints)


def test_segments_in_any_order(instruction_set):
    lengths = [8, 6, 9]
    crf, tags, emissions = make(lengths, 3)
    spans = random_spans(tags, lengths)
    args = crf, emissions, tags.constraints
    expected = segment_marginals(*args, tags.segments(spans))
    found = segment_marginals(*args, tags.segments(spans[::-1]))
    np.testing.assert_allclose(found[::-1], expected, rtol=1e-12)
    assert segment_marginals(*args, tags.segments([])).shape == (0,)


def test_parameters_that_change_in_place_are_never_stale(instruction_set):
    crf, tags, emissions = make([8, 6], 3)
    args = crf, emissions, tags.constraints
    segments = tags.segments([(0, 2, "L1"), (9, 10, "L2")])
    for name in crf.param_names:
        segment_marginals(*args, segments), best_paths(*args)
        crf.get_param(name)[...] += np.random.default_rng(0).standard_normal(
            crf.get_param(name).shape
        )
        assert_close(*both_forms(segment_marginals, *args, segments))
        np.testing.assert_array_equal(*both_forms(best_paths, *args))


def test_parameters_that_are_not_finite_are_refused(instruction_set):
    crf, tags, emissions = make([8, 6], 3)
    crf.get_param("transitions")[1, 2] = np.nan
    for function in (best_paths, tag_marginals):
        with pytest.raises(ValueError, match="'transitions'"):
            function(crf, emissions, tags.constraints)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    n_labels=st.integers(0, 3),
    scheme=st.sampled_from(["BIO", "BIOES"]),
    seed=st.integers(0, 10_000),
)
def test_any_batch(lengths, n_labels, scheme, seed):
    if not available():
        pytest.skip("no kernels")
    crf, tags, emissions = make(lengths, n_labels, scheme, seed)
    # Ties are frequent.
    emissions = Ragged(emissions.dataXd.round(), emissions.lengths)
    args = crf, emissions, tags.constraints
    np.testing.assert_array_equal(*both_forms(best_paths, *args))
    for found, expected in zip(*both_forms(tag_marginals, *args), strict=True):
        assert_close(found, expected)
    log_probs, expected = (r[1] for r in both_forms(n_best_paths, *args, 4))
    assert_close(log_probs, expected)


def test_sizes_are_checked(instruction_set):
    native = kernels.kernels()
    crf, tags, emissions = make([5, 3], 2)
    scores = ConstrainedScores(crf, tags.constraints)
    lengths, paths = np.array([5, 3]), np.zeros(8, "int64")
    data = emissions.dataXd.astype("float64")
    assert native.best_paths(data, lengths, scores.for_search, paths)
    for args in (
        (data[:, :5].copy(), lengths, scores.for_search, paths),
        (data, lengths + 1, scores.for_search, paths),
        (data, np.array([9, -1]), scores.for_search, paths),
        (data, lengths, scores.for_search, paths[:7]),
    ):
        with pytest.raises(ValueError):
            native.best_paths(*args)
    good = [np.array([1, 0]), [1], [3], [0, 0], [1]]
    for i, bad in ((0, [2, 0]), (1, [-1]), (2, [6]), (3, [0, 99]), (4, [99]), (3, [0])):
        arrays = [np.array(a) for a in good]
        arrays[i] = np.array(bad)
        with pytest.raises(ValueError):
            native.segment_marginals(
                data, lengths, scores.for_sums, *arrays, np.zeros(1)
            )


def test_counts_with_factors(instruction_set):
    crf, tags, emissions = make([5, 0, 3], 2, dtype="float64")
    scores = ConstrainedScores(crf, tags.constraints)
    factors = np.array([2.0, 3.0, -1.0])
    args = emissions.dataXd, emissions.lengths, scores, factors
    counts = expected_counts(*args)
    with numpy_form():
        expected = expected_counts(*args)
    for one, other in zip(counts, expected, strict=True):
        assert_close(one, other)
    np.testing.assert_allclose(counts.tags.sum(axis=1), [2] * 5 + [-1] * 3)


def test_scores_in_any_order(instruction_set):
    crf, tags, emissions = make([5, 3], 2, dtype="float64")
    fortran = Ragged(np.asfortranarray(emissions.dataXd), emissions.lengths)
    segments = tags.segments([(1, 3, "L0"), (6, 7, "L1")])
    for function, *args in (
        (best_paths,),
        (tag_marginals,),
        (n_best_paths, 3),
        (segment_marginals, segments),
    ):
        results = [
            function(crf, e, tags.constraints, *args) for e in (emissions, fortran)
        ]
        for one, other in zip(*results, strict=True):
            np.testing.assert_array_equal(one, other)


def test_digits_are_not_lost_in_a_long_text(instruction_set):
    """The scores of a path grow with the text, and paths that differ in one unit must
    still be told apart: in float32, they were not."""
    crf, tags, _ = make([], 1)
    for name in crf.param_names:
        crf.get_param(name)[...] = 0
    single = tags.names.index("S-L0")
    data = np.full((30_000, len(tags)), -20, dtype="float32")
    # The better tag of each unit, by a margin of 1e-4, far from 0.
    expected = np.random.default_rng(0).choice([0, single], len(data))
    data[:, [0, single]] = 10
    data[np.arange(len(data)), expected] = np.float32(10.0001)
    emissions = Ragged(data, np.array([len(data)]))
    for paths in both_forms(best_paths, crf, emissions, tags.constraints):
        np.testing.assert_array_equal(paths, expected)
