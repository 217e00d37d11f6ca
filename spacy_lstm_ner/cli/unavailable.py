"""The command that stands in for all others where Typer cannot build them. It is
written so that the oldest Typer understands it."""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import typer
from packaging.requirements import Requirement
from spacy.cli._util import app
from wasabi import Printer

_PACKAGE = "spacy-lstm-ner"


def stand_in(error: Exception) -> Any:
    """Add the command `lstm-ner` to spaCy's, which tells what is wrong.

    error (Exception): What the commands cannot be built for.
    RETURNS (Callable): The command.
    """

    def lstm_ner_cli(ctx: typer.Context) -> None:
        Printer().fail("Error:")
        print(f"The commands of lstm-ner cannot be used: {error}")
        if missing := unfulfilled():
            for requirement, found in missing:
                print(f"They need {requirement}, and {found} is installed.")
            packages = " ".join(f'"{requirement}"' for requirement, _ in missing)
            print(f"Install it: pip install {packages}")
        else:
            print(f"Install them again: pip install --force-reinstall {_PACKAGE}")
        raise typer.Exit(1)

    add = app.command(
        "lstm-ner",
        help="Not available: run it to see what to install.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )
    return add(lstm_ner_cli)


def unfulfilled() -> list[tuple[str, str]]:
    """RETURNS (list[tuple[str, str]]): What this package requires and is installed in
    another version, and that version."""
    try:
        required = requires(_PACKAGE) or []
    except PackageNotFoundError:
        return []
    missing = []
    for line in required:
        # Extras are not needed here.
        if re.search(r";.*\bextra\b", line):
            continue
        requirement = Requirement(line)
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            missing.append((str(requirement), "none"))
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            missing.append((str(requirement), found))
    return missing
