"""Writers of rows with their entities."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from ..exceptions import DataError
from .chunks import Chunk
from .predictor import Prediction
from .rows import Rejected, entities_array, entity_dicts, entity_type, json_line

if TYPE_CHECKING:
    import pyarrow as pa

# A row group of a Parquet file has so many rows, or a little more than so many
# characters. All of it is in memory.
_GROUP_ROWS, _GROUP_CHARACTERS = 50_000, 20_000_000


class RowWriter(Protocol):
    """Writes rows with their entities to a file.

    records: Number of rows that were written.
    entities: Number of their entities.
    """

    records: int
    entities: int

    def write(self, chunk: Chunk, predictions: Sequence[Prediction]) -> list[Rejected]:
        """Write the records of a chunk.

        predictions: The prediction for each record, none of which is an error.
        RETURNS: Records that the format cannot hold, also of earlier chunks.
        """

    def close(self) -> list[Rejected]:
        """Write what is pending.

        RETURNS: As `write`.
        """


class JsonWriter:
    """Writes JSON lines.

    stream: The file.
    entities_field: The field of the entities.
    """

    def __init__(self, stream: IO[bytes], entities_field: str):
        self._stream = stream
        self._field = entities_field
        self.records = self.entities = 0

    def write(self, chunk: Chunk, predictions: Sequence[Prediction]) -> list[Rejected]:
        rows = zip(chunk.field_values(), chunk.texts, predictions, strict=True)
        self._stream.writelines(
            json_line({**fields, self._field: entity_dicts(text, prediction.entities)})
            for fields, text, prediction in rows
        )
        self.records += len(predictions)
        self.entities += sum(len(found.entities) for found in predictions)
        return []

    def close(self) -> list[Rejected]:
        self._stream.flush()
        return []


class ParquetWriter:
    """Writes Parquet. The columns are those of the first Parquet file of the input; of
    JSON and CSV, the fields of the records in the first row group.

    path: The file.
    entities_field: The column of the entities.
    schema: The columns without the entities. None: see above.
    """

    def __init__(self, path: Path, entities_field: str, schema: "pa.Schema | None"):
        self._path = path
        self._field = entities_field
        self._schema = schema
        self._writer: Any = None
        self._pending: list[tuple[Chunk, Sequence[Prediction]]] = []
        self._rows = self._characters = 0
        self.records = self.entities = 0

    def write(self, chunk: Chunk, predictions: Sequence[Prediction]) -> list[Rejected]:
        if chunk.texts:
            self._pending.append((chunk, predictions))
        self._rows += len(chunk.texts)
        self._characters += chunk.characters
        if self._rows >= _GROUP_ROWS or self._characters >= _GROUP_CHARACTERS:
            return self._flush()
        return []

    def close(self) -> list[Rejected]:
        rejected = self._flush()
        if self._writer is not None:
            self._writer.close()
        return rejected

    def _flush(self) -> list[Rejected]:
        """Write a row group."""
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter as Writer

        if self._schema is None:
            self._schema = _find_schema([chunk for chunk, _ in self._pending])
        rejected: list[Rejected] = []
        tables = []
        for chunk, predictions in self._pending:
            table, kept = _as_table(chunk, self._schema, rejected)
            entities = entities_array(
                [chunk.texts[i] for i in kept], [predictions[i] for i in kept]
            )
            tables.append(table.append_column(self._field, entities))
            self.records += len(kept)
            self.entities += sum(len(predictions[i].entities) for i in kept)
        self._pending, self._rows, self._characters = [], 0, 0
        full = self._schema.append(pa.field(self._field, entity_type()))
        try:
            if self._writer is None:
                self._writer = Writer(self._path, full)
            if tables:
                self._writer.write_table(pa.concat_tables(tables))
        except pa.ArrowException as error:
            raise DataError(
                f"these records cannot be written as Parquet: {error}: write JSON lines"
            ) from None
        return rejected


def first_schema(files: Iterable[Path], entities_field: str) -> "pa.Schema | None":
    """Return the columns without the entities of the first Parquet file that has rows;
    None if there is none."""
    from pyarrow.parquet import ParquetFile

    for file in files:
        with ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            if parquet.metadata.num_rows:
                return schema.remove(schema.get_field_index(entities_field))
    return None


def _find_schema(chunks: list[Chunk]) -> "pa.Schema":
    """Return the columns for chunks: those of the first table, or the fields of all
    records.

    RAISES (DataError): If values of a field have different types.
    """
    import pyarrow as pa

    for chunk in chunks:
        if chunk.table is not None:
            return chunk.table.schema
    rows = [row for chunk in chunks for row in chunk.field_values()]
    columns = []
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            kind = pa.array([row.get(name) for row in rows]).type
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"the field {name!r} cannot be a column of Parquet: {error}: write "
                f"JSON lines"
            ) from None
        columns.append(pa.field(name, pa.string() if pa.types.is_null(kind) else kind))
    return pa.schema(columns)


def _as_table(
    chunk: Chunk, schema: "pa.Schema", rejected: list[Rejected]
) -> tuple["pa.Table", Sequence[int]]:
    """Return the records of a chunk as a table, and the indices of those in it.

    rejected: The others are added to it.
    """
    import pyarrow as pa

    everything = range(len(chunk.texts))
    if chunk.table is not None and chunk.table.schema.equals(schema):
        return pa.Table.from_batches([chunk.table]), everything
    rows = chunk.field_values()
    try:
        _check_names(rows, schema)
        return pa.Table.from_pylist(rows, schema), everything
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    kept = []
    for i, row in enumerate(rows):
        try:
            _check_names([row], schema)
            pa.Table.from_pylist([row], schema)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reason = (
                f"does not fit the columns of the output ({error}): write JSON lines "
                f"to keep it"
            )
            rejected.append(chunk.rejection(i, reason))
        else:
            kept.append(i)
    return pa.Table.from_pylist([rows[i] for i in kept], schema), kept


def _check_names(rows: list[dict[str, Any]], schema: "pa.Schema") -> None:
    """RAISES (ValueError): If a row has a field that is not in the schema."""
    for row in rows:
        for name in row:
            if name not in schema.names:
                raise ValueError(f"no column {name!r}")
