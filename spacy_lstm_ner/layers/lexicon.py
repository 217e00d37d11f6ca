"""Embeddings of characters by the words of a lexicon.

Chinese text does not mark where words begin. A lexicon helps: its words that occur in a
text say for each character whether it begins, continues or ends a word, and of which
kind. This is the idea of SoftLexicon (Ma et al., ACL 2020), which also separates the
words that begin, continue and end at a character. But here a vector is learned for each
position, kind and length and not for each word. So no pretrained vectors are needed,
and words that do not occur in the training data help as much as those that do.

No lexicon has all names, but its words show which characters names tend to begin with.
So the second part of the embedding is the *profile* of a character: how the words of
the lexicon use it, independent of the context.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from thinc.api import Model, glorot_uniform_init, to_numpy
from thinc.types import Floats2d, Ints1d, Ragged

from .. import kernels
from .embed import codes_and_lengths

#: The positions of a character in a word.
PLACES = ("begin", "inside", "end")
#: Profiles also count words of a single character.
PROFILE_PLACES = (*PLACES, "alone")
# Words of 2, 3, 4 and more characters.
_LENGTHS = 4
# The kinds and the length of a word are bits of a 64-bit number.
MAX_KINDS = 64 - _LENGTHS
# The multiplier (odd) of the rolling hash that turns words into keys, modulo 2 ** 64.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
# A table of the upper 20 bits of the keys excludes most strings that are not words.
_UPPER = np.uint64(64 - 20)
# The pseudocounts of a profile: a character in far fewer words, or in words with a far
# lower frequency, has a profile close to 0.
_SURE_BY_WORDS, _SURE_BY_FREQUENCY = 3.0, 50.0

Symbols = tuple[int, ...]

_ATTRS = ("kinds", "lengths", "keys", "flags", "upper", "profiled", "profiles")

#: The words of each kind with their frequencies. A word is a string, or a tuple of
#: symbols: numbers below 2 ** 31.
Lexicon = Mapping[str, Mapping[str, float]] | Mapping[str, Mapping[Symbols, float]]


def LexiconEmbed(nO: int | None = None) -> Model[Ragged, Ragged]:
    """A linear function of two sets of features of each character: the words of the
    lexicon that it is part of in the text (`words_at`), and its profile (`_profiles`).
    Set the lexicon with `set_lexicon`, before `Model.initialize`; it is saved with the
    layer.

    nO: Width of the vectors.
    RETURNS: From code points (N, 1) to vectors (N, nO), with the parameter E (features,
        nO).
    RAISES (ValueError): From `initialize`, if no lexicon was set.
    """
    if nO is not None and nO < 1:
        raise ValueError(f"The width of an embedding has to be at least 1, not {nO}.")
    return Model(
        "lexicon_embed",
        LexiconForward(),
        init=_init,
        dims={"nO": nO},
        params={"E": None},
        attrs={name: [] for name in _ATTRS},
    )


def set_lexicon(
    model: Model[Ragged, Ragged], lexicon: Lexicon, *, shortest: int = 2
) -> None:
    """Set the words of a `LexiconEmbed`.

    lexicon: The words of each kind with their frequencies: 1 for all if they are
        unknown. A word may be of several kinds.
    shortest: Shorter words only contribute to the profiles.
    RAISES (ValueError): If there are no words of two or more characters, or more than
        `MAX_KINDS` kinds.
    """
    kinds = sorted(lexicon)
    if len(kinds) > MAX_KINDS:
        raise ValueError(
            f"A lexicon has at most {MAX_KINDS} kinds of words, not {len(kinds)}: "
            f"merge some of them."
        )
    # For each length the words, their kinds and their frequencies.
    by_length: dict[int, list[tuple[str | Symbols, int, float]]] = {}
    for number, kind in enumerate(kinds):
        for word, frequency in lexicon[kind].items():
            by_length.setdefault(len(word), []).append((word, number, frequency))
    by_length.pop(0, None)
    columns = {n: _columns(n, entries) for n, entries in sorted(by_length.items())}
    lengths = [n for n in columns if n >= shortest]
    if not lengths:
        raise ValueError(
            "The lexicon has no words of two or more characters."
            if shortest > 1
            else "The lexicon has no words."
        )
    keys, flags = [], []
    for n in lengths:
        codes, kind_of, _ = columns[n]
        length_bit = len(kinds) + min(max(n - 2, 0), _LENGTHS - 1)
        of_words = np.uint64(1) << kind_of.astype("uint64")
        of_words |= np.uint64(1 << length_bit)
        words, place = np.unique(_keys(codes), return_inverse=True)
        known = np.zeros(len(words), dtype="uint64")
        np.bitwise_or.at(known, place, of_words)
        keys.append(words)
        flags.append(known)
    upper = np.zeros(1 << 20, dtype=bool)
    upper[np.concatenate(keys) >> _UPPER] = True
    profiled, profiles = _profiles(list(columns.values()), len(kinds))
    model.attrs.update(
        kinds=kinds,
        lengths=lengths,
        keys=keys,
        flags=flags,
        upper=upper,
        profiled=profiled,
        profiles=profiles,
    )


def check_lexicon_embed(model: Model[Ragged, Ragged]) -> None:
    """RAISES (ValueError): If an attribute or a parameter has a value that no
    `LexiconEmbed` has."""
    kinds, lengths, keys, flags, upper, profiled, profiles = (
        model.attrs[name] for name in _ATTRS
    )

    def is_array(value: object, dtype: str, shape: tuple[int, ...]) -> bool:
        return (
            isinstance(value, np.ndarray)
            and value.dtype == dtype
            and value.shape == shape
        )

    def is_sorted(array: np.ndarray) -> bool:
        return bool((array[1:] > array[:-1]).all())

    if not len(kinds) and not model.has_param("E"):
        return  # no lexicon was set yet
    width = 2 * (len(PROFILE_PLACES) * len(kinds) + 1)
    if not (
        isinstance(kinds, list)
        and 0 < len(kinds) <= MAX_KINDS
        and isinstance(lengths, list)
        and len(lengths) > 0
        and all(isinstance(n, int) and n > 0 for n in lengths)
        and is_sorted(np.array(lengths))
        and len(keys) == len(flags) == len(lengths)
        and all(
            is_array(one, "uint64", (np.size(one),))
            and is_array(other, "uint64", (np.size(one),))
            and np.size(one) > 0
            and is_sorted(one)
            for one, other in zip(keys, flags, strict=True)
        )
        and is_array(upper, "bool", (1 << 20,))
        and is_array(profiled, "int64", (np.size(profiled),))
        and is_sorted(profiled)
        and is_array(profiles, "float16", (np.size(profiled) + 1, width))
    ):
        raise ValueError("the arrays of the lexicon of lexicon_embed are inconsistent")
    shape = (len(PLACES) * _flags(model) + width, model.get_dim("nO"))
    if model.has_param("E") and model.get_param("E").shape != shape:
        raise ValueError(
            f"the parameter E of lexicon_embed has the shape "
            f"{model.get_param('E').shape}, and should have {shape}"
        )


def _columns(
    length: int, entries: list[tuple[str | Symbols, int, float]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Code points or symbols (words, length), kinds (words,) and frequencies
    (words,)."""
    words, kinds, frequencies = zip(*entries, strict=True)
    if isinstance(words[0], str):
        data = "".join(words).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(data, dtype="<u4").reshape(-1, length)
    else:
        codes = np.array(words, dtype="<u4")
    return codes, np.array(kinds), np.array(frequencies, dtype="float64")


def _keys(codes: np.ndarray) -> np.ndarray:
    """The keys (words,) of words (words, length)."""
    keys = np.zeros(len(codes), dtype="uint64")
    for column in codes.T:
        keys = _longer(keys, column)
    return keys


def _longer(keys: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Append a character to strings that are given by their keys."""
    # 0 is a code point, too, so add 1.
    longer: np.ndarray = keys * _FACTOR + codes.astype("uint64") + np.uint64(1)
    return longer


def _profiles(
    columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]], n_kinds: int
) -> tuple[np.ndarray, np.ndarray]:
    """How the words of the lexicon use each character: for each position and kind the
    share of the words with this character that have it there, once by the number of
    words and once by their frequencies; and the logarithms of these totals. The shares
    are square-rooted, so that differences between small ones have a larger weight.

    columns: Code points, kinds and frequencies of the words of each length.
    RETURNS: The characters, sorted; and their profiles, (characters + 1, width), the
        last one for all other characters.
    """
    characters = np.unique(np.concatenate([codes.ravel() for codes, _, _ in columns]))
    shape = (len(characters) + 1, len(PROFILE_PLACES) * n_kinds)
    by_words, by_frequency = np.zeros(shape), np.zeros(shape)
    for codes, kinds, frequencies in columns:
        last = codes.shape[1] - 1
        for i, column in enumerate(codes.T):
            place = 3 if not last else 0 if not i else 2 if i == last else 1
            rows = np.searchsorted(characters, column)
            at = rows * shape[1] + place * n_kinds + kinds
            by_words += np.bincount(at, minlength=by_words.size).reshape(shape)
            counts = np.bincount(at, frequencies, minlength=by_words.size)
            by_frequency += counts.reshape(shape)
    parts = []
    for use, sure in ((by_words, _SURE_BY_WORDS), (by_frequency, _SURE_BY_FREQUENCY)):
        total = use.sum(axis=1, keepdims=True)
        parts += [np.sqrt(use / (total + sure)), np.log1p(total) / 8]
    return characters.astype("int64"), np.hstack(parts).astype("float16")


def _init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    if not model.attrs["kinds"]:
        raise ValueError(
            "The model uses a lexicon (lexicon_width), but none was set. Add one to "
            "the config, in the section [initialize.components.lstm_ner.lexicon]: "
            '@readers = "spacy-lstm-ner.JiebaLexicon.v1" (pip install jieba), or '
            '"spacy-lstm-ner.Lexicon.v1" with the path of your own file.'
        )
    nI = len(PLACES) * _flags(model) + model.attrs["profiles"].shape[1]
    # If it is initialized again, the shape may change.
    model.set_param("E", None)
    model.set_param("E", glorot_uniform_init(model.ops, (nI, model.get_dim("nO"))))


def _flags(model: Model[Ragged, Ragged]) -> int:
    return len(model.attrs["kinds"]) + _LENGTHS


class LexiconForward:
    """The forward pass of a `LexiconEmbed`. It keeps what the kernels need of the
    lexicon, and of the parameters, which it compares with them before each use."""

    def __init__(self) -> None:
        self._words: tuple[Any, Any] | None = None
        self._vectors: tuple[Any, Floats2d, Floats2d] | None = None

    def __call__(
        self, model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
    ) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
        E: Floats2d = model.get_param("E")
        native = kernels.kernels_for(E)
        if native is not None and not is_train:
            Y = np.empty((len(Xr.dataXd), E.shape[1]), dtype="float32")
            self.vectors(native, model, *codes_and_lengths(Xr), Y)
            return Ragged(Y, Xr.lengths), lambda dYr: Xr
        codes = to_numpy(Xr.dataXd).ravel()
        n = len(PLACES) * _flags(model)
        if native is not None:
            found = self._found(native, model, *codes_and_lengths(Xr))
            words = _unpack(model, found)
        else:
            words = words_at(model, codes, to_numpy(Xr.lengths))
        # Characters recur, and the profile of each is computed once.
        characters, place = np.unique(codes, return_inverse=True)
        profiles = profiles_of(model, characters)
        W: Floats2d = model.ops.asarray(words.reshape((len(codes), n)).astype(E.dtype))
        P: Floats2d = model.ops.asarray(profiles.astype(E.dtype))
        place = model.ops.asarray(place)

        def backprop(dYr: Ragged) -> Ragged:
            dY = dYr.dataXd
            d_words, d_profiles = W.T @ dY, P[place].T @ dY
            model.inc_grad("E", model.ops.xp.concatenate((d_words, d_profiles)))
            return Ragged(model.ops.xp.zeros_like(Xr.dataXd), Xr.lengths)

        return Ragged(W @ E[:n] + (P @ E[n:])[place], Xr.lengths), backprop

    def vectors(
        self,
        native: Any,
        model: Model[Ragged, Ragged],
        codes: np.ndarray,
        lengths: np.ndarray,
        Y: Floats2d,
        column: int = 0,
    ) -> None:
        """The vectors by kernels, for inference.

        codes: (N,) uint32 code points.
        lengths: (B,) int64 lengths of the texts.
        Y: (N, at least column + nO), output: nO columns from this one on.
        """
        E: Floats2d = model.get_param("E")
        n_flags = _flags(model)
        found = self._found(native, model, codes, lengths)
        rows = _profile_rows(model, codes)
        profiles = self._profile_vectors(model, E[len(PLACES) * n_flags :])
        native.word_vectors(found, n_flags, E, profiles, rows, Y, column)

    def _found(
        self,
        native: Any,
        model: Model[Ragged, Ragged],
        codes: np.ndarray,
        lengths: np.ndarray,
    ) -> np.ndarray:
        """(N, 3) uint64: bits for the words that begin, continue and end at each
        character."""
        keys = model.attrs["keys"]
        known = self._words
        if known is None or known[0] is not keys:
            arrays = (model.attrs[name] for name in ("lengths", "keys", "flags"))
            upper = model.attrs["upper"].view("uint8")
            tables = native.WordTables(*map(list, arrays), upper, _flags(model))
            self._words = known = keys, tables
        found = np.empty((len(codes), len(PLACES)), dtype="uint64")
        native.find_words(codes, lengths, known[1], found)
        return found

    def _profile_vectors(self, model: Model[Ragged, Ragged], E: Floats2d) -> Floats2d:
        """The part of the vector of each character that its profile determines.

        E: (profile width, nO), the part of the parameter for profiles.
        """
        profiles = model.attrs["profiles"]
        known = self._vectors
        if known is None or known[0] is not profiles or not np.array_equal(known[1], E):
            vectors = profiles.astype("float32") @ E
            self._vectors = known = profiles, E.copy(), vectors
        return known[2]

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return LexiconForward, ()


def words_at(
    model: Model[Ragged, Ragged], codes: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """The kinds and lengths of the words that each character is part of: all words of
    the lexicon that occur in the text, overlapping or not.

    codes: (N,) code points, texts end to end.
    lengths: (B,) number of characters of each text.
    RETURNS: (N, positions, kinds + lengths), 0 or 1.
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
        fits = rest[: len(keys_here)] >= length
        first = np.flatnonzero(fits & model.attrs["upper"][keys_here >> _UPPER])
        place = np.minimum(np.searchsorted(keys, keys_here[first]), len(keys) - 1)
        is_word = keys[place] == keys_here[first]
        first, known = first[is_word], flags[place[is_word]]
        begin[first] |= known
        end[first + length - 1] |= known
        for offset in range(1, length - 1):
            inside[first + offset] |= known
    return _unpack(model, found)


def _unpack(model: Model[Ragged, Ragged], found: np.ndarray) -> np.ndarray:
    """From bits (N, positions) to (N, positions, kinds + lengths)."""
    bits = np.unpackbits(
        found.astype("<u8", copy=False).view("uint8"), axis=1, bitorder="little"
    )
    return bits.reshape((len(found), len(PLACES), 64))[:, :, : _flags(model)]


def profiles_of(model: Model[Ragged, Ragged], codes: np.ndarray) -> np.ndarray:
    """The profiles (N, width) of characters (N,): see `_profiles`."""
    profiles: np.ndarray = model.attrs["profiles"]
    found: np.ndarray = profiles[_profile_rows(model, codes)]
    return found


def _profile_rows(model: Model[Ragged, Ragged], codes: np.ndarray) -> Ints1d:
    """The rows (N,) of the profiles of characters (N,)."""
    profiled: np.ndarray = model.attrs["profiled"]
    rows: Ints1d = profiled.searchsorted(codes)
    rows[rows == len(profiled)] = 0
    rows[profiled[rows] != codes] = len(profiled)
    return rows
