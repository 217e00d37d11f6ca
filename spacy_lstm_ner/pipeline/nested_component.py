"""The component `lstm_nested_ner`: predicts entities that may overlap, and writes them
to ``doc.spans``.

It has the same parts as `lstm_ner`: the encoder, windows, batches, brackets, training
loop, settings and saving. It is a component of its own since what it predicts is
another thing: a span group in place of ``doc.ents``, whose entities are no partition of
the text, and no preset entities that the search has to keep.

    Docs ─► windows.py ─► batch.py ─► nested_decoding.py ─► nested_annotating.py ─► Docs
            windows       emission    best path of each     doc.spans and, if wanted,
                          scores      CRF, marginals        doc.ents

    Examples ─► initialization.py ─► nested_training.py ─► nested_calibration.py
                labels, sizes        losses                temperature
"""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Optimizer
from thinc.types import Floats2d

from ..data.nesting import nesting_statistics
from ..tags import ScoredSpan, Span
from . import settings
from .batch import DocsToScores, require_initialized
from .component import check_unit
from .decoding import Analysis
from .default_model import NESTED_NER
from .nested_annotating import annotate_ents, annotate_spans
from .nested_calibration import find_nested_temperature
from .nested_decoding import NestedDecoder
from .nested_n_best import nested_best_without, nested_n_best
from .nested_paths import NestedDecoding, decode_nested
from .nested_training import nested_loss
from .nested_uncertainty import measure_nested_uncertainty
from .nested_windows import nested_span_probabilities, predict_nested
from .preset import has_preset
from .settings import Setting
from .state import NestedState
from .trainable import TrainableRecognizer
from .uncertainty import Uncertainty

#: The default of the setting `spans_key`: that of spaCy's `spancat`.
NESTED_SPANS_KEY = "sc"


class LSTMNestedEntityRecognizer(TrainableRecognizer):
    """Predicts named entities that may overlap: for each label the best legal sequence
    of tags over characters or tokens, and again inside of its entities.

    vocab: The vocabulary of the pipeline.
    model: Gives the emission scores of the tags of all labels at each unit.
    name: Name of the component, also used for its losses.
    unit: What the model reads, "char" or "token", see `LSTMEntityRecognizer`.
    scheme: Tag scheme, "BIOES" or "BIO".
    depth: How many entities of one label may contain each other, at least 1: an entity
        inside of one of its label has depth 2. Of different labels there may be any
        number.
    spans_key: The key of ``doc.spans`` to which the entities are written with their
        probabilities, and with the gold entities in the training data.
    ents: Also write entities to ``doc.ents``: of those that overlap the "longest" or
        the "most_probable". None: do not.
    overwrite: Remove entities that are in ``doc.ents`` already, if `ents` is set.
    alignment_mode: What to do with an entity that begins or ends inside a token, see
        `LSTMEntityRecognizer`.
    threshold: Minimum probability of an entity.
    label_thresholds: The same for certain labels, in place of `threshold`.
    incorrect_spans_key: The key of ``doc.spans`` in the training data with spans that
        are known not to be entities with this extent and this label.
    whole_brackets: Require that an entity contains both marks of a pair of brackets or
        quotation marks, or neither, see brackets.py.
    window: Number of units that are read at once, see `LSTMEntityRecognizer`.
    scorer: The scorer that `nlp.evaluate` calls.
    RAISES (ValueError): If the value of a setting is not valid, or the model is not
        `spacy-lstm-ner.NestedNER.v1`, or does not read the unit.
    """

    state: NestedState
    architecture = NESTED_NER

    spans_key = Setting(settings.required_spans_key)
    ents = Setting(settings.optional_choice("longest", "most_probable"))
    overwrite = Setting(settings.flag)
    alignment_mode = Setting(settings.alignment_mode)
    threshold = Setting(settings.probability)
    label_thresholds = Setting(settings.probabilities)
    whole_brackets = Setting(settings.flag)
    window = Setting(settings.window_size)

    def __init__(
        self,
        vocab: Vocab,
        model: DocsToScores,
        name: str = "lstm_nested_ner",
        *,
        unit: str = "char",
        scheme: str = "BIOES",
        depth: int = 2,
        spans_key: str = NESTED_SPANS_KEY,
        ents: str | None = None,
        overwrite: bool = False,
        alignment_mode: str = "expand",
        threshold: float = 0.0,
        label_thresholds: dict[str, float] | None = None,
        incorrect_spans_key: str | None = None,
        whole_brackets: bool = True,
        window: int | None = 2000,
        scorer: Callable | None = None,
    ):
        settings.checked(name, "unit", unit, settings.unit)
        settings.checked(name, "scheme", scheme, settings.scheme)
        settings.checked(name, "depth", depth, settings.depth)
        check_unit(name, unit, model)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.state = NestedState(labels=[], scheme=scheme, unit=unit, depth=depth)
        crfs = model.get_ref("crf") if model.has_ref("crf") else None
        if crfs is None or crfs.name != "label_crfs":
            raise ValueError(
                f"[{name}] lstm_nested_ner needs a CRF for each label: use "
                f'@architectures = "{NESTED_NER}" for its model.'
            )
        crfs.set_dim("nT", len(self.state.tags), force=True)
        self.settings: dict[str, Any] = {}
        self.configured: dict[str, list[Any]] = {}
        self.spans_key = spans_key
        self.ents = ents
        self.overwrite = overwrite
        self.alignment_mode = alignment_mode
        self.threshold = threshold
        self.label_thresholds = label_thresholds
        self.incorrect_spans_key = incorrect_spans_key
        self.whole_brackets = whole_brackets
        self.window = window
        self.configured = {name: [value] for name, value in self.settings.items()}
        self._rehearsal_model = None

    @property
    def temperature(self) -> float:
        """The temperature: all scores are divided by it before they are converted to
        probabilities. It is set by `calibrate`."""
        return self.state.temperature

    @property
    def depth(self) -> int:
        """How many entities of one label may contain each other."""
        return self.state.depth

    @property
    def _annotation_key(self) -> str:
        return self.spans_key

    @property
    def _decoder(self) -> NestedDecoder:
        return NestedDecoder(self.name, self.model, self.state, self.whole_brackets)

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Predict the entities of documents, without modifying them, unless they are
        less probable than the threshold.

        docs: The documents.
        RETURNS: For each document its entities in units, each with its probability:
            that it is an outermost entity, or is inside of the outer one that was
            found, see nested_decoding.py.
        RAISES (ValueError): If the model is not initialized, does not give one row of
            scores per unit, or gives non-finite scores.
        """
        found = predict_nested(self._decoder, list(docs), self.window)
        return list(map(self._above_threshold, found))

    def _above_threshold(self, spans: list[ScoredSpan]) -> list[ScoredSpan]:
        least, by_label = self.threshold, self.label_thresholds
        if not least and not by_label:
            return spans
        return [span for span in spans if span.score >= by_label.get(span.label, least)]

    def decode(self, docs: Iterable[Doc]) -> list[NestedDecoding]:
        """Decode documents, without windows and without modifying them. Components
        before this one should have been applied.

        docs: The documents.
        RETURNS: For each document the emission scores, the best path of each CRF, and
            the entities on them, unless they are less probable than the threshold.
        RAISES (ValueError): As `predict`.
        """
        return [
            decoding._replace(spans=self._above_threshold(decoding.spans))
            for decoding in decode_nested(self._decoder, list(docs))
        ]

    def probabilities(
        self,
        docs: Iterable[Doc],
        spans: Iterable[Iterable[tuple[int, int, str]]],
        *,
        whole: bool = False,
    ) -> list[list[float]]:
        """The probabilities of any entities, predicted or not, see `predict`. The
        documents are not modified. Components before this one should have been applied.

        docs: The documents.
        spans: For each document any number of ``(start, end, label)`` in characters of
            doc.text, which may overlap. An empty label is for the probability that no
            entity contains any of these characters.
        whole: Do not use windows.
        RETURNS: For each document the probabilities of its spans. A probability is 0 if
            the component cannot predict the entity: if its label is unknown, if it is
            longer than a window, or with ``unit = "token"`` if it begins or ends inside
            a token.
        RAISES (ValueError): For a span that is empty or not inside the text.
        """
        size = None if whole else self.window
        return nested_span_probabilities(self._decoder, list(docs), spans, size)

    def n_best(self, docs: Iterable[Doc], n: int) -> list[list[Analysis]]:
        """The n most probable analyses of each document: sets of all entities, of all
        labels and layers. The documents are not modified, and windows are not used.
        Components before this one should have been applied.

        docs: The documents.
        n: Number of analyses, at least 1.
        RETURNS: For each document its analyses, all different, the most probable one
            first. There are fewer than n if no more are possible, or if some differ
            only in white space at the edges of entities: these are merged into one.
        RAISES (ValueError): If n is below 1.
        """
        if n < 1:
            raise ValueError(
                f"[{self.name}] n = {n} is too small: set it to 1 or more."
            )
        decoder = self._decoder
        batches = decoder.batches(list(docs), None)
        return [
            found for batch in batches for found in nested_n_best(decoder, batch, n)
        ]

    def best_without(
        self, doc: Doc, spans: Iterable[Span]
    ) -> list[tuple[Analysis, float] | None]:
        """For each of several entities the best analysis of a document without it: with
        the best path without it of the first CRF of its label, and the best analyses
        inside of the entities on this path. The document is not modified, and windows
        are not used.

        doc: The document.
        spans: The entities, in units.
        RETURNS: For each entity the analysis, and the logarithm of the probability of
            the best analysis divided by that of this one; None if there is none.
        """
        (batch,) = self._decoder.batches([doc], None)
        return nested_best_without(self._decoder, batch, spans)

    def uncertainty(self, docs: Iterable[Doc]) -> list[Uncertainty]:
        """How certain the component is of its predictions, see
        `LSTMEntityRecognizer.uncertainty`. The documents are not modified.

        docs: The documents.
        RETURNS: For each document the probability of the analysis that is predicted, as
            a logarithm, its entities with their probabilities, and the expected number
            of entities that are outermost or inside of one that was found.
        RAISES (ValueError): As `predict`.
        """
        return measure_nested_uncertainty(self._decoder, list(docs), self.window)

    def calibrate(self, examples: Iterable[Example]) -> float:
        """Calibrate the probabilities, see `LSTMEntityRecognizer.calibrate`. All labels
        have one temperature.

        examples: Examples that the component was not trained on, with the components
            before this one applied to the predicted Docs.
        RETURNS: The temperature.
        RAISES (NotCalibrated): If no entity is predicted, or none is correct. The
            temperature is unchanged then.
        """
        examples = list(examples)
        validate_examples(examples, "LSTMNestedEntityRecognizer.calibrate")
        require_initialized(self.name, self.model)
        temperature = find_nested_temperature(
            self._decoder, examples, self.window, self.spans_key
        )
        self.state.temperature = temperature
        return temperature

    def set_annotations(
        self, docs: Iterable[Doc], spans: list[list[ScoredSpan]]
    ) -> None:
        """Write entities to ``doc.spans[spans_key]``, outer ones before those inside of
        them. It replaces a span group of this name. Its attrs are saved with the Doc:

        - "scores": one probability per span, in an array, as in spaCy's `spancat`;
        - "unplaced": ``[start_char, end_char, label, score]`` of each entity that does
          not fit the tokens.

        If the setting `ents` is not None, also write some of them to ``doc.ents``.

        docs: The documents.
        spans: What `predict` returned for them.
        """
        units = self.state.units
        for doc, doc_spans in zip(docs, spans, strict=True):
            annotate_spans(
                doc,
                doc_spans,
                units,
                alignment_mode=self.alignment_mode,
                spans_key=self.spans_key,
            )
            if self.ents is not None:
                annotate_ents(
                    doc,
                    doc_spans,
                    units,
                    by=self.ents,
                    alignment_mode=self.alignment_mode,
                    keep_preset=has_preset(doc, self.overwrite),
                )

    def get_loss(
        self, examples: Iterable[Example], scores: list[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """The negative log-likelihood of the gold entities, times the weight of the
        example, summed over labels, layers and examples; and its gradient.

        The gold entities are those of the span group; those of ``doc.ents``, if a Doc
        does not have it. Tokens without annotation (see data/nesting.py) are not
        treated as outside of entities: the loss marginalizes over their tags.

        examples: The examples.
        scores: (units, K · T) for each of them.
        RETURNS: The loss, and its gradient with respect to the scores.
        RAISES (ValueError): As `update`; and for soft targets.
        """
        return nested_loss(
            self.name,
            self.model,
            self.state,
            list(examples),
            scores,
            self.spans_key,
            self.incorrect_spans_key,
        )

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """There is no rehearsal. It would compare what the model finds with what it
        found before, but the CRFs inside of entities only read the entities that were
        found: two models have no distributions over the same sequences.

        RAISES (NotImplementedError): Always.
        """
        raise NotImplementedError(
            f"[{self.name}] lstm_nested_ner has no rehearsal: to prevent forgetting, "
            f"mix annotated examples of the former data into the new ones."
        )

    def _warn_of_annotation(
        self, get_examples: Callable[[], Iterable[Example]]
    ) -> None:
        """Warn of entities that are nested more deeply than `depth`, and of those that
        cross another one of their label: these are not learned."""
        found = nesting_statistics(
            (eg.reference for eg in get_examples()), self.spans_key
        )
        if n := found.deeper_than(self.depth):
            warnings.warn(
                f"[{self.name}] {n:,} entities are inside of {self.depth} or more "
                f"others of their label, and are not learned: set depth = "
                f"{len(found.by_layer)}.",
                stacklevel=3,
            )
        if found.n_crossing:
            warnings.warn(
                f"[{self.name}] {found.n_crossing:,} entities cross a longer one of "
                f"their label, and are not learned: {', '.join(found.crossing)}. One "
                f"of two such entities needs another label.",
                stacklevel=3,
            )

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Call the scorer, with the key of the span group."""
        keywords = {"spans_key": self.spans_key, **kwargs}
        scores: dict[str, Any] = super().score(examples, **keywords)
        return scores


def span_group_keys(nlp: Language, spans_key: str | None) -> list[str]:
    """The span groups to which a pipeline writes entities.

    spans_key: That of other components, if any. Those of the components
        `lstm_nested_ner` are known.
    """
    keys = [pipe.spans_key for pipe in nested_recognizers(nlp).values()]
    if spans_key is not None:
        keys.insert(0, spans_key)
    return list(dict.fromkeys(keys))


def nested_recognizers(nlp: Language) -> dict[str, LSTMNestedEntityRecognizer]:
    """The components `lstm_nested_ner` of a pipeline, by name, in pipeline order."""
    return {
        name: pipe
        for name, pipe in nlp.pipeline
        if isinstance(pipe, LSTMNestedEntityRecognizer)
    }
