"""Print the lowest version of each package that setup.cfg allows, as constraints for
pip:

python scripts/lowest_versions.py project > lowest.txt
pip install -c lowest.txt ".[project]"
"""

import re
import sys
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.cfg"
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[(?P<extras>[^]]+)\])?(?P<versions>.*)")
# "==" also gives a lowest version.
LOWEST = re.compile(r"[>=]=\s*([\w.]+)")


def lowest_versions(setup: Path, extras: list[str]) -> dict[str, str]:
    """Read the requirements of the package and of some of its extras.

    setup: Path of setup.cfg.
    extras: Names of extras. The extras that these include are read, too.
    RETURNS: The lowest version of each package, by its name.
    RAISES (ValueError): If a requirement has no lowest version, or an extra does not
        exist.
    """
    config = ConfigParser()
    config.read(setup, encoding="utf8")
    own = config["metadata"]["name"]
    known = config["options.extras_require"]
    pending = [config["options"]["install_requires"]]
    seen: set[str] = set()
    lowest: dict[str, str] = {}

    def add_extra(extra: str) -> None:
        if extra not in known:
            raise ValueError(f"{setup} has no extra {extra!r}: {', '.join(known)}")
        if extra not in seen:
            seen.add(extra)
            pending.append(known[extra])

    for extra in extras:
        add_extra(extra)
    while pending:
        for line in pending.pop().splitlines():
            # There may be comments between requirements.
            requirement = line.partition("#")[0].partition(";")[0].strip()
            if not requirement:
                continue
            match = REQUIREMENT.fullmatch(requirement)
            versions = match and LOWEST.search(match["versions"])
            if match and match["name"] == own:
                for extra in match["extras"].split(","):
                    add_extra(extra.strip())
            elif match and versions:
                found = lowest.get(match["name"], "0")
                lowest[match["name"]] = max(found, versions[1], key=_numbers)
            else:
                raise ValueError(f"{setup}: {requirement!r} has no lowest version")
    return lowest


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


if __name__ == "__main__":
    for name, version in sorted(lowest_versions(SETUP, sys.argv[1:]).items()):
        print(f"{name}=={version}")
