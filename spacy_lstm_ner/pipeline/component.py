"""The component `lstm_ner`: finds named entities and writes them to ``doc.ents``."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import srsly
from spacy import registry, util
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate, to_numpy
from thinc.types import Floats2d, Ints1d, Ragged

from ..data.compatibility import (
    SAMPLE,
    compute_statistics,
    find_mismatches,
    unknown_labels,
)
from ..exceptions import DamagedComponent, NotCalibrated
from ..layers.crf import (
    best_paths,
    crf_divergence,
    crf_loss,
    n_best_paths,
    softmax_loss,
    stretch_probabilities,
)
from ..layers.lexicon import set_lexicon
from ..model.pretraining import PendingPretraining, Pretraining
from ..model.units import MISSING, UNITS, Units
from ..tags import ScoredSpan, Span, TagSet, n_tags
from ..util.text import escaped
from . import settings
from .annotating import SPANS_KEY, write_entities
from .brackets import Pair, hold_together, pairs_in, parted
from .calibration import fit_temperature
from .incorrect_spans import without_spans
from .settings import Setting
from .state import (
    check_labels_fit,
    check_model_bytes,
    load_model,
    read_cfg,
    saved_cfg,
)
from .windows import Window, batches, windows

# So many units go through the model at once.
_BATCH_UNITS = 20_000
ArrayT = TypeVar("ArrayT", Floats2d, Ints1d)

# Of layers from these modules it is known that they read no more of a Doc than its
# tokens and its text, which a copy of a part of it has.
_READ_TEXT_ALONE = ("spacy_lstm_ner.", "spacy.ml.", "thinc.")

DEFAULT_MODEL_CONFIG = """
[model]
@architectures = "spacy-lstm-ner.NER.v1"
nO = null
crf = true

[model.tok2vec]
@architectures = "spacy.Tok2Vec.v2"

[model.tok2vec.embed]
@architectures = "spacy-lstm-ner.HashCharEmbed.v1"
width = 64
rows = [3000, 10000]
ngram_dropout = 0.5
lexicon_width = 0

[model.tok2vec.encode]
@architectures = "spacy-lstm-ner.LSTMEncoder.v1"
width = 256
depth = 1
bi = true
"""
# In place of that embedding where the units are tokens.
DEFAULT_TOKEN_EMBED_CONFIG = """
[embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 96
attrs = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
rows = [5000, 1000, 2500, 2500]
include_static_vectors = false
"""


@Language.factory(
    "lstm_ner",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL_CONFIG)["model"],
        "unit": "char",
        "scheme": "BIOES",
        "alignment_mode": "expand",
        "overwrite": False,
        "spans_key": SPANS_KEY,
        "threshold": 0.0,
        "incorrect_spans_key": None,
        "whole_brackets": True,
        "window": 2000,
        "scorer": {"@scorers": "spacy-lstm-ner.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
        "bio_acc": None,
        "bio_macro_p": None,
        "bio_macro_r": None,
        "bio_macro_f": None,
    },
)
def make_lstm_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    unit: str,
    scheme: str,
    alignment_mode: str,
    overwrite: bool,
    spans_key: str | None,
    threshold: float,
    incorrect_spans_key: str | None,
    whole_brackets: bool,
    window: int | None,
    scorer: Callable | None,
) -> "LSTMEntityRecognizer":
    """Build the component from its settings: see `LSTMEntityRecognizer`. With ``unit =
    "token"`` the default model, which reads characters, is exchanged for one that reads
    tokens: spaCy's `MultiHashEmbed` below the same LSTM."""
    exchanged = unit == "token" and _is_default(model)
    if exchanged:
        model = registry.resolve(default_token_model())["model"]
    component = LSTMEntityRecognizer(
        nlp.vocab,
        model,
        name,
        unit=unit,
        scheme=scheme,
        alignment_mode=alignment_mode,
        overwrite=overwrite,
        spans_key=spans_key,
        threshold=threshold,
        incorrect_spans_key=incorrect_spans_key,
        whole_brackets=whole_brackets,
        window=window,
        scorer=scorer,
    )
    component.has_default_token_model = exchanged
    settings.belongs_to(component, nlp)
    return component


def default_token_model() -> Config:
    """The section of the default model for ``unit = "token"``."""
    config = Config().from_str(DEFAULT_MODEL_CONFIG)
    embed = Config().from_str(DEFAULT_TOKEN_EMBED_CONFIG)["embed"]
    config["model"]["tok2vec"]["embed"] = embed
    return config


def _is_default(model: Model) -> bool:
    """Is this the model that a config gets which names none?"""
    if not _reads_characters(model):
        return False
    default = registry.resolve(Config().from_str(DEFAULT_MODEL_CONFIG))["model"]

    def layers(of: Model) -> list[tuple]:
        return [
            (node.name, node.attrs, [node.maybe_get_dim(d) for d in node.dim_names])
            for node in of.walk()
        ]

    return repr(layers(model)) == repr(layers(default))


def _reads_characters(model: Model) -> bool:
    return any(node.name == "characters" for node in model.walk())


def _reads_text_alone(model: Model) -> bool:
    """Can the model read a copy of a part of a Doc, and give the same as if it read the
    Doc? A listener cannot: what it listens to has read the Doc itself. Of a layer from
    elsewhere that is not known."""
    return all(
        (getattr(node._func, "__module__", None) or "").startswith(_READ_TEXT_ALONE)
        for node in model.walk()
        if not node.layers or "listener" in node.name
    )


def _listens(model: Model) -> bool:
    return any("listener" in node.name for node in model.walk())


class Analysis(NamedTuple):
    """A way to read a document: its entities, and how probable it is that these are all
    of them and no others."""

    probability: float
    entities: tuple[Span, ...]  # in characters of doc.text


class Reading(NamedTuple):
    """What the model makes of a document of n units, with T tags."""

    #: (n, T) the scores of the tags at each unit. Minus infinity rules a tag out: there
    #: are entities already that stay.
    emissions: Floats2d
    #: (n,) the numbers of the tags on the best path.
    path: Ints1d
    #: The entities on it, in units.
    spans: list[ScoredSpan]


class LSTMEntityRecognizer(TrainablePipe):
    """Finds named entities: the best legal sequence of tags over characters or tokens.

    vocab (Vocab): The vocabulary of the pipeline.
    model (Model[list[Doc], list[Floats2d]]): Scores of the tags at each unit.
    name (str): Name of the component; its losses stand under it.
    unit (str): "char": the model reads the characters of the text, whatever the
        tokenizer did. "token": it reads tokens, with any spaCy tok2vec.
    scheme (str): Tag scheme, "BIOES" or "BIO".
    alignment_mode (str): What becomes of an entity that begins or ends inside a token:
        "expand" takes in the whole token, "contract" leaves it out, "strict" drops the
        entity. See `Doc.char_span`.
    overwrite (bool): Put aside the entities that are there already. Otherwise they
        stay, blocked spans as well, and the best path is one that has them.
    spans_key (str | None): Where in ``doc.spans`` the entities go a second time, with
        their probabilities: see `set_annotations`. None: nowhere.
    threshold (float): Entities that are less probable are left out.
    incorrect_spans_key (str | None): Where in ``doc.spans`` of the training data there
        are spans that are known not to be entities: just from there to there, with just
        this label.
    whole_brackets (bool): An entity has both of a pair of brackets or quotation marks,
        or neither: see brackets.py.
    window (int | None): How many units are read at once, at least 16: a longer document
        is read in windows that overlap by a quarter, see windows.py. None: read each
        document whole. Training reads it whole.
    scorer (Callable | None): What `nlp.evaluate` calls.
    RAISES (ValueError): For a setting whose value is none of those named here, and for
        characters with a shared tok2vec.
    """

    #: How the pretraining went, once there was one: for the log of the training. It is
    #: not saved.
    pretraining: Pretraining | None = None
    _pending: PendingPretraining | None = None

    alignment_mode = Setting(settings.alignment_mode)
    overwrite = Setting(settings.flag)
    spans_key = Setting(settings.spans_key)
    threshold = Setting(settings.probability)
    incorrect_spans_key = Setting(settings.spans_key)
    whole_brackets = Setting(settings.flag)
    window = Setting(settings.window_size)

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[Floats2d]],
        name: str = "lstm_ner",
        *,
        unit: str = "char",
        scheme: str = "BIOES",
        alignment_mode: str = "expand",
        overwrite: bool = False,
        spans_key: str | None = "lstm_ner",
        threshold: float = 0.0,
        incorrect_spans_key: str | None = None,
        whole_brackets: bool = True,
        window: int | None = 2000,
        scorer: Callable | None = None,
    ):
        settings.checked(name, "unit", unit, settings.unit)
        settings.checked(name, "scheme", scheme, settings.scheme)
        if unit == "token" and _reads_characters(model):
            raise ValueError(
                f'[{name}] unit = "token" does not go with a model that reads '
                f"characters. Put an embedding of tokens into it, for example "
                f'@architectures = "spacy.MultiHashEmbed.v2", or set unit = "char".'
            )
        if unit == "char" and any(isinstance(n, Tok2VecListener) for n in model.walk()):
            raise ValueError(
                f'[{name}] unit = "char" does not go with a shared tok2vec, which '
                f"gives a vector a token. Put an embedding of characters into the "
                f'model of this component, or set unit = "token".'
            )
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
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
        # The config does not say that the default model was exchanged: see
        # `make_lstm_ner`.
        self.has_default_token_model = False
        # `nlp.resume_training` puts a copy of the model here.
        self._rehearsal_model: Model[list[Doc], list[Floats2d]] | None = None
        #: Was it initialized, and not loaded?
        self.is_fresh = False
        # These belong to the weights, and are saved with them.
        self.cfg: dict[str, Any] = {
            "labels": [],
            "scheme": scheme,
            "unit": unit,
            "temperature": 1.0,
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity labels, in the order of their tags."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> tuple[str, ...]:
        """What `spacy init labels` saves: the labels."""
        return self.labels

    @property
    def tags(self) -> TagSet:
        """The tags that the model scores."""
        return _tag_set(self.labels, self.cfg["scheme"])

    @property
    def temperature(self) -> float:
        """What all scores are divided by before they become probabilities: `calibrate`
        sets it."""
        return self.cfg["temperature"]

    @property
    def _units(self) -> Units:
        return UNITS[self.cfg["unit"]]

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Find the entities of a batch of documents without changing them: those of the
        best path, unless they are less probable than the threshold.

        docs (Iterable[Doc]): The documents.
        RETURNS (list[list[ScoredSpan]]): For each document its entities, in units. The
            probability of an entity is that of all paths that have just this one there.
        RAISES (ValueError): Where the model is not initialized, does not score each
            unit once, or scores with what is no finite number.
        """
        docs = list(docs)
        found: list[list[ScoredSpan]] = [[] for _ in docs]
        for batch, scores in self._scored_windows(docs, self.window):
            for window, reading in zip(batch, self._read(batch, scores), strict=True):
                found[window.number].extend(window.own(reading.spans))
        return [_without_overlaps(spans) for spans in found]

    def _scored_windows(
        self,
        docs: list[Doc],
        size: int | None,
        wanted: Callable[[Window], bool] = lambda window: True,
    ) -> Iterator[tuple[list[Window], list[Floats2d]]]:
        """Documents in windows of so many units, in batches, and the scores of the tags
        in each window. A model that reads the text alone reads the windows. Any other
        reads the documents whole, and its scores are cut into windows: what it reads
        beside the text, a copy of a part of a document does not have."""
        units = self._units
        is_cut = size is not None and any(units.count(doc) > size for doc in docs)
        if not is_cut or _reads_text_alone(self.model):
            some = filter(wanted, windows(docs, units, size))
            for batch in batches(some, _BATCH_UNITS):
                yield batch, self._scores([window.doc for window in batch])
            return
        for group in batches(windows(docs, units, None), _BATCH_UNITS):
            whole = [window.doc for window in group]
            first = group[0].number
            cut = (
                window._replace(number=window.number + first)
                for window in windows(whole, units, size)
            )
            some = list(filter(wanted, cut))
            scores = self._scores(whole) if some else []
            for batch in batches(some, _BATCH_UNITS):
                yield (
                    batch,
                    [scores[w.number - first][w.units_of_doc] for w in batch],
                )

    def _scores(self, docs: list[Doc]) -> list[Floats2d]:
        """The scores of the tags at each unit of each document: (units, T)."""
        counts = [self._units.count(doc) for doc in docs]
        if not any(counts):
            nO = n_tags(self.labels, self.cfg["scheme"])
            return [np.zeros((0, nO), dtype="float32") for _ in docs]
        self._require_initialized()
        scores = self.model.predict(docs)
        self._check_scores(scores, counts)
        return scores

    def read(self, docs: Iterable[Doc]) -> list[Reading]:
        """Read documents whole, and tell not only what was found: see `n_best` for what
        they should be.

        docs (Iterable[Doc]): The documents, which are not changed.
        RETURNS (list[Reading]): Scores, best path and entities of each.
        RAISES (ValueError): As `predict`.
        """
        docs = list(docs)
        readings: list[Reading] = []
        for batch, scores in self._scored_windows(docs, None):
            readings += self._read(batch, scores)
        return readings

    def _read(self, batch: list[Window], tag_scores: list[Floats2d]) -> list[Reading]:
        """What the model makes of each window."""
        counts = [window.size for window in batch]
        if not any(counts):
            path = np.zeros(0, dtype="int64")
            return [Reading(scores, path, []) for scores in tag_scores]
        docs = [window.doc for window in batch]
        emissions, path, found = self._search(docs, counts, tag_scores)
        rows = _by_doc(emissions.dataXd, counts)
        paths = _by_doc(path, counts)
        scores = self._probabilities(emissions, found)
        return [
            Reading(
                doc_rows,
                path,
                [
                    ScoredSpan(*span, score)
                    for span, score in zip(spans, doc_scores, strict=True)
                    if score >= self.threshold
                ],
            )
            for doc_rows, path, spans, doc_scores in zip(
                rows, paths, found, scores, strict=True
            )
        ]

    def _probabilities(
        self, emissions: Ragged, spans: list[list[Span]]
    ) -> list[list[float]]:
        """The probabilities of spans in the units of their sequence."""
        lengths = np.asarray(emissions.lengths)
        firsts = (np.cumsum(lengths) - lengths).tolist()
        in_batch = [
            (first + span.start, first + span.end, span.label)
            for first, few in zip(firsts, spans, strict=True)
            for span in few
        ]
        asked = self.tags.stretches(in_batch)
        crf = self.model.get_ref("crf")
        found = stretch_probabilities(
            crf, emissions, self.tags.rules, asked, temperature=self.temperature
        )
        rest = iter(found.tolist())
        return [list(islice(rest, len(few))) for few in spans]

    def probabilities(
        self,
        docs: Iterable[Doc],
        spans: Iterable[Iterable[tuple[int, int, str]]],
        *,
        whole: bool = False,
    ) -> list[list[float]]:
        """How probable any entities are, found or not. The documents are not changed,
        and should be as the component would get them: see `n_best`.

        docs (Iterable[Doc]): The documents.
        spans (Iterable[Iterable[tuple[int, int, str]]]): For each document any number
            of ``(start, end, label)`` in characters of doc.text; they may overlap. An
            empty label asks for the probability that no entity has any of these
            characters.
        whole (bool): Read documents whole, as `n_best` does, and not in windows.
        RETURNS (list[list[float]]): For each document the probabilities of its spans.
            What the component cannot find has 0: a label that it does not know, an
            entity that is too long for a window, and with ``unit = "token"`` one that
            begins or ends inside a token.
        RAISES (ValueError): For a span that is empty or not inside the text.
        """
        docs = list(docs)
        found: list[list[float]] = []
        asked: list[list[tuple[int, Span]]] = []
        for doc, doc_spans in zip(docs, spans, strict=True):
            size = UNITS["char"].count(doc)
            in_units = [self._in_units(doc, size, *span) for span in doc_spans]
            found.append([0.0] * len(in_units))
            some = [(i, span) for i, span in enumerate(in_units) if span is not None]
            asked.append(sorted(some, key=lambda numbered: numbered[1].start))
        size = None if whole else self.window
        for batch, tag_scores in self._scored_windows(
            docs, size, lambda window: any(window.asked(asked[window.number]))
        ):
            emissions, _, _ = self._search(
                [window.doc for window in batch],
                [window.size for window in batch],
                tag_scores,
            )
            here = [list(window.asked(asked[window.number])) for window in batch]
            scores = self._probabilities(emissions, [[s for _, s in w] for w in here])
            for window, few, few_scores in zip(batch, here, scores, strict=True):
                for (i, _), score in zip(few, few_scores, strict=True):
                    found[window.number][i] = score
        return found

    def _in_units(
        self, doc: Doc, size: int, start: int, end: int, label: str
    ) -> Span | None:
        """A span of characters, of so many, in units; None where it cannot be found."""
        if not 0 <= start < end <= size:
            raise ValueError(
                f"[{self.name}] There are no characters {start} to {end} in a text of "
                f"{size}: {doc.text[:40]!r}."
            )
        # An entity has whole tokens; where there is none, no part of a token is in one.
        mode = "strict" if label else "expand"
        units = self._units.from_characters(doc, start, end, mode)
        if units is None or (label and label not in self.labels):
            return None
        return Span(*units, label)

    def n_best(self, docs: Iterable[Doc], n: int) -> list[list[Analysis]]:
        """The n most probable analyses of each document, which is not changed. The
        document is read whole, and should be as the component would get it: what is
        in ``doc.ents`` already is kept, and left out of the analyses; a shared tok2vec
        has to have run.

        docs (Iterable[Doc]): The documents.
        n (int): How many, at least 1.
        RETURNS (list[list[Analysis]]): For each document its analyses, no two the same,
            the most probable first. They are fewer than n where there are no more, and
            where some differed in white space at the edges of entities only: those
            became one, their probabilities summed.
        RAISES (ValueError): For an n below 1.
        """
        if n < 1:
            raise ValueError(f"[{self.name}] n = {n}: ask for at least 1 analysis.")
        docs = list(docs)
        counts = [self._units.count(doc) for doc in docs]
        if not any(counts):
            return [[Analysis(1.0, ())] for _ in docs]
        crf = self.model.get_ref("crf")
        tags = self.tags
        emissions, _, _ = self._search(docs, counts, self._scores(docs))
        paths, log_probs = n_best_paths(
            crf, emissions, tags.rules, n, temperature=self.temperature
        )
        analyses, start = [], 0
        for doc, count, doc_log_probs in zip(docs, counts, log_probs, strict=True):
            probabilities: dict[tuple[Span, ...], float] = {}
            for path, log_prob in zip(paths, doc_log_probs.tolist(), strict=True):
                if log_prob > -np.inf:
                    spans = tags.spans_from_ids(path[start : start + count])
                    spans = self.new_spans(doc, spans)
                    entities = tuple(self._in_characters(doc, spans))
                    probabilities.setdefault(entities, 0.0)
                    probabilities[entities] += float(np.exp(log_prob))
            found = [Analysis(p, entities) for entities, p in probabilities.items()]
            analyses.append(sorted(found, key=lambda x: -x.probability))
            start += count
        return analyses

    def calibrate(self, examples: Iterable[Example]) -> float:
        """Make probabilities fit how often the component is right: find the temperature
        at which they do best on examples that it was not trained on, and keep it. The
        entities that are found stay the same (but for those below a threshold): see
        calibration.py.

        examples (Iterable[Example]): The examples, with predicted Docs as the component
            would get them. Entities on tokens without annotation do not count.
        RETURNS (float): The temperature.
        RAISES (NotCalibrated): Where no entity is found, or none that is right. The
            temperature stays as it was.
        """
        examples = list(examples)
        validate_examples(examples, "LSTMEntityRecognizer.calibrate")
        self._require_initialized()
        asked: list[tuple[Ragged, list[list[Span]]]] = []
        is_right: list[bool] = []
        docs = [eg.predicted for eg in examples]
        for batch, tag_scores in self._scored_windows(docs, self.window):
            counts = [window.size for window in batch]
            if not any(counts):
                continue
            read = [window.doc for window in batch]
            emissions, _, all_found = self._search(read, counts, tag_scores)
            spans: list[list[Span]] = []
            for window, found in zip(batch, all_found, strict=True):
                judged = self._judged(examples[window.number], window, found)
                spans.append([span for span, _ in judged])
                is_right.extend(right for _, right in judged)
            asked.append((emissions, spans))
        if not any(is_right):
            raise NotCalibrated(
                f"[{self.name}] Of {len(is_right)} entities that were found in "
                f"{len(docs)} texts none is right: there is nothing to calibrate with."
            )

        def probabilities(temperature: float) -> np.ndarray:
            self.cfg["temperature"] = temperature
            return np.concatenate(
                [p for few in asked for p in self._probabilities(*few)]
            )

        before = self.temperature
        try:
            # Rounded, so that it is the same once it was saved.
            best = round(fit_temperature(probabilities, np.array(is_right)), 4)
        except BaseException:
            self.cfg["temperature"] = before
            raise
        self.cfg["temperature"] = best
        return best

    def _judged(
        self, example: Example, window: Window, spans: list[Span]
    ) -> list[tuple[Span, bool]]:
        """The entities of a window that count, and which of them are right. On tokens
        without annotation they are neither right nor wrong."""
        gold = set(self._units.aligned_spans(example, list(example.reference.ents)))
        # Labels that the component does not know cannot be found, but are no mistake.
        others = {span.label for span in gold}.difference(self.labels)
        tags = _tag_set((*self.labels, *sorted(others)), self.cfg["scheme"])
        unknown = self._units.gold_tags(example, tags) == MISSING
        judged = []
        for own in window.own(ScoredSpan(*span, 0.0) for span in spans):
            if not unknown[own.start : own.end].any():
                place = own.start - window.before, own.end - window.before
                judged.append((Span(*place, own.label), Span(*own[:3]) in gold))
        return judged

    def _in_characters(self, doc: Doc, spans: Iterable[Span]) -> Iterator[Span]:
        for span in spans:
            start, end = self._units.characters(doc, span.start, span.end)
            if start < end:  # it is not all white space
                yield Span(start, end, span.label)

    def _search(
        self, docs: list[Doc], counts: list[int], tag_scores: list[Floats2d]
    ) -> tuple[Ragged, Ints1d, list[list[Span]]]:
        """The scores of the tags, the best path of each document that parts no pair of
        brackets, and the new entities on it. What was ruled out for the sake of pairs
        is ruled out in the scores."""
        crf = self.model.get_ref("crf")
        tags = self.tags
        emissions = self._emissions(docs, counts, tag_scores)
        path = best_paths(crf, emissions, tags.rules)
        found = self._spans_of(docs, counts, path)
        if not self.whole_brackets:
            return emissions, path, found
        end = 0
        for k, (doc, count) in enumerate(zip(docs, counts, strict=True)):
            end += count
            if found[k] and (pairs := self._pairs(doc)) and parted(pairs, found[k]):
                rows = slice(end - count, end)
                path[rows] = hold_together(
                    crf, emissions.dataXd[rows], path[rows], tags, pairs
                )
                (found[k],) = self._spans_of([doc], [count], path[rows])
        return emissions, path, found

    def _pairs(self, doc: Doc) -> list[Pair]:
        """The pairs of brackets and quotation marks of a document, in units."""
        found = []
        for pair in pairs_in(doc.text):
            units = [self._units.from_characters(doc, i, i + 1, "expand") for i in pair]
            (first, _), (last, _) = (unit for unit in units if unit is not None)
            if first != last:
                found.append((first, last))
        return found

    def _emissions(
        self, docs: list[Doc], counts: list[int], tag_scores: list[Floats2d]
    ) -> Ragged:
        """The scores of the tags, on the CPU, wherever the model is; minus infinity
        where the entities that are there already rule a tag out."""
        data = np.concatenate([to_numpy(doc_scores) for doc_scores in tag_scores])
        if not np.isfinite(data).all():
            raise ValueError(
                f"[{self.name}] The model scores tags with what is no finite number: "
                f"its weights are broken. Load or train it again."
            )
        ends = np.cumsum(counts).tolist()
        for doc, count, end in zip(docs, counts, ends, strict=True):
            if self._keeps_ents(doc):
                self._fix_kept(doc, data[end - count : end])
        return Ragged(data, np.array(counts))

    def _keeps_ents(self, doc: Doc) -> bool:
        return not self.overwrite and doc.has_annotation("ENT_IOB")

    def _kept_spans(self, doc: Doc) -> list[Span]:
        """The entities that are there already and stay, if their label is known."""
        spans = self._units.from_spans(doc.ents) if self._keeps_ents(doc) else []
        return [span for span in spans if span.label in self.labels]

    def _spans_of(
        self, docs: list[Doc], counts: list[int], path: Ints1d
    ) -> list[list[Span]]:
        """The entities of the paths of documents, end to end, without those that were
        there before."""
        found: list[list[Span]] = [[] for _ in docs]
        ends = np.cumsum(counts).tolist()
        number = first = 0
        # No entity of a legal path goes on in the next document.
        for start, end, label in self.tags.spans_from_ids(path):
            while start >= ends[number]:
                first = ends[number]
                number += 1
            found[number].append(Span(start - first, end - first, label))
        return [
            self.new_spans(doc, spans) if spans else spans
            for doc, spans in zip(docs, found, strict=True)
        ]

    def new_spans(self, doc: Doc, spans: list[Span]) -> list[Span]:
        """The entities of a path without those that were there before."""
        kept = self._kept_spans(doc)
        return [span for span in spans if span not in kept] if kept else spans

    def _fix_kept(self, doc: Doc, scores: Floats2d) -> None:
        """Rule out all paths that do not have the entities that are there already, so
        that the rest of the path fits them. An entity whose label is not known, and a
        blocked span, are "O" to the path."""
        kept = self._kept_spans(doc)
        ids = self.tags.ids_from_spans(kept, len(scores))
        fixed = self._units.taken(doc) | (ids > 0)
        others = np.not_equal.outer(ids, np.arange(scores.shape[1]))
        scores[fixed[:, None] & others] = -np.inf
        # Without this an entity could be longer in BIO.
        asked = self.tags.stretches(kept)
        inside = asked.ends < len(scores)
        scores[asked.ends[inside], asked.goes_on[inside]] = -np.inf

    def set_annotations(
        self, docs: Iterable[Doc], spans: list[list[ScoredSpan]]
    ) -> None:
        """Write entities to ``doc.ents``, and once more, with their probabilities, to
        ``doc.spans[spans_key]``; `annotating.entity_scores` reads them, whatever else
        is done to the Doc. The attrs of this span group are saved with the Doc:

        - "scores": one probability a span, in an array. It is NaN for an entity of an
          earlier pass whose probability is not known any more;
        - "unplaced": ``[start_char, end_char, label, score]`` of each entity that fits
          no tokens, or whose tokens a more probable entity has.

        docs (Iterable[Doc]): The documents.
        spans (list[list[ScoredSpan]]): What `predict` returned for them.
        """
        for doc, doc_spans in zip(docs, spans, strict=True):
            taken = bytearray(len(doc))  # a flag a token
            keeps = self._keeps_ents(doc)
            if keeps:
                taken[:] = UNITS["token"].taken(doc).tobytes()
            placed, unplaced = self._place(doc, doc_spans, taken)
            write_entities(
                doc,
                placed,
                unplaced=unplaced,
                free=np.frombuffer(taken, dtype=bool) == 0 if keeps else None,
                spans_key=self.spans_key,
            )

    def _place(
        self, doc: Doc, spans: list[ScoredSpan], taken: bytearray
    ) -> tuple[list[tuple[DocSpan, float]], list[list[Any]]]:
        """Find the tokens of entities, and mark them as taken. Of two entities that
        need the same token the more probable one has it."""
        found = self._units.to_spans(
            doc, (span[:3] for span in spans), self.alignment_mode
        )
        placed: list[tuple[DocSpan, float]] = []
        unplaced: list[list[Any]] = []
        by_score = sorted(zip(spans, found, strict=True), key=lambda x: -x[0].score)
        for span, ent in by_score:
            if ent is not None and not any(taken[ent.start : ent.end]):
                taken[ent.start : ent.end] = b"\1" * len(ent)
                placed.append((ent, span.score))
                continue
            for start, end, label in self._in_characters(doc, [Span(*span[:3])]):
                unplaced.append([start, end, label, span.score])
        placed.sort(key=lambda x: x[0].start)
        return placed, sorted(unplaced)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Call the scorer, and tell it where the probabilities are."""
        return super().score(examples, **{"spans_key": self.spans_key, **kwargs})

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples. The first one comes after the pretraining, if
        there is to be one: see `initialize`.

        examples (Iterable[Example]): The examples. Tokens without annotation teach
            nothing: they are not taken for "O".
        drop (float): Dropout rate.
        sgd (Optimizer | None): Updates the weights; without one, gradients add up.
        losses (dict[str, float] | None): The loss is added to its entry `name`.
        RETURNS (dict[str, float]): The losses.
        RAISES (ValueError): Where a gold entity has a label that the component does not
            know, or the scores are not numbers any more: it names the batch.
        """
        # `spacy debug model` asks for neither: it does not train.
        is_training = bool(sgd) or losses is not None
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "LSTMEntityRecognizer.update")
        self._check_dropout(drop)
        self._require_initialized()
        if is_training:
            self._pretrain()
        if not any(self._units.count(eg.predicted) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update([eg.predicted for eg in examples])
        loss, d_scores = self.get_loss(examples, scores)
        backprop(d_scores)
        if sgd is not None and sgd is not False:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the weights with the gradients that have added up.

        sgd (Optimizer): Updates the weights.
        """
        self._pretrain()  # at the latest before anything else changes the weights
        super().finish_update(sgd)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn not to forget: stay with what the model thought of these texts when
        `nlp.resume_training` was called. Their annotation is not looked at. A label
        that was added before that call is held down in these texts; one that was added
        later may come up, as only the analyses without it are compared.

        examples (Iterable[Example]): The examples.
        drop (float): Dropout rate.
        sgd (Optimizer | None): Updates the weights; without one, gradients add up.
        losses (dict[str, float] | None): How far the model has moved away, see
            `crf_divergence`, is added to its entry `name`.
        RETURNS (dict[str, float]): The losses.
        RAISES (ValueError): Where the scores are not numbers any more, or the model has
            a shared tok2vec, which cannot be asked what it gave before.
        """
        self._check_dropout(drop)
        if _listens(self.model):
            raise ValueError(
                f"[{self.name}] rehearse needs a tok2vec of this component's own: call "
                f"nlp.replace_listeners before nlp.resume_training."
            )
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "LSTMEntityRecognizer.rehearse")
        docs = [eg.predicted for eg in examples]
        counts = [self._units.count(doc) for doc in docs]
        if self._rehearsal_model is None or not any(counts):
            return losses
        set_dropout_rate(self.model, drop)
        old_scores = self._rehearsal_model.predict(docs)
        scores, backprop = self.model.begin_update(docs)
        emissions, old_emissions = (
            Ragged(self.model.ops.xp.concatenate(s), np.array(counts))
            for s in (scores, old_scores)
        )
        crf, old_crf = (
            model.get_ref("crf") for model in (self.model, self._rehearsal_model)
        )
        try:
            loss, d_scores = crf_divergence(
                crf, emissions, old_crf, old_emissions, self.tags.rules
            )
        except ValueError as error:
            raise ValueError(self._in_batch(error, docs)) from None
        backprop(_by_doc(d_scores, counts))
        if sgd is not None and sgd is not False:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def _check_dropout(self, drop: float) -> None:
        if not isinstance(drop, Real) or not 0 <= drop < 1:
            raise ValueError(
                f"[{self.name}] drop = {drop!r} is no dropout rate: it is at least 0 "
                f"and below 1."
            )

    def get_loss(
        self, examples: Iterable[Example], scores: list[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """The negative log-likelihood of the gold tags (see layers/crf.py), summed over
        the examples, and its gradient.

        examples (Iterable[Example]): The examples.
        scores (list[Floats2d]): (units, tags) for each of them.
        RETURNS (tuple[float, list[Floats2d]]): The loss, and its gradient by the
            scores.
        """
        examples = list(examples)
        counts = [self._units.count(eg.predicted) for eg in examples]
        self._check_scores(scores, counts)
        tags = self.tags
        ids = np.concatenate([self._gold_tags(eg) for eg in examples])
        gold = np.equal.outer(ids, np.arange(len(tags)))
        gold[ids == MISSING] = True
        # An entity ends where it ends, also where nothing is known of what follows.
        lasts = np.flatnonzero((ids[:-1] > 0) & (ids[1:] == MISSING))
        gold[lasts + 1, tags.inside(ids[lasts])] = False
        starts = np.cumsum(counts) - counts
        wrong = [
            (start + s, start + e, label)
            for start, eg in zip(starts.tolist(), examples, strict=True)
            for s, e, label in self._wrong_spans(eg)
        ]
        emissions = Ragged(self.model.ops.xp.concatenate(scores), np.array(counts))
        try:
            crf = self.model.get_ref("crf")
            if crf.attrs["learned"] or wrong:
                annotation = without_spans(tags, gold, wrong) if wrong else gold
                loss, d_scores = crf_loss(crf, emissions, annotation, tags.rules)
            else:
                loss, d_scores = softmax_loss(emissions, gold)
        except ValueError as error:
            docs = [eg.predicted for eg in examples]
            raise ValueError(self._in_batch(error, docs)) from None
        return loss, _by_doc(d_scores, counts)

    def _in_batch(self, error: ValueError, docs: list[Doc]) -> str:
        """What went wrong, and where: so that these texts can be found."""
        texts = ", ".join(repr(doc.text[:40]) for doc in docs[:3])
        return (
            f"[{self.name}] {error} This came up in a batch of {len(docs)} texts that "
            f"begin: {texts}{', …' * (len(docs) > 3)}"
        )

    def _gold_tags(self, example: Example) -> np.ndarray:
        try:
            return self._units.gold_tags(example, self.tags)
        except KeyError as error:
            raise ValueError(
                f"[{self.name}] The label {error} of a gold entity is not among the "
                f"labels of the component: {escaped(', '.join(self.labels))}. Call "
                f"add_label, or initialize with examples of it; in a config, set "
                f'@callbacks = "spacy-lstm-ner.AddLabels.v1" in '
                f"[initialize.after_init]."
            ) from None

    def _wrong_spans(self, example: Example) -> list[Span]:
        """The spans that are known to be wrong, in units. Those with a label that the
        component does not have cannot be predicted anyway."""
        key = self.incorrect_spans_key
        if key is None or key not in example.reference.spans:
            return []
        group = list(example.reference.spans[key])
        wrong = self._units.aligned_spans(example, group)
        gold = self._units.aligned_spans(example, list(example.reference.ents))
        for start, end, label in self._in_characters(
            example.predicted, set(gold).intersection(wrong)
        ):
            raise ValueError(
                f"[{self.name}] {example.predicted.text[start:end]!r} is {label} in "
                f'doc.ents, and known to be wrong in doc.spans["{key}"]: take it out '
                f"of one of them."
            )
        return [s for s in wrong if s.label in self.labels and s.start < s.end]

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
        lexicon: dict[str, dict[str, float]] | None = None,
        pretrain_steps: int = 0,
        raw_text: Callable[[Language], Iterable[Example]] | None = None,
    ) -> None:
        """Find the labels and the sizes of the model; and note what its encoder is to
        read before it learns what entities are, if that is wanted. It reads as the
        training begins, at the first call of `update` (by `spacy train` or
        `nlp.update`): a component that is initialized and not trained is not
        pretrained. If its encoder is given other weights in between, as by
        `init_tok2vec`, these stay, and nothing is read.

        get_examples (Callable[[], Iterable[Example]]): Gives the training data.
        nlp (Language | None): The pipeline.
        labels (list[str] | None): What `spacy init labels` has saved, in place of the
            labels of the examples.
        lexicon (dict[str, dict[str, float]] | None): The words of each kind and how
            frequent they are, for a model that reads a lexicon: see data/lexicon.py.
            What the model has to know of them is saved with it.
        pretrain_steps (int): How many batches of 16 texts of the examples the encoder
            reads at most: it guesses characters that are masked, see pretraining.py.
            No text is read more than 64 times, so of few texts fewer batches are
            read; of a corpus that is streamed spaCy shows but the first 100. Only for
            an encoder of characters.
        raw_text (Callable[[Language], Iterable[Example]] | None): Other texts to be
            read there, too: a reader of spaCy, such as `spacy.JsonlCorpus.v1`.
        RAISES (ValueError): Where there are no examples, no labels or no text, the
            model has another number of tags, of model and lexicon one is there without
            the other, or the model cannot be pretrained.
        """
        validate_get_examples(get_examples, "LSTMEntityRecognizer.initialize")
        self._pending = self.pretraining = None
        if not isinstance(pretrain_steps, Integral) or pretrain_steps < 0:
            raise ValueError(
                f"[{self.name}] pretrain_steps = {pretrain_steps}: set it to 0 (no "
                f"pretraining) or more, a whole number."
            )
        if raw_text is not None and not pretrain_steps:
            raise ValueError(
                f"[{self.name}] There is raw_text to read, but pretrain_steps = 0: set "
                f"it to 3000, or more for much text."
            )
        if isinstance(labels, str) or not isinstance(labels, Iterable | None):
            raise ValueError(
                f"[{self.name}] labels = {labels!r:.80} is no list of labels."
            )
        labels = self._look_at(get_examples, nlp, labels)
        # All are looked at before anything is changed.
        labels = [self._checked_label(label) for label in labels]
        if not labels:
            self._require_labels()
        docs = self._sample(get_examples())
        if not docs:
            raise ValueError(Errors.E923.format(name=self.name))
        readers = [node for node in self.model.walk() if node.name == "lexicon_embed"]
        if lexicon is not None and not readers:
            raise ValueError(
                f"[{self.name}] There is a lexicon, but the model reads none: set "
                f"lexicon_width in the embedding of the model, for example to 32."
            )
        for reader in readers:
            if lexicon is not None:
                set_lexicon(reader, lexicon)
        for label in labels:
            self.add_label(label)
        self.cfg["temperature"] = 1.0
        self.is_fresh = True
        if nlp is not None and any(pipe is self for _, pipe in nlp.components):
            settings.belongs_to(self, nlp)
        if self.has_default_token_model:
            self._tell_config_of_model()
        width = len(self.tags)
        counts = [self._units.count(doc) for doc in docs]
        self.model.initialize(
            X=docs, Y=[self.model.ops.alloc2f(count, width) for count in counts]
        )
        nO = self.model.get_ref("crf").get_dim("nO")
        if nO != width:
            raise ValueError(
                f"[{self.name}] The model has nO = {nO}, but {len(self.labels)} labels "
                f"make {width} tags: leave nO out of the config (null)."
            )
        # Whether the model gives a vector a unit shows when it is run.
        self._check_scores(self.model.predict(docs), counts)
        if pretrain_steps:
            texts = [eg.predicted.text for eg in get_examples()]
            if raw_text is not None:
                some = nlp or Language(self.vocab)
                texts += [eg.reference.text for eg in raw_text(some)]
            tok2vec = self.model.get_ref("tok2vec")
            self._pending = PendingPretraining(
                self.name, tok2vec, texts, pretrain_steps
            )

    def _look_at(
        self,
        get_examples: Callable[[], Iterable[Example]],
        nlp: Language | None,
        labels: list[str] | None,
    ) -> list[str]:
        """Warn of data that would train a wrong model.

        RETURNS (list[str]): The labels that are given, or else those of the examples.
        """
        limit = None if labels is None else SAMPLE
        counted = compute_statistics(get_examples, limit=limit)
        for mismatch in find_mismatches(counted, nlp, unit=self.cfg["unit"]):
            warnings.warn(f"[{self.name}] {mismatch}", stacklevel=3)
        if labels is None:
            return sorted(counted.labels)
        if unknown := unknown_labels(counted.labels, {*labels, *self.labels}):
            raise ValueError(
                f"[{self.name}] The examples have labels that are not among those "
                f"given: {', '.join(map(escaped, unknown))}. Make the file of labels "
                f"anew: python -m spacy init labels"
            )
        return labels

    def _pretrain(self) -> None:
        """Do what `initialize` has left for the beginning of the training."""
        if self._pending is not None:
            self.pretraining = self._pending.run(self.model.get_ref("tok2vec"))
            self._pending = None

    def _sample(self, examples: Iterable[Example]) -> list[Doc]:
        """Ten documents, to size the model; and, if it wants to know the characters of
        the data, all others that bring a new one."""
        docs = (eg.predicted for eg in examples if self._units.count(eg.predicted))
        sample = list(islice(docs, 10))
        if any("characters" in node.attrs for node in self.model.walk()):
            seen = {char for doc in sample for char in doc.text}
            for doc in docs:
                if not seen.issuperset(doc.text):
                    seen.update(doc.text)
                    sample.append(doc)
        return sample

    def add_label(self, label: str) -> int:
        """Add an entity label. What a trained model has learned stays as it is, and its
        best path, too: no entity of the new label is on it before it is trained. The
        probabilities of the others fall a little.

        label (str): The label.
        RETURNS (int): 0 if it is there already, otherwise 1.
        RAISES (ValueError): Where the label is no string, an empty one, or one that
            cannot be saved, for it has half of a surrogate pair.
        """
        if self._checked_label(label) in self.labels:
            return 0
        self.vocab.strings.add(label)
        if self.model.get_ref("crf").has_param("transitions"):
            self.set_output(n_tags((*self.labels, label), self.cfg["scheme"]))
        self.cfg["labels"].append(label)
        return 1

    def _checked_label(self, label: Any) -> str:
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.E187)
        if not settings.is_text(label):
            raise ValueError(
                f"[{self.name}] The label {label!r} has half of a surrogate pair, "
                f"which no file can hold: give it another name."
            )
        return label

    def _tell_config_of_model(self) -> None:
        """Let the config of the pipeline name the model that the default one was
        exchanged for: see `make_lstm_ner`."""
        config = settings.pipe_config(self)
        if config is not None:
            config["model"] = dict(default_token_model()["model"])

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Save the component: its labels and settings, its weights and the vocab.

        exclude (Iterable[str]): What is left out, of "cfg", "model" and "vocab".
        RETURNS (bytes): For `from_bytes`.
        """
        model = None if "model" in exclude else self.model.to_bytes()
        parts: dict[str, Callable[[], bytes]] = {
            "cfg": lambda: self._saved_cfg(model, self.configured),
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
        }
        if model is not None:
            parts["model"] = lambda: model
        return util.to_bytes(parts, exclude)

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "LSTMEntityRecognizer":
        """Load what `to_bytes` has saved. A setting has the value that was saved, but
        where this component was made with another one that is not the default.

        bytes_data (bytes): The bytes.
        exclude (Iterable[str]): What is left out, of "cfg", "model" and "vocab".
        RETURNS (LSTMEntityRecognizer): The component itself.
        RAISES (DamagedComponent): For what was not saved like this; it is a ValueError.
        """
        place = f"[{self.name}]"
        try:
            parts = srsly.msgpack_loads(bytes_data)
            cfg, model = parts.get("cfg"), parts.get("model")
        except Exception as error:
            raise DamagedComponent(
                f"{place} bytes: they are damaged: {error}"
            ) from None
        if "cfg" in exclude:
            cfg = None
        if "model" in exclude:
            model = None
        loaded = None
        if cfg is not None:
            data = cfg.encode() if isinstance(cfg, str) else cfg
            loaded = read_cfg(data, f"{place} cfg")
        if model is not None:
            self._load_model(model, loaded, f"{place} model")
        if loaded is not None:
            self._load_cfg(loaded, f"{place} cfg", config=None)
        util.from_bytes(
            bytes_data,
            {"vocab": lambda b: self.vocab.from_bytes(b, exclude=exclude)},
            exclude,
        )
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the component to a folder: its labels and settings, its weights and the
        vocab.

        path (str | Path): The folder.
        exclude (Iterable[str]): What is left out, of "cfg", "model" and "vocab".
        """
        model = None if "model" in exclude else self.model.to_bytes()
        config = settings.saved_config(Path(path), interpolate=True)
        configured = self.configured
        if config is not None:
            configured = {name: [value] for name, value in config.items()}
        parts: dict[str, Callable[[Path], Any]] = {
            "cfg": lambda p: p.write_bytes(self._saved_cfg(model, configured)),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
        }
        if model is not None:
            parts["model"] = lambda p: p.write_bytes(model)
        util.to_disk(path, parts, exclude)

    def from_disk(
        self, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> "LSTMEntityRecognizer":
        """Load what `to_disk` has saved. A setting has the value that was saved, but
        where the config of the pipeline has another one: one that `spacy.load` was
        given, or that somebody wrote into the file.

        path (str | Path): The folder.
        exclude (Iterable[str]): What is left out, of "cfg", "model" and "vocab".
        RETURNS (LSTMEntityRecognizer): The component itself.
        RAISES (DamagedComponent): For what was not saved like this; it is a ValueError.
        RAISES (OSError): For files that are not there, or cannot be read.
        """
        path = Path(path)
        loaded = None
        if "cfg" not in exclude:
            loaded = read_cfg((path / "cfg").read_bytes(), str(path / "cfg"))
        if "model" not in exclude:
            place = path / "model"
            self._load_model(place.read_bytes(), loaded, str(place))
        if loaded is not None:
            config = settings.loaded_config(self, path)
            self._load_cfg(loaded, str(path / "cfg"), config=config)
        readers: dict[str, Callable[[Path], Any]] = {
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude)
        }
        util.from_disk(path, readers, exclude)
        return self

    def _saved_cfg(
        self, model: bytes | None, configured: dict[str, list[Any]]
    ) -> bytes:
        if self._pending is not None:
            self._pending.warn_that_it_is_lost()
        return saved_cfg(self.cfg, self.settings, configured, model)

    def _load_model(self, data: bytes, cfg: dict[str, Any] | None, place: str) -> None:
        if cfg is not None:
            check_model_bytes(data, cfg, place)
        load_model(self.model, data, place)
        if cfg is not None:
            check_labels_fit(self.model, cfg, place)

    def _load_cfg(
        self, cfg: dict[str, Any], place: str, *, config: settings.LoadedConfig | None
    ) -> None:
        """Take over what was saved, all or nothing."""
        check_labels_fit(self.model, cfg, place)
        for name in ("scheme", "unit"):
            value = cfg[name] if config is None else config.given.get(name, cfg[name])
            if value != cfg[name] and "${" not in str(value):
                warnings.warn(
                    f"{place}: the config has {name} = {value!r}, but the weights are "
                    f"for {cfg[name]!r}: that is taken.",
                    stacklevel=3,
                )
        chosen = settings.chosen(
            self, cfg["settings"], cfg["configured"], config, place
        )
        for label in cfg["labels"]:
            self.vocab.strings.add(label)
        self.cfg.update({name: cfg[name] for name in self.cfg})
        for name, value in chosen.items():
            setattr(self, name, value)

    def _require_initialized(self) -> None:
        if not self.model.get_ref("crf").has_param("transitions"):
            raise ValueError(Errors.E109.format(name=self.name))

    def _check_scores(self, scores: list[Floats2d], counts: list[int]) -> None:
        for doc_scores, count in zip(scores, counts, strict=True):
            if len(doc_scores) != count:
                raise ValueError(
                    f'[{self.name}] The setting unit = "{self.cfg["unit"]}" asks for '
                    f"a vector for each of {count} units, but the tok2vec of the model "
                    f"gives {len(doc_scores)}. An embedding of characters goes with "
                    f'unit = "char", any other tok2vec with unit = "token".'
                )


def recognizers(nlp: Language) -> dict[str, LSTMEntityRecognizer]:
    """The components `lstm_ner` of a pipeline, by their names, in their order."""
    return {
        name: pipe
        for name, pipe in nlp.pipeline
        if isinstance(pipe, LSTMEntityRecognizer)
    }


def _without_overlaps(spans: list[ScoredSpan]) -> list[ScoredSpan]:
    """Entities in the order of the text. Windows may disagree where they meet: of two
    entities that overlap the more probable one stays."""
    kept: list[ScoredSpan] = []
    for span in spans:
        if kept and span.start < kept[-1].end:
            kept[-1] = max(kept[-1], span, key=lambda s: s.score)
        else:
            kept.append(span)
    return kept


def _by_doc(rows: ArrayT, counts: list[int]) -> list[ArrayT]:
    ends = np.cumsum(counts).tolist()
    return [rows[end - count : end] for count, end in zip(counts, ends, strict=True)]


@lru_cache(maxsize=16)
def _tag_set(labels: tuple[str, ...], scheme: str) -> TagSet:
    return TagSet(labels, scheme)
