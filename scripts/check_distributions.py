"""Check source distributions and wheels of the package: that they contain what they
need and nothing else.

python -m build && python scripts/check_distributions.py dist

`--kernels` requires compiled kernels in the wheels. Nothing has to be installed.
"""

import argparse
import fnmatch
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from configparser import RawConfigParser
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "spacy_lstm_ner"
SOURCES = (".pyx", ".cpp", ".h")
COMPILED = (".so", ".pyd")
#: Written by the build, not part of the package.
GENERATED = ("_native.cpp",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("paths", nargs="+", type=Path, help="files, or folders of them")
    parser.add_argument("--kernels", action="store_true", help="require the kernels")
    arguments = parser.parse_args()
    paths = [
        path
        for given in arguments.paths
        for path in (sorted(given.glob(f"{PACKAGE}-*")) if given.is_dir() else [given])
    ]
    if not paths:
        sys.exit(f"There is no distribution of {PACKAGE}: build it first.")
    problems: list[str] = []
    for path in paths:
        found = (
            problems_of_wheel(path, arguments.kernels)
            if path.suffix == ".whl"
            else problems_of_archive(path)
        )
        problems += [f"{path}: {problem}" for problem in found]
    if problems:
        sys.exit("\n".join(problems))
    print("As they have to be:", *(path.name for path in paths))


def problems_of_archive(path: Path) -> list[str]:
    """What is wrong with a source distribution."""
    with tarfile.open(path) as archive:
        names = [
            member.name.partition("/")[2]
            for member in archive.getmembers()
            if member.isfile()
        ]
    expected = files_of_package()
    expected += ["setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"]
    expected += ["CHANGELOG.md", "CITATION.cff"]
    allowed = (
        *expected,
        *("PKG-INFO", "MANIFEST.in", f"{PACKAGE}.egg-info/*"),
    )
    return [*missing(names, expected), *unexpected(names, allowed)]


def problems_of_wheel(path: Path, kernels: bool) -> list[str]:
    """What is wrong with a wheel.

    kernels: Whether it has to have compiled kernels.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (info,) = {n.partition("/")[0] for n in names if ".dist-info/" in n}
        header = HeaderParser().parsestr(
            archive.read(f"{info}/METADATA").decode("utf8")
        )
        wheel = archive.read(f"{info}/WHEEL").decode()
        points = archive.read(f"{info}/entry_points.txt").decode()
    expected = [name for name in files_of_package() if not name.endswith(SOURCES)]
    inside = [name for name in names if not name.startswith(f"{info}/")]
    problems = missing(inside, expected)
    compiled = [name for name in inside if name.endswith(COMPILED)]
    problems += unexpected(inside, [*expected, *compiled])
    problems += missing(
        # Before release 77, setuptools puts the license beside the metadata.
        [name.removeprefix(f"{info}/").removeprefix("licenses/") for name in names],
        ["LICENSE", "RECORD"],
    )
    if kernels and not compiled:
        problems.append("it has no compiled kernels: is there a C++ compiler?")
    if bool(compiled) == ("Root-Is-Purelib: true" in wheel):
        problems.append("it is tagged as pure Python and has kernels, or the reverse")
    setup = RawConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    for key in ("name", "version"):
        if header[key] != setup["metadata"][key]:
            problems.append(f"{key} is {header[key]}, not {setup['metadata'][key]}")
    for group in setup["options.entry_points"]:
        if f"[{group}]" not in points:
            problems.append(f"the entry points {group} are missing")
    return problems


def files_of_package() -> list[str]:
    """The files of the checkout that belong to the package: its modules, the sources of
    the kernels, and all that is neither, such as styles and templates. A file that
    setup.cfg forgets is missing in the distributions."""
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / PACKAGE).rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.name.endswith(COMPILED)
        and path.name not in GENERATED
    ]


def missing(names: Iterable[str], expected: Iterable[str]) -> list[str]:
    return [f"{name} is missing" for name in sorted({*expected} - {*names})]


def unexpected(names: Iterable[str], allowed: Iterable[str]) -> list[str]:
    patterns = list(allowed)
    return [
        f"{name} does not belong there"
        for name in sorted(names)
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    ]


if __name__ == "__main__":
    main()
