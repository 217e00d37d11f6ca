"""The command `report`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import DevData, GpuId, Model, Opt, Page, Quiet
from .output import print_written


@exit_on_error()
def report_cli(
    model: Model,
    data: DevData,
    output: Page,
    log: Annotated[
        Optional[Path], Opt("--log", help="Training log, for the learning curves")
    ] = None,
    metrics: Annotated[
        Optional[Path],
        Opt("--metrics", help="Test scores, as written by `evaluate --output`"),
    ] = None,
    gpu_id: GpuId = -1,
    quiet: Quiet = False,
) -> None:
    """Write an HTML report on training, scores and errors.

    The report shows precision, recall and F1 by entity type; the learning curves
    of loss, scores, learning rate and speed; the confusion matrix; the calibration of
    the probabilities; the most confident errors in their context; label issues; and the
    config. It is a single file that needs no network connection.

    Use development data, not test data: scores on test data are no longer meaningful
    once the pipeline was changed because of errors there. Test scores can be read from
    a file instead (--metrics).

    The learning curves need a log (--log), which the logger
    spacy-lstm-ner.ReportLogger.v1 writes. The configs of the project use it, with a
    path that is set for training. The log can be read while training is running.

    Example:

    \b
    python -m spacy train configs/pretrained.cfg --output training --paths.log training/log.jsonl --paths.train corpus/train.spacy --paths.dev corpus/dev.spacy
    python -m spacy lstm-ner evaluate training/model-best corpus/test.spacy --output metrics.json
    python -m spacy lstm-ner report training/model-best corpus/dev.spacy report.html --log training/log.jsonl --metrics metrics.json
    """  # noqa: E501
    from spacy.cli._util import setup_gpu

    from ..pages.report_page import write_report
    from ..util.atomic import check_writable

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    check_writable(output, data, log, metrics)
    write_report(model, data, output, log=log, metrics=metrics, progress=not quiet)
    if not quiet:
        print_written(msg, output)
