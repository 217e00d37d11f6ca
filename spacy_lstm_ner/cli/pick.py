"""The command `pick`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, GpuId, Model, Opt, Quiet
from .output import print_lines, print_written

if TYPE_CHECKING:
    from ..evaluation.pick import Picking


@exit_on_error()
def pick_cli(
    model: Model,
    texts: Annotated[
        Path,
        Arg(help='Texts: one a line, JSON objects with a key "text", or a .spacy file'),
    ],
    output: Annotated[Path, Arg(metavar="OUT", help="The file to write")],
    n: Annotated[int, Opt("--number", "-n", help="Number of texts to pick", min=1)] = (
        100
    ),
    format: Annotated[
        str,
        Opt(
            "--format",
            "-f",
            help="A format of the command export; auto: by the suffix .spacy or "
            ".parquet, otherwise offsets (JSON lines)",
        ),
    ] = "auto",
    strategy: Annotated[
        str,
        Opt("--strategy", "-s", help="Query strategy: errors, confidence or entity"),
    ] = "errors",
    random_share: Annotated[
        float,
        Opt("--random-share", help="Share of texts picked at random", min=0, max=1),
    ] = 0.1,
    annotated: Annotated[
        Optional[list[Path]],
        Opt(
            "--annotated",
            "-a",
            help="Annotated data, of which no near-duplicates are picked; can be "
            "repeated",
        ),
    ] = None,
    similarity: Annotated[
        float,
        Opt(
            "--similarity",
            help="Texts that have at least this share of their character trigrams in "
            "common are near-duplicates",
            min=0.5,
            max=1,
        ),
    ] = 0.7,
    seed: Annotated[int, Opt("--seed", help="Seed of the random share")] = 0,
    gpu_id: GpuId = -1,
    quiet: Quiet = False,
) -> None:
    """Pick the texts that are worth annotating next.

    Writes the texts that the pipeline is the most uncertain of, with its predictions,
    for correction in an annotation tool. The most uncertain text comes first. The last
    ones are picked at random, since a pipeline can be certain and wrong. Of texts that
    are almost the same, only one is picked, and none if it is annotated already.

    The query strategies compute the uncertainty from exact probabilities:

    \b
    errors      the expected number of incorrect and missed entities, relative to the
                length of the text plus 25
    confidence  the negative logarithm of the probability of the best analysis,
                relative to the length of the text (MNLP)
    entity      the probability that the least certain entity is incorrect, or if none
                is predicted, that there is one

    The formats are those of the command export. In doccano, label-studio, prodigy and
    offsets each text has its "uncertainty" and the "reason", "uncertain" or "random".

    Texts are read one by one: there may be more of them than fit into memory.

    Example:

    \b
    python -m spacy lstm-ner pick training/model-best news.txt picked.jsonl -n 100 --format doccano --annotated corpus/train.spacy
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..evaluation.pick import pick

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    with exit_on_error("Nothing was written."):
        picking = pick(
            model,
            texts,
            output,
            n,
            format=format,
            strategy=strategy,
            random_share=random_share,
            annotated=annotated or [],
            similarity=similarity,
            seed=seed,
            progress=not quiet,
        )
    if not quiet:
        _print_summary(msg, picking)
    if len(picking.picks) < n:
        msg.warn(f"Only {len(picking.picks):,} texts: all others are near-duplicates")
    problems = picking.export.problems
    if problems.counts:
        msg.warn("Problems in the input:")
        print_lines(problems, *problems.messages())
    if not quiet:
        print_written(msg, picking.export.path)


def _print_summary(msg: Printer, picking: "Picking") -> None:
    """Print how many texts were read and picked."""
    reasons = [pick.reason for pick in picking.picks]
    rows = [
        ("texts", picking.texts),
        ("annotated texts", picking.annotated),
        ("picked", len(reasons)),
        *(
            (f"- {reason}", reasons.count(reason))
            for reason in dict.fromkeys(sorted(reasons, reverse=True))
        ),
        ("predicted entities", sum(picking.export.entities.values())),
    ]
    msg.table(
        [(name, f"{count:,}") for name, count in rows],
        header=("Output", picking.export.format),
        aligns=("l", "r"),
        divider=True,
    )
