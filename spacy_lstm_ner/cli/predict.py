"""The command `predict`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, GpuId, InputFormat, Model, Opt, Quiet, SpansKey, TextField
from .output import print_lines, print_written

if TYPE_CHECKING:
    from ..prediction.run import PredictionRun


@exit_on_error()
def predict_cli(
    model: Model,
    inputs: Annotated[
        list[str],
        Arg(
            metavar="IN...",
            help='Files of texts, folders, patterns such as "news/*.jsonl", or - for '
            "standard input",
        ),
    ],
    output: Annotated[
        str,
        Arg(
            metavar="OUT",
            help="A folder for parts; a file .jsonl or .parquet; or - for standard "
            "output",
        ),
    ],
    text_field: TextField = "text",
    entities_field: Annotated[
        str, Opt("--entities-field", help="Field or column that is added")
    ] = "entities",
    spans_key: SpansKey = "sc",
    input_format: InputFormat = "auto",
    format: Annotated[
        str,
        Opt(
            "--format",
            "-f",
            help="Format of the output: jsonl or parquet; auto: by its suffix, "
            "otherwise jsonl",
        ),
    ] = "auto",
    n_process: Annotated[
        Optional[int],
        Opt(
            "--n-process",
            "-n",
            help="Processes, default: 1; with --ray, workers, default: one for each "
            "CPU",
            min=1,
        ),
    ] = None,
    part_size: Annotated[
        int, Opt("--part-size", help="Records in a part of the output folder", min=1)
    ] = 50_000,
    resume: Annotated[
        bool,
        Opt("--resume", help="Go on with an output folder where a run was stopped"),
    ] = False,
    ray: Annotated[
        Optional[str],
        Opt(
            "--ray",
            help="Run on a Ray cluster: its address, auto, or local; the input must be "
            "Parquet",
        ),
    ] = None,
    gpu_id: GpuId = -1,
    quiet: Quiet = False,
) -> None:
    """Predict the entities of texts, any number of them.

    Reads lines of text, JSON lines or arrays, CSV with a header, Parquet and .spacy
    files; text files may be compressed, and have any encoding. Each row of the output
    has the fields of the record, and

    \b
    "entities": [{"start": 0, "end": 2, "label": "NAME", "text": "...", "score": 0.99}]

    with offsets in characters, and the probability of each entity (null if the
    pipeline has none). The entities are those of nlp(text).

    An output folder is filled with parts, each of which is written completely or not
    at all. After a crash, the same command with --resume goes on after the parts that
    are there; the result is the same as without the crash. Records that cannot be used
    are set aside, in the folder _errors or the file OUT.errors.jsonl, with file, line
    and reason, and the others are predicted. Memory does not grow with the input.

    Examples:

    \b
    python -m spacy lstm-ner predict training/model-best news.txt predicted.jsonl
    python -m spacy lstm-ner predict zh_lstm_ner "news/*.jsonl.gz" out --n-process 4
    python -m spacy lstm-ner predict zh_lstm_ner news out --n-process 4 --resume
    python -m spacy lstm-ner predict zh_lstm_ner news.parquet out -f parquet -t content
    python -m spacy lstm-ner predict zh_lstm_ner news.parquet out --ray auto -n 64
    cat news.txt | python -m spacy lstm-ner predict zh_lstm_ner - - | jq .entities
    """
    from ..prediction.predict import predict

    to_stdout = output == "-"
    msg = Printer(no_print=to_stdout)
    run = predict(
        model,
        inputs,
        output,
        text_field=text_field,
        entities_field=entities_field,
        spans_key=spans_key,
        input_format=input_format,
        format=format,
        n_process=n_process,
        part_size=part_size,
        resume=resume,
        ray=ray,
        gpu_id=gpu_id,
        progress=not quiet,
    )
    if not to_stdout:
        _print_summary(msg, run, quiet)


def _print_summary(msg: Printer, run: "PredictionRun", quiet: bool) -> None:
    """Print what was written, and what was set aside."""
    if not quiet:
        rows = [
            ("records", f"{run.records:,}"),
            ("characters", f"{run.characters:,}"),
            ("entities", f"{run.entities:,}"),
            ("set aside", f"{run.rejected:,}"),
        ]
        if run.seconds:
            rate = run.characters / run.seconds
            rows.append(("characters a second", f"{rate:,.0f}"))
        if run.finished_before:
            rows.append(("parts finished before", f"{run.finished_before:,}"))
        msg.table(rows, header=("Output", run.format), aligns=("l", "r"), divider=True)
    if run.repairs.counts:
        msg.warn("Repaired in the input:")
        print_lines(*run.repairs.messages)
    if run.rejected:
        msg.warn(f"{run.rejected:,} records were set aside, with the reason, in:")
        print_lines(run.errors)
        msg.warn("The first of them:")
        print_lines(*run.examples)
    if not quiet:
        print_written(msg, Path(run.path))
