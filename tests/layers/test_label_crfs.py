"""Several CRFs over one emission, against brute force and against single CRFs."""

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF, LabelCRFs
from spacy_lstm_ner.layers.crf_loss import crf_loss
from spacy_lstm_ner.layers.label_crfs import crfs_of
from spacy_lstm_ner.layers.marginals import segment_marginals
from spacy_lstm_ner.layers.viterbi import best_paths

from ..helpers.brute_force import (
    LENGTHS,
    all_spans,
    brute_force_loss,
    legal_paths,
    score,
    some_gold,
    spans_of,
)
from ..helpers.gradients import numeric_gradient, to_float64

N_CRFS = 3


@pytest.fixture
def layer(tags, rng):
    model = to_float64(LabelCRFs(N_CRFS, len(tags)).initialize())
    for name in model.param_names:
        model.set_param(name, rng.standard_normal(model.get_param(name).shape))
    return model


@pytest.fixture
def data(tags, rng):
    return rng.standard_normal((sum(LENGTHS), N_CRFS * len(tags))) * 2


def test_each_is_searched_on_its_own_columns(layer, tags, data):
    for crf in crfs_of(layer):
        emissions = crf.emissions(data, np.array(LENGTHS))
        path = best_paths(crf, emissions, tags.constraints).tolist()
        spans = all_spans(tags)
        found = segment_marginals(
            crf, emissions, tags.constraints, tags.segments(spans)
        )
        start = 0
        expected = dict.fromkeys(spans, 0.0)
        for n in LENGTHS:
            if n:
                rows = emissions.dataXd[start : start + n]
                paths = legal_paths(tags, n)
                scores = np.array([score(crf, rows, p) for p in paths])
                assert path[start : start + n] == list(paths[scores.argmax()])
                shares = np.exp(scores - np.logaddexp.reduce(scores))
                for p, share in zip(paths, shares, strict=True):
                    for span in spans_of(tags, p, start):
                        expected[span] += share
            start += n
        np.testing.assert_allclose(found, [expected[span] for span in spans], atol=1e-9)


def test_losses_and_gradients(layer, tags, data, rng):
    golds = [some_gold(tags, rng, missing) for missing in (0.0, 0.4, 1.0)]
    crfs = crfs_of(layer)

    def brute_force():
        return sum(
            brute_force_loss(crf, tags, data[:, crf.columns], gold)
            for crf, gold in zip(crfs, golds, strict=True)
        )

    total, d_data = 0.0, np.zeros_like(data)
    for crf, gold in zip(crfs, golds, strict=True):
        emissions = crf.emissions(data, np.array(LENGTHS))
        loss, d_emissions = crf_loss(crf, emissions, gold, tags.constraints)
        total += loss
        d_data[:, crf.columns] += d_emissions
    assert total == pytest.approx(brute_force(), abs=1e-8)
    np.testing.assert_allclose(d_data, numeric_gradient(brute_force, data), atol=1e-8)
    for name in layer.param_names:
        expected = numeric_gradient(brute_force, layer.get_param(name))
        np.testing.assert_allclose(
            layer.get_grad(name), expected, atol=1e-8, err_msg=name
        )


def test_one_of_one_is_a_crf_to_the_last_digit(tags, emissions, rng):
    flat, layer = CRF(len(tags)).initialize(), LabelCRFs(1, len(tags)).initialize()
    for name in flat.param_names:
        values = rng.standard_normal(flat.get_param(name).shape).astype("float32")
        flat.set_param(name, values)
        layer.set_param(name, values[None].copy())
    (one,) = crfs_of(layer)
    gold = some_gold(tags, rng, 0.3)
    expected = crf_loss(flat, emissions, gold, tags.constraints)
    found = crf_loss(one, emissions, gold, tags.constraints)
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])
    for name in flat.param_names:
        np.testing.assert_array_equal(layer.get_grad(name)[0], flat.get_grad(name))
    np.testing.assert_array_equal(
        best_paths(one, emissions, tags.constraints),
        best_paths(flat, emissions, tags.constraints),
    )
    segments = tags.segments(all_spans(tags))
    np.testing.assert_array_equal(
        segment_marginals(one, emissions, tags.constraints, segments),
        segment_marginals(flat, emissions, tags.constraints, segments),
    )


def test_sizes_from_a_sample(tags):
    layer = LabelCRFs(nT=len(tags))
    layer.initialize(Y=[np.zeros((2, 4 * len(tags)), dtype="float32")])
    assert layer.get_dim("nC") == 4
    assert layer.get_param("transitions").shape == (4, len(tags), len(tags))
    layer = LabelCRFs(nT=len(tags))
    with pytest.raises(ValueError, match="no multiple of"):
        layer.initialize(Y=[np.zeros((2, 4 * len(tags) + 1), dtype="float32")])


def test_what_is_not_learned_has_no_gradient(tags, emissions, rng):
    layer = LabelCRFs(1, len(tags), learned=False).initialize()
    gold = some_gold(tags, rng, 0.0)
    crf_loss(crfs_of(layer)[0], emissions, gold, tags.constraints)
    assert not any(layer.has_grad(name) for name in layer.param_names)


def test_emissions_pass_through(tags, data):
    layer = LabelCRFs(N_CRFS, len(tags)).initialize()
    batch = Ragged(data, np.array(LENGTHS))
    scores, backprop = layer(batch, is_train=True)
    assert scores is batch and backprop(batch) is batch
