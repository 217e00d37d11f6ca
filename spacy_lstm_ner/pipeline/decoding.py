"""Emission scores → entities, their probabilities, and the n best analyses."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc
from thinc.types import Floats2d, Ints1d

from ..layers.marginals import segment_marginals
from ..layers.viterbi import best_paths, n_best_paths
from ..model.units import UNITS, in_characters
from ..tags import ScoredSpan, Span
from .batch import Batch, DocsToScores, score_windows
from .brackets import best_path_keeping_brackets, split_pairs, unit_pairs
from .preset import clamp_preset, has_preset, without_preset
from .state import State
from .windows import Window, without_overlaps


class Analysis(NamedTuple):
    """A possible set of all entities of a document."""

    #: How probable it is that the document has these entities and no others.
    probability: float
    #: The entities, in characters of doc.text.
    entities: tuple[Span, ...]


class Decoding(NamedTuple):
    """The result of decoding a text of n units, with T tags."""

    #: (n, T) emission scores. Minus infinity excludes a tag: for preset entities, or
    #: for pairs of brackets that would be split.
    emissions: Floats2d
    #: (n,) the ids of the tags on the best path.
    path: Ints1d
    #: The entities on it, in units, without preset ones.
    spans: list[ScoredSpan]

    def above(self, threshold: float) -> "Decoding":
        """The same without the entities that are less probable."""
        return self._replace(spans=[s for s in self.spans if s.score >= threshold])


@dataclass(frozen=True)
class Decoder:
    """Decodes documents with the settings of a component.

    name: Name of the component, for error messages.
    model: The model, which gives emission scores.
    state: Labels, scheme, unit and temperature.
    overwrite: Ignore preset entities.
    whole_brackets: Do not split pairs of brackets, see brackets.py.
    """

    name: str
    model: DocsToScores
    state: State
    overwrite: bool
    whole_brackets: bool

    def batches(
        self,
        docs: list[Doc],
        size: int | None,
        is_needed: Callable[[Window], bool] | None = None,
    ) -> Iterator[Batch]:
        """Yield batches of windows, with emission scores that exclude all paths without
        the preset entities. Arguments and errors are those of `score_windows`."""
        scored = score_windows(self.name, self.model, self.state, docs, size, is_needed)
        for batch in scored:
            preset = [
                i for i, doc in enumerate(batch.docs) if has_preset(doc, self.overwrite)
            ]
            if preset:
                clamp_preset(batch, preset, self.state)
            yield batch

    def search(self, batch: Batch) -> tuple[Ints1d, list[list[Span]]]:
        """Find the best path of each window, and the entities on it.

        batch: B windows with N units. To keep a pair of brackets together, tags are
            excluded from its emission scores.
        RETURNS: (N,) tag ids; and (B,) entities in units of each window, without preset
            ones.
        """
        crf, tags = self.model.get_ref("crf"), self.state.tags
        emissions = batch.emissions
        path = best_paths(crf, emissions, tags.constraints)
        # No entity of a legal path extends over two windows.
        found = self._without_preset(
            batch.docs, batch.split_spans(tags.spans_from_ids(path))
        )
        if not self.whole_brackets:
            return path, found
        for i, (window, rows) in enumerate(zip(batch.windows, batch.rows, strict=True)):
            pairs = unit_pairs(window.doc, self.state.units) if found[i] else []
            if split_pairs(pairs, found[i]):
                path[rows] = best_path_keeping_brackets(
                    crf, emissions.dataXd[rows], path[rows], tags, pairs
                )
                spans = tags.spans_from_ids(path[rows])
                (found[i],) = self._without_preset([window.doc], [spans])
        return path, found

    def _without_preset(
        self, docs: list[Doc], spans: list[list[Span]]
    ) -> list[list[Span]]:
        return [
            without_preset(doc, some, self.state)
            if some and has_preset(doc, self.overwrite)
            else some
            for doc, some in zip(docs, spans, strict=True)
        ]

    def decode(self, batch: Batch) -> list[Decoding]:
        """Decode each window of a batch.

        batch: The batch. To keep a pair of brackets together, tags are excluded from
            its emission scores.
        RETURNS: (B,) the results, with entities in units of each window.
        """
        path, found = self.search(batch)
        rows = zip(
            batch.split(batch.emissions.dataXd),
            batch.split(path),
            found,
            self.marginals(batch, found),
            strict=True,
        )
        return [
            Decoding(
                emissions,
                ids,
                [
                    ScoredSpan(*span, score)
                    for span, score in zip(spans, scores, strict=True)
                ],
            )
            for emissions, ids, spans, scores in rows
        ]

    def marginals(self, batch: Batch, spans: list[list[Span]]) -> list[list[float]]:
        """The marginal probabilities of any entities.

        batch: The batch.
        spans: (B,) entities in units of each window, which may overlap. An empty label
            asks for the probability that no entity has any of the units.
        RETURNS: (B,) their probabilities.
        """
        tags = self.state.tags
        found = segment_marginals(
            self.model.get_ref("crf"),
            batch.emissions,
            tags.constraints,
            tags.segments(batch.join_spans(spans)),
            temperature=self.state.temperature,
        )
        rest = iter(found.tolist())
        return [list(islice(rest, len(some))) for some in spans]

    def n_best(self, batch: Batch, n: int) -> list[list[Analysis]]:
        """The n best analyses of each document of a batch, see
        `LSTMEntityRecognizer.n_best`."""
        tags = self.state.tags
        self.search(batch)  # excludes the paths that split a pair of brackets
        paths, log_probs = n_best_paths(
            self.model.get_ref("crf"),
            batch.emissions,
            tags.constraints,
            n,
            temperature=self.state.temperature,
        )
        return [
            self._analyses(window.doc, paths[:, rows], doc_log_probs.tolist())
            for window, rows, doc_log_probs in zip(
                batch.windows, batch.rows, log_probs, strict=True
            )
        ]

    def _analyses(
        self, doc: Doc, paths: np.ndarray, log_probs: list[float]
    ) -> list[Analysis]:
        """Paths of one document as analyses, the most probable one first. Paths whose
        entities differ only in white space at their edges become one analysis."""
        probabilities: dict[tuple[Span, ...], float] = {}
        for path, log_prob in zip(paths, log_probs, strict=True):
            if log_prob > -np.inf:
                spans = [self.state.tags.spans_from_ids(path)]
                (spans_of_doc,) = self._without_preset([doc], spans)
                entities = tuple(in_characters(self.state.units, doc, spans_of_doc))
                probabilities.setdefault(entities, 0.0)
                probabilities[entities] += float(np.exp(log_prob))
        found = [Analysis(p, entities) for entities, p in probabilities.items()]
        return sorted(found, key=lambda analysis: -analysis.probability)


def predict_spans(
    decoder: Decoder, docs: list[Doc], window: int | None, threshold: float
) -> list[list[ScoredSpan]]:
    """Find the entities of documents, see `LSTMEntityRecognizer.predict`."""
    found: list[list[ScoredSpan]] = [[] for _ in docs]
    for batch in decoder.batches(docs, window):
        for part, decoding in zip(batch.windows, decoder.decode(batch), strict=True):
            spans = decoding.above(threshold).spans
            found[part.doc_index].extend(part.from_core(spans))
    return [without_overlaps(spans) for spans in found]


def span_probabilities(
    decoder: Decoder,
    docs: list[Doc],
    spans: Iterable[Iterable[tuple[int, int, str]]],
    window: int | None,
) -> list[list[float]]:
    """The probabilities of any spans, see `LSTMEntityRecognizer.probabilities`."""
    found, queries = queries_in_units(decoder.name, decoder.state, docs, spans)
    batches = decoder.batches(
        docs, window, lambda part: any(part.select(queries[part.doc_index]))
    )
    for batch in batches:
        decoder.search(batch)  # excludes the paths that split a pair of brackets
        here = [list(part.select(queries[part.doc_index])) for part in batch.windows]
        scores = decoder.marginals(batch, [[span for _, span in q] for q in here])
        for part, numbered, values in zip(batch.windows, here, scores, strict=True):
            for (i, _), value in zip(numbered, values, strict=True):
                found[part.doc_index][i] = value
    return found


def queries_in_units(
    name: str,
    state: State,
    docs: list[Doc],
    spans: Iterable[Iterable[tuple[int, int, str]]],
) -> tuple[list[list[float]], list[list[tuple[int, Span]]]]:
    """Convert the spans whose probabilities are asked for to units.

    RETURNS: For each document a list with a 0 for each of its spans, which is their
        probability unless they are found; and those that a component can predict, by
        their start, with their places in this list.
    """
    found: list[list[float]] = []
    queries: list[list[tuple[int, Span]]] = []
    for doc, doc_spans in zip(docs, spans, strict=True):
        in_units = [span_in_units(name, state, doc, *span) for span in doc_spans]
        found.append([0.0] * len(in_units))
        known = [(i, span) for i, span in enumerate(in_units) if span is not None]
        queries.append(sorted(known, key=lambda numbered: numbered[1].start))
    return found, queries


def span_in_units(
    name: str, state: State, doc: Doc, start: int, end: int, label: str
) -> Span | None:
    """A span of characters in units; None if a component cannot predict it.

    name: Name of the component, for error messages.
    RAISES (ValueError): If the text does not have these characters.
    """
    length = UNITS["char"].count(doc)
    if not 0 <= start < end <= length:
        raise ValueError(
            f"[{name}] The text has no characters {start} to {end}, only "
            f"{length}: {doc.text[:40]!r}."
        )
    # An entity consists of whole tokens; a part of a token may be outside of entities.
    mode = "strict" if label else "expand"
    units = state.units.from_characters(doc, start, end, mode)
    if units is None or (label and label not in state.labels):
        return None
    return Span(*units, label)
