"""The component `lstm_ner`: predicts named entities and writes them to ``doc.ents``.

This module has its settings and the methods that spaCy calls. They are implemented by
the other modules of this package:

    Docs ─► windows.py ─► batch.py ─► preset.py ─► decoding.py ─► annotating.py ─► Docs
            windows       emission    preset       best path,     doc.ents and
                          scores      entities     marginals      doc.spans

    A single short Doc takes the short way of short_text.py.

    Examples ─► initialization.py ─► training.py ─► calibration.py
                labels, sizes        losses         temperature

The methods for training are inherited from trainable.py, and those for saving from
serialization.py.
"""

from collections.abc import Callable, Iterable
from typing import Any

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model

from ..model.transformer import reads_transformer_characters
from ..model.units import reads_characters
from ..tags import ScoredSpan, Span
from . import settings
from .annotating import SPANS_KEY, annotate
from .batch import DocsToScores, require_initialized
from .calibration import find_temperature
from .decoding import (
    Analysis,
    Decoder,
    Decoding,
    predict_spans,
    span_probabilities,
)
from .distributions import Distributions
from .preset import has_preset, without_preset
from .settings import Setting
from .short_text import predict_short_text
from .state import State
from .trainable import TrainableRecognizer
from .uncertainty import Uncertainty, measure_uncertainty


class LSTMEntityRecognizer(TrainableRecognizer):
    """Predicts named entities: the best legal sequence of tags over characters or
    tokens.

    vocab: The vocabulary of the pipeline.
    model: Gives the emission scores of the tags at each unit.
    name: Name of the component, also used for its losses.
    unit: What the model reads. "char": the characters of the text, independently of the
        tokenizer. "token": tokens, with any spaCy tok2vec.
    scheme: Tag scheme, "BIOES" or "BIO".
    alignment_mode: What to do with an entity that begins or ends inside a token:
        "expand" it to the whole token, "contract" it to leave the token out, or with
        "strict" drop it. See `Doc.char_span`.
    overwrite: Remove preset entities, those that are in ``doc.ents`` already. Otherwise
        they are kept, as are blocked spans, and the best path is one that contains
        them.
    spans_key: The key of ``doc.spans`` to which the entities are written with their
        probabilities, see `set_annotations`. None: do not write them.
    threshold: Minimum probability of an entity.
    incorrect_spans_key: The key of ``doc.spans`` in the training data with spans that
        are known not to be entities with this extent and this label.
    whole_brackets: Require that an entity contains both marks of a pair of brackets or
        quotation marks, or neither, see brackets.py.
    window: Number of units that are read at once, at least 16: a longer document is
        read in windows that overlap by a quarter, see windows.py. None: do not use
        windows. Training does not use them.
    scorer: The scorer that `nlp.evaluate` calls.
    RAISES (ValueError): If the value of a setting is not valid, or the model does not
        read the unit.
    """

    alignment_mode = Setting(settings.alignment_mode)
    overwrite = Setting(settings.flag)
    spans_key = Setting(settings.spans_key)
    threshold = Setting(settings.probability)
    whole_brackets = Setting(settings.flag)
    window = Setting(settings.window_size)

    def __init__(
        self,
        vocab: Vocab,
        model: DocsToScores,
        name: str = "lstm_ner",
        *,
        unit: str = "char",
        scheme: str = "BIOES",
        alignment_mode: str = "expand",
        overwrite: bool = False,
        spans_key: str | None = SPANS_KEY,
        threshold: float = 0.0,
        incorrect_spans_key: str | None = None,
        whole_brackets: bool = True,
        window: int | None = 2000,
        scorer: Callable | None = None,
    ):
        settings.checked(name, "unit", unit, settings.unit)
        settings.checked(name, "scheme", scheme, settings.scheme)
        check_unit(name, unit, model)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.state = State(labels=[], scheme=scheme, unit=unit)
        self.settings: dict[str, Any] = {}
        self.configured: dict[str, list[Any]] = {}
        self.alignment_mode = alignment_mode
        self.overwrite = overwrite
        self.spans_key = spans_key
        self.threshold = threshold
        self.incorrect_spans_key = incorrect_spans_key
        self.whole_brackets = whole_brackets
        self.window = window
        self.configured = {name: [value] for name, value in self.settings.items()}
        # `nlp.resume_training` puts a copy of the model here.
        self._rehearsal_model = None

    @property
    def temperature(self) -> float:
        """The temperature: all scores are divided by it before they are converted to
        probabilities. It is set by `calibrate`."""
        return self.state.temperature

    @property
    def _decoder(self) -> Decoder:
        return Decoder(
            self.name, self.model, self.state, self.overwrite, self.whole_brackets
        )

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Predict the entities of documents, without modifying them: those on the best
        path, unless they are less probable than the threshold.

        docs: The documents.
        RETURNS: For each document its entities, in units, each with its marginal
            probability: that of all paths that contain this entity.
        RAISES (ValueError): If the model is not initialized, does not give one row of
            scores per unit, or gives non-finite scores.
        """
        docs = list(docs)
        if len(docs) == 1:
            found = predict_short_text(
                self._decoder, docs[0], self.window, self.threshold
            )
            if found is not None:
                return [found]
        return predict_spans(self._decoder, docs, self.window, self.threshold)

    def decode(self, docs: Iterable[Doc]) -> list[Decoding]:
        """Decode documents, without windows and without modifying them. Components
        before this one should have been applied, see `n_best`.

        docs: The documents.
        RETURNS: For each document the emission scores, the best path, and the entities
            on it, unless they are less probable than the threshold.
        RAISES (ValueError): As `predict`.
        """
        decoder = self._decoder
        batches = decoder.batches(list(docs), None)
        return [
            decoding.above(self.threshold)
            for batch in batches
            for decoding in decoder.decode(batch)
        ]

    def probabilities(
        self,
        docs: Iterable[Doc],
        spans: Iterable[Iterable[tuple[int, int, str]]],
        *,
        whole: bool = False,
    ) -> list[list[float]]:
        """The marginal probabilities of any entities, predicted or not. The documents
        are not modified. Components before this one should have been applied, see
        `n_best`.

        docs: The documents.
        spans: For each document any number of ``(start, end, label)`` in characters of
            doc.text, which may overlap. An empty label is for the probability that no
            entity contains any of these characters.
        whole: Do not use windows, as in `n_best`.
        RETURNS: For each document the probabilities of its spans. A probability is 0 if
            the component cannot predict the entity: if its label is unknown, if it is
            longer than a window, or with ``unit = "token"`` if it begins or ends inside
            a token.
        RAISES (ValueError): For a span that is empty or not inside the text.
        """
        size = None if whole else self.window
        return span_probabilities(self._decoder, list(docs), spans, size)

    def n_best(self, docs: Iterable[Doc], n: int) -> list[list[Analysis]]:
        """The n most probable analyses of each document. Documents are not modified,
        and windows are not used. Components before this one should have been applied,
        in particular a shared tok2vec. Preset entities are kept, and are not part of
        the analyses.

        docs: The documents.
        n: Number of analyses, at least 1.
        RETURNS: For each document its analyses, all different, the most probable one
            first. There are fewer than n if no more are possible, or if some differ
            only in white space at the edges of entities: these are merged into one,
            with the sum of their probabilities.
        RAISES (ValueError): If n is below 1.
        """
        if n < 1:
            raise ValueError(
                f"[{self.name}] n = {n} is too small: set it to 1 or more."
            )
        decoder = self._decoder
        batches = decoder.batches(list(docs), None)
        return [found for batch in batches for found in decoder.n_best(batch, n)]

    def uncertainty(self, docs: Iterable[Doc]) -> list[Uncertainty]:
        """How certain the component is of its predictions, for example to choose texts
        to annotate. The documents are not modified. Components before this one should
        have been applied, see `n_best`.

        docs: The documents.
        RETURNS: For each document the probability of its best analysis, as a logarithm,
            its entities with their probabilities, and the expected number of entities.
            Those of a document longer than a window are put together from its windows:
            the logarithm of the probability is then an estimate.
        RAISES (ValueError): As `predict`.
        """
        return measure_uncertainty(self._decoder, list(docs), self.window)

    def distributions(self, docs: Iterable[Doc]) -> Distributions:
        """The distributions over the analyses of documents, to ask for several
        probabilities of the same documents. Components before this one should have been
        applied, see `n_best`.

        docs: The documents, without preset entities. Windows are not used.
        RETURNS: The distributions.
        RAISES (ValueError): For preset entities, and as `predict`.
        """
        docs = list(docs)
        for doc in docs:
            if len(doc) and has_preset(doc, self.overwrite):
                raise ValueError(
                    f"[{self.name}] Another component has set entities before this "
                    f"one, in {doc.text[:40]!r}: they have no probabilities."
                )
        return Distributions(self._decoder, docs, self.threshold)

    def without_preset(self, doc: Doc, spans: list[Span]) -> list[Span]:
        """Remove preset entities from the entities of a path.

        doc: The document.
        spans: All entities of a path, in units.
        RETURNS: Those that are not in ``doc.ents`` already.
        """
        is_kept = has_preset(doc, self.overwrite)
        return without_preset(doc, spans, self.state) if is_kept else spans

    def calibrate(self, examples: Iterable[Example]) -> float:
        """Calibrate the probabilities: set the temperature at which they best match the
        proportion of correct entities in examples that the component was not trained
        on. Unless a threshold is set, the predicted entities stay the same, see
        calibration.py.

        examples: The examples, with the components before this one applied to the
            predicted Docs. Entities on tokens without annotation do not count.
        RETURNS: The temperature.
        RAISES (NotCalibrated): If no entity is predicted, or none is correct. The
            temperature is unchanged then.
        """
        examples = list(examples)
        validate_examples(examples, "LSTMEntityRecognizer.calibrate")
        require_initialized(self.name, self.model)
        temperature = find_temperature(self._decoder, examples, self.window)
        self.state.temperature = temperature
        return temperature

    def set_annotations(
        self, docs: Iterable[Doc], spans: list[list[ScoredSpan]]
    ) -> None:
        """Write entities to ``doc.ents``, and again with their probabilities to
        ``doc.spans[spans_key]``. To read the probabilities, use `entity_scores`, which
        works even if the Doc has been changed. The attrs of this span group are saved
        with the Doc:

        - "scores": one probability per span, in an array. It is NaN for an entity of an
          earlier pass whose probability has been lost;
        - "unplaced": ``[start_char, end_char, label, score]`` of each entity that does
          not fit the tokens, or whose tokens are part of a more probable entity.

        docs: The documents.
        spans: What `predict` returned for them.
        """
        for doc, doc_spans in zip(docs, spans, strict=True):
            annotate(
                doc,
                doc_spans,
                self.state.units,
                alignment_mode=self.alignment_mode,
                keep_preset=has_preset(doc, self.overwrite),
                spans_key=self.spans_key,
            )

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Call the scorer, with the key of the probabilities."""
        keywords = {"spans_key": self.spans_key, **kwargs}
        scores: dict[str, Any] = super().score(examples, **keywords)
        return scores


def check_unit(name: str, unit: str, model: Model) -> None:
    """RAISES (ValueError): If the model does not read this unit."""
    is_of_characters = reads_characters(model) or reads_transformer_characters(model)
    if unit == "token" and is_of_characters:
        raise ValueError(
            f'[{name}] unit = "token" is incompatible with a model of characters. '
            f"Use an embedding of tokens in the model, for example @architectures = "
            f'"spacy.MultiHashEmbed.v2", or set unit = "char".'
        )
    if unit == "char" and any(isinstance(n, Tok2VecListener) for n in model.walk()):
        raise ValueError(
            f'[{name}] unit = "char" is incompatible with a shared tok2vec: it gives a '
            f"vector per token. Use an embedding of characters in the model of this "
            f'component, or set unit = "token".'
        )


def recognizers(nlp: Language) -> dict[str, LSTMEntityRecognizer]:
    """The components `lstm_ner` of a pipeline, by name, in pipeline order."""
    return {
        name: pipe
        for name, pipe in nlp.pipeline
        if isinstance(pipe, LSTMEntityRecognizer)
    }
