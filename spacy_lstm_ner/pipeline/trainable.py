"""How the component learns: the methods that spaCy calls for it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Optimizer, set_dropout_rate
from thinc.types import Floats2d

from .. import kernels
from ..data.words import WordTable
from ..model.pretraining import PendingPretraining, Pretraining
from ..tags import TagSet
from ..util.progress import print_line
from . import initialization, settings
from .batch import DocsToScores, listens, require_initialized
from .default_model import NER, default_token_model
from .serialization import SerializablePipe
from .settings import Setting
from .training import gold_loss, rehearsal_loss


class TrainableRecognizer(SerializablePipe):
    """The part of a component that learns: `initialize`, `update`, `rehearse`."""

    #: How the pretraining went, once it is done, for the training log. It is not saved.
    pretraining: Pretraining | None = None
    _pending: PendingPretraining | None = None
    _rehearsal_model: DocsToScores | None
    #: Whether it was initialized since it was loaded.
    is_fresh = False
    #: Whether the factory has replaced the default model, see factory.py. `initialize`
    #: writes the other one to the config.
    has_default_token_model = False
    #: The name of the architecture of its default model.
    architecture = NER

    incorrect_spans_key = Setting(settings.spans_key)

    @property
    def _annotation_key(self) -> str | None:
        """The span group with the annotation. None: it is in ``doc.ents``."""
        return None

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity labels, in the order of their tags."""
        return tuple(self.state.labels)

    @property
    def label_data(self) -> tuple[str, ...]:
        """The labels, for `spacy init labels`."""
        return self.labels

    @property
    def tags(self) -> TagSet:
        """The tags that the model scores."""
        return self.state.tags

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples. The pretraining that `initialize` was asked
        for runs before the first one.

        examples: The examples. Tokens without annotation are not treated as "O": the
            loss marginalizes over their tags. If an example has soft targets (see
            data/soft_targets.py), they replace its annotation.
        drop: Dropout rate.
        sgd: Updates the weights. None: accumulate gradients.
        losses: The loss is added to its entry `name`.
        RETURNS: The losses.
        RAISES (ValueError): For a gold entity with an unknown label, and if scores are
            not finite, with the texts of the batch.
        """
        # `spacy debug model` passes neither: it does not train.
        is_training = bool(sgd) or losses is not None
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "LSTMEntityRecognizer.update")
        self._check_dropout(drop)
        require_initialized(self.name, self.model)
        if is_training:
            self._pretrain()
        docs = [eg.predicted for eg in examples]
        if not any(map(self.state.units.count, docs)):
            return losses
        loss = partial(self.get_loss, examples)
        losses[self.name] += self._learn(docs, loss, drop, sgd)
        return losses

    def get_loss(
        self, examples: Iterable[Example], scores: list[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """The negative log-likelihood of the gold tags, or the cross-entropy of soft
        targets, times the weight of the example, summed over the examples; and its
        gradient.

        examples: The examples.
        scores: (units, tags) for each of them.
        RETURNS: The loss, and its gradient with respect to the scores.
        RAISES (ValueError): As `update`.
        """
        return gold_loss(
            self.name,
            self.model,
            self.state,
            list(examples),
            scores,
            self.incorrect_spans_key,
        )

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the weights with the accumulated gradients.

        sgd: The optimizer.
        """
        self._pretrain()  # it has to come before anything else changes the weights
        super().finish_update(sgd)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn to give the probabilities that the model gave when
        `nlp.resume_training` was called, to prevent catastrophic forgetting. Annotation
        is ignored. A label that was added before that call is suppressed in these
        texts; one that was added later is not, as only the analyses without it are
        compared.

        examples: The examples.
        drop: Dropout rate.
        sgd: Updates the weights. None: accumulate gradients.
        losses: The divergence from the former model is added to its entry `name`, see
            layers/crf_loss.py.
        RETURNS: The losses.
        RAISES (ValueError): If scores are not finite, or the model has a shared
            tok2vec, whose former output is not known.
        """
        self._check_dropout(drop)
        if listens(self.model):
            raise ValueError(
                f"[{self.name}] rehearse requires a tok2vec that belongs to this "
                f"component alone: call nlp.replace_listeners before "
                f"nlp.resume_training."
            )
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "LSTMEntityRecognizer.rehearse")
        docs = [eg.predicted for eg in examples]
        old = self._rehearsal_model
        if old is None or not any(map(self.state.units.count, docs)):
            return losses
        loss = partial(rehearsal_loss, self.name, self.model, old, self.state, docs)
        losses[self.name] += self._learn(docs, loss, drop, sgd)
        return losses

    def _learn(
        self,
        docs: list[Doc],
        compute_loss: Callable[[list[Floats2d]], tuple[float, list[Floats2d]]],
        drop: float,
        sgd: Optimizer | None,
    ) -> float:
        """Compute a loss and its gradients, and update the weights if there is an
        optimizer.

        compute_loss: Returns the loss for (units, tags) scores of each document, and
            its gradient with respect to them.
        RETURNS: The loss.
        """
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update(docs)
        loss, d_scores = compute_loss(scores)
        backprop(d_scores)
        if sgd:
            self.finish_update(sgd)
        return loss

    def _check_dropout(self, drop: float) -> None:
        if not isinstance(drop, Real) or not 0 <= drop < 1:
            raise ValueError(
                f"[{self.name}] drop = {drop!r} is not a dropout rate, which is at "
                f"least 0 and below 1."
            )

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
        lexicon: dict[str, dict[str, float]] | None = None,
        words: WordTable | None = None,
        pretrain_steps: int = 0,
        raw_text: Callable[[Language], Iterable[Example]] | None = None,
    ) -> None:
        """Infer the labels and the sizes of the model, initialize its weights, and
        prepare the pretraining of its encoder, if any. Pretraining itself runs when
        training begins, at the first call of `update` (by `spacy train` or
        `nlp.update`); it is skipped if the encoder is given other weights until then,
        by `init_tok2vec` for example.

        get_examples: Returns the training data.
        nlp: The pipeline.
        labels: The labels, as saved by `spacy init labels`. None: those of the
            examples.
        lexicon: The words of each kind with their frequencies, for a model that reads a
            lexicon, see data/lexicon.py. What the model needs of it is saved with it.
        words: Clusters and frequencies of words, for a model that reads them, see
            data/words.py. They are saved with the model.
        pretrain_steps: Maximum number of pretraining batches of 16 texts, in which the
            encoder learns to predict masked characters, see model/pretraining.py. Each
            text is read at most 64 times, which gives fewer batches for few texts; of a
            streamed corpus spaCy provides only the first 100 texts. Requires an encoder
            of characters.
        raw_text: More texts for the pretraining: a reader of spaCy, such as
            `spacy.JsonlCorpus.v1`.
        RAISES (ValueError): If there are no examples, labels or texts; if the model has
            another number of tags, lacks a lexicon or a table of words or does not read
            the one that is given, or cannot be pretrained.
        """
        validate_get_examples(get_examples, "LSTMEntityRecognizer.initialize")
        self._pending = self.pretraining = None
        # Everything is checked before anything is changed.
        initialization.check_pretraining(self.name, pretrain_steps, raw_text)
        found = initialization.find_labels(
            self.name, self.state, get_examples, nlp, labels, self._annotation_key
        )
        if not found:
            self._require_labels()
        docs = initialization.sample_docs(
            self.name, self.model, self.state.units, get_examples()
        )
        initialization.initialize_lexicon(self.name, self.model, lexicon, nlp)
        initialization.initialize_words(self.name, self.model, words)
        for label in found:
            self.add_label(label)
        self.state.temperature = 1.0
        self.is_fresh = True
        if nlp is not None and any(pipe is self for _, pipe in nlp.components):
            settings.set_pipeline(self, nlp)
        config = settings.pipe_config(self)
        if self.has_default_token_model and config is not None:
            config["model"] = dict(default_token_model(self.architecture))
        initialization.initialize_model(self.name, self.model, self.state, docs)
        if nlp is not None:
            initialization.add_requirements(nlp, self.model)
        if kernels.missing():
            print_line(
                f"[{self.name}] There are no compiled kernels, which would make "
                f"training faster: {kernels.missing()}."
            )
        if pretrain_steps:
            texts = [eg.predicted.text for eg in get_examples()]
            if raw_text is not None:
                reader = raw_text(nlp or Language(self.vocab))
                texts += [eg.reference.text for eg in reader]
            tok2vec = self.model.get_ref("tok2vec")
            self._pending = PendingPretraining(
                self.name, tok2vec, texts, pretrain_steps
            )
        self._warn_of_annotation(get_examples)

    def _warn_of_annotation(
        self, get_examples: Callable[[], Iterable[Example]]
    ) -> None:
        """Warn of annotation from which the component cannot learn: none here."""

    def _pretrain(self) -> None:
        """Run the pretraining that `initialize` has prepared."""
        if self._pending is not None:
            self.pretraining = self._pending.run(self.model.get_ref("tok2vec"))
            self._pending = None

    def add_label(self, label: str) -> int:
        """Add an entity label. The best path of a trained model stays the same: it has
        no entity of the new label before the label is trained. The probabilities of
        other entities decrease a little.

        label: The label.
        RETURNS: 0 if it is present already, otherwise 1.
        RAISES (ValueError): If the label is not a string, is empty, or cannot be saved
            because it contains half of a surrogate pair.
        """
        if initialization.checked_label(self.name, label) in self.labels:
            return 0
        self.vocab.strings.add(label)
        larger = replace(self.state, labels=[*self.labels, label])
        if self.model.get_ref("crf").has_param("transitions"):
            self.set_output(larger.n_tags)
        self.state.labels.append(label)
        return 1

    def _saved_cfg(
        self, model: bytes | None, configured: dict[str, list[Any]]
    ) -> bytes:
        if self._pending is not None:
            self._pending.warn_not_saved()
        return super()._saved_cfg(model, configured)
