"""The command `convert`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, Lang, Opt, Quiet
from .output import print_lines, print_problems, print_summaries, print_written

if TYPE_CHECKING:
    from ..data.convert import Conversion

# Of how many files the summary says what was detected.
_MAX_FILES = 5


@exit_on_error()
def convert_cli(
    inputs: Annotated[
        list[Path], Arg(metavar="IN", help="Dataset files, or folders of them")
    ],
    output: Annotated[
        Path, Arg(metavar="OUT", help="A .spacy file; with --split, a folder")
    ],
    format: Annotated[
        str,
        Opt(
            "--format",
            "-f",
            help="The format: label-studio, prodigy, spacy-json, cluener, spacy, tags, "
            "offsets, brat, parallel, webanno, conllu, sentences, inline or columns; "
            "auto: detect it",
        ),
    ] = "auto",
    encoding: Annotated[
        str, Opt("--encoding", help="Text encoding, such as gb18030; auto: detect it")
    ] = "auto",
    scheme: Annotated[
        str,
        Opt(
            "--scheme",
            "-s",
            help="Tag scheme: BIO, IOB1, BIOES, BMES, BILOU or BMEWO; auto: detect it",
        ),
    ] = "auto",
    separator: Annotated[
        Optional[str],
        Opt(
            "--separator",
            help=r"Separator between columns (\t: a tab); default: detect it",
        ),
    ] = None,
    columns: Annotated[
        Optional[str],
        Opt(
            "--columns",
            help="The columns by name, numbered from 1: unit=2,tag=4, and sentence=1 "
            "for a column of sentence numbers; default: detect them",
        ),
    ] = None,
    comment: Annotated[
        Optional[str],
        Opt(
            "--comment",
            help="How lines that are comments begin; '': no line is one; default: "
            "detect it",
        ),
    ] = None,
    header: Annotated[
        Optional[bool],
        Opt(help="Whether the first line has the names of columns; default: detect it"),
    ] = None,
    joiner: Annotated[
        Optional[str],
        Opt(
            "--joiner",
            help="Text inserted between units; default: blanks between words that are "
            "separated by blanks",
        ),
    ] = None,
    segmentation_digits: Annotated[
        Optional[bool],
        Opt(
            help="Whether characters are followed by their position in the word (科0), "
            "which is then removed; default: detect it"
        ),
    ] = None,
    ends: Annotated[
        str,
        Opt(
            "--ends",
            help="Whether the end of an entity in character offsets is inclusive or "
            "exclusive; auto: decide by the text of the entities",
        ),
    ] = "auto",
    offsets: Annotated[
        str,
        Opt(
            "--offsets",
            help="What character offsets count: characters, or utf16 (code units, as "
            "in JavaScript); auto: decide by the text of the entities",
        ),
    ] = "auto",
    label_names: Annotated[
        Optional[str],
        Opt(
            "--label-names",
            help="The names of labels or tags that are numbers: separated by commas in "
            "the order of the numbers, or as 3=PER,4=LOC; or a file with one per line",
        ),
    ] = None,
    spans_key: Annotated[
        str,
        Opt(
            "--spans-key",
            help="Span group for all entities, written if some of them overlap",
        ),
    ] = "sc",
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
    force: Annotated[
        bool,
        Opt("--force", help="Accept files without entities, or with many unknown tags"),
    ] = False,
    strict: Annotated[
        bool,
        Opt("--strict", help="Stop at the first problem instead of repairing it"),
    ] = False,
    shard_size: Annotated[
        int,
        Opt(
            "--shard-size",
            help="Maximum number of records in a file; if there are more, or more than "
            "a million tokens, the output is a folder of files",
            min=1,
        ),
    ] = 100_000,
    quiet: Quiet = False,
) -> None:
    """Convert dataset files to .spacy files for training.

    Formats are detected: columns with a tag in each line, sentences with tags, objects
    with tags or character offsets in JSON lines, JSON, Python literals or Parquet, the
    exports of annotation tools, brat, CoNLL-U, inline markup, and .spacy files. The
    page "File formats" of the documentation has an example of each. Files may be
    compressed.

    What was detected is printed, with the first records, and the number of entities in
    the files, written, and lost with the reason. Problems in a file are repaired, or
    the record is skipped; they are counted and listed with their lines. Either all
    output is written or, after an error, nothing.

    Examples:

    \b
    python -m spacy lstm-ner convert train.char.bmes corpus/train.spacy
    python -m spacy lstm-ner convert news.jsonl corpus --split 80/10/10 --seed 1
    python -m spacy lstm-ner convert label-studio-export.json corpus/train.spacy
    python -m spacy lstm-ner convert data.csv train.spacy --columns unit=2,tag=4
    """
    from ..data.convert import convert

    msg = Printer()
    with exit_on_error("Nothing was written."):
        conversion = convert(
            inputs,
            output,
            format=format,
            encoding=encoding,
            scheme=scheme,
            # Most shells pass \t as two characters.
            separator=separator.replace(r"\t", "\t") if separator else None,
            columns=columns,
            comment=comment,
            header=header,
            joiner=joiner,
            segmentation_digits=segmentation_digits,
            ends=ends,
            offsets=offsets,
            label_names=label_names,
            spans_key=spans_key,
            split=split,
            seed=seed,
            limit=limit,
            force=force,
            strict=strict,
            lang=lang,
            shard_size=shard_size,
            progress=not quiet,
        )
    if not quiet:
        _print_conversion(msg, conversion, lang)
    print_problems(msg, conversion.problems)


def _print_conversion(msg: Printer, conversion: "Conversion", lang: str) -> None:
    """Print what was detected in the input, and the contents of each output."""
    from ..util.text import printable

    for file in conversion.files[:_MAX_FILES]:
        msg.table(
            [("Input", printable(file.path)), *_printable_rows(file.describe())],
            max_col=200,
        )
    if len(conversion.files) > _MAX_FILES:
        msg.text(f"… and {len(conversion.files) - _MAX_FILES:,} more files")
    msg.text("First records:")
    print_lines(*conversion.examples)
    print_summaries(msg, conversion.outputs, "Output")
    for line in _entity_lines(conversion):
        msg.info(line)
    for mismatch in conversion.mismatches:
        msg.warn(f"{mismatch} (Language of the tokenizer, --lang: {lang})")
    print_written(msg, *(_describe_file(output.path) for output in conversion.outputs))
    if conversion.leftovers:
        msg.warn("Left from an earlier split, possibly with the same records:")
        print_lines(*conversion.leftovers)


def _printable_rows(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    from ..util.text import printable

    return [(name.capitalize(), printable(value)) for name, value in rows]


def _entity_lines(conversion: "Conversion") -> list[str]:
    """Say how many entities were in the files and where the others are."""
    problems = conversion.problems
    total = sum(problems.entities.values())
    written = sum(output.entities.total() for output in conversion.outputs)
    lines = [f"Entities: {total:,} in the records that were read, {written:,} written"]
    if problems.skipped:
        lines.append(f"Records skipped, with their entities: {problems.skipped:,}")
    lines += problems.losses()
    if problems.trimmed:
        lines.append(
            f"Entities trimmed of whitespace at the edges: {problems.trimmed:,}"
        )
    return lines


def _describe_file(path: Path) -> str:
    if not path.is_dir():
        return str(path)
    n = len(list(path.iterdir()))
    return f"{path} (a folder of {n} files; use it like a file)"
