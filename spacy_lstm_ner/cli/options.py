"""Arguments and options that several commands have.

The modules of the commands use `Optional[X]`: Typer supports `X | None` only since
0.12.4, and pip may find an older release beside spaCy.
"""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from spacy.cli._util import Arg, Opt

Model = Annotated[str, Arg(help="Folder or installed package of a pipeline")]
Data = Annotated[
    Path, Arg(help="Annotated data: a .spacy file, or a file that `convert` reads")
]
DevData = Annotated[
    Path, Arg(help="Development data: a .spacy file, or a file that `convert` reads")
]
Lang = Annotated[
    str, Opt("--lang", "-l", help="Code of the language whose tokenizer is used")
]
Limit = Annotated[
    int, Opt("--limit", "-n", help="Read only the first N records; 0: all", min=0)
]
Page = Annotated[Path, Arg(metavar="OUT", help="The HTML file to write")]
Port = Annotated[
    Optional[int],
    Opt(
        "--port",
        "-p",
        help="Port; default: 8000, or the next free one",
        min=0,
        max=65535,
    ),
]
Host = Annotated[
    str, Opt("--host", help="Address to listen on; 0.0.0.0: all, open to everybody")
]
TextField = Annotated[
    str, Opt("--text-field", "-t", help="Field or column of the text")
]
InputFormat = Annotated[
    str,
    Opt(
        "--input-format",
        help="text, json, csv, parquet or spacy; auto: by the suffix, otherwise by the "
        "content",
    ),
]
SpansKey = Annotated[
    str, Opt("--spans-key", help="Span group with entities beyond doc.ents")
]
GpuId = Annotated[int, Opt("--gpu-id", "-g", help="GPU ID, or -1 for the CPU")]
Quiet = Annotated[bool, Opt("--quiet", "-q", help="Print only problems")]
NoProgress = Annotated[bool, Opt("--quiet", "-q", help="Do not show progress")]

__all__ = [
    "Arg",
    "Data",
    "DevData",
    "GpuId",
    "Host",
    "InputFormat",
    "Lang",
    "Limit",
    "Model",
    "NoProgress",
    "Opt",
    "Page",
    "Port",
    "Quiet",
    "SpansKey",
    "TextField",
]
