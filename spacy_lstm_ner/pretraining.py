"""`spacy pretrain` for characters: read plain text before learning what entities are.

spaCy's own objectives want one vector a token. This one is for a tok2vec of characters.
The forward half of the LSTM guesses the next character that it has not read, and the
backward half the one before, as in Akbik, Blythe & Vollgraf (2018):

    texts ─► tok2vec ─┬─► forward half ──► scores of the character that comes
                      └─► backward half ─► scores of the character that came before

The embedding may read a few neighbours, too: pairs of characters show the next one. So
it is the first character beyond them that is asked for.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Linear, Model, Ops
from thinc.types import Floats2d

from .units import code_points

Docs = list[Doc]


def build_pretrain_neighbours(
    buckets: int,
) -> Callable[[Vocab, Model[Docs, list[Floats2d]]], Model[Docs, list[Floats2d]]]:
    """`spacy-lstm-ner.PretrainNeighbours.v1`: for `[pretraining.objective]`, with
    `component = "lstm_ner"` and `layer = "tok2vec"`.

    buckets (int): Characters are told apart by their code point modulo this number.
    RETURNS (Callable): Makes the model to train from a vocab and a tok2vec. It raises a
        ValueError for a tok2vec that does not read characters of any text, or whose
        halves do not each read in one direction.
    """
    if buckets < 2:
        raise ValueError(f"At least 2 buckets are needed, not {buckets}.")
    return partial(_build, buckets)


def _build(
    buckets: int, vocab: Vocab, tok2vec: Model[Docs, list[Floats2d]]
) -> Model[Docs, list[Floats2d]]:
    nodes = list(tok2vec.walk())
    if not any(node.name == "hash_char_embed" for node in nodes):
        raise ValueError(
            "PretrainNeighbours is for a tok2vec on HashCharEmbed, which reads all "
            "characters there are. For one that reads tokens there are objectives of "
            "spaCy: spacy.PretrainCharacters.v1, spacy.PretrainVectors.v1."
        )
    if any(node.name == "lexicon_embed" for node in nodes):
        raise ValueError(
            "PretrainNeighbours does not go with a lexicon: the words of a text show "
            "the characters that it asks for. Set lexicon_width = 0."
        )
    directions = [node.attrs["bi"] for node in nodes if node.name == "lstm"]
    deep = any(node.attrs["depth"] > 1 for node in nodes if node.name == "lstm")
    if not directions or (any(directions) and (deep or len(directions) > 1)):
        raise ValueError(
            "PretrainNeighbours needs an LSTM that has one layer or reads in one "
            "direction only: a second layer on both directions has read what it is "
            "asked for."
        )
    width = tok2vec.get_dim("nO") // (2 if any(directions) else 1)
    heads = [Linear(buckets, width) for _ in range(tok2vec.get_dim("nO") // width)]
    model: Model[Docs, list[Floats2d]] = Model(
        "pretrain_neighbours",
        _forward,
        init=_init,
        layers=[tok2vec, *heads],
        refs={"tok2vec": tok2vec},
    )
    reach = max(n.attrs["longest"] for n in nodes if n.name == "hash_char_embed")
    model.attrs["loss"] = partial(neighbours_loss, reach)
    return model


def _init(model: Model, X: Docs | None = None, Y: None = None) -> None:
    tok2vec, *heads = model.layers
    tok2vec.initialize(X=X)
    for head in heads:
        head.initialize()


def _forward(
    model: Model[Docs, list[Floats2d]], docs: Docs, is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], Docs]]:
    """Scores of the buckets at each character: (N, buckets) for each half."""
    tok2vec, *heads = model.layers
    vectors, backprop_tok2vec = tok2vec(docs, is_train)
    halves = model.ops.xp.split(model.ops.xp.concatenate(vectors), len(heads), axis=1)
    guesses = [
        head(model.ops.as_contig(half), is_train)
        for head, half in zip(heads, halves, strict=True)
    ]

    def backprop(d_scores: list[Floats2d]) -> Docs:
        d_halves = [
            backprop_head(d)
            for (_, backprop_head), d in zip(guesses, d_scores, strict=True)
        ]
        lengths = [len(doc_vectors) for doc_vectors in vectors]
        rows = model.ops.xp.hstack(d_halves)
        return backprop_tok2vec(model.ops.unflatten(rows, lengths))

    return [scores for scores, _ in guesses], backprop


def neighbours_loss(
    reach: int, ops: Ops, docs: Docs, scores: list[Floats2d]
) -> tuple[float, list[Floats2d]]:
    """How improbable the characters are that stand so far ahead and behind.

    reach (int): How far.
    scores (list[Floats2d]): (N, buckets), forwards; and once more backwards, if the
        encoder reads in both directions.
    RETURNS (tuple[float, list[Floats2d]]): The negative log-likelihood, summed, and the
        gradient of its mean by the scores.
    """
    texts = [doc.text for doc in docs]
    buckets = scores[0].shape[1]
    targets = code_points(texts).astype("int64") % buckets
    text_of_row = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    loss, gradients = 0.0, []
    for half, step in zip(scores, (reach, -reach), strict=False):
        there = np.arange(len(targets)) + step
        inside = (there >= 0) & (there < len(targets))
        inside[inside] = text_of_row[there[inside]] == text_of_row[inside]
        rows = ops.asarray1i(np.flatnonzero(inside))
        wanted = ops.asarray1i(targets[there[inside]])
        d_half = ops.xp.zeros_like(half)
        probabilities = ops.softmax(half[rows])
        at = (ops.xp.arange(len(rows)), wanted)
        loss -= float(ops.xp.log(probabilities[at] + 1e-30).sum())
        probabilities[at] -= 1.0
        d_half[rows] = probabilities / max(len(rows), 1)
        gradients.append(d_half)
    return loss, gradients
