"""The command `errors`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Data, GpuId, Model, NoProgress, Opt
from .output import print_written


@exit_on_error()
def errors_cli(
    model: Model,
    data: Data,
    train: Annotated[
        Optional[Path],
        Opt("--train", help="Training data, to compare the annotation with"),
    ] = None,
    types: Annotated[
        Optional[list[str]],
        Opt("--type", "-t", help="Show only this entity type; can be repeated"),
    ] = None,
    kinds: Annotated[
        Optional[list[str]],
        Opt(
            "--kind",
            "-k",
            help="Show only this kind of error: boundary, type, boundary_and_type, "
            "missed or spurious; can be repeated",
        ),
    ] = None,
    limit: Annotated[
        int,
        Opt(
            "--limit",
            "-n",
            help="Show only the first N errors of each type and kind; 0: all",
            min=0,
        ),
    ] = 3,
    label_issues: Annotated[
        int,
        Opt(
            "--label-issues",
            "--doubts",
            "-d",
            help="Show only the first N label issues; 0: all (formerly --doubts)",
            min=0,
        ),
    ] = 20,
    max_plausibility: Annotated[
        float,
        Opt(
            "--max-plausibility",
            "--max-support",
            help="Annotation with a higher plausibility is not a label issue "
            "(formerly --max-support)",
            min=0,
            max=1,
        ),
    ] = 0.05,
    output: Annotated[
        Optional[Path],
        Opt("--output", "-o", help="JSON Lines file for all errors and label issues"),
    ] = None,
    gpu_id: GpuId = -1,
    quiet: NoProgress = False,
) -> None:
    """List prediction errors and probably wrong annotation.

    Each error is of one kind. boundary: the label is correct, a boundary is not. type:
    the label is wrong. boundary_and_type: a boundary and the label are wrong. missed:
    no entity was predicted there. spurious: no entity is annotated there. A table
    counts them. It is followed by the errors of each type and kind in their context,
    the most confident ones first. #7 is the seventh record. The numbers are
    probabilities, if the pipeline has a component lstm_ner.

    Label issues are listed last: annotation that the pipeline considers very
    improbable, or that differs from most annotation of the same text in the training
    data (--train), or both. The plausibility of an annotation is the square root of its
    probability, multiplied by the share of all occurrences of the text that are
    annotated in the same way. The least plausible comes first.

    In the JSON Lines file, offsets are in characters of "text", from 0; an empty label
    in "training" means no entity; null means absent or unknown.

    Label issues are only meaningful in data that the pipeline was not trained on, since
    a model also learns wrong labels. To check training data, hold out a part of it,
    train on the rest, and check this part, as in this example. Repeat it with another
    --seed for another part.

    Example:

    \b
    python -m spacy lstm-ner convert my-data.jsonl corpus --split 80/20 --seed 1
    python -m spacy train config.cfg --output training --paths.train corpus/train.spacy --paths.dev corpus/dev.spacy
    python -m spacy lstm-ner errors training/model-best corpus/dev.spacy --train corpus/train.spacy
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..evaluation.error_analysis import find_errors
    from ..evaluation.matching import error_kinds
    from ..util.atomic import check_writable
    from .error_output import (
        print_errors,
        print_label_issues,
        print_table,
        write_analysis,
    )

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    kinds = error_kinds(kinds or [])
    if output is not None:
        check_writable(output, data, train)
    analysis = find_errors(
        model,
        data,
        train=train,
        max_plausibility=max_plausibility,
        progress=not quiet,
    )
    analysis.check_types(types or [])
    # Written first: printing fails if the reader of the output has gone.
    if output is not None:
        write_analysis(analysis, output)
    print_table(analysis, msg)
    if not analysis.has_probabilities:
        msg.info(
            "No component lstm_ner: no probabilities, errors in the order of the data"
        )
    print_errors(analysis, limit=limit, types=types or [], kinds=kinds)
    print_label_issues(analysis, limit=label_issues, types=types or [])
    if output is not None:
        print_written(msg, output)
