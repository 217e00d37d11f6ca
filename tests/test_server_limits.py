"""What the local server withstands: requests nobody waits for, too many of them, slow
ones, and its end in the middle of all that."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from time import monotonic, sleep

import pytest
from spacy.language import Language

from spacy_lstm_ner.demo import Demo
from spacy_lstm_ner.visualize import DemoServer

from .conftest import found, loaded_again
from .test_visualize import TEXT, ask, entities

# Each of these takes hundreds of texts to tell the reasons for.
LONG = [f"{number}号王芳任北京大学教授" * 20 for number in range(10)]


class Held:
    """A component that keeps the texts that it has seen, and waits at texts with "号"
    while it is told to hold them."""

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
    """A server, and the component that holds its pipeline."""
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
    """Begin a request: the connection."""
    body = json.dumps(question).encode()
    connection = socket.create_connection(server.server_address[:2], timeout=30)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def received(connection):
    """All that comes, until the server closes the connection."""
    with connection, connection.makefile("rb") as file:
        return file.read().decode()


def until(condition, seconds=10):
    """Wait for something, which comes soon."""
    end = monotonic() + seconds
    while not condition() and monotonic() < end:
        sleep(0.02)
    return condition()


# Requests nobody waits for


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


def test_short_requests_overtake_long_ones(held_server):
    server, held = held_server
    with ThreadPoolExecutor() as pool:
        asked = {"text": LONG[0], "why": True}
        long = pool.submit(ask, server, "POST", "/gates", asked)
        assert held.holds.wait(20)
        short = pool.submit(entities, server, TEXT)
        sleep(0.1)
        held.go_on.set()
        assert short.result(60) == entities(server, TEXT)
        assert not long.done()
        status, _, answer = long.result(60)
    assert status == 200 and "Why these entities" in answer["page"]
    place = held.seen.index(TEXT)
    assert len(held.seen) - place > 100


def test_reasons_are_the_same_with_other_requests_between(held_server, trained):
    server, held = held_server
    held.go_on.set()
    asked = {"text": LONG[0][:100], "why": True}
    alone = ask(server, "POST", "/gates", asked)[2]
    with ThreadPoolExecutor() as pool:
        long = pool.submit(ask, server, "POST", "/gates", asked)
        # Words and gates of others are not mixed up with it.
        while not long.done():
            gates = ask(server, "POST", "/gates", {"text": TEXT})[2]["page"]
            assert "Why these entities" not in gates
            assert [e["label"] for e in entities(server, TEXT)[0]] == [
                label for _, _, label in found(trained(TEXT))
            ]
    assert long.result()[2] == alone


# Too many of them


def test_a_full_queue_is_told_with_503(held_server):
    server, held = held_server
    asked = {"text": LONG[0], "why": True}
    threads = threading.active_count()
    connections = [send(server, "/gates", asked)]
    assert held.holds.wait(20)
    connections += [send(server, "/gates", asked) for _ in range(8)]
    assert until(lambda: threading.active_count() >= threads + 9)
    sleep(0.2)
    try:
        answer = received(send(server, "/gates", asked))
        head, _, body = answer.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 503 ")
        seconds = re.search(r"\r\nRetry-After: (\d+)", head)[1]
        assert json.loads(body) == {
            "error": f"Too many requests are waiting already: try again in {seconds} s."
        }
    finally:
        for connection in connections:
            connection.close()
        held.go_on.set()
    # Short ones have a queue of their own, and those who have gone make room.
    assert entities(server, TEXT)[0]
    short = {"text": LONG[0][:12], "why": True}
    assert until(lambda: ask(server, "POST", "/gates", short)[0] == 200)


def test_threads_are_bounded(trained):
    class Small(DemoServer):
        most_connections = 4

    with serving(Demo(lambda: loaded_again(trained)), Small) as server:
        threads = threading.active_count()
        address = server.server_address[:2]
        idle = [socket.create_connection(address, timeout=10) for _ in range(20)]
        until(lambda: threading.active_count() >= threads + 20, 1)
        try:
            assert threading.active_count() <= threads + 4
        finally:
            for connection in idle:
                connection.close()
        assert entities(server, TEXT)[0]


def test_clients_that_come_all_at_once_are_not_reset(trained):
    demo = Demo(lambda: loaded_again(trained))
    server = DemoServer(demo, port=0)
    # Nobody takes connections yet: they wait in the backlog.
    try:
        connections = []
        for _ in range(60):
            connection = socket.create_connection(server.server_address[:2], 2)
            connection.settimeout(30)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connections.append(connection)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for connection in connections:
            connection.shutdown(socket.SHUT_WR)
            assert received(connection).startswith("HTTP/1.1 200 ")
        server.shutdown()
        thread.join()
    finally:
        server.close()


# Slow and odd ones


@pytest.mark.parametrize("part", ["head", "content"])
def test_a_request_has_a_time_as_a_whole(trained, part):
    class Impatient(DemoServer):
        request_seconds = 0.5

    head = b"POST /entities HTTP/1.1\r\nHost: localhost\r\n"
    if part == "content":
        head += b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    with serving(Demo(lambda: loaded_again(trained)), Impatient) as server:
        connection = socket.create_connection(server.server_address[:2])
        connection.sendall(head)
        connection.settimeout(0.1)
        answer = None
        # A byte at a time, each of them soon enough.
        for _ in range(40):
            try:
                connection.sendall(b"x")
                answer = connection.recv(10_000)
                break
            except TimeoutError:
                pass
            except ConnectionError:
                answer = b""
                break
        assert answer is not None, "it is waited for without an end"
        connection.settimeout(30)
        if part == "content":
            said = answer.decode() + received(connection)
            assert " 408 " in said and "longer than 0.5 s" in said
        connection.close()


def test_connections_are_not_kept_open(demo_server):
    connection = send(demo_server, "/entities", {"texts": [TEXT]})
    answer = received(connection)
    assert "\r\nConnection: close\r\n" in answer


BODY = b'{"texts": [""]}'
LENGTH = f"Content-Length: {len(BODY)}\r\n"


@pytest.mark.parametrize(
    "head, status, said",
    [
        ("", 411, "length of the content is missing"),
        ("Transfer-Encoding: chunked\r\n", 411, "in chunks is not read"),
        ("Transfer-Encoding: chunked\r\n" + LENGTH, 400, "in chunks is not read"),
        ("Transfer-Encoding: identity\r\n" + LENGTH, 400, "in chunks is not read"),
        (LENGTH * 2, 400, "Content-Length is there 2 times"),
        (LENGTH + "Content-Length: 1\r\n", 400, "Content-Length is there 2 times"),
        (f"Content-Length: {len(BODY)}, {len(BODY)}\r\n", 400, "is not a number"),
        ("Content-Length: -1\r\n", 400, "is not a number"),
        ("Content-Length: +15\r\n", 400, "is not a number"),
        ("Content-Length: 1_5\r\n", 400, "is not a number"),
        ("Content-Length: １５\r\n", 400, "is not a number"),
        ("Content-Length: \r\n", 400, "is not a number"),
        (f"Content-Length: {'9' * 5000}\r\n", 413, "has at most"),
        ("Host: localhost\r\n" + LENGTH, 400, "Host is there 2 times"),
    ],
)
def test_requests_that_can_be_read_in_two_ways(demo_server, head, status, said):
    connection = socket.create_connection(demo_server.server_address[:2], timeout=10)
    connection.sendall(
        b"POST /entities HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\n" + head.encode() + b"\r\n" + BODY
    )
    # Otherwise it would wait for us to read the answer.
    connection.shutdown(socket.SHUT_WR)
    answer = received(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert said in json.loads(answer.partition("\r\n\r\n")[2])["error"]


# Pipelines


def test_a_pipeline_that_fails_in_the_middle(trained, capsys):
    @Language.component("fails_in_the_middle")
    def fails(doc):
        if "x" in doc.text:
            raise {"x": ValueError, "xx": SystemExit, "xxx": MemoryError}[doc.text](1)
        return doc

    nlp = loaded_again(trained)
    nlp.add_pipe("fails_in_the_middle")
    with serving(Demo(lambda: nlp)) as server:
        strings = len(nlp.vocab.strings)
        for bad in ("x", "xx", "xxx"):
            texts = [TEXT, "新", bad, TEXT]
            status, _, answer = ask(server, "POST", "/entities", {"texts": texts})
            assert status == 500 and len(answer["error"].split()) > 3
            assert entities(server, TEXT, "") == [entities(server, TEXT)[0], []]
        assert len(nlp.vocab.strings) == strings
    assert "ValueError: 1" in capsys.readouterr().err


def test_a_pipeline_that_cannot_be_loaded_ends_its_thread():
    threads = threading.active_count()
    for error in (OSError("no model"), SystemExit(1)):

        def load(error=error):
            raise error

        with pytest.raises(type(error)):
            Demo(load)
    assert until(lambda: threading.active_count() == threads)


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
        assert status == 200 and "Why these entities" in answer["page"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_memory_does_not_grow(demo_server):
    from resource import getpagesize

    def memory():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * getpagesize()

    def many(count):
        with ThreadPoolExecutor(8) as pool:
            texts = (f"{chr(0x4E00 + k)}芳{k}" + TEXT for k in range(count))
            for answer in pool.map(lambda text: entities(demo_server, text), texts):
                assert answer

    many(500)
    before = memory()
    many(4_000)
    assert memory() - before < 15_000_000


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
def test_it_ends_at_once_whatever_is_computed(
    trained, tmp_path, number, path, question
):
    nlp = loaded_again(trained)
    nlp.add_pipe("takes_long", first=True)
    nlp.to_disk(tmp_path)
    args = ["lstm-ner", "visualize", str(tmp_path), "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVED, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf8",
        # Tests that run in the background ignore it, and so would this process.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )
    try:
        for line in process.stdout:
            if address := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                break
        port = int(address[1])
        client = HTTPConnection("127.0.0.1", port, timeout=30)
        client.request(
            "POST",
            path,
            json.dumps(question).encode(),
            {"Content-Type": "application/json"},
        )
        sleep(0.5)
        process.send_signal(number)
        # Two seconds, and more where tests share the machine.
        _, errors = process.communicate(timeout=8)
        assert (process.returncode, errors) == (0, "")
        response = client.getresponse()
        assert response.status == 503 and b"being stopped" in response.read()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
    finally:
        process.kill()
        process.communicate()
