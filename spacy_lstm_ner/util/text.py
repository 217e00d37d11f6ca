"""Text from data: safe to print, and without what nobody sees at its edges."""

import unicodedata

_ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")
_RIGHT_TO_LEFT = ("R", "AL", "AN")
# First strong isolate, pop directional isolate: what is between is laid out by itself.
_ISOLATE, _POP = "\u2068", "\u2069"
_SPACES = "".join(char for char in map(chr, range(0x3001)) if char.isspace())
# Of no width: joiners, marks of direction, and the byte-order mark.
_NO_WIDTH = (
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2066\u2067\u2068\u2069\ufeff"
)
#: What an entity neither begins nor ends with.
BLANK = _SPACES + _NO_WIDTH


def escaped(value: object, *, keep: str = "") -> str:
    """Text that does nothing to a terminal, and stays on its line: control characters
    and such are escaped, line breaks among them, and what turns the direction of text.
    Messages of errors are made of it.

    value (object): The text, or what it is the `str` of.
    keep (str): Characters that stay as they are, such as the line breaks of a message.
    RETURNS (str): The text.
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in _ESCAPED and char not in keep
        else char
        for char in text
    )


def printable(value: object) -> str:
    """Text that stays in its place on a line: it is escaped, and what is written from
    right to left is kept apart from what stands around it. All that comes from data is
    printed like this, and the names of files.

    value (object): The text, or what it is the `str` of.
    RETURNS (str): The text.
    """
    text = escaped(value)
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text):
        return f"{_ISOLATE}{text}{_POP}"
    return text


def shortened(text: str, limit: int) -> str:
    """The beginning of a text, and "…" for what is left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def trimmed(text: str, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """The place of a part of a text without white space and characters of no width at
    its edges.

    text (str): The text.
    start (int): Where the part begins.
    end (int | None): Where it ends. None: at the end of the text.
    RETURNS (tuple[int, int]): Where the rest begins and ends; the same place twice
        where nothing is left.
    """
    part = text[start:end]
    rest = part.lstrip(BLANK)
    start += len(part) - len(rest)
    return start, start + len(rest.rstrip(BLANK))
