"""Offsets as other tools count them."""

from collections.abc import Callable
from itertools import accumulate


def offset_counter(text: str, counted: str) -> Callable[[int], int]:
    """Return a function that converts offsets in a text.

    text: The text.
    counted: "characters" (code points, as Python does) or "utf16" (UTF-16 code units,
        as JavaScript does: two for each character outside of the Basic Multilingual
        Plane, such as most emoji).
    RETURNS: A function from an offset in code points to one in `counted`.
    """
    if counted == "characters" or not text or max(text) <= "\uffff":
        return _same
    sizes = (2 if char > "\uffff" else 1 for char in text)
    return list(accumulate(sizes, initial=0)).__getitem__


def _same(offset: int) -> int:
    return offset
