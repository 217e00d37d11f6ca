"""The formats of output files. All writers are given the same texts.

============  ======================================================================
format        a text
============  ======================================================================
doccano       a line ``{"text": "…", "label": [[0, 2, "NAME"]]}``
label-studio  a task of a JSON array, ``{"data": {"text": "…"}, "predictions": […]}``
prodigy       a line ``{"text": "…", "tokens": […], "spans": […]}``
offsets       a line ``{"text": "…", "entities": [{"start": 0, "end": 2, …}]}``
columns       a line for each unit, its tag last; a blank line between texts
huggingface   a line ``{"tokens": ["…", …], "ner_tags": ["B-NAME", …]}``
parquet       a row with "tokens" and "ner_tags", as in data sets of Hugging Face
spacy         a Doc in a .spacy file
============  ======================================================================

To add a format, write a module with a function that writes texts to a file (see
`base.Write`; `doccano` is an example), and add it to `WRITERS`. `export` and the
command line then accept it under its key there. What it counts in `WritingLog` has to
account for all entities: `tests/data/writers` checks this for each key.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ...exceptions import DataError
from ...util.atomic import atomic_write
from ..problems import ProblemLog
from .base import (
    CHANGES,
    LOSSES,
    Entity,
    ExportedText,
    Writer,
    WritingLog,
    WritingOptions,
)
from .columns import write_columns
from .docbin import check_docs_path, write_docs
from .doccano import write_doccano
from .hugging_face import write_hugging_face_json, write_hugging_face_parquet
from .json_lines import write_offsets
from .label_studio import write_label_studio
from .prodigy import write_prodigy

__all__ = [
    "CHANGES",
    "LOSSES",
    "WRITERS",
    "Entity",
    "Export",
    "ExportedText",
    "Writer",
    "WritingOptions",
    "find_format",
    "write_texts",
]

_TAGGED = frozenset({"unit", "scheme"})

#: All output formats by name.
WRITERS: dict[str, Writer] = {
    "doccano": Writer(
        "JSON lines for doccano",
        write_doccano,
        uses=frozenset({"offsets"}),
        # Since version 1.5.0.
        offsets="utf16",
    ),
    "label-studio": Writer(
        "a JSON array of tasks for Label Studio",
        write_label_studio,
        uses=frozenset({"offsets", "from_name", "to_name"}),
    ),
    "prodigy": Writer(
        "JSON lines for Prodigy",
        write_prodigy,
        uses=frozenset({"offsets", "unit"}),
    ),
    "offsets": Writer(
        "JSON lines with character offsets",
        write_offsets,
        uses=frozenset({"offsets"}),
    ),
    "columns": Writer(
        "one unit and its tag a line", write_columns, uses=_TAGGED | {"separator"}
    ),
    "huggingface": Writer(
        "JSON lines with tokens and ner_tags", write_hugging_face_json, uses=_TAGGED
    ),
    "parquet": Writer(
        "Parquet with tokens and ner_tags",
        write_hugging_face_parquet,
        suffixes=(".parquet",),
        uses=_TAGGED,
    ),
    "spacy": Writer(
        "a .spacy file",
        write_docs,
        suffixes=(".spacy",),
        uses=frozenset({"shard_size"}),
        holds_docs=True,
    ),
}
_ALWAYS = frozenset({"predicted", "model_version"})


@dataclass
class Export:
    """The result of `export`.

    path: The file that was written.
    format: Its format.
    records: Number of texts in it.
    found: Number of entities in the input. All of them are either in `entities` or in
        `lost`.
    entities: Number of entities in the file, by label.
    lost: Number of entities that are not in the file, by reason.
    left_out: Number of records of the input that are left out on purpose, by reason,
        such as answers that were rejected in a tool.
    changes: How often something else differs from the input.
    problems: The problems in the input.
    """

    path: Path
    format: str
    records: int
    found: int
    entities: dict[str, int]
    lost: dict[str, int]
    left_out: dict[str, int]
    changes: dict[str, int]
    problems: ProblemLog


def find_format(output: Path, format: str, options: WritingOptions) -> str:
    """Find the format of an output file, and check the options and the path.

    output: The file.
    format: A key of `WRITERS`, or "auto" to decide by the suffix of the file.
    options: The options.
    RETURNS: A key of `WRITERS`.
    RAISES (DataError): For an unknown format, and for an option that the format does
        not use.
    """
    if format == "auto":
        for name, writer in WRITERS.items():
            if output.suffix in writer.suffixes:
                format = name
                break
        else:
            raise DataError(
                f"{output}: the name does not tell the format: set it to one of "
                f"{tuple(WRITERS)}"
            )
    if format not in WRITERS:
        raise DataError(f"unknown format {format!r}: use one of {tuple(WRITERS)}")
    writer = WRITERS[format]
    unused = [
        option.name
        for option in fields(options)
        if getattr(options, option.name) != option.default
        and option.name not in writer.uses | _ALWAYS
    ]
    if unused:
        raise DataError(f"the format {format} has no option {unused[0]}")
    if writer.holds_docs:
        check_docs_path(output)
    return format


def write_texts(
    texts: Iterable[ExportedText],
    output: Path,
    *,
    format: str,
    options: WritingOptions,
    problems: ProblemLog,
) -> Export:
    """Write texts with their entities to a file, completely or not at all.

    texts: The texts. They are not kept in memory.
    output: The file.
    format: A key of `WRITERS`.
    options: How to write it.
    problems: The problems in the input, which are found while the texts are taken.
    RETURNS: What was written.
    RAISES (DataError): If there are no texts, or the format cannot hold a label.
    RAISES (OSError): For an output that cannot be written; the error names the file.
    """
    writer = WRITERS[format]
    if options.offsets == "auto":
        options = replace(options, offsets=writer.offsets)
    log = WritingLog()
    with atomic_write(output, replace_folder=writer.holds_docs) as new:
        writer.write(_counted(texts, writer, log), new, options, log)
        if not log.records:
            raise DataError(f"{output} would be empty: there are no texts")
    for (_, reason), n in problems.lost.items():
        log.found += n
        log.lost[reason] += n
    left_out: Counter[str] = Counter()
    for (_, reason), n in problems.left_out.items():
        left_out[reason] += n
    return Export(
        output,
        format,
        log.records,
        log.found,
        dict(log.entities),
        # Without those that do not occur.
        dict(+log.lost),
        dict(+left_out),
        dict(+log.changes),
        problems,
    )


def _counted(
    texts: Iterable[ExportedText], writer: Writer, log: WritingLog
) -> Iterator[ExportedText]:
    """Count the entities of texts, and leave out those that no tool reads."""
    for exported in texts:
        log.found += len(exported.entities)
        if not writer.holds_docs:
            exported.entities = list(_writable(exported.entities, log))
            log.changes["text with missing annotation"] += exported.missing
        yield exported


def _writable(entities: Iterable[Entity], log: WritingLog) -> Iterator[Entity]:
    """Yield the entities that have characters and a label."""
    for entity in entities:
        if entity.start >= entity.end:
            log.lost["empty"] += 1
        elif not entity.label:
            log.lost["no label"] += 1
        else:
            yield entity
