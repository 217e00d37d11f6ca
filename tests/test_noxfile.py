"""The sessions of noxfile.py are those that CI runs, on all versions of Python that
setup.cfg names."""

import re
from configparser import ConfigParser
from itertools import product

import pytest
import srsly

from .helpers.documentation import README
from .helpers.paths import REPOSITORY
from .helpers.sessions import NOXFILE, SESSIONS, sessions_of

WORKFLOW = srsly.read_yaml(REPOSITORY / ".github" / "workflows" / "ci.yml")


def runs(job):
    """The commands of a job, once for each entry of its matrix."""
    axes = dict(job.get("strategy", {}).get("matrix", {}))
    entries = axes.pop("include", []) or [
        dict(zip(axes, values, strict=True)) for values in product(*axes.values())
    ]
    for entry in entries:
        # A job that calls another workflow has no steps.
        for step in job.get("steps", []):
            yield (
                entry,
                re.sub(
                    r"\$\{\{ matrix\.(\w+) \}\}",
                    lambda match, entry=entry: entry[match[1]],
                    step.get("run", ""),
                ),
            )


def test_sessions():
    assert {"lint", "types", "tests", "docs", "no_torch", "lowest"} <= SESSIONS


def test_sessions_of_ci_exist():
    script = (REPOSITORY / ".ci" / "run").read_text("utf8")
    commands = [line for line in script.splitlines() if line.startswith("nox ")]
    named = {session for line in commands for session in sessions_of(line)}
    # `distributions` takes minutes, and what it builds is that of the other sessions.
    assert named == SESSIONS - {"coverage", "no_torch", "benchmarks", "distributions"}


def test_sessions_of_the_workflow_exist():
    named = {
        session
        for job in WORKFLOW["jobs"].values()
        for _, command in runs(job)
        for session in sessions_of(command)
    }
    assert named == SESSIONS - {"coverage", "benchmarks"}


def test_the_workflow_tests_all_systems_and_versions():
    setup = ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf8")
    versions = re.findall(r":: (3\.\d+)$", setup["metadata"]["classifiers"], re.M)
    tested = {
        (entry["os"], entry["python"])
        for entry, command in runs(WORKFLOW["jobs"]["tests"])
        if sessions_of(command) == ["tests"]
    }
    systems = ("ubuntu-latest", "macos-latest", "windows-latest")
    assert tested == set(product(systems, versions))


def test_tests_are_installed_and_run_as_in_the_readme():
    (pattern,) = re.findall(r'^README_TESTS = re.compile\(r"(.+)", ', NOXFILE, re.M)
    install, test = re.search(pattern, README.read_text("utf8"), re.M).groups()
    assert install == 'pip install -e ".[tests]"'
    assert test == "python -m pytest"


@pytest.mark.parametrize("name", sorted(SESSIONS))
def test_sessions_are_described_in_the_list(name):
    """`nox -l` prints the first line of the docstring."""
    assert re.search(rf'^def {name}\(session\):\n    """.+"""$', NOXFILE, re.M)


def test_pre_commit_runs_the_commands_of_lint_and_types():
    config = srsly.read_yaml(REPOSITORY / ".pre-commit-config.yaml")
    (local,) = (repo for repo in config["repos"] if repo["repo"] == "local")
    sections = re.findall(r"^def (?:lint|types)\(.+?(?=^@|\Z)", NOXFILE, re.M | re.S)
    calls = re.findall(r"session\.run\((.+)\)", "".join(sections))
    commands = [re.findall(r'"([^"]+)"', call) for call in calls]
    # pre-commit passes names of files where the sessions pass the folder.
    commands = [[part for part in command if part != "."] for command in commands]
    assert [hook["entry"].split() for hook in local["hooks"]] == commands
