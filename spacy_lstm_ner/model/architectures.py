"""The registered architectures: embeddings, encoders, and the NER model.

They are combined as in spaCy's own models, and can be used in those, too:

    Docs ─► embed ─► one vector per unit ─► encode ─► one vector per unit ─► tag scores
            └──────────── spacy.Tok2Vec.v2 ─────────────┘
            └──────── spacy-lstm-ner.NER.v1 or spacy-lstm-ner.NestedNER.v1 ───────────┘
"""

from collections.abc import Callable, Sequence
from itertools import accumulate

from spacy.tokens import Doc
from thinc.api import (
    Model,
    chain,
    concatenate,
    list2ragged,
    ragged2list,
    with_array,
)
from thinc.layers.chain import forward as chain_forward
from thinc.layers.chain import init as chain_init
from thinc.types import Floats2d, Ragged

from ..layers import (
    CRF,
    LSTM,
    RNN,
    CharEmbed,
    HashCharEmbed,
    JiebaTaggerEmbed,
    LabelCRFs,
    LexiconEmbed,
    TorchLSTM,
    WordTableEmbed,
)
from ..layers.embed import Kind, side_by_side
from ..layers.linear import Linear
from .compiled_scores import compiled_scores
from .units import Characters
from .words import WordForms, WordSymbols

# In a trained model, a new tag is less probable than "O" by a factor of exp(5), about
# 150.
NEW_TAG_MARGIN = 5.0
Vectors = list[Floats2d]
DocsToVectors = Model[list[Doc], Vectors]
VectorsToVectors = Model[Vectors, Vectors]


def build_hash_char_embed(
    width: int, rows: Sequence[int], ngram_dropout: float, lexicon_width: int = 0
) -> DocsToVectors:
    """`spacy-lstm-ner.HashCharEmbed.v1`: hash embeddings of the characters and n-grams
    of each Doc's text, one vector per character. For the slot `embed` of
    `spacy.Tok2Vec.v2`.

    width: Width of the vector of each n-gram. With 1, 2 or 3 numbers of rows, 1, 3 or 6
        of them are concatenated.
    rows: Number of rows of the tables for characters, pairs, triples.
    ngram_dropout: In training, the probability that an occurrence of a pair or triple
        is dropped.
    lexicon_width: Width of an additional vector for the words of a lexicon that contain
        the character, see layers/lexicon.py. 0: no lexicon. Only for the model of
        `lstm_ner`, whose `initialize` sets the lexicon.
    """
    vectors = HashCharEmbed(width, rows=rows, ngram_dropout=ngram_dropout)
    if lexicon_width:
        vectors = side_by_side(vectors, LexiconEmbed(lexicon_width))
    return _char_embed(vectors)


def build_jieba_tagger_embed(
    embed: DocsToVectors,
    width: int,
    parts: Sequence[str] = ("hidden", "tags"),
    dropout: float = 0.25,
) -> DocsToVectors:
    """`spacy-lstm-ner.JiebaTaggerEmbed.v1`: an embedding of characters, and beside it
    what the part-of-speech tagger in the package jieba says of each character, see
    layers/jieba_tagger.py.

    embed: The other embedding: `spacy-lstm-ner.HashCharEmbed.v1`.
    width: Width of the additional vector.
    parts: What to use of the tagger: "characters" (its embedding), "hidden" (the hidden
        states of its layers) and "tags" (their probabilities).
    dropout: In training, the probability that one of these features of a character is
        dropped.
    RAISES (ValueError): If an argument is not valid.
    """
    vectors = embed.layers[1] if len(embed.layers) == 3 else None
    if vectors is None or vectors.name not in ("hash_char_embed", "side_by_side"):
        raise ValueError(
            "The embedding beside spacy-lstm-ner.JiebaTaggerEmbed.v1 has to be "
            "spacy-lstm-ner.HashCharEmbed.v1."
        )
    others = vectors.layers if vectors.name == "side_by_side" else [vectors]
    tagger = JiebaTaggerEmbed(width, parts=parts, dropout=dropout)
    return _char_embed(side_by_side(*others, tagger))


def build_word_embed(
    embed: DocsToVectors, width: int, lexicon_width: int = 0
) -> DocsToVectors:
    """`spacy-lstm-ner.WordEmbed.v1`: an embedding of tokens, and beside it what a table
    of clusters and frequencies says of each word, see layers/word_table.py. For `unit =
    "token"` and languages that separate words; the table is set by `initialize` of
    `lstm_ner`.

    embed: The other embedding, such as `spacy.MultiHashEmbed.v2`.
    width: Width of each of the five vectors for the table. 0: no table.
    lexicon_width: Width of an additional vector for the phrases of a lexicon that
        contain the token, whatever their case. 0: no lexicon.
    RAISES (ValueError): If an argument is not valid.
    """
    layers: list[Model[list[Doc], Ragged]] = [chain(embed, list2ragged())]
    if width:
        layers.append(chain(WordForms(), WordTableEmbed(width)))
    if lexicon_width:
        layers.append(chain(WordSymbols(), LexiconEmbed(lexicon_width)))
    return chain(concatenate(*layers), ragged2list())


def _char_embed(vectors: Model[Ragged, Ragged]) -> DocsToVectors:
    """From an embedding of code points to one of the characters of Docs."""
    model = chain(Characters(), vectors, ragged2list())
    model.set_dim("nO", vectors.get_dim("nO"))
    return model


def build_char_embed(width: int | None, kind: Kind) -> DocsToVectors:
    """`spacy-lstm-ner.CharEmbed.v1`: a vector for each character of the training data.
    For the slot `embed` of `spacy.Tok2Vec.v2` in the model of `lstm_ner`, which passes
    all training texts to `initialize`.

    width: Width of the vectors; null for "onehot".
    kind: "learned", "onehot", "normal" or "uniform"; all but "learned" are not trained.
    """
    model = chain(Characters(), with_array(CharEmbed(width, kind=kind)), ragged2list())
    if width is not None:
        model.set_dim("nO", width)
    return model


def build_lstm_encoder(width: int, depth: int, bi: bool) -> VectorsToVectors:
    """`spacy-lstm-ner.LSTMEncoder.v1`: an LSTM over the vectors of each Doc, without
    PyTorch. For the slot `encode` of `spacy.Tok2Vec.v2`, and so for any component with
    a tok2vec, such as spaCy's `ner`.

    The dropout rate is spaCy's setting `training.dropout`, as for all layers of a
    pipeline.

    width: Width of the output. If `bi` is set, it has to be even, since each direction
        gives half of it.
    depth: Number of layers.
    bi: Read in both directions.
    """
    return _encoder(LSTM(width, bi=bi, depth=depth))


def build_torch_lstm_encoder(width: int, depth: int, bi: bool) -> VectorsToVectors:
    """`spacy-lstm-ner.TorchLSTMEncoder.v1`: the same with `torch.nn.LSTM`. Each of the
    two can load weights that the other one has saved. Arguments as for
    `spacy-lstm-ner.LSTMEncoder.v1`."""
    return _encoder(TorchLSTM(width, bi=bi, depth=depth))


def build_rnn_encoder(width: int, depth: int, bi: bool) -> VectorsToVectors:
    """`spacy-lstm-ner.RNNEncoder.v1`: a plain recurrent network (Elman, 1990),
    for comparison with an LSTM. Arguments as for `spacy-lstm-ner.LSTMEncoder.v1`."""
    return _encoder(RNN(width, bi=bi, depth=depth))


def build_lstm_stack_encoder(
    width: int, linear_width: int, depth: int, bi: bool
) -> VectorsToVectors:
    """`spacy-lstm-ner.LSTMStackEncoder.v1`: LSTMs with linear layers between them.

    width: Width of the output of each LSTM.
    linear_width: Width of the linear layers.
    depth: Number of LSTMs.
    bi: Read in both directions.
    """
    return _stack_encoder(LSTM, width, linear_width, depth, bi)


def build_rnn_stack_encoder(
    width: int, linear_width: int, depth: int, bi: bool
) -> VectorsToVectors:
    """`spacy-lstm-ner.RNNStackEncoder.v1`: plain recurrent networks with linear layers
    between them. Arguments as for `spacy-lstm-ner.LSTMStackEncoder.v1`."""
    return _stack_encoder(RNN, width, linear_width, depth, bi)


def _stack_encoder(
    layer: Callable[..., Model], width: int, linear_width: int, depth: int, bi: bool
) -> VectorsToVectors:
    if depth < 1 or linear_width < 1:
        raise ValueError(
            f"depth and linear_width have to be at least 1, not {depth} and "
            f"{linear_width}."
        )
    layers: list[Model] = [layer(width, bi=bi)]
    for _ in range(depth - 1):
        layers.append(with_array(Linear(linear_width, width)))
        layers.append(layer(width, linear_width, bi=bi))
    return _encoder(*layers)


def _encoder(*layers: Model) -> VectorsToVectors:
    """Chain layers over ragged batches to one over lists, as spaCy passes them."""
    model = chain(list2ragged(), *layers, ragged2list())
    model.set_dim("nO", layers[-1].get_dim("nO"))
    return model


def build_ner(
    tok2vec: DocsToVectors, nO: int | None = None, crf: bool = True
) -> DocsToVectors:
    """`spacy-lstm-ner.NER.v1`: the model of `lstm_ner`. It consists of a tok2vec, a
    linear layer that computes the emission scores of the tags, and a CRF that scores
    their transitions.

    tok2vec: Gives one vector per unit of the component: per character, or with `unit =
        "token"` per token.
    nO: Number of tags. None: it is set by `initialize`.
    crf: Learn transition scores. Otherwise tags are trained independently, with a
        softmax. The best path is legal in both cases.
    RETURNS: The emission scores of each Doc, (units, nO).
    """
    model = _with_scores(tok2vec, nO, CRF(nO, learned=crf))
    model.attrs["resize_output"] = _resize_output
    return model


def build_nested_ner(
    tok2vec: DocsToVectors, nO: int | None = None, crf: bool = True
) -> DocsToVectors:
    """`spacy-lstm-ner.NestedNER.v1`: the model of `lstm_nested_ner`. As
    `spacy-lstm-ner.NER.v1`, but with a CRF for the entities of each label, and further
    ones for entities inside of those, see layers/label_crfs.py.

    tok2vec: Gives one vector per unit of the component: per character, or with `unit =
        "token"` per token.
    nO: Number of emission scores of a unit. None: it is set by `initialize`.
    crf: Learn transition scores. Otherwise tags are trained independently, with a
        softmax for each label.
    RETURNS: The emission scores of each Doc, (units, nO).
    """
    model = _with_scores(tok2vec, nO, LabelCRFs(learned=crf))
    model.attrs["resize_output"] = _resize_nested_output
    return model


def _with_scores(
    tok2vec: DocsToVectors, nO: int | None, tag_order: Model[Vectors, Vectors]
) -> DocsToVectors:
    """A tok2vec, the linear layer that computes nO emission scores, and a `CRF` or
    `LabelCRFs` layer."""
    output = Linear(nO, tok2vec.maybe_get_dim("nO"))
    chained: DocsToVectors = chain(tok2vec, with_array(output), tag_order)
    model: DocsToVectors = Model(
        chained.name,
        _ner_forward,
        init=chain_init,
        dims={name: chained.maybe_get_dim(name) for name in chained.dim_names},
        layers=chained.layers,
    )
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output)
    model.set_ref("crf", tag_order)
    return model


def _ner_forward(
    model: DocsToVectors, docs: list[Doc], is_train: bool
) -> tuple[Vectors, Callable[[Vectors], list[Doc]]]:
    if not is_train:
        texts = [doc.text for doc in docs]
        scores = compiled_scores(model, texts)
        if scores is not None:
            ends = accumulate(map(len, texts))
            rows = zip(texts, ends, strict=True)
            return [scores[end - len(text) : end] for text, end in rows], lambda dY: []
    outputs: tuple[Vectors, Callable[[Vectors], list[Doc]]]
    outputs = chain_forward(model, docs, is_train)
    return outputs


def _resize_output(model: Model, nO: int) -> Model:
    """Add tags. The existing tags keep their ids and weights.

    A new tag is initialized as a copy of tag 0, "O", with a lower bias. So any path has
    a higher score with "O" in its place, and the best path contains no new tag before
    it is trained.
    """
    for name in ("output_layer", "crf"):
        old = model.get_ref(name)
        new: Model = (
            Linear(nO, old.get_dim("nI"))
            if name == "output_layer"
            else CRF(nO, learned=old.attrs["learned"])
        )
        for param in old.param_names:
            array = old.get_param(param)
            source = old.ops.xp.arange(nO)
            source[len(array) :] = 0
            # Extend each axis over tags.
            axes = [source] * {"transitions": 2}.get(param, 1)
            larger = array[old.ops.xp.ix_(*axes)]
            if param == "b":
                larger[len(array) :] -= NEW_TAG_MARGIN
            new.set_param(param, larger)
        _replace_layer(model, old, new)
    return model


def _resize_nested_output(model: Model, nO: int) -> Model:
    """Add CRFs. The existing ones keep their numbers and weights.

    The best path of a new one has no entity before it is trained: all of its scores are
    0, but for the lower biases of the tags of entities.
    """
    output, crfs = model.get_ref("output_layer"), model.get_ref("crf")
    n_tags = crfs.get_dim("nT")
    n_old, n_new = output.get_dim("nO"), nO // n_tags
    xp = output.ops.xp
    W, b = output.get_param("W"), output.get_param("b")
    W = xp.concatenate((W, xp.zeros((nO - n_old, W.shape[1]), dtype=W.dtype)))
    b = xp.concatenate((b, xp.full(nO - n_old, -NEW_TAG_MARGIN, dtype=b.dtype)))
    b[n_old::n_tags] = 0.0  # "O"
    larger: Model = Linear(nO, output.get_dim("nI"))
    larger.set_param("W", W)
    larger.set_param("b", b)
    more: Model = LabelCRFs(n_new, n_tags, learned=crfs.attrs["learned"])
    for name in crfs.param_names:
        old = crfs.get_param(name)
        array = crfs.ops.xp.zeros((n_new, *old.shape[1:]), dtype=old.dtype)
        array[: len(old)] = old
        more.set_param(name, array)
    _replace_layer(model, output, larger)
    _replace_layer(model, crfs, more)
    return model


def _replace_layer(model: Model, old: Model, new: Model) -> None:
    """Put a larger layer into the place of another one: a new layer, since optimizers
    store averages in the shapes of the old one."""
    parents = [node for node in model.walk() if old in node.layers]
    model.replace_node(old, new)
    for node in parents:
        if node.has_dim("nO"):
            node.set_dim("nO", new.get_dim("nO"), force=True)
