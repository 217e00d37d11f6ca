"""Checks of what was read from formats that are read line by line, or as a whole."""

import re
from collections import Counter
from pathlib import Path

import reference as ref
from checks import CHECKS, NLP, SKIPPED, File, Log, Reading, require
from spacy.tokens import DocBin

from spacy_lstm_ner.data.records import Record
from spacy_lstm_ner.tags import Span

REPAIRED = {"surrogate pair", "lone surrogate"}
_BLANK = " \t\r\n\x0b\x0c"


def lines_in(file: File) -> dict[int, str]:
    """Return the lines of a file that are not blank, by their numbers."""
    assert file.source is not None
    text = ref.decoded(file.path, file.source.encoding)
    return {
        number: ref.repaired(line)
        for number, line in enumerate(ref.lines_of(text), 1)
        if line.strip(_BLANK)
    }


def lines_read(readings: list[Reading], lines: dict[int, str]) -> set[int]:
    """Check that the units of records are in their lines, in this order.

    RETURNS: The lines that were read.
    """
    at: dict[int, int] = {}
    for reading in readings:
        record = reading.record
        assert isinstance(record, Record)
        for unit, number in zip(record.units, record.lines, strict=True):
            if not unit.strip(_BLANK):
                continue
            line = lines.get(number, "")
            found = line.find(unit, at.get(number, 0))
            if found < 0 and reading.kinds & REPAIRED:
                continue
            # A quoted cell has other quotation marks, and may go on in the next line.
            quoted = '"' in line
            require(found >= 0 or quoted, f"{unit!r} is not in line {number}: {line!r}")
            at[number] = max(found, 0) + len(unit)
    return {n for r in readings if isinstance(r.record, Record) for n in r.record.lines}


def check_all_read(lines: dict[int, str], read: set[int], log: Log) -> None:
    """Each line was read, or a problem names it. The second of two lines that are the
    halves of a character belongs to the first."""
    reported = {line for line, _ in log.events if line}
    lost = lines.keys() - read - reported
    joined = sum(kind in REPAIRED for _, kind in log.events)
    require(
        len(lost) <= joined,
        f"lines {sorted(lost)[:5]} are lost: {[lines[n] for n in sorted(lost)[:5]]}",
    )


def check_columns(file: File, readings: list[Reading], log: Log) -> None:
    lines = lines_in(file)
    options = file.options
    read = lines_read(readings, lines)
    reported = {line for line, kind in log.events if line}
    seen: Counter[int] = Counter()
    for reading in readings:
        record = reading.record
        assert isinstance(record, Record)
        seen.update(record.lines)
        for unit, tag, number in zip(
            record.units, record.tags, record.lines, strict=True
        ):
            line = lines.get(number, "")
            if not reading.kinds & REPAIRED and number not in reported:
                for cell in (unit, tag):
                    shown = f"{cell!r} is no cell of line {number}: {line!r}"
                    require(is_cell(cell, line, file) or '"' in line, shown)
    twice = [number for number, n in seen.items() if n > 1]
    require(not twice, f"the lines {twice[:5]} were read twice")
    comment = options.comment
    first = min(
        (n for n, line in lines.items() if not (comment and line.startswith(comment))),
        default=0,
    )
    expected = {
        number: line
        for number, line in lines.items()
        if line.strip(_BLANK + (options.separator or ""))
        and not line.startswith("-DOCSTART-")
        and not (comment and line.startswith(comment))
        and not (options.header and number == first)
        and not re.fullmatch(r"(?i:end|eos|<eos>|</s>)|([-=*_~])\1{2,}", line.strip())
    }
    # A quoted cell may have several lines.
    if sum(line.count('"') for line in lines.values()) < 2:
        check_all_read(expected, read, log)


def is_cell(cell: str, line: str, file: File) -> bool:
    """Return whether a line has this text as a whole cell."""
    if not cell.strip():
        return True
    separator = file.options.separator
    edge = r"[\s,;|/\\\"'\x02\ufeff]|$|^"
    if separator:
        edge += f"|{re.escape(separator)}"
    digits = "[0-9]{0,2}" if file.options.segmentation_digits else ""
    pattern = rf"(?:{edge}){re.escape(cell)}{digits}(?:{edge})"
    return re.search(pattern, line) is not None


def check_sentences(file: File, readings: list[Reading], log: Log) -> None:
    lines = lines_in(file)
    read = lines_read(readings, lines)
    if file.options.header and lines:
        del lines[min(lines)]
    quoted = any('"' in line for line in lines.values())
    if not quoted:
        check_all_read(lines, read, log)
    for reading in readings:
        record = reading.record
        assert isinstance(record, Record)
        line = lines.get(reading.line, "")
        if reading.kinds & REPAIRED or quoted:
            continue
        words = [*record.units, *record.tags]
        have = Counter("".join("".join(words).split()))
        rest = Counter("".join(line.split()))
        require(have <= rest, f"{words} is not in {line!r}")
        rest -= have
        separator = (file.options.separator or "").strip()
        parts = line.split(file.options.separator or "\t")
        if len(parts) <= 2 or not file.options.columns:
            left = set(rest) - set(f"{separator},\ufeff")
            require(not left, f"{left} of {line!r} is lost")


def check_conllu(file: File, readings: list[Reading], log: Log) -> None:
    lines = lines_in(file)
    read = lines_read(readings, lines)
    parts = range(0)
    previous = 0
    expected: dict[int, str] = {}
    for number, line in lines.items():
        if number != previous + 1:
            parts = range(0)
        previous = number
        if line.startswith("#"):
            continue
        word = line.split("\t")[0]
        if match := re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", word):
            parts = range(int(match[1]), int(match[2]) + 1)
        is_part = re.fullmatch("[0-9]{1,9}", word) and int(word) in parts
        if is_part:
            parts = range(int(word) + 1, parts.stop)
        if not is_part and not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", word):
            expected[number] = line
    check_all_read(expected, read, log)


_LABEL = r"[^\W\d_][\w.&-]{0,49}"
#: The markup of entities: its parts that are not text, and an entity without others
#: within it.
_MARKUPS = [
    (
        r"\{\{[^{}:\s]{1,50}:|\}\}",
        r"\{\{(?P<label>[^{}:\s]{1,50}):(?P<text>[^{}]+)\}\}",
    ),
    (
        r"\[[@$]|#[^\s#*\[\]]{1,50}\*\]",
        r"\[@(?P<text>[^\[\]#*$@]+)#(?P<label>[^\s#*\[\]]{1,50})\*\]",
    ),
    (rf"</?{_LABEL}>", rf"<(?P<label>{_LABEL})>(?P<text>[^<>]+)</(?P=label)>"),
    (
        rf"\[(?=[^\[\]]*\]\({_LABEL}\))|\]\({_LABEL}\)",
        rf"\[(?P<text>[^\[\]]+)\]\((?P<label>{_LABEL})\)",
    ),
]


def check_inline(file: File, readings: list[Reading], log: Log) -> None:
    """The text is the line without its markup; all entities are at their places."""
    lines = lines_in(file)
    check_all_read(lines, {reading.line for reading in readings}, log)
    for reading in readings:
        line, text = lines[reading.line], reading.text.text
        fitting = [
            (parts, entity)
            for parts, entity in _MARKUPS
            if re.sub(parts, "", line) == text
        ]
        shown = f"{text!r} with {reading.text.entities} is not {line!r}"
        require(fitting, shown)
        found = set(reading.text.entities)
        require(
            any(_has_marked(line, parts, entity, found) for parts, entity in fitting),
            shown,
        )


def _has_marked(line: str, parts: str, entity: str, found: set[Span]) -> bool:
    """Return whether all entities of a line are found."""
    n = len(re.findall(parts, line)) // 2
    for match in re.finditer(entity, line):
        # What is before it, without an element that it is within.
        start = len(re.sub(parts, "", line[: match.start()] + "\n" + match[0])) - (
            len(match["text"])
        )
        span = Span(start - 1, start - 1 + len(match["text"]), match["label"])
        if span not in found:
            return False
    return len(found) <= n


def check_parallel(file: File, readings: list[Reading], log: Log) -> None:
    """The units of each line are those of the sentence, with its tags."""
    try:
        words, tags = (
            dict(enumerate(ref.lines_of(path.read_bytes().decode("utf-8-sig")), 1))
            for path in (
                file.path.with_suffix(".words"),
                file.path.with_suffix(".tags"),
            )
        )
    except UnicodeDecodeError:
        return
    units_of: dict[int, str] = {}
    tags_of: dict[int, list[str]] = {}
    for reading in readings:
        record = reading.record
        assert isinstance(record, Record)
        if reading.kinds & REPAIRED:
            return
        for unit, tag, line in zip(
            record.units, record.tags, record.lines, strict=True
        ):
            units_of[line] = units_of.get(line, "") + unit
            tags_of.setdefault(line, []).append(tag)
    filled = {n: line for n, line in words.items() if (line + tags.get(n, "")).strip()}
    check_all_read(filled, set(units_of), log)
    for number, units in units_of.items():
        line = words[number]
        fits = ref.without_blanks(units) == ref.without_blanks(line)
        require(fits, f"{units!r} is not line {number}: {line!r}")
        given = tags.get(number, "").split()
        found = [tag for tag in tags_of[number] if tag]
        require(found == given, f"{found} are not the tags of line {number}: {given}")


def check_brat(file: File, readings: list[Reading], log: Log) -> None:
    """Each entity of brat is at its offsets, or is counted as lost."""
    path = file.path
    is_folder = path.is_dir()
    files = sorted(path.rglob("*.ann")) if is_folder else [path.with_suffix(".ann")]
    by_number = {reading.line: reading for reading in readings}
    n = 0
    for number, each in enumerate(files, 1):
        n += check_document(each, by_number.get(number), log)
    found = sum(log.entities.values())
    require(n <= found or log.counts, f"{found} of {n} entities")


def check_document(path: Path, reading: Reading | None, log: Log) -> int:
    """RETURNS: How many entities there are."""
    try:
        raw = path.with_suffix(".txt").read_bytes().decode()
        annotation = path.read_bytes().decode()
    except UnicodeDecodeError:
        return 0
    text = ref.repaired(raw.lstrip("\ufeff").replace("\r\n", "\n"))
    if reading is None:
        skipped = any(kind in SKIPPED for _, kind in log.events)
        require(skipped or not text.strip(), f"{path.name} is lost")
        return 0
    require(reading.text.text == text, f"{text!r} became {reading.text.text!r}")
    listed = [line for line in ref.lines_of(annotation.lstrip("\ufeff")) if line]
    written = []
    for line in listed:
        if match := re.fullmatch(r"T[^\t]*\t(.+?) ([0-9 ;]+)(?:\t(.*))?", line):
            numbers = list(map(int, re.findall("[0-9]+", match[2])))
            written.append((match[1].strip(), numbers, match[3] or ""))
    for start, end, label in reading.text.entities:
        surface = ref.without_blanks(text[start:end])
        shown = f"{label} from {start} to {end}, {text[start:end]!r}"
        fitting = [
            numbers
            for name, numbers, given in written
            if name == label and ref.without_blanks(given) in ("", surface)
        ]
        require(fitting, f"{shown}, is not in {path.name}")
        if raw == text:
            fits = any((start, end) == (min(few), max(few)) for few in fitting)
            require(fits, f"{shown}: its offsets are others in {path.name}")
    return sum(line.startswith("T") for line in listed)


def check_docbin(file: File, readings: list[Reading], log: Log) -> None:
    """All Docs of a .spacy file are read, with their entities."""
    docs = list(DocBin().from_disk(file.path).get_docs(NLP.vocab))
    require(len(docs) == len(readings), f"{len(readings)} of {len(docs)} Docs")
    for doc, reading in zip(docs, readings, strict=True):
        require(doc.text == reading.text.text, f"{doc.text!r} has another text")
        wanted = {(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents}
        if not doc.spans:
            found = {tuple(entity) for entity in reading.text.entities}
            require(found == wanted, f"{wanted} became {found}")


def check_webanno(file: File, readings: list[Reading], log: Log) -> None:
    """The text of each sentence is that of its lines; each annotation begins at the
    first token that has it and ends at the last one."""
    lines = lines_in(file)
    match = re.search(r"tag=([0-9]+)", file.options.columns or "")
    column = int(match[1]) - 1 if match else -1
    reported = {line for line, _ in log.events if line}
    by_line = {reading.line: reading for reading in readings}
    used: set[int] = set()
    for block in _webanno_sentences(lines):
        used.update(block)
        texts = [n for n in block if lines[n].startswith("#Text=")]
        if not reported.isdisjoint(block):
            continue
        require(texts and texts[0] in by_line, f"the lines {block[:5]} are lost")
        reading = by_line.pop(texts[0])
        text = reading.text.text
        found = "\n".join(lines[n].removeprefix("#Text=") for n in texts)
        require(text == _unescaped(found), f"{found!r} became {text!r}")
        tokens = [lines[n].split("\t") for n in block if re.match("[0-9]", lines[n])]
        wanted: dict[object, tuple[str, list[str]]] = {}
        for cells in tokens:
            for cell in re.split(r"(?<!\\)\|", cells[column]):
                label, number = re.fullmatch(r"(.*?)(\[[0-9]+\])?", cell).groups()
                if cell not in ("_", ""):
                    # An annotation without a number is one of its own.
                    key = cell if number else object()
                    wanted.setdefault(key, (_unescaped(label).strip(), []))[1].append(
                        _unescaped(cells[2])
                    )
        rest = list(wanted.values())
        shown = f"{reading.text.entities} of {text!r} are not {rest}"
        require(len(rest) == len(reading.text.entities), shown)
        for start, end, label in reading.text.entities:
            surface = text[start:end]
            fitting = [
                (name, words)
                for name, words in rest
                if name == label
                and any(map(surface.startswith, words))
                and any(map(surface.endswith, words))
                and all(word in surface for word in words)
            ]
            require(fitting, shown)
            rest.remove(fitting[0])
    others = {n: line for n, line in lines.items() if n not in used and line[0] != "#"}
    check_all_read(others, set(), log)


def _webanno_sentences(lines: dict[int, str]) -> list[list[int]]:
    """Return the lines of each sentence of WebAnno TSV: of its text and tokens."""
    blocks: list[list[int]] = [[]]
    previous = 0
    for number, line in lines.items():
        is_text, is_token = line.startswith("#Text="), re.match("[0-9]+-[0-9]+", line)
        has_tokens = any(lines[n][0] != "#" for n in blocks[-1])
        if number != previous + 1 or (is_text and has_tokens) or not line.strip():
            blocks.append([])
        previous = number
        if is_text or is_token:
            blocks[-1].append(number)
    return [block for block in blocks if block]


def _unescaped(text: str) -> str:
    named = {"n": "\n", "r": "\r", "t": "\t"}
    return re.sub(r"(?s)\\(->|.)", lambda match: named.get(match[1], match[1]), text)


CHECKS.update(
    {
        "columns": check_columns,
        "sentences": check_sentences,
        "conllu": check_conllu,
        "brat": check_brat,
        "inline": check_inline,
        "parallel": check_parallel,
        "spacy": check_docbin,
        "webanno": check_webanno,
    }
)
