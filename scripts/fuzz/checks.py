"""Checks of what was read from a data file: nothing is lost without being counted, and
nothing is in the result that is not in the file.

A problem that is reported excuses the record that it names, and nothing else.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reference as ref
import spacy
from spacy.tokens import Doc

from spacy_lstm_ner.data.docs import doc_from_text
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.formats import FORMATS
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ACTIONS, FileLog, ProblemLog
from spacy_lstm_ner.data.records import AnnotatedText, Record
from spacy_lstm_ner.tags.notation import UNNAMED
from spacy_lstm_ner.util.text import trimmed

NLP = spacy.blank("zh")
SKIPPED = {kind for kind, action in ACTIONS.items() if action.startswith("skipped")}
#: The meaning of each prefix of a tag.
MEANINGS = dict(zip("BIMELSUW", "BIIEESSS", strict=True))


class Failure(AssertionError):
    """A check failed."""


def require(condition: Any, message: str) -> None:
    if not condition:
        raise Failure(message)


def is_safe(message: str) -> bool:
    kinds = {unicodedata.category(char) for char in message if char != "\n"}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


class Log(ProblemLog):
    """A log that keeps everything in its order.

    events: Line and kind of each problem; None and the number of entities that are
        lost; 0 and the number of records that are left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[int | None, str | int]] = []

    def of_file(self, path: Path) -> FileLog:
        return _FileLog(self, str(path))

    def add(self, path: str, line: int, kind: str, message: str) -> None:
        self.events.append((line, kind))
        super().add(path, line, kind, message)

    @property
    def n_left_out(self) -> int:
        return sum(self.left_out.values())

    @property
    def n_lost(self) -> int:
        return sum(self.lost.values())


class _FileLog(FileLog):
    def lose(self, reason: str, n: int = 1) -> None:
        assert isinstance(self.log, Log)
        self.log.events.append((None, n))
        super().lose(reason, n)

    def leave_out(self, reason: str, n: int = 1) -> None:
        assert isinstance(self.log, Log)
        self.log.events.append((0, n))
        super().leave_out(reason, n)


class File(DataFile):
    """A file that keeps the record that was read last."""

    record: Record | AnnotatedText

    def text(self, record: Record | AnnotatedText, report: FileLog) -> AnnotatedText:
        self.record = record
        return super().text(record, report)


class Reading:
    """What was read of one record.

    record: The record as it was read.
    text: Its text with entities.
    doc: Its Doc.
    n_lost: Number of entities that were lost.
    kinds: The kinds of its problems.
    """

    def __init__(
        self,
        record: Record | AnnotatedText,
        text: AnnotatedText,
        doc: Doc,
        events: list[tuple[int | None, str | int]],
    ):
        self.record = record
        self.text = text
        self.doc = doc
        # What belongs to records that were skipped comes before their problem.
        skipped = [i for i, (_, kind) in enumerate(events) if kind in SKIPPED]
        own = events[max(skipped, default=-1) + 1 :]
        self.n_lost = sum(n for line, n in own if line is None and isinstance(n, int))
        self.n_left_out = sum(n for line, n in own if line == 0 and isinstance(n, int))
        self.kinds = {kind for _, kind in own if isinstance(kind, str)}

    @property
    def line(self) -> int:
        return self.text.line


def read_and_check(
    path: Path, options: ReadingOptions, expected: Callable[[File], None] | None = None
) -> str:
    """Read a file, and check the result.

    path: The file.
    options: How to read it.
    expected: Called with the file before it is read.
    RETURNS: The outcome: "read" or "read with problems".
    RAISES (DataError): If the file is rejected.
    RAISES (Failure): If a check fails.
    """
    file = File(path, options)
    if expected is not None:
        expected(file)
    require(all(is_safe(f"{a}{b}") for a, b in file.describe()), "description")
    log = Log()
    report = log.of_file(path)
    readings = []
    before = 0
    for text in file.texts(log):
        doc = doc_from_text(NLP, text, report=report)
        readings.append(Reading(file.record, text, doc, log.events[before:]))
        before = len(log.events)
        check_doc(readings[-1])
        if isinstance(file.record, Record):
            check_tags(file, readings[-1])
    messages = [*log.messages(), str(log)]
    require(all(map(is_safe, messages)), f"not safe to print: {messages}")
    written = sum(len(reading.doc.ents) for reading in readings)
    found = sum(log.entities.values())
    require(
        found == written + log.n_lost,
        f"{found} entities, {written} written, {log.n_lost} lost",
    )
    format = FORMATS[file.options.format]
    if format.read_values:
        check_values(file, readings, log)
    else:
        check = CHECKS.get(file.options.format)
        require(check, f"no check of the format {file.options.format}")
        check(file, readings, log)
    return "read with problems" if log.counts or log.n_lost else "read"


# Docs


def check_doc(reading: Reading) -> None:
    """Each entity of the text is in the Doc, or is lost and counted."""
    text, doc = reading.text, reading.doc
    require(doc.text == text.text, f"{text.text!r} became {doc.text!r}")
    wanted = Counter(
        (*trimmed(text.text, start, end), label) for start, end, label in text.entities
    )
    found = Counter((ent.start_char, ent.end_char, ent.label_) for ent in doc.ents)
    require(found <= wanted, f"{wanted} became {found}")
    covered = bytearray(len(text.text))
    for ent in doc.ents:
        covered[ent.start_char : ent.end_char] = b"\1" * len(ent.text)
    for start, end in text.missing:
        require(0 <= start <= end <= len(text.text), f"{start}, {end} is no part")
    for token in doc:
        part = slice(token.idx, token.idx + len(token))
        if token.ent_iob == 0:
            reported = "misaligned entity" in reading.kinds or any(
                start < part.stop and end > part.start for start, end in text.missing
            )
            require(reported, f"{token.text!r} is missing, and was not reported")
        elif not any(covered[part]):
            free = all(
                start >= part.stop or end <= part.start or start == end
                for start, end in text.missing
            )
            require(free, f"{token.text!r} is outside, but its tag is missing")


# Tags


def check_tags(file: File, reading: Reading) -> None:
    """Each tag is part of an entity, or outside, or missing; no other text is added
    than blanks."""
    record, text = reading.record, reading.text
    assert isinstance(record, Record) and file._reading is not None
    notation = file._reading.notation
    at, places = 0, []
    for unit in record.units:
        if not text.text.startswith(unit, at) and text.text.startswith(" ", at):
            at += 1
        require(text.text.startswith(unit, at), f"{unit!r} is not in {text.text!r}")
        places.append((at, at + len(unit)))
        at += len(unit)
    require(at == len(text.text), f"{text.text!r} is longer than its units")
    labels: dict[int, str] = {}
    starts, ends = set(), set()
    for start, end, label in text.entities:
        starts.add(start)
        ends.add(end)
        labels.update(dict.fromkeys(range(start, end), label))
    missing = {i for start, end in text.missing for i in range(start, end)}
    well_formed = True
    for (start, end), tag in zip(places, record.tags, strict=True):
        prefix, label = parts_of(tag, notation)
        inside = [labels.get(i) for i in range(start, end)]
        gone = all(i in missing for i in range(start, end))
        shown = f"{text.text[start:end]!r} with the tag {tag!r} has {inside}"
        if prefix == "O":
            require(not any(inside) and (not gone or start == end), shown)
        elif not prefix:
            require(gone and not any(inside), shown)
            well_formed = False
        elif start == end:
            continue
        elif gone:
            require(reading.n_lost, f"{shown}, and nothing is lost")
        else:
            label = label.strip()
            require(all(found == label for found in inside), f"{shown}, not {label!r}")
            require(prefix not in "BS" or start in starts, f"no start: {shown}")
            require(prefix not in "ES" or end in ends, f"no end: {shown}")
    if not well_formed:
        kinds = {"unknown tag", "no tag"}
        require(reading.kinds & kinds, f"unknown tags in {record.tags} not reported")


def parts_of(tag: str, notation: Any) -> tuple[str, str]:
    """Return what a tag means: B, I, E, S with a label; O; or "" if it is unknown."""
    tag = tag.strip()
    if tag == "O" or tag in notation.outside:
        return "O", ""
    if not tag or tag in notation.missing:
        return "", ""
    if notation.form == "bare":
        return "I", tag
    if notation.form == "position":
        return MEANINGS.get(tag.upper(), ""), UNNAMED
    separator = re.escape(notation.separator)
    prefixed = rf"(?P<prefix>[A-Za-z]){separator}(?P<label>.+)"
    if notation.form == "suffix":
        prefixed = rf"(?P<label>.+){separator}(?P<prefix>[A-Za-z])"
    usual = re.fullmatch(r"(?P<prefix>[A-Z])-(?P<label>.+)", tag, re.DOTALL)
    match = re.fullmatch(prefixed, tag, re.DOTALL) or usual
    if match is None:
        return "", ""
    prefix = match["prefix"]
    return MEANINGS.get(prefix.upper() if notation.any_case else prefix, ""), match[
        "label"
    ]


# Values


def check_values(file: File, readings: list[Reading], log: Log) -> None:
    """Each value is a record, or is counted; texts and entities are in the value."""
    container = file.container
    assert container is not None
    values: dict[int, list[Any]] = {}
    complete, whole = True, ""
    if container == "parquet":
        from pyarrow import parquet

        rows = parquet.read_table(file.path).to_pylist()
        values = {number: [row] for number, row in enumerate(rows, 1)}
    else:
        assert file.source is not None
        whole = ref.decoded(file.path, file.source.encoding)
        if container.endswith("-lines"):
            found = ref.values_in_lines(whole, container)
            values = {line: [value] for line, value in found.items()}
        elif container == "json":
            listed, complete = ref.values_in_array(whole)
            for line, value in listed:
                values.setdefault(line, []).append(value)
            if not complete and listed:
                # There may be more values in the last line.
                del values[listed[-1][0]]
        else:
            complete = False
            try:
                if not ref.is_dangerous(whole):
                    listed = ref.parse(re.sub(r"^\s*\w+\s*=", "", whole), container)
                    values = {0: [listed]}
                    complete = True
            except ref.ERRORS:
                pass
    by_line: dict[int, list[Reading]] = {}
    for reading in readings:
        by_line.setdefault(0 if 0 in values else reading.line, []).append(reading)
    problems = {line for line, kind in log.events if kind in SKIPPED}
    skipped = [line for line, kind in log.events if kind in SKIPPED]
    unread = [line for line in values if line and line not in by_line]
    require(
        len([line for line in unread if line not in problems]) <= log.n_left_out,
        f"the values in the lines {unread[:10]} are no records, {log.n_left_out} are "
        f"left out, problems are in {sorted(problems)[:10]}",
    )
    if not file._is_wrapped:
        n = sum(map(len, values.values())) if 0 not in values else len(values[0][0])
        accounted = len(readings) + len(skipped) + log.n_left_out
        require(n <= accounted, f"{n} values, {accounted} read, skipped or left out")
    fallback = None
    for line, few in by_line.items():
        if line not in values:
            if fallback is None:
                fallback = ref.json_strings(whole)
            unknown = [r for r in few if not any_string(r.text.text, fallback)]
            require(
                not unknown or container.startswith("literal") or not complete,
                f"line {line} is no value, but was read as a record",
            )
            require(
                not unknown or "'" in whole,
                f"line {line}: a text that is not in the file",
            )
            continue
        is_problem = line in problems if line else bool(problems)
        several = len(values[line]) > 1 and log.n_left_out
        check_value(file, values[line], few, is_problem or bool(several))


def any_string(text: str, strings: set[str]) -> bool:
    plain = ref.without_blanks(text)
    words = map(ref.without_blanks, text.split())
    return plain in strings or any(map(strings.issuperset, (plain, words)))


def check_value(
    file: File, value: Any, readings: list[Reading], has_problem: bool
) -> None:
    """Compare the records of a value with what is in it."""
    strings = {}
    for string in ref.strings_in(value):
        strings.setdefault(ref.without_blanks(string), string)
    sequences = ref.sequences_in(value)
    joined = [
        ref.without_blanks("".join(sequences.get(k, ()))) for k in ("orth", "text")
    ]
    for reading in readings:
        text = reading.text.text
        plain = ref.without_blanks(text)
        found = plain in strings or any(plain in one for one in joined)
        require(found, f"{text!r} is not in {value!r}")
        if isinstance(reading.record, Record):
            check_units(file, value, reading.record)
    spanned = [r for r in readings if isinstance(r.record, AnnotatedText)]
    if not spanned:
        return
    numbers = list(ref.numbers_in(value))
    used: set[int] = set()
    for reading in spanned:
        for entity in reading.text.entities:
            places = places_of(file, value, strings, reading.text, entity)
            fitting = [
                i
                for i, found in enumerate(numbers)
                if any(holds(found.numbers, *place) for place in places)
            ]
            shown = f"{entity} {reading.text.text[entity.start : entity.end]!r}"
            require(fitting, f"{shown} is not in {value!r}")
            names = file.options.label_names
            label = entity.label.strip()
            fitting = [i for i in fitting if names or label in numbers[i].words]
            require(fitting, f"{shown}: its label is not in {value!r}")
            surface = ref.without_blanks(
                reading.text.text[entity.start : entity.end]
            ).strip()
            fitting = [
                i
                for i in fitting
                if (s := numbers[i].surface) is None
                or ref.without_blanks(s) == surface
                or "\\" in s
                or len(s) >= len(reading.text.text)
            ]
            require(fitting, f"{shown}: its text is another one in {value!r}")
            used.update(fitting)
    n_lost = sum(reading.n_lost for reading in spanned)
    # An object within the list of entities that is none counts as one.
    excused = any(r.n_left_out or "invalid entity" in r.kinds for r in spanned)
    if not has_problem and not excused:
        n = ref.n_entities(value)
        n_read = sum(
            len(reading.text.entities) + len(reading.text.incorrect)
            for reading in spanned
        )
        require(n <= n_read + n_lost, f"{n_read} of {n} entities, {n_lost} lost")


def holds(numbers: list[int], start: int, end: int) -> bool:
    """Return whether two numbers follow each other, perhaps with others between."""
    return start in numbers and end in numbers


def places_of(
    file: File, value: Any, strings: dict[str, str], text: AnnotatedText, entity: Any
) -> list[tuple[int, int]]:
    """Return how offsets of an entity may be written in the file."""
    original = strings[ref.without_blanks(text.text)]
    start, end = entity.start, entity.end
    last = 1 if file.options.ends == "inclusive" else 0
    found = []
    if ref.repaired(original) == text.text:
        # Code points as in the file, in which half of a pair counts.
        sizes = [len(char.encode("utf-16-le")) // 2 for char in text.text]
        wide = sum(sizes[:start]), sum(sizes[:end])
        halves = len(original) > len(text.text)
        if file.options.offsets != "utf16":
            found.append(wide if halves else (start, end))
        if file.options.offsets != "characters":
            found.append(wide)
    else:
        found.append((start, end))
    plain_start = len(ref.without_blanks(text.text[:start]))
    plain_end = len(ref.without_blanks(text.text[:end]))
    pairs = []
    for start, end in found:
        pairs += [(start, end - last), (start, end - start)]
    for starts in ref.unit_starts(value, text.text):
        # There may be empty units.
        for first in (i for i, at in enumerate(starts) if at == plain_start):
            for after in (i for i, at in enumerate(starts) if at == plain_end):
                pairs += [(first, after - 1), (first, after), (first, after - first)]
    # Tokens with offsets of their own.
    for few in ref.lists_in(value):
        tokens = [token if isinstance(token, dict) else {} for token in few]
        pairs += [
            (i, j)
            for i, first in enumerate(tokens)
            for j, second in enumerate(tokens)
            if first.get("start") == start and second.get("end") == end
        ]
    return pairs


def check_units(file: File, value: Any, record: Record) -> None:
    """The tags of a record are those of a list or string of the value."""
    if any(ref.repaired(string) != string for string in ref.strings_in(value)):
        return
    names = names_of(file.options.label_names)
    for few in ref.lists_in(value):
        if [tag_of(tag, names) for tag in few] == record.tags:
            return
    # Tokens in objects. Blanks between them have tags of their own.
    pairs = zip(record.units, record.tags, strict=True)
    wanted = [(unit, tag) for unit, tag in pairs if unit.strip()]
    for found in ref.tokens_in(value):
        if found == wanted:
            return
    raise Failure(f"the tags {record.tags} are not in {value!r}")


def names_of(label_names: str | None) -> dict[int, str]:
    items = re.split(r"[,\n]", label_names or "")
    if "=" in items[0]:
        pairs = [item.split("=", 1) for item in items if item]
        return {int(number): name for number, name in pairs}
    return dict(enumerate(items))


def tag_of(tag: Any, names: dict[int, str]) -> str | None:
    if tag is None or tag == -100:
        return ""
    number = ref.as_offset(tag)
    return (
        tag
        if isinstance(tag, str)
        else names.get(number)
        if number is not None
        else None
    )


#: The checks of formats that are no values.
CHECKS: dict[str, Callable[[File, list[Reading], Log], None]] = {}
