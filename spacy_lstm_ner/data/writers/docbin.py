"""The format of spaCy, .spacy: one file, or a folder of files if there are many Docs.
spaCy reads such a folder wherever it reads a file."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ...exceptions import DataError
from ...util.atomic import path_in_errors
from .base import ExportedText, WritingLog, WritingOptions

_ENTITIES = ("ENT_IOB", "ENT_TYPE")
# Maximum number of tokens in a file. To write it, spaCy needs about 150 bytes for each.
_MAX_TOKENS = 1_000_000
_SHARD_NAME = re.compile(r"part-\d{5}\.spacy")


def write_docs(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write Docs as they are, with their span groups: see `base.Write`."""
    attrs = (*_ENTITIES, "ENT_KB_ID", "ENT_ID")
    writer = DocBinWriter(path, path, options.shard_size, attrs)
    for exported in texts:
        writer.add(exported.doc)
        log.add(exported.entities)
    writer.close()


def group_entities(doc: Doc, spans_key: str) -> None:
    """Add a span group with the entities of a Doc, if it is annotated."""
    if doc.has_annotation("ENT_IOB"):
        doc.spans[spans_key] = list(doc.ents)


def check_docs_path(path: Path) -> None:
    """Check that Docs can be written to a path.

    path: A file, or a folder.
    RAISES (DataError): If it does not end in .spacy, or is a folder with other files.
    """
    if path.suffix != ".spacy":
        raise DataError(f"{path}: the name of the output must end in .spacy")
    check_docs_folder(path)


def check_docs_folder(path: Path) -> None:
    """RAISES (DataError): If a path is a folder with files that no `DocBinWriter` has
    written."""
    if path.is_dir() and not all(
        _SHARD_NAME.fullmatch(file.name) for file in path.iterdir()
    ):
        raise DataError(f"{path}: this folder has other files: choose another output")


class DocBinWriter:
    """Collects Docs, and writes a file whenever a shard is full."""

    def __init__(
        self,
        path: Path,
        new: Path,
        shard_size: int,
        attrs: Sequence[str] = _ENTITIES,
    ):
        """
        path: The destination, for errors.
        new: Where to write: a file, or a folder if there is more than one shard.
        shard_size: Maximum number of Docs in a file.
        attrs: The attributes of tokens to write.
        """
        self.path = path
        self.new = new
        self.shard_size = shard_size
        self.n_shards = 0
        self.n_tokens = 0  # in memory
        self.attrs = list(attrs)
        self.docs = DocBin(attrs=self.attrs)

    def add(self, doc: Doc) -> None:
        """Add a Doc."""
        is_full = len(self.docs) == self.shard_size
        if is_full or (self.n_tokens + len(doc) > _MAX_TOKENS and len(self.docs)):
            with path_in_errors(self.path):
                # With more than one shard the output is a folder.
                self.new.mkdir(exist_ok=True)
            self._write(self._next_shard())
        self.docs.add(doc)
        self.n_tokens += len(doc)

    def add_group(self, spans_key: str) -> None:
        """Add a span group with their entities to all Docs so far.

        spans_key: The key of the group.
        """
        for number in range(1, self.n_shards + 1):
            with path_in_errors(self.path):
                path = self._shard(number)
                self._with_group(DocBin().from_disk(path), spans_key).to_disk(path)
        self.docs = self._with_group(self.docs, spans_key)

    def _with_group(self, docs: DocBin, spans_key: str) -> DocBin:
        new = DocBin(attrs=self.attrs)
        for doc in docs.get_docs(Vocab()):
            group_entities(doc, spans_key)
            new.add(doc)
        return new

    def close(self) -> None:
        """Write the remaining Docs: to the folder, or to the only file."""
        self._write(self._next_shard() if self.n_shards else self.new)

    def _next_shard(self) -> Path:
        self.n_shards += 1
        return self._shard(self.n_shards)

    def _shard(self, number: int) -> Path:
        return self.new / f"part-{number:05}.spacy"

    def _write(self, path: Path) -> None:
        with path_in_errors(self.path):
            self.docs.to_disk(path)
        self.n_tokens = 0
        self.docs = DocBin(attrs=self.attrs)
