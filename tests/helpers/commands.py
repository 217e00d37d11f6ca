"""Run commands of `python -m spacy lstm-ner`."""

from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)


def run_command(name: str, *args: object) -> tuple[int, str]:
    """Run ``python -m spacy lstm-ner …`` in this process.

    RETURNS (tuple[int, str]): The exit code, and the output with runs of whitespace
        replaced by one space, since tables are aligned with spaces.
    """
    code, output = run_for_lines(name, *args)
    return code, " ".join(output.split())


def run_for_lines(name: str, *args: object) -> tuple[int, str]:
    """Run a command like `run_command`, and return its output as it is."""
    result = CliRunner().invoke(app, ["lstm-ner", name, *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output
