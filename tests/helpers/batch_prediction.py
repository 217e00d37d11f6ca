"""Input and output of `predict`."""

import json
import os
from itertools import cycle, islice
from pathlib import Path

from spacy_lstm_ner import EntityPredictor, Prediction, kernels

from .paths import EASY

#: Parts of texts that end a process or raise an error, see `FatalPredictor`.
FATAL, ERROR = "FATAL", "ERROR"

#: Sentences of the sample.
SENTENCES = [
    json.loads(line)["text"] for line in EASY.read_text("utf8").splitlines()[:200]
]


def write_lines(path: Path, records) -> Path:
    """Write JSON lines."""
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), "utf8")
    return path


def numbered(n: int) -> list[dict]:
    """Return n records with a text and a number."""
    texts = islice(cycle(SENTENCES), n)
    return [{"id": i, "text": f"{text}{i}"} for i, text in enumerate(texts)]


def write_parquet(folder: Path, n: int) -> Path:
    """Write n rows in two Parquet files of several row groups. One text is null."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    rows = numbered(n)
    rows[n // 2]["text"] = None
    table = pa.Table.from_pylist(rows)
    write_table(table.slice(0, n // 3), folder / "a.parquet", row_group_size=700)
    write_table(table.slice(n // 3), folder / "b.parquet", row_group_size=1700)
    return folder


class _Score(float):
    """A probability. Without compiled kernels, it is equal to those that differ by
    rounding: the BLAS of a process with one thread may add in another order than that
    of one with two."""

    def __eq__(self, other):
        tolerance = 0 if kernels.kernels() else 1e-5
        return isinstance(other, float) and abs(self - other) <= tolerance

    __hash__ = None


def part_contents(folder: Path) -> dict[str, list[dict]]:
    """Return the records of each part of an output folder, and its errors, by name."""
    files = [*folder.glob("part-*"), *folder.glob("_errors/*")]
    return {str(file.relative_to(folder)): _records(file) for file in sorted(files)}


def _records(file: Path) -> list[dict]:
    if file.suffix == ".parquet":
        from pyarrow.parquet import read_table

        table = read_table(file)
        rows = [{"schema": str(table.schema)}, *table.to_pylist()]
    else:
        rows = [json.loads(line) for line in file.read_text("utf8").splitlines()]
    for row in rows:
        for entity in row.get("entities", ()):
            entity["score"] = _Score(entity["score"])
    return rows


class ThreadsPredictor(EntityPredictor):
    """Says how many threads its process may use, as the error of each text."""

    def predict(self, texts):
        blas = os.environ.get("OPENBLAS_NUM_THREADS")
        return [Prediction([], f"{kernels.num_threads()} {blas}") for _ in texts]


class FatalPredictor(EntityPredictor):
    """Ends its process at a text that contains FATAL, and raises at one with ERROR."""

    def _in_a_batch(self, texts):
        for text in texts:
            if FATAL in text:
                os._exit(1)
            if ERROR in text:
                raise ValueError("this text cannot be predicted")
        return super()._in_a_batch(texts)
