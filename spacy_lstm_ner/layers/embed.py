"""Characters → vectors.

A character comes as its code point. `CharEmbed` gives a vector to each character that
the training data shows; `HashCharEmbed` needs no vocabulary, and reads the neighbours
of a character, too.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from thinc.api import HashEmbed, Model, Ops, to_numpy
from thinc.types import Floats2d, Ints2d, Ragged

Kind = Literal["learned", "onehot", "normal", "uniform"]
KINDS: tuple[Kind, ...] = ("learned", "onehot", "normal", "uniform")
# A code point has 21 bits, so three of them have a number of their own in 64 bits.
_BITS = 21
MAX_NGRAM = 64 // _BITS


def CharEmbed(
    nO: int | None = None, *, kind: Kind = "learned"
) -> Model[Ints2d, Floats2d]:
    """A vector for each character that `Model.initialize` is shown.

    Characters that it was not shown get the zero vector.

    nO (int | None): Width of the vectors. A one-hot vector is as wide as there are
        characters: leave it out there.
    kind (str): "learned" in training; or frozen: "onehot", random "normal" (mean 0,
        variance 1), random "uniform" (0 to 1).
    RETURNS (Model[Ints2d, Floats2d]): From code points (N, 1) to vectors (N, nO). The
        parameter E (characters + 1, nO) has the vector of unknown characters in row 0.
    RAISES (ValueError): For a kind that does not exist, a width where it is "onehot",
        none where it is not, or where `initialize` is shown no character.
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown kind of embedding {kind!r}: use one of {KINDS}.")
    if (nO is None) != (kind == "onehot"):
        raise ValueError(
            "One-hot vectors are as wide as there are characters: leave the width out."
            if kind == "onehot"
            else f"An embedding of the kind {kind!r} needs a width."
        )
    if nO is not None and nO < 1:
        raise ValueError(f"An embedding needs a width of at least 1, not {nO}.")
    return Model(
        f"char_embed_{kind}",
        _embed_forward,
        init=_embed_init,
        dims={"nO": nO},
        params={"E": None},
        attrs={"kind": kind, "characters": []},
    )


def _embed_forward(
    model: Model[Ints2d, Floats2d], X: Ints2d, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Ints2d]]:
    E: Floats2d = model.get_param("E")
    known = np.asarray(model.attrs["characters"], dtype="int64")
    codes = to_numpy(X).ravel().astype("int64")
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    rows = model.ops.asarray1i(np.where(known[place] == codes, place + 1, 0))

    def backprop(dY: Floats2d) -> Ints2d:
        if model.attrs["kind"] == "learned":
            dE = model.ops.xp.zeros_like(E)
            model.ops.scatter_add(dE, rows, dY)
            dE[0] = 0  # unknown stays zero
            model.inc_grad("E", dE)
        return model.ops.xp.zeros_like(X)

    return E[rows], backprop


def _embed_init(
    model: Model[Ints2d, Floats2d], X: Ints2d | None = None, Y: Floats2d | None = None
) -> None:
    characters = [] if X is None else np.unique(to_numpy(X)).tolist()
    if not characters:
        raise ValueError(
            "CharEmbed learns in `initialize` which characters there are, but was "
            "shown none. Give it a sample, or use HashCharEmbed, which needs none."
        )
    model.attrs["characters"] = characters
    n = len(characters)
    # Initialised again, it forgets the characters that it knew.
    model.set_param("E", None)
    kind = model.attrs["kind"]
    if kind == "onehot":
        model.set_dim("nO", n, force=True)
    nO = model.get_dim("nO")
    xp = model.ops.xp
    if kind == "onehot":
        vectors = xp.eye(n)
    elif kind == "uniform":
        vectors = xp.random.uniform(0.0, 1.0, (n, nO))
    elif kind == "normal":
        vectors = xp.random.normal(size=(n, nO))
    else:
        vectors = xp.random.normal(scale=nO**-0.5, size=(n, nO))
    E = model.ops.alloc2f(n + 1, nO)
    E[1:] = vectors
    model.set_param("E", E)


def check_char_embed(model: Model[Ints2d, Floats2d]) -> None:
    """RAISES (ValueError): For attributes and parameters, as of a file, that no
    `CharEmbed` can have."""
    characters, kind = model.attrs["characters"], model.attrs["kind"]
    if kind not in KINDS or model.name != f"char_embed_{kind}":
        raise ValueError(f"{model.name} has the kind {kind!r:.40}")
    codes = np.asarray(characters)
    n_rows = len(model.get_param("E")) if model.has_param("E") else len(codes) + 1
    is_sorted = codes.ndim == 1 and (codes.dtype.kind in "iu" or not len(codes))
    if not is_sorted or (codes[1:] <= codes[:-1]).any() or n_rows != len(codes) + 1:
        raise ValueError(
            f"{model.name} has {n_rows} vectors, and characters that are not as many, "
            f"or not sorted"
        )


def HashCharEmbed(
    width: int, *, rows: Sequence[int], ngram_dropout: float = 0.0
) -> Model[Ragged, Ragged]:
    """Vectors of hashed characters and n-grams: no vocabulary, no unknown character.

    Each character reads all n-grams that it is a part of, each length and place in a
    table of its own; the vectors are put side by side. Hashing: "hash embeddings"
    (Svenstrup, Hansen & Winther, 2017) as in `thinc.api.HashEmbed`.

    width (int): Width of the vector of each n-gram.
    rows (Sequence[int]): Rows of the tables: for characters, for pairs, for triples.
        Its length is the length of the longest n-gram.
    ngram_dropout (float): In training, the chance of each n-gram of two or more
        characters to be left out where it stands, so that the layers above do not
        rely on those that they know by heart (as words are left out in Iyyer et al.,
        2015).
    RETURNS (Model[Ragged, Ragged]): From code points (N, 1) to vectors (N, nO), where
        nO is 1, 3 or 6 times `width`.
    RAISES (ValueError): For no rows at all, more than three numbers of rows, or a
        width, rows or a chance that there cannot be.
    """
    if not 1 <= len(rows) <= MAX_NGRAM:
        raise ValueError(
            f"HashCharEmbed reads n-grams of 1 to {MAX_NGRAM} characters: rows needs "
            f"as many numbers, not {list(rows)}."
        )
    if min(width, *rows) < 1:
        raise ValueError(f"Widths and rows of tables are at least 1: {width}, {rows}.")
    if not 0 <= ngram_dropout < 1:
        raise ValueError(
            f"Dropout has to be at least 0 and below 1, not {ngram_dropout=}."
        )
    sizes = [n for n in range(1, len(rows) + 1) for _ in range(n)]
    tables = [
        HashEmbed(width, rows[n - 1], seed=column) for column, n in enumerate(sizes)
    ]
    return Model(
        "hash_char_embed",
        _hash_forward,
        init=_init_layers,
        dims={"nO": width * len(tables)},
        layers=tables,
        attrs={"longest": len(rows), "ngram_dropout": ngram_dropout},
    )


def check_hash_char_embed(model: Model[Ragged, Ragged]) -> None:
    """RAISES (ValueError): For attributes, as of a file, that no `HashCharEmbed` can
    have."""
    longest, rate = model.attrs["longest"], model.attrs["ngram_dropout"]
    n_tables = len(model.layers)
    if longest not in range(1, MAX_NGRAM + 1) or n_tables != sum(range(longest + 1)):
        raise ValueError(
            f"hash_char_embed has longest = {longest!r:.40}, which does not go with "
            f"{n_tables} tables"
        )
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise ValueError(f"hash_char_embed has ngram_dropout = {rate!r:.40}")


def _init_layers(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    for layer in model.layers:
        layer.initialize()


def _hash_forward(
    model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    xp, lengths = model.ops.xp, Xr.lengths
    if not len(Xr.dataXd):
        empty = Ragged(model.ops.alloc2f(0, model.get_dim("nO")), lengths)
        return empty, lambda dYr: Xr
    grams = ngrams(model.ops, Xr, model.attrs["longest"])
    outputs = [
        table(grams[:, column], is_train) for column, table in enumerate(model.layers)
    ]
    keep = _keep_masks(model, len(grams), is_train)
    Y = xp.hstack([vectors * k for (vectors, _), k in zip(outputs, keep, strict=True)])

    def backprop(dYr: Ragged) -> Ragged:
        parts = xp.split(dYr.dataXd, len(outputs), axis=1)
        for dY, (_, backprop_table), k in zip(parts, outputs, keep, strict=True):
            backprop_table(dY * k)
        return Ragged(xp.zeros_like(Xr.dataXd), lengths)

    return Ragged(Y, lengths), backprop


def _keep_masks(model: Model[Ragged, Ragged], n: int, is_train: bool) -> list:
    """What the vectors of each column are multiplied by: (n, 1), or 1."""
    if not is_train:
        return [1] * len(model.layers)
    # Single characters, in the first column, all stay.
    rate = model.attrs["ngram_dropout"]
    return [1, *(model.ops.get_dropout_mask((n, 1), rate) for _ in model.layers[1:])]


def side_by_side(*layers: Model[Ragged, Ragged]) -> Model[Ragged, Ragged]:
    """The vectors of several embeddings of the same characters, in one.

    `thinc.api.concatenate` cannot add up the gradients of ragged inputs; characters
    have none.
    """
    widths = [layer.maybe_get_dim("nO") or 0 for layer in layers]
    return Model(
        "side_by_side",
        _side_by_side_forward,
        init=_init_layers,
        dims={"nO": sum(widths)},
        layers=layers,
    )


def _side_by_side_forward(
    model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    outputs = [layer(Xr, is_train) for layer in model.layers]
    xp, arrays = model.ops.xp, [Yr.dataXd for Yr, _ in outputs]
    ends = np.cumsum([Y.shape[1] for Y in arrays])

    def backprop(dYr: Ragged) -> Ragged:
        parts = xp.split(dYr.dataXd, ends[:-1].tolist(), axis=1)
        for dY, (_, backprop_layer) in zip(parts, outputs, strict=True):
            backprop_layer(Ragged(dY, dYr.lengths))
        return Ragged(xp.zeros_like(Xr.dataXd), Xr.lengths)

    return Ragged(xp.hstack(arrays), Xr.lengths), backprop


def ngrams(ops: Ops, texts: Ragged, longest: int) -> Ints2d:
    """All n-grams that each character is a part of, each as one number.

    texts (Ragged): Code points (N, 1).
    longest (int): Up to how many characters; at most `MAX_NGRAM`.
    RETURNS (Ints2d): (N, columns) uint64. The columns are, for c the character at hand:
        c; bc, cd; abc, bcd, cde. Where an n-gram goes past the end of its text, 0
        stands for what is not there.
    """
    xp, lengths = ops.xp, to_numpy(texts.lengths)
    # As many zeros between the texts as an n-gram can reach past an end. The characters
    # count from 1 on, since 0 is a code point, too.
    gap = longest - 1
    text_of_row = np.repeat(np.arange(len(lengths)), lengths)
    place = ops.asarray(np.arange(len(text_of_row)) + gap * (text_of_row + 1))
    codes = xp.zeros(len(place) + gap * (len(lengths) + 1), dtype="uint64")
    codes[place] = texts.dataXd.ravel() + 1
    around = {offset: codes[place + offset] for offset in range(-gap, gap + 1)}
    columns = []
    for size in range(1, longest + 1):
        for first in range(1 - size, 1):
            gram = around[first].copy()
            for offset in range(first + 1, first + size):
                gram <<= xp.uint64(_BITS)
                gram |= around[offset]
            columns.append(gram)
    return xp.stack(columns, axis=1)
