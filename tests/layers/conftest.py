"""A CRF with random scores, and a batch, for the tests of all that computes with it."""

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF

from ..helpers.brute_force import IDS, LENGTHS, TAGS
from ..helpers.gradients import to_float64


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
