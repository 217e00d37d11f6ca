"""Dataset files straight into training, without converting them first."""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from spacy.language import Language
from spacy.training import Corpus, Example

from ..exceptions import DataError
from .docs import doc_from_record
from .files import DataFile
from .problems import Report
from .split import PARTS, dealt_records, parse_split


class BIOCorpus:
    """A reader for the sections ``[corpora.*]`` of a config, registered as
    "spacy-lstm-ner.BIOCorpus.v1". It reads what `convert` reads, in the same way.
    """

    def __init__(
        self,
        path: str | Path | None,
        *,
        format: str = "auto",
        scheme: str = "auto",
        separator: str | None = None,
        joiner: str = "",
        segmentation_digits: bool | None = None,
        split: str | None = None,
        part: str = "train",
        seed: int = 0,
        limit: int = 0,
        strict: bool = False,
    ):
        """
        path (str | Path | None): The dataset file. None, which stands for a path that
            was not filled in, is an error.
        format (str): "jsonl", "literal" or "columns"; "auto" to find out.
        scheme (str): "BIO", "IOB1", "BIOES" or "BMES"; "auto" to find out.
        separator (str | None): What stands between columns. None for white space.
        joiner (str): What to put between units: nothing for characters.
        segmentation_digits (bool | None): Whether characters carry their position in
            the word, as in "科0". None to find out.
        split (str | None): Percentages such as "80/10/10", to train and evaluate on
            parts of one file.
        part (str): The part of the split to read: "train", "dev" or "test".
        seed (int): Another seed makes another split. It must be the same in all parts.
        limit (int): Use only so many records of the file. 0 for all.
        strict (bool): Stop at the first problem instead of repairing or skipping.
        RAISES (DataError): For a path that is None, and settings that do not fit.
        """
        if path is None:
            raise DataError(
                "The path of a corpus is not set. Set it in the section [paths] of "
                "the config, or on the command line: --paths.train data.jsonl"
            )
        self.shares = parse_split(split) if split else None
        parts = PARTS[: len(self.shares)] if self.shares else PARTS[:1]
        if part not in parts:
            raise DataError(f"no part {part!r}: split {split!r} has {', '.join(parts)}")
        self.part = parts.index(part)
        self.seed = seed
        self.limit = limit
        self.joiner = joiner
        self.strict = strict
        # The file is not looked at before it is read: it may not be there yet.
        self.open = partial(
            DataFile,
            path,
            format=format,
            scheme=scheme,
            separator=separator,
            segmentation_digits=segmentation_digits,
        )
        self._has_warned = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the file once.

        nlp (Language): The pipeline to train.
        YIELDS (Example): An example for each record of the part.
        RAISES (DataError): If the file cannot be used, or at the first problem if
            `strict`.
        """
        report = Report(strict=self.strict)
        file = self.open()
        records = dealt_records(
            file, report, limit=self.limit, shares=self.shares, seed=self.seed
        )
        is_empty = True
        for record, number in records:
            if number == self.part:
                is_empty = False
                reference = doc_from_record(
                    nlp, record, file=file, report=report, joiner=self.joiner
                )
                text = self.joiner.join(record.units)
                yield Example(nlp.make_doc(text), reference)
        if is_empty:
            raise DataError(f"{file.path}: too few records for a {PARTS[self.part]}")
        # Training reads a corpus again and again; once is enough to be told.
        if report.counts and not self._has_warned:
            self._has_warned = True
            warnings.warn(f"Problems in the corpus:\n{report}", stacklevel=2)


def read_examples(path: Path, nlp: Language, *, limit: int = 0) -> Iterator[Example]:
    """Read a .spacy file, or a dataset file in any format that `convert` reads.

    path (Path): The file.
    nlp (Language): Its tokenizer makes the predicted Docs.
    limit (int): Use only so many records. 0 for all.
    YIELDS (Example): An example for each record.
    RAISES (DataError): For a file that is not there, or cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.suffix != ".spacy":
        try:
            yield from BIOCorpus(path, limit=limit)(nlp)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error}") from None
        return
    try:
        for example in Corpus(path, limit=limit)(nlp):
            # What a broken file lacks is only missed when it is looked up.
            for ent in example.reference.ents:
                ent.label_  # noqa: B018
            yield example
    except DataError:
        raise
    # A broken file can end in any error, as it is not checked by spaCy.
    except Exception as error:
        why = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read: {why}") from None
