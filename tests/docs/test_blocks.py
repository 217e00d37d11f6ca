"""The code blocks of README.md, CONTRIBUTING.md and docs/.

- Python blocks are run, in order on each page, and print what the comments at their end
  say; "…" there stands for any text.
- Commands exist, and their options are known; files that they read exist.
- Sections of configs name registered functions, with arguments that these have.
- JSON can be parsed.

The tutorial has blocks with prompts, which test_tutorial.py runs.
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import re
import shlex
import shutil
from configparser import ConfigParser, RawConfigParser
from pathlib import Path

import pytest
import spacy
import srsly
from spacy import registry, util
from spacy.cli._util import app, parse_config_overrides
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from typer.main import get_command

import spacy_lstm_ner.cli  # noqa: F401 (adds its commands to those of spaCy)
from spacy_lstm_ner.data.convert import convert
from spacy_lstm_ner.data.corpus import BIOCorpus

from ..helpers.documentation import PAGES, README, blocks, expected_output, name_of
from ..helpers.paths import REPOSITORY, SAMPLE
from ..helpers.pipelines import SMALL_MODEL

# A block with this in it is run elsewhere.
ELSEWHERE = {'spacy.load("zh_lstm_ner")': "test_project.py runs it with the wheel"}

TOOLS = {"lint-imports", "mkdocs", "mypy", "pre-commit", "ruff"}
PARSED = {"python", "pycon", "bash", "ini", "json"}
OUTPUT = {"text"}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A folder like a checkout in which the commands of the guides were run, but with
    a very small network."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("configs", "assets/sample", "assets/nested"):
        shutil.copytree(REPOSITORY / name, folder / name)
    data = folder / "my-data.jsonl"
    shutil.copy(SAMPLE / "resume.json", data)
    convert([data], folder / "corpus", split="80/10/10")
    fix_random_seed(0)
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    examples: list[Example] = list(BIOCorpus(data, limit=320)(nlp))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(10):
        for batch in minibatch(examples, 16):
            nlp.update(batch, sgd=optimizer, drop=0.2)
    (folder / "training").mkdir()
    nlp.to_disk(folder / "training/model-best")
    return folder


def with_blocks(*languages):
    """Parametrize a test with the pages that have such blocks."""
    pages = [page for page in PAGES if any(blocks(page, each) for each in languages)]
    assert pages
    return pytest.mark.parametrize("page", pages, ids=name_of)


def as_pattern(expected):
    return ".*".join(re.escape(part) for part in expected.split("…"))


@with_blocks("python")
def test_python_blocks_print_what_they_say(page, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    names = {"__name__": "__main__"}
    n_run = 0
    for block in blocks(page, "python"):
        if block.reason or any(words in block.code for words in ELSEWHERE):
            continue
        output = io.StringIO()
        code = compile("\n" * block.line + block.code, str(page), "exec")
        with contextlib.redirect_stdout(output):
            exec(code, names)
        n_run += 1
        if expected := expected_output(block.code):
            assert re.fullmatch(as_pattern(expected), output.getvalue(), re.DOTALL), (
                f"{page}:{block.line} prints\n{output.getvalue()}"
            )
    assert n_run or page == README


def test_outputs_are_compared():
    assert expected_output("x = 1\nprint(x)\n\n# 1\n# 2\n") == "1\n2\n"
    assert expected_output("x = 1\n\n# A comment.\nprint(x)\n") == ""
    assert re.fullmatch(as_pattern("0.9…\n"), "0.95\n")
    assert not re.fullmatch(as_pattern("0.9…\n"), "0.85\n")


def test_quick_start_has_the_example_of_the_readme():
    examples = [
        [b.code for b in blocks(page, "python") if "zh_lstm_ner" in b.code]
        for page in (README, REPOSITORY / "docs/quickstart.md")
    ]
    assert examples[0] == examples[1]
    assert len(examples[0]) == 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_checked_or_is_output(page):
    languages = re.findall(r"^ *```(.*)$", page.read_text("utf8"), re.MULTILINE)[::2]
    assert set(languages) <= PARSED | OUTPUT


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_that_are_not_run_say_why(page):
    for language in PARSED:
        for block in blocks(page, language):
            assert block.reason is None or len(block.reason.split()) > 2


# Commands


def lines_of(page):
    return [
        command
        for block in blocks(page, "bash")
        if not block.reason
        for line in block.code.splitlines()
        for command in line.split(" && ")
        if command
    ]


@with_blocks("bash")
def test_commands_exist(page, checkout, monkeypatch):
    for command in lines_of(page):
        monkeypatch.chdir(checkout)
        check_command(shlex.split(command))


def check_command(words):
    match words:
        case ["python", "-m", "spacy", "project", "run", name, *rest]:
            check_project_run(name, rest)
        case ["python", "-m", "spacy", *arguments]:
            check_spacy(arguments)
        case ["python", "-m", module, *arguments]:
            spec = importlib.util.find_spec(f"{module}.__main__")
            assert spec is not None, words
            if module == "benchmarks":
                source = "".join(
                    path.read_text("utf8")
                    for path in (REPOSITORY / "benchmarks").glob("*.py")
                )
                check_options(arguments, source)
            check_paths(arguments)
        case ["python", script, *arguments]:
            check_options(arguments, (REPOSITORY / script).read_text("utf8"))
        case ["pip", "install", *arguments]:
            check_requirements(arguments)
        case ["nox", "-s", *sessions]:
            check_sessions(sessions)
        case [program, *_]:
            assert program in TOOLS, words


def check_spacy(arguments):
    command = get_command(app)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        assert name in command.commands, name
        command = command.commands[name]
    # An unknown option, a missing argument or a file that has to exist raises.
    context = command.make_context(name, list(arguments))
    if name == "train":
        overrides = parse_config_overrides(context.args)
        config = util.load_config(arguments[0])
        for key in overrides:
            section, _, setting = key.rpartition(".")
            for part in section.split("."):
                config = config[part]
            if reader := overrides.get(f"{section}.@readers"):
                config |= inspect.signature(registry.readers.get(reader)).parameters
            assert setting in config, key
            config = util.load_config(arguments[0])
    else:
        assert not context.args, context.args


def check_project_run(name, rest):
    project = srsly.read_yaml(REPOSITORY / "project.yml")
    names = {command["name"] for command in project["commands"]}
    assert name in names | project["workflows"].keys(), name
    if rest:
        assert rest[0] == "."
        for option in rest[1::2]:
            assert option.removeprefix("--vars.") in project["vars"], option


def check_options(arguments, source):
    """A script declares its options by name, or by the names of arguments."""
    for option in arguments:
        if option.startswith("-"):
            name = option.lstrip("-").replace("-", "_")
            declared = f'"{option}"' in source or re.search(rf"\b{name}:", source)
            assert declared, option


def check_paths(arguments):
    for path in arguments:
        if "/" in path and not path.startswith("-"):
            assert (REPOSITORY / path).exists(), path


def check_requirements(arguments):
    setup = RawConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf8")
    for extra in re.findall(r"\.\[(\w+)\]", " ".join(arguments)):
        assert setup.has_option("options.extras_require", extra), extra


def check_sessions(sessions):
    noxfile = (REPOSITORY / "noxfile.py").read_text("utf8")
    declared = re.findall(r"^@nox.session.*\ndef (\w+)\(", noxfile, re.MULTILINE)
    assert set(sessions) <= set(declared)


def test_sessions_of_the_table_exist():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf8")
    sessions = re.findall(r"`nox -s ([\w ]+)`", text)
    assert len(sessions) > 5
    check_sessions(" ".join(sessions).split())


@pytest.mark.parametrize(
    "command",
    [
        "python -m spacy lstm-ner chek corpus/train.spacy",
        "python -m spacy lstm-ner check corpus/train.spacy --langage zh",
        "python -m spacy train configs/lstm_ner.cfg --paths.tran corpus/train.spacy",
        "python -m spacy train configs/no.cfg --output training",
        "python -m spacy train configs/lstm_ner.cfg --corpora.train.silver a.spacy",
        "python -m spacy project run al",
        "python -m spacy project run all . --vars.dateset news",
        "python -m benchmarks --quik",
        "python scripts/run_experiments.py --job 2",
        'pip install -e ".[doc]"',
        "rm -rf /",
    ],
)
def test_wrong_commands_are_noticed(command, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    with pytest.raises((Exception, SystemExit)):
        check_command(shlex.split(command))


# Configs and data


@with_blocks("ini")
def test_configs_name_registered_functions_and_their_arguments(page):
    for block in blocks(page, "ini"):
        if "spacy-transformers." in block.code:
            pytest.importorskip("spacy_transformers")  # which adds a registry, too
        config = ConfigParser(interpolation=None)
        config.optionxform = str
        config.read_string(block.code)
        for section in config.sections():
            check_section(section, dict(config[section]), config.sections())


def check_section(section, values, sections):
    functions = {key[1:]: value for key, value in values.items() if key[0] == "@"}
    for kind, value in functions.items():
        function = registry.get(kind, json.loads(value))
        known = inspect.signature(function).parameters
        given = [key for key in values if key[0] != "@"]
        given += [
            name.removeprefix(f"{section}.")
            for name in sections
            if name.rpartition(".")[0] == section
        ]
        assert set(given) <= set(known), section
    if not functions:
        place = util.load_config(REPOSITORY / "configs/no_lexicon.cfg")
        for part in section.split("."):
            place = place.get(part, {})
        allowed = {*place, "source", "pretrain_steps", "component", "layer"}
        assert values.keys() <= allowed, section


def test_wrong_configs_are_noticed():
    with pytest.raises(AssertionError):
        check_section("a", {"@readers": '"spacy.Corpus.v1"', "pth": "1"}, [])
    with pytest.raises(Exception, match="NoSuch"):
        check_section("a", {"@readers": '"NoSuch.v1"'}, [])
    with pytest.raises(AssertionError):
        check_section("training", {"droput": "1"}, [])


@with_blocks("json")
def test_json_can_be_parsed(page):
    for block in blocks(page, "json"):
        for line in block.code.splitlines():
            json.loads(line)


def test_the_fixture_is_a_checkout(checkout):
    assert {path.name for path in Path(checkout / "corpus").iterdir()} == {
        "train.spacy",
        "dev.spacy",
        "test.spacy",
    }
    assert os.listdir(checkout / "training") == ["model-best"]
