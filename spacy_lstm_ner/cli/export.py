"""The command `export`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, GpuId, Lang, Opt, Quiet
from .output import print_lines, print_problems, print_written

if TYPE_CHECKING:
    from ..data.writers import Export


@exit_on_error()
def export_cli(
    source: Annotated[
        Path,
        Arg(
            metavar="IN",
            help="Annotated data: a .spacy file, or a file that `convert` reads; with "
            "--model: texts",
        ),
    ],
    output: Annotated[Path, Arg(metavar="OUT", help="The file to write")],
    format: Annotated[
        str,
        Opt(
            "--format",
            "-f",
            help="doccano, label-studio, prodigy, offsets, columns, huggingface, "
            "parquet or spacy; auto: by the suffix .spacy or .parquet",
        ),
    ] = "auto",
    model: Annotated[
        Optional[str],
        Opt(
            "--model",
            "-m",
            help="Folder or installed package of a pipeline, whose predictions on the "
            "texts are written",
        ),
    ] = None,
    spans_key: Annotated[
        str,
        Opt(
            "--spans-key",
            help="Span group with entities besides those in doc.ents, such as "
            "overlapping ones",
        ),
    ] = "sc",
    unit: Annotated[
        str,
        Opt(
            "--unit",
            "-u",
            help="Unit that has a tag of its own: character or token; auto: characters "
            "for languages without letters, such as Chinese",
        ),
    ] = "auto",
    scheme: Annotated[
        str,
        Opt("--scheme", "-s", help="Tag scheme: BIO, BIOES, BMES, BILOU or BMEWO"),
    ] = "BIO",
    separator: Annotated[
        str,
        Opt("--separator", help=r"Separator between columns: \t (a tab) or ' '"),
    ] = r"\t",
    offsets: Annotated[
        str,
        Opt(
            "--offsets",
            help="What offsets count: characters or utf16; auto: as the current "
            "version of the tool",
        ),
    ] = "auto",
    from_name: Annotated[
        str,
        Opt("--from-name", help="Name of the tag Labels of a Label Studio project"),
    ] = "label",
    to_name: Annotated[
        str,
        Opt("--to-name", help="Name of the tag Text of a Label Studio project"),
    ] = "text",
    lang: Lang = "zh",
    limit: Annotated[
        int,
        Opt(
            "--limit",
            "-n",
            help="Write only the first N texts; 0: all",
            min=0,
        ),
    ] = 0,
    force: Annotated[
        bool,
        Opt(
            "--force",
            help="Accept a file without entities, or with many unknown tags",
        ),
    ] = False,
    shard_size: Annotated[
        int,
        Opt(
            "--shard-size",
            help="Maximum number of records in a file; if there are more, the output "
            "is a folder of files",
            min=1,
        ),
    ] = 100_000,
    gpu_id: GpuId = -1,
    quiet: Quiet = False,
) -> None:
    """Write annotation or predictions in the format of another tool.

    The input is annotated data; its annotation is written. With --model it is texts:
    one a line, or JSON objects with a key "text", or the texts of a .spacy file. Then
    the predictions of the pipeline are written, for correction, with their
    probabilities and the version of the pipeline where the format has a place for them.

    \b
    doccano       JSON lines; import them as "JSONL" into a sequence labeling project
    label-studio  a JSON array of tasks with annotations or predictions
    prodigy       JSON lines with spans and tokens, for ner.manual or db-in
    offsets       JSON lines: {"text": "…", "entities": [{"start": 0, "end": 2, …}]}
    columns       one unit and its tag a line, a blank line between texts
    huggingface   JSON lines: {"tokens": ["…"], "ner_tags": ["B-NAME"]}
    parquet       the same as a Parquet file with the names of the tags
    spacy         a .spacy file

    Offsets count what the tool counts, which matters for texts with emoji: UTF-16 code
    units in doccano, characters in all others. For doccano up to 1.4.1 use --offsets
    characters, for Label Studio up to 1.3 --offsets utf16. A project of doccano must
    not count grapheme clusters, and must allow overlapping entities if there are any.

    Entities that overlap are written if the format can hold them. In columns,
    huggingface and parquet the longest ones are. A summary counts what was read, what
    was written, and what was not, with the reason. The output is written completely
    or, after an error, not at all.

    Examples:

    \b
    python -m spacy lstm-ner export corpus/dev.spacy dev.jsonl --format doccano
    python -m spacy lstm-ner export news.txt tasks.json --format label-studio --model training/model-best
    python -m spacy lstm-ner export corpus/train.spacy train.bioes --format columns --scheme BIOES
    python -m spacy lstm-ner export corpus/train.spacy train.parquet
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..evaluation.export import export

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    with exit_on_error("Nothing was written."):
        exported = export(
            source,
            output,
            model=model,
            format=format,
            spans_key=spans_key,
            unit=unit,
            scheme=scheme,
            # Most shells pass \t as two characters.
            separator=separator.replace(r"\t", "\t"),
            offsets=offsets,
            from_name=from_name,
            to_name=to_name,
            lang=lang,
            limit=limit,
            force=force,
            shard_size=shard_size,
            progress=not quiet,
        )
    if not quiet:
        _print_summary(msg, exported)
    _print_losses(msg, exported)
    print_problems(msg, exported.problems)
    if not quiet:
        print_written(msg, exported.path)


def _print_summary(msg: Printer, exported: "Export") -> None:
    """Print what was read and written."""
    from ..util.text import printable

    written = sum(exported.entities.values())
    rows = [
        ("texts", exported.records),
        ("entities read", exported.found),
        ("entities written", written),
        *(
            (f"- {printable(label)}", n)
            for label, n in sorted(exported.entities.items())
        ),
    ]
    msg.table(
        [(name, f"{n:,}") for name, n in rows],
        header=("Output", exported.format),
        aligns=("l", "r"),
        divider=True,
    )


def _print_losses(msg: Printer, exported: "Export") -> None:
    """Print what was not written, or differs from the input."""
    from ..data.writers import CHANGES, LOSSES

    for title, counts, notes in (
        ("Entities not written:", exported.lost, LOSSES),
        ("Records of the input left out:", exported.left_out, {}),
        ("Changes:", exported.changes, CHANGES),
    ):
        if counts:
            msg.warn(title)
            print_lines(
                *(
                    f"{n:,}: {reason}" + (f" ({note})" if note else "")
                    for reason, n in counts.items()
                    for note in [notes.get(reason)]
                )
            )
