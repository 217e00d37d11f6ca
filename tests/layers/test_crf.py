"""The CRF against brute force: every path written out."""

from collections import Counter
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.crf import (
    best_paths,
    best_paths_without,
    crf_divergence,
    crf_loss,
    n_best_paths,
    path_scores,
    softmax_loss,
    stretch_probabilities,
)
from spacy_lstm_ner.pipeline.incorrect_spans import exclude_spans
from spacy_lstm_ner.tags import TagSet, spans_from_tags

from .gradients import numeric_gradient, to_float64

TAGS = TagSet(["A", "B"], "BIO"), TagSet(["A"], "BIOES")
IDS = ["BIO", "BIOES"]
LENGTHS = [3, 0, 1, 4, 2]


@pytest.fixture(params=TAGS, ids=IDS)
def tags(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def crf(tags, rng):
    layer = to_float64(CRF(len(tags)).initialize())
    for name in layer.param_names:
        layer.set_param(name, rng.standard_normal(layer.get_param(name).shape))
    return layer


@pytest.fixture
def emissions(tags, rng):
    rows = rng.standard_normal((sum(LENGTHS), len(tags))) * 2
    return Ragged(rows, np.array(LENGTHS, dtype="int32"))


@cache
def legal_paths(tags, n):
    """All legal paths, told from the tag names alone."""
    return list(_legal_paths(tags, n))


def _legal_paths(tags, n):

    def fits(before, tag):
        before_inside = before[0] in "BI"
        if tag[0] in "IE":
            return before_inside and before[2:] == tag[2:]
        return not (before_inside and tags.scheme == "BIOES")

    for path in product(range(len(tags)), repeat=n):
        names = ["O", *(tags.names[tag] for tag in path), "O"]
        if all(fits(a, b) for a, b in pairwise(names)):
            yield path


def score(crf, rows, path):
    starts, transitions, ends = (
        crf.get_param(name) for name in ("starts", "transitions", "ends")
    )
    total = starts[path[0]] + ends[path[-1]]
    total += sum(row[tag] for row, tag in zip(rows, path, strict=True))
    return total + sum(transitions[a, b] for a, b in pairwise(path))


@cache
def spans_of(tags, path, first=0):
    """The entities of a path, which begins at a certain row."""
    names = [tags.names[tag] for tag in path]
    spans, problems = spans_from_tags(names, tags.scheme)
    assert not problems
    return {(first + start, first + end, label) for start, end, label in spans}


def brute_force_loss(crf, tags, emissions, gold, wrong=()):
    total, start = 0.0, 0
    for n in LENGTHS:
        rows, allowed = (array[start : start + n] for array in (emissions, gold))
        start += n
        if n:
            paths = legal_paths(tags, n)
            scores = np.array([score(crf, rows, path) for path in paths])
            agrees = [
                all(allowed[range(n), path])
                and not spans_of(tags, path, start - n).intersection(wrong)
                for path in paths
            ]
            total += np.log(np.exp(scores).sum()) - np.log(np.exp(scores[agrees]).sum())
    return total


def some_gold(tags, rng, missing):
    """A random legal path for each sequence, and some units without annotation."""
    gold = np.zeros((sum(LENGTHS), len(tags)), dtype=bool)
    start = 0
    for n in LENGTHS:
        if n:
            paths = legal_paths(tags, n)
            gold[range(start, start + n), paths[rng.integers(len(paths))]] = True
        start += n
    gold[rng.random(len(gold)) < missing] = True
    return gold


@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
def test_loss_and_gradients(crf, tags, emissions, rng, missing):
    gold = some_gold(tags, rng, missing)
    data = emissions.dataXd
    loss, d_emissions = crf_loss(crf, emissions, gold, tags.rules)
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
    loss, d_emissions = crf_loss(crf, emissions, annotation, tags.rules)

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
    loss, d_rows = crf_loss(crf, batch, annotation, tags.rules)
    # The best of the others has one unit of the wrong one less in BIO, two in BIOES.
    assert loss == pytest.approx({"BIO": 100, "BIOES": 200}[tags.scheme], abs=5)
    assert np.abs(d_rows).max() > 0.2 and np.isfinite(d_rows).all()


def test_best_paths(crf, tags, emissions):
    path = best_paths(crf, emissions, tags.rules).tolist()
    start = 0
    for n in LENGTHS:
        if n:
            rows = emissions.dataXd[start : start + n]
            best = max(legal_paths(tags, n), key=lambda p: score(crf, rows, p))
            assert path[start : start + n] == list(best)
        start += n


@pytest.mark.parametrize("n", [1, 4, 50])
def test_n_best_paths(crf, tags, emissions, n):
    paths, log_probs = n_best_paths(crf, emissions, tags.rules, n)
    assert (paths[0] == best_paths(crf, emissions, tags.rules)).all()
    start = 0
    for size, found in zip(LENGTHS, log_probs, strict=True):
        legal = legal_paths(tags, size)
        rows = emissions.dataXd[start : start + size]
        scores = np.array([score(crf, rows, p) if size else 0.0 for p in legal])
        scores -= np.log(np.exp(scores).sum())
        best = np.argsort(-scores)[:n]
        k = len(best)
        assert np.isneginf(found[k:]).all()
        np.testing.assert_allclose(found[:k], scores[best], atol=1e-10)
        actual = paths[:k, start : start + size].tolist()
        assert actual == [list(legal[i]) for i in best]
        start += size


def test_n_best_paths_of_nothing_but_ties_differ(tags):
    """Scores that are all the same leave the choice, not the number."""
    crf = CRF(len(tags)).initialize()
    batch = Ragged(np.zeros((3, len(tags)), dtype="float32"), np.array([3]))
    n = len(legal_paths(tags, 3))
    paths, log_probs = n_best_paths(crf, batch, tags.rules, n + 1)
    assert {tuple(path) for path in paths[:n].tolist()} == set(legal_paths(tags, 3))
    np.testing.assert_allclose(np.exp(log_probs), [[1 / n] * n + [0]], atol=1e-12)


def test_first_tag_of_the_best_path_is_legal(tags):
    """However much the scores want an entity to go on that never began."""
    crf = CRF(len(tags)).initialize()
    wish = np.zeros((1, len(tags)), dtype="float32")
    wish[0, tags.names.index("I-A")] = 100
    path = best_paths(crf, Ragged(wish, np.array([1])), tags.rules)
    assert tags.names[path[0]] in ("O", "B-A", "S-A")


def test_units_can_be_ruled_out(crf, tags, emissions):
    emissions.dataXd[:2, 1:] = -np.inf
    path = best_paths(crf, emissions, tags.rules)
    assert path[:2].tolist() == [0, 0]


# Divergence from an older layer


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


def test_what_is_not_learned_has_no_gradient(tags, emissions, rng):
    crf = CRF(len(tags), learned=False).initialize()
    crf_loss(crf, emissions, some_gold(tags, rng, 0.0), tags.rules)
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

    loss, d_data = crf_divergence(crf, batch, old_crf, old_emissions, tags.rules)
    assert loss == pytest.approx(again(), abs=1e-8) and loss > 0.1
    np.testing.assert_allclose(d_data, numeric_gradient(again, data), atol=1e-8)
    for name in crf.param_names:
        expected = numeric_gradient(again, crf.get_param(name))
        np.testing.assert_allclose(
            crf.get_grad(name), expected, atol=1e-8, err_msg=name
        )
    assert not d_data[:, n_old:].any()


def test_no_divergence_from_itself(crf, tags, emissions):
    loss, d_data = crf_divergence(crf, emissions, crf, emissions, tags.rules)
    assert loss == pytest.approx(0.0, abs=1e-9)
    assert not d_data.any()


# Probabilities of entities


def all_spans(tags):
    """Every span of every sequence, in rows of the batch, with every label."""
    ends = np.cumsum(LENGTHS).tolist()
    return [
        (start, end, label)
        for size, stop in zip(LENGTHS, ends, strict=True)
        for start in range(stop - size, stop)
        for end in range(start + 1, stop + 1)
        for label in tags.labels
    ]


def brute_force_spans(crf, tags, emissions):
    """The probability of each entity span: the mass of the paths that have it."""
    mass, first = Counter(), 0
    for n in LENGTHS:
        if n:
            rows = emissions.dataXd[first : first + n]
            paths = legal_paths(tags, n)
            weights = np.exp([score(crf, rows, path) for path in paths])
            for path, p in zip(paths, weights / weights.sum(), strict=True):
                mass.update(dict.fromkeys(spans_of(tags, path, first), p))
        first += n
    return mass


@pytest.mark.parametrize("learned", [True, False], ids=["crf", "no crf"])
def test_probability_of_entities(crf, tags, emissions, learned):
    if not learned:
        crf.initialize()
    spans = all_spans(tags)
    expected = brute_force_spans(crf, tags, emissions)
    actual = stretch_probabilities(crf, emissions, tags.rules, tags.stretches(spans))
    np.testing.assert_allclose(actual, [expected[span] for span in spans], atol=1e-8)
    assert len(expected) == len(spans)
    # In any order, and whatever else is asked for.
    few = spans[::-3]
    again = stretch_probabilities(crf, emissions, tags.rules, tags.stretches(few))
    np.testing.assert_allclose(again, actual[::-3], rtol=1e-10)


def test_probability_of_entities_with_units_ruled_out(crf, tags, emissions):
    emissions.dataXd[1, 1:] = -np.inf
    spans = all_spans(tags)
    expected = brute_force_spans(crf, tags, emissions)
    actual = stretch_probabilities(crf, emissions, tags.rules, tags.stretches(spans))
    np.testing.assert_allclose(actual, [expected[span] for span in spans], atol=1e-8)
    assert all(actual[i] == 0 for i, (s, e, _) in enumerate(spans) if s <= 1 < e)


def test_probability_of_what_is_certain_or_impossible(tags):
    """Scores far apart neither overflow nor make more than 1 of it."""
    crf = to_float64(CRF(len(tags)).initialize())
    n = 400
    spans = [(5, 350, "A"), (0, 1, "A"), (399, 400, "A")]
    rows = np.zeros((n, len(tags)))
    rows[range(n), tags.ids_from_spans(spans[:2], n)] = 500
    batch = Ragged(rows, np.array([n]))
    actual = stretch_probabilities(crf, batch, tags.rules, tags.stretches(spans))
    np.testing.assert_allclose(actual, [1, 1, 0], atol=1e-12)


def test_no_probability_is_asked_for(crf, tags, emissions):
    asked = tags.stretches([])
    assert len(stretch_probabilities(crf, emissions, tags.rules, asked)) == 0


def test_no_legal_path_is_an_error(crf, tags, emissions):
    emissions.dataXd[0] = -np.inf
    emissions.dataXd[0, tags.names.index("I-A")] = 0
    with pytest.raises(ValueError, match="no legal path"):
        best_paths(crf, emissions, tags.rules)
    gold = np.ones((sum(LENGTHS), len(tags)), dtype=bool)
    gold[0] = emissions.dataXd[0] == 0
    emissions.dataXd[0] = 0
    with pytest.raises(ValueError, match="agrees with the gold annotation"):
        crf_loss(crf, emissions, gold, tags.rules)


def test_scores_that_are_not_numbers_are_an_error(crf, tags, emissions):
    emissions.dataXd[1, 1] = np.nan
    gold = np.ones((sum(LENGTHS), len(tags)), dtype=bool)
    with pytest.raises(ValueError, match="not finite"):
        crf_loss(crf, emissions, gold, tags.rules)
    with pytest.raises(ValueError, match="not finite"):
        crf_divergence(crf, emissions, crf, emissions, tags.rules)


def test_large_scores_and_long_texts_do_not_overflow(tags):
    crf = to_float64(CRF(len(tags)).initialize())
    rows = np.random.default_rng(0).standard_normal((3000, len(tags))) * 200
    gold = np.zeros(rows.shape, dtype=bool)
    gold[:, 0] = True
    lengths = np.array([3000])
    loss, d_rows = crf_loss(crf, Ragged(rows, lengths), gold, tags.rules)
    assert np.isfinite(loss) and loss > 0
    assert np.isfinite(d_rows).all()


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_nothing(crf, tags, lengths):
    batch = Ragged(np.zeros((0, len(tags))), np.array(lengths, dtype="int32"))
    gold = np.zeros((0, len(tags)), dtype=bool)
    loss, d_rows = crf_loss(crf, batch, gold, tags.rules)
    assert loss == 0.0 and d_rows.shape == (0, len(tags))
    assert len(best_paths(crf, batch, tags.rules)) == 0
    loss, d_rows = crf_divergence(crf, batch, crf, batch, tags.rules)
    assert loss == 0.0 and d_rows.shape == (0, len(tags))
    paths, log_probs = n_best_paths(crf, batch, tags.rules, 2)
    assert paths.shape == (2, 0)
    assert np.exp(log_probs).tolist() == [[1.0, 0.0]] * len(lengths)


def test_scores_far_apart_keep_their_legal_paths():
    """The best scores may be of tags that no path can reach."""
    tags = TagSet(["A"], "BIO")
    crf = to_float64(CRF(3).initialize())
    rows = np.zeros((2, 3))
    rows[0, tags.names.index("I-A")] = 800
    gold = np.zeros((2, 3), dtype=bool)
    gold[:, 0] = True
    loss, d_rows = crf_loss(crf, Ragged(rows, np.array([2])), gold, tags.rules)
    # Legal are OO, OB, BO, BI and BB, all with the score 0.
    assert loss == pytest.approx(np.log(5))
    np.testing.assert_allclose(d_rows.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_the_best_path_without_a_stretch(scheme):
    """Against all legal paths, one by one."""
    tags = TagSet(["A", "B"], scheme)
    random = np.random.default_rng(0)
    n = 4
    scores = random.normal(size=(n, len(tags))).astype("float32")
    crf = CRF(len(tags)).initialize()
    for name in crf.param_names:
        shape = crf.get_param(name).shape
        crf.set_param(name, random.normal(size=shape).astype("float32"))
    emissions = Ragged(scores, np.array([n]))
    legal = [
        np.array(path)
        for path in product(range(len(tags)), repeat=n)
        if tags.rules.starts[path[0]]
        and tags.rules.ends[path[-1]]
        and all(tags.rules.transitions[i, j] for i, j in pairwise(path))
    ]
    by_score = {
        tuple(path): float(path_scores(crf, emissions, path)[0]) for path in legal
    }
    asked = [(0, 1, "A"), (1, 3, "B"), (2, 4, "A"), (3, 4, "B"), (0, 4, "A")]
    paths, found = best_paths_without(crf, emissions, tags.rules, tags.stretches(asked))
    for span, path, score in zip(asked, paths, found, strict=True):
        without = [p for p in by_score if span not in tags.spans_from_ids(np.array(p))]
        best = max(without, key=by_score.__getitem__)
        assert tuple(path) == best
        assert score == pytest.approx(by_score[best], abs=1e-5)
    # The scores are those whose exponentials sum up to Z.
    (log_z,) = n_best_paths(crf, emissions, tags.rules, 1)[1][0]
    best = max(by_score.values())
    total = np.logaddexp.reduce(list(by_score.values()))
    assert log_z == pytest.approx(best - total, abs=1e-5)


def test_there_may_be_no_path_without_a_stretch():
    tags = TagSet(["A"], "BIOES")
    scores = np.full((2, len(tags)), -np.inf, dtype="float32")
    scores[[0, 1], [1, 3]] = 0.0  # B-A, E-A and nothing else
    crf = CRF(len(tags)).initialize()
    emissions = Ragged(scores, np.array([2]))
    _, found = best_paths_without(
        crf, emissions, tags.rules, tags.stretches([(0, 2, "A")])
    )
    assert np.isneginf(found).all()


def test_scores_of_several_sequences_are_those_of_each():
    random = np.random.default_rng(1)
    tags = TagSet(["A"])
    crf = CRF(len(tags)).initialize()
    for name in crf.param_names:
        shape = crf.get_param(name).shape
        crf.set_param(name, random.normal(size=shape).astype("float32"))
    lengths = [3, 1, 2]
    data = random.normal(size=(6, len(tags)))
    paths = random.integers(0, len(tags), 6)
    together = path_scores(crf, Ragged(data, np.array(lengths)), paths)
    start = 0
    for length, score in zip(lengths, together, strict=True):
        rows = slice(start, start + length)
        alone = Ragged(data[rows], np.array([length]))
        assert score == pytest.approx(path_scores(crf, alone, paths[rows])[0])
        start += length
