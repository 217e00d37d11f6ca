"""Long documents in windows that overlap.

An entity is read with the text around it, but not with that of pages before. So a long
document is cut into windows that are read side by side: which takes less memory, and
less time as well, since one step of the network moves all windows on. Each window has a
core, and on both sides of it what the next ones have in their cores:

    |---------- core 1 ----------|~~~~~~|
                          |~~~~~~|---------- core 2 ----------|~~~~~~|

An entity counts where its window has its first unit in the core.
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

# What is read on each side of the core, as a part of the window.
_OVERLAP = 1 / 8


class Window(NamedTuple):
    """A part of a Doc, or all of it."""

    #: Number of the Doc in the batch.
    number: int
    #: The Doc itself, or a copy of the part.
    doc: Doc
    #: Number of its units.
    size: int
    #: Units of the whole Doc before the window.
    before: int
    #: First unit of the core and the one after its last, in the whole Doc.
    core: tuple[int, int]

    @property
    def units_of_doc(self) -> slice:
        """Its units in the whole Doc."""
        return slice(self.before, self.before + self.size)

    def own(self, spans: Iterable[ScoredSpan]) -> Iterator[ScoredSpan]:
        """Entities of the window that count, in units of the whole Doc."""
        first, end = self.core
        for span in spans:
            start = span.start + self.before
            if first <= start < end:
                yield span._replace(start=start, end=span.end + self.before)

    def asked(self, spans: Sequence[tuple[int, Span]]) -> Iterator[tuple[int, Span]]:
        """Numbered spans of the whole Doc, by their starts: those that would count here
        if the window had them as entities, in units of the window."""
        first, core_end = self.core
        begin = bisect_left(spans, first, key=lambda numbered: numbered[1].start)
        for i in range(begin, len(spans)):
            number, (start, end, label) = spans[i]
            if start >= core_end:
                break
            if end - self.before <= self.size:
                yield number, Span(start - self.before, end - self.before, label)


def windows(docs: Iterable[Doc], units: Units, size: int | None) -> Iterator[Window]:
    """Cut Docs into windows, between tokens.

    docs (Iterable[Doc]): The Docs. Those that are short enough stay as they are.
    units (Units): What is counted.
    size (int | None): Units of a window; a token may stick out. None: leave all Docs
        whole.
    YIELDS (Window): The windows, in the order of the Docs and of their text.
    """
    for number, doc in enumerate(docs):
        count = units.count(doc)
        if size is None or count <= size:
            yield Window(number, doc, count, 0, (0, count))
            continue
        # First units of all tokens, and the number of units.
        starts = np.append(units.first_units(doc), count)
        overlap = int(size * _OVERLAP)
        cores = np.arange(0, count, size - 2 * overlap)
        cores = np.unique(np.append(starts.searchsorted(cores), len(doc)))
        # Each `as_doc` would make these anew, for the whole Doc.
        head = doc._get_array_attrs()
        array = doc.to_array(list(head))
        for first, end in pairwise(cores):
            left = int(starts.searchsorted(starts[first] - overlap))
            right = int(starts.searchsorted(starts[end] + overlap, side="right")) - 1
            # spaCy's type stubs do not know of these two.
            arrays: Any = {"array_head": head, "array": array}
            part = doc[left : max(right, end)].as_doc(**arrays)
            core = (int(starts[first]), int(starts[end]))
            yield Window(number, part, units.count(part), int(starts[left]), core)


def batches(found: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Windows in batches of at most `size` units, or of one window."""
    batch: list[Window] = []
    total = 0
    for window in found:
        if batch and total + window.size > size:
            checkpoint()
            yield batch
            batch, total = [], 0
        batch.append(window)
        total += window.size
    if batch:
        yield batch
