"""Features of characters from the part-of-speech tagger inside the package jieba.

jieba 0.42 and later contain the weights of a small tagger, two layers of bidirectional
GRUs that read characters (Jiao, Sun & Sun, "Chinese Lexical Analysis with Deep
Bi-GRU-CRF Network", 2018), which were trained on far more text than any data set for
named entities has. jieba itself runs it with PaddlePaddle; here, its arrays are read
from the installed package, and used as they are: the tagger is not trained further.

The weights have no license notice of their own (jieba is MIT, the code beside them
Apache 2.0). So a saved pipeline does not contain them, only their hash, and requires
jieba.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from thinc.api import Model, glorot_uniform_init, to_numpy
from thinc.types import Floats2d, Ragged

from .gru import FrozenGRU, GRUWeights
from .packing import pack_on_cpu

#: What a pipeline with the tagger requires, and what it says of it.
REQUIREMENT = "jieba>=0.42,<0.43"
SOURCE = {
    "name": "tagger in jieba",
    "url": "https://github.com/fxsjy/jieba",
    "license": "not stated; jieba: MIT. Not contained in this pipeline",
}
#: What can be used of the tagger for each character: its embedding, the hidden states
#: of both layers, and the probabilities of the tags.
PARTS = ("characters", "hidden", "tags")
_WIDTH = 128
_WORDS = 20_941
_INPUTS = (_WIDTH, _WIDTH, 2 * _WIDTH, 2 * _WIDTH)
_TAGS = 57
# The hash of all arrays and both dictionaries, as in jieba 0.42 and 0.42.1.
KNOWN_HASH = "a3f3c2eaa04524c01abedb0e9eb73502f887afee02fc24f6ec55972fe9699b95"


class Tagger(NamedTuple):
    """The arrays of the tagger.

    rows: (code points,) the row of each character in the embedding.
    embedding: (words, 128)
    layers: The two layers.
    W: (256, tags) of the output layer.
    b: (tags,) of the output layer.
    hash: The hash of its files.
    """

    rows: np.ndarray
    embedding: Floats2d
    layers: tuple[FrozenGRU, FrozenGRU]
    W: Floats2d
    b: np.ndarray
    hash: str


@lru_cache(maxsize=1)
def load_tagger() -> Tagger:
    """Read the tagger of the installed jieba.

    RETURNS: The tagger.
    RAISES (ImportError): If jieba is not installed.
    RAISES (ValueError): If its files are not those that are known.
    """
    spec = find_spec("jieba")
    if spec is None or spec.origin is None:
        raise ImportError(
            "This pipeline uses the tagger inside the package jieba, which is not "
            'installed: pip install "spacy-lstm-ner[lexicon]"'
        )
    folder = Path(spec.origin).parent / "lac_small"
    digest = sha256()
    try:
        tagger = _read(folder, digest.update)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder}: the tagger of jieba cannot be read: {error}. Install jieba "
            f"0.42.1"
        ) from None
    if (found := digest.hexdigest()) != KNOWN_HASH:
        raise ValueError(
            f"{folder}: the files of jieba's tagger are not those of jieba 0.42.1 "
            f"(their hash is {found:.12}, not {KNOWN_HASH:.12}). Install jieba 0.42.1"
        )
    return tagger._replace(hash=found)


def _read(folder: Path, update: Callable[[bytes], object]) -> Tagger:
    """Read the files of the tagger.

    folder: Their folder.
    update: Called with the content of each file.
    """

    def content(name: str) -> bytes:
        data = (folder / name).read_bytes()
        update(data)
        return data

    def array(name: str, *shape: int) -> np.ndarray:
        # The header has a variable length; the values are at the end.
        data = content(f"model_baseline/{name}")
        size = 4 * int(np.prod(shape))
        if len(data) < size:
            raise ValueError(f"{name} has {len(data)} bytes, fewer than {size}")
        return np.frombuffer(data[-size:], "<f4").astype("float32").reshape(shape)

    rows = _rows_of_characters(content("word.dic").decode("utf8"))
    directions = []
    for i, inputs in enumerate(_INPUTS):
        # The hidden state's weights: (n, 2 n) for the gates, then (n, n).
        U = array(f"gru_{i}.w_0", 3 * _WIDTH * _WIDTH)
        gates, candidate = np.split(U, [2 * _WIDTH * _WIDTH])
        b = array(f"fc_{i}.b_0", 3 * _WIDTH) + array(f"gru_{i}.b_0", 3 * _WIDTH)
        directions.append(
            GRUWeights(
                array(f"fc_{i}.w_0", inputs, 3 * _WIDTH),
                b,
                gates.reshape(_WIDTH, 2 * _WIDTH),
                candidate.reshape(_WIDTH, _WIDTH),
            )
        )
    return Tagger(
        rows,
        array("word_emb", _WORDS, _WIDTH),
        (FrozenGRU(*directions[:2]), FrozenGRU(*directions[2:])),
        array("fc_4.w_0", 2 * _WIDTH, _TAGS),
        array("fc_4.b_0", _TAGS),
        hash="",
    )


def _rows_of_characters(dictionary: str) -> np.ndarray:
    """(code points,) int32: the row of each character, from lines with a row and a
    word, which may be "OOV", for all others."""
    known: dict[str, int] = {}
    for line in dictionary.split("\n"):
        row, separator, word = line.partition("\t")
        if separator:
            known[word] = int(row)
    if max(known.values()) >= _WORDS:
        raise ValueError(f"word.dic has more than {_WORDS} words")
    rows = np.full(0x110000, known["OOV"], dtype="int32")
    for word in known:
        if len(word) == 1:
            rows[ord(word)] = known[word]
    return rows


def tagger_features(
    tagger: Tagger, codes: np.ndarray, lengths: np.ndarray, parts: Sequence[str]
) -> Floats2d:
    """Compute what the tagger says of each character.

    tagger: The tagger.
    codes: (N,) code points of texts, one after the other.
    lengths: (B,) number of characters of each text.
    parts: Which of `PARTS`, in this order.
    RETURNS: (N, features)
    """
    X: Floats2d = tagger.embedding[tagger.rows[codes]]
    found = {"characters": [X]}
    if set(parts) - {"characters"}:
        packing = pack_on_cpu(lengths, len(codes))
        hidden = []
        for layer in tagger.layers:
            X = layer(X, packing)
            hidden.append(X)
        found["hidden"] = hidden
        if "tags" in parts:
            found["tags"] = [_softmax(X @ tagger.W + tagger.b)]
    features: Floats2d = np.concatenate(
        [array for part in PARTS if part in parts for array in found[part]], axis=1
    )
    return features


def _softmax(scores: Floats2d) -> Floats2d:
    exponentials: Floats2d = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def feature_width(parts: Sequence[str]) -> int:
    """The number of features of these parts."""
    widths = {"characters": _WIDTH, "hidden": 4 * _WIDTH, "tags": _TAGS}
    return sum(widths[part] for part in parts)


def JiebaTaggerEmbed(
    nO: int, *, parts: Sequence[str] = ("hidden", "tags"), dropout: float = 0.25
) -> Model[Ragged, Ragged]:
    """A linear function of what jieba's tagger says of each character. The tagger is
    not trained, and not saved.

    nO: Width of the vectors.
    parts: What to use of it: "characters", "hidden" and "tags", see `PARTS`.
    dropout: In training, the probability that a feature of a character is dropped.
    RETURNS: From code points (N, 1) to vectors (N, nO), with the parameter E (features,
        nO).
    RAISES (ValueError): If an argument is not valid.
    """
    if nO < 1:
        raise ValueError(f"The width of an embedding has to be at least 1, not {nO}.")
    if not parts or set(parts) - set(PARTS) or len(set(parts)) < len(parts):
        raise ValueError(f"The parts of the tagger are some of {PARTS}, not {parts}.")
    if not 0 <= dropout < 1:
        raise ValueError(
            f"The dropout has to be at least 0 and below 1, not {dropout}."
        )
    return Model(
        "jieba_tagger_embed",
        tagger_forward,
        init=_init,
        dims={"nO": nO, "nI": feature_width(parts)},
        params={"E": None},
        attrs={"parts": [part for part in PARTS if part in parts], "dropout": dropout},
    )


def check_jieba_tagger_embed(model: Model[Ragged, Ragged]) -> None:
    """RAISES (ValueError): If an attribute or a parameter has a value that no
    `JiebaTaggerEmbed` has."""
    parts, dropout = model.attrs["parts"], model.attrs["dropout"]
    if (
        not isinstance(parts, list)
        or not parts
        or parts != [part for part in PARTS if part in parts]
    ):
        raise ValueError(f"jieba_tagger_embed has parts = {parts!r:.40}")
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ValueError(f"jieba_tagger_embed has dropout = {dropout!r:.40}")
    shape = (feature_width(parts), model.get_dim("nO"))
    if model.has_param("E") and model.get_param("E").shape != shape:
        raise ValueError(
            f"the parameter E of jieba_tagger_embed has the shape "
            f"{model.get_param('E').shape}, and should have {shape}"
        )


def _init(
    model: Model[Ragged, Ragged], X: Ragged | None = None, Y: Ragged | None = None
) -> None:
    load_tagger()
    shape = (model.get_dim("nI"), model.get_dim("nO"))
    model.set_param("E", glorot_uniform_init(model.ops, shape))


def model_features(
    model: Model[Ragged, Ragged], codes: np.ndarray, lengths: np.ndarray
) -> Floats2d:
    """`tagger_features` with the parts of a `JiebaTaggerEmbed`."""
    return tagger_features(load_tagger(), codes, lengths, model.attrs["parts"])


def tagger_forward(
    model: Model[Ragged, Ragged], Xr: Ragged, is_train: bool
) -> tuple[Ragged, Callable[[Ragged], Ragged]]:
    features = model_features(model, to_numpy(Xr.dataXd).ravel(), to_numpy(Xr.lengths))
    F: Floats2d = model.ops.asarray(features)
    if is_train:
        F = F * model.ops.get_dropout_mask(F.shape, model.attrs["dropout"])
    E: Floats2d = model.get_param("E")

    def backprop(dYr: Ragged) -> Ragged:
        model.inc_grad("E", F.T @ dYr.dataXd)
        return Ragged(model.ops.xp.zeros_like(Xr.dataXd), Xr.lengths)

    return Ragged(F @ E, Xr.lengths), backprop
