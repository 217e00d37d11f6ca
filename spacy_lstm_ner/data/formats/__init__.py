"""The formats of dataset files, one module for each.

A format reads the lines of a text file, its values (JSON objects, Python literals or
rows of a table, whatever holds them), or a file or folder as a whole. All formats yield
the same: units with tags, or a text with entities by character offsets.

To add a format, write a module with a function that yields the records (see
`base.Format`; `columns` is an example for lines), and add a row to `FORMATS`. The
reader, `convert`, `check` and the command line then accept it under its key there.
"""

from pathlib import Path
from typing import Any

from ...exceptions import DataError
from . import (
    brat,
    cluener,
    column_detection,
    columns,
    conllu,
    docbin,
    inline,
    label_studio,
    offsets,
    parallel,
    prodigy,
    sentences,
    spacy_json,
    tags_of_units,
)
from .base import AnnotatedText, Format, Record

__all__ = [
    "DEFAULT_FORMAT",
    "FORMATS",
    "AnnotatedText",
    "Format",
    "Record",
    "recognize_lines",
    "recognize_path",
    "recognize_values",
    "resolve_format",
]

#: All formats by name, in the order in which detection tries them.
FORMATS: dict[str, Format] = {
    "label-studio": Format(
        "tasks of Label Studio with their annotations",
        read_values=label_studio.read_tasks,
        recognizes=label_studio.recognizes,
        detect=label_studio.detect,
    ),
    "prodigy": Format(
        "tasks of Prodigy with their answers",
        read_values=prodigy.read_answers,
        recognizes=prodigy.recognizes,
        detect=prodigy.detect,
    ),
    "spacy-json": Format(
        "spaCy's JSON of version 2",
        read_values=spacy_json.read_documents,
        recognizes=spacy_json.recognizes,
        detect=spacy_json.detect,
    ),
    "cluener": Format(
        "objects with a text and its entities by label and by their text",
        read_values=cluener.read_cluener,
        recognizes=cluener.recognizes,
        detect=cluener.detect,
    ),
    "spacy": Format(
        ".spacy files",
        read_path=docbin.read_docbin,
        recognizes=docbin.recognizes,
    ),
    "tags": Format(
        "objects with a text and a tag for each character or token",
        read_values=tags_of_units.read_tags,
        recognizes=tags_of_units.recognizes,
        detect=tags_of_units.detect,
    ),
    "offsets": Format(
        "objects with a text and its entities by character offsets",
        read_values=offsets.read_offsets,
        recognizes=offsets.recognizes,
        detect=offsets.detect,
    ),
    "brat": Format(
        "texts as .txt with annotations of brat as .ann",
        read_path=brat.read_brat,
        recognizes=brat.recognizes,
        detect=brat.detect,
    ),
    "parallel": Format(
        "a file of sentences and one of their tags, line by line",
        read_path=parallel.read_parallel,
        recognizes=parallel.recognizes,
    ),
    "conllu": Format(
        "CoNLL-U with tags of entities in MISC or in an eleventh column",
        read_lines=conllu.read_conllu,
        recognizes=conllu.recognizes,
        detect=conllu.detect,
    ),
    "sentences": Format(
        "one sentence per line, units and tags in two halves or in pairs",
        read_lines=sentences.read_sentences,
        recognizes=sentences.recognizes,
        detect=sentences.detect,
    ),
    "inline": Format(
        "one text per line, in which entities are marked",
        read_lines=inline.read_inline,
        recognizes=inline.recognizes,
        detect=inline.detect,
    ),
    "columns": Format(
        "one unit per line with its tag, blank lines between records",
        read_lines=columns.read_columns,
        detect=column_detection.detect,
    ),
}
#: Former names of formats.
FORMER_NAMES = {"jsonl": "tags", "literal": "tags"}
#: The format of a file in which no line is recognized.
DEFAULT_FORMAT = "columns"


def resolve_format(name: str) -> str:
    """Return the current name of a format.

    name: "auto", a key of `FORMATS`, or a former name.
    RAISES (DataError): For any other name.
    """
    name = FORMER_NAMES.get(name, name)
    if name not in ("auto", *FORMATS):
        raise DataError(f"unknown format {name!r}: use auto or one of {tuple(FORMATS)}")
    return name


def recognize_path(path: Path) -> str | None:
    """Detect a format that is recognized by the file or folder as a whole.

    RETURNS: A key of `FORMATS`; None if there is no such format.
    """
    return _recognize(path, "read_path")


def recognize_values(values: list[Any]) -> str | None:
    """Detect the format of a file by its first values.

    RETURNS: A key of `FORMATS`; None if no format recognizes them.
    """
    return _recognize(values, "read_values")


def recognize_lines(lines: list[str]) -> str | None:
    """Detect the format of a file by its first lines.

    lines: Lines without surrounding whitespace, none of them empty.
    RETURNS: A key of `FORMATS`; None if no format recognizes them.
    """
    return _recognize(lines, "read_lines")


def _recognize(beginning: Any, kind: str) -> str | None:
    for name, format in FORMATS.items():
        if getattr(format, kind) and format.recognizes and format.recognizes(beginning):
            return name
    return None
