"""The commands ``python -m spacy lstm-ner …``, one module for each.

spaCy imports this package whenever any of its own commands runs. Therefore the modules
import what a command needs inside the command, and nothing may fail here: if the
commands cannot be built, for example with an old version of Typer, a command that
reports what to install takes their place.
"""

from typer.main import get_command

try:
    from .app import lstm_ner_cli

    # Typer checks the signatures of the commands only now.
    get_command(lstm_ner_cli)
except Exception as error:
    from .unavailable import add_replacement

    lstm_ner_cli = add_replacement(error)
else:
    from spacy.cli._util import app

    app.add_typer(lstm_ner_cli)

__all__ = ["lstm_ner_cli"]
