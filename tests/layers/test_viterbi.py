"""The best paths of the CRF, against brute force."""

from itertools import pairwise, product

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.viterbi import (
    best_paths,
    best_paths_without_segments,
    n_best_paths,
    path_scores,
)
from spacy_lstm_ner.tags import TagSet

from ..helpers.brute_force import LENGTHS, legal_paths, score


def test_best_paths(crf, tags, emissions):
    path = best_paths(crf, emissions, tags.constraints).tolist()
    start = 0
    for n in LENGTHS:
        if n:
            rows = emissions.dataXd[start : start + n]
            best = max(legal_paths(tags, n), key=lambda p: score(crf, rows, p))
            assert path[start : start + n] == list(best)
        start += n


@pytest.mark.parametrize("n", [1, 4, 50])
def test_n_best_paths(crf, tags, emissions, n):
    paths, log_probs = n_best_paths(crf, emissions, tags.constraints, n)
    assert (paths[0] == best_paths(crf, emissions, tags.constraints)).all()
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
    paths, log_probs = n_best_paths(crf, batch, tags.constraints, n + 1)
    assert {tuple(path) for path in paths[:n].tolist()} == set(legal_paths(tags, 3))
    np.testing.assert_allclose(np.exp(log_probs), [[1 / n] * n + [0]], atol=1e-12)


def test_first_tag_of_the_best_path_is_legal(tags):
    """However much the scores want an entity to go on that never began."""
    crf = CRF(len(tags)).initialize()
    wish = np.zeros((1, len(tags)), dtype="float32")
    wish[0, tags.names.index("I-A")] = 100
    path = best_paths(crf, Ragged(wish, np.array([1])), tags.constraints)
    assert tags.names[path[0]] in ("O", "B-A", "S-A")


def test_units_can_be_ruled_out(crf, tags, emissions):
    emissions.dataXd[:2, 1:] = -np.inf
    path = best_paths(crf, emissions, tags.constraints)
    assert path[:2].tolist() == [0, 0]


def test_tags_that_are_not_allowed(crf, tags, emissions, rng):
    """The mask of a constrained search, for all sequences at once."""
    allowed = rng.random(emissions.dataXd.shape) < 0.6
    allowed[:, 0] = True  # so that there is a path
    path = best_paths(crf, emissions, tags.constraints, allowed=allowed).tolist()
    start = 0
    for n in LENGTHS:
        rows = slice(start, start + n)
        start += n
        if n:
            legal = [
                p for p in legal_paths(tags, n) if allowed[rows][range(n), p].all()
            ]
            best = max(legal, key=lambda p: score(crf, emissions.dataXd[rows], p))
            assert path[rows] == list(best)
    allowed[0] = False
    with pytest.raises(ValueError, match="no legal path"):
        best_paths(crf, emissions, tags.constraints, allowed=allowed)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_the_best_path_without_a_segment(scheme):
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
        if tags.constraints.starts[path[0]]
        and tags.constraints.ends[path[-1]]
        and all(tags.constraints.transitions[i, j] for i, j in pairwise(path))
    ]
    by_score = {
        tuple(path): float(path_scores(crf, emissions, path)[0]) for path in legal
    }
    asked = [(0, 1, "A"), (1, 3, "B"), (2, 4, "A"), (3, 4, "B"), (0, 4, "A")]
    paths, found = best_paths_without_segments(
        crf, emissions, tags.constraints, tags.segments(asked)
    )
    for span, path, found_score in zip(asked, paths, found, strict=True):
        without = [p for p in by_score if span not in tags.spans_from_ids(np.array(p))]
        best = max(without, key=by_score.__getitem__)
        assert tuple(path) == best
        assert found_score == pytest.approx(by_score[best], abs=1e-5)
    # The scores are those whose exponentials sum up to Z.
    (log_z,) = n_best_paths(crf, emissions, tags.constraints, 1)[1][0]
    best = max(by_score.values())
    total = np.logaddexp.reduce(list(by_score.values()))
    assert log_z == pytest.approx(best - total, abs=1e-5)


def test_there_may_be_no_path_without_a_segment():
    tags = TagSet(["A"], "BIOES")
    scores = np.full((2, len(tags)), -np.inf, dtype="float32")
    scores[[0, 1], [1, 3]] = 0.0  # B-A, E-A and nothing else
    crf = CRF(len(tags)).initialize()
    emissions = Ragged(scores, np.array([2]))
    _, found = best_paths_without_segments(
        crf, emissions, tags.constraints, tags.segments([(0, 2, "A")])
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
    for length, one_score in zip(lengths, together, strict=True):
        rows = slice(start, start + length)
        alone = Ragged(data[rows], np.array([length]))
        assert one_score == pytest.approx(path_scores(crf, alone, paths[rows])[0])
        start += length
