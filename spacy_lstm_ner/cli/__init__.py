"""What spaCy imports to find the commands ``python -m spacy lstm-ner …``.

It imports this module and builds these commands whenever any of its own runs. So
nothing may fail here: where the commands cannot be built, as with an old Typer, one
that says what to install stands in for them.
"""

from typer.main import get_command

try:
    from .commands import lstm_ner_cli

    # Only now Typer says what it does not understand of a command.
    get_command(lstm_ner_cli)
except Exception as error:
    from .unavailable import stand_in

    lstm_ner_cli = stand_in(error)
else:
    from spacy.cli._util import app

    app.add_typer(lstm_ner_cli)

__all__ = ["lstm_ner_cli"]
