"""Broken data files: `python scripts/fuzz data`.

Valid data files in every format that can be read get some of their bytes and lines
changed, and are read as `convert` and `check` do. Then:

- only a `DataError` may come out, with a message that is safe to print;
- each line became a record (or a unit of one), or was counted as skipped;
- what a second, simple reader makes of a line is what came out;
- each tag is an entity of the Doc, or annotation that is missing and was counted.
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
from spacy_lstm_ner.data.docs import doc_from_record
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.formats import Record
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.util.progress import with_progress
from spacy_lstm_ner.util.text import BLANK

SKIPPED = ("not a record", "empty record", "different lengths")
# Half of a character in three bytes: where it is no part of text or tags, it is let be.
HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
#: Seconds for one file, none of which is large.
MOST_SECONDS = 5.0
NLP = spacy.blank("zh")

RECORDS: list[tuple[str, str]] = [
    ("中国（上海）自贸区", "B-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC I-LOC"),
    ("王芳任北京大学教授。", "B-P I-P O B-O I-O I-O I-O B-T I-T O"),
    ("F-35 \u3000飞机\t和😀", "B-X I-X I-X I-X O O B-Y I-Y O O O"),
    ("没有实体", "O O O O"),
    ("张三李四'\"\\", "B-P I-P B-P I-P O O O"),
    ("一", "B-N"),
]


def in_scheme(tags: list[str], scheme: str) -> list[str]:
    """BIO tags in another scheme."""
    if scheme == "BIO":
        return tags
    found = []
    for tag, after in zip(tags, [*tags[1:], "O"], strict=True):
        goes_on = after.startswith("I-")
        prefix = {"B": "B" if goes_on else "S", "I": "I" if goes_on else "E"}
        name = prefix[tag[0]] + tag[1:] if tag != "O" else tag
        found.append(name.replace("I-", "M-") if scheme == "BMES" else name)
    return found


def seeds() -> list[tuple[str, bytes]]:
    """RETURNS (list[tuple[str, bytes]]): Valid files, each with its format."""
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
    """Data with a few changes."""
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
    """A change of what is compressed, so that no checksum tells it."""
    return zlib.compress(mutated(zlib.decompress(data), rng, [b""]))


# What must hold


class Failure(AssertionError):
    """What a file has brought to light."""


def demand(holds: Any, says: str) -> None:
    if not holds:
        raise Failure(says)


def read(path: Path, original: frozenset[bytes], format: str) -> str:
    """Read a file and check what comes out.

    path (Path): The file.
    original (frozenset[bytes]): The lines of the valid file that it was.
    format (str): The format that the valid file was in.
    RETURNS (str): How it ended, in a word or two.
    """
    try:
        if format == "spacy":
            for example in read_examples(path, NLP):
                demand(isinstance(example.reference.text, str), "no text")
            return "read"
        file = DataFile(path)
        log = ProblemLog()
        records = list(file.records(log))
        data = path.read_bytes()
        kept = original if file.options.format == format else frozenset()
        if file.options.format == "columns":
            check_columns(data, records, log)
        else:
            check_objects(data, records, log, file.options.format, kept)
        for record in records:
            own = ProblemLog()
            doc = doc_from_record(NLP, record, file=file, problems=own)
            check_doc(record, doc, file.options.scheme, own)
            messages = [*own.messages(), str(own)]
            demand(all(map(is_safe, messages)), f"not safe to print: {messages}")
        messages = [*log.messages(), str(log)]
        demand(all(map(is_safe, messages)), f"not safe to print: {messages}")
    except DataError as error:
        demand(is_safe(str(error)), f"not safe to print: {error!r}")
        return "refused"
    return "problems told" if log.counts else "read"


def is_safe(message: str) -> bool:
    kinds = {unicodedata.category(char) for char in message if char != "\n"}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def decoded_lines(data: bytes) -> Iterator[tuple[int, str, bytes, bool]]:
    """Each line with its number and its bytes, and whether it is UTF-8."""
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
    demand(len(by_line) == len(records), "two records of one line")
    lines = [line for line in decoded_lines(data) if line[1].strip()]
    skipped = sum(counts[kind] for kind in SKIPPED)
    demand(
        len(lines) == len(records) + skipped,
        f"{len(lines)} lines, {len(records)} records, {skipped} skipped",
    )
    for number, text, raw, is_utf8 in lines:
        record = by_line.get(number)
        if not is_utf8 and not HALF.search(raw):
            told = counts["not UTF-8"] + counts["surrogate pair"]
            demand(told + counts["lone surrogate"] + skipped, "bad UTF-8 not told")
        if not is_utf8 or is_dangerous(text):
            continue
        expected = reference(text, format)
        if expected is None:
            readable = record is None or "nan" in text.lower() or "inf" in text.lower()
            demand(readable, f"line {number} is no record, but was read as one")
        elif record is None:
            demand(raw not in kept, f"line {number} is as it was, but was not read")
        elif not any(
            "\ud800" <= char <= "\udfff" for part in expected for char in "".join(part)
        ):
            demand(
                (record.units, record.tags) == expected,
                f"line {number} was read as {record}, not {expected}",
            )


def has_halves(record: tuple[list[str], list[str]]) -> bool:
    """Has it halves of characters, which are joined or replaced?"""
    return any(
        "\ud800" <= char <= "\udfff" for some in record for char in "".join(some)
    )


def is_dangerous(line: str) -> bool:
    """Could it harm a compiler that has no limits?"""
    many = max(line.count(char) for char in "[{(+-") > 150
    return many or bool(re.search("[0-9]{4000}", line))


def reference(line: str, format: str) -> tuple[list[str], list[str]] | None:
    """What another parser makes of a line; None: nothing."""
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
            demand(number not in found, f"line {number} comes twice")
            found[number] = unit, tag
    joined = counts["surrogate pair"] + counts["lone surrogate"]
    lost = lines.keys() - found.keys()
    demand(len(lost) <= joined, f"lines {sorted(lost)} are lost")
    demand(found.keys() <= lines.keys(), "there is more than there was")
    for number, (unit, tag) in found.items():
        line = lines[number]
        if "\ufffd" not in unit + tag and not joined:
            begins = line.startswith(unit) or line.lstrip("\r").startswith(unit)
            demand(begins, f"{unit!r} does not begin {line!r}")
            demand(line.rstrip().endswith(tag), f"{tag!r} does not end {line!r}")


SCHEMES = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BMES": "BMES"}


def check_doc(record: Record, doc: Any, scheme: str, log: ProblemLog) -> None:
    text = "".join(record.units)
    demand(doc.text == text, f"{text!r} became {doc.text!r}")
    labels: list[str | None] = [None] * len(text)
    starts = set()
    for ent in doc.ents:
        starts.add(ent.start_char)
        labels[ent.start_char : ent.end_char] = [ent.label_] * len(ent.text)
    missing = [False] * len(text)
    for token in doc:
        if token.ent_iob == 0:
            missing[token.idx : token.idx + len(token)] = [True] * len(token)
    told = counts_of(log)
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
                demand(labels[i] is None and not missing[i], what)
            elif known:
                fits = labels[i] == label
                demand(fits or (missing[i] and told["misaligned entity"]), what)
            else:
                demand(labels[i] is None and missing[i], what)
        if known and prefix in "BS" and unit and unit[0] not in BLANK:
            demand(at in starts or told["misaligned entity"], f"no start at {at}")
        at += len(unit)
    if scheme in ("BIOES", "BMES"):
        well_formed &= not is_open
    demand(bool(told) == (not well_formed), f"{record.tags} in {scheme}: told {told}")


def fuzz_data(
    count: int, seed: int, folder: Path, *, progress: bool = False
) -> tuple[Counter[str], list[str]]:
    """Try data files.

    count (int): How many.
    seed (int): Another seed makes other files.
    folder (Path): Where they are written; those that fail stay there.
    progress (bool): Show a progress bar.
    RETURNS (tuple[Counter[str], list[str]]): How they ended, and what failed.
    """
    valid = seeds()
    contents = [data for name, data in valid if name != "spacy"]
    originals = {data: frozenset(data.split(b"\n")) for data in contents}
    ends: Counter[str] = Counter()
    failures = []
    for number in with_progress(range(count), progress, "Files"):
        # Each by its own number, so that one can be made again alone.
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
            end = read(path, originals.get(data, frozenset()), format)
            demand(process_time() - start < MOST_SECONDS, "it took too long")
        except Exception as error:
            failures.append(f"{path}: {type(error).__name__}: {error}"[:2000])
            end = "FAILED"
        else:
            path.unlink()
        ends[end] += 1
    return ends, failures
