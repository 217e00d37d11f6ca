"""Documents → batches of windows, with the emission scores of the model.

A `Batch` is what travels through decoding and training: the windows, and one array with
a row for each of their units.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from spacy.errors import Errors
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model, to_numpy
from thinc.types import Floats2d, Ints1d, Ragged

from ..model.transformer import lacks_vectors
from ..tags import Span
from .state import State
from .windows import Window, batches, windows

# Number of units that go through the model at once.
_BATCH_UNITS = 20_000
# Layers from these modules read only the tokens and the text of a Doc, which a copy of
# a part of it has, too.
_READ_TEXT_ONLY = ("spacy_lstm_ner.", "spacy.ml.", "thinc.")

ArrayT = TypeVar("ArrayT", Floats2d, Ints1d)
DocsToScores = Model[list[Doc], list[Floats2d]]


class Batch(NamedTuple):
    """B windows, or whole documents, with N units in total."""

    windows: list[Window]
    #: (N, T) emission scores of the T tags, window after window. Minus infinity
    #: excludes a tag.
    emissions: Ragged

    @property
    def docs(self) -> list[Doc]:
        """(B,) the text of each window."""
        return [window.doc for window in self.windows]

    @property
    def rows(self) -> list[slice]:
        """(B,) the rows of each window."""
        ends = np.cumsum(self.emissions.lengths).tolist()
        return [
            slice(end - window.length, end)
            for window, end in zip(self.windows, ends, strict=True)
        ]

    def split(self, array: ArrayT) -> list[ArrayT]:
        """Split an array with a row per unit, (N, …), into those of the windows."""
        return [array[rows] for rows in self.rows]

    def split_spans(self, spans: Iterable[Span]) -> list[list[Span]]:
        """Split spans by window.

        spans: Spans in rows of the batch, sorted by their starts.
        RETURNS: (B,) spans in units of each window.
        """
        result: list[list[Span]] = [[] for _ in self.windows]
        rows, index = self.rows, 0
        for start, end, label in spans:
            while start >= rows[index].stop:
                index += 1
            first = rows[index].start
            result[index].append(Span(start - first, end - first, label))
        return result

    def join_spans(self, spans: Iterable[Iterable[Span]]) -> list[Span]:
        """The inverse of `split_spans`."""
        return [
            Span(rows.start + start, rows.start + end, label)
            for rows, its_spans in zip(self.rows, spans, strict=True)
            for start, end, label in its_spans
        ]


def whole_docs(
    name: str, model: Model, state: State, docs: Iterable[Doc], scores: list[Floats2d]
) -> Batch:
    """Make a batch of whole documents, on the device of the model.

    name: Name of the component, for error messages.
    scores: (units, T) for each document.
    RETURNS: The batch.
    RAISES (ValueError): If the model has not given one row per unit.
    """
    parts = list(windows(docs, state.units, None))
    lengths = [window.length for window in parts]
    check_rows(name, state, scores, lengths)
    data = model.ops.xp.concatenate(scores)
    return Batch(parts, Ragged(data, np.array(lengths)))


def score_windows(
    name: str,
    model: DocsToScores,
    state: State,
    docs: list[Doc],
    size: int | None,
    is_needed: Callable[[Window], bool] | None = None,
) -> Iterator[Batch]:
    """Split documents into windows, and score the tags of their units.

    A model that reads only the text is given the windows. Any other model is given the
    whole documents, and its scores are split: a copy of a part of a document lacks what
    such a model reads beside the text.

    name: Name of the component, for error messages.
    docs: The documents.
    size: Units per window. None: do not split.
    is_needed: Which windows are needed; all of them by default.
    YIELDS: The windows with their scores, on the CPU, in the order of the text.
    RAISES (ValueError): If the model is not initialized, gives a wrong number of rows,
        or gives scores that are not finite.
    """
    units = state.units

    def score(texts: list[Doc]) -> list[Floats2d]:
        return _score(name, model, state, texts)

    splits = size is not None and any(units.count(doc) > size for doc in docs)
    if not splits or _reads_text_only(model):
        for group in batches(
            filter(is_needed, windows(docs, units, size)), _BATCH_UNITS
        ):
            yield _batch(name, group, score([window.doc for window in group]))
        return
    for group in batches(windows(docs, units, None), _BATCH_UNITS):
        texts, first = [window.doc for window in group], group[0].doc_index
        parts = (
            part._replace(doc_index=part.doc_index + first)
            for part in windows(texts, units, size)
        )
        needed = list(filter(is_needed, parts))
        scores = score(texts) if needed else []
        for few in batches(needed, _BATCH_UNITS):
            yield _batch(name, few, [scores[w.doc_index - first][w.rows] for w in few])


def _batch(name: str, group: list[Window], scores: list[Floats2d]) -> Batch:
    # Decoding runs on the CPU, wherever the model is.
    data = np.concatenate([to_numpy(rows) for rows in scores])
    if not np.isfinite(data).all():
        raise ValueError(
            f"[{name}] The model gives non-finite emission scores (NaN or inf): its "
            f"weights are broken. Load or train it again."
        )
    return Batch(group, Ragged(data, np.array([window.length for window in group])))


def _score(
    name: str, model: DocsToScores, state: State, docs: list[Doc]
) -> list[Floats2d]:
    """RETURNS (list[Floats2d]): (units, T) emission scores of each document."""
    lengths = [state.units.count(doc) for doc in docs]
    if not any(lengths):
        return [np.zeros((0, state.n_tags), dtype="float32") for _ in docs]
    require_initialized(name, model)
    _require_vectors(name, model, docs)
    scores = model.predict(docs)
    check_rows(name, state, scores, lengths)
    return scores


def require_initialized(name: str, model: Model) -> None:
    """RAISES (ValueError): If the model has no weights yet."""
    if not model.get_ref("crf").has_param("transitions"):
        raise ValueError(Errors.E109.format(name=name))


def _require_vectors(name: str, model: Model, docs: list[Doc]) -> None:
    """RAISES (ValueError): If the model listens to a component that has not read the
    documents. The listener would give zeros."""
    if lacks_vectors(model, docs):
        upstream, what = "transformer", "doc._.trf_data"
    elif any(isinstance(node, Tok2VecListener) for node in model.walk()) and any(
        len(doc) and not doc.tensor.size for doc in docs
    ):
        upstream, what = "tok2vec", "doc.tensor"
    else:
        return
    raise ValueError(
        f"[{name}] The model listens to a component {upstream}, which has not read "
        f"the document: {what} is not set. Put the component {upstream} before "
        f"{name} in [nlp.pipeline], and do not disable it; or apply it to the Doc "
        f"first."
    )


def check_rows(
    name: str, state: State, scores: list[Floats2d], lengths: Iterable[int]
) -> None:
    """RAISES (ValueError): If the model does not give one row per unit."""
    for doc_scores, length in zip(scores, lengths, strict=True):
        if len(doc_scores) != length:
            raise ValueError(
                f'[{name}] unit = "{state.unit}" requires a vector for each of '
                f"{length} units, but the tok2vec of the model gives "
                f"{len(doc_scores)}. Use an embedding of characters with "
                f'unit = "char", and any other tok2vec with unit = "token".'
            )


def listens(model: Model) -> bool:
    """Return whether the model listens to a shared tok2vec."""
    # The name of a chain keeps that of a listener that has been replaced in it.
    return any("listener" in node.name for node in model.walk() if not node.layers)


def _reads_text_only(model: Model) -> bool:
    """Return whether the model gives the same for a copy of a part of a Doc as for that
    part of the Doc. A listener does not: the tok2vec has read the Doc itself. Of layers
    from other packages it is not known."""
    return all(
        (getattr(node._func, "__module__", None) or "").startswith(_READ_TEXT_ONLY)
        for node in model.walk()
        if not node.layers or "listener" in node.name
    )
