"""The losses of the CRF and their gradients, against brute force."""

from itertools import pairwise

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.crf_loss import (
    SoftPaths,
    crf_cross_entropy,
    crf_divergence,
    crf_loss,
    softmax_cross_entropy,
    softmax_loss,
)
from spacy_lstm_ner.pipeline.incorrect_spans import exclude_spans
from spacy_lstm_ner.tags import TagSet

from ..helpers.brute_force import (
    LENGTHS,
    brute_force_loss,
    legal_paths,
    score,
    some_gold,
)
from ..helpers.gradients import numeric_gradient, to_float64


@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
def test_loss_and_gradients(crf, tags, emissions, rng, missing):
    gold = some_gold(tags, rng, missing)
    data = emissions.dataXd
    loss, d_emissions = crf_loss(crf, emissions, gold, tags.constraints)
    assert loss == pytest.approx(brute_force_loss(crf, tags, data, gold), abs=1e-8)

    def again():
        return brute_force_loss(crf, tags, data, gold)

    np.testing.assert_allclose(d_emissions, numeric_gradient(again, data), atol=1e-8)
    for name in crf.param_names:
        expected = numeric_gradient(again, crf.get_param(name))
        np.testing.assert_allclose(
            crf.get_grad(name), expected, atol=1e-8, err_msg=name
        )
    if missing == 1.0:
        assert loss == pytest.approx(0.0, abs=1e-9)
        assert not d_emissions.round(9).any()


WRONG = {
    "one": [(0, 2, "A")],
    "same start": [(0, 2, "A"), (0, 1, "A"), (0, 3, "A")],
    "same end": [(4, 6, "A"), (5, 6, "A")],
    "crossing": [(4, 7, "A"), (5, 8, "A"), (6, 7, "A"), (0, 3, "A")],
    "one after the other": [(4, 6, "A"), (6, 7, "A"), (0, 1, "A"), (1, 3, "A")],
    "side by side": [(4, 5, "A"), (5, 7, "A"), (7, 8, "A"), (3, 4, "A"), (3, 4, "A")],
    "all of the last": [(8, 9, "A"), (8, 10, "A"), (9, 10, "A")],
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("missing", [0.6, 1.0])
def test_wrong_entities_are_in_no_path(crf, tags, emissions, rng, missing, wrong):
    if len(tags.labels) > 1:
        wrong = [*wrong, (0, 2, "B"), (4, 6, "B"), (6, 7, "B")]
    gold = some_gold(tags, rng, missing)
    # It may not rule out what the annotation asks for.
    gold[[i for start, end, _ in wrong for i in range(start, end)]] = True
    data = emissions.dataXd
    annotation = exclude_spans(tags, gold, wrong)
    loss, d_emissions = crf_loss(crf, emissions, annotation, tags.constraints)

    def again():
        return brute_force_loss(crf, tags, data, gold, wrong)

    assert loss == pytest.approx(again(), abs=1e-8)
    if missing == 1.0:
        assert loss > 1e-3  # without wrong entities it would be 0
    np.testing.assert_allclose(d_emissions, numeric_gradient(again, data), atol=1e-8)
    for name in crf.param_names:
        expected = numeric_gradient(again, crf.get_param(name))
        np.testing.assert_allclose(
            crf.get_grad(name), expected, atol=1e-8, err_msg=name
        )


def test_wrong_entities_that_do_not_overlap_share_copies(tags):
    allowed = np.ones((100, len(tags)), dtype=bool)
    side_by_side = [(i, i + 2, "A") for i in range(0, 100, 2)]
    assert len(exclude_spans(tags, allowed, side_by_side).copied) == 6
    nested = [*side_by_side, (0, 50, "A")]
    assert len(exclude_spans(tags, allowed, nested).copied) == 12


def test_a_wrong_entity_that_was_certain_is_unlearned(tags):
    """What is left is summed, not got by a difference: 1 - 1 would be nothing."""
    crf = to_float64(CRF(len(tags)).initialize())
    rows = np.zeros((3, len(tags)))
    rows[range(3), tags.ids_from_spans([(0, 3, "A")], 3)] = 100
    anything = np.ones(rows.shape, dtype=bool)
    annotation = exclude_spans(tags, anything, [(0, 3, "A")])
    batch = Ragged(rows, np.array([3]))
    loss, d_rows = crf_loss(crf, batch, annotation, tags.constraints)
    # The best of the others has one unit of the wrong one less in BIO, two in BIOES.
    assert loss == pytest.approx({"BIO": 100, "BIOES": 200}[tags.scheme], abs=5)
    assert np.abs(d_rows).max() > 0.2 and np.isfinite(d_rows).all()


@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
def test_loss_of_tags_scored_one_by_one(tags, emissions, rng, missing):
    gold = some_gold(tags, rng, missing)

    def again():
        return softmax_loss(emissions, gold)[0]

    loss, d_emissions = softmax_loss(emissions, gold)
    probabilities = np.exp(emissions.dataXd)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    allowed = (probabilities * gold).sum(axis=1)
    np.testing.assert_allclose(loss, -np.log(allowed).sum(), atol=1e-12)
    expected = numeric_gradient(again, emissions.dataXd)
    np.testing.assert_allclose(d_emissions, expected, rtol=1e-6, atol=1e-8)


def random_distribution(tags, rng):
    """A random distribution over the paths of each sequence, not that of a chain: a
    list of probabilities; and its expected counts."""
    distributions, tag_counts, transition_counts = [], [], []
    for n in LENGTHS:
        paths = legal_paths(tags, n) if n else [()]
        q = rng.dirichlet(np.full(len(paths), 0.3))
        by_unit = np.zeros((n, len(tags)))
        by_pair = np.zeros((len(tags), len(tags)))
        for path, p in zip(paths, q, strict=True):
            by_unit[range(n), list(path)] += p
            for pair in pairwise(path):
                by_pair[pair] += p
        distributions.append(q)
        tag_counts.append(by_unit)
        transition_counts.append(by_pair)
    targets = SoftPaths(np.concatenate(tag_counts), np.array(transition_counts))
    return distributions, targets


WEIGHTS = [0.5, 1.0, 2.0, 0.0, 1.5]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_and_gradients(crf, tags, emissions, rng, weights):
    distributions, targets = random_distribution(tags, rng)
    data = emissions.dataXd

    def again():
        total, start = 0.0, 0
        for i, n in enumerate(LENGTHS):
            rows = data[start : start + n]
            start += n
            if n:
                loss = -(distributions[i] * path_log_probs(crf, tags, rows)).sum()
                total += loss * (1.0 if weights is None else weights[i])
        return total

    given = None if weights is None else np.array(weights)
    loss, d_data = crf_cross_entropy(crf, emissions, targets, tags.constraints, given)
    assert loss == pytest.approx(again(), abs=1e-8)
    np.testing.assert_allclose(d_data, numeric_gradient(again, data), atol=1e-8)
    for name in crf.param_names:
        expected = numeric_gradient(again, crf.get_param(name))
        np.testing.assert_allclose(
            crf.get_grad(name), expected, atol=1e-8, err_msg=name
        )
    if weights is not None:
        assert not d_data[4:8].any()  # the sequence with the weight 0


def test_cross_entropy_of_one_path_is_its_negative_log_likelihood(
    crf, tags, emissions, rng
):
    gold = some_gold(tags, rng, 0.0)
    transitions = np.zeros((len(LENGTHS), len(tags), len(tags)))
    start = 0
    for i, n in enumerate(LENGTHS):
        for pair in pairwise(gold[start : start + n].argmax(axis=1)):
            transitions[i][pair] += 1
        start += n
    targets = SoftPaths(gold.astype("float64"), transitions)
    soft = crf_cross_entropy(crf, emissions, targets, tags.constraints)
    hard = crf_loss(crf, emissions, gold, tags.constraints)
    assert soft[0] == pytest.approx(hard[0])
    np.testing.assert_allclose(soft[1], hard[1], atol=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_weights(crf, tags, emissions, rng, missing):
    """The loss is the weighted sum of those of the sequences."""
    gold = some_gold(tags, rng, missing)
    weights = np.array(WEIGHTS)
    rows = np.split(np.arange(sum(LENGTHS)), np.cumsum(LENGTHS)[:-1])

    def alone(compute):
        parts = [
            compute(Ragged(emissions.dataXd[r], np.array([len(r)])), gold[r])
            for r in rows
            if len(r)
        ]
        used = [w for w, n in zip(WEIGHTS, LENGTHS, strict=True) if n]
        loss = sum(w * part[0] for w, part in zip(used, parts, strict=True))
        gradients = [w * part[1] for w, part in zip(used, parts, strict=True)]
        return loss, np.concatenate(gradients)

    losses = (
        lambda X, gold, *w: crf_loss(crf, X, gold, tags.constraints, *w),
        softmax_loss,
        lambda X, gold, *w: softmax_cross_entropy(
            X, gold / gold.sum(axis=1, keepdims=True), *w
        ),
    )
    for compute in losses:
        loss, gradient = compute(emissions, gold, weights)
        expected_loss, expected_gradient = alone(compute)
        assert loss == pytest.approx(expected_loss)
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-9)


def test_cross_entropy_of_tags_scored_one_by_one(tags, emissions, rng):
    targets = rng.dirichlet(np.ones(len(tags)), size=len(emissions.dataXd))

    def again():
        return softmax_cross_entropy(emissions, targets)[0]

    loss, d_emissions = softmax_cross_entropy(emissions, targets)
    probabilities = np.exp(emissions.dataXd)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-(targets * np.log(probabilities)).sum())
    expected = numeric_gradient(again, emissions.dataXd)
    np.testing.assert_allclose(d_emissions, expected, rtol=1e-6, atol=1e-8)


def test_what_is_not_learned_has_no_gradient(tags, emissions, rng):
    crf = CRF(len(tags), learned=False).initialize()
    crf_loss(crf, emissions, some_gold(tags, rng, 0.0), tags.constraints)
    assert not any(crf.has_grad(name) for name in crf.param_names)


def path_log_probs(crf, tags, rows):
    scores = np.array([score(crf, rows, path) for path in legal_paths(tags, len(rows))])
    return scores - np.log(np.exp(scores).sum())


@pytest.mark.parametrize("new_label", [False, True])
def test_divergence_and_gradients(crf, tags, emissions, rng, new_label):
    old_tags = TagSet(tags.labels, tags.scheme)
    old_crf, old_emissions = crf, emissions
    if new_label:
        tags = TagSet([*tags.labels, "NEW"], tags.scheme)
    n_old, n = len(old_tags), len(tags)
    crf = to_float64(CRF(n).initialize())
    for name in crf.param_names:
        crf.set_param(name, rng.standard_normal(crf.get_param(name).shape))
    data = rng.standard_normal((sum(LENGTHS), n))
    batch = Ragged(data, emissions.lengths)

    def again():
        total, start = 0.0, 0
        for size in LENGTHS:
            rows = slice(start, start + size)
            start += size
            if size:
                old = path_log_probs(old_crf, old_tags, old_emissions.dataXd[rows])
                # The paths of the old tags only.
                new = path_log_probs(crf, old_tags, data[rows])
                total += (np.exp(old) * (old - new)).sum()
        return total

    loss, d_data = crf_divergence(crf, batch, old_crf, old_emissions, tags.constraints)
    assert loss == pytest.approx(again(), abs=1e-8) and loss > 0.1
    np.testing.assert_allclose(d_data, numeric_gradient(again, data), atol=1e-8)
    for name in crf.param_names:
        expected = numeric_gradient(again, crf.get_param(name))
        np.testing.assert_allclose(
            crf.get_grad(name), expected, atol=1e-8, err_msg=name
        )
    assert not d_data[:, n_old:].any()


def test_no_divergence_from_itself(crf, tags, emissions):
    loss, d_data = crf_divergence(crf, emissions, crf, emissions, tags.constraints)
    assert loss == pytest.approx(0.0, abs=1e-9)
    assert not d_data.any()


def test_scores_that_are_not_numbers_are_an_error(crf, tags, emissions):
    emissions.dataXd[1, 1] = np.nan
    gold = np.ones((sum(LENGTHS), len(tags)), dtype=bool)
    with pytest.raises(ValueError, match="Non-finite emission scores"):
        crf_loss(crf, emissions, gold, tags.constraints)
    with pytest.raises(ValueError, match="Non-finite emission scores"):
        crf_divergence(crf, emissions, crf, emissions, tags.constraints)


def test_large_scores_and_long_texts_do_not_overflow(tags):
    crf = to_float64(CRF(len(tags)).initialize())
    rows = np.random.default_rng(0).standard_normal((3000, len(tags))) * 200
    gold = np.zeros(rows.shape, dtype=bool)
    gold[:, 0] = True
    lengths = np.array([3000])
    loss, d_rows = crf_loss(crf, Ragged(rows, lengths), gold, tags.constraints)
    assert np.isfinite(loss) and loss > 0
    assert np.isfinite(d_rows).all()


def test_scores_far_apart_keep_their_legal_paths():
    """The best scores may be of tags that no path can reach."""
    tags = TagSet(["A"], "BIO")
    crf = to_float64(CRF(3).initialize())
    rows = np.zeros((2, 3))
    rows[0, tags.names.index("I-A")] = 800
    gold = np.zeros((2, 3), dtype=bool)
    gold[:, 0] = True
    loss, d_rows = crf_loss(crf, Ragged(rows, np.array([2])), gold, tags.constraints)
    # Legal are OO, OB, BO, BI and BB, all with the score 0.
    assert loss == pytest.approx(np.log(5))
    np.testing.assert_allclose(d_rows.sum(axis=1), 0, atol=1e-12)
