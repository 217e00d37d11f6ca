"""Vectors of characters from a transformer.

A component `transformer` of spacy-transformers reads the documents, and the model of
`lstm_ner` listens to it:

    Docs ─► strided characters ─► word pieces ─► transformer ─► doc._.trf_data
    doc._.trf_data ─► mean of the pieces that cover a character ─► one vector each

spacy-transformers aligns word pieces to the tokens of what it reads, exactly, by the
character offsets of the pieces. So it is given the characters as tokens: then the
alignment does not depend on the tokenizer of the pipeline.

The layers of spacy-transformers come from the config, so that this module can be
imported without it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from thinc.api import Model, chain, reduce_mean, to_numpy
from thinc.types import Floats2d

from .units import UNITS

Vectors = list[Floats2d]
DocsToVectors = Model[list[Doc], Vectors]

# The names of the layer of this module, and of the one of spacy-transformers that
# listens to the component.
_CHARACTERS = "transformer_characters"
_LISTENER = "transformer-listener"


def strided_characters(
    window: int, stride: int
) -> Callable[[Iterable[Doc]], list[list[Span]]]:
    """`spacy-lstm-ner.strided_characters.v1`: what a transformer reads at once, for
    `get_spans` of a `spacy-transformers.TransformerModel.v3`: windows of the characters
    of each Doc, whatever its tokens are. Other components that listen to this
    transformer get vectors of characters, too.

    window: Number of characters per window. A character has at most one word piece in
        vocabularies for Chinese, so 510 characters fit into a BERT of 512 positions,
        which two special tokens share.
    stride: Number of characters from the start of a window to that of the next one. If
        it is smaller than `window`, windows overlap; a character that is in two has the
        mean of both vectors.
    RETURNS: Gives the windows of each Doc.
    RAISES (ValueError): If not 1 <= stride <= window.
    """
    if not 1 <= stride <= window:
        raise ValueError(
            f"get_spans has window = {window} and stride = {stride}: the stride has to "
            f"be at least 1, and at most the window, or characters are left out."
        )

    # No inner function: a pipeline has to be picklable, for `n_process`.
    return partial(_strided_characters, window=window, stride=stride)


def _strided_characters(
    docs: Iterable[Doc], window: int, stride: int
) -> list[list[Span]]:
    spans = []
    for doc in docs:
        chars = [*doc.text]
        by_char = Doc(doc.vocab, words=chars, spaces=[False] * len(chars))
        # The last window is the first one that reaches the end.
        starts = range(0, max(len(chars) - window, 0) + stride, stride)
        spans.append([by_char[i : i + window] for i in starts if i < len(chars)])
    return spans


def build_transformer_char_embed(transformer: DocsToVectors) -> DocsToVectors:
    """`spacy-lstm-ner.TransformerCharEmbed.v1`: the vector of each character from a
    transformer: the mean of the word pieces that cover it. Characters that share a word
    piece, as those of a number do, share its vector. A character without one, as white
    space in most vocabularies, has zeros. For the slot `embed` of `spacy.Tok2Vec.v2`.

    transformer: `spacy-transformers.TransformerListener.v1`, for a component
        `transformer` that reads `spacy-lstm-ner.strided_characters.v1`.
    RAISES (ValueError): When it is called: if there is not one vector per character, or
        if a letter or digit has none, since the window is longer than the transformer
        can read.
    """
    if "replace_listener" in transformer.attrs:
        # What `nlp.replace_listeners` leaves in the config in place of the listener.
        transformer = _own_transformer(transformer)
    return Model(_CHARACTERS, _forward, init=_init, layers=[transformer])


def _own_transformer(transformer: Model) -> DocsToVectors:
    """The layers of a listener that has been replaced by a transformer."""
    from spacy_transformers.layers import trfs2arrays

    listener = transformer.attrs["replace_listener"](transformer)
    vectors: DocsToVectors = chain(listener, trfs2arrays(reduce_mean(), 1.0))
    return vectors


def _init(model: DocsToVectors, X: list[Doc] | None = None, Y: object = None) -> None:
    transformer: DocsToVectors = model.layers[0]
    if X and lacks_vectors(transformer, X):
        _width(transformer)  # an error says what is missing
    # A listener gives zeros, one per token.
    transformer.initialize(X=X)


def _forward(
    model: DocsToVectors, docs: list[Doc], is_train: bool
) -> tuple[Vectors, Callable[[Vectors], list[Doc]]]:
    transformer: DocsToVectors = model.layers[0]
    lengths = [UNITS["char"].count(doc) for doc in docs]
    if not is_train and lacks_vectors(transformer, docs):
        # As other listeners do, so that sizes can be inferred; `lstm_ner` refuses Docs
        # without vectors before it predicts.
        width = _width(transformer)
        zeros: Vectors = [model.ops.alloc2f(length, width) for length in lengths]
        return zeros, lambda d_vectors: []
    backprop: Callable[[Vectors], list[Doc]]
    vectors, backprop = transformer(docs, is_train)
    for doc, rows, length in zip(docs, vectors, lengths, strict=True):
        _check_rows(doc, rows, length)
    # A Doc without text comes with the width 0.
    width = max((rows.shape[1] for rows in vectors), default=0)
    vectors = [rows if len(rows) else model.ops.alloc2f(0, width) for rows in vectors]
    return vectors, backprop


def _check_rows(doc: Doc, rows: Floats2d, length: int) -> None:
    """RAISES (ValueError): If there are vectors of something else than the characters,
    or if word pieces have been cut off."""
    if len(rows) != length:
        raise ValueError(
            f"spacy-lstm-ner.TransformerCharEmbed.v1 requires a vector for each of "
            f"{length} characters, but the transformer gives {len(rows)}: set "
            f'@span_getters = "spacy-lstm-ner.strided_characters.v1" in '
            f"[components.transformer.model.get_spans]."
        )
    # A mean of word pieces is never exactly zero.
    without = np.flatnonzero(~to_numpy(rows.any(axis=1)))
    if not len(without):
        return
    text = doc.text
    for i in without.tolist():
        # Tokenizers drop white space, control characters and accents, but no letters.
        if text[i].isalnum():
            raise ValueError(
                f"The transformer gives no vector for the character {text[i]!r} at {i} "
                f"of {text[:40]!r}: it cannot read as many word pieces at once. Set a "
                f"smaller window in [components.transformer.model.get_spans]."
            )


def reads_transformer_characters(model: Model) -> bool:
    """Return whether a model has a `TransformerCharEmbed`."""
    return any(node.name == _CHARACTERS for node in model.walk())


def lacks_vectors(model: Model, docs: Iterable[Doc]) -> bool:
    """Return whether a model listens to a transformer that has not read all Docs."""
    if not any(node.name == _LISTENER for node in model.walk()):
        return False
    # Without a component there is no attribute either.
    has_attribute = Doc.has_extension("trf_data")
    return any(
        len(doc) and not (has_attribute and doc._.trf_data is not None) for doc in docs
    )


def _width(model: Model) -> int:
    """RETURNS (int): The width of the vectors.
    RAISES (ValueError): If the model listens to no transformer.
    """
    (listener,) = (node for node in model.walk() if node.name == _LISTENER)
    width: int | None = listener.maybe_get_dim("nO")
    if width is None:
        raise ValueError(
            "spacy-lstm-ner.TransformerCharEmbed.v1 listens to a component "
            "transformer, but there is none before it in [nlp.pipeline] that is "
            "initialized."
        )
    return width


def load_transformer() -> Callable[[Language], None]:
    """`spacy-lstm-ner.LoadTransformer.v1`: a callback for `[initialize.before_init]`
    that loads the pretrained weights of transformers. A transformer does this itself
    when it is initialized, but spaCy does not initialize a component of
    `[training.frozen_components]`.

    RETURNS: The callback. It raises a ValueError if there is no such transformer.
    """

    def before_init(nlp: Language) -> None:
        # Also those that are disabled, as frozen components are at this time.
        pipes: list[Any] = [pipe for _, pipe in nlp.components]
        for pipe in pipes:
            attrs = getattr(getattr(pipe, "model", None), "attrs", {})
            if "has_transformer" not in attrs:
                continue
            try:
                pipe.initialize(lambda: [])
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"The transformer {attrs['name']!r} cannot be loaded. Set "
                    f"paths.transformer to its name on the Hugging Face hub, or to a "
                    f"folder with its weights, config.json and tokenizer: {error}"
                ) from error
            for other in pipes:
                pipe.find_listeners(other)

    return before_init
