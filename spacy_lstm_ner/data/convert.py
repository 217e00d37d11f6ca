"""Conversion of dataset files to the format that `spacy train` reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..exceptions import DataError
from ..util.atomic import AtomicSet
from ..util.progress import progress_counter
from .compatibility import Mismatch, Statistics, find_mismatches
from .docs import doc_from_text
from .files import DataFile, open_files
from .options import ReadingOptions, accepts_reading_options
from .problems import ProblemLog
from .split import PARTS
from .summary import FileSummary, bracketed
from .writers.docbin import (
    DocBinWriter,
    check_docs_folder,
    check_docs_path,
    group_entities,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import ReadingKeywords

_N_EXAMPLES = 3
# How many records of each output are compared with the tokenizer.
_N_COMPARED = 1000


@dataclass
class Conversion:
    """The result of `convert`.

    files: The files that were read, with what was detected: see `DataFile.describe`.
    outputs: The contents of each file that was written.
    problems: The problems in the input, and the entities that were lost.
    examples: The first records with their entities in brackets.
    mismatches: Where the texts do not fit the tokenizer of the language.
    leftovers: Files of an earlier split in the output folder that this split does not
        have.
    """

    files: list[DataFile]
    outputs: list[FileSummary]
    problems: ProblemLog
    examples: list[str]
    mismatches: list[Mismatch]
    leftovers: list[Path]


@accepts_reading_options
def convert(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    lang: str = "zh",
    shard_size: int = 100_000,
    progress: bool = False,
    **options: "Unpack[ReadingKeywords]",
) -> Conversion:
    """Convert dataset files to .spacy files, the format that `spacy train` reads.
    Either all output is written or, after an error, nothing.

        conversion = convert("news.jsonl", "corpus", split="80/10/10")
        print(conversion.outputs, conversion.problems)

    inputs: One or more dataset files, or folders of them. They may have different
        formats: see `formats.FORMATS`.
    output: A .spacy file; with a split, the folder for the file of each part.
    lang: Language whose tokenizer is used.
    shard_size: Maximum number of Docs in memory and in a file. If there are more, or
        more than a million tokens, the output is a folder of several files. spaCy
        reads such a folder wherever it reads a file.
    progress: Show the progress of a long conversion on stderr.
    options: How to read the files: see `ReadingOptions`. Each file is split on its own,
        so that it has its share of every part.
    RETURNS: What was read and written, and the problems in the input.
    RAISES (DataError): For input that cannot be read, and invalid options.
    RAISES (OSError): For an output that cannot be written; the error names the file.
    """
    reading = ReadingOptions(**options)
    output = Path(output)
    targets = _find_targets(output, reading.shares)
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    _check_not_an_input(targets, given)
    files = open_files(given, reading)
    _check_not_an_input(targets, [file.path for file in files])
    nlp = spacy.blank(lang)
    problems = ProblemLog(strict=reading.strict)
    outputs = [FileSummary(target) for target in targets]
    examples: list[str] = []
    statistics = Statistics()
    passes = 2 if reading.shares else 1
    size = passes * sum(file.size for file in files)
    with (
        AtomicSet() as new_files,
        progress_counter("Reading", size, shown=progress, in_bytes=True) as counter,
    ):
        writers = [
            # `_find_targets` has checked the folders.
            DocBinWriter(target, new_files.add(target, replace_folder=True), shard_size)
            for target in targets
        ]
        groups = _SpanGroups(reading.spans_key, writers)
        for file in files:
            report = problems.of_file(file.path)
            for text, part in file.texts_with_part(problems, progress=counter.update):
                doc = doc_from_text(
                    nlp, text, report=report, spans_key=reading.spans_key
                )
                if len(examples) < _N_EXAMPLES:
                    examples.append(bracketed(doc))
                if outputs[part].records < _N_COMPARED:
                    statistics.add(Example(doc, doc))
                groups.update(doc, text.can_overlap)
                writers[part].add(doc)
                outputs[part].add(doc, reading.spans_key)
        for summary in outputs:
            if not summary.records:
                n = sum(summary.records for summary in outputs)
                raise DataError(
                    f"{summary.path.name} would be empty: there are only {n} records"
                )
        for writer in writers:
            writer.close()
    leftovers = [
        output / f"{name}.spacy" for name in PARTS[len(targets) :] if reading.shares
    ]
    existing = [path for path in leftovers if path.exists()]
    mismatches = _find_mismatches(files, statistics, nlp)
    return Conversion(files, outputs, problems, examples, mismatches, existing)


class _SpanGroups:
    """Span groups with all entities, for every Doc if some entities of the input
    overlap. Otherwise, they are redundant, and slow to read."""

    def __init__(self, key: str, writers: list[DocBinWriter]):
        self.key = key
        self.writers = writers
        self.are_needed = False

    def update(self, doc: Doc, can_overlap: bool) -> None:
        """Add or remove the group of a Doc.

        can_overlap: Whether the Doc has the group, with entities that may overlap.
        """
        if not can_overlap:
            if self.are_needed:
                group_entities(doc, self.key)
        elif not self.are_needed:
            if len(doc.spans.get(self.key) or ()) == len(doc.ents):
                doc.spans.pop(self.key, None)
                return
            self.are_needed = True
            for writer in self.writers:
                writer.add_group(self.key)


def _find_mismatches(
    files: list[DataFile], statistics: Statistics, nlp: Language
) -> list[Mismatch]:
    """Find out whether the texts fit the tokenizer of the language."""
    # Letters that are annotated among Chinese characters may be tokens.
    are_words = statistics.letters > statistics.joined + statistics.spaced
    unit = "token" if are_words else None
    found = [file.tokenizer_mismatch(nlp) for file in files]
    found += find_mismatches(statistics, nlp, unit=unit)
    return list({mismatch.kind: mismatch for mismatch in found if mismatch}.values())


def _check_not_an_input(targets: list[Path], inputs: Iterable[str | Path]) -> None:
    """RAISES (DataError): If a file to write is an input."""
    resolved = {Path(path).resolve() for path in inputs}
    for target in targets:
        if target.resolve() in resolved:
            raise DataError(f"{target} is an input file: choose another output file")


def _find_targets(output: Path, shares: list[int] | None) -> list[Path]:
    """Return the files to write.

    RAISES (DataError): If the name of the output is not valid, or a folder of this name
        has other content.
    """
    if shares:
        if output.suffix == ".spacy" or output.is_file():
            raise DataError(f"{output}: with a split, the output must be a folder")
        targets = [output / f"{name}.spacy" for name in PARTS[: len(shares)]]
    else:
        check_docs_path(output)
        targets = [output]
    for target in targets:
        check_docs_folder(target)
    return targets
