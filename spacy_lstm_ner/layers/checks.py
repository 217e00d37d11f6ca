"""Checks of layers that were loaded from a file."""

from collections.abc import Callable

from thinc.api import Model

from .embed import KINDS as CHAR_EMBED_KINDS
from .embed import check_char_embed, check_hash_char_embed
from .jieba_tagger import check_jieba_tagger_embed
from .lexicon import check_lexicon_embed
from .recurrent import n_directions
from .word_table import check_word_table_embed


def check_cell(model: Model) -> None:
    """RAISES (ValueError): If a parameter does not have the shape that an `LSTMCell` or
    `RNNCell` of this size has."""
    if not model.has_param("b"):
        return
    gates = {"lstm_cell": 4, "rnn_cell": 1}[model.name]
    nI, nO = model.get_dim("nI"), model.get_dim("nO")
    columns = gates * nO
    for name, shape in (
        ("Wx", (nI, columns)),
        ("Wh", (nO, columns)),
        ("b", (columns,)),
    ):
        found = model.get_param(name).shape
        if found != shape:
            raise ValueError(
                f"the parameter {name} of {model.name} has the shape {found}, and "
                f"should have {shape}"
            )


def check_recurrent_layer(model: Model) -> None:
    """RAISES (ValueError): If an attribute has a value that no `LSTM` or `RNN` with
    this number of cells has."""
    bi, depth, rate = (model.attrs[name] for name in ("bi", "depth", "dropout_rate"))
    if not isinstance(bi, bool) or depth * n_directions(model) != len(model.layers):
        raise ValueError(
            f"{model.name} has bi = {bi!r:.40} and depth = {depth!r:.40}, which do not "
            f"match its {len(model.layers)} cells"
        )
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise ValueError(f"{model.name} has dropout_rate = {rate!r:.40}")


#: By the name of a layer, what checks it after loading.
LAYER_CHECKS: dict[str, Callable[[Model], None]] = {
    "lstm_cell": check_cell,
    "rnn_cell": check_cell,
    "lstm": check_recurrent_layer,
    "rnn": check_recurrent_layer,
    "hash_char_embed": check_hash_char_embed,
    "jieba_tagger_embed": check_jieba_tagger_embed,
    "lexicon_embed": check_lexicon_embed,
    "word_table_embed": check_word_table_embed,
    **{f"char_embed_{kind}": check_char_embed for kind in CHAR_EMBED_KINDS},
}
