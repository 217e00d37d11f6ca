"""What all commands have in common."""

import inspect
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import fields

import pytest
from typer.main import get_command

from spacy_lstm_ner.cli import lstm_ner_cli
from spacy_lstm_ner.cli.app import COMMANDS
from spacy_lstm_ner.data.options import ReadingOptions

from ..helpers.commands import run_command

PARAMETERS = {
    name: {parameter.name: parameter for parameter in command.params}
    for name, command in get_command(lstm_ner_cli).commands.items()
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_a_sentence_and_has_an_example(name):
    doc = inspect.cleandoc(COMMANDS[name].__doc__)
    first, blank = doc.splitlines()[:2]
    # Typer cuts off longer ones in the list of commands.
    assert re.fullmatch(r"[A-Z].*\w\.", first) and len(first) < 67
    assert blank == ""
    code, output = run_command(name, "--help")
    assert code == 0
    example = f"python -m spacy lstm-ner {name} "
    assert example in output.partition("Example")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_has_help_without_a_full_stop(name):
    for parameter in PARAMETERS[name].values():
        if parameter.name != "help":
            assert parameter.help and not parameter.help.endswith(".")


def test_shared_parameters_have_one_spelling():
    shared = defaultdict(set)
    for parameters in PARAMETERS.values():
        for name, parameter in parameters.items():
            shared[name].add(tuple(parameter.opts))
    # An argument where the data is the point, an option where it is compared with.
    assert shared.pop("train") == {("--train",), ("train",)}
    assert shared.pop("model") == {("model",), ("--model", "-m")}
    assert shared.pop("output") == {("output",), ("--output", "-o")}
    assert {name for name, opts in shared.items() if len(opts) > 1} == set()


def test_convert_has_the_reading_options():
    for field in fields(ReadingOptions):
        parameter = PARAMETERS["convert"][field.name]
        option = f"--{field.name.replace('_', '-')}"
        assert option in parameter.opts and parameter.default == field.default


def test_old_option_names_are_accepted():
    assert "--doubts" in PARAMETERS["errors"]["label_issues"].opts
    assert "--max-support" in PARAMETERS["errors"]["max_plausibility"].opts


def test_spacy_imports_no_more_than_necessary():
    code = (
        "import sys, spacy_lstm_ner.cli;"
        "print(*sorted(m for m in sys.modules if m.startswith('spacy_lstm_ner')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    modules = [
        *("cli", "cli.app", *(f"cli.{name}" for name in COMMANDS)),
        *("cli.exit", "cli.options", "cli.output", "cli.serving", "exceptions"),
        *("util", "util.atomic", "util.cancellation", "util.text"),
    ]
    expected = ["spacy_lstm_ner", *(f"spacy_lstm_ner.{name}" for name in modules)]
    assert result.stdout.split() == sorted(expected)
