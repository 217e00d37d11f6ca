"""Random changes of data files: of bytes, of lines, and of the values in JSON and
Python literals, which stay readable then."""

import ast
import bz2
import gzip
import io
import json
import lzma
import random
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

#: A change of the content of a file, with other files to take text from.
Mutation = Callable[[bytes, random.Random, list[bytes]], bytes]

_UNREADABLE = (
    *(ValueError, SyntaxError, TypeError, OverflowError),
    *(RecursionError, MemoryError),
)

INSERTED = [
    *(b"\0", b"\x1b[31m", b"\r", b"\r\n", b"\n", b"\n\n", b" ", b"\t", b"\\", b"'"),
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"#", b"-", b"+", b"\xff", b"\xe4"),
    *(b"\xed\xa0\xbd", b"\xed\xb8\x80", b"\xef\xbb\xbf", b"\\ud83d", b"\\u200b"),
    *("\u200b \u202e \u2028 \u3000 \x85 \u0660 סלם 😀 \ufeff".encode().split(b" ")),
    *(b"nan", b"NaN", b"null", b"None", b"1e999", b"9" * 5000, b"1j", b"b'x'"),
    *(b"[" * 300, b"{'a':" * 150, b'{"a":' * 150, b"1+" * 500, b"(" * 101),
    *(b"x" * 20_000, b"B-", b"I-X", b"X-Y", b"-DOCSTART- O", b'"text": "x",'),
    *(b"'labels': [],", b"\\N{DIGIT ONE}", b"\\x4", b"\\777", b"\\U00110000"),
    *(b"lambda: 0", b"{{", b"}}", b"[@", b"*]", b"||", b"|||", b"</", b"# id = 3\n"),
    *(b"T9\tPER 0 2\t", b"R1\tx Arg1:T1 Arg2:T2\n", b"1-2\t", b"end\n"),
]


def mutated(
    files: dict[str, bytes], rng: random.Random, others: list[bytes]
) -> dict[str, bytes]:
    """Apply a few random changes to one of the files of a data set.

    files: The files by name.
    rng: What to draw from.
    others: Other contents, from which lines are taken.
    RETURNS: The files, one of them changed.
    """
    name = rng.choice(sorted(files))
    data = files[name]
    if name.endswith(".spacy") and rng.random() < 0.8:
        return {**files, name: _inside_zlib(data, rng)}
    if name.endswith(".parquet") and rng.random() < 0.8:
        return {**files, name: _inside_parquet(data, rng)}
    data, pack = _unpacked(data) if rng.random() < 0.8 else (data, None)
    is_values = data.lstrip().startswith((b"{", b"[", b"("))
    changes = VALUES if is_values and rng.random() < 0.6 else BYTES
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(changes)(data, rng, others)
    if pack is None and rng.random() < 0.05:
        pack = rng.choice((gzip.compress, bz2.compress, lzma.compress, _zipped))
    data = pack(data) if pack is not None else data
    if len(files) > 1 and rng.random() < 0.05:
        return {key: content for key, content in files.items() if key != name}
    return {**files, name: data}


def _unpacked(data: bytes) -> tuple[bytes, Callable[[bytes], bytes] | None]:
    """Return data as UTF-8 without compression, and what makes it as it was."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data), gzip.compress
    if data.startswith(b"BZh"):
        return bz2.decompress(data), bz2.compress
    if data.startswith(b"\xfd7zXZ"):
        return lzma.decompress(data), lzma.compress
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(archive.namelist()[0]), _zipped
    for encoding in ("utf-8", "utf-16", "gb18030", "big5"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8":
            return data, None
        return text.encode(), partial(_encoded, encoding=encoding)
    return data, None


def _encoded(data: bytes, encoding: str) -> bytes:
    return data.decode("utf-8", "replace").encode(encoding, "replace")


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.txt", data)
    return file.getvalue()


def _inside_zlib(data: bytes, rng: random.Random) -> bytes:
    """Change compressed data so that its checksum is still correct."""
    return zlib.compress(rng.choice(BYTES)(zlib.decompress(data), rng, [b""]))


def _inside_parquet(data: bytes, rng: random.Random) -> bytes:
    """Change the rows of a table."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(data))
    rows = table.to_pylist()
    for _ in range(20):
        try:
            changed = pyarrow.Table.from_pylist(_with_change(rows, rng))
        except (pyarrow.ArrowException, AttributeError, LookupError, *_UNREADABLE):
            continue
        if changed.num_columns:
            changed = changed.replace_schema_metadata(table.schema.metadata)
            file = io.BytesIO()
            parquet.write_table(changed, file)
            return file.getvalue()
    return data


# Bytes


def _at(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def flip(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    at = _at(data, rng)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def insert(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    at = _at(data, rng)
    return data[:at] + rng.choice(INSERTED) + data[at:]


def remove(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    at = _at(data, rng)
    return data[:at] + data[at + rng.choice((1, 1, 2, 3, 30)) :]


def cut(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    return data[: _at(data, rng)]


def windows_lines(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    return data.replace(b"\n", b"\r\n")


def encoded(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    names = ("gb18030", "utf-16", "utf-8-sig", "latin-1", "utf-32", "cp037", "big5")
    return data.decode("utf8", "replace").encode(rng.choice(names), "replace")


def digit(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Change a number, such as an offset."""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    match = rng.choice(found)
    new = rng.choice((int(match[0][:18]) + 1, int(match[0][:18]) - 1, 0, 99, -3))
    return data[: match.start()] + str(new).encode() + data[match.end() :]


# Lines


def of_lines(change: Callable[[list[bytes], random.Random, list[bytes]], None]):
    def apply(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
        lines = data.split(b"\n")
        change(lines, rng, others)
        return b"\n".join(lines)

    return apply


@of_lines
def swap(lines: list[bytes], rng: random.Random, others: list[bytes]) -> None:
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]


@of_lines
def repeat(lines: list[bytes], rng: random.Random, others: list[bytes]) -> None:
    i = rng.randrange(len(lines))
    lines[i:i] = [lines[i]] * rng.choice((1, 2, 50))


@of_lines
def drop(lines: list[bytes], rng: random.Random, others: list[bytes]) -> None:
    del lines[rng.randrange(len(lines))]


@of_lines
def join(lines: list[bytes], rng: random.Random, others: list[bytes]) -> None:
    i = rng.randrange(len(lines))
    lines[i : i + 2] = [b"".join(lines[i : i + 2])]


@of_lines
def mix(lines: list[bytes], rng: random.Random, others: list[bytes]) -> None:
    foreign = rng.choice(others).split(b"\n")
    at = rng.randrange(len(lines) + 1)
    start = rng.randrange(len(foreign))
    lines[at:at] = foreign[start : start + 3]


@of_lines
def change_tag(lines: list[bytes], rng: random.Random, others: list[bytes]) -> None:
    i = rng.randrange(len(lines))
    new = rng.choice((b"I-", b"E-", b"S-", b"M-", b"X-", b"O-", b"-", b"", b"L-"))
    lines[i] = lines[i].replace(rng.choice((b"B-", b"I-", b"E-")), new, 1)


# Values


def double_key(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Write a key twice, or under the name of another one."""
    found = list(re.finditer(rb"""(["'])(\w+)\1\s*:\s*""", data))
    if not found:
        return data
    match, other = rng.choice(found), rng.choice(found)
    new = rng.choice(
        (
            match[0] + rng.choice((b"null, ", b'"x", ', b"[], ", b"0, ")) + match[0],
            other[0],
            match[0].upper(),
            match[0] + rng.choice((b"[]", b'"\xe7\x8e\x8b"')) + b", " + other[0],
        )
    )
    return data[: match.start()] + new + data[match.end() :]


def change_value(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Change something within one of the values of a file."""
    text = data.decode("utf-8", "replace")
    for parse, write in ((json.loads, json.dumps), (_literal, repr)):
        # An array, or one of the lines.
        try:
            value = parse(text)
        except _UNREADABLE:
            pass
        else:
            new = _with_change(value, rng)
            layout: dict[str, Any] = {}
            if parse is json.loads:
                layout = {
                    "ensure_ascii": rng.random() < 0.5,
                    "indent": rng.choice((None, None, 1)) if "\n" in text else None,
                }
            return write(new, **layout).encode("utf-8", "surrogatepass")
        lines = text.split("\n")
        filled = [i for i, line in enumerate(lines) if line.strip()]
        if not filled:
            return data
        i = rng.choice(filled)
        try:
            value = parse(lines[i])
        except _UNREADABLE:
            continue
        lines[i] = write(_with_change(value, rng))
        return "\n".join(lines).encode("utf-8", "surrogatepass")
    return rng.choice(BYTES)(data, rng, others)


def _literal(text: str) -> Any:
    if max(map(text.count, "[{(+-")) > 5000:
        raise ValueError
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.literal_eval(text.strip())


def _with_change(value: Any, rng: random.Random) -> Any:
    """Return a value in which one of its parts, at any depth, is another."""
    paths = list(_paths(value, (), 0))
    # Of the first record as often as of what is within the last one.
    path = rng.choice(paths)
    return _changed_at(value, path, rng)


def _paths(value: Any, path: tuple[Any, ...], depth: int):
    yield path
    if depth > 12:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key), depth + 1)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _paths(item, (*path, i), depth + 1)


def _changed_at(value: Any, path: tuple[Any, ...], rng: random.Random) -> Any:
    if not path:
        return _other(value, rng)
    first, *rest = path
    if isinstance(value, dict):
        return {
            key: _changed_at(item, tuple(rest), rng) if key == first else item
            for key, item in value.items()
        }
    items = list(value)
    items[first] = _changed_at(items[first], tuple(rest), rng)
    return tuple(items) if isinstance(value, tuple) else items


_ANYTHING = [None, True, 0, -1, 2.5, float("nan"), 10**30, "", "x", [], {}, [[]], "😀"]


def _other(value: Any, rng: random.Random) -> Any:
    """Return something like a value, but not the same."""
    if rng.random() < 0.15:
        return rng.choice(_ANYTHING)
    if isinstance(value, bool) or value is None:
        return rng.choice((True, False, None, 1, "true"))
    if isinstance(value, int | float):
        shifted = (value + 1, value - 1, value + rng.randrange(-5, 30))
        strange = (float(value), str(value), -value, 10**30, 1e308, float("inf"), 0)
        return rng.choice((*shifted, *shifted, *strange))
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        added = rng.choice(("😀", "\ud83d", " ", "\u3000", "\n", "\u200b", "\0", "王"))
        inserted = value[:at] + added + value[at:]
        shorter = value[:at] + value[at + 1 :]
        strange = (
            value * 2,
            list(value),
            value.lower(),
            value.upper(),
            "",
            f" {value}",
        )
        return rng.choice((inserted, inserted, shorter, shorter, *strange))
    if isinstance(value, dict):
        return _other_object(value, rng)
    items = list(value)
    if not items:
        return rng.choice((["x"], {}, None))
    i, j = rng.randrange(len(items)), rng.randrange(len(items))
    swapped = list(items)
    swapped[i], swapped[j] = items[j], items[i]
    return rng.choice(
        (
            items[:i] + items[i + 1 :],
            [*items[:i], items[j], *items[i:]],
            swapped,
            items[::-1],
            {str(number): item for number, item in enumerate(items)},
            [items],
            [*items[:i], rng.choice(_ANYTHING), *items[i:]],
            items * 2,
        )
    )


def _other_object(value: dict[Any, Any], rng: random.Random) -> Any:
    if not value:
        return rng.choice(([], {"text": "x"}, None))
    keys = list(value)
    key, other = rng.choice(keys), rng.choice(keys)
    names = ("text", "label", "start", "end", "entities", "tokens", "tags", "data")
    renamed = rng.choice((*names, str(key).upper(), f"{key}_", f"my{key}"))
    swapped = {**value, key: value[other], other: value[key]}
    return rng.choice(
        (
            {(renamed if k == key else k): item for k, item in value.items()},
            {k: item for k, item in value.items() if k != key},
            swapped,
            {**value, rng.choice(names): value[key]},
            {k: value[k] for k in reversed(keys)},
            list(value.values()),
            [value],
            {"data": value},
        )
    )


BYTES: list[Mutation] = [
    *([flip] * 3 + [insert] * 4 + [remove] * 2 + [change_tag] * 2 + [digit] * 2),
    *(cut, swap, repeat, drop, join, mix, windows_lines, encoded),
]
VALUES: list[Mutation] = [*([change_value] * 8), double_key, double_key, digit, swap]
