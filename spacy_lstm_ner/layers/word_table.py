"""Features of words from a table of clusters and frequencies.

A small training set has few of the words of a language. A table that was computed from
much text says of each word in which contexts it occurs, by its cluster (Brown et al.,
"Class-Based n-gram Models of Natural Language", 1992), and how frequent it is. So words
that do not occur in the training data get vectors like those of similar words, as in
Miller, Guinness & Zamanian (2004); and the frequencies of a word in lower case and
capitalized show whether it is a name, however it is written.
"""

from collections.abc import Callable

import numpy as np
from thinc.api import HashEmbed, Model, to_numpy
from thinc.types import Ragged

#: The forms in which a word is looked up.
FORMS = ("as written", "lower case", "capitalized", "upper case")
# The embeddings: the whole path of a cluster, its first 8 and 4 bits, the frequencies
# of the first three forms, and how the word is written compared with how it usually is.
_ROWS = (2000, 500, 100, 1000, 200)
# Frequencies are natural logarithms of probabilities; this one is of unknown words.
_UNKNOWN = -25.0
# Upper bound of the difference of two logarithms, which is rounded to whole numbers.
_DIFFERENCE = 6
# A word is known by so many bits of its hash: of 4,300 unknown words, one is taken for
# one of a million words in the table.
_KEY = np.uint64(0xFFFFFFFF)

_ATTRS = ("keys", "clusters", "log_probs")
_TYPES = ("uint32", "uint32", "float16")


def WordTableEmbed(width: int) -> Model[Ragged, Ragged]:
    """Hash embeddings of what a table says of each word. Set the table with
    `set_word_table`, before `Model.initialize`; it is saved with the layer.

    width: Width of each of the five vectors, which are concatenated.
    RETURNS: From the hashes of the forms of words, (N, 4) uint64 in the order of
        `FORMS`, to vectors (N, 5 * width).
    RAISES (ValueError): If the width is not valid; from `initialize`, if no table was
        set.
    """
    if width < 1:
        raise ValueError(
            f"The width of an embedding has to be at least 1, not {width}."
        )
    tables = [HashEmbed(width, rows, seed=i) for i, rows in enumerate(_ROWS)]
    return Model(
        "word_table_embed",
        _forward,
        init=_init,
        dims={"nO": width * len(tables)},
        layers=tables,
        attrs={name: [] for name in _ATTRS},
    )


def set_word_table(
    model: Model[Ragged, Ragged],
    hashes: np.ndarray,
    clusters: np.ndarray,
    log_probs: np.ndarray,
) -> None:
    """Set the table of a `WordTableEmbed`.

    hashes: (n,) uint64, the hashes of the words.
    clusters: (n,) the path of the cluster of each word from the root of the tree, as a
        number with the first step as its lowest bit; 0 if it has none.
    log_probs: (n,) the natural logarithm of its probability.
    RAISES (ValueError): If there are no words.
    """
    if not len(hashes):
        raise ValueError("The table of words is empty.")
    keys, first = np.unique(hashes & _KEY, return_index=True)
    arrays = keys, clusters[first], log_probs[first]
    for name, array, dtype in zip(_ATTRS, arrays, _TYPES, strict=True):
        model.attrs[name] = array.astype(dtype)


def check_word_table_embed(model: Model[Ragged, Ragged]) -> None:
    """RAISES (ValueError): If an attribute has a value that no `WordTableEmbed` has."""
    arrays = [model.attrs[name] for name in _ATTRS]
    if len(model.layers) != len(_ROWS):
        raise ValueError(f"word_table_embed has {len(model.layers)} layers")
    if all(isinstance(array, list) and not array for array in arrays):
        return  # no table was set yet
    if not (
        all(
            isinstance(array, np.ndarray) and array.dtype == dtype
            for array, dtype in zip(arrays, _TYPES, strict=True)
        )
        and len({array.shape for array in arrays}) == 1
        and arrays[0].ndim == 1
        and arrays[0].size
        and (arrays[0][1:] > arrays[0][:-1]).all()
    ):
        raise ValueError("the arrays of word_table_embed are inconsistent")


def _init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    if not len(model.attrs["keys"]):
        raise ValueError(
            "The model uses a table of words, but none was set. Add one to the config, "
            "in the section [initialize.components.lstm_ner.words]: @readers = "
            '"spacy-lstm-ner.LookupsWords.v1" (pip install spacy-lookups-data), or '
            '"spacy-lstm-ner.ClusterWords.v1" with the path of your own file.'
        )
    for layer in model.layers:
        layer.initialize()


def _forward(
    model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    xp = model.ops.xp
    if not len(Xr.dataXd):
        empty = Ragged(model.ops.alloc2f(0, model.get_dim("nO")), Xr.lengths)
        return empty, lambda dYr: Xr
    columns = model.ops.asarray(word_features(model, to_numpy(Xr.dataXd)))
    outputs = [table(columns[:, i], is_train) for i, table in enumerate(model.layers)]

    def backprop(dYr: Ragged) -> Ragged:
        parts = xp.split(dYr.dataXd, len(outputs), axis=1)
        for dY, (_, backprop_table) in zip(parts, outputs, strict=True):
            backprop_table(xp.ascontiguousarray(dY))
        return Ragged(xp.zeros_like(Xr.dataXd), Xr.lengths)

    return Ragged(xp.hstack([Y for Y, _ in outputs]), Xr.lengths), backprop


def word_features(model: Model[Ragged, Ragged], forms: np.ndarray) -> np.ndarray:
    """What the table of a `WordTableEmbed` says of words.

    forms: (N, 4) uint64, the hashes of the forms of each word.
    RETURNS: (N, 5) uint64, the keys of the five embeddings.
    """
    keys = model.attrs["keys"]
    wanted = (forms & _KEY).astype("uint32")
    rows = np.minimum(keys.searchsorted(wanted), len(keys) - 1)
    is_known = keys[rows] == wanted
    clusters = np.where(is_known, model.attrs["clusters"][rows], 0)
    log_probs = np.where(is_known, model.attrs["log_probs"][rows], _UNKNOWN)
    # That of the first form that has one.
    form = (clusters > 0).argmax(axis=1)
    cluster = clusters[np.arange(len(forms)), form]
    written, lower, capitalized, upper = range(len(FORMS))
    difference = log_probs[:, capitalized] - log_probs[:, lower]
    case = np.clip(difference, -_DIFFERENCE, _DIFFERENCE).round().astype("int64")
    case = case * 4 + (forms[:, written] == forms[:, capitalized]) * 2
    case += forms[:, written] == forms[:, upper]
    # Halves of logarithms, from 0 to 12: five bits each.
    halves = (-log_probs / 2).clip(0, 31).astype("int64")
    frequency = halves[:, written] << 10 | halves[:, lower] << 5
    columns = (
        cluster,
        cluster & 0xFF,
        cluster & 0xF,
        frequency | halves[:, capitalized],
        case + 4 * _DIFFERENCE,
    )
    return np.stack(columns, axis=1).astype("uint64")
