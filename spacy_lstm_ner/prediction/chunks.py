"""Chunks of records: what is predicted at once. They are cut so that each belongs to
one part of the output."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

from ..exceptions import DataError
from .inputs import InputOptions, Record, Rows
from .rows import Rejected, json_line

if TYPE_CHECKING:
    import pyarrow as pa

# Maximum number of records, also of those that are rejected, and of characters in a
# chunk.
_MAX_RECORDS, _MAX_CHARACTERS = 1000, 100_000
# If so many records at the beginning cannot be used, none can: an option is wrong.
_MAX_REJECTED = 100
#: The error for an input without records.
NO_TEXTS = DataError("the input has no texts")


@dataclass
class Chunk:
    """Records that are predicted at once.

    part: The number of the part of the output that they belong to, from 0.
    places: File and line of each record.
    texts: The text of each record.
    fields: The fields of each record; None if the records are rows of a table.
    table: The rows of a Parquet file; None if the records have fields.
    rejected: Records in between that cannot be used.
    characters: Number of characters.
    ends_part: Whether the part ends with it.
    """

    part: int
    places: list[tuple[str, int]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    fields: list[dict[str, Any]] | None = None
    table: "pa.RecordBatch | None" = None
    rejected: list[Rejected] = field(default_factory=list)
    characters: int = 0
    ends_part: bool = False

    def field_values(self) -> list[dict[str, Any]]:
        """The fields of each record, also of a table."""
        if self.fields is not None:
            return self.fields
        return [] if self.table is None else self.table.to_pylist()

    def rejection(self, i: int, reason: str) -> Rejected:
        """Return what is set aside of a record.

        i: Its index.
        reason: Why.
        """
        if self.fields is not None:
            fields = self.fields[i]
        else:
            assert self.table is not None
            (fields,) = self.table.slice(i, 1).to_pylist()
        content = json_line(fields).decode().rstrip("\n")
        return Rejected(*self.places[i], reason, content)

    def remove(self, reasons: list[str]) -> list[Rejected]:
        """Remove records.

        reasons: Why each record is removed; "": it stays.
        RETURNS: The removed ones.
        """
        removed = [self.rejection(i, why) for i, why in enumerate(reasons) if why]
        stays = [not why for why in reasons]
        self.places = list(compress(self.places, stays))
        self.texts = list(compress(self.texts, stays))
        self.characters = sum(map(len, self.texts))
        if self.fields is not None:
            self.fields = list(compress(self.fields, stays))
        if self.table is not None:
            import pyarrow as pa

            self.table = self.table.filter(pa.array(stays, pa.bool_()))
        return removed


def read_chunks(
    items: Iterable[Record | Rejected | Rows],
    options: InputOptions,
    *,
    part_size: int | None = None,
    part: int = 0,
    is_finished: Callable[[int], bool] = lambda part: False,
) -> Iterator[Chunk]:
    """Put records together into chunks.

    items: The records of all files. Each counts as one, those that are rejected, too;
        only rejected files do not.
    options: How they are read.
    part_size: Number of records in a part. None: all are in one part.
    part: The number of the first part.
    is_finished: Whether a part is finished: its records are skipped.
    YIELDS: Chunks in the order of the records. The last chunk of each part says so; it
        may have no records.
    """
    cutter = _Cutter(options, part_size, part, is_finished)
    for item in items:
        yield from cutter.add(item)
    yield from cutter.close()


def require_usable(
    items: Iterable[Record | Rejected | Rows],
) -> Iterator[Record | Rejected | Rows]:
    """Pass on the records of the whole input.

    RAISES (DataError): If there are no records, or the first ones cannot be used.
    """
    n_rejected, has_records = 0, False
    first: Rejected | None = None
    for item in items:
        if isinstance(item, Rejected):
            first = first or item
            n_rejected += 1
            if not has_records and n_rejected == _MAX_REJECTED:
                raise _unusable(f"the first {n_rejected} records", first)
        else:
            has_records = True
        yield item
    if not has_records:
        raise NO_TEXTS if first is None else _unusable("the input", first)


def _unusable(what: str, first: Rejected) -> DataError:
    return DataError(f"{what} cannot be used; the first problem is: {first}")


class _Cutter:
    """Cuts records into chunks, see `read_chunks`."""

    def __init__(
        self,
        options: InputOptions,
        part_size: int | None,
        part: int,
        is_finished: Callable[[int], bool],
    ):
        self._options = options
        self._part_size = part_size
        self._is_finished = is_finished
        self._position = 0  # of the next record
        self._open = False  # whether the current part has records
        self._chunk = Chunk(part)
        self._skips = is_finished(part)

    def add(self, item: Record | Rejected | Rows) -> Iterator[Chunk]:
        if isinstance(item, Rows):
            yield from self._add_rows(item)
            return
        if isinstance(item, Rejected) and item.line == 0:
            # A file as a whole is no record. Its part is rejected again if it is
            # finished, and the user is told again.
            self._chunk.rejected.append(item)
            return
        if not self._skips:
            chunk = self._chunk
            if isinstance(item, Rejected):
                chunk.rejected.append(item)
            else:
                if chunk.table is not None:
                    yield from self._cut()
                    chunk = self._chunk
                if chunk.fields is None:
                    chunk.fields = []
                chunk.places.append(item[:2])
                chunk.texts.append(item.text)
                chunk.fields.append(item.fields)
                chunk.characters += len(item.text)
        yield from self._advance(1)

    def _add_rows(self, rows: Rows) -> Iterator[Chunk]:
        line, batch = rows.line, rows.batch
        while len(batch):
            n = min(len(batch), _MAX_RECORDS)
            if self._part_size is not None:
                n = min(n, self._part_size - self._position % self._part_size)
            if not self._skips:
                if self._chunk.texts:
                    yield from self._cut()
                n = self._fill(rows.path, line, batch, n)
            yield from self._advance(n)
            line += n
            batch = batch.slice(n)

    def _fill(self, path: str, line: int, batch: "pa.RecordBatch", n: int) -> int:
        """Make the chunk of the first rows of a batch, up to n.

        RETURNS: How many rows it has.
        """
        column = batch.schema.get_field_index(self._options.text_field)
        texts = batch.column(column).slice(0, n).to_pylist()
        for i, text in enumerate(texts):
            if self._chunk.characters + len(text) > _MAX_CHARACTERS and i:
                del texts[i:]
                break
            self._chunk.characters += len(text)
        self._chunk.texts = texts
        self._chunk.places = [(path, line + i) for i in range(len(texts))]
        self._chunk.table = batch.slice(0, len(texts))
        return len(texts)

    def _advance(self, n: int) -> Iterator[Chunk]:
        """Count records, and cut the chunk if it is full or the part ends."""
        self._position += n
        self._open = True
        size, chunk = self._part_size, self._chunk
        if size is not None and self._position % size == 0:
            yield from self._end_part()
        elif (
            len(chunk.texts) + len(chunk.rejected) >= _MAX_RECORDS
            or chunk.characters >= _MAX_CHARACTERS
        ):
            yield from self._cut()

    def _cut(self) -> Iterator[Chunk]:
        yield self._chunk
        self._chunk = Chunk(self._chunk.part)

    def _end_part(self) -> Iterator[Chunk]:
        self._chunk.ends_part = True
        if not self._skips:
            yield self._chunk
        part = self._chunk.part + 1
        kept = self._chunk.rejected if self._skips else []
        self._chunk = Chunk(part, rejected=kept)
        self._skips = self._is_finished(part)
        self._open = False

    def close(self) -> Iterator[Chunk]:
        """Yield the last chunk."""
        if self._open or self._chunk.rejected:
            yield from self._end_part()
