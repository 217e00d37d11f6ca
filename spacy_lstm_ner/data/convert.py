"""Records → Docs → DocBin files that `spacy train` reads."""

import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, islice, repeat
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from tqdm import tqdm

from ..tagging import spans_from_tags
from .formats import DataFile, Record
from .report import DataError, Report

PARTS = ("train", "dev", "test")
SHARD_NAME = re.compile(r"part-\d{5}\.spacy")


def doc_from_record(
    nlp: Language,
    record: Record,
    *,
    file: DataFile,
    report: Report,
    joiner: str = "",
) -> Doc:
    """Build the annotated Doc of a record.

    nlp (Language): Its tokenizer is used, so the Doc is like those of running text.
    record (Record): A record of `file`.
    file (DataFile): Knows the tag scheme, and the name to report problems under.
    report (Report): Takes in the problems, and counts what was trimmed.
    joiner (str): What stands between units: nothing between characters.
    RETURNS (Doc): A Doc with entities; where a tag cannot be used, the annotation is
        missing rather than outside.
    RAISES (DataError): At the first problem if the report is strict, and for a text
        longer than `nlp.max_length`.
    """
    text = joiner.join(record.units)
    if len(text) > nlp.max_length:
        raise DataError(
            f"{file.path}:{record.lines[0]}: a text of {len(text):,} characters; "
            f"are the blank lines between the sentences missing?"
        )
    doc = nlp.make_doc(text)
    # Where each unit begins in the text. With the joiner taken off, the beginning of
    # the next one is where a unit ends, so there is one more.
    sizes = (len(unit) + len(joiner) for unit in record.units)
    begins = list(accumulate(sizes, initial=0))
    spans, tag_problems = spans_from_tags(record.tags, file.scheme)
    gaps: list[tuple[int, int]] = []
    for i, kind, message in tag_problems:
        if not record.tags[i]:
            kind, message = "no tag", "no tag"
        place = f"{message}, at {record.units[i]!r}, number {i + 1} of the record"
        report.add(file.path, record.lines[i], kind, place)
        if kind in ("no tag", "unknown tag"):
            gaps.append((begins[i], begins[i + 1] - len(joiner)))
    entities: list[Span] = []
    for first, last, label in spans:
        start, end = begins[first], begins[last] - len(joiner)
        surface = text[start:end]
        if surface != (trimmed := surface.strip()):
            if not trimmed:
                report.dropped += 1
                continue
            report.trimmed += 1
            start += surface.index(trimmed)
            end = start + len(trimmed)
        entity = doc.char_span(start, end, label=label)
        if entity is None:
            message = f"{label} {trimmed!r} begins or ends inside a token"
            report.add(file.path, record.lines[first], "misaligned entity", message)
            gaps.append((start, end))
        else:
            entities.append(entity)
    missing = [
        doc[token.i : token.i + 1]
        for token in (doc if gaps else ())
        if any(token.idx < end and start < token.idx + len(token) for start, end in gaps)
    ]
    doc.set_ents(entities, missing=missing)
    return doc


def parse_split(split: str) -> list[int]:
    """Read a split such as "80/10/10" or "90/10".

    split (str): Percentages for train, dev and, if there are three, test.
    RETURNS (list[int]): The percentages.
    RAISES (DataError): Unless there are two or three, above 0, that sum to 100.
    """
    try:
        shares = [int(share) for share in split.split("/")]
    except ValueError:
        shares = []
    if len(shares) not in (2, 3) or min(shares) < 1 or sum(shares) != 100:
        raise DataError(
            f"bad split {split!r}: give two or three whole percentages that sum to "
            f"100, such as 80/10/10 (train/dev/test) or 90/10 (train/dev)"
        )
    return shares


def split_records(n: int, shares: list[int], seed: int) -> bytes:
    """Deal records out at random, the same way on every machine.

    n (int): How many records there are.
    shares (list[int]): Percentage of each part.
    seed (int): Another seed makes another split.
    RETURNS (bytes): For each record, the number of its part.
    """
    # Only `random()` is promised to give the same numbers in every Python version;
    # `shuffle` and `sample` are not.
    rng = random.Random(seed)
    keys = [rng.random() for _ in range(n)]
    shuffled = sorted(range(n), key=keys.__getitem__)
    bounds = [round(n * share / 100) for share in accumulate(shares)]
    part_of = bytearray(n)
    for part, (start, end) in enumerate(zip([0, *bounds], bounds, strict=False)):
        for i in shuffled[start:end]:
            part_of[i] = part
    return bytes(part_of)


def dealt_records(
    file: DataFile,
    report: Report,
    *,
    limit: int = 0,
    shares: list[int] | None = None,
    seed: int = 0,
    progress: Callable[[int], object] = lambda size: None,
) -> Iterator[tuple[int, Record]]:
    """Read a file, and tell which part each record belongs to.

    A split takes two passes over the file, as the number of records must be known
    before the first one can be dealt.

    file (DataFile): What to read.
    report (Report): Takes in the problems.
    limit (int): Read only so many records. 0 for all.
    shares (list[int] | None): Percentage of each part; None for one part.
    seed (int): Another seed makes another split.
    progress (Callable[[int], object]): Called with the bytes of each line read.
    YIELDS (tuple[int, Record]): The number of the part, and the record.
    """
    part_of: Iterable[int] = repeat(0)
    if shares:
        # Nothing is told in this pass: the next one meets the same problems.
        records = islice(file.records(Report(), progress=progress), limit or None)
        part_of = split_records(sum(1 for _ in records), shares, seed)
    records = islice(file.records(report, progress=progress), limit or None)
    return zip(part_of, records, strict=False)


@dataclass
class Part:
    """What one output holds."""

    path: Path
    records: int = 0
    characters: int = 0
    entities: Counter[str] = field(default_factory=Counter)


@dataclass
class Conversion:
    """What a conversion read, found and wrote."""

    files: list[DataFile]
    parts: list[Part]
    report: Report


def convert(
    inputs: Iterable[str | Path],
    output: str | Path,
    *,
    format: str = "auto",
    scheme: str = "auto",
    separator: str | None = None,
    joiner: str = "",
    segmentation_digits: bool | None = None,
    split: str | None = None,
    seed: int = 0,
    limit: int = 0,
    lang: str = "zh",
    strict: bool = False,
    shard_size: int = 50_000,
    progress: bool = False,
) -> Conversion:
    """Convert dataset files to what `spacy train` reads. All output is in place at the
    end, or none is.

    inputs (Iterable[str | Path]): Dataset files, each in a format of its own.
    output (str | Path): A .spacy file, or with a split the folder for one a part.
    format (str): One of `formats.FORMATS`, or "auto".
    scheme (str): One of `tagging.FILE_SCHEMES`, or "auto".
    separator (str | None): What stands between columns. None for white space.
    joiner (str): What to put between units: nothing for characters.
    segmentation_digits (bool | None): Whether characters carry their position in the
        word. None to find out.
    split (str | None): Percentages such as "80/10/10". Each file is split on its own,
        so that each has its share of every part.
    seed (int): Another seed makes another split.
    limit (int): Read only so many records of each file. 0 for all.
    lang (str): Language whose tokenizer to use.
    strict (bool): Stop at the first problem.
    shard_size (int): Docs in memory and in a file at most. More of them make the
        output a folder of files, which spaCy reads wherever it reads a file.
    progress (bool): Show a progress bar if it takes long.
    RETURNS (Conversion): What was read, found and written.
    RAISES (DataError): For input or settings that cannot be used.
    """
    output = Path(output)
    shares = parse_split(split) if split else None
    targets = _find_targets(output, shares)
    files = [
        DataFile(
            path,
            format=format,
            scheme=scheme,
            separator=separator,
            segmentation_digits=segmentation_digits,
        )
        for path in inputs
    ]
    nlp = spacy.blank(lang)
    report = Report(strict=strict)
    parts = [Part(target) for target in targets]
    size = sum(file.path.stat().st_size for file in files) * (2 if shares else 1)
    # Beside the output, as a file can only be moved in one step within a file system.
    beside = next(path for path in targets[0].absolute().parents if path.is_dir())
    with (
        tempfile.TemporaryDirectory(dir=beside, prefix=f".{output.name}-") as temporary,
        # A bar for what takes two seconds or more; None: and only on a terminal.
        tqdm(
            total=size,
            unit="B",
            unit_scale=True,
            leave=False,
            delay=2,
            disable=None if progress else True,
        ) as bar,
    ):
        sinks = [_Sink(Path(temporary) / part.path.name, shard_size) for part in parts]
        for file in files:
            for number, record in dealt_records(
                file,
                report,
                limit=limit,
                shares=shares,
                seed=seed,
                progress=bar.update,
            ):
                doc = doc_from_record(
                    nlp, record, file=file, report=report, joiner=joiner
                )
                sinks[number].add(doc)
                part = parts[number]
                part.records += 1
                part.characters += len(doc.text)
                part.entities.update(ent.label_ for ent in doc.ents)
        for part in parts:
            if not part.records:
                n = sum(part.records for part in parts)
                raise DataError(f"{part.path.name} would be empty: only {n} records")
        finished = [sink.close() for sink in sinks]
        for new, target in zip(finished, targets, strict=True):
            _put_in_place(new, target, aside=Path(temporary) / f"old-{target.name}")
    return Conversion(files, parts, report)


def _find_targets(output: Path, shares: list[int] | None) -> list[Path]:
    """Tell what files to write.

    RAISES (DataError): If something else stands there, or spaCy would not find them.
    """
    if shares:
        if output.suffix == ".spacy" or output.is_file():
            raise DataError(f"{output}: with a split, name a folder for the files")
        targets = [output / f"{name}.spacy" for name, _ in zip(PARTS, shares)]
    else:
        if output.suffix != ".spacy":
            raise DataError(f"{output}: the name of the output must end in .spacy")
        targets = [output]
    for target in targets:
        if target.is_dir() and not all(
            SHARD_NAME.fullmatch(path.name) for path in target.iterdir()
        ):
            raise DataError(f"{target}: a folder with files that are not from here")
    return targets


class _Sink:
    """Takes in the Docs of one part, and writes a file whenever it is full."""

    def __init__(self, folder: Path, shard_size: int):
        self.folder = folder
        self.shard_size = shard_size
        self.shards: list[Path] = []
        self.docs = _new_docbin()
        folder.mkdir()

    def add(self, doc: Doc) -> None:
        if len(self.docs) == self.shard_size:
            self._write()
        self.docs.add(doc)

    def close(self) -> Path:
        """RETURNS (Path): The file, or the folder if there is more than one."""
        self._write()
        return self.folder if len(self.shards) > 1 else self.shards[0]

    def _write(self) -> None:
        self.shards.append(self.folder / f"part-{len(self.shards) + 1:05}.spacy")
        self.docs.to_disk(self.shards[-1])
        self.docs = _new_docbin()


def _new_docbin() -> DocBin:
    return DocBin(attrs=["ENT_IOB", "ENT_TYPE"])


def _put_in_place(new: Path, target: Path, *, aside: Path) -> None:
    """Move a file or folder to its place; a file replaces a file in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() or (target.exists() and new.is_dir()):
        os.replace(target, aside)
    os.replace(new, target)
