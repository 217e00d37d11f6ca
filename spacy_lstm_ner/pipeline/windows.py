"""Long documents as overlapping windows.

The model reads a window with some context around it, but not pages of it. Windows of
one document are read in parallel, which takes less memory and less time than reading
the document whole, since each step of the network advances all windows. Each window
has a core; the cores partition the document, and the context on both sides of a core
overlaps the neighboring cores:

    |---------- core 1 ----------|~~~~~~|
                          |~~~~~~|---------- core 2 ----------|~~~~~~|

An entity is taken from the window whose core contains its first unit.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from spacy.tokens import Doc

from ..model.units import Units
from ..tags import ScoredSpan, Span
from ..util.cancellation import checkpoint

# Context on each side of the core, as a fraction of the window.
_CONTEXT = 1 / 8


class Window(NamedTuple):
    """A part of a Doc, or all of it."""

    #: Index of the Doc in the batch.
    doc_index: int
    #: The Doc itself, or a copy of the part.
    doc: Doc
    #: Number of units in the window.
    length: int
    #: Number of units of the Doc before the window.
    offset: int
    #: First unit of the core, and the unit after its last, in the whole Doc.
    core: tuple[int, int]

    @property
    def rows(self) -> slice:
        """The units of the window in the whole Doc."""
        return slice(self.offset, self.offset + self.length)

    def from_core(self, spans: Iterable[ScoredSpan]) -> Iterator[ScoredSpan]:
        """Yield the entities that begin in the core.

        spans: Entities in units of the window.
        YIELDS: Entities in units of the whole Doc.
        """
        first, end = self.core
        for span in spans:
            start = span.start + self.offset
            if first <= start < end:
                yield span._replace(start=start, end=span.end + self.offset)

    def select(self, spans: Sequence[tuple[int, Span]]) -> Iterator[tuple[int, Span]]:
        """Yield the spans that begin in the core and end in the window.

        spans: Numbered spans in units of the whole Doc, sorted by their starts.
        YIELDS: Numbered spans in units of the window.
        """
        first, core_end = self.core
        begin = bisect_left(spans, first, key=lambda numbered: numbered[1].start)
        for i in range(begin, len(spans)):
            number, (start, end, label) = spans[i]
            if start >= core_end:
                break
            if end - self.offset <= self.length:
                yield number, Span(start - self.offset, end - self.offset, label)


def windows(docs: Iterable[Doc], units: Units, size: int | None) -> Iterator[Window]:
    """Split Docs into windows, between tokens.

    docs: The Docs. Those that fit into one window are not copied.
    units: What is counted.
    size: Units per window; it may be exceeded to include a whole token. None: do not
        split.
    YIELDS: The windows, in the order of the Docs and of their text.
    """
    for index, doc in enumerate(docs):
        count = units.count(doc)
        if size is None or count <= size:
            yield Window(index, doc, count, 0, (0, count))
            continue
        # First units of all tokens, and the number of units.
        starts = np.append(units.token_starts(doc), count)
        context = int(size * _CONTEXT)
        cores = np.arange(0, count, size - 2 * context)
        cores = np.unique(np.append(starts.searchsorted(cores), len(doc)))
        # `as_doc` would compute these again for each window, over the whole Doc.
        head = doc._get_array_attrs()
        array = doc.to_array(list(head))
        for first, end in pairwise(cores):
            left = int(starts.searchsorted(starts[first] - context))
            right = int(starts.searchsorted(starts[end] + context, side="right")) - 1
            # spaCy's type stubs lack these two arguments.
            arrays: Any = {"array_head": head, "array": array}
            part = doc[left : max(right, end)].as_doc(**arrays)
            core = (int(starts[first]), int(starts[end]))
            yield Window(index, part, units.count(part), int(starts[left]), core)


def batches(parts: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Group windows into batches of at most `size` units, or of one window."""
    batch: list[Window] = []
    total = 0
    for window in parts:
        if batch and total + window.length > size:
            checkpoint()
            yield batch
            batch, total = [], 0
        batch.append(window)
        total += window.length
    if batch:
        yield batch


def without_overlaps(spans: list[ScoredSpan]) -> list[ScoredSpan]:
    """Resolve conflicts between windows, which may disagree at their borders: of two
    entities that overlap, the more probable one is kept.

    spans: Entities, sorted by their starts.
    RETURNS: Those that are kept.
    """
    result: list[ScoredSpan] = []
    for span in spans:
        if result and span.start < result[-1].end:
            result[-1] = max(result[-1], span, key=lambda s: s.score)
        else:
            result.append(span)
    return result
