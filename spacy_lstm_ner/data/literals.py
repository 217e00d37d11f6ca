"""Values as Python and JSON print them, in time and memory linear in the line.

`ast.literal_eval` is not made for lines that anybody may have written: the compiler
behind it overflows the stack (on Python 3.10 that is a segmentation fault), takes some
hundred times the size of the line, and adds up complex numbers. Here there are strings,
numbers, None, True and False, and lists, tuples and dicts of them; nothing is computed.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NoReturn

#: Lists in lists and so on: records have two or three levels.
MAX_DEPTH = 100
# These come once in an object: of two, one would be lost.
_ONCE = ("text", "labels")
# Whole numbers with more digits take more than linear time.
_DIGITS = 400

# A string without escapes is one match. Others are read in pieces, since a pattern for
# all of it would keep the place of each escape in memory.
_TOKEN = re.compile(
    r"""[ \t\f]*(?:
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
    """Read a value as Python prints it.

    line (str): A string, a number, None, True or False; or a list, tuple or dict of
        these, with strings and such as keys.
    RETURNS (Any): The value.
    RAISES (ValueError): For anything else; it says where.
    """
    source = line.strip()
    scan = _TOKEN.match
    # What is open around the place, with its items; `keys` are those of a dict.
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
            _refuse(source, at)
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
                _refuse(source, before)
            if keys is not None:
                value = _object(zip(keys, items, strict=True))
            elif closing == "]":
                value = items
            # Brackets around one value make no tuple.
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
            _refuse(source, before)
    if at < len(source):
        _refuse(source, at)
    return value


def _refuse(source: str, at: int) -> NoReturn:
    """RAISES (ValueError): Always. It says where, and what stands there."""
    at += len(source[at:]) - len(source[at:].lstrip(" \t\f"))
    found = repr(source[at : at + 10]) if at < len(source) else "the end of the line"
    raise ValueError(f"column {at + 1}: not a plain Python literal: {found}")


def _string(source: str, start: int, quote: str, *, raw: bool) -> tuple[str, int]:
    """Read a string with escapes, from after its quotation mark on.

    RETURNS (tuple[str, int]): What it says, and the place after it.
    """
    at, pieces = start, _PIECES[quote]
    while True:
        before, at = at, pieces.match(source, at).end()  # type: ignore[union-attr]
        if source.startswith(quote, at):
            break
        if at == before:
            raise ValueError(f"column {start}: a string without an end")
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
            # Sequences have names, too, but not in Python's strings.
            char = unicodedata.lookup(name)
            if len(char) == 1:
                return char
        except KeyError:
            pass
    elif char not in "xuUN":
        # As in Python, what is no escape stays.
        return _ESCAPED.get(char, match[0])
    raise ValueError(f"no such escape in a string: {match[0][:20]}")


def _number(text: str) -> float:
    whole = len(text) <= _DIGITS and text.lstrip("+-").isdecimal()
    return int(text) if whole else float(text)


def _object(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """RAISES (ValueError): Where the text or the labels come twice."""
    listed = list(pairs)
    value = dict(listed)
    if len(value) < len(listed):
        names = [key for key, _ in listed]
        for name in _ONCE:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} comes twice in it")
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number)


def parse_json(line: str) -> Any:
    """Read a JSON value. NaN and infinity are let through, as Python writes them.

    line (str): The value.
    RETURNS (Any): The value.
    RAISES (ValueError): For anything else; it says where.
    """
    if _is_deeper(line, MAX_DEPTH):
        raise ValueError(f"more than {MAX_DEPTH} levels of brackets")
    try:
        return _JSON.decode(line)
    except json.JSONDecodeError as error:
        # Its "line 1" is not that of the file.
        raise ValueError(f"column {error.colno}: {error.msg}") from None


def _is_deeper(line: str, limit: int) -> bool:
    """Has JSON more levels than this? Its parser has a limit, too, but that depends on
    what else is going on."""
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
                return False  # it is no JSON
            at += 1
        else:
            depth += 1 if match[0] in "[{" else -1
            if depth > limit:
                return True
    return False
