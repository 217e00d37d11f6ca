"""Reading texts before learning what entities are: characters are masked, and the
encoder learns to guess them from what stands around them.

    texts, some characters masked ─► tok2vec ─► at each mask ─► scores of the character

This is the masked language model of Devlin et al. (2019, section 3.1), for characters,
and with a mask in each place that is chosen. Pairs of characters and words of a lexicon
are looked up in the masked text, so neither gives the answer away.

With the setting `pretrain_steps` `lstm_ner` reads the training texts so, and any others
if it is given some: as its training begins, and not where it is initialized, which many
commands do that train nothing. For `spacy pretrain` there is the objective
`PretrainMaskedCharacters.v1`; spaCy gives no lexicon to what it pretrains.
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
from thinc.api import Adam, Linear, Model, Ops, set_dropout_rate, to_numpy
from thinc.types import Floats2d, Ints1d

from ..util.progress import duration, print_line, with_progress
from .units import code_points, reads_characters

# For private use: no text has it. `inspect.why` uses others.
MASK = "\ue010"
# What docs/experiments.md says of pretraining was found with these.
MASKED = 0.2
BUCKETS = 2000
_BATCH_TEXTS = 16
_DROPOUT = 0.2
_LEARN_RATE = 0.001
#: A text is read so many times at most, however many steps are asked for.
MOST_PASSES = 64
# So many points of the curve of losses are kept at most.
_POINTS = 200

Docs = list[Doc]
DocsToVectors = Model[Docs, list[Floats2d]]


class Guesses(NamedTuple):
    """What is thought to stand behind the masks of a batch."""

    scores: Floats2d  # (masks, buckets)
    targets: Ints1d  # (masks,) the bucket of the character that stands there


def pretrain(
    tok2vec: DocsToVectors, texts: Sequence[str], steps: int, *, progress: bool = False
) -> list[float]:
    """Let an encoder of characters read texts, again and again.

    tok2vec (Model[list[Doc], list[Floats2d]]): An initialized encoder, which learns.
    texts (Sequence[str]): What it reads.
    steps (int): How many batches of 16 texts.
    progress (bool): Show a progress bar.
    RETURNS (list[float]): The mean loss of a guess in each batch, in nats.
    RAISES (ValueError): For a tok2vec that does not read characters, and where no text
        has any.
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
            guesses, backprop = model.begin_update(_docs([texts[i] for i in batch]))
            loss, gradient = masked_loss(model.ops, [], guesses)
            backprop(gradient)
            model.finish_update(optimizer)
            optimizer.step_schedules()
            losses.append(loss / len(guesses.targets))
    finally:
        set_dropout_rate(tok2vec, 0.0)
    return losses


def _batches(n: int) -> Iterator[list[int]]:
    """The numbers of n texts in batches, over and over, each time in another order."""
    while True:
        order = np.random.permutation(n).tolist()
        for start in range(0, n, _BATCH_TEXTS):
            yield order[start : start + _BATCH_TEXTS]


class Pretraining(NamedTuple):
    """How the pretraining of a component went."""

    #: How many texts were read, and in how many batches.
    texts: int
    steps: int
    seconds: float
    #: The curve: up to 200 steps, and the mean loss of a guess (in nats) in the steps
    #: from the one before up to it.
    losses: list[tuple[int, float]]


class PendingPretraining:
    """What is to be read as soon as a component is trained.

    A deep copy of the component reads the same, too. What is pickled or saved does not
    have the texts: there, nothing is pending any more, and a warning tells it.

    name (str): Name of the component, for the lines that tell of it on stderr.
    tok2vec (Model[list[Doc], list[Floats2d]]): The encoder, as it was initialized.
    texts (Iterable[str]): What it is to read.
    steps (int): How many batches of 16 texts at most: no text is read more often than
        64 times.
    RAISES (ValueError): As `pretrain`.
    """

    def __init__(
        self, name: str, tok2vec: DocsToVectors, texts: Iterable[str], steps: int
    ):
        _require_characters(tok2vec)
        self.name = name
        self.texts = tuple(text for text in texts if text)
        _require_texts(self.texts)
        self.asked = steps
        per_pass = -(-len(self.texts) // _BATCH_TEXTS)
        self.steps = min(steps, MOST_PASSES * per_pass)
        # So that the same seed makes the same weights, whatever is done until then.
        self._random_state = np.random.get_state()
        self._weights = _digest(tok2vec)

    def run(self, tok2vec: DocsToVectors) -> Pretraining | None:
        """Let the encoder read. The random numbers of NumPy and the gradients that it
        has are the same afterwards; where it is interrupted, so are its weights.

        tok2vec (Model[list[Doc], list[Floats2d]]): The encoder, which learns.
        RETURNS (Pretraining | None): How it went. None where the encoder was given
            other weights since it was initialized, by `init_tok2vec` or `from_disk`,
            for example: these stay.
        """
        if _digest(tok2vec) != self._weights:
            print_line(
                f"[{self.name}] No pretraining: the encoder was given other weights "
                f"since the component was initialized, and they stay."
            )
            return None
        less = ""
        if self.steps < self.asked:
            less = f" (not {self.asked:,}: each text is read {MOST_PASSES} times)"
        print_line(
            f"[{self.name}] Pretraining on {len(self.texts):,} texts, "
            f"{self.steps:,} steps{less}"
        )
        start = perf_counter()
        with _random_numbers(self._random_state), _undone_if_interrupted(tok2vec):
            losses = pretrain(tok2vec, self.texts, self.steps, progress=True)
        seconds = perf_counter() - start
        tenth = -(-len(losses) // 10)
        first, last = np.mean(losses[:tenth]), np.mean(losses[-tenth:])
        print_line(
            f"[{self.name}] Pretraining took {duration(seconds)}; loss of a guess: "
            f"{first:.2f} at first, {last:.2f} at last"
        )
        return Pretraining(len(self.texts), self.steps, seconds, _thinned(losses))

    def warn_that_it_is_lost(self) -> None:
        """Where a component is saved, or sent to another process, without it."""
        warnings.warn(
            f"[{self.name}] The pretraining of the component ({self.steps:,} steps) "
            f"has not begun, and is not saved with it: what is loaded goes without. "
            f"Train the component first, or initialize it again where it is trained.",
            stacklevel=3,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> "PendingPretraining":
        return self  # it never changes

    def __reduce__(self) -> tuple[type, tuple[()]]:
        self.warn_that_it_is_lost()
        return type(None), ()


def _thinned(losses: list[float]) -> list[tuple[int, float]]:
    """The means of stretches of steps, which are as long as each other, each with the
    number of its last step."""
    ends = np.linspace(0, len(losses), min(len(losses), _POINTS) + 1).astype(int)
    return [
        (end, round(float(np.mean(losses[start:end])), 4))
        for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    ]


def _digest(model: Model) -> bytes:
    """Tells the weights of a model from others."""
    digest = blake2b()
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                digest.update(to_numpy(node.get_param(name)).tobytes())
    return digest.digest()


@contextmanager
def _random_numbers(state: Any) -> Iterator[None]:
    """NumPy's random numbers are those that follow this state, and afterwards go on as
    if none had been drawn."""
    outer = np.random.get_state()
    np.random.set_state(state)
    try:
        yield
    finally:
        np.random.set_state(outer)


@contextmanager
def _undone_if_interrupted(model: Model) -> Iterator[None]:
    """Where this ends with an error, or with Ctrl+C, weights are what they were. The
    gradients, which others may have added up, are always."""
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
) -> Callable[[Vocab, DocsToVectors], Model[Docs, Guesses]]:
    """`spacy-lstm-ner.PretrainMaskedCharacters.v1`: for `[pretraining.objective]`, with
    `component = "lstm_ner"` and `layer = "tok2vec"`.

    masked (float): Which share of the characters is masked.
    buckets (int): Characters are told apart by their code point modulo this number.
    RETURNS (Callable): Makes the model to train from a vocab and a tok2vec. It raises a
        ValueError for a tok2vec that does not read characters.
    RAISES (ValueError): For a share that is not between 0 and 1, or too few buckets.
    """
    if not 0 < masked < 1:
        raise ValueError(f"The share that is masked is between 0 and 1, not {masked}.")
    if buckets < 2:
        raise ValueError(f"At least 2 buckets are needed, not {buckets}.")
    return lambda vocab, tok2vec: MaskedCharacters(tok2vec, masked, buckets)


def MaskedCharacters(
    tok2vec: DocsToVectors, masked: float = MASKED, buckets: int = BUCKETS
) -> Model[Docs, Guesses]:
    """An encoder that reads texts with masks, and a linear layer that guesses what they
    hide. Which ones are masked is chosen anew each time, by NumPy's random numbers.

    The parameters are those of `build_pretrain_masked_characters`. Its attribute "loss"
    is `masked_loss`, where `spacy pretrain` looks for it.
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
            "Only a tok2vec that reads characters, as on HashCharEmbed, can guess "
            "masked ones. With any other set pretrain_steps = 0; for `spacy pretrain` "
            "there are objectives of spaCy: spacy.PretrainCharacters.v1, for example."
        )


def _require_texts(texts: Sequence[str]) -> None:
    if not texts:
        raise ValueError("There is no text to read in pretraining.")


def _init(
    model: Model[Docs, Guesses], X: Docs | None = None, Y: Guesses | None = None
) -> None:
    model.get_ref("tok2vec").initialize(X=X)
    model.get_ref("output_layer").initialize()


def _forward(
    model: Model[Docs, Guesses], docs: Docs, is_train: bool
) -> tuple[Guesses, Callable[[Floats2d], Docs]]:
    output = model.get_ref("output_layer")
    codes = code_points([doc.text for doc in docs])
    # At least one, so that there is something to learn from a short text, too.
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

    return Guesses(scores, model.ops.asarray1i(targets)), backprop


def _with_masks(docs: Docs, codes: Ints1d, chosen: np.ndarray) -> Docs:
    """The same texts, whose code points are given, with masks in the chosen places."""
    codes = codes.copy()
    codes[chosen] = ord(MASK)
    text = codes.tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum([len(doc.text) for doc in docs]).tolist()
    return _docs([text[i:j] for i, j in zip([0, *ends], ends, strict=False)])


def _docs(texts: Sequence[str]) -> Docs:
    """Docs for an encoder that looks at nothing but their text."""
    # The vocab of the pipeline would keep each text with its masks forever.
    vocab = Vocab()
    return [
        Doc(vocab, words=[text], spaces=[False]) if text else Doc(vocab)
        for text in texts
    ]


def masked_loss(ops: Ops, docs: Docs, guesses: Guesses) -> tuple[float, Floats2d]:
    """How improbable the masked characters are, to a softmax over the buckets.

    docs (list[Doc]): Not looked at; `spacy pretrain` hands them over.
    RETURNS (tuple[float, Floats2d]): The negative log-likelihood, summed, and the
        gradient of its mean by the scores.
    """
    n = len(guesses.targets)
    at = (ops.xp.arange(n), guesses.targets)
    probabilities = ops.softmax(guesses.scores)
    loss = -float(ops.xp.log(probabilities[at] + 1e-30).sum())
    probabilities[at] -= 1.0
    return loss, probabilities / max(n, 1)
