"""The probabilities of entities, against brute force."""

from collections import Counter

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.marginals import segment_marginals, tag_marginals

from ..helpers.brute_force import LENGTHS, all_spans, legal_paths, score, spans_of
from ..helpers.gradients import to_float64


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
    actual = segment_marginals(crf, emissions, tags.constraints, tags.segments(spans))
    np.testing.assert_allclose(actual, [expected[span] for span in spans], atol=1e-8)
    assert len(expected) == len(spans)
    # In any order, and whatever else is asked for.
    few = spans[::-3]
    again = segment_marginals(crf, emissions, tags.constraints, tags.segments(few))
    np.testing.assert_allclose(again, actual[::-3], rtol=1e-10)


def test_probability_of_entities_with_units_ruled_out(crf, tags, emissions):
    emissions.dataXd[1, 1:] = -np.inf
    spans = all_spans(tags)
    expected = brute_force_spans(crf, tags, emissions)
    actual = segment_marginals(crf, emissions, tags.constraints, tags.segments(spans))
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
    actual = segment_marginals(crf, batch, tags.constraints, tags.segments(spans))
    np.testing.assert_allclose(actual, [1, 1, 0], atol=1e-12)


def test_no_probability_is_asked_for(crf, tags, emissions):
    asked = tags.segments([])
    assert len(segment_marginals(crf, emissions, tags.constraints, asked)) == 0


def test_probability_of_tags(crf, tags, emissions):
    emissions.dataXd[1, 1:] = -np.inf
    temperature = 2.0
    expected = np.zeros(emissions.dataXd.shape)
    expected_log_z, first = [], 0
    for n in LENGTHS:
        rows = emissions.dataXd[first : first + n]
        paths = legal_paths(tags, n) if n else [()]
        scores = [score(crf, rows, path) if n else 0.0 for path in paths]
        weights = np.exp(np.array(scores) / temperature)
        expected_log_z.append(np.log(weights.sum()))
        for path, p in zip(paths, weights / weights.sum(), strict=True):
            expected[range(first, first + n), list(path)] += p
        first += n
    actual, log_z = tag_marginals(
        crf, emissions, tags.constraints, temperature=temperature
    )
    np.testing.assert_allclose(actual, expected, atol=1e-8)
    np.testing.assert_allclose(log_z, expected_log_z, atol=1e-8)


def test_probability_of_tags_of_an_empty_batch(crf, tags):
    empty = Ragged(np.zeros((0, len(tags))), np.array([0, 0]))
    marginals, log_z = tag_marginals(crf, empty, tags.constraints)
    assert marginals.shape == (0, len(tags))
    assert log_z.tolist() == [0, 0]
