"""`python -m spacy lstm-ner gates`, as a user types it."""

import pytest
from typer.testing import CliRunner

from spacy_lstm_ner.cli import lstm_ner_cli
from spacy_lstm_ner.pages.gates_page import MAX_UNITS

from ..helpers.paths import EASY


@pytest.fixture(scope="module")
def text(examples):
    return examples[0].text


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gates") / "model"
    trained.to_disk(folder)
    return folder


def run(*arguments, **more):
    return CliRunner().invoke(lstm_ner_cli, ["gates", *map(str, arguments)], **more)


def test_the_command_writes_the_page(model, tmp_path, text, open_page):
    out = tmp_path / "new" / "gates.html"
    result = run(model, text, out, "--corpus", EASY, "--quiet")
    assert result.exit_code == 0, result.output
    assert str(out) in result.output.replace("\n", "")
    page = open_page(out.read_text("utf8"))
    assert "Hidden units that follow entities" in page.inner_text("body")
    assert "Attribution" in page.inner_text("body")


def test_the_command_reads_standard_input_and_omits_attribution(model, tmp_path):
    out = tmp_path / "gates.html"
    result = run(model, "-", out, input="王芳任教授" * 70 + "\n")
    assert result.exit_code == 0, result.output
    assert "More than 300 characters: without attribution" in result.output
    assert "<h2>Attribution</h2>" not in out.read_text("utf8")
    for option in ("--no-attribution", "--no-why"):
        assert run(model, "王芳", out, option).exit_code == 0
    assert "<h2>Attribution</h2>" not in out.read_text("utf8")


def test_the_command_says_what_is_wrong(model, tmp_path):
    out = tmp_path / "gates.html"
    long = "王" * (MAX_UNITS + 1)
    for arguments, said in [
        ((model, long, out), "a page shows at most 1,000"),
        ((model, "", out), "The text is empty"),
        ((tmp_path / "nowhere", "王芳", out), "nowhere"),
        ((model, "王芳", out, "--corpus", tmp_path / "no.spacy"), "no such file"),
        (
            (model, "王芳", out, "--component", "other"),
            "with the name 'other'",
        ),
    ]:
        result = run(*arguments)
        assert result.exit_code == 1
        assert said in result.output.replace("\n", ""), result.output
        assert "Traceback" not in result.output
    assert not out.exists()
