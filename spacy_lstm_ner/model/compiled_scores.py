"""The emission scores of texts, without the layers around the kernels.

In inference, the layers of a model of characters are kernels that take a few
microseconds each for a short text, less than Thinc needs to pass its data from one
layer to the next. So the kernels are called one after the other, on the arrays of the
layers, if all layers of the model are known. The scores are the same.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from thinc.api import Model
from thinc.layers.chain import forward as chain_forward
from thinc.layers.list2ragged import forward as list2ragged_forward
from thinc.layers.ragged2list import forward as ragged2list_forward
from thinc.layers.with_array import forward as with_array_forward
from thinc.types import Floats2d

from .. import kernels
from ..layers import compiled_lstm
from ..layers.crf import forward as crf_forward
from ..layers.embed import hash_forward, hash_vectors, side_by_side_forward
from ..layers.jieba_tagger import model_features, tagger_forward
from ..layers.lexicon import LexiconForward
from ..layers.linear import forward as linear_forward
from ..layers.packing import pack_on_cpu
from .units import characters_forward, code_points


def compiled_scores(model: Model, texts: Sequence[str]) -> Floats2d | None:
    """The emission scores of texts, one after the other.

    model: The model of the component.
    texts: B texts with N characters in total.
    RETURNS: (N, T). None: there are no kernels for this model, or no characters.
    """
    layers = _known_layers(model) if kernels.kernels() is not None else None
    if layers is None:
        return None
    native = kernels.kernels_for(*layers.params())
    if native is None:
        return None
    codes = code_points(texts)
    lengths = np.array([len(text) for text in texts])
    if not len(codes):
        return None
    width = sum(layer.get_dim("nO") for layer in layers.embeddings)
    X = np.empty((len(codes), width), dtype="float32")
    column = 0
    for layer in layers.embeddings:
        if layer._func is hash_forward:
            hash_vectors(native, layer, codes, lengths, X, column)
        elif layer._func is tagger_forward:
            features = model_features(layer, codes, lengths)
            X[:, column : column + layer.get_dim("nO")] = features @ layer.get_param(
                "E"
            )
        else:
            forward: Any = layer._func  # a LexiconForward
            forward.vectors(native, layer, codes, lengths, X, column)
        column += layer.get_dim("nO")
    packing = pack_on_cpu(lengths, len(codes))
    for lstm in layers.encoder:
        n = 2 if lstm.attrs["bi"] else 1
        for i in range(0, len(lstm.layers), n):
            X, _ = compiled_lstm.run_layer(lstm.layers[i : i + n], X, packing, False)
    W = layers.output.get_param("W")
    Y = np.empty((len(X), len(W)), dtype="float32")
    native.linear(X, W, layers.output.get_param("b"), Y)
    return Y


class _Layers(NamedTuple):
    """The layers that compute something."""

    embeddings: list[Model]
    encoder: list[Model]
    output: Model

    def params(self) -> list[Any]:
        """Their parameters, None before they are initialized, but for those of LSTM
        cells, which are checked when they run."""
        nodes = [self.output]
        for layer in self.embeddings:
            nodes += layer.layers or [layer]
        return [
            node.maybe_get_param(name) for node in nodes for name in node.param_names
        ]


def _known_layers(model: Model) -> _Layers | None:
    """Find the layers of a model. None: it has others than those of the default model,
    an embedding of characters, an encoder of LSTM layers, and the output layer."""
    try:
        tok2vec, with_output, crf = model.layers
        embed, encode = tok2vec.layers
        characters, vectors, to_list = embed.layers
        to_ragged, *encoder, back_to_list = encode.layers
        (output,) = with_output.layers
    except ValueError:
        return None
    # By their functions, since another layer may have any name.
    functions = (
        *((layer, chain_forward) for layer in (tok2vec, embed, encode)),
        *((layer, ragged2list_forward) for layer in (to_list, back_to_list)),
        (to_ragged, list2ragged_forward),
        (characters, characters_forward),
        (with_output, with_array_forward),
        (output, linear_forward),
        (crf, crf_forward),
    )
    if not all(layer._func is function for layer, function in functions):
        return None
    is_joined = vectors._func is side_by_side_forward
    embeddings = vectors.layers if is_joined else [vectors]
    if not all(map(_is_known_embedding, embeddings)):
        return None
    if not all(map(_is_lstm, encoder)):
        return None
    return _Layers(embeddings, encoder, output)


def _is_known_embedding(layer: Model) -> bool:
    is_lexicon = isinstance(layer._func, LexiconForward)
    return is_lexicon or layer._func in (hash_forward, tagger_forward)


def _is_lstm(layer: Model) -> bool:
    """Return whether this is an `LSTM`, and not a `TorchLSTM`, which has its name."""
    args = getattr(layer._func, "args", ())
    return layer.name == "lstm" and args[:1] == (compiled_lstm.run_layer,)
