"""Pretraining of the encoder: a masked language model on characters.

    texts, some characters masked ─► tok2vec ─► vectors at masks ─► scores of characters

The encoder learns to predict masked characters from their context, as in Devlin et al.
(2019, section 3.1), except that a chosen character is always replaced by the mask.
N-grams and words of a lexicon are looked up in the masked text, so they do not reveal
the masked characters.

With the setting `pretrain_steps`, `lstm_ner` pretrains its encoder on the training
texts, and on more texts if there are any. This happens when training begins, not in
`initialize`, which many commands call that do not train. For `spacy pretrain`, there is
the objective `spacy-lstm-ner.PretrainMaskedCharacters.v1`; spaCy does not give a
lexicon to the model that it pretrains.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Adam, Model, Ops, set_dropout_rate, to_numpy
from thinc.types import Floats2d, Ints1d

from ..layers.linear import Linear
from ..util.progress import duration, print_line, with_progress
from .units import code_points, reads_characters

# A private use character, which texts do not contain. interpret/attribution.py uses
# others.
MASK = "\ue010"
# The results on pretraining in docs/results/experiments.md were obtained with these.
MASKED = 0.2
BUCKETS = 2000
_BATCH_TEXTS = 16
_DROPOUT = 0.2
_LEARN_RATE = 0.001
#: Maximum number of passes over the texts, whatever the number of steps.
MAX_PASSES = 64
# Maximum number of points of the loss curve.
_MAX_POINTS = 200

Docs = list[Doc]
DocsToVectors = Model[Docs, list[Floats2d]]


class Predictions(NamedTuple):
    """The predictions for the masked characters of a batch."""

    scores: Floats2d  # (masks, buckets)
    targets: Ints1d  # (masks,) the bucket of each masked character


def pretrain(
    tok2vec: DocsToVectors, texts: Sequence[str], steps: int, *, progress: bool = False
) -> list[float]:
    """Pretrain an encoder of characters.

    tok2vec: An initialized encoder, whose weights are updated.
    texts: The texts.
    steps: Number of batches of 16 texts.
    progress: Show a progress bar.
    RETURNS: The mean loss per masked character in each batch, in nats.
    RAISES (ValueError): If the tok2vec does not read characters, or all texts are
        empty.
    """
    texts = [text for text in texts if text]
    _require_texts(texts)
    model = MaskedCharacters(tok2vec)
    model.get_ref("output_layer").initialize()
    optimizer = Adam(_LEARN_RATE, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0)
    set_dropout_rate(tok2vec, _DROPOUT)
    losses = []
    batches = islice(_batches(len(texts)), steps)
    try:
        for batch in with_progress(batches, progress, "Pretraining", total=steps):
            predictions, backprop = model.begin_update(_docs([texts[i] for i in batch]))
            loss, gradient = masked_loss(model.ops, [], predictions)
            backprop(gradient)
            model.finish_update(optimizer)
            optimizer.step_schedules()
            losses.append(loss / len(predictions.targets))
    finally:
        set_dropout_rate(tok2vec, 0.0)
    return losses


def _batches(n: int) -> Iterator[list[int]]:
    """Yield batches of the indices of n texts, without end, shuffled in each pass."""
    while True:
        order = np.random.permutation(n).tolist()
        for start in range(0, n, _BATCH_TEXTS):
            yield order[start : start + _BATCH_TEXTS]


class Pretraining(NamedTuple):
    """Statistics of the pretraining of a component."""

    #: Number of texts.
    texts: int
    #: Number of batches.
    steps: int
    seconds: float
    #: The loss curve: up to 200 steps, each with the mean loss per masked character (in
    #: nats) since the previous one.
    losses: list[tuple[int, float]]


class PendingPretraining:
    """Pretraining that runs as soon as a component is trained.

    A deep copy of the component is pretrained, too. The texts are not pickled or saved,
    so a component that is loaded is not pretrained, and a warning says so.

    name: Name of the component, for messages on stderr.
    tok2vec: The initialized encoder.
    texts: The texts.
    steps: Maximum number of batches of 16 texts; each text is read at most 64 times.
    RAISES (ValueError): As `pretrain`.
    """

    def __init__(
        self, name: str, tok2vec: DocsToVectors, texts: Iterable[str], steps: int
    ):
        _require_characters(tok2vec)
        self.name = name
        self.texts = tuple(text for text in texts if text)
        _require_texts(self.texts)
        self.requested_steps = steps
        per_pass = -(-len(self.texts) // _BATCH_TEXTS)
        self.steps = min(steps, MAX_PASSES * per_pass)
        # So that the same seed gives the same weights, whatever is done until then.
        self._random_state = np.random.get_state()
        self._weights = _digest(tok2vec)

    def run(self, tok2vec: DocsToVectors) -> Pretraining | None:
        """Pretrain the encoder. The state of NumPy's random number generator and the
        accumulated gradients are restored afterwards; so are the weights, if
        pretraining is interrupted.

        tok2vec: The encoder, whose weights are updated.
        RETURNS: Statistics. None if the weights of the encoder have been changed since
            it was initialized, for example by `init_tok2vec` or `from_disk`: these
            weights are kept.
        """
        if _digest(tok2vec) != self._weights:
            print_line(
                f"[{self.name}] Pretraining is skipped: the weights of the encoder "
                f"have been changed since the component was initialized."
            )
            return None
        limit = ""
        if self.steps < self.requested_steps:
            limit = (
                f" (not {self.requested_steps:,}: each text is read at most "
                f"{MAX_PASSES} times)"
            )
        print_line(
            f"[{self.name}] Pretraining on {len(self.texts):,} texts, "
            f"{self.steps:,} steps{limit}"
        )
        start = perf_counter()
        with _random_state(self._random_state), _restored_on_error(tok2vec):
            losses = pretrain(tok2vec, self.texts, self.steps, progress=True)
        seconds = perf_counter() - start
        tenth = -(-len(losses) // 10)
        first, last = np.mean(losses[:tenth]), np.mean(losses[-tenth:])
        print_line(
            f"[{self.name}] Pretraining took {duration(seconds)}; loss per masked "
            f"character: {first:.2f} at the start, {last:.2f} at the end"
        )
        return Pretraining(len(self.texts), self.steps, seconds, _thinned(losses))

    def warn_not_saved(self) -> None:
        """Warn that pretraining is lost when the component is saved or pickled."""
        warnings.warn(
            f"[{self.name}] The pretraining of the component ({self.steps:,} steps) "
            f"has not begun, and is not saved: the loaded component will not be "
            f"pretrained. Train the component first, or initialize it again after "
            f"loading.",
            stacklevel=3,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> "PendingPretraining":
        return self  # it is immutable

    def __reduce__(self) -> tuple[type, tuple[()]]:
        self.warn_not_saved()
        return type(None), ()


def _thinned(losses: list[float]) -> list[tuple[int, float]]:
    """The mean losses of consecutive intervals of equal length, each with the number of
    its last step."""
    ends = np.linspace(0, len(losses), min(len(losses), _MAX_POINTS) + 1).astype(int)
    return [
        (end, round(float(np.mean(losses[start:end])), 4))
        for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    ]


def _digest(model: Model) -> bytes:
    """A hash of the weights of a model."""
    digest = blake2b()
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                digest.update(to_numpy(node.get_param(name)).tobytes())
    return digest.digest()


@contextmanager
def _random_state(state: Any) -> Iterator[None]:
    """Set the state of NumPy's random number generator, and restore its former state
    afterwards."""
    outer = np.random.get_state()
    np.random.set_state(state)
    try:
        yield
    finally:
        np.random.set_state(outer)


@contextmanager
def _restored_on_error(model: Model) -> Iterator[None]:
    """Restore the weights of a model if an error occurs or the user presses Ctrl+C.
    Accumulated gradients are always restored."""
    nodes = list(model.walk())
    weights = [
        (node, name, node.get_param(name).copy())
        for node in nodes
        for name in node.param_names
        if node.has_param(name)
    ]
    gradients = [
        (node, name, node.get_grad(name).copy())
        for node in nodes
        for name in node.grad_names
    ]
    _clear_gradients(nodes)
    try:
        yield
    except BaseException:
        for node, name, value in weights:
            node.set_param(name, value)
        raise
    finally:
        _clear_gradients(nodes)
        for node, name, value in gradients:
            node.set_grad(name, value)


def _clear_gradients(nodes: list[Model]) -> None:
    for node in nodes:
        for name in node.grad_names:
            node.set_grad(name, node.ops.xp.zeros_like(node.get_grad(name)))


def build_pretrain_masked_characters(
    masked: float = MASKED, buckets: int = BUCKETS
) -> Callable[[Vocab, DocsToVectors], Model[Docs, Predictions]]:
    """`spacy-lstm-ner.PretrainMaskedCharacters.v1`: predict masked characters. For
    `[pretraining.objective]`, with `component = "lstm_ner"` and `layer = "tok2vec"`.

    masked: Proportion of the characters that are masked.
    buckets: Number of classes to predict: the class of a character is its code point
        modulo this number.
    RETURNS: Builds the model to train from a vocab and a tok2vec. It raises a
        ValueError for a tok2vec that does not read characters.
    RAISES (ValueError): If `masked` is not between 0 and 1, or `buckets` is below 2.
    """
    if not 0 < masked < 1:
        raise ValueError(
            f"masked = {masked} is not a proportion: set it to a number between 0 and "
            f"1, such as {MASKED}."
        )
    if buckets < 2:
        raise ValueError(
            f"buckets = {buckets} is too small: set it to 2 or more, such as {BUCKETS}."
        )
    return lambda vocab, tok2vec: MaskedCharacters(tok2vec, masked, buckets)


def MaskedCharacters(
    tok2vec: DocsToVectors, masked: float = MASKED, buckets: int = BUCKETS
) -> Model[Docs, Predictions]:
    """An encoder that reads texts with masked characters, and a linear layer that
    predicts these characters. They are chosen at random in each call, with NumPy's
    random number generator.

    The parameters are those of `build_pretrain_masked_characters`. The loss is the
    attribute "loss", as `spacy pretrain` expects.
    """
    _require_characters(tok2vec)
    output = Linear(buckets, tok2vec.get_dim("nO"))
    return Model(
        "masked_characters",
        _forward,
        init=_init,
        layers=[tok2vec, output],
        refs={"tok2vec": tok2vec, "output_layer": output},
        attrs={"masked": masked, "loss": masked_loss},
    )


def _require_characters(tok2vec: DocsToVectors) -> None:
    if not reads_characters(tok2vec):
        raise ValueError(
            "Masked characters can only be predicted by a tok2vec that reads "
            "characters, such as one with HashCharEmbed. For any other tok2vec, set "
            "pretrain_steps = 0; with `spacy pretrain`, use an objective of spaCy, "
            "such as spacy.PretrainCharacters.v1."
        )


def _require_texts(texts: Sequence[str]) -> None:
    if not texts:
        raise ValueError("There is no text for pretraining: all texts are empty.")


def _init(
    model: Model[Docs, Predictions], X: Docs | None = None, Y: Predictions | None = None
) -> None:
    model.get_ref("tok2vec").initialize(X=X)
    model.get_ref("output_layer").initialize()


def _forward(
    model: Model[Docs, Predictions], docs: Docs, is_train: bool
) -> tuple[Predictions, Callable[[Floats2d], Docs]]:
    output = model.get_ref("output_layer")
    codes = code_points([doc.text for doc in docs])
    # At least one character, also of a short text.
    n = min(len(codes), max(1, round(len(codes) * model.attrs["masked"])))
    chosen = np.sort(np.random.permutation(len(codes))[:n])
    vectors, backprop_tok2vec = model.get_ref("tok2vec")(
        _with_masks(docs, codes, chosen), is_train
    )
    X = model.ops.flatten(vectors)
    rows = model.ops.asarray1i(chosen)
    scores, backprop_output = output(X[rows], is_train)
    targets = codes[chosen].astype("int64") % output.get_dim("nO")

    def backprop(d_scores: Floats2d) -> Docs:
        dX = model.ops.xp.zeros_like(X)
        dX[rows] = backprop_output(d_scores)
        lengths = [len(doc_vectors) for doc_vectors in vectors]
        docs: Docs = backprop_tok2vec(model.ops.unflatten(dX, lengths))
        return docs

    return Predictions(scores, model.ops.asarray1i(targets)), backprop


def _with_masks(docs: Docs, codes: Ints1d, chosen: np.ndarray) -> Docs:
    """Docs of the same texts, given by their code points, with the chosen characters
    masked."""
    codes = codes.copy()
    codes[chosen] = ord(MASK)
    text = codes.tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum([len(doc.text) for doc in docs]).tolist()
    return _docs([text[i:j] for i, j in zip([0, *ends], ends, strict=False)])


def _docs(texts: Sequence[str]) -> Docs:
    """Docs for an encoder that reads only their text."""
    # The vocab of the pipeline would store each masked text permanently.
    vocab = Vocab()
    return [
        Doc(vocab, words=[text], spaces=[False]) if text else Doc(vocab)
        for text in texts
    ]


def masked_loss(
    ops: Ops, docs: Docs, predictions: Predictions
) -> tuple[float, Floats2d]:
    """The negative log-likelihood of the masked characters, under a softmax over the
    buckets.

    docs: Not used; `spacy pretrain` passes them.
    predictions: The scores, and the characters that were masked.
    RETURNS: The loss, summed over the characters, and the gradient of its mean with
        respect to the scores.
    """
    n = len(predictions.targets)
    targets = (ops.xp.arange(n), predictions.targets)
    probabilities = ops.softmax(predictions.scores)
    loss = -float(ops.xp.log(probabilities[targets] + 1e-30).sum())
    probabilities[targets] -= 1.0
    return loss, probabilities / max(n, 1)
