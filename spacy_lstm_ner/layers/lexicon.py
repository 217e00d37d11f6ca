"""Characters → vectors that say which words of a lexicon stand there.

A text in Chinese does not show where its words begin. A list of words does: all of them
that stand in a text tell each character whether it begins, is inside or ends one, and
of which kind. This is the idea of SoftLexicon (Ma et al., ACL 2020), which keeps the
sets of words that begin, go on and end at a character apart, as here; but what is
learned is a vector for each place, kind and length, not for each word. So it needs no
vectors from elsewhere, and words that the training data does not have help as much as
those that it has.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from thinc.api import Model, glorot_uniform_init, to_numpy
from thinc.types import Floats2d, Ragged

#: Where in a word a character stands.
PLACES = ("begin", "inside", "end")
# Words of 2, 3, 4 and more characters.
_LENGTHS = 4
# What is known of a word is one bit each of a number of 64 bits.
MAX_KINDS = 64 - _LENGTHS
# An odd number with bits all over: characters become keys with it, modulo 2 ** 64.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Lexicon = Mapping[str, Iterable[str]]


def LexiconEmbed(nO: int | None = None) -> Model[Ragged, Ragged]:
    """Sums vectors of the places, kinds and lengths of the words that a character
    belongs to. `set_lexicon` gives it the words, before `Model.initialize`; they are
    saved with it.

    nO (int | None): Width of the vectors.
    RETURNS (Model[Ragged, Ragged]): From code points (N, 1) to vectors (N, nO). The
        parameter E (places · (kinds + lengths), nO) has a row for each thing to know.
    RAISES (ValueError): From `initialize`, where it has no words.
    """
    if nO is not None and nO < 1:
        raise ValueError(f"An embedding needs a width of at least 1, not {nO}.")
    return Model(
        "lexicon_embed",
        _forward,
        init=_init,
        dims={"nO": nO},
        params={"E": None},
        # Of the words only keys are kept, in one array for each length.
        attrs={"kinds": [], "lengths": [], "keys": [], "flags": []},
    )


def set_lexicon(model: Model[Ragged, Ragged], lexicon: Lexicon) -> None:
    """Give a `LexiconEmbed` its words.

    lexicon (Mapping[str, Iterable[str]]): The words of each kind. A word may be of
        several kinds. Words of one character are left out: each character is one.
    RAISES (ValueError): For no words, or more kinds than there is room for.
    """
    kinds = sorted(lexicon)
    if len(kinds) > MAX_KINDS:
        raise ValueError(
            f"A lexicon has at most {MAX_KINDS} kinds of words, not {len(kinds)}: "
            f"put some of them together."
        )
    flag_of: dict[str, int] = {}
    for bit, kind in enumerate(kinds):
        for word in lexicon[kind]:
            flag_of[word] = flag_of.get(word, 0) | 1 << bit
    by_length: dict[int, list[str]] = {}
    for word in flag_of:
        by_length.setdefault(len(word), []).append(word)
    by_length.pop(0, None)
    by_length.pop(1, None)
    if not by_length:
        raise ValueError("The lexicon has no words of two or more characters.")
    lengths = sorted(by_length)
    keys, flags = [], []
    for length in lengths:
        words = by_length[length]
        data = "".join(words).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(data, dtype="<u4").reshape(-1, length)
        word_keys = np.zeros(len(words), dtype="uint64")
        for column in codes.T:
            word_keys = _longer(word_keys, column)
        length_bit = len(kinds) + min(length - 2, _LENGTHS - 1)
        word_flags = np.array([flag_of[word] for word in words], dtype="uint64")
        word_flags |= np.uint64(1 << length_bit)
        order = np.argsort(word_keys)
        keys.append(word_keys[order])
        flags.append(word_flags[order])
    model.attrs.update(kinds=kinds, lengths=lengths, keys=keys, flags=flags)


def _longer(keys: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The keys of strings that are one character longer."""
    # 0 is a code point, too.
    return keys * _FACTOR + codes.astype("uint64") + np.uint64(1)


def _init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    if not model.attrs["kinds"]:
        raise ValueError(
            "The model reads a lexicon (lexicon_width), but was given none. Name one "
            "in the config, in the section [initialize.components.lstm_ner.lexicon]: "
            '@readers = "spacy-lstm-ner.JiebaLexicon.v1" (pip install jieba), or '
            '"spacy-lstm-ner.Lexicon.v1" with the path of a file of your own.'
        )
    shape = (len(PLACES) * _flags(model), model.get_dim("nO"))
    # Initialised again, it forgets another lexicon.
    model.set_param("E", None)
    model.set_param("E", glorot_uniform_init(model.ops, shape))


def _flags(model: Model[Ragged, Ragged]) -> int:
    return len(model.attrs["kinds"]) + _LENGTHS


def _forward(
    model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    E: Floats2d = model.get_param("E")
    known = words_at(model, to_numpy(Xr.dataXd).ravel(), to_numpy(Xr.lengths))
    known = known.reshape((len(known), len(E))).astype(E.dtype)
    features: Floats2d = model.ops.asarray(known)

    def backprop(dYr: Ragged) -> Ragged:
        model.inc_grad("E", features.T @ dYr.dataXd)
        return Ragged(model.ops.xp.zeros_like(Xr.dataXd), Xr.lengths)

    return Ragged(features @ E, Xr.lengths), backprop


def words_at(
    model: Model[Ragged, Ragged], codes: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """What is known of the words that each character belongs to: all those of the
    lexicon that stand in the text, whether they overlap or not.

    codes (np.ndarray): (N,) code points, texts end to end.
    lengths (np.ndarray): (B,) how many each text has.
    RETURNS (np.ndarray): (N, places, kinds + lengths), 0 or 1.
    """
    n = len(codes)
    words = model.attrs["lengths"], model.attrs["keys"], model.attrs["flags"]
    at = {length: (keys, flags) for length, keys, flags in zip(*words, strict=True)}
    rest = np.repeat(np.cumsum(lengths), lengths) - np.arange(n)  # of the text
    found = np.zeros((n, len(PLACES)), dtype="<u8")
    begin, inside, end = found.T
    keys_here = np.zeros(n, dtype="uint64")  # of the strings that begin at each row
    for length in range(1, min(max(at), int(rest.max(initial=0))) + 1):
        keys_here = _longer(keys_here[: n - length + 1], codes[length - 1 :])
        if length not in at:
            continue
        keys, flags = at[length]
        place = np.minimum(np.searchsorted(keys, keys_here), len(keys) - 1)
        is_word = (keys[place] == keys_here) & (rest[: len(place)] >= length)
        first = np.flatnonzero(is_word)
        if not len(first):
            continue
        known = flags[place[first]]
        begin[first] |= known
        end[first + length - 1] |= known
        for offset in range(1, length - 1):
            inside[first + offset] |= known
    bits = np.unpackbits(found.view("uint8"), axis=1, bitorder="little")
    return bits.reshape((n, len(PLACES), 64))[:, :, : _flags(model)]
