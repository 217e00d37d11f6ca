"""The command that replaces all others if Typer cannot build them. It is written so
that the oldest versions of Typer understand it."""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import typer
from packaging.requirements import Requirement
from spacy.cli._util import app
from wasabi import Printer

_PACKAGE = "spacy-lstm-ner"


def add_replacement(error: Exception) -> Any:
    """Add a command `lstm-ner` to spaCy's that reports why the others are missing.

    error: The error that occurred when the commands were built.
    RETURNS: The command.
    """

    def lstm_ner_cli(ctx: typer.Context) -> None:
        Printer().fail("Error:")
        print(f"The lstm-ner commands are not available: {error}")
        if missing := unmet_requirements():
            for requirement, found in missing:
                print(f"They require {requirement}, but {found} is installed.")
            packages = " ".join(f'"{requirement}"' for requirement, _ in missing)
            print(f"To install it: pip install {packages}")
        else:
            print(f"To reinstall them: pip install --force-reinstall {_PACKAGE}")
        raise typer.Exit(1)

    add = app.command(
        "lstm-ner",
        help="Not available: run this command to see what to install.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )
    return add(lstm_ner_cli)


def unmet_requirements() -> list[tuple[str, str]]:
    """RETURNS (list[tuple[str, str]]): Each requirement of this package that is not
    met, and the version that is installed."""
    try:
        required = requires(_PACKAGE) or []
    except PackageNotFoundError:
        return []
    missing = []
    for line in required:
        # Extras are optional.
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
