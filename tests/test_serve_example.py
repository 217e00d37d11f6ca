"""examples/serve, as far as it can be checked without a container engine."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import srsly
from spacy.cli._util import app
from typer.main import get_command

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)

from .helpers.paths import REPOSITORY

FOLDER = REPOSITORY / "examples" / "serve"


def instructions():
    text = (FOLDER / "Dockerfile").read_text("utf8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]


def one(name):
    (value,) = (value for kind, value in instructions() if kind == name)
    return value


@pytest.fixture
def compose():
    return srsly.read_yaml(FOLDER / "compose.yaml")


def health_command():
    return json.loads(one("HEALTHCHECK").partition("CMD")[2])


def test_command_of_the_image_is_one_of_ours():
    python, module, spacy, *arguments = json.loads(one("CMD"))
    assert (python, module, spacy) == ("python", "-m", "spacy")
    command = get_command(app)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    # An unknown option or a missing argument raises.
    parameters = command.make_context(name, arguments).params
    assert name == "serve" and parameters["model"] == "/srv/model"
    assert str(parameters["token_file"]) == "/run/secrets/token"
    assert str(parameters["port"]) == one("EXPOSE")


def test_image_is_small_and_not_root():
    kinds = [kind for kind, _ in instructions()]
    assert one("FROM") == "python:3.12-slim"
    assert re.fullmatch(r"[1-9]\d+", one("USER"))
    made = " ".join(value for kind, value in instructions() if kind == "RUN")
    assert f"--uid {one('USER')} " in made
    assert kinds.index("USER") < kinds.index("CMD")


def test_what_is_copied_is_there_or_explained():
    readme = (FOLDER / "README.md").read_text("utf8")
    kept = (FOLDER / ".dockerignore").read_text("utf8").split()
    for kind, value in instructions():
        if kind == "COPY":
            source = next(word for word in value.split() if not word.startswith("--"))
            assert (FOLDER / source).exists() or f" {source}\n" in readme
            assert f"!{source}" in kept


def test_secrets_and_limits_of_compose(compose):
    (service,) = compose["services"].values()
    (name,) = service["secrets"]
    source = compose["secrets"][name]["file"].removeprefix("./")
    ignored = (FOLDER / ".gitignore").read_text("utf8").split()
    readme = (FOLDER / "README.md").read_text("utf8")
    assert source in ignored and f"> {source}" in readme
    assert f"/run/secrets/{name}" in json.loads(one("CMD"))
    assert service["read_only"] is True and service["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["healthcheck"]["test"] == ["CMD", *health_command()]
    (service_name,) = compose["services"]
    assert f'"--allowed-host", "{service_name}"' in one("CMD")


def test_health_check_against_a_server(demo_server):
    python, script, url = health_command()
    assert (FOLDER / script.rpartition("/")[2]).is_file() and python == "python"
    ours = url.replace("http://127.0.0.1:8000/", demo_server.url)
    for address, code in {ours: 0, demo_server.url + "nowhere": 1}.items():
        command = [sys.executable, str(FOLDER / "health.py"), address]
        assert subprocess.run(command, capture_output=True).returncode == code


def test_commands_of_the_readme_are_complete():
    readme = (FOLDER / "README.md").read_text("utf8")
    for block in re.findall(r"```bash\n(.*?)```", readme, re.DOTALL):
        assert shlex.split(block)
