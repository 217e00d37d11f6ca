"""What the recurrent layers share: ragged batches, directions, depth, dropout."""

import numpy as np
import pytest
from thinc.api import fix_random_seed, get_current_ops, set_dropout_rate, with_ragged
from thinc.types import Ragged

from spacy_lstm_ner.layers import LSTM, RNN

from ..helpers.batches import batch
from ..helpers.gradients import check_gradients, to_float64

BATCHES = {
    "one": [4],
    "ragged": [2, 4, 1, 4],
    "with empty ones": [0, 3, 0, 1, 0],
    "only single steps": [1, 1, 1],
}


@pytest.fixture(params=[LSTM, RNN], ids=["LSTM", "RNN"])
def layer(request):
    """The constructor of a recurrent layer."""
    return request.param


@pytest.fixture
def make(layer):
    def make(nO=4, nI=3, **settings):
        fix_random_seed(0)
        return layer(nO, nI, **settings).initialize()

    return make


@pytest.mark.parametrize("bi", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_gradients_against_finite_differences(make, bi, depth, lengths):
    model = to_float64(make(bi=bi, depth=depth))
    X = np.random.default_rng(3).standard_normal((sum(lengths), 3))
    # A single step has none before it to come from.
    unused = ["Wh"] if max(lengths) == 1 else []
    check_gradients(model, X, lengths, unused=unused)


@pytest.mark.parametrize("bi", [False, True])
@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_batches_with_nothing_in_them(make, bi, lengths):
    model = make(bi=bi, depth=2)
    Y, backprop = model(batch(lengths), is_train=True)
    assert Y.dataXd.shape == (0, 4)
    assert Y.lengths.tolist() == lengths
    assert backprop(Y).dataXd.shape == (0, 3)


@pytest.mark.parametrize("bi", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_sequence_is_the_same_alone_and_in_any_batch(make, bi, depth):
    model = make(bi=bi, depth=depth)
    lengths = [3, 7, 1, 5, 7]
    whole = batch(lengths)
    together = model.predict(whole)
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [1], [2, 3]):
        part = whole[np.array(order)]
        expected = together[np.array(order)].dataXd
        np.testing.assert_allclose(model.predict(part).dataXd, expected, atol=1e-6)


def test_directions_see_what_they_should(make):
    """Forwards, a step depends on what stands before it; backwards, on what follows."""
    model = make(nO=4, bi=True)
    X = batch([6])
    changed = Ragged(X.dataXd.copy(), X.lengths)
    changed.dataXd[2] += 1
    differs = model.predict(X).dataXd != model.predict(changed).dataXd
    assert differs[:, :2].any(axis=1).tolist() == [False] * 2 + [True] * 4
    assert differs[:, 2:].any(axis=1).tolist() == [True] * 3 + [False] * 3


def test_backprop_can_be_called_again(make):
    model = make(bi=True)
    Y, backprop = model(batch([3, 2]), is_train=True)
    np.testing.assert_array_equal(backprop(Y).dataXd, backprop(Y).dataXd)


def test_gradients_add_up_until_the_update(make):
    once, twice = make(bi=True), make(bi=True)
    for model, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            Y, backprop = model(batch([3, 2]), is_train=True)
            backprop(Y)
    for a, b in zip(once.layers, twice.layers, strict=True):
        for name in a.param_names:
            np.testing.assert_allclose(2 * a.get_grad(name), b.get_grad(name), 1e-5)


def test_odd_width_in_both_directions_is_refused(layer):
    with pytest.raises(ValueError, match=r"nO has to be even, not 5 \(try 6\)"):
        layer(nO=5, nI=3, bi=True)
    with pytest.raises(ValueError, match="nO has to be even, not 5"):
        layer(bi=True).initialize(X=batch([2]), Y=batch([2], width=5))
    layer(nO=5, nI=3).initialize()


def test_depth_below_one_is_refused(layer):
    with pytest.raises(ValueError, match="the depth has to be at least 1, not 0"):
        layer(nO=4, nI=3, depth=0)


def test_sizes_are_taken_from_the_sample(layer):
    model = layer(bi=True, depth=2).initialize(X=batch([2]), Y=batch([2], width=6))
    sizes = [(cell.get_dim("nI"), cell.get_dim("nO")) for cell in model.layers]
    assert sizes == [(3, 3), (3, 3), (6, 3), (6, 3)]


def test_dropout_uses_one_mask_a_sequence(make):
    model = make(nO=200, nI=3, dropout=0.5)
    Y, _ = model(batch([4, 4]), is_train=True)
    dropped = (Y.dataXd == 0).reshape(2, 4, 200)
    assert (dropped == dropped[:, :1]).all(), "the same units at all steps"
    assert (dropped[0, 0] != dropped[1, 0]).any(), "others in another sequence"
    assert 0.3 < dropped[:, 0].mean() < 0.7


def test_dropout_rate_of_update_reaches_the_layer(make):
    model = make(nO=50)
    set_dropout_rate(model, 0.5)
    Y, _ = model(batch([4]), is_train=True)
    assert (Y.dataXd == 0).any()
    assert not (model.predict(batch([4])).dataXd == 0).any()
    set_dropout_rate(model, 0.0)
    Y, _ = model(batch([4]), is_train=True)
    assert not (Y.dataXd == 0).any()


@pytest.mark.parametrize("bi", [False, True])
def test_gradients_with_dropout(make, bi):
    """With the masks held still, gradients pass through them."""
    model = to_float64(make(bi=bi, depth=2, dropout=0.4))
    X = batch([3, 2], dtype="float64")

    def run(array):
        np.random.seed(7)
        return model(Ragged(array, X.lengths), is_train=True)

    Y, backprop = run(X.dataXd)
    dX = backprop(Ragged(np.ones_like(Y.dataXd), X.lengths)).dataXd
    for index in np.ndindex(dX.shape):
        step = np.zeros_like(dX)
        step[index] = 1e-5
        above, below = run(X.dataXd + step)[0], run(X.dataXd - step)[0]
        slope = (above.dataXd.sum() - below.dataXd.sum()) / 2e-5
        assert dX[index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_bytes_bring_back_the_layer(make, layer):
    model = make(bi=True, depth=2)
    loaded = layer(bi=True, depth=2).from_bytes(model.to_bytes())
    X = batch([3, 2])
    np.testing.assert_array_equal(model.predict(X).dataXd, loaded.predict(X).dataXd)


def test_lists_and_padded_batches(make):
    model = make(bi=True)
    lists = [batch([n], seed=n).dataXd for n in (3, 1, 2)]
    ops = get_current_ops()
    from_lists = with_ragged(model).predict(lists)
    padded = with_ragged(model).predict(ops.list2padded(lists))
    for a, b, x in zip(from_lists, ops.padded2list(padded), lists, strict=True):
        assert a.shape == (len(x), 4)
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"nO": 0}, "at least 1, not nO=0, nI=3"),
        ({"nI": -2}, "at least 1, not nO=4, nI=-2"),
        ({"dropout": 1.0}, "below 1, not 1.0"),
    ],
)
def test_settings_that_there_cannot_be(layer, settings, says):
    with pytest.raises(ValueError, match=says):
        layer(**{"nO": 4, "nI": 3, **settings})


def test_input_of_another_width_is_named(make):
    with pytest.raises(ValueError, match="the input has a width of 5, expected 3"):
        make().predict(batch([2], width=5))


@pytest.mark.parametrize("lengths", [[3, 1], [3, 3]])
def test_lengths_that_do_not_fit_are_named(make, lengths):
    X = batch([5]).dataXd
    with pytest.raises(ValueError, match=r"sum to .*, but there are 5 rows"):
        make().predict(Ragged(X, np.array(lengths, dtype="int32")))


def test_integers_are_taken_for_numbers(make):
    model = make()
    X = np.eye(3, dtype="int64")
    lengths = np.array([3], dtype="int32")
    whole, real = (
        model.predict(Ragged(X, lengths)),
        model.predict(Ragged(X.astype("float32"), lengths)),
    )
    np.testing.assert_array_equal(whole.dataXd, real.dataXd)
