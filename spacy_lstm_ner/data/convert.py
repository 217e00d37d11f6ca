"""Dataset files → files that `spacy train` reads."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin

from ..exceptions import DataError
from ..util.atomic import AtomicSet, naming
from ..util.progress import progress_counter
from .docs import doc_from_record
from .files import DataFile
from .problems import Report
from .split import PARTS, dealt_records, parse_split

SHARD_NAME = re.compile(r"part-\d{5}\.spacy")


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
    #: Parts that an earlier split left in the folder and this one does not have.
    leftovers: list[Path]


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
    shard_size: int = 100_000,
    progress: bool = False,
) -> Conversion:
    """Convert dataset files to what `spacy train` reads. All output is in place at the
    end, or none is.

    inputs (Iterable[str | Path]): Dataset files, each in a format of its own.
    output (str | Path): A .spacy file, or with a split the folder for one a part.
    format (str): One of `files.FORMATS`, or "auto".
    scheme (str): One of `tags.FILE_SCHEMES`, or "auto".
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
    progress (bool): Show how far it is if it takes long.
    RETURNS (Conversion): What was read, found and written.
    RAISES (DataError): For input or settings that cannot be used.
    RAISES (OSError): Where an output cannot be written; the error names it.
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
    for target in targets:
        if any(target.resolve() == file.path.resolve() for file in files):
            raise DataError(f"{target} is read here: name another output")
    nlp = spacy.blank(lang)
    report = Report(strict=strict)
    parts = [Part(target) for target in targets]
    size = sum(file.path.stat().st_size for file in files) * (2 if shares else 1)
    with (
        AtomicSet() as outputs,
        progress_counter("Reading", size, shown=progress, in_bytes=True) as counter,
    ):
        sinks = [_Sink(part.path, outputs, shard_size) for part in parts]
        for file in files:
            for record, number in dealt_records(
                file,
                report,
                limit=limit,
                shares=shares,
                seed=seed,
                progress=counter.update,
            ):
                doc = doc_from_record(
                    nlp, record, file=file, report=report, joiner=joiner
                )
                sinks[number].add(doc)
                part = parts[number]
                part.records += 1
                part.characters += sum(map(len, record.units))
                part.entities.update(ent.label_ for ent in doc.ents)
        for part in parts:
            if not part.records:
                n = sum(part.records for part in parts)
                raise DataError(f"{part.path.name} would be empty: only {n} records")
        for sink in sinks:
            sink.close()
    leftovers = [output / f"{name}.spacy" for name in PARTS[len(targets) :] if shares]
    existing = [path for path in leftovers if path.exists()]
    return Conversion(files, parts, report, existing)


def _find_targets(output: Path, shares: list[int] | None) -> list[Path]:
    """Tell what files to write.

    RAISES (DataError): If something else stands there, or spaCy would not find them.
    """
    if shares:
        if output.suffix == ".spacy" or output.is_file():
            raise DataError(f"{output}: with a split, name a folder for the files")
        targets = [output / f"{name}.spacy" for name in PARTS[: len(shares)]]
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

    def __init__(self, path: Path, outputs: AtomicSet, shard_size: int):
        self.path = path
        # What stands there has been looked at: see `_find_targets`.
        self.new = outputs.add(path, replace_folder=True)
        self.shard_size = shard_size
        self.n_shards = 0
        self.docs = _new_docbin()

    def add(self, doc: Doc) -> None:
        if len(self.docs) == self.shard_size:
            with naming(self.path):
                # There is more than one file: it becomes a folder of them.
                self.new.mkdir(exist_ok=True)
            self._write(self._shard())
        self.docs.add(doc)

    def close(self) -> None:
        """Write what is left: to the folder, or else to the one file."""
        self._write(self._shard() if self.n_shards else self.new)

    def _shard(self) -> Path:
        self.n_shards += 1
        return self.new / f"part-{self.n_shards:05}.spacy"

    def _write(self, path: Path) -> None:
        with naming(self.path):
            self.docs.to_disk(path)
        self.docs = _new_docbin()


def _new_docbin() -> DocBin:
    return DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
