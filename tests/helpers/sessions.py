"""The sessions of noxfile.py."""

import re

from .paths import REPOSITORY

NOXFILE = (REPOSITORY / "noxfile.py").read_text("utf8")
SESSIONS = set(
    re.findall(r"^@nox\.session.*\ndef (\w+)\(session\):$", NOXFILE, re.MULTILINE)
)


def sessions_of(command: str) -> list[str]:
    """RETURNS: The sessions of a command line, "nox --sessions a b -- arguments"."""
    return command.partition(" --sessions ")[2].partition(" -- ")[0].split()
