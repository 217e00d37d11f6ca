"""The command `check`."""

# ruff: noqa: UP045

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, Lang, Opt
from .output import print_summaries

if TYPE_CHECKING:
    from ..data.check import Finding


@exit_on_error()
def check_cli(
    train: Annotated[
        Path, Arg(help="Training data: a .spacy file, or a file that `convert` reads")
    ],
    evaluation: Annotated[
        Optional[list[Path]],
        Arg(metavar="[DEV] [TEST]", help="Data that the pipeline is evaluated on"),
    ] = None,
    lang: Lang = "zh",
    model: Annotated[
        Optional[str],
        Opt("--model", "-m", help="Trained pipeline to be trained further on the data"),
    ] = None,
    config: Annotated[
        Optional[Path], Opt("--config", "-c", help="Training config")
    ] = None,
    strict: Annotated[
        bool, Opt("--strict", help="Exit with code 1 for warnings as well as errors")
    ] = False,
) -> None:
    """Check training and evaluation data for errors before training.

    Errors stop training or make a label impossible to learn: no entities, a label in
    the evaluation data that is not in the training data, or a label that a trained
    component (--model, or `source` in the --config) does not know. The command then
    exits with code 1.

    Warnings are for you to judge: texts in both training and evaluation data; the same
    text with different entities; entities that begin or end inside a token or with
    whitespace; overlapping spans; labels with few entities; very long or empty texts;
    spaces between Chinese characters, or none between words; and a tokenizer of another
    language (--config).

    Examples:

    \b
    python -m spacy lstm-ner check corpus/train.spacy corpus/dev.spacy
    python -m spacy lstm-ner check train.jsonl dev.jsonl test.jsonl --strict
    """
    from ..data.check import check

    msg = Printer()
    result = check(train, evaluation or [], lang=lang, model=model, config=config)
    print_summaries(msg, result.files, "Data")
    unannotated = sum(file.unannotated_tokens for file in result.files)
    if unannotated:
        msg.info(f"Tokens without annotation (not treated as O): {unannotated:,}")
    _print_findings(result.errors, msg.fail, "Errors:")
    _print_findings(result.warnings, msg.warn, "Warnings:")
    if not result.findings:
        msg.good("No problems found")
    if result.errors or (strict and result.warnings):
        raise typer.Exit(1)


def _print_findings(
    findings: "list[Finding]", print_title: Callable[[str], object], title: str
) -> None:
    """Print each kind of finding, the advice, and the first few examples."""
    from ..util.text import printable

    if not findings:
        return
    print_title(title)
    for finding in findings:
        print(
            f"{printable(finding.path)}: {finding.kind}: {finding.count:,} "
            f"({finding.advice})"
        )
        for example in finding.examples:
            print(f"    {printable(example)}")
