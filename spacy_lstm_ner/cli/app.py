"""The Typer application ``python -m spacy lstm-ner``. To add a command, write a module
with its function and add it to `COMMANDS`."""

from collections.abc import Callable

import typer

from .calibrate import calibrate_cli
from .card import card_cli
from .check import check_cli
from .compare import compare_cli
from .convert import convert_cli
from .distill import distill_cli
from .errors import errors_cli
from .evaluate import evaluate_cli
from .export import export_cli
from .gates import gates_cli
from .info import info_cli
from .pick import pick_cli
from .predict import predict_cli
from .push import push_cli
from .report import report_cli
from .serve import serve_cli
from .visualize import visualize_cli

#: The commands by name, in the order of ``--help``.
COMMANDS: dict[str, Callable[..., None]] = {
    "convert": convert_cli,
    "check": check_cli,
    "export": export_cli,
    "predict": predict_cli,
    "evaluate": evaluate_cli,
    "compare": compare_cli,
    "calibrate": calibrate_cli,
    "errors": errors_cli,
    "pick": pick_cli,
    "distill": distill_cli,
    "report": report_cli,
    "gates": gates_cli,
    "visualize": visualize_cli,
    "serve": serve_cli,
    "card": card_cli,
    "push": push_cli,
    "info": info_cli,
}

lstm_ner_cli = typer.Typer(
    name="lstm-ner",
    help="Prepare data for the component lstm_ner, evaluate it, and inspect it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for name, function in COMMANDS.items():
    # `info` has no arguments.
    lstm_ner_cli.command(name, no_args_is_help=name != "info")(function)
