"""The commands ``python -m spacy lstm-ner …``.

spaCy imports this module whenever any of its commands runs, so what a command needs is
imported in the command. Typer knows `X | None` only since 0.12.4: what is installed
beside spaCy may be older.
"""

# ruff: noqa: UP045

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from spacy.cli._util import Arg, Opt
from wasabi import Printer

from .exit import exit_on_error

if TYPE_CHECKING:
    from ..data.check import Finding
    from ..data.check import Part as CheckedPart
    from ..data.convert import Conversion, Part
    from ..data.problems import Report

lstm_ner_cli = typer.Typer(
    name="lstm-ner",
    help="Prepare data for the component lstm_ner, measure it, and try it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# What several commands take.
Model = Annotated[str, Arg(help="Folder or installed package of a pipeline")]
Data = Annotated[
    Path, Arg(help="A .spacy file, or a dataset file that `convert` reads")
]
DevData = Annotated[
    Path, Arg(help="dev: a .spacy file, or a dataset file that `convert` reads")
]
GpuId = Annotated[int, Opt("--gpu-id", "-g", help="Number of the GPU; -1: the CPU")]
NoProgress = Annotated[bool, Opt("--quiet", "-q", help="Show no progress")]


@lstm_ner_cli.command("convert", no_args_is_help=True)
@exit_on_error()
def convert_cli(
    inputs: Annotated[list[Path], Arg(metavar="IN", help="Dataset files")],
    output: Annotated[
        Path, Arg(metavar="OUT", help="A .spacy file; with --split, a folder")
    ],
    format: Annotated[
        str, Opt("--format", "-f", help="jsonl, literal, columns, or auto: look")
    ] = "auto",
    scheme: Annotated[
        str, Opt("--scheme", "-s", help="BIO, IOB1, BIOES, BMES, or auto: look")
    ] = "auto",
    separator: Annotated[
        Optional[str],
        Opt("--separator", help=r"Between columns (\t: tab); default: white space"),
    ] = None,
    joiner: Annotated[
        str, Opt("--joiner", help="Put this between units; for words: ' '")
    ] = "",
    segmentation_digits: Annotated[
        Optional[bool],
        Opt(help="Remove the position in the word (科0) or not; default: look"),
    ] = None,
    split: Annotated[
        Optional[str],
        Opt("--split", help="80/10/10: make train, dev and test of each file"),
    ] = None,
    seed: Annotated[int, Opt("--seed", help="Another seed, another split")] = 0,
    limit: Annotated[
        int, Opt("--limit", "-n", help="First records of each file; 0: all", min=0)
    ] = 0,
    lang: Annotated[
        str, Opt("--lang", "-l", help="Language whose tokenizer to use")
    ] = "zh",
    strict: Annotated[
        bool, Opt("--strict", help="Stop at the first problem instead of repairing")
    ] = False,
    shard_size: Annotated[
        int, Opt("--shard-size", help="Records a file; more make a folder", min=1)
    ] = 100_000,
    quiet: Annotated[
        bool, Opt("--quiet", "-q", help="Print nothing but problems")
    ] = False,
) -> None:
    """Convert files with a tag for each character (or word) to .spacy files.

    A file holds one record a line, {"text": "…", "labels": ["B-ORG", …]}, in JSON or
    as Python prints it, where the text may also be a list; or one character a line,
    its tag last, with a blank line between sentences.

    What is wrong in a file is repaired or skipped, counted, and shown with its line.
    The output is written whole or, after an error, not at all; with --split that goes
    for all of its files together.

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
            # Most shells hand over \t as two characters.
            separator=separator.replace(r"\t", "\t") if separator else None,
            joiner=joiner,
            segmentation_digits=segmentation_digits,
            split=split,
            seed=seed,
            limit=limit,
            lang=lang,
            strict=strict,
            shard_size=shard_size,
            progress=not quiet,
        )
    if not quiet:
        _print_summary(msg, conversion)
    _print_problems(msg, conversion.report)


@lstm_ner_cli.command("check", no_args_is_help=True)
@exit_on_error()
def check_cli(
    train: Annotated[
        Path, Arg(help="Training data: .spacy, or a file that `convert` reads")
    ],
    others: Annotated[
        Optional[list[Path]],
        Arg(metavar="[DEV] [TEST]", help="What the pipeline is measured on"),
    ] = None,
    lang: Annotated[
        str, Opt("--lang", "-l", help="Language whose tokenizer to use")
    ] = "zh",
    model: Annotated[
        Optional[str],
        Opt("--model", "-m", help="Trained pipeline that shall learn from the data"),
    ] = None,
    config: Annotated[
        Optional[Path], Opt("--config", "-c", help="Config of the training")
    ] = None,
    strict: Annotated[
        bool, Opt("--strict", help="Exit with 1 for warnings, too, not only errors")
    ] = False,
) -> None:
    """Look for what spoils training, or makes its figures wrong.

    An error is what training stops at, or cannot learn: no entities, a label that is
    measured but not trained, or one that a trained component (--model, or `source` in
    the --config) does not know. The command exits with 1 then.

    A warning is for you to judge: texts that are trained on and measured on; the same
    text with other entities; entities that begin or end inside a token, or with white
    space; spans that overlap; labels with few entities; very long or empty texts;
    blanks between Chinese characters, or none between words; and a tokenizer that does
    not go with the language (--config).

    Examples:

    \b
    python -m spacy lstm-ner check corpus/train.spacy corpus/dev.spacy
    python -m spacy lstm-ner check train.jsonl dev.jsonl test.jsonl --strict
    """
    from ..data.check import check

    msg = Printer()
    result = check([train, *(others or [])], lang=lang, model=model, config=config)
    _print_parts(msg, result.parts, "Data")
    unknown = sum(part.unknown for part in result.parts)
    if unknown:
        msg.info(f"Tokens without annotation, not taken for O: {unknown:,}")
    errors = [finding for finding in result.findings if finding.is_error]
    others_found = [finding for finding in result.findings if not finding.is_error]
    _print_findings(errors, msg.fail, "Errors:")
    _print_findings(others_found, msg.warn, "Warnings:")
    if not result.findings:
        msg.good("Nothing to complain about")
    if errors or (strict and others_found):
        raise typer.Exit(1)


@lstm_ner_cli.command("evaluate", no_args_is_help=True)
@exit_on_error()
def evaluate_cli(
    model: Model,
    data: Data,
    output: Annotated[
        Optional[Path], Opt("--output", "-o", help="Write the figures here, as JSON")
    ] = None,
    limit: Annotated[
        int, Opt("--limit", "-n", help="Only the first records; 0: all", min=0)
    ] = 0,
    gpu_id: GpuId = -1,
) -> None:
    """Measure a pipeline: entities, and tags token by token.

    Entities count as right with both ends and the label right: precision, recall and F1
    overall and by label, as `spacy evaluate` has them. The BIO tags of all tokens give
    accuracy, and macro precision, recall and F1, in which each tag counts the same.

    Example:

    \b
    python -m spacy lstm-ner evaluate training/model-best corpus/test.spacy
    """
    from spacy.cli._util import setup_gpu

    from ..evaluation.evaluate import evaluate, print_figures, write_figures
    from ..util.atomic import check_writable

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    if output is not None:
        check_writable(output, data)
    figures = evaluate(model, data, limit=limit)
    # Before anything is printed: nobody may read that to its end.
    if output is not None:
        write_figures(figures, output)
    print_figures(figures, msg)
    if output is not None:
        _print_written(msg, output)


@lstm_ner_cli.command("calibrate", no_args_is_help=True)
@exit_on_error()
def calibrate_cli(
    model: Annotated[Path, Arg(help="Folder of a pipeline, which is changed")],
    data: DevData,
    gpu_id: GpuId = -1,
) -> None:
    """Make the probabilities of entities fit how often they are right.

    A pipeline is too sure of what it has not read in training. This finds one number,
    the temperature, by which all of its scores are divided, such that its probabilities
    do best on the data, and keeps it in the folder of the pipeline. The entities that
    it finds stay the same, but for those below a threshold.

    Give it dev: the training data would say that it is always right, and test could
    then no longer tell how far the probabilities can be trusted. Where dev has few
    entities, or few that are wrong, the temperature stays near 1.

    Example:

    \b
    python -m spacy lstm-ner calibrate training/model-best corpus/dev.spacy
    """
    from spacy.cli._util import setup_gpu

    from ..evaluation.evaluate import calibrate

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    with exit_on_error("The pipeline is as it was."):
        temperatures, problems, ece = calibrate(model, data)
    if not temperatures:
        msg.info("No component lstm_ner: nothing to calibrate")
        return
    if problems:
        msg.warn("Left as it was:")
        _print(*problems)
        if len(problems) == len(temperatures):
            return
    rows = [(name, f"{value:.2f}") for name, value in temperatures.items()]
    msg.table(rows, header=("Component", "Temperature"), divider=True)
    before, after = ("-" if e is None else f"{100 * e:.2f}%" for e in ece)
    _print(f"Expected calibration error on {data}: {before} before, {after} after")
    _print_written(msg, model)


@lstm_ner_cli.command("errors", no_args_is_help=True)
@exit_on_error()
def errors_cli(
    model: Model,
    data: Data,
    train: Annotated[
        Optional[Path],
        Opt("--train", help="Training data, to compare the annotation with"),
    ] = None,
    types: Annotated[
        Optional[list[str]], Opt("--type", "-t", help="Show only this type; repeatable")
    ] = None,
    kinds: Annotated[
        Optional[list[str]],
        Opt("--kind", "-k", help="boundary, type, both, missed, invented; repeatable"),
    ] = None,
    limit: Annotated[
        int, Opt("--limit", "-n", help="Show so many of a type and kind; 0: all", min=0)
    ] = 3,
    doubts: Annotated[
        int, Opt("--doubts", "-d", help="Show so many doubtful labels; 0: all", min=0)
    ] = 20,
    max_support: Annotated[
        float, Opt(help="Labels with more support are not doubtful", min=0, max=1)
    ] = 0.05,
    output: Annotated[
        Optional[Path],
        Opt("--output", "-o", help="Write all of it here, in JSON lines"),
    ] = None,
    gpu_id: GpuId = -1,
    quiet: NoProgress = False,
) -> None:
    """Show what a pipeline gets wrong, and which labels are probably wrong.

    Each error is of one kind. boundary: the label is right, an end is not. type: the
    label is wrong. both: an end and the label are wrong. missed: nothing was found
    there. invented: nothing is annotated there. A table counts them; then come those of
    each type and kind, the ones that the pipeline is most certain of first, in their
    context. #7 is the seventh record. The numbers are the pipeline's probabilities, if
    it has a component lstm_ner.

    At the end stands annotation that is probably wrong: the pipeline gives it next to
    no probability, or the same text is mostly annotated otherwise in the training data
    (--train), or both. Its support is the root of its probability times how often, of
    all times, the text is annotated like this, here and there; what has least comes
    first.

    That means something for data that the pipeline was not trained on: it learns wrong
    labels, too. To look through training data, hold a part of it out, train on the
    rest, and look at that part; with another --seed, at another part:

    
    python -m spacy lstm-ner convert my-data.jsonl corpus --split 80/20 --seed 1
    python -m spacy train config.cfg --output training --paths.train corpus/train.spacy --paths.dev corpus/dev.spacy
    python -m spacy lstm-ner errors training/model-best corpus/dev.spacy --train corpus/train.spacy

    In the JSON lines, places are in characters of "text", from 0; an empty label in
    "training" stands for no entity; null stands for what is not there or not known.
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..evaluation.error_analysis import check_kinds, find_errors
    from ..evaluation.error_output import (
        print_doubts,
        print_errors,
        print_table,
        write_findings,
    )
    from ..util.atomic import check_writable

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    check_kinds(kinds or [])
    if output is not None:
        check_writable(output, data, train)
    findings = find_errors(
        model, data, train=train, max_support=max_support, progress=not quiet
    )
    findings.check_types(types or [])
    # Before anything is printed: nobody may read that to its end.
    if output is not None:
        write_findings(findings, output)
    print_table(findings, msg)
    if not findings.has_p:
        msg.info("No component lstm_ner: no probabilities, errors as they come")
    print_errors(findings, limit=limit, types=types or [], kinds=kinds or [])
    print_doubts(findings, limit=doubts, types=types or [])
    if output is not None:
        _print_written(msg, output)


@lstm_ner_cli.command("report", no_args_is_help=True)
@exit_on_error()
def report_cli(
    model: Model,
    data: DevData,
    output: Annotated[Path, Arg(metavar="OUT", help="The page to write, .html")],
    log: Annotated[
        Optional[Path], Opt("--log", help="Log of the training, for its curves")
    ] = None,
    metrics: Annotated[
        Optional[Path],
        Opt("--metrics", help="Figures of test that `evaluate --output` wrote"),
    ] = None,
    gpu_id: GpuId = -1,
    quiet: Annotated[
        bool, Opt("--quiet", "-q", help="Print nothing but problems")
    ] = False,
) -> None:
    """Write a page that shows how training went, and what came of it.

    It has precision, recall and F1 of each type; curves of loss, scores, learning rate
    and speed; which types are taken for which; how far the probabilities can be
    trusted; the worst mistakes in their context; annotation that is probably wrong; and
    the configuration. It is one file for any browser, and needs no network.

    Give it dev, not test: who has looked at the mistakes on test, and changed something
    for them, can no longer measure anything on test. The figures of test come from a
    file (--metrics).

    The curves need a log (--log), which the logger spacy-lstm-ner.ReportLogger.v1
    writes: the configs of the project name it, with a path that is given in training.
    The log can be read while training goes on.

    Example:

    \b
    python -m spacy train configs/lstm_ner.cfg --output training --paths.log training/log.jsonl --paths.train corpus/train.spacy --paths.dev corpus/dev.spacy
    python -m spacy lstm-ner evaluate training/model-best corpus/test.spacy --output metrics.json
    python -m spacy lstm-ner report training/model-best corpus/dev.spacy report.html --log training/log.jsonl --metrics metrics.json
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..pages.report import write_report
    from ..util.atomic import check_writable

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    check_writable(output, data, log, metrics)
    write_report(model, data, output, log=log, metrics=metrics, progress=not quiet)
    if not quiet:
        _print_written(msg, output)


@lstm_ner_cli.command("gates", no_args_is_help=True)
@exit_on_error()
def gates_cli(
    model: Model,
    text: Annotated[str, Arg(help="The text to read; -: from standard input")],
    output: Annotated[Path, Arg(metavar="OUT", help="The page, an .html file")],
    corpus: Annotated[
        Optional[Path],
        Opt("--corpus", "-c", help="Annotated data, to rank the hidden units by type"),
    ] = None,
    why: Annotated[
        bool, Opt(help="Tell why entities were found; default: for short texts")
    ] = True,
    component: Annotated[
        Optional[str], Opt(help="Name of the component; default: the first lstm_ner")
    ] = None,
    gpu_id: GpuId = -1,
    quiet: NoProgress = False,
) -> None:
    """Open the gates of the LSTM on a text, as a page for the browser.

    The page shows the text across and the hidden units down: input, forget and output
    gate, candidate, cell and hidden state, for each layer and direction, with the
    entities above and the scores of the tags below. It says in words what happens at
    the character under the pointer, and what each character adds to an entity. It is
    one file and needs no network.

    With --corpus, a .spacy file or any that `convert` reads, it ranks hidden units by
    how well they follow the entities of each type there, and can put them into that
    order.

    Example:

    \b
    python -m spacy lstm-ner gates training/model-best 王芳任北京大学教授。 gates.html
    """
    from spacy.cli._util import setup_gpu

    from ..data.corpus import read_examples
    from ..inspect import explain, open_gates, rank_units
    from ..pages.gates import MOST_EXPLAINED, MOST_UNITS, gates_page
    from ..pipeline.loading import load_pipeline
    from ..util.atomic import atomic_write, check_writable
    from ..util.progress import with_progress

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    check_writable(output, corpus)
    text = _read_standard_input().strip() if text == "-" else text
    nlp = load_pipeline(model)
    gates = open_gates(nlp, text, component=component)
    n = len(gates.places)
    if n > MOST_UNITS:
        raise ValueError(
            f"The text has {n:,} characters: a page shows up to {MOST_UNITS:,}. "
            f"Give a part of it."
        )
    if why and n > MOST_EXPLAINED:
        msg.info(f"More than {MOST_EXPLAINED} characters: left out why")
        why = False
    ranking = None
    if corpus is not None:
        read = read_examples(corpus, nlp)
        examples = with_progress(read, not quiet, "Corpus")
        docs = (example.reference for example in examples)
        ranking = rank_units(nlp, docs, component=component)
    explanation = (
        explain(nlp, gates.text, component=component, progress=not quiet)
        if why
        else None
    )
    html = gates_page(gates, explanation=explanation, ranking=ranking)
    with atomic_write(output) as new:
        new.write_text(html, "utf8")
    _print_written(msg, output)


@lstm_ner_cli.command("visualize", no_args_is_help=True)
@exit_on_error()
def visualize_cli(
    model: Model,
    port: Annotated[
        Optional[int],
        Opt(
            "--port", "-p", help="Default: 8000, or the next free one", min=0, max=65535
        ),
    ] = None,
    host: Annotated[
        str, Opt("--host", help="Address to listen at; 0.0.0.0: all, for everybody")
    ] = "127.0.0.1",
    browser: Annotated[
        bool, Opt("--browser/--no-browser", help="Open the page in a browser")
    ] = True,
    gpu_id: GpuId = -1,
) -> None:
    """Try a pipeline in the browser, on a local page.

    Type or paste a text: its entities are marked, with their probabilities. A slider
    leaves out what is less probable. The gates of the LSTM can be opened, character by
    character, and so can the reasons for each entity. A file of texts, one a line, or
    {"text": "..."} a line, is annotated, and downloaded as JSON lines.

    The page is served on this machine alone, and needs nothing from elsewhere; what is
    typed is not kept. With another --host everybody who reaches that address can use
    it. Ctrl+C ends it.

    Examples:

    \b
    python -m spacy lstm-ner visualize training/model-best
    python -m spacy lstm-ner visualize zh_lstm_ner --port 8080 --no-browser
    """
    from spacy.cli._util import setup_gpu
    from spacy.language import Language

    from ..pipeline.loading import load_pipeline
    from ..server.app import (
        DemoServer,
        is_loopback,
        open_in_browser,
        serve_until_stopped,
    )
    from ..server.demo import Demo

    def load() -> Language:
        setup_gpu(gpu_id, silent=gpu_id < 0)
        return load_pipeline(model)

    msg = Printer()
    server = DemoServer(Demo(load), host, port)
    if not is_loopback(host):
        msg.warn(f"Everybody who reaches {host} can use this page, unencrypted.")
    msg.good("Open this page; Ctrl+C ends it:")
    print(server.url, flush=True)
    if browser:
        open_in_browser(server.url)
    if not serve_until_stopped(server):
        # The pipeline is busy in what cannot be cancelled. Where the interpreter ends
        # below a thread that computes, it may crash.
        sys.stdout.flush()
        os._exit(0)


def _read_standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"Standard input is not {error.encoding}: {error}") from None


def _print_written(msg: Printer, path: Path) -> None:
    msg.good("Written:")
    _print(path)


def _print(*lines: object) -> None:
    """Print messages and names, one a line. What is in them of data must not reach the
    terminal as it is: see util/text.py."""
    from ..util.text import escaped

    for line in lines:
        print(escaped(line, keep="\n"))


# Printer's messages stay ASCII: on a console in GBK it fails at anything else. Tables
# and print() do not.
def _print_summary(msg: Printer, conversion: "Conversion") -> None:
    """Print what the files were taken for, and what each output holds."""
    from ..util.text import printable

    parts = conversion.parts
    report = conversion.report
    files = [
        (
            printable(file.path),
            file.format + (" (科0 → 科)" if file.segmentation_digits else ""),
            file.scheme,
        )
        for file in conversion.files
    ]
    msg.table(files, header=("Input", "Format", "Scheme"), divider=True, max_col=200)
    _print_parts(msg, parts, "Output")
    if report.trimmed:
        msg.info(f"Entities that lost white space at an edge: {report.trimmed:,}")
    if report.dropped:
        msg.info(f"Entities left out, all white space: {report.dropped:,}")
    msg.good("Written:")
    for part in parts:
        if part.path.is_dir():
            n = len(list(part.path.iterdir()))
            _print(f"{part.path} (a folder of {n} files, to be named like a file)")
        else:
            _print(part.path)
    if conversion.leftovers:
        msg.warn("There from before, perhaps with the same records:")
        _print(*conversion.leftovers)


def _print_parts(
    msg: Printer, parts: "Sequence[Part | CheckedPart]", name: str
) -> None:
    """Print how many records, characters and entities each file has."""
    from ..util.text import printable

    labels = sorted({label for part in parts for label in part.entities})
    rows = [
        ("records", [part.records for part in parts]),
        ("characters", [part.characters for part in parts]),
        ("entities", [part.entities.total() for part in parts]),
        *(
            (f"- {printable(label)}", [part.entities[label] for part in parts])
            for label in labels
        ),
    ]
    msg.table(
        [(name, *(f"{n:,}" for n in numbers)) for name, numbers in rows],
        header=(name, *(printable(part.path.name) for part in parts)),
        aligns=("l", *("r" for _ in parts)),
        divider=True,
    )


def _print_findings(
    findings: "list[Finding]", tell: Callable[[str], object], title: str
) -> None:
    """Print what was found, what it means, and the first few of each kind."""
    from ..data.check import KINDS
    from ..util.text import printable

    if not findings:
        return
    tell(title)
    for kind, path, number, examples in findings:
        print(f"{printable(path)}: {kind}: {number:,} ({KINDS[kind][1]})")
        for example in examples:
            print(f"    {printable(example)}")


def _print_problems(msg: Printer, report: "Report") -> None:
    """Print how many problems of each kind there were, and the first few of each."""
    if not report.counts:
        return
    msg.warn("What was wrong in the input:")
    header = ("Problem", "How many", "What was done", "First at")
    aligns = ("l", "r", "l", "l")
    rows = [(kind, f"{n:,}", action, place) for kind, n, action, place in report.rows()]
    msg.table(rows, header=header, aligns=aligns, divider=True, max_col=200)
    _print(*report.messages())
