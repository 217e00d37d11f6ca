"""Tests and checks, each in a virtual environment of its own.

nox                      # what to run before a commit: lint, types, tests
nox -s lint              # one session
nox -R -s tests          # again in the same environment, without installing
nox -s tests -- -k crf   # arguments after "--" are passed to pytest
nox -s tests -P 3.12     # with another version of Python, if it is installed
"""

import re
import shlex
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"

ROOT = Path(__file__).parent
#: The package without compiled kernels, which take time to build.
NO_KERNELS = {"SPACY_LSTM_NER_KERNELS": "off"}
#: The command in README.md that installs the package and runs its tests.
README_TESTS = re.compile(r"^(pip install .+) && (python -m pytest)$", re.MULTILINE)


def install_and_test(session: nox.Session, *options: str):
    """Run the commands of the README, the second with options and arguments."""
    commands = README_TESTS.search((ROOT / "README.md").read_text("utf8"))
    if commands is None:
        session.error("README.md has no line 'pip install … && python -m pytest'.")
    install, test = map(shlex.split, commands.groups())
    session.run_install(*install)
    session.run(*test, *options, *session.posargs)


def test_without_torch(session: nox.Session, *install_options: str):
    """Run the tests that need no PyTorch, in an environment without it."""
    # The extra `tests` without what needs PyTorch.
    requirements = ("pytest", "pytest-cov", "scikit-learn", "hypothesis")
    session.install(*install_options, "-e", ".[project,parquet]", *requirements)
    session.run("pip", "list")
    # A requirement of a requirement would make this session useless.
    no_torch = "from importlib.util import find_spec; assert not find_spec('torch')"
    session.run("python", "-c", no_torch)
    session.run("python", "-m", "pytest", "-m", "not torch", *session.posargs)


@nox.session
def lint(session):
    """Check style and format (ruff) and the direction of imports (import-linter)."""
    session.install("-e", ".[lint]", env=NO_KERNELS)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session):
    """Check types (mypy, strict)."""
    # The server extends classes of its packages.
    session.install("-e", ".[lint,serve]", env=NO_KERNELS)
    session.run("mypy", *session.posargs)


@nox.session
def tests(session):
    """Install and test as in the README; `-- --run-slow` includes slow tests."""
    install_and_test(session)


@nox.session(default=False)
def coverage(session):
    """Run the tests, and fail if they cover less than pyproject.toml requires."""
    install_and_test(session, "--cov")


@nox.session(default=False)
def no_torch(session):
    """Run the tests without PyTorch."""
    test_without_torch(session)


@nox.session(default=False)
def lowest(session):
    """Run the tests with the lowest versions in setup.cfg, no PyTorch, no kernels."""
    session.env.update(NO_KERNELS)
    script = "scripts/lowest_versions.py"
    versions = session.run("python", script, "project", "tests", silent=True)
    constraints = Path(session.create_tmp(), "lowest.txt")
    constraints.write_text(versions, "utf8")
    test_without_torch(session, "--constraint", str(constraints))


@nox.session(default=False)
def transformers(session):
    """Run the tests of pipelines on a transformer."""
    # Where spacy-transformers is installed, every process that uses spaCy imports
    # PyTorch, so the other tests would take much longer.
    requirements = ("torch==2.13.0", "pytest", "scikit-learn", "hypothesis")
    session.install("-e", ".[project,transformers]", *requirements)
    files = ("pipeline/test_transformer.py", "pipeline/test_windows.py")
    tests = [f"tests/{file}" for file in (*files, "test_configs.py")]
    session.run("python", "-m", "pytest", *tests, *session.posargs)


@nox.session(default=False)
def tools(session):
    """Follow the guides to other tools, and run the notebook, with their packages."""
    packages = ("mlflow", "wandb", "optuna", "spacy-streamlit", "spacy-llm", "nbclient")
    session.install(
        "-e", ".[project]", "pytest", "ipykernel", *packages, env=NO_KERNELS
    )
    # A test is skipped where its package is missing.
    modules = [package.replace("-", "_") for package in packages]
    session.run("python", "-c", f"import ipykernel, {', '.join(modules)}")
    tests = "tests/docs/test_other_tools.py"
    session.run("python", "-m", "pytest", tests, *session.posargs)


@nox.session(default=False)
def distributions(session):
    """Build the distributions, check them, and install them in fresh environments."""
    session.install("build", "twine")
    folder = Path(session.create_tmp()) / "dist"
    for old in folder.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(folder))
    files = [str(path) for path in sorted(folder.iterdir())]
    session.run("twine", "check", "--strict", *files)
    session.run("python", "scripts/check_distributions.py", *files, "--kernels")
    session.run("python", "scripts/check_installs.py", str(folder))


@nox.session(default=False)
def docs(session):
    """Build the documentation into site/, and test it; a broken link is an error."""
    # Other sessions skip the tests of the site.
    session.install("-e", ".[docs]", "pytest", "playwright", env=NO_KERNELS)
    session.run("mkdocs", "build", "--strict", *session.posargs)
    session.run("python", "-m", "pytest", "tests/docs/test_site.py")


@nox.session(default=False)
def benchmarks(session):
    """Measure speed and memory quickly; arguments after "--" replace `--quick`."""
    session.install("-e", ".[benchmarks]")
    session.run("python", "-m", "benchmarks", *(session.posargs or ["--quick"]))
