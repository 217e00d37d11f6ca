"""Parsers of Python literals and JSON that are safe for untrusted input: their time and
memory are linear in the length of the line.

`ast.literal_eval` is not safe: its compiler can overflow the stack (a segmentation
fault on Python 3.10), needs about a hundred times the memory of the line, and evaluates
sums of complex numbers. The parser here accepts strings, numbers, None, True and False,
and lists, tuples and dicts of them, and evaluates nothing.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

#: Maximum depth of nested brackets. Records have two or three levels.
MAX_DEPTH = 100
# Converting integers with more digits takes more than linear time.
_DIGITS = 400

# A string without escapes is one match. Others are matched in pieces, since a pattern
# for the whole string would keep the position of each escape in memory.
_TOKEN = re.compile(
    r"""[ \t\f\r\n]*(?:
    [uU]?'([^'\\\r\n\0]*)'
    |[uU]?"([^"\\\r\n\0]*)"
    |([,\]\[:}{()])
    |([uUrR]?)(['"])
    |([+-]?(?:(?:0+|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.])
      |[+-]?(?:nan|inf)(?!\w))
    |(None|True|False)(?!\w)
    )""",
    re.VERBOSE | re.ASCII,
)
_PLAIN, _PLAIN_TOO, _MARK, _QUOTE, _NUMBER, _WORD = 1, 2, 3, 5, 6, 7
_PIECES = {
    quote: re.compile(
        rf"[^{quote}\\\r\n\0]*(?:\\[^\r\n\0][^{quote}\\\r\n\0]*){{0,200}}"
    )
    for quote in "'\""
}
_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|N\{([^{}]*)\}|(.))",
    re.DOTALL,
)
_ESCAPED = {
    **{"\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n"},
    **{"r": "\r", "t": "\t", "v": "\v"},
}
_WORDS = {"None": None, "True": True, "False": False}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_BRACKETS = re.compile(r'["\[\]{}]')


def parse_literal(line: str) -> Any:
    """Parse a Python literal.

    line: A string, a number, None, True or False; or a list, tuple or dict of these.
        The keys of a dict must not be containers.
    RETURNS: The value.
    RAISES (ValueError): For anything else; the message has the column.
    """
    source = line.strip()
    scan = _TOKEN.match
    # The containers that are open at the current position, with their items; `keys` are
    # the keys of a dict.
    around: list[tuple] = []
    items: list[Any] | None = None
    keys: list[Any] | None = None
    closing = ""
    needs, may_close, has_comma = "value", False, False
    value: Any = None
    at = 0
    while True:
        match = scan(source, at)
        if match is None:
            _fail(source, at)
        before, at = at, match.end()
        kind = match.lastindex
        if kind in (_PLAIN, _PLAIN_TOO):
            value = match[1] if kind == _PLAIN else match[2]
        elif kind == _MARK:
            mark = match[_MARK]
            if mark == "," and needs == "comma":
                needs = "value" if keys is None else "key"
                may_close = has_comma = True
                continue
            if mark == ":" and needs == "colon":
                needs, may_close = "value", False
                continue
            if mark in _CLOSING and needs == "value":
                if len(around) == MAX_DEPTH:
                    raise ValueError(f"more than {MAX_DEPTH} levels of brackets")
                around.append((items, keys, closing, has_comma))
                items, keys = [], [] if mark == "{" else None
                closing = _CLOSING[mark]
                needs, may_close = "value" if keys is None else "key", True
                has_comma = False
                continue
            complete = needs == "comma" or (may_close and needs != "colon")
            if mark != closing or not complete or items is None:
                _fail(source, before)
            if keys is not None:
                value = _object(zip(keys, items, strict=True))
            elif closing == "]":
                value = items
            # Parentheses around a single value are not a tuple.
            else:
                value = tuple(items) if has_comma or not items else items[0]
            items, keys, closing, has_comma = around.pop()
            needs = "value"
        elif kind == _QUOTE:
            value, at = _string(source, at, match[_QUOTE], raw=match[4] in ("r", "R"))
        elif kind == _NUMBER:
            value = _number(match[_NUMBER])
        else:
            value = _WORDS[match[_WORD]]
        if needs == "key" and keys is not None:
            keys.append(value)
            needs = "colon"
        elif needs == "value":
            if items is None:
                break
            items.append(value)
            needs = "comma"
        else:
            _fail(source, before)
    if at < len(source):
        _fail(source, at)
    return value


def _fail(source: str, at: int) -> NoReturn:
    """RAISES (ValueError): Always, with the column and the text there."""
    at += len(source[at:]) - len(source[at:].lstrip(" \t\f\r\n"))
    found = repr(source[at : at + 10]) if at < len(source) else "the end of the line"
    raise ValueError(f"column {at + 1}: not a plain Python literal: {found}")


def _string(source: str, start: int, quote: str, *, raw: bool) -> tuple[str, int]:
    """Parse a string with escapes, starting after its quotation mark.

    RETURNS: Its value, and the position after it.
    """
    at, pieces = start, _PIECES[quote]
    while True:
        before, at = at, pieces.match(source, at).end()  # type: ignore[union-attr]
        if source.startswith(quote, at):
            break
        if at == before:
            raise ValueError(f"column {start}: unterminated string")
    text = source[start:at]
    return text if raw else _ESCAPE.sub(_unescaped, text), at + 1


def _unescaped(match: re.Match) -> str:
    octal, two, four, eight, name, char = match.groups()
    if octal:
        return chr(int(octal, 8))
    digits = two or four or eight
    if digits:
        number = int(digits, 16)
        if number <= 0x10FFFF:
            return chr(number)
    elif name is not None:
        try:
            # Named sequences of characters are not allowed in Python strings.
            char = unicodedata.lookup(name)
            if len(char) == 1:
                return char
        except KeyError:
            pass
    elif char not in "xuUN":
        # As in Python, an unknown escape is kept unchanged.
        return _ESCAPED.get(char, str(match[0]))
    raise ValueError(f"invalid escape in a string: {match[0][:20]}")


def _number(text: str) -> float:
    whole = len(text) <= _DIGITS and text.lstrip("+-").isdecimal()
    return int(text) if whole else float(text)


def _object(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Create a dict from keys and values.

    RAISES (ValueError): If a key occurs twice: of two values, one would be lost.
    """
    listed = list(pairs)
    value = dict(listed)
    if len(value) < len(listed):
        counts = Counter(key for key, _ in listed)
        key, _ = counts.most_common(1)[0]
        raise ValueError(f"the key {key!r} occurs twice")
    return value


#: The decoder of `parse_json`.
JSON = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number)


def parse_json(line: str) -> Any:
    """Parse a JSON value. NaN and infinity are accepted, as Python writes them.

    line: The JSON.
    RETURNS: The value.
    RAISES (ValueError): For anything else; the message has the column.
    """
    if _is_deeper(line, MAX_DEPTH):
        raise ValueError(f"more than {MAX_DEPTH} levels of brackets")
    try:
        return JSON.decode(line)
    except json.JSONDecodeError as error:
        # The message of the error has "line 1", which is not the line of the file.
        raise ValueError(f"column {error.colno}: {error.msg}") from None


def _is_deeper(line: str, limit: int) -> bool:
    """Return whether JSON has more levels of brackets than the limit. The limit of the
    parser itself depends on the depth of the call stack."""
    if line.count("[") + line.count("{") <= limit:
        return False
    depth = at = 0
    while match := _BRACKETS.search(line, at):
        at = match.end()
        if match[0] == '"':
            before = -1
            while at > before:
                before, at = at, _PIECES['"'].match(line, at).end()  # type: ignore[union-attr]
            if not line.startswith('"', at):
                return False  # not JSON
            at += 1
        else:
            depth += 1 if match[0] in "[{" else -1
            if depth > limit:
                return True
    return False
