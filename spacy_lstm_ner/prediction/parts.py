"""The output: a file, standard output, or a folder of parts.

A folder has

    _predict.json         what was predicted, and how: what `--resume` must find again
    part-00000.jsonl …    the parts, each written completely or not at all
    _errors/part-00000.jsonl …  the records of a part that were set aside
    _SUCCESS              empty; written at the end

Programs that read a folder of JSON lines or Parquet, such as Spark, Ray, Dask and
pyarrow, ignore names that begin with "_".
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..exceptions import DataError
from ..util.atomic import atomic_write, check_writable
from ..util.progress import print_line
from .chunks import Chunk
from .predictor import Prediction
from .rows import Rejected, json_line
from .writers import JsonWriter, ParquetWriter, RowWriter, first_schema

if TYPE_CHECKING:
    import pyarrow as pa

#: Output formats, and the suffix of their files.
FORMATS = {"jsonl": ".jsonl", "parquet": ".parquet"}
#: Messages that are kept of records that were set aside.
MAX_EXAMPLES = 5
_MANIFEST, _SUCCESS = "_predict.json", "_SUCCESS"
_ERRORS, _ATTEMPTS = "_errors", "_attempts"


class Part:
    """A file of the output that is being written.

    rows: Writes the rows, and counts them.
    reject: Called with each record that is set aside.
    """

    def __init__(self, rows: RowWriter, reject: Callable[[Rejected], None]):
        self.rows = rows
        self._reject = reject
        self.rejected = 0
        self.examples: list[str] = []

    def write(self, chunk: Chunk, predictions: list[Prediction]) -> None:
        """Write the records of a chunk, and set aside those that cannot be predicted or
        written.

        chunk: The chunk.
        predictions: The prediction for each record.
        """
        for item in chunk.rejected:
            self.reject(item)
        if any(prediction.error for prediction in predictions):
            for item in chunk.remove([prediction.error for prediction in predictions]):
                self.reject(item)
            predictions = [found for found in predictions if not found.error]
        self._set_aside(self.rows.write(chunk, predictions))

    def close(self) -> None:
        """Write what is pending."""
        self._set_aside(self.rows.close())

    def _set_aside(self, rejected: list[Rejected]) -> None:
        for item in rejected:
            self.reject(item)

    def reject(self, item: Rejected) -> None:
        """Set a record aside."""
        self.rejected += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(str(item))
        self._reject(item)


@contextmanager
def write_part(
    path: Path,
    errors_path: Path,
    *,
    format: str,
    entities_field: str,
    schema: "pa.Schema | None" = None,
) -> Iterator[Part]:
    """Write a file of rows, and one of the records that are set aside, if there are
    any. Both appear completely or not at all, the errors first.

    path: The file.
    errors_path: The file for the records that are set aside.
    format: A key of `FORMATS`.
    entities_field: The field of the entities.
    schema: For Parquet, the columns without the entities. None: as in the first rows.
    YIELDS: The part to write to.
    RAISES (OSError): If it cannot be written; the error names the file.
    """
    with atomic_write(path) as new, ExitStack() as stack:
        errors: list[IO[bytes]] = []

        def reject(item: Rejected) -> None:
            if not errors:
                new_errors = stack.enter_context(atomic_write(errors_path))
                errors.append(stack.enter_context(new_errors.open("wb")))
            errors[0].write(json_line(_as_fields(item)))

        rows: RowWriter
        if format == "parquet":
            rows = ParquetWriter(new, entities_field, schema)
        else:
            rows = JsonWriter(stack.enter_context(new.open("wb")), entities_field)
        part = Part(rows, reject)
        yield part
        part.close()


def _as_fields(item: Rejected) -> dict[str, Any]:
    fields = {"file": item.path, "line": item.line, "reason": item.reason}
    return fields if item.content is None else {**fields, "content": item.content}


class OutputFile:
    """A single file.

    path: The file.
    format: A key of `FORMATS`.
    """

    part_size = None
    finished = 0

    def __init__(self, path: Path, format: str, entities_field: str):
        check_writable(path)
        self.path = path
        self.format = format
        self._field = entities_field
        self.errors = path.with_name(f"{path.name}.errors.jsonl")

    def is_finished(self, part: int) -> bool:
        """Return whether a part is there already."""
        return False

    @contextmanager
    def part(self, number: int) -> Iterator[Part]:
        """Write the file."""
        with write_part(
            self.path, self.errors, format=self.format, entities_field=self._field
        ) as part:
            yield part
        if not part.rejected:
            # Of an earlier run.
            self.errors.unlink(missing_ok=True)

    def finish(self) -> None:
        """Called at the end."""


class StandardOutput:
    """Standard output, as JSON lines; records that are set aside are told on stderr."""

    part_size = None
    finished = 0
    path = errors = Path("-")

    def __init__(self, entities_field: str):
        self._field = entities_field

    def is_finished(self, part: int) -> bool:
        """Return whether a part is there already."""
        return False

    @contextmanager
    def part(self, number: int) -> Iterator[Part]:
        """Write to standard output."""
        stream: Any = sys.stdout
        stream = getattr(stream, "buffer", stream)
        part = Part(JsonWriter(stream, self._field), lambda item: print_line(str(item)))
        yield part
        part.close()

    def finish(self) -> None:
        """Called at the end."""


class OutputFolder:
    """A folder of parts.

    path: The folder.
    settings: What determines the output, as JSON: it is written to the folder, and has
        to be the same to resume.
    format: A key of `FORMATS`.
    part_size: Number of records in a part.
    resume: Whether to go on with what is in the folder.
    RAISES (DataError): If the folder is not empty and `resume` is not set; if it is set
        and there is something else in the folder.
    """

    def __init__(
        self,
        path: Path,
        settings: dict[str, Any],
        *,
        format: str,
        entities_field: str,
        part_size: int,
        resume: bool,
    ):
        self.path = path
        self.format = format
        self.part_size = part_size
        self.errors = path / _ERRORS
        self._field = entities_field
        #: For Parquet, the columns without the entities: the same in all parts.
        self.schema: pa.Schema | None = None
        if path.is_dir() and any(path.iterdir()):
            self._check(settings, resume)
        self._settings = settings
        name = re.compile(rf"part-(\d+){re.escape(FORMATS[format])}")
        found = map(name.fullmatch, os.listdir(path) if path.is_dir() else ())
        self._finished = {int(match[1]) for match in found if match}

    def _check(self, settings: dict[str, Any], resume: bool) -> None:
        """RAISES (DataError): If the folder is not of a run with the same settings."""
        try:
            found = json.loads((self.path / _MANIFEST).read_text("utf8"))
        except FileNotFoundError:
            # A run that was killed at its very beginning has hidden files at most.
            if all(file.name.startswith(".") for file in self.path.iterdir()):
                return
            raise DataError(
                f"{self.path} is not empty, and not of an earlier run: choose another "
                f"folder"
            ) from None
        except ValueError as error:
            raise DataError(f"{self.path / _MANIFEST} is damaged: {error}") from None
        if not resume:
            raise DataError(
                f"{self.path} has the output of an earlier run: go on with it by "
                f"--resume, or choose another folder"
            )
        settings = json.loads(json.dumps(settings))
        for name in settings:
            if found.get(name) != settings[name]:
                raise DataError(
                    f"{self.path} cannot be resumed: {name} was "
                    f"{_shown(found.get(name))}, and is {_shown(settings[name])} now"
                )

    def file(self, part: int) -> Path:
        """The file of a part."""
        return self.path / f"part-{part:05d}{FORMATS[self.format]}"

    def errors_file(self, part: int) -> Path:
        """The file of the records of a part that were set aside."""
        return self.errors / f"part-{part:05d}.jsonl"

    def begin(self) -> None:
        """Write what is needed to resume, before the first part."""
        if not (self.path / _MANIFEST).exists():
            with atomic_write(self.path / _MANIFEST) as new:
                settings = json.dumps(self._settings, indent=1, ensure_ascii=False)
                new.write_text(settings, "utf8")

    def is_finished(self, part: int) -> bool:
        """Return whether a part is there already."""
        return part in self._finished

    @property
    def finished(self) -> int:
        """Number of parts that were there already."""
        return len(self._finished)

    @contextmanager
    def part(self, number: int) -> Iterator[Part]:
        """Write a part."""
        self.begin()
        if self.format == "parquet" and self.schema is None:
            self.schema = first_schema(sorted(self.path.glob("part-*")), self._field)
        with write_part(
            self.file(number),
            self.errors_file(number),
            format=self.format,
            entities_field=self._field,
            schema=self.schema,
        ) as part:
            yield part

    @contextmanager
    def attempt(self, part: int) -> Iterator[int]:
        """Count the attempts to write a part, also those of processes that were killed.

        YIELDS: The number of this attempt, from 1.
        """
        file = self.path / _ATTEMPTS / f"part-{part:05d}"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as stream:
            stream.write(b"x")
        yield file.stat().st_size
        file.unlink(missing_ok=True)

    def finish(self) -> None:
        """Mark the output as complete."""
        shutil.rmtree(self.path / _ATTEMPTS, ignore_errors=True)
        with atomic_write(self.path / _SUCCESS) as new:
            new.touch()


Output = OutputFile | StandardOutput | OutputFolder


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 200 else f"{text[:200]}…"
