"""The command `evaluate`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import Data, GpuId, Limit, Model, Opt
from .output import print_written


@exit_on_error()
def evaluate_cli(
    model: Model,
    data: Data,
    output: Annotated[
        Optional[Path], Opt("--output", "-o", help="JSON file for the scores")
    ] = None,
    limit: Limit = 0,
    gpu_id: GpuId = -1,
) -> None:
    """Evaluate a pipeline on annotated data, by entity and by tag.

    An entity is correct if its boundaries and its label are correct. Precision, recall
    and F1 are given overall and by label, as `spacy evaluate` computes them, rounded to
    what their intervals allow: 95% bootstrap intervals, that is, for other documents of
    the same kind. The JSON file has all digits.

    Partial matches are counted as in MUC, by four schemes: strict (boundaries and
    label), exact (boundaries), partial (boundaries; an overlap is half correct) and
    type (label, with an overlap). From the BIO tags of all tokens, accuracy and
    macro-averaged precision, recall and F1 are computed.

    Example:

    \b
    python -m spacy lstm-ner evaluate training/model-best corpus/test.spacy
    """
    from spacy.cli._util import setup_gpu

    from ..evaluation.evaluate import evaluate
    from ..util.atomic import check_writable
    from .score_output import print_scores, write_scores

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    if output is not None:
        check_writable(output, data)
    scores = evaluate(model, data, limit=limit)
    # Written first: printing fails if the reader of the output has gone.
    if output is not None:
        write_scores(scores, output)
    print_scores(scores, msg)
    if output is not None:
        print_written(msg, output)
