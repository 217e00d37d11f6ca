"""Why an entity was found: what each character adds to it, and what would have been
found instead."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats1d, Floats2d, Ragged

from ..layers.viterbi import best_paths_without_segments, path_scores
from ..model.units import in_characters
from ..pipeline import Analysis, Decoding, LSTMEntityRecognizer
from ..tags import ScoredSpan, Span
from ..util.cancellation import checkpoint
from ..util.progress import with_progress
from .component import find_component, fresh, prepared

# Characters for private use: no text has them, and so no model knows them.
UNKNOWN = "\ue000\ue001\ue002"
# Of the whole text so many analyses are told.
_ANALYSES = 5
# So many units are put out of sight at once.
_PLACES = 16
# Probabilities are told apart from 0 and 1 up to here.
_NEAREST = 1e-9


class Why(NamedTuple):
    """Why one entity was found."""

    entity: ScoredSpan  # in characters of the text
    #: (n,) what each unit adds: by how much the log-odds of the entity are lower where
    #: an unknown character stands in its place. Negative: without it the entity would
    #: be more probable.
    added: Floats1d
    #: The best analysis without this entity; None where there is none.
    runner_up: Analysis | None
    #: How much more probable the best analysis is than that one, as the logarithm of
    #: the ratio.
    margin: float | None


class Explanation(NamedTuple):
    """Why a component finds what it finds in a text."""

    text: str
    #: (n,) where each unit begins and ends in the text.
    places: list[tuple[int, int]]
    #: The best analyses, the most probable first, at most 5.
    analyses: list[Analysis]
    #: One for each entity that was found.
    entities: list[Why]
    #: The language of the pipeline, as spaCy names it.
    lang: str = ""

    @property
    def margin(self) -> float | None:
        """The logarithm of how many times the best analysis is more probable than the
        second best; None where there is no other."""
        if len(self.analyses) < 2:
            return None
        return _log_ratio(self.analyses[0], self.analyses[1])


def explain(
    nlp: Language,
    text: str | Doc,
    *,
    component: str | None = None,
    progress: bool = False,
) -> Explanation:
    """Tell why a pipeline finds what it finds: by *occlusion*, as Zeiler & Fergus
    (2014) do with pictures. Each character (token) in turn is put out of sight: one
    stands there that the model does not know (three of these, whose results are
    averaged). What the probability of an entity loses by it, the character has added.
    A text of n characters takes as long as 3 n² characters: some seconds for 300.

    nlp (Language): The pipeline.
    text (str | Doc): The text; or a Doc, whose tokens are taken, but not what is
        annotated there.
    component (str | None): Name of the component; default: the first `lstm_ner`.
    progress (bool): Show a progress bar if it takes long.
    RETURNS (Explanation): What each unit adds to each entity, and what would have been
        found instead.
    RAISES (ValueError): Where there is no such component, or it is not trained.
    """
    name, ner = find_component(nlp, component)
    doc = fresh(nlp, text)
    places = ner.state.units.offsets(doc)
    (read,) = prepared(nlp, [fresh(nlp, doc)], name)
    (analyses,) = ner.n_best([read], _ANALYSES)
    (decoding,) = ner.decode([read])
    entities = list(in_characters(ner.state.units, read, decoding.spans))
    added = np.zeros((len(places), len(entities)))
    if entities:
        asked = [entity[:3] for entity in entities]
        (scores,) = ner.probabilities([read], [asked], whole=True)
        for k in with_progress(range(0, len(places), _PLACES), progress, "Why"):
            checkpoint()
            some = slice(k, k + _PLACES)
            without = _scores_without(nlp, name, ner, doc, places[some], asked)
            added[some] = _log_odds(np.array(scores)) - without
    runners_up = _runners_up(ner, read, decoding, entities, analyses[0])
    return Explanation(
        doc.text,
        places,
        analyses,
        [
            Why(entity, column, *runner_up)
            for entity, column, runner_up in zip(
                entities, added.T, runners_up, strict=True
            )
        ],
        nlp.lang or "",
    )


def _scores_without(
    nlp: Language,
    name: str,
    ner: LSTMEntityRecognizer,
    doc: Doc,
    places: list[tuple[int, int]],
    asked: list[tuple[int, int, str]],
) -> Floats2d:
    """(places, entities) the log-odds of entities where the unit in each place is out
    of sight."""
    hidden = (_without_unit(nlp, ner, doc, *place) for place in places)
    docs = prepared(nlp, chain.from_iterable(hidden), name)
    scores = np.array(ner.probabilities(docs, [asked] * len(docs), whole=True))
    by_unit = _log_odds(scores).reshape((len(places), len(UNKNOWN), len(asked)))
    return by_unit.mean(axis=1)


def _without_unit(
    nlp: Language, ner: LSTMEntityRecognizer, doc: Doc, start: int, end: int
) -> Iterator[Doc]:
    """The same text with unknown characters in this place."""
    text = doc.text
    for char in UNKNOWN:
        unknown = char * (end - start)
        if ner.state.unit == "char":
            yield nlp.make_doc(text[:start] + unknown + text[end:])
        else:
            # Other characters could make other tokens.
            words = [unknown if token.idx == start else token.text for token in doc]
            spaces = [bool(token.whitespace_) for token in doc]
            yield Doc(nlp.vocab, words=words, spaces=spaces)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = p.clip(_NEAREST, 1 - _NEAREST)
    odds: np.ndarray = np.log(p) - np.log1p(-p)
    return odds


def _runners_up(
    ner: LSTMEntityRecognizer,
    doc: Doc,
    decoding: Decoding,
    entities: list[ScoredSpan],
    best: Analysis,
) -> Iterator[tuple[Analysis | None, float | None]]:
    """For each entity the best analysis without it, and how far it is behind."""
    if not entities:
        return
    crf, units = ner.model.get_ref("crf"), ner.state.units
    emissions = Ragged(decoding.emissions, np.array([len(decoding.path)]))
    (best_score,) = path_scores(crf, emissions, decoding.path)
    placed = [s for s in decoding.spans if any(in_characters(units, doc, [s]))]
    asked = ner.tags.segments([span[:3] for span in placed])
    paths, scores = best_paths_without_segments(
        crf, emissions, ner.tags.constraints, asked
    )
    for entity, path, score in zip(entities, paths, scores, strict=True):
        spans = ner.new_spans(doc, ner.tags.spans_from_ids(path))
        others = tuple(in_characters(units, doc, spans))
        # With white space at an edge it would be the same one again.
        if np.isneginf(score) or Span(*entity[:3]) in others:
            yield None, None
            continue
        margin = float(best_score - score) / ner.temperature
        yield Analysis(best.probability * float(np.exp(-margin)), others), margin


def _log_ratio(one: Analysis, other: Analysis) -> float:
    return float(np.log(one.probability) - np.log(other.probability))
