"""Print the lowest version of each package that setup.cfg admits, for pip.

These are constraints:

python scripts/lowest_versions.py project > lowest.txt
pip install -c lowest.txt ".[project]"
"""

import re
import sys
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.cfg"
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[(?P<extras>[^]]+)\])?(?P<versions>.*)")
# "==" is a lowest version, too.
LOWEST = re.compile(r"[>=]=\s*([\w.]+)")


def lowest_versions(setup: Path, extras: list[str]) -> dict[str, str]:
    """Read what the package and some of its extras require.

    setup (Path): The setup.cfg.
    extras (list[str]): Names of extras, which may themselves name others.
    RETURNS (dict[str, str]): The lowest version of each package, by its name.
    RAISES (ValueError): For a requirement without one, or an extra that is not there.
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
            # A comment may stand between requirements.
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
                raise ValueError(f"{setup}: {requirement!r} names no lowest version")
    return lowest


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


if __name__ == "__main__":
    for name, version in sorted(lowest_versions(SETUP, sys.argv[1:]).items()):
        print(f"{name}=={version}")
