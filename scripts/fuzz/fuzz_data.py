"""Corrupted data files: `python scripts/fuzz data`.

Some bytes and lines of valid data files, in every supported format, are changed, and
the files are read as by `convert` and `check`. Then:

- the only exception is `DataError`, with a message that is safe to print;
- each line is a record (or a unit of one), or is counted as skipped;
- a second, simple parser reads the same from a line;
- each tag is part of an entity of the Doc, or is missing annotation and is counted.
"""

import ast
import json
import random
import re
import unicodedata
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner.data.corpus import read_examples
from spacy_lstm_ner.data.docs import doc_from_text
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.formats import Record
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.util.progress import with_progress
from spacy_lstm_ner.util.text import BLANK

SKIPPED = ("not a record", "empty record", "different lengths")
# A surrogate, encoded in three bytes. Outside of text and tags it is ignored.
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
#: For one file; all are small.
MAX_SECONDS = 5.0
NLP = spacy.blank("zh")
#: The names of files with one value per line.
CONTAINERS = {"json-lines": "jsonl", "literal-lines": "literal"}

RECORDS: list[tuple[str, str]] = [
    ("中国（上海）自贸区", "B-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC"),
    ("王芳任北京大学教授。", "B-P I-P O B-O I-O I-O I-O B-T I-T O"),
    ("F-35 \u3000飞机\t和😀", "B-X I-X I-X I-X O O B-Y I-Y O O O"),
    ("没有实体", "O O O O"),
    ("张三李四'\"\\", "B-P I-P B-P I-P O O O"),
    ("一", "B-N"),
]


def in_scheme(tags: list[str], scheme: str) -> list[str]:
    """Convert BIO tags to another scheme."""
    if scheme == "BIO":
        return tags
    found = []
    for tag, after in zip(tags, [*tags[1:], "O"], strict=True):
        continues = after.startswith("I-")
        prefix = {"B": "B" if continues else "S", "I": "I" if continues else "E"}
        name = prefix[tag[0]] + tag[1:] if tag != "O" else tag
        found.append(name.replace("I-", "M-") if scheme == "BMES" else name)
    return found


def seeds() -> list[tuple[str, bytes]]:
    """RETURNS: Valid files, each as its format and its content."""
    records = [(text, tags.split()) for text, tags in RECORDS]
    values = [{"id": 7, "text": t, "labels": tags} for t, tags in records]
    lists = [{"text": list(t), "labels": tags, "p": 0.5} for t, tags in records]
    found = {
        "jsonl": [
            "\n".join(json.dumps(v, ensure_ascii=False) for v in values),
            "\n".join(json.dumps(v) for v in lists),
        ],
        "literal": [
            "\n".join(repr(v) for v in values),
            "\n".join(repr({**v, "n": None, "ok": True}) for v in lists),
            "\n".join(ascii(v) for v in lists),
        ],
    }
    columns = []
    for scheme in ("BIO", "BIOES", "BMES"):
        for middle in (" ", "\t", " NN _ "):
            columns.append(
                "\n\n".join(
                    "\n".join(
                        f"{char}{middle}{tag}"
                        for char, tag in zip(text, in_scheme(tags, scheme), strict=True)
                    )
                    for text, tags in records
                )
            )
    digits = "\n\n".join(
        "\n".join(f"{text[i]}{i % 3}\t{tag}" for i, tag in enumerate(tags))
        for text, tags in records
    )
    found["columns"] = [*columns, digits]
    files = [(name, f"{s}\n".encode()) for name, few in found.items() for s in few]
    docs = []
    for text, tags in records:
        doc = NLP.make_doc(text)
        doc.ents = [
            span
            for i, tag in enumerate(tags)
            if tag[0] == "B" and (span := doc.char_span(i, i + 1, tag[2:]))
        ]
        docs.append(doc)
    return [*files, ("spacy", DocBin(docs=docs).to_bytes())]


INSERTED = [
    *(b"\0", b"\x1b[31m", b"\r", b"\r\n", b"\n", b"\n\n", b" ", b"\t", b"\\", b"'"),
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"#", b"-", b"+", b"\xff", b"\xe4"),
    *(b"\xed\xa0\xbd", b"\xed\xb8\x80", b"\xef\xbb\xbf", b"\\ud83d", b"\\u200b"),
    *("\u200b \u202e \u2028 \u3000 \x85 \u0660 סלם 😀 \ufeff".encode().split(b" ")),
    *(b"nan", b"NaN", b"null", b"None", b"1e999", b"9" * 5000, b"1j", b"b'x'"),
    *(
        b"[" * 300,
        b"{'a':" * 150,
        b'{"a":' * 150,
        b"1+" * 500,
        b"(" * 101,
        b"x" * 20_000,
    ),
    *(b"B-", b"I-X", b"X-Y", b"-DOCSTART- O", b'"text": "x",', b"'labels': [],"),
    *(b"\\N{DIGIT ONE}", b"\\x4", b"\\777", b"\\U00110000", b"lambda: 0"),
]


def mutated(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Apply a few random changes to data."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(MUTATIONS)(data, rng, others)
    return data


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
    new = rng.choice((b"I-", b"E-", b"S-", b"M-", b"X-", b"O-", b"-", b""))
    lines[i] = lines[i].replace(rng.choice((b"B-", b"I-", b"E-")), new, 1)


def windows_lines(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    return data.replace(b"\n", b"\r\n")


def encoded(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    name = rng.choice(("gb18030", "utf-16", "utf-8-sig", "latin-1", "utf-32", "cp037"))
    return data.decode("utf8", "replace").encode(name, "replace")


MUTATIONS = [
    *([flip] * 3 + [insert] * 4 + [remove] * 2 + [change_tag] * 2),
    *(cut, swap, repeat, drop, join, mix, windows_lines, encoded),
]


def inside_zlib(data: bytes, rng: random.Random) -> bytes:
    """Change compressed data so that its checksum is still correct."""
    return zlib.compress(mutated(zlib.decompress(data), rng, [b""]))


# Checks


class Failure(AssertionError):
    """A check failed."""


def require(condition: Any, message: str) -> None:
    if not condition:
        raise Failure(message)


def read(path: Path, original: frozenset[bytes], format: str) -> str:
    """Read a file and check the result.

    path: The file.
    original: The lines of the valid file.
    format: The format of the valid file.
    RETURNS: The outcome: "read", "read with problems" or "rejected".
    RAISES (Failure): If a check fails.
    """
    try:
        if format == "spacy":
            for example in read_examples(path, NLP):
                require(isinstance(example.reference.text, str), "no text")
            return "read"
        file = DataFile(path)
        log = ProblemLog()
        records = list(file.records(log))
        data = path.read_bytes()
        found = CONTAINERS.get(file.container, file.options.format)
        kept = original if found == format else frozenset()
        if found == "columns":
            check_columns(data, records, log)
        elif found in ("jsonl", "literal"):
            check_objects(data, records, log, found, kept)
        for record in records:
            own = ProblemLog()
            report = own.of_file(path)
            doc = doc_from_text(NLP, file.text(record, report), report=report)
            check_doc(record, doc, file.options.scheme, own)
            messages = [*own.messages(), str(own)]
            require(all(map(is_safe, messages)), f"not safe to print: {messages}")
        messages = [*log.messages(), str(log)]
        require(all(map(is_safe, messages)), f"not safe to print: {messages}")
    except DataError as error:
        require(is_safe(str(error)), f"not safe to print: {error!r}")
        return "rejected"
    return "read with problems" if log.counts else "read"


def is_safe(message: str) -> bool:
    kinds = {unicodedata.category(char) for char in message if char != "\n"}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def decoded_lines(data: bytes) -> Iterator[tuple[int, str, bytes, bool]]:
    """YIELDS: For each line its number, text and bytes, and whether it is UTF-8."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    for number, raw in enumerate(data.split(b"\n"), start=1):
        raw = raw.rstrip(b"\r")
        try:
            yield number, raw.decode(), raw, True
        except UnicodeDecodeError:
            yield number, raw.decode(errors="replace"), raw, False


def counts_of(log: ProblemLog) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, kind), number in log.counts.items():
        found[kind] += number
    return found


def check_objects(
    data: bytes, records: list[Record], log: ProblemLog, format: str, kept: frozenset
) -> None:
    counts = counts_of(log)
    by_line = {record.lines[0]: record for record in records}
    require(len(by_line) == len(records), "two records from one line")
    lines = [line for line in decoded_lines(data) if line[1].strip()]
    skipped = sum(counts[kind] for kind in SKIPPED)
    require(
        len(lines) == len(records) + skipped,
        f"{len(lines)} lines, {len(records)} records, {skipped} skipped",
    )
    for number, text, raw, is_utf8 in lines:
        record = by_line.get(number)
        if not is_utf8 and not SURROGATE.search(raw):
            reported = counts["not UTF-8"] + counts["surrogate pair"]
            require(
                reported + counts["lone surrogate"] + skipped,
                "invalid UTF-8 was not reported",
            )
        if not is_utf8 or is_dangerous(text):
            continue
        expected = reference(text, format)
        if expected is None:
            readable = record is None or "nan" in text.lower() or "inf" in text.lower()
            require(readable, f"line {number} is not a record, but was read as one")
        elif record is None:
            require(raw not in kept, f"line {number} is unchanged, but was not read")
        elif not any(
            "\ud800" <= char <= "\udfff" for part in expected for char in "".join(part)
        ):
            require(
                (record.units, record.tags) == expected,
                f"line {number} was read as {record}, not {expected}",
            )


def has_halves(record: tuple[list[str], list[str]]) -> bool:
    """Has it halves of characters, which are joined or replaced?"""
    return any(
        "\ud800" <= char <= "\udfff" for some in record for char in "".join(some)
    )


def is_dangerous(line: str) -> bool:
    """Return whether a parser without limits could crash on the line."""
    many = max(line.count(char) for char in "[{(+-") > 150
    return many or bool(re.search("[0-9]{4000}", line))


def reference(line: str, format: str) -> tuple[list[str], list[str]] | None:
    """The units and tags that another parser reads from a line; None for none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parse = json.loads if format == "jsonl" else ast.literal_eval
            value = parse(line.strip())
    except (
        ValueError,
        SyntaxError,
        TypeError,
        RecursionError,
        MemoryError,
        OverflowError,
    ):
        return None
    if not isinstance(value, dict):
        return None
    text, labels = value.get("text"), value.get("labels")
    if not isinstance(text, str | list | tuple) or not isinstance(labels, list | tuple):
        return None
    units, tags = list(text), ["" if tag is None else tag for tag in labels]
    if not all(isinstance(part, str) for part in (*units, *tags)):
        return None
    return (units, tags) if len(units) == len(tags) and any(units) else None


def check_columns(data: bytes, records: list[Record], log: ProblemLog) -> None:
    counts = counts_of(log)
    lines = {
        number: text
        for number, text, _, _ in decoded_lines(data)
        if text.strip(" \t\r\n\x0b\x0c") and not text.startswith("-DOCSTART-")
    }
    found = {}
    for record in records:
        for unit, tag, number in zip(*record, strict=True):
            require(number not in found, f"line {number} was read twice")
            found[number] = unit, tag
    joined = counts["surrogate pair"] + counts["lone surrogate"]
    lost = lines.keys() - found.keys()
    require(len(lost) <= joined, f"lines {sorted(lost)} are lost")
    require(found.keys() <= lines.keys(), "more was read than the file has")
    for number, (unit, tag) in found.items():
        line = lines[number]
        if "\ufffd" not in unit + tag and not joined:
            begins = line.startswith(unit) or line.lstrip("\r").startswith(unit)
            require(begins, f"{unit!r} does not begin {line!r}")
            require(line.rstrip().endswith(tag), f"{tag!r} does not end {line!r}")


SCHEMES = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BMES": "BMES"}


def check_doc(record: Record, doc: Any, scheme: str, log: ProblemLog) -> None:
    text = "".join(record.units)
    require(doc.text == text, f"{text!r} became {doc.text!r}")
    labels: list[str | None] = [None] * len(text)
    starts = set()
    for ent in doc.ents:
        starts.add(ent.start_char)
        labels[ent.start_char : ent.end_char] = [ent.label_] * len(ent.text)
    missing = [False] * len(text)
    for token in doc:
        if token.ent_iob == 0:
            missing[token.idx : token.idx + len(token)] = [True] * len(token)
    reported = counts_of(log)
    at, before, is_open, well_formed = 0, "", False, True
    for unit, tag in zip(record.units, record.tags, strict=True):
        prefix, _, label = tag.partition("-")
        known = bool(label) and len(prefix) == 1 and prefix in SCHEMES[scheme]
        well_formed &= known or tag == "O"
        if known and prefix in "IME" and scheme != "IOB1":
            well_formed &= before == label and (is_open or scheme == "BIO")
        elif scheme in ("BIOES", "BMES"):
            well_formed &= not is_open
        is_open = known and prefix in "BIM"
        before = label if known else ""
        for i in range(at, at + len(unit)):
            if text[i] in BLANK:
                continue
            what = f"{text[i]!r} with the tag {tag!r} has the label {labels[i]}"
            if tag == "O":
                require(labels[i] is None and not missing[i], what)
            elif known:
                fits = labels[i] == label
                require(fits or (missing[i] and reported["misaligned entity"]), what)
            else:
                require(labels[i] is None and missing[i], what)
        if known and prefix in "BS" and unit and unit[0] not in BLANK:
            require(at in starts or reported["misaligned entity"], f"no start at {at}")
        at += len(unit)
    if scheme in ("BIOES", "BMES"):
        well_formed &= not is_open
    message = f"{record.tags} in {scheme}: reported {reported}"
    require(bool(reported) == (not well_formed), message)


def fuzz_data(
    count: int, seed: int, folder: Path, *, progress: bool = False
) -> tuple[Counter[str], list[str]]:
    """Read corrupted data files.

    count: Number of files.
    seed: Seed of the random changes.
    folder: Folder for the files. Those that fail are kept.
    progress: Show a progress bar.
    RETURNS: How often each outcome occurred, and a message for each failure.
    """
    valid = seeds()
    contents = [data for name, data in valid if name != "spacy"]
    originals = {data: frozenset(data.split(b"\n")) for data in contents}
    outcomes: Counter[str] = Counter()
    failures = []
    for number in with_progress(range(count), progress, "Files"):
        # One seed per file, so that each can be generated alone.
        rng = random.Random(f"{seed} {number}")
        format, data = rng.choice(valid)
        if format == "spacy":
            make = inside_zlib if rng.random() < 0.8 else mutated
            changed = make(data, rng, *([contents] if make is mutated else []))
        else:
            changed = mutated(data, rng, contents)
        suffix = ".spacy" if format == "spacy" else ".txt"
        path = folder / f"{seed}-{number}-{format}{suffix}"
        path.write_bytes(changed)
        start = process_time()
        try:
            outcome = read(path, originals.get(data, frozenset()), format)
            require(process_time() - start < MAX_SECONDS, "reading took too long")
        except Exception as error:
            failures.append(f"{path}: {type(error).__name__}: {error}"[:2000])
            outcome = "FAILED"
        else:
            path.unlink()
        outcomes[outcome] += 1
    return outcomes, failures
