"""Readers of annotated data: the corpus reader for configs, and one for any file."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.training import Corpus, Example

from ..exceptions import DataError
from .docs import doc_from_text
from .files import open_files
from .options import ReadingOptions, accepts_reading_options
from .problems import ProblemLog
from .split import PARTS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import ReadingKeywords


class BIOCorpus:
    """Read a dataset file for training, without converting it first: the reader
    `spacy-lstm-ner.BIOCorpus.v1`, for the sections ``[corpora.*]`` of a config. It
    reads the same files as `convert`, in the same way.
    """

    @accepts_reading_options
    def __init__(
        self,
        path: str | Path | None,
        *,
        part: str = "train",
        **options: "Unpack[ReadingKeywords]",
    ):
        """
        path: The dataset file. None, which a path in a config is until it is set, is an
            error.
        part: The part of the split to read: "train", "dev" or "test".
        options: How to read the file: see `ReadingOptions`. The seed must be the same
            for all parts of a split.
        RAISES (DataError): For a path that is None, and invalid options.
        """
        if path is None:
            raise DataError(
                "The path of the corpus is not set. Set it in the section [paths] of "
                "the config, or on the command line: --paths.train data.jsonl"
            )
        self.path = path
        self.options = ReadingOptions(**options)
        shares = self.options.shares
        parts = PARTS[: len(shares)] if shares else PARTS[:1]
        if part not in parts:
            raise DataError(
                f"unknown part {part!r}: the split {self.options.split!r} has "
                f"{', '.join(parts)}"
                if shares
                else f'the part {part!r} requires a split, such as split = "80/10/10"'
            )
        self.part = part
        self._has_warned = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the file once.

        nlp: The pipeline to train.
        YIELDS: An example for each record of the part.
        RAISES (DataError): If the file cannot be used, or at the first problem if
            `strict` is set.
        """
        problems = ProblemLog(strict=self.options.strict)
        # Opened here because the file may not exist before training begins.
        for file in open_files(self.path, self.options):
            report = problems.of_file(file.path)
            is_empty = True
            for text, number in file.texts_with_part(problems):
                if PARTS[number] == self.part:
                    is_empty = False
                    reference = doc_from_text(
                        nlp, text, report=report, spans_key=self.options.spans_key
                    )
                    yield Example(nlp.make_doc(text.text), reference)
            if is_empty:
                raise DataError(
                    f"{file.path}: too few records for the part {self.part!r}"
                )
        # Training reads a corpus many times.
        if (problems.counts or problems.losses()) and not self._has_warned:
            self._has_warned = True
            told = "\n".join([str(problems), *problems.losses()]).strip()
            warnings.warn(f"Problems in the corpus:\n{told}", stacklevel=2)


def read_examples(
    path: str | Path, nlp: Language, *, limit: int = 0, force: bool = False
) -> Iterator[Example]:
    """Read a .spacy file, or a dataset file in any format that `convert` reads.

    path: The file.
    nlp: Its tokenizer creates the predicted Docs.
    limit: Read only the first `limit` records. 0: all.
    force: Accept a dataset file without entities, or with many unknown tags.
    YIELDS: An example for each record.
    RAISES (DataError): For a file that does not exist or cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.suffix != ".spacy":
        try:
            yield from BIOCorpus(path, limit=limit, force=force)(nlp)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error}") from None
        return
    try:
        for example in Corpus(path, limit=limit)(nlp):
            # A label that is missing in a damaged file only fails when it is looked up.
            for ent in example.reference.ents:
                ent.label_  # noqa: B018
            yield example
    except DataError:
        raise
    # A damaged file can raise any error, since spaCy does not validate it.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read: {reason}") from None
