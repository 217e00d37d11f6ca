"""What all computations with the CRF have in common: errors and empty batches."""

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers.crf_loss import crf_divergence, crf_loss
from spacy_lstm_ner.layers.viterbi import best_paths, n_best_paths

from ..helpers.brute_force import LENGTHS


def test_no_legal_path_is_an_error(crf, tags, emissions):
    emissions.dataXd[0] = -np.inf
    emissions.dataXd[0, tags.names.index("I-A")] = 0
    with pytest.raises(ValueError, match="no legal path"):
        best_paths(crf, emissions, tags.constraints)
    gold = np.ones((sum(LENGTHS), len(tags)), dtype=bool)
    gold[0] = emissions.dataXd[0] == 0
    emissions.dataXd[0] = 0
    with pytest.raises(ValueError, match="agrees with the gold annotation"):
        crf_loss(crf, emissions, gold, tags.constraints)


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_nothing(crf, tags, lengths):
    batch = Ragged(np.zeros((0, len(tags))), np.array(lengths, dtype="int32"))
    gold = np.zeros((0, len(tags)), dtype=bool)
    loss, d_rows = crf_loss(crf, batch, gold, tags.constraints)
    assert loss == 0.0 and d_rows.shape == (0, len(tags))
    assert len(best_paths(crf, batch, tags.constraints)) == 0
    loss, d_rows = crf_divergence(crf, batch, crf, batch, tags.constraints)
    assert loss == 0.0 and d_rows.shape == (0, len(tags))
    paths, log_probs = n_best_paths(crf, batch, tags.constraints, 2)
    assert paths.shape == (2, 0)
    assert np.exp(log_probs).tolist() == [[1.0, 0.0]] * len(lengths)


@pytest.mark.parametrize("broken", ["starts", "transitions", "ends"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_named(crf, tags, emissions, broken, value):
    crf.get_param(broken)[..., 0] = value
    with pytest.raises(ValueError, match=f"{broken!r} of the CRF has non-finite"):
        best_paths(crf, emissions, tags.constraints)
