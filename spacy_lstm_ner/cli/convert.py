"""The command `convert`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, Lang, Opt, Quiet
from .output import print_lines, print_summaries, print_written

if TYPE_CHECKING:
    from ..data.convert import Conversion
    from ..data.problems import ProblemLog


@exit_on_error()
def convert_cli(
    inputs: Annotated[list[Path], Arg(metavar="IN", help="Dataset files")],
    output: Annotated[
        Path, Arg(metavar="OUT", help="A .spacy file; with --split, a folder")
    ],
    format: Annotated[
        str,
        Opt("--format", "-f", help="jsonl, literal or columns; auto: detect it"),
    ] = "auto",
    scheme: Annotated[
        str, Opt("--scheme", "-s", help="BIO, IOB1, BIOES or BMES; auto: detect it")
    ] = "auto",
    separator: Annotated[
        Optional[str],
        Opt(
            "--separator",
            help=r"Separator between columns (\t: a tab); default: whitespace",
        ),
    ] = None,
    joiner: Annotated[
        str,
        Opt("--joiner", help="Text inserted between units; for English words: ' '"),
    ] = "",
    segmentation_digits: Annotated[
        Optional[bool],
        Opt(
            help="Whether characters are followed by their position in the word (科0), "
            "which is then removed; default: detect it"
        ),
    ] = None,
    split: Annotated[
        Optional[str],
        Opt(
            "--split",
            help="Split each file into train, dev and test, for example 80/10/10",
        ),
    ] = None,
    seed: Annotated[int, Opt("--seed", help="Random seed of the split")] = 0,
    limit: Annotated[
        int,
        Opt(
            "--limit",
            "-n",
            help="Read only the first N records of each file; 0: all",
            min=0,
        ),
    ] = 0,
    lang: Lang = "zh",
    strict: Annotated[
        bool,
        Opt("--strict", help="Stop at the first problem instead of repairing it"),
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
    quiet: Quiet = False,
) -> None:
    """Convert dataset files to .spacy files for training.

    The input has a tag for each character (or word): either one record a line,
    {"text": "…", "labels": ["B-ORG", …]}, as JSON or as a Python literal, where the
    text can also be a list; or one character a line, with its tag in the last column
    and a blank line between sentences.

    Problems in a file are repaired, or the record is skipped. They are counted and
    listed with their lines. Either all output is written or, after an error, nothing.

    Examples:

    \b
    python -m spacy lstm-ner convert train.char.bmes corpus/train.spacy
    python -m spacy lstm-ner convert news.jsonl corpus --split 80/10/10 --seed 1
    """
    from ..data.convert import convert

    msg = Printer()
    with exit_on_error("Nothing was written."):
        conversion = convert(
            inputs,
            output,
            format=format,
            scheme=scheme,
            # Most shells pass \t as two characters.
            separator=separator.replace(r"\t", "\t") if separator else None,
            joiner=joiner,
            segmentation_digits=segmentation_digits,
            split=split,
            seed=seed,
            limit=limit,
            strict=strict,
            lang=lang,
            shard_size=shard_size,
            progress=not quiet,
        )
    if not quiet:
        _print_conversion(msg, conversion)
    _print_problems(msg, conversion.problems)


def _print_conversion(msg: Printer, conversion: "Conversion") -> None:
    """Print what was detected in the input, and the contents of each output."""
    from ..util.text import printable

    rows = [
        (
            printable(file.path),
            file.options.format
            + (" (科0 → 科)" if file.options.segmentation_digits else ""),
            file.options.scheme,
        )
        for file in conversion.files
    ]
    msg.table(rows, header=("Input", "Format", "Scheme"), divider=True, max_col=200)
    print_summaries(msg, conversion.outputs, "Output")
    problems = conversion.problems
    if problems.trimmed:
        msg.info(f"Entities trimmed of whitespace at the edges: {problems.trimmed:,}")
    if problems.dropped:
        msg.info(f"Entities left out because all whitespace: {problems.dropped:,}")
    print_written(msg, *(_describe_file(output.path) for output in conversion.outputs))
    if conversion.leftovers:
        msg.warn("Left from an earlier split, possibly with the same records:")
        print_lines(*conversion.leftovers)


def _describe_file(path: Path) -> str:
    if not path.is_dir():
        return str(path)
    n = len(list(path.iterdir()))
    return f"{path} (a folder of {n} files; use it like a file)"


def _print_problems(msg: Printer, problems: "ProblemLog") -> None:
    """Print the number of problems of each kind, and the first few of each."""
    if not problems.counts:
        return
    msg.warn("Problems in the input:")
    header = ("Problem", "Count", "Handling", "First at")
    aligns = ("l", "r", "l", "l")
    rows = [(kind, f"{n:,}", action, at) for kind, n, action, at in problems.rows()]
    msg.table(rows, header=header, aligns=aligns, divider=True, max_col=200)
    print_lines(*problems.messages())
