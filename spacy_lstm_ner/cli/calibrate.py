"""The command `calibrate`."""

from pathlib import Path
from typing import Annotated

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, DevData, GpuId
from .output import print_lines, print_written


@exit_on_error()
def calibrate_cli(
    model: Annotated[Path, Arg(help="Folder of a pipeline; it is modified")],
    data: DevData,
    gpu_id: GpuId = -1,
) -> None:
    """Calibrate the probabilities of entities by temperature scaling.

    The probabilities of a trained pipeline are usually too high on new texts. This
    command finds the temperature, by which all scores are divided, that gives the
    entities in the data the most accurate probabilities, and saves it in the folder of
    the pipeline. The predicted entities do not change, except those below a threshold.

    Use development data: on the training data the pipeline is almost always right, and
    test data could then no longer show how reliable the probabilities are. If the data
    has few entities, or few that are wrongly predicted, the temperature stays close
    to 1.

    Example:

    \b
    python -m spacy lstm-ner calibrate training/model-best corpus/dev.spacy
    """
    from spacy.cli._util import setup_gpu

    from ..evaluation.calibrate import calibrate

    msg = Printer()
    setup_gpu(gpu_id, silent=gpu_id < 0)
    with exit_on_error("The pipeline was not modified."):
        temperatures, problems, ece = calibrate(model, data)
    if not temperatures:
        msg.info("No component lstm_ner or lstm_nested_ner: nothing to calibrate")
        return
    if problems:
        msg.warn("Not calibrated:")
        print_lines(*problems)
        if len(problems) == len(temperatures):
            return
    rows = [(name, f"{value:.2f}") for name, value in temperatures.items()]
    msg.table(rows, header=("Component", "Temperature"), divider=True)
    before, after = ("-" if e is None else f"{100 * e:.2f}%" for e in ece)
    print_lines(f"Expected calibration error on {data}: {before} before, {after} after")
    print_written(msg, model)
