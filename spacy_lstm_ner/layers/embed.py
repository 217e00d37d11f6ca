"""Embeddings of characters.

A character is given by its code point. `CharEmbed` has a vector for each character of
the training data; `HashCharEmbed` needs no vocabulary, and also embeds the n-grams that
a character is part of.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from thinc.api import HashEmbed, Model, Ops, to_numpy
from thinc.types import Floats2d, Ints2d, Ragged

from .. import kernels

Kind = Literal["learned", "onehot", "normal", "uniform"]
KINDS: tuple[Kind, ...] = ("learned", "onehot", "normal", "uniform")
# A code point has 21 bits, so three of them fit into a 64-bit number.
_BITS = 21
MAX_NGRAM = 64 // _BITS


def CharEmbed(
    nO: int | None = None, *, kind: Kind = "learned"
) -> Model[Ints2d, Floats2d]:
    """A vector for each character in the sample that is passed to `Model.initialize`.

    All other characters have the zero vector.

    nO: Width of the vectors. Leave it out for one-hot vectors: their width is the
        number of characters.
    kind: "learned" (trained), or one of the frozen kinds "onehot", "normal" (random,
        mean 0, variance 1) and "uniform" (random, 0 to 1).
    RETURNS: From code points (N, 1) to vectors (N, nO). Row 0 of the parameter E
        (characters + 1, nO) is the vector of unknown characters.
    RAISES (ValueError): If the kind does not exist, a width is given for "onehot" or
        missing for another kind, or the sample has no characters.
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown kind of embedding {kind!r}: use one of {KINDS}.")
    if (nO is None) != (kind == "onehot"):
        raise ValueError(
            "The width of one-hot vectors is the number of characters: leave it out."
            if kind == "onehot"
            else f"An embedding of kind {kind!r} needs a width."
        )
    if nO is not None and nO < 1:
        raise ValueError(f"The width of an embedding has to be at least 1, not {nO}.")
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
            dE[0] = 0  # the vector of unknown characters stays zero
            model.inc_grad("E", dE)
        return model.ops.xp.zeros_like(X)

    return E[rows], backprop


def _embed_init(
    model: Model[Ints2d, Floats2d], X: Ints2d | None = None, Y: Floats2d | None = None
) -> None:
    characters = [] if X is None else np.unique(to_numpy(X)).tolist()
    if not characters:
        raise ValueError(
            "CharEmbed takes its characters from the sample that is passed to "
            "`initialize`, which has none. Pass a sample, or use HashCharEmbed, which "
            "does not need one."
        )
    model.attrs["characters"] = characters
    n = len(characters)
    # If it is initialized again, the shape may change.
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
    """RAISES (ValueError): If an attribute or a parameter has a value that no
    `CharEmbed` has."""
    characters, kind = model.attrs["characters"], model.attrs["kind"]
    if kind not in KINDS or model.name != f"char_embed_{kind}":
        raise ValueError(f"{model.name} has the kind {kind!r:.40}")
    codes = np.asarray(characters)
    n_rows = len(model.get_param("E")) if model.has_param("E") else len(codes) + 1
    is_sorted = codes.ndim == 1 and (codes.dtype.kind in "iu" or not len(codes))
    if not is_sorted or (codes[1:] <= codes[:-1]).any() or n_rows != len(codes) + 1:
        raise ValueError(
            f"{model.name} has {n_rows} vectors, and a different number of characters, "
            f"or they are not sorted"
        )


def HashCharEmbed(
    width: int, *, rows: Sequence[int], ngram_dropout: float = 0.0
) -> Model[Ragged, Ragged]:
    """Hash embeddings of characters and n-grams (Svenstrup, Hansen & Winther, 2017),
    without a vocabulary and without unknown characters.

    The vector of a character is the concatenation of the vectors of all n-grams that it
    is part of. Each length and position of an n-gram has its own table, a
    `thinc.api.HashEmbed`.

    width: Width of the vector of each n-gram.
    rows: Number of rows of the tables: for characters, pairs and triples. Its length is
        the length of the longest n-gram.
    ngram_dropout: In training, the probability that an occurrence of an n-gram of two
        or more characters is dropped, so that the model does not rely on n-grams that
        it has memorized (Iyyer et al., 2015, drop words).
    RETURNS: From code points (N, 1) to vectors (N, nO), where nO is 1, 3 or 6 times
        `width`.
    RAISES (ValueError): If `rows` does not have one to three numbers, or a number is
        out of range.
    """
    if not 1 <= len(rows) <= MAX_NGRAM:
        raise ValueError(
            f"HashCharEmbed reads n-grams of 1 to {MAX_NGRAM} characters: rows has to "
            f"have one number for each length, not {list(rows)}."
        )
    if min(width, *rows) < 1:
        raise ValueError(
            f"The width and the rows of tables have to be at least 1, not {width=}, "
            f"{rows=}."
        )
    if not 0 <= ngram_dropout < 1:
        raise ValueError(
            f"The dropout has to be at least 0 and below 1, not {ngram_dropout=}."
        )
    sizes = [n for n in range(1, len(rows) + 1) for _ in range(n)]
    tables = [
        HashEmbed(width, rows[n - 1], seed=column) for column, n in enumerate(sizes)
    ]
    return Model(
        "hash_char_embed",
        hash_forward,
        init=_init_layers,
        dims={"nO": width * len(tables)},
        layers=tables,
        attrs={"longest": len(rows), "ngram_dropout": ngram_dropout},
    )


def check_hash_char_embed(model: Model[Ragged, Ragged]) -> None:
    """RAISES (ValueError): If an attribute has a value that no `HashCharEmbed` has."""
    longest, rate = model.attrs["longest"], model.attrs["ngram_dropout"]
    n_tables = len(model.layers)
    if longest not in range(1, MAX_NGRAM + 1) or n_tables != sum(range(longest + 1)):
        raise ValueError(
            f"hash_char_embed has longest = {longest!r:.40}, which does not match "
            f"its {n_tables} tables"
        )
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise ValueError(f"hash_char_embed has ngram_dropout = {rate!r:.40}")


def _init_layers(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    for layer in model.layers:
        layer.initialize()


def hash_forward(
    model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    xp, lengths = model.ops.xp, Xr.lengths
    if not len(Xr.dataXd):
        empty = Ragged(model.ops.alloc2f(0, model.get_dim("nO")), lengths)
        return empty, lambda dYr: Xr
    native = kernels.kernels_for(*(table.get_param("E") for table in model.layers))
    if native is not None:
        return _compiled_hash_forward(native, model, Xr, is_train)
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


def _compiled_hash_forward(
    native: Any, model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    n, n_tables, nO = len(Xr.dataXd), len(model.layers), model.get_dim("nO")
    Y = np.empty((n, nO), dtype="float32")
    keys = np.empty((n, n_tables, 4), dtype="uint32") if is_train else None
    hash_vectors(native, model, *codes_and_lengths(Xr), Y, keys=keys)
    if not is_train:
        return Ragged(Y, Xr.lengths), lambda dYr: Xr
    # In the order in which the tables and `hash_forward` draw them.
    drop = [
        model.ops.get_dropout_mask((nO // n_tables,), table.attrs.get("dropout_rate"))
        for table in model.layers
    ]
    masks = np.empty((n, nO), dtype="float32")
    by_table = masks.reshape((n, n_tables, nO // n_tables))
    for k, keep in enumerate(_keep_masks(model, n, is_train)):
        by_table[:, k] = keep * drop[k]
    Y *= masks

    def backprop(dYr: Ragged) -> Ragged:
        dX = np.multiply(dYr.dataXd, masks, dtype="float32")
        gradients = []
        for table in model.layers:
            if not table.has_grad("E"):
                table.set_grad("E", np.zeros_like(table.get_param("E")))
            # Added to in place: a table is large, and most of its gradient is zero.
            gradients.append(table.get_grad("E"))
        native.hash_gradient(keys, dX, tuple(gradients))
        return Ragged(np.zeros_like(Xr.dataXd), Xr.lengths)

    return Ragged(Y, Xr.lengths), backprop


def hash_vectors(
    native: Any,
    model: Model[Ragged, Ragged],
    codes: np.ndarray,
    lengths: np.ndarray,
    Y: Floats2d,
    column: int = 0,
    keys: np.ndarray | None = None,
) -> None:
    """The vectors of a `HashCharEmbed` by a kernel, without dropout.

    codes: (N,) uint32 code points.
    lengths: (B,) int64 lengths of the texts.
    Y: (N, at least column + nO), output: nO columns from this one on.
    keys: (N, tables, 4) uint32, output: the rows of the tables that were added.
    """
    tables = tuple(table.get_param("E") for table in model.layers)
    seeds = tuple(table.attrs["seed"] for table in model.layers)
    native.hash_embed(
        codes, lengths, model.attrs["longest"], tables, seeds, Y, column, keys
    )


def codes_and_lengths(texts: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Code points (N,) uint32 and lengths (B,) int64 for the kernels."""
    codes = to_numpy(texts.dataXd).ravel().astype("uint32")
    return codes, to_numpy(texts.lengths).astype("int64")


def _keep_masks(model: Model[Ragged, Ragged], n: int, is_train: bool) -> list:
    """The dropout mask of the vectors of each column: (n, 1), or 1."""
    if not is_train:
        return [1] * len(model.layers)
    # Single characters, in the first column, are never dropped.
    rate = model.attrs["ngram_dropout"]
    return [1, *(model.ops.get_dropout_mask((n, 1), rate) for _ in model.layers[1:])]


def side_by_side(*layers: Model[Ragged, Ragged]) -> Model[Ragged, Ragged]:
    """Concatenate the vectors of several embeddings of the same characters.

    `thinc.api.concatenate` cannot add the gradients of ragged inputs, and characters
    have no gradient.
    """
    widths = [layer.maybe_get_dim("nO") or 0 for layer in layers]
    return Model(
        "side_by_side",
        side_by_side_forward,
        init=_init_layers,
        dims={"nO": sum(widths)},
        layers=layers,
    )


def side_by_side_forward(
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
    """All n-grams that each character is part of, each encoded as one number.

    texts: Code points (N, 1).
    longest: The maximum length; at most `MAX_NGRAM`.
    RETURNS: (N, columns) uint64. For the character c of the text abcde, the columns are
        c; bc, cd; abc, bcd, cde. Positions beyond the ends of a text are 0.
    """
    xp, lengths = ops.xp, to_numpy(texts.lengths)
    # There are as many zeros between the texts as an n-gram can extend beyond an end.
    # Code points are shifted by 1, since 0 is one, too.
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
