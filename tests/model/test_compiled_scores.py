"""Inference by kernels alone gives what the layers give, and only for known layers."""

from functools import partial

import numpy as np
import pytest
import spacy
from thinc.api import Model, chain, list2ragged, ragged2list
from thinc.layers.chain import init as chain_init

from spacy_lstm_ner.layers import LSTM
from spacy_lstm_ner.model.architectures import (
    build_char_embed,
    build_hash_char_embed,
    build_lstm_encoder,
    build_lstm_stack_encoder,
    build_ner,
    build_rnn_encoder,
)
from spacy_lstm_ner.model.compiled_scores import compiled_scores

from ..helpers.kernels import available, both_forms

TEXTS = ["王芳，女，汉族。", "", "北京", "a\U0001f600" * 30]


def initialized(embed, encode, join=chain):
    model = build_ner(join(embed, encode), nO=5)
    docs = [spacy.blank("zh").make_doc(text) for text in TEXTS]
    model.initialize(X=docs)
    return model, docs


def skip_connection(embed, encode):
    """Not a chain: the vectors are added to what the encoder gives."""

    def forward(model, docs, is_train):
        vectors, _ = embed(docs, is_train)
        encoded, _ = encode(vectors, is_train)
        sums = [x + y for x, y in zip(vectors, encoded, strict=True)]
        return sums, lambda dY: []

    return Model(
        "skip", forward, init=chain_init, layers=[embed, encode], dims={"nO": 48}
    )


def scaled(model, vectors, is_train, *, factor):
    return [factor * array for array in vectors], lambda dY: dY


EMBED = partial(build_hash_char_embed, 16, [100, 100], 0.0)
KNOWN = {
    "default": (EMBED, partial(build_lstm_encoder, 48, 1, True)),
    "depth": (EMBED, partial(build_lstm_encoder, 20, 3, False)),
}
OTHER = {
    "RNN": (EMBED, partial(build_rnn_encoder, 48, 1, True)),
    "stack": (EMBED, partial(build_lstm_stack_encoder, 48, 10, 2, True)),
    "learned": (
        partial(build_char_embed, 8, "learned"),
        partial(build_lstm_encoder, 48, 1, True),
    ),
    "skip connection": (
        EMBED,
        lambda: chain(list2ragged(), LSTM(48, 48), ragged2list()),
        skip_connection,
    ),
    "a layer of others": (
        EMBED,
        lambda: chain(
            Model("list2ragged", partial(scaled, factor=2.0)),
            *build_lstm_encoder(48, 1, True).layers,
        ),
    ),
    "only a layer of others": (
        EMBED,
        lambda: chain(
            list2ragged(),
            Model("lstm", partial(lambda model, X, is_train, *, n: (X, None), n=2)),
            ragged2list(),
        ),
    ),
}


@pytest.mark.parametrize("name", [*KNOWN, *OTHER])
def test_scores_are_those_of_the_layers(name):
    make_embed, make_encode, *join = (KNOWN | OTHER)[name]
    model, docs = initialized(make_embed(), make_encode(), *join)
    found, expected = both_forms(model.predict, docs)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)
    scores = compiled_scores(model, TEXTS)
    assert (scores is not None) == (name in KNOWN and bool(available()))
