"""The command `distill`."""

# ruff: noqa: UP045

from typing import TYPE_CHECKING, Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, GpuId, InputFormat, Limit, Opt, Quiet, SpansKey, TextField
from .output import print_lines, print_written

if TYPE_CHECKING:
    from ..prediction.distill import Distillation


@exit_on_error()
def distill_cli(
    teacher: Annotated[str, Arg(help="Folder or installed package of a pipeline")],
    texts: Annotated[
        list[str],
        Arg(
            metavar="TEXTS...",
            help='Files of texts, folders, patterns such as "news/*.jsonl", or - for '
            "standard input",
        ),
    ],
    output: Annotated[str, Arg(metavar="OUT", help="The .spacy file to write")],
    teachers: Annotated[
        Optional[list[str]],
        Opt("--teacher", "-T", help="Another teacher; can be repeated"),
    ] = None,
    threshold: Annotated[
        float,
        Opt(
            "--threshold",
            help="Annotate what is at least so probable, on average over the teachers; "
            "above 0.5, at most 1",
        ),
    ] = 0.9,
    soft: Annotated[
        Optional[bool],
        Opt(
            "--soft/--hard",
            help="Store the probabilities of all analyses as soft targets, or only "
            "annotation; default: soft if all teachers are lstm_ner",
        ),
    ] = None,
    lang: Annotated[
        Optional[str],
        Opt(
            "--lang",
            "-l",
            help="Code of the language whose tokenizer is used; default: that of the "
            "teacher",
        ),
    ] = None,
    spans_key: SpansKey = "sc",
    text_field: TextField = "text",
    input_format: InputFormat = "auto",
    limit: Limit = 0,
    gpu_id: GpuId = -1,
    quiet: Quiet = False,
) -> None:
    """Annotate texts with a teacher, as training data for a student.

    A teacher is any pipeline: a large lstm_ner, a transformer, an LLM, rules; or
    several that have to agree. Texts are read as by the command predict: lines, JSON,
    CSV, Parquet and .spacy files, any number of them.

    What is at least as probable as --threshold is annotated. All other tokens stay
    without annotation, and the student learns nothing wrong from them: its loss sums
    over their tags. The probability is the mean of those of all teachers. It is exact
    if a teacher is an lstm_ner; what other pipelines predict is certain, unless a span
    group has scores. So of three teachers without probabilities, all have to agree by
    default, and two with --threshold 0.6. Texts about which nothing is known are left
    out.

    If all teachers are lstm_ner, their probabilities are stored as soft targets: the
    student learns the distribution over all analyses in place of the annotation.

    Examples:

    \b
    python -m spacy lstm-ner distill training/large/model-best news.txt silver.spacy
    python -m spacy lstm-ner distill seed-0 "news/*.jsonl.gz" silver.spacy -T seed-1 -T seed-2
    python -m spacy lstm-ner distill zh_core_web_trf news.txt silver.spacy

    \b
    python -m spacy train configs/lstm_ner.cfg --paths.train silver.spacy --paths.dev corpus/dev.spacy --output student
    """  # noqa: E501
    from ..prediction.distill import distill

    msg = Printer()
    with exit_on_error("Nothing was written."):
        run = distill(
            [teacher, *(teachers or [])],
            texts,
            output,
            threshold=threshold,
            soft=soft,
            lang=lang,
            spans_key=spans_key,
            text_field=text_field,
            input_format=input_format,
            limit=limit,
            gpu_id=gpu_id,
            progress=not quiet,
        )
    if not quiet:
        _print_summary(msg, run)
    if run.repairs.counts:
        msg.warn("Repaired in the input:")
        print_lines(*run.repairs.messages)
    if run.rejected:
        msg.warn(f"{run.rejected:,} records cannot be used. The first of them:")
        print_lines(*run.examples)
    if not quiet:
        print_written(msg, run.path)


def _print_summary(msg: Printer, run: "Distillation") -> None:
    """Print what was annotated, and what was not."""
    from ..util.text import printable

    rows = [
        ("texts", f"{run.texts:,}"),
        ("- left out: nothing known", f"{run.left_out:,}"),
        ("tokens", f"{run.tokens:,}"),
        ("- annotated", _share(run.tokens - run.missing, run.tokens)),
        ("- unknown", _share(run.missing, run.tokens)),
        ("entities", f"{run.entities.total():,}"),
        *(
            (f"- {printable(label)}", f"{n:,}")
            for label, n in sorted(run.entities.items())
        ),
        ("entities left unknown", f"{run.unsure:,}"),
    ]
    if run.seconds:
        rows.append(("characters a second", f"{run.characters / run.seconds:,.0f}"))
    targets = "soft targets" if run.soft else "annotation"
    msg.table(rows, header=("Output", targets), aligns=("l", "r"), divider=True)


def _share(n: int, total: int) -> str:
    return f"{n:,} ({n / max(total, 1):.1%})"
