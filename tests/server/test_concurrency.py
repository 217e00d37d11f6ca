"""Concurrent requests: clients that disconnect, and shutdown during a computation."""

import json
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from time import monotonic, sleep

import pytest
from spacy.language import Language

from spacy_lstm_ner.server.app import DemoServer
from spacy_lstm_ner.server.demo import Demo

from ..helpers.pipelines import found, loaded_again
from ..helpers.processes import served
from ..helpers.requests import TEXT, ask, entities

# Each of these takes hundreds of texts to tell the reasons for.
LONG = [f"{number}号王芳任北京大学教授" * 20 for number in range(10)]


class Held:
    """A component that records the texts that it processes. It waits at texts with "号"
    until it is released."""

    def __init__(self):
        self.seen = []
        self.holds = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, doc):
        self.seen.append(doc.text)
        if "号" in doc.text:
            self.holds.set()
            assert self.go_on.wait(60)
        return doc


@Language.factory("held")
def make_held(nlp, name):
    return Held()


@contextmanager
def serving(demo, server_class=DemoServer):
    server = server_class(demo, port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.close()


@pytest.fixture
def held_server(trained):
    """A server, and the component that blocks its pipeline."""
    nlp = loaded_again(trained)
    nlp.add_pipe("held", first=True)
    held = nlp.get_pipe("held")
    held.go_on.set()
    with serving(Demo(lambda: nlp)) as server:
        held.seen.clear()
        held.holds.clear()
        held.go_on.clear()
        try:
            yield server, held
        finally:
            held.go_on.set()


def send(server, path, question):
    """Send a request, and return the connection."""
    body = json.dumps(question).encode()
    connection = socket.create_connection(server.server_address[:2], timeout=30)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def until(condition, seconds=10):
    """Wait until a condition is true."""
    end = monotonic() + seconds
    while not condition() and monotonic() < end:
        sleep(0.02)
    return condition()


def test_dropped_requests_are_not_computed(held_server):
    server, held = held_server
    threads = threading.active_count()
    begun = send(server, "/gates", {"text": LONG[0], "why": True})
    assert held.holds.wait(20)
    with ThreadPoolExecutor() as pool:
        waiting = [
            send(server, "/gates", {"text": text, "why": True}) for text in LONG[1:8]
        ] + [send(server, "/entities", {"texts": [LONG[8]]})]
        assert until(lambda: threading.active_count() >= threads + 9)
        simple = pool.submit(entities, server, TEXT)
        assert until(lambda: threading.active_count() >= threads + 10)
        for connection in (begun, *waiting):
            connection.close()
        # Nobody stays but who asked the simple one: two threads of server and test.
        dropped = until(lambda: threading.active_count() <= threads + 2, 5)
        held.go_on.set()
        assert simple.result(60)[0]
    assert dropped
    # Of the one that was begun there was the text, and at most a batch of those in
    # which a character is out of sight.
    others = [text for text in held.seen if text != TEXT]
    assert 0 < len(others) <= 60
    assert all("0号" in text for text in others)


def test_explanations_are_the_same_with_other_requests_between(held_server, trained):
    server, held = held_server
    held.go_on.set()
    asked = {"text": LONG[0][:100], "why": True}
    alone = ask(server, "POST", "/gates", asked)[2]
    with ThreadPoolExecutor() as pool:
        long = pool.submit(ask, server, "POST", "/gates", asked)
        # Words and gates of others are not mixed up with it.
        while not long.done():
            gates = ask(server, "POST", "/gates", {"text": TEXT})[2]["page"]
            assert "<h2>Attribution</h2>" not in gates
            assert [e["label"] for e in entities(server, TEXT)[0]] == [
                label for _, _, label in found(trained(TEXT))
            ]
    assert long.result()[2] == alone


def test_a_pipeline_that_merges_entities(trained):
    nlp = loaded_again(trained)
    nlp.add_pipe("merge_entities")
    text = TEXT * 100  # and so in windows
    with serving(Demo(lambda: nlp)) as server:
        short, long = entities(server, TEXT, text)
        for answer, doc in ((short, trained(TEXT)), (long, trained(text))):
            assert [(e["start"], e["end"], e["label"]) for e in answer] == found(doc)
            scores = doc.spans["lstm_ner"].attrs["scores"]
            assert [e["score"] for e in answer] == pytest.approx(scores, abs=1e-5)
        status, _, answer = ask(
            server, "POST", "/gates", {"text": TEXT[:10], "why": True}
        )
        assert status == 200 and "<h2>Attribution</h2>" in answer["page"]


# Its end

SERVED = """
import time
from spacy.language import Language

@Language.component("takes_long")
def takes_long(doc):
    time.sleep(60 if "busy" in doc.text else 0.03)
    return doc

from spacy.cli import setup_cli
setup_cli()
"""


@Language.component("takes_long")
def takes_long(doc):
    return doc


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    "number, path, question",
    [
        # It takes half a minute, and can be cancelled.
        (signal.SIGINT, "/gates", {"text": LONG[0], "why": True}),
        # It takes a minute, and cannot.
        (signal.SIGTERM, "/entities", {"texts": ["busy"]}),
    ],
)
def test_server_stops_at_once_whatever_is_computed(
    trained, tmp_path, number, path, question
):
    nlp = loaded_again(trained)
    nlp.add_pipe("takes_long", first=True)
    nlp.to_disk(tmp_path)
    args = "-c", SERVED, "lstm-ner", "visualize", tmp_path
    with served(sys.executable, *args) as (process, port):
        client = HTTPConnection("127.0.0.1", port, timeout=30)
        client.request(
            "POST",
            path,
            json.dumps(question).encode(),
            {"Content-Type": "application/json"},
        )
        sleep(0.5)
        process.send_signal(number)
        sleep(0.25)
        process.send_signal(number)  # whoever is impatient, while it is closed
        # Two seconds, and more where tests share the machine.
        _, errors = process.communicate(timeout=8)
        assert (process.returncode, errors) == (0, "")
        response = client.getresponse()
        assert response.status == 503 and b"shutting down" in response.read()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
