"""The fused form of the LSTM against the step of `lstm_cell.py`, in float64."""

import numpy as np
import pytest
from thinc.api import fix_random_seed, get_current_ops

from spacy_lstm_ner.layers import LSTMCell, fused_lstm, unrolled
from spacy_lstm_ner.layers.packing import pack

from ..helpers.gradients import to_float64

BATCHES = {
    "one": [6],
    "ragged": [2, 4, 1, 4],
    "with empty sequences": [0, 3, 0, 1, 0],
    "only single steps": [1, 1, 1],
    "several blocks": [90, 40, 41],
}
FORMS = {"fused": fused_lstm.run_layer, "page": unrolled.run_layer}


def run(form, lengths, directions, is_train):
    """Outputs and all gradients of one form of a layer, by name."""
    fix_random_seed(0)
    cells = [to_float64(LSTMCell(5, 3).initialize()) for _ in range(directions)]
    rng = np.random.default_rng(1)
    X = rng.standard_normal((sum(lengths), 3)) * 2
    dY = rng.standard_normal((sum(lengths), 5 * directions))
    packing = pack(get_current_ops(), np.array(lengths), len(X))
    settings = {"n_states": 2} if form == "page" else {}
    Y, backprop = FORMS[form](cells, X, packing, is_train, **settings)
    if not is_train:
        return {"Y": Y}
    gradients = {
        f"{name} {k}": cell for k, cell in enumerate(cells) for name in cell.param_names
    }
    return {"Y": Y, "dX": backprop(dY)} | {
        key: cell.get_grad(key.split()[0]) for key, cell in gradients.items()
    }


@pytest.mark.parametrize("is_train", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_fused_form_computes_what_the_page_does(lengths, directions, is_train):
    fused, page = (run(form, lengths, directions, is_train) for form in FORMS)
    assert fused.keys() == page.keys()
    for name, expected in page.items():
        np.testing.assert_allclose(
            fused[name], expected, rtol=0, atol=1e-12, err_msg=name
        )
