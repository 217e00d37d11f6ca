"""Attribution: the contribution of each character to an entity, and the best analysis
without the entity."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats1d, Floats2d, Ragged

from ..layers.viterbi import best_paths_without_segments, path_scores
from ..model.units import in_characters
from ..pipeline import Analysis, Decoding, LSTMEntityRecognizer, NestedDecoding
from ..tags import ScoredSpan, Span
from ..util.cancellation import checkpoint
from ..util.progress import with_progress
from .access import Recognizer, find_component, run_preceding_pipes, unannotated_doc

#: Private-use characters, which occur in no text, so that no model knows them.
UNKNOWN = "\ue000\ue001\ue002"
# Maximum number of analyses of a text.
_MAX_ANALYSES = 5
# Number of units that are replaced in one batch.
_BATCH_SIZE = 16
# Probabilities are clipped to this distance from 0 and 1.
_EPSILON = 1e-9


class EntityAttribution(NamedTuple):
    """The attribution of an entity."""

    #: The entity, in characters of the text, with its probability.
    entity: ScoredSpan
    #: (n,) the contribution of each unit: the decrease in the log-odds of the entity if
    #: the unit is replaced by an unknown one. If it is negative, the entity would be
    #: more probable without the unit.
    contributions: Floats1d
    #: The best analysis without the entity; None if there is none.
    runner_up: Analysis | None
    #: The logarithm of the probability of the best analysis divided by that of the
    #: runner-up; None if there is none.
    margin: float | None

    @property
    def added(self) -> Floats1d:
        """The former name of `contributions`."""
        return self.contributions


class Explanation(NamedTuple):
    """The attribution of all entities that a component predicts in a text."""

    text: str
    #: (n,) the start and end of each unit, in characters of the text.
    offsets: list[tuple[int, int]]
    #: The best analyses, the most probable first, at most 5.
    analyses: list[Analysis]
    #: The attribution of each predicted entity.
    entities: list[EntityAttribution]
    #: The language of the pipeline, as spaCy names it.
    lang: str = ""

    @property
    def places(self) -> list[tuple[int, int]]:
        """The former name of `offsets`."""
        return self.offsets

    @property
    def margin(self) -> float | None:
        """The logarithm of the probability of the best analysis divided by that of the
        second best; None if there is no other."""
        if len(self.analyses) < 2:
            return None
        best, second = self.analyses[:2]
        return float(np.log(best.probability) - np.log(second.probability))


def explain(
    nlp: Language,
    text: str | Doc,
    *,
    component: str | None = None,
    progress: bool = False,
) -> Explanation:
    """Attribute the predicted entities of a text to its characters by occlusion: see
    `spacy_lstm_ner.inspect.explain`."""
    name, ner = find_component(nlp, component)
    doc = unannotated_doc(nlp, text)
    offsets = ner.state.units.offsets(doc)
    (ner_doc,) = run_preceding_pipes(nlp, [unannotated_doc(nlp, doc)], name)
    (analyses,) = ner.n_best([ner_doc], _MAX_ANALYSES)
    (decoding,) = ner.decode([ner_doc])
    entities = list(in_characters(ner.state.units, ner_doc, decoding.spans))
    contributions = np.zeros((len(offsets), len(entities)))
    if entities:
        spans = [entity[:3] for entity in entities]
        (scores,) = ner.probabilities([ner_doc], [spans], whole=True)
        log_odds = _log_odds(np.array(scores))
        starts = range(0, len(offsets), _BATCH_SIZE)
        for k in with_progress(starts, progress, "Attribution"):
            checkpoint()
            batch = slice(k, k + _BATCH_SIZE)
            occluded = _occluded_log_odds(nlp, name, ner, doc, offsets[batch], spans)
            contributions[batch] = log_odds - occluded
    runners_up = _runners_up(ner, ner_doc, decoding, entities, analyses[0])
    return Explanation(
        doc.text,
        offsets,
        analyses,
        [
            EntityAttribution(entity, column, *runner_up)
            for entity, column, runner_up in zip(
                entities, contributions.T, runners_up, strict=True
            )
        ],
        nlp.lang or "",
    )


def _occluded_log_odds(
    nlp: Language,
    name: str,
    ner: Recognizer,
    doc: Doc,
    offsets: list[tuple[int, int]],
    spans: list[tuple[int, int, str]],
) -> Floats2d:
    """(units, entities) the log-odds of entities if each of some units is replaced,
    averaged over the unknown characters."""
    occluded = (_occluded_docs(nlp, ner, doc, *unit) for unit in offsets)
    docs = run_preceding_pipes(nlp, chain.from_iterable(occluded), name)
    scores = np.array(ner.probabilities(docs, [spans] * len(docs), whole=True))
    by_unit = _log_odds(scores).reshape((len(offsets), len(UNKNOWN), len(spans)))
    return by_unit.mean(axis=1)


def _occluded_docs(
    nlp: Language, ner: Recognizer, doc: Doc, start: int, end: int
) -> Iterator[Doc]:
    """Yield copies of a document with unknown characters in place of a unit."""
    text = doc.text
    for char in UNKNOWN:
        unknown = char * (end - start)
        if ner.state.unit == "char":
            yield nlp.make_doc(text[:start] + unknown + text[end:])
        else:
            # The tokenizer could split the changed text into other tokens.
            words = [unknown if token.idx == start else token.text for token in doc]
            spaces = [bool(token.whitespace_) for token in doc]
            yield Doc(nlp.vocab, words=words, spaces=spaces)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = p.clip(_EPSILON, 1 - _EPSILON)
    log_odds: np.ndarray = np.log(p) - np.log1p(-p)
    return log_odds


def _runners_up(
    ner: Recognizer,
    doc: Doc,
    decoding: Decoding | NestedDecoding,
    entities: list[ScoredSpan],
    best: Analysis,
) -> Iterator[tuple[Analysis | None, float | None]]:
    """Yield, for each entity, the best analysis without it and the margin."""
    if not entities:
        return
    units = ner.state.units
    spans = [
        Span(*s[:3]) for s in decoding.spans if list(in_characters(units, doc, [s]))
    ]
    if isinstance(ner, LSTMEntityRecognizer):
        others = _best_without(ner, doc, decoding, spans, best)
    else:
        others = iter(ner.best_without(doc, spans))
    for entity, other in zip(entities, others, strict=True):
        # The segment may differ only in whitespace at its edges: the same entity.
        if other is None or Span(*entity[:3]) in other[0].entities:
            yield None, None
        else:
            yield other


def _best_without(
    ner: LSTMEntityRecognizer,
    doc: Doc,
    decoding: Decoding | NestedDecoding,
    spans: list[Span],
    best: Analysis,
) -> Iterator[tuple[Analysis, float] | None]:
    """Yield, for each entity on the best path, the best analysis without it and the
    margin; None if there is none."""
    crf = ner.model.get_ref("crf")
    emissions = Ragged(decoding.emissions, np.array([len(decoding.path)]))
    (best_score,) = path_scores(crf, emissions, decoding.path)
    paths, scores = best_paths_without_segments(
        crf, emissions, ner.tags.constraints, ner.tags.segments(spans)
    )
    for path, score in zip(paths, scores, strict=True):
        if np.isneginf(score):
            yield None
            continue
        other_spans = ner.without_preset(doc, ner.tags.spans_from_ids(path))
        others = tuple(in_characters(ner.state.units, doc, other_spans))
        margin = float(best_score - score) / ner.temperature
        yield Analysis(best.probability * float(np.exp(-margin)), others), margin
