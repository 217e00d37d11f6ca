"""Excerpts of texts around an entity."""

from typing import NamedTuple


class Excerpt(NamedTuple):
    """A part of a text, in which "…" stands for the omitted parts."""

    text: str
    #: The start and end of each part of the original text, and the number to add to an
    #: offset in it to get the offset in the excerpt.
    parts: list[tuple[int, int, int]]

    def offset(self, i: int) -> int:
        """Return the offset in the excerpt of an offset in the original text. Offsets
        in omitted parts are moved to the start of the next part."""
        for start, end, shift in self.parts:
            if i <= end:
                return max(i, start) + shift
        _, end, shift = self.parts[-1]
        return end + shift


def make_excerpt(
    text: str, start: int, end: int, *, context: int, max_length: int
) -> Excerpt:
    """Make an excerpt of a text around a span.

    text: The text.
    start: Start of the span.
    end: End of the span.
    context: Maximum number of characters before and after the span.
    max_length: Maximum number of characters of the span: the middle of a longer one is
        omitted.
    RETURNS: The excerpt.
    """
    first, last = max(0, start - context), min(len(text), end + context)
    pieces = [(first, last)]
    if end - start > max_length:
        half = max_length // 2
        pieces = [(first, start + half), (end - half, last)]
    shown = "…" if first > 0 else ""
    parts = []
    for part_start, part_end in pieces:
        parts.append((part_start, part_end, len(shown) - part_start))
        shown += text[part_start:part_end]
        shown += "…" if part_end < len(text) else ""
    return Excerpt(shown, parts)
