"""Whatever is installed beside it, this package breaks no command of spaCy; and what
setup.cfg says of versions is true."""

import ast
import inspect
import os
import re
import runpy
import subprocess
import sys
import textwrap
from configparser import ConfigParser
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import spacy_lstm_ner.cli

from .helpers.paths import REPOSITORY

RESUME = Path(__file__).parent / "data" / "resume.jsonl"
CONFIGS = REPOSITORY / "configs"
EXAMPLES = REPOSITORY / "examples"

# An old Typer


def spacy_in(code: str, *args: object) -> subprocess.CompletedProcess:
    """Run spaCy's command line after some code."""
    code = textwrap.dedent(code) + textwrap.dedent(
        """
        import sys
        from spacy.cli import setup_cli
        setup_cli()
        """
    )
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


# What Typer 0.7 does: the default comes first, and has to be given.
TYPER_0_7 = """
    import typer
    Argument = typer.Argument
    typer.Argument = lambda default, *names, **settings: Argument(
        default, *names, **settings
    )
"""
# It fails only as the commands are built.
FAILS_LATE = """
    import typer.main
    function = typer.main.get_params_from_function
    def fail(callback):
        module = callback.__module__
        if module.startswith("spacy_lstm_ner.cli.") and "unavailable" not in module:
            raise RuntimeError("Type not yet supported")
        return function(callback)
    typer.main.get_params_from_function = fail
"""


@pytest.mark.parametrize("fault", [TYPER_0_7, FAILS_LATE], ids=["early", "late"])
def test_commands_of_spacy_survive_and_ours_says_what_to_install(fault):
    done = spacy_in(fault, "info")
    assert done.returncode == 0, done.stderr
    assert "spaCy version" in done.stdout
    for args in (("lstm-ner", "--help"), ("lstm-ner", "convert", RESUME, "-n", 1)):
        done = spacy_in(fault, *args)
        assert done.returncode == 1 and done.stderr == ""
        assert "The lstm-ner commands are not available" in done.stdout
        assert "pip install" in done.stdout


def test_what_has_to_be_installed_is_named(monkeypatch):
    from spacy_lstm_ner.cli import unavailable

    assert unavailable.unmet_requirements() == []
    old = {"typer": "0.7.0"}
    monkeypatch.setattr(
        unavailable, "version", lambda name: old.get(name) or version(name)
    )
    ((requirement, found),) = unavailable.unmet_requirements()
    assert requirement.startswith("typer>=") and found == "0.7.0"


def test_commands_are_annotated_as_older_typers_understand():
    """`X | None` is understood since Typer 0.12.4."""
    for command in spacy_lstm_ner.cli.lstm_ner_cli.registered_commands:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(command.callback)))
        arguments = ast.parse(source).body[0].args
        for argument in [*arguments.args, *arguments.kwonlyargs]:
            for node in ast.walk(argument.annotation):
                assert not isinstance(node, ast.BinOp), (command.name, argument.arg)


@pytest.mark.slow
@pytest.mark.parametrize("typer", ["0.7.0", "0.9.0", "0.12.3", "0.12.5", "0.15.4"])
def test_real_typers(typer, tmp_path):
    # The click of that time; with a newer one spaCy's own commands fail.
    packages = f"typer=={typer}", "click==8.1.8"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    target = tmp_path / "old"
    subprocess.run([*install, "--target", target, *packages], check=True)
    paths = os.pathsep.join(map(str, (target, REPOSITORY)))

    def spacy(*args):
        command = [sys.executable, "-m", "spacy", *map(str, args)]
        env = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run(command, capture_output=True, text=True, env=env)

    for args in (["info"], ["--help"], ["train", "--help"], ["validate", "--help"]):
        done = spacy(*args)
        assert done.returncode == 0, (args, done.stderr)
    out = tmp_path / "out.spacy"
    done = spacy("lstm-ner", "convert", RESUME, out)
    if typer == "0.7.0":
        assert done.returncode == 1
        assert 'pip install "typer>=' in done.stdout
    else:
        assert done.returncode == 0, done.stderr
        assert out.is_file()
        done = spacy("lstm-ner", "convert", "--help")
        assert done.returncode == 0 and "--split" in done.stdout


# The lowest versions


@pytest.fixture(scope="module")
def lowest_versions():
    script = REPOSITORY / "scripts" / "lowest_versions.py"
    return runpy.run_path(str(script))["lowest_versions"]


def test_lowest_versions_are_those_of_setup_cfg(lowest_versions):
    config = ConfigParser()
    config.read(REPOSITORY / "setup.cfg", encoding="utf8")
    extras = list(config["options.extras_require"])
    for wanted in ([], ["project"], extras):
        lowest = lowest_versions(REPOSITORY / "setup.cfg", wanted)
        assert {"spacy", "thinc", "typer"} <= lowest.keys()
        assert ("jieba" in lowest) == ("project" in wanted)
    # As they stand there.
    text = (REPOSITORY / "setup.cfg").read_text("utf8")
    for name, number in lowest.items():
        # Possibly with extras, as "ray[data]".
        pattern = rf"\b{re.escape(name)}(\[\w+\])?[>=]={re.escape(number)}"
        assert re.search(pattern, text), name


def test_a_requirement_without_a_lowest_version_is_an_error(lowest_versions, tmp_path):
    path = tmp_path / "setup.cfg"
    path.write_text(
        "[metadata]\nname = a\n[options]\ninstall_requires =\n    b<2\n"
        "[options.extras_require]\nc =\n    d>=1.9,<3\n    a[e]\ne =\n    d>=1.10\n"
    )
    with pytest.raises(ValueError, match="'b<2' has no lowest version"):
        lowest_versions(path, [])
    path.write_text(path.read_text().replace("b<2", "b == 1.0"))
    assert lowest_versions(path, ["c"]) == {"b": "1.0", "d": "1.10"}
    with pytest.raises(ValueError, match="no extra 'f'"):
        lowest_versions(path, ["f"])


def test_lowest_versions_are_not_below_what_spacy_itself_needs(lowest_versions):
    """The lowest spaCy may ask for less than the one that is installed."""
    ours = lowest_versions(REPOSITORY / "setup.cfg", [])
    if version("spacy") != ours["spacy"]:
        pytest.skip("needs the lowest spaCy: .ci/run has it")
    for line in requires("spacy") or []:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if requirement.marker is None and name in ours:
            assert requirement.specifier.contains(ours[name]), line


# What is said of the configs


def test_the_changelog_says_which_configs_pretrain():
    changelog = " ".join((REPOSITORY / "CHANGELOG.md").read_text("utf8").split())
    (said,) = [
        sentence
        for sentence in changelog.split(". ")
        if "configs do not" in sentence and "use it" in sentence
    ]
    # Three of the others are in examples/.
    configs = [*CONFIGS.glob("*.cfg"), *EXAMPLES.rglob("*.cfg")]
    pretrain = {
        path.name for path in configs if "pretrain_steps" in path.read_text("utf8")
    }
    assert {word.strip("`,") for word in said.split() if ".cfg" in word} == pretrain
    assert len(configs) - len(pretrain) == 10 and "the other ten" in said
