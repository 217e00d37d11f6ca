"""Why an entity was found: what each character adds to it, and what would have been
found instead."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats1d, Floats2d

from ..pipeline import Analysis, LSTMEntityRecognizer
from ..progress import with_progress
from ..tagging import ScoredSpan, Span
from ..units import UNITS
from .component import find_component, in_characters, prepared

# Characters for private use: no text has them, and so no model knows them.
UNKNOWN = "\ue000\ue001\ue002"
# Of so many analyses one has to lack an entity, to tell what would stand there.
_ANALYSES = 20
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
    #: The best analysis without this entity; None where none of the 20 best lacks it.
    runner_up: Analysis | None
    #: How much more probable the best analysis is than that one, as the logarithm of
    #: the ratio.
    margin: float | None


class Explanation(NamedTuple):
    """Why a component finds what it finds in a text."""

    text: str
    #: (n,) where each unit begins and ends in the text.
    places: list[tuple[int, int]]
    #: The best analyses, the most probable first, at most 20.
    analyses: list[Analysis]
    #: One for each entity that was found.
    entities: list[Why]

    @property
    def margin(self) -> float | None:
        """The logarithm of how many times the best analysis is more probable than the
        second best; None where there is no other."""
        if len(self.analyses) < 2:
            return None
        return _log_ratio(self.analyses[0], self.analyses[1])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from ..pages.page import frame
        from ..pages.why import why_page

        return frame(why_page(self), "Why these entities")


def explain(
    nlp: Language, text: str, *, component: str | None = None, progress: bool = False
) -> Explanation:
    """Tell why a pipeline finds what it finds: by *occlusion*, as Zeiler & Fergus
    (2014) do with pictures. Each character (token) in turn is put out of sight: one
    stands there that the model does not know (three of these, whose results are
    averaged). What the probability of an entity loses by it, the character has added.
    A text of n characters takes as long as 3 n² characters: some seconds for 300.

    nlp (Language): The pipeline.
    text (str): The text.
    component (str | None): Name of the component; default: the first `lstm_ner`.
    progress (bool): Show a progress bar if it takes long.
    RETURNS (Explanation): What each unit adds to each entity, and what would have been
        found instead.
    RAISES (ValueError): Where there is no such component, or it is not trained.
    """
    name, ner = find_component(nlp, component)
    doc = nlp.make_doc(text)
    places = UNITS[ner.cfg["unit"]].places(doc)
    (read,) = prepared(nlp, [doc], name)
    (analyses,) = ner.n_best([read], _ANALYSES)
    (reading,) = ner.read([read])
    found = in_characters(ner, read, reading)
    added = np.zeros((len(places), len(found)))
    if found:
        for k in with_progress(range(0, len(places), _PLACES), progress, "Why"):
            some = slice(k, k + _PLACES)
            added[some] = _added(nlp, name, doc, places[some], found)
    return Explanation(
        text,
        places,
        analyses,
        [
            Why(entity, column, *_without(entity, analyses))
            for entity, column in zip(found, added.T, strict=True)
        ],
    )


def _added(
    nlp: Language,
    name: str,
    doc: Doc,
    places: list[tuple[int, int]],
    entities: list[ScoredSpan],
) -> Floats2d:
    """(places, entities) what the unit in each place adds to the log-odds of each
    entity."""
    _, ner = find_component(nlp, name)
    hidden = (_without_unit(nlp, ner, doc, *place) for place in places)
    docs = prepared(nlp, chain.from_iterable(hidden), name)
    asked = [entity[:3] for entity in entities]
    without = np.array(ner.probabilities(docs, [asked] * len(docs)))
    log_odds = _log_odds(without).reshape((len(places), len(UNKNOWN), len(entities)))
    scores = np.array([entity.score for entity in entities])
    return _log_odds(scores) - log_odds.mean(axis=1)


def _without_unit(
    nlp: Language, ner: LSTMEntityRecognizer, doc: Doc, start: int, end: int
) -> Iterator[Doc]:
    """The same text with unknown characters in this place."""
    text = doc.text
    for char in UNKNOWN:
        unknown = char * (end - start)
        if ner.cfg["unit"] == "char":
            yield nlp.make_doc(text[:start] + unknown + text[end:])
        else:
            # Other characters could make other tokens.
            words = [unknown if token.idx == start else token.text for token in doc]
            spaces = [bool(token.whitespace_) for token in doc]
            yield Doc(nlp.vocab, words=words, spaces=spaces)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = p.clip(_NEAREST, 1 - _NEAREST)
    return np.log(p) - np.log1p(-p)


def _without(
    entity: ScoredSpan, analyses: list[Analysis]
) -> tuple[Analysis | None, float | None]:
    """The best analysis without an entity, and how far it is behind."""
    for analysis in analyses:
        if Span(*entity[:3]) not in analysis.entities:
            return analysis, _log_ratio(analyses[0], analysis)
    return None, None


def _log_ratio(one: Analysis, other: Analysis) -> float:
    return float(np.log(one.probability) - np.log(other.probability))
