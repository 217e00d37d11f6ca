"""The binary files of spaCy, as `convert` writes them."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ...exceptions import DataError
from ...tags import Span
from ..options import ReadingOptions
from .base import AnnotatedText, Report

#: The span group for spans that are known not to be entities.
INCORRECT_SPANS = "incorrect"


def recognizes(path: Path) -> bool:
    """Return whether a path is a .spacy file, or a folder of such files."""
    return path.suffix == ".spacy" or (
        path.is_dir()
        and any(path.iterdir())
        and all(file.suffix == ".spacy" for file in path.iterdir())
    )


def read_docbin(
    path: Path, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read the Docs of .spacy files, with the entities in `doc.ents` and those in a
    span group.

    RAISES (DataError): For a damaged file.
    """
    number = 0
    for file in sorted(path.glob("*.spacy")) if path.is_dir() else [path]:
        vocab = Vocab()
        try:
            for doc in DocBin().from_disk(file).get_docs(vocab):
                number += 1
                yield _annotated_text(doc, number, options.spans_key)
        # A damaged file can raise any error, since spaCy does not validate it.
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise DataError(f"{file}: cannot be read: {reason}") from None


def _annotated_text(doc: Doc, number: int, spans_key: str) -> AnnotatedText:
    found = [Span(e.start_char, e.end_char, e.label_) for e in doc.ents]
    can_overlap = spans_key in doc.spans
    if can_overlap:
        group = doc.spans[spans_key]
        found += [Span(s.start_char, s.end_char, s.label_) for s in group]
    incorrect = doc.spans.get(INCORRECT_SPANS) or []
    missing = []
    for is_missing, tokens in groupby(doc, lambda token: token.ent_iob == 0):
        if is_missing:
            first, *rest = tokens
            last = rest[-1] if rest else first
            missing.append((first.idx, last.idx + len(last)))
    return AnnotatedText(
        doc.text,
        list(dict.fromkeys(found)),
        missing,
        line=number,
        can_overlap=can_overlap,
        incorrect=[Span(s.start_char, s.end_char, s.label_) for s in incorrect],
    )
