"""Layers that read the words of Docs, for embeddings that look them up."""

from collections.abc import Callable, Sequence

import numpy as np
from spacy.strings import get_string_id
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Ragged

# Tokens such as #London and @London are looked up without their first character.
_MARKS = "#@"
# `LexiconEmbed` adds 1 to a code point of 32 bits.
_SYMBOL = np.uint64(0x7FFFFFFF)


def WordForms() -> Model[list[Doc], Ragged]:
    """A layer that reads the forms of the tokens of Docs.

    RETURNS: Hashes (N, 4) uint64, a row for each token: as written, in lower case,
        capitalized, in upper case.
    """
    return Model("word_forms", _forms_forward)


def _forms_forward(
    model: Model[list[Doc], Ragged], docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], list[Doc]]]:
    words = [token.text for doc in docs for token in doc]
    known = {word: _forms(word) for word in set(words)}
    forms = np.array([known[word] for word in words], dtype="uint64").reshape((-1, 4))
    lengths = model.ops.asarray1i([len(doc) for doc in docs])
    return Ragged(model.ops.asarray(forms), lengths), lambda d_forms: []


def _forms(word: str) -> list[int]:
    if len(word) > 1 and word[0] in _MARKS:
        word = word[1:]
    forms = (word, word.lower(), word.title(), word.upper())
    return [get_string_id(form) for form in forms]


def WordSymbols() -> Model[list[Doc], Ragged]:
    """A layer that reads the tokens of Docs as symbols, whatever their case, for a
    lexicon of `word_symbols`.

    RETURNS: (N, 1) int64, a row for each token.
    """
    return Model("word_symbols", _symbols_forward)


def _symbols_forward(
    model: Model[list[Doc], Ragged], docs: list[Doc], is_train: bool
) -> tuple[Ragged, Callable[[Ragged], list[Doc]]]:
    lower = np.array([token.lower for doc in docs for token in doc], dtype="uint64")
    symbols = (lower & _SYMBOL).astype("int64").reshape((-1, 1))
    lengths = model.ops.asarray1i([len(doc) for doc in docs])
    return Ragged(model.ops.asarray(symbols), lengths), lambda d_symbols: []


def word_symbols(words: Sequence[str]) -> tuple[int, ...]:
    """The symbols of a phrase, given by its words."""
    hashes = np.array([get_string_id(word.lower()) for word in words], dtype="uint64")
    return tuple((hashes & _SYMBOL).tolist())
