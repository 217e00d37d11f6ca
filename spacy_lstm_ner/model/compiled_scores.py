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
from thinc.types import Floats2d

from .. import kernels
from ..layers import compiled_lstm
from ..layers.embed import hash_vectors
from ..layers.packing import pack_on_cpu
from .units import code_points

_EMBEDDINGS = ("hash_char_embed", "lexicon_embed")


def compiled_scores(model: Model, texts: Sequence[str]) -> Floats2d | None:
    """The emission scores of texts, one after the other.

    model: The model of the component.
    texts: B texts with N characters in total.
    RETURNS: (N, T). None: there are no kernels for this model, or no characters.
    """
    layers = _known_layers(model)
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
        if layer.name == "hash_char_embed":
            hash_vectors(native, layer, codes, lengths, X, column)
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
        tok2vec, with_linear, crf = model.layers
        embed, encode = tok2vec.layers
        characters, vectors, to_list = embed.layers
        to_ragged, *encoder, back_to_list = encode.layers
        (output,) = with_linear.layers
    except ValueError:
        return None
    names = (characters, to_list, to_ragged, back_to_list, with_linear, output, crf)
    if tuple(layer.name for layer in names) != (
        "characters",
        "ragged2list",
        "list2ragged",
        "ragged2list",
        "with_array(linear)",
        "linear",
        "crf",
    ):
        return None
    embeddings = vectors.layers if vectors.name == "side_by_side" else [vectors]
    if not all(layer.name in _EMBEDDINGS for layer in embeddings):
        return None
    for layer in encoder:
        # TorchLSTM has the same name.
        run: Any = getattr(layer._func, "args", (None,))[0]
        if layer.name != "lstm" or run is not compiled_lstm.run_layer:
            return None
    return _Layers(embeddings, encoder, output)
