"""A second, simple reading of data files, which the result of the readers is compared
with: standard parsers, and a search for strings and offsets in what they give, without
knowledge of formats."""

import ast
import bz2
import gzip
import io
import json
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from spacy_lstm_ner.util.text import BLANK

ERRORS = (
    *(ValueError, SyntaxError, TypeError, RecursionError, MemoryError, OverflowError),
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)
# What is not seen at the edges of entities.
_NO_WIDTH = dict.fromkeys(map(ord, BLANK))
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Found(NamedTuple):
    """Two numbers of a value, with what is beside them.

    numbers: Numbers that are beside each other, in the order of the file.
    words: Strings beside them, in lists beside them, and the keys around them.
    surface: What the key "text" or the like beside them has.
    """

    numbers: list[int]
    words: list[str]
    surface: str | None


def decoded(path: Path, encoding: str) -> str:
    """Return the text of a file, unpacked, with U+FFFD for what cannot be decoded."""
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    elif data.startswith(b"BZh"):
        data = bz2.decompress(data)
    elif data.startswith(b"\xfd7zXZ"):
        data = lzma.decompress(data)
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (name,) = (
                name
                for name in archive.namelist()
                if not name.endswith("/") and not name.startswith(("__MACOSX/", "."))
            )
            data = archive.read(name)
    try:
        text = data.decode(encoding, "surrogatepass")
    except ValueError:
        text = data.decode(encoding, "replace")
    except (TypeError, LookupError):
        text = data.decode(encoding, "replace")
    return text.lstrip("\ufeff")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text. They end in LF, or all in CR."""
    separator = "\r" if "\r" in text and "\n" not in text else "\n"
    return [line.rstrip("\r\n") for line in text.split(separator)]


def repaired(text: str) -> str:
    """Join surrogate pairs and replace lone surrogates."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# Values


def is_dangerous(text: str) -> bool:
    """Return whether a parser without limits could crash."""
    return (
        max(map(text.count, "([{")) > 90
        or max(map(text.count, "+-")) > 150
        or bool(re.search("[0-9]{4000}", text))
    )


def _with_doubles(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Create an object from its keys and values. Of two values with the same key, both
    are kept."""
    value: dict[Any, Any] = {}
    for key, item in pairs:
        while key in value:
            key = f"{key} "
        value[key] = item
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_with_doubles)


def parse(text: str, container: str) -> Any:
    """Parse a value.

    RAISES: One of `ERRORS`.
    """
    if container.startswith("json"):
        return _JSON.decode(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.literal_eval(text.strip())


def values_in_lines(text: str, container: str) -> dict[int, Any]:
    """Return the value of each line that can be parsed, by its number."""
    values = {}
    for number, line in enumerate(lines_of(text), 1):
        try:
            safe = container.startswith("json") or not is_dangerous(line)
            if line.strip() and safe:
                values[number] = parse(line, container)
        except ERRORS:
            continue
    return values


def values_in_array(text: str) -> tuple[list[tuple[int, Any]], bool]:
    """Return the elements of a JSON array, or values one after the other, with their
    lines; and whether these are all."""
    at = re.compile(r"\s*([A-Za-z_]\w*\s*=\s*(?=[\[({]))?").match(text).end()
    is_array = text.startswith("[", at)
    at += is_array
    between = re.compile(r"[\s,]*")
    found = []
    while True:
        at = between.match(text, at).end()
        if at == len(text) or text[at] == "]":
            return found, True
        try:
            value, end = _JSON.raw_decode(text, at)
        except ERRORS:
            return found, False
        found.append((1 + text.count("\n", 0, at), value))
        at = end


def strings_in(value: Any) -> Iterator[str]:
    """Yield all strings of a value, and its lists of strings: joined, with blanks and
    without."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield key
            yield from strings_in(item)
    elif isinstance(value, list | tuple):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        # Tokens in objects.
        for key in ("text", "orth", "word", "token"):
            words = [item.get(key) for item in value if isinstance(item, dict)]
            if words and all(isinstance(word, str) for word in words):
                yield "".join(words)
        for item in value:
            yield from strings_in(item)


def json_strings(text: str) -> set[str]:
    """Return everything that looks like a string of JSON, without blanks."""
    found = set()
    for match in _JSON_STRING.finditer(text):
        try:
            found.add(without_blanks(json.loads(match[0], strict=False)))
        except ERRORS:
            continue
    return found


def without_blanks(text: str) -> str:
    """Return a text without white space, and without characters of no width."""
    return "".join(repaired(text).split()).translate(_NO_WIDTH)


def lists_in(value: Any) -> Iterator[list[Any]]:
    """Yield all lists of a value, and the words of all strings."""
    if isinstance(value, str):
        yield value.split()
    elif isinstance(value, dict):
        for item in value.values():
            yield from lists_in(item)
    elif isinstance(value, list | tuple):
        yield list(value)
        for item in value:
            yield from lists_in(item)


SURFACES = ("text", "surface", "mention", "word", "entitytext", "span")


def numbers_in(
    value: Any, around: tuple[str, ...] = (), beside: tuple[str, ...] = ()
) -> Iterator[Found]:
    """Yield numbers that are beside each other.

    around: The keys around the value.
    beside: Strings in the object around it.
    """
    if isinstance(value, dict):
        surface = None
        for key, item in value.items():
            plain = re.sub(r"[\W_]", "", str(key)).lower()
            if plain in SURFACES and isinstance(item, str) and item:
                surface = item
        items = list(value.values())
        words = _words_of(items)
        yield from _numbers(items, (*around, *beside, *words), surface)
        for key, item in value.items():
            yield from numbers_in(item, (*around, str(key)), tuple(words))
    elif isinstance(value, list | tuple):
        items = list(value)
        yield from _numbers(items, (*around, *beside, *_words_of(items)), None)
        for item in value:
            yield from numbers_in(item, around, beside)


def _numbers(
    items: list[Any], words: tuple[str, ...], surface: str | None
) -> Iterator[Found]:
    numbers = [n for item in items if (n := as_offset(item)) is not None]
    if numbers:
        yield Found(numbers, [repaired(word).strip() for word in words], surface)


def _words_of(items: list[Any]) -> list[str]:
    """Return the strings of a list, and of lists in it."""
    words = [item for item in items if isinstance(item, str)]
    for item in items:
        if isinstance(item, list | tuple):
            words += [word for word in item if isinstance(word, str)]
    return words


# The keys around entities. Predictions are none.
_AROUND = (
    *("entities", "spans", "label", "labels", "annotations", "annotation", "result"),
    *("completions", "ner", "mentions", "paragraphs", "common_examples"),
)


def n_entities(value: Any) -> int:
    """Return how many entities a value certainly has: objects and lists with a start,
    an end and a label."""
    if isinstance(value, dict):
        fields = {re.sub(r"[\W_]", "", str(k)).lower(): v for k, v in value.items()}
        start, end = fields.get("start"), fields.get("end")
        label = fields.get("label", fields.get("labels"))
        if isinstance(label, list) and len(label) == 1:
            label = label[0]
        if type(start) is type(end) is int and isinstance(label, str):
            return int(0 <= start < end and bool(label.strip()))
        inner = [
            v
            for k, v in value.items()
            if k in _AROUND or (k == "value" and isinstance(v, dict))
        ]
        # Of two lists of entities, one is read; they have to be the same.
        return max(map(n_entities, inner), default=0)
    if isinstance(value, list | tuple):
        if [type(item) for item in value] == [int, int, str]:
            return int(0 <= value[0] < value[1] and bool(value[2].strip()))
        return sum(map(n_entities, value))
    return 0


def sequences_in(value: Any) -> dict[str, list[str]]:
    """Return all strings under each key, in their order: the units of records in which
    each unit is an object."""
    found: dict[str, list[str]] = {}

    def walk(item: Any) -> None:
        if isinstance(item, dict):
            for key, inner in item.items():
                if isinstance(inner, str):
                    found.setdefault(key, []).append(inner)
                walk(inner)
        elif isinstance(item, list | tuple):
            for inner in item:
                walk(inner)

    walk(value)
    return found


def tokens_in(value: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield the words and tags of the tokens of each paragraph of spaCy's JSON, except
    for those that are blanks."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from tokens_in(item)
    elif isinstance(value, dict):
        tokens: list[tuple[str, str]] = []
        sentences = value.get("sentences")
        for sentence in sentences if isinstance(sentences, list) else []:
            listed = sentence.get("tokens", []) if isinstance(sentence, dict) else [0]
            for token in listed if isinstance(listed, list) else [0]:
                # Anything else than an object is no token, so that nothing fits.
                fields = token if isinstance(token, dict) else {"orth": "\0"}
                tag = fields.get("ner")
                tag = tag if isinstance(tag, str) and tag != "-" else ""
                tokens.append((str(fields.get("orth", "\0")), tag))
        yield [(word, tag) for word, tag in tokens if word.strip()]
        for item in value.values():
            yield from tokens_in(item)


def unit_starts(value: Any, text: str) -> list[list[int]]:
    """Return where units begin, for all lists of units that are the text: offsets that
    do not count blanks."""
    found = []
    lists = [*lists_in(value)]
    for few in lists:
        for key in (None, "text", "orth", "word", "token"):
            words = [item.get(key) if isinstance(item, dict) else item for item in few]
            if not words or not all(isinstance(word, str) for word in words):
                continue
            plain = [without_blanks(word) for word in words]
            if "".join(plain) == without_blanks(text):
                starts = [0]
                for word in plain:
                    starts.append(starts[-1] + len(word))
                found.append(starts)
    return found


def as_offset(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if type(value) is int else None
