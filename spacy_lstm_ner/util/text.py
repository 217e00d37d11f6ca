"""Text from data: made safe to print, shortened, and trimmed of whitespace; and
probabilities as text."""

import unicodedata

# Control characters, surrogates, and line and paragraph separators.
_CONTROL = ("Cc", "Cs", "Zl", "Zp")
# Characters that change the direction of the text after them.
_DIRECTIONAL = (
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_RIGHT_TO_LEFT = ("R", "AL", "AN")
# First strong isolate, pop directional isolate: the direction of the text between them
# does not affect the text around it.
_ISOLATE, _POP = "\u2068", "\u2069"
_SPACES = "".join(char for char in map(chr, range(0x3001)) if char.isspace())
# Characters without width: joiners, directional marks and the byte-order mark.
_NO_WIDTH = (
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2066\u2067\u2068\u2069\ufeff"
)
#: Characters that an entity neither begins nor ends with.
BLANK = _SPACES + _NO_WIDTH


def is_control(char: str) -> bool:
    """Return whether a character is invisible and can change how the text around it is
    shown: a control character, a line separator, a surrogate, or a character that
    changes the direction of text. Joiners are none: emoji and Indic scripts need
    them."""
    return char in _DIRECTIONAL or unicodedata.category(char) in _CONTROL


def is_invisible(char: str) -> bool:
    """Return whether a character on its own cannot be seen: a control character, a
    joiner or another format character, or a combining mark."""
    return is_control(char) or unicodedata.category(char) in ("Cf", "Mn")


def code_point(char: str) -> str:
    """Return the name of a character by its code point, for example "U+202E"."""
    return f"U+{ord(char):04X}"


def escaped(value: object, *, keep: str = "") -> str:
    """Escape characters that can control a terminal or break a line: control
    characters, line breaks, and characters that change the direction of text. Used for
    error messages.

    value: The text, or a value to convert with `str`.
    keep: Characters that are not escaped, such as the line breaks of a message.
    RETURNS: The text.
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode()
        if (is_control(char) or unicodedata.category(char) == "Cf") and char not in keep
        else char
        for char in text
    )


def printable(value: object) -> str:
    """Make text safe to print as a part of a line: it is escaped, and right-to-left
    text is isolated from the text around it. Used for all text from data, and for file
    names.

    value: The text, or a value to convert with `str`.
    RETURNS: The text.
    """
    text = escaped(value)
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text):
        return f"{_ISOLATE}{text}{_POP}"
    return text


def probability_text(p: float) -> str:
    """Format a probability with two decimals. A probability is never certain: what
    would be rounded to 0 or 1 becomes "<0.01" or ">0.99"."""
    text = f"{p:.2f}"
    return {"0.00": "<0.01", "1.00": ">0.99"}.get(text, text)


def shortened(text: str, limit: int) -> str:
    """Shorten a text to a number of characters, the last of which is then "…"."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def trimmed(text: str, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """Trim whitespace and zero-width characters from the edges of a part of a text.

    text: The text.
    start: Start of the part.
    end: End of the part. None: the end of the text.
    RETURNS: Start and end of the trimmed part; they are equal if nothing is left.
    """
    part = text[start:end]
    rest = part.lstrip(BLANK)
    start += len(part) - len(rest)
    return start, start + len(rest.rstrip(BLANK))
