"""The commands `serve` and `visualize`."""

import json
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from time import monotonic, sleep

import pytest
from spacy.language import Language

from spacy_lstm_ner.cli import serving as shared
from spacy_lstm_ner.server import run
from spacy_lstm_ner.server.service import Service

from ..helpers.commands import run_command
from ..helpers.pipelines import found, loaded_again
from ..helpers.processes import served
from ..helpers.requests import JSON, TEXT, answer, request

TOKEN = "0123456789-abcdef"
signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture
def model(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path


@pytest.fixture
def services(monkeypatch):
    """The services that commands would run, which are closed at once."""
    found = []

    def close(service, announce):
        found.append(service)
        announce()
        return service.stop()

    monkeypatch.setattr(run, "serve_until_stopped", close)
    return found


@pytest.mark.parametrize("command", ["serve", "visualize"])
def test_missing_pipeline(command):
    code, output = run_command(command, "nowhere")
    assert code == 1 and "Can't find model 'nowhere'" in output


@pytest.mark.parametrize("command", ["serve", "visualize"])
def test_missing_packages(command, monkeypatch):
    monkeypatch.setattr(shared, "find_spec", lambda name: None)
    code, output = run_command(command, "nowhere")
    assert code == 1 and 'pip install "spacy-lstm-ner[serve]"' in output


def test_visualize_warns_about_a_public_address(model, services, monkeypatch):
    opened = []
    monkeypatch.setattr(run, "open_in_browser", opened.append)
    code, output = run_command(
        "visualize", model, "--port", 0, "--host", "0.0.0.0", "--no-browser"
    )
    assert code == 0 and "Everybody who can reach 0.0.0.0" in output and not opened
    code, output = run_command("visualize", model, "--port", 0)
    assert code == 0 and "Everybody" not in output
    assert len(opened) == 1 and opened[0] in output
    assert all(service.settings.all_entities for service in services)


def test_other_hosts_need_a_token_or_a_choice(model, token_file, services):
    public = ("serve", model, "--port", 0, "--host", "0.0.0.0")
    code, output = run_command(*public)
    assert code == 1 and "--token-file" in output and "--no-token" in output
    code, output = run_command(*public, "--token-file", token_file, "--no-token")
    assert code == 1 and "Choose one of" in output
    code, output = run_command(*public, "--token-file", token_file.parent / "no")
    assert code == 1 and "No such file" in output
    assert not services
    code, output = run_command(*public, "--no-token")
    assert code == 0 and "Everybody who can reach 0.0.0.0" in output
    code, output = run_command(*public, "--token-file", token_file)
    assert code == 0 and "Everybody" not in output and "can read" not in output
    token_file.chmod(0o644)
    code, output = run_command("serve", model, "--port", 0, "--token-file", token_file)
    assert code == 0 and "Other users of this machine can read" in output
    assert [service.settings.token for service in services] == [None, TOKEN, TOKEN]
    # The page could not send it.
    assert [service.settings.page for service in services] == [True, False, False]
    code, output = run_command("serve", model, "--token-file", token_file, "--page")
    assert code == 1 and "leave out --page" in output


def test_options_are_passed_on(model, services):
    options = {
        "--max-characters": 10,
        "--max-texts": 2,
        "--timeout": 3.5,
        "--queue": 4,
        "--port": 0,
    }
    words = [word for option in options.items() for word in option]
    names = ["--allowed-host", "a", "--allowed-host", "b", "--no-page"]
    assert run_command("serve", model, *words, *names)[0] == 0
    (service,) = services
    settings = service.settings
    assert (settings.characters, settings.texts, settings.seconds, settings.queue) == (
        *(10, 2, 3.5),
        4,
    )
    assert settings.allowed_hosts == ("a", "b") and not settings.page
    assert not settings.all_entities


# The process

SERVED = """
import time
from spacy.language import Language

@Language.component("takes_time")
def takes_time(doc):
    time.sleep(60 if "busy" in doc.text else 0.6 if "a while" in doc.text else 0.03)
    return doc

from spacy.cli import setup_cli
setup_cli()
"""


@Language.component("takes_time")
def takes_time(doc):
    return doc


def slow_model(trained, folder):
    nlp = loaded_again(trained)
    nlp.add_pipe("takes_time", first=True)
    nlp.to_disk(folder)
    return "-c", SERVED, "lstm-ner", "serve", folder


@signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["serve", "visualize"])
def test_url_is_printed_and_signals_stop_it(trained, model, command, number):
    args = "-m", "spacy", "lstm-ner", command, model
    options = ("--no-browser",) if command == "visualize" else ()
    with served(sys.executable, *args, options=options) as (process, port):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/entities", json.dumps({"text": TEXT}), JSON)
        ents = json.load(connection.getresponse())["entities"]
        assert [(e["start"], e["end"], e["label"]) for e in ents] == found(
            trained(TEXT)
        )
        # Connections that are kept open do not keep it.
        idle = socket.create_connection(("127.0.0.1", port))
        began = monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
        assert monotonic() - began < 4
        idle.close()


@signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_begun_is_finished(trained, tmp_path, number):
    args = slow_model(trained, tmp_path)
    with (
        served(sys.executable, *args, options=()) as (process, port),
        ThreadPoolExecutor() as pool,
    ):
        connections = [
            socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(3)
        ]
        for k, connection in enumerate(connections):
            text = f"a while {TEXT}" if k == 0 else TEXT
            connection.sendall(request("/entities", {"text": text}))
            sleep(0.1)
        process.send_signal(number)
        responses = list(pool.map(answer, connections))
        assert [status for status, _ in responses] == [200, 200, 200]
        assert process.wait(10) == 0


@signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "path, question",
    [
        # It takes half a minute, and can be cancelled.
        ("/gates", {"text": "0号王芳任北京大学教授" * 20, "why": True}),
        # It takes a minute, and cannot.
        ("/entities", {"texts": ["busy"]}),
    ],
)
def test_server_stops_whatever_is_computed(trained, tmp_path, number, path, question):
    args = slow_model(trained, tmp_path)
    with served(sys.executable, *args, options=()) as (process, port):
        address = "127.0.0.1", port
        client = socket.create_connection(address, timeout=30)
        client.sendall(request(path, question))
        half = socket.create_connection(address, timeout=30)
        half.sendall(request(path, question)[:-5])
        sleep(0.5)
        began = monotonic()
        process.send_signal(number)
        sleep(0.25)
        process.send_signal(number)  # whoever is impatient, while it is closed
        # Two seconds, and more where tests share the machine.
        _, errors = process.communicate(timeout=8)
        print(f"{monotonic() - began:.2f} s")
        assert (process.returncode, errors) == (0, "")
        status, said = answer(client)
        assert status == 503 and "is shutting down" in said
        half.close()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(address)


def test_a_service_that_was_not_started_can_be_stopped(trained):
    service = Service(lambda: loaded_again(trained), port=0)
    began = monotonic()
    assert service.stop() and monotonic() - began < 1
