"""The layout of data sets of Hugging Face for token classification, as JSON lines and
as Parquet: a column "tokens" with the units, and a column "ner_tags" with their tags.

JSON lines have the names of the tags. Parquet has their numbers, and the names in the
metadata "huggingface" of the schema, where the library `datasets` finds the features of
a file (`Features.from_arrow_schema`) and makes them a `ClassLabel`.

With characters as units, the tokens joined are the text. With tokens, blanks between
them are not in the file; texts that do not have either none or one between all tokens
are counted.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...tags import OUTSIDE
from .base import ExportedText, WritingLog, WritingOptions
from .json_files import write_json_lines
from .tagged import prefixes_of, tagged_text, tags_from_spans

# Number of units of a Parquet file that are in memory, and form a row group.
_UNITS = 200_000


def write_hugging_face_json(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write a text a line, with the names of its tags: see `base.Write`."""
    rows = _rows(texts, options, log)
    write_json_lines(path, ({"tokens": u, "ner_tags": tags} for u, tags in rows))


def write_hugging_face_parquet(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write a Parquet file: see `base.Write`.

    RAISES (ImportError): If pyarrow is not installed.
    """
    arrow, parquet = _import_pyarrow()
    schema = arrow.schema(
        [
            ("tokens", arrow.list_(arrow.string())),
            ("ner_tags", arrow.list_(arrow.int64())),
        ]
    )
    numbers = {OUTSIDE: 0}
    rows = _rows(texts, options, log)
    # The tags are known only at the end. With the schema of Arrow in the file, metadata
    # that is added then would not belong to the schema.
    with parquet.ParquetWriter(path, schema, store_schema=False) as writer:
        for batch in _batches(rows):
            for _, tags in batch:
                _add_numbers(tags, numbers, options.scheme)
            columns = {
                "tokens": [units for units, _ in batch],
                "ner_tags": [[numbers[tag] for tag in tags] for _, tags in batch],
            }
            writer.write_table(arrow.table(columns, schema=schema))
        writer.add_key_value_metadata({"huggingface": _features(list(numbers))})


def _rows(
    texts: Iterable[ExportedText], options: WritingOptions, log: WritingLog
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the units and the tags of each text."""
    for exported in texts:
        units, spans, entities = tagged_text(exported, options, log)
        if not units:
            log.changes["text without units left out"] += 1
            continue
        log.add(entities)
        yield units, tags_from_spans(spans, len(units), options.scheme)


def _batches(
    rows: Iterable[tuple[list[str], list[str]]],
) -> Iterator[list[tuple[list[str], list[str]]]]:
    """Yield rows in batches of at least `_UNITS` units, except for the last one."""
    batch: list[tuple[list[str], list[str]]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row[0])
        if size >= _UNITS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _add_numbers(tags: list[str], numbers: dict[str, int], scheme: str) -> None:
    """Number the tags that are new. All tags of a label get numbers, whether they occur
    or not."""
    for tag in tags:
        if tag not in numbers:
            label = tag.partition("-")[2]
            for prefix in dict.fromkeys(prefixes_of(scheme)):
                numbers[f"{prefix}-{label}"] = len(numbers)


def _features(names: list[str]) -> str:
    """The features of the file, as `datasets` saves them."""
    tokens = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"}
    tags = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
    features = {"tokens": tokens, "ner_tags": tags}
    return json.dumps({"info": {"features": features}})


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            "Parquet files need pyarrow: pip install 'spacy-lstm-ner[parquet]', or use "
            "the format huggingface"
        ) from None
    return pyarrow, parquet
