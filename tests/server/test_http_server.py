"""The server under load: slow and malformed requests, clients that disconnect, failures
and shutdown."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
import spacy
from spacy.language import Language

import spacy_lstm_ner.interpret.attribution as attribution
import spacy_lstm_ner.pipeline.batch as batch_module
import spacy_lstm_ner.server.demo
from spacy_lstm_ner.server.app import DemoServer
from spacy_lstm_ner.server.demo import Demo

from ..helpers.pipelines import found, loaded_again
from ..helpers.processes import served
from ..helpers.requests import TEXT, ask, entities

WHY = {"text": (TEXT * 20)[:128], "why": True}


def request(path, body, *headers, host="127.0.0.1"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    if not any(header.lower().startswith("content-length") for header in headers):
        headers = (*headers, f"Content-Length: {len(body)}")
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", *headers]
    return (
        "\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode() + body
    )


def connect(server, data=b""):
    connection = socket.create_connection(server.server_address[:2], timeout=20)
    connection.sendall(data)
    return connection


def answer(connection):
    """Return the status and the whole response."""
    said = b""
    while piece := connection.recv(65_536):
        said += piece
    connection.close()
    return int(said.split()[1]) if said else None, said.decode()


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "that did not come"
        time.sleep(0.01)


@pytest.fixture
def serve():
    """Start servers, and stop them at the end."""
    servers = []

    def begin(load, **attributes):
        server = type("Server", (DemoServer,), attributes)(Demo(load), port=0)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        servers.append((server, thread))
        return server

    yield begin
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.close()


@pytest.fixture
def slow_parts(monkeypatch):
    """Make explanations slow. Yields the parts computed so far, and an event that makes
    the rest fast."""
    parts, fast = [], Event()
    real = attribution._occluded_log_odds

    def slow(*args):
        parts.append(None)
        if not fast.wait(0.05):
            return real(*args)
        return real(*args)

    monkeypatch.setattr(attribution, "_occluded_log_odds", slow)
    yield parts
    fast.set()


@pytest.fixture
def stuck(monkeypatch):
    """Make explanations wait for an event."""
    event = Event()
    real = spacy_lstm_ner.server.demo.explain

    def wait(*args):
        event.wait(20)
        return real(*args)

    monkeypatch.setattr(spacy_lstm_ner.server.demo, "explain", wait)
    yield event
    event.set()


# Requests that nobody waits for


def test_explanations_stop_when_the_client_disconnects(serve, trained, slow_parts):
    server = serve(lambda: loaded_again(trained))
    for _ in range(10):
        connection = connect(server, request("/gates", WHY))
        wait_until(lambda: slow_parts)
        connection.close()
    assert entities(server, TEXT)[0]
    wait_until(lambda: threading.active_count() < 20)
    parts = len(slow_parts)
    entities(server, TEXT)
    time.sleep(0.3)
    assert len(slow_parts) == parts < 3 * 8, "of 10 * 8"


def test_long_texts_stop_when_the_client_disconnects(serve, trained, monkeypatch):
    nlp = loaded_again(trained)
    batches, real = [], batch_module._score

    def score(*args):
        batches.append(None)
        time.sleep(0.2)
        return real(*args)

    monkeypatch.setattr(batch_module, "_score", score)
    server = serve(lambda: nlp)
    batches.clear()
    connection = connect(server, request("/entities", {"texts": ["王" * 100_000]}))
    wait_until(lambda: batches)
    connection.close()
    assert entities(server, TEXT)[0]
    # The last one is that of the second request.
    assert len(batches) < 5, "of more than five for the first, and one"


def test_short_requests_do_not_wait_for_explanations(serve, trained, slow_parts):
    server = serve(lambda: loaded_again(trained))
    with ThreadPoolExecutor() as pool:
        long = [pool.submit(ask, server, "POST", "/gates", WHY) for _ in range(2)]
        wait_until(lambda: slow_parts)
        for _ in range(3):
            assert entities(server, TEXT)[0]
        assert len(slow_parts) < 8, "the first of them is not done"
        # Nor does either disturb the other.
        alone = ask(server, "POST", "/gates", WHY)[2]
        assert [job.result()[0] for job in long] == [200, 200]
        assert long[0].result()[2] == long[1].result()[2] == alone


# Too many


def test_full_queue_has_a_retry_after_header(serve, trained, stuck):
    server = serve(lambda: loaded_again(trained))
    connections = [connect(server, request("/gates", WHY)) for _ in range(9)]
    wait_until(lambda: len(server.demo._worker._waiting[True]) == 8)
    status, headers, said = ask(server, "POST", "/gates", WHY)
    assert (status, headers["Retry-After"]) == (503, "10")
    assert said["error"] == "Too many requests are waiting: try again in 10 s."
    # A client that leaves makes room.
    connections.pop().close()
    wait_until(lambda: len(server.demo._worker._waiting[True]) == 7)
    for connection in connections:
        connection.close()
    stuck.set()
    assert entities(server, TEXT)[0]


def test_number_of_connections_is_bounded(serve, trained):
    server = serve(lambda: loaded_again(trained), max_connections=3)
    before = threading.active_count()
    silent = [connect(server) for _ in range(9)]
    wait_until(lambda: threading.active_count() == before + 3)
    waiting = [connect(server, request("/entities", {"texts": []})) for _ in range(20)]
    time.sleep(0.2)
    assert threading.active_count() == before + 3
    for connection in silent:
        connection.close()
    assert [answer(connection)[0] for connection in waiting] == [200] * 20


def test_no_connection_is_reset_under_load(serve):
    def load():
        nlp = spacy.blank("zh")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "王"}])
        return nlp

    server = serve(load)
    sent = request("/entities", {"texts": ["王芳"]})

    def one(_):
        try:
            return answer(connect(server, sent))[0]
        except OSError as error:
            return type(error).__name__

    with ThreadPoolExecutor(50) as pool:
        assert Counter(pool.map(one, range(1_000))) == {200: 1_000}
    # All at once, before any is accepted.
    assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    connections = [connect(server, sent) for _ in range(300)]
    statuses = Counter(answer(connection)[0] for connection in connections)
    assert statuses.keys() <= {200, 503} and statuses[200] >= 64


@pytest.mark.parametrize(
    "path, headers, status",
    [("/entities", (), 413), ("/nowhere", (), 404), ("/gates", ("Origin: x",), 403)],
)
def test_clients_rejected_while_sending_get_the_response(
    demo_server, path, headers, status
):
    """A connection that is closed with unread data is reset."""
    sent = request(path, b" " * 4_000_000, *headers)
    assert answer(connect(demo_server, sent))[0] == status


# Slow clients


def test_time_limit_for_a_whole_request(serve, trained):
    server = serve(lambda: loaded_again(trained), request_seconds=0.5)
    sent = request("/entities", {"texts": [TEXT]})
    head = sent.index(b"\r\n\r\n") + 4
    for begin, said in ((1, ""), (head, "not received within 0.5 s")):
        connection = connect(server, sent[:begin])
        begun = time.monotonic()
        with ThreadPoolExecutor() as pool:
            reading = pool.submit(answer, connection)
            # A byte at a time, well within the timeout of a read.
            for k in range(begin, begin + 40):
                try:
                    connection.sendall(sent[k : k + 1])
                except OSError:
                    break
                time.sleep(0.1)
                if reading.done():
                    break
            status, told = reading.result()
        assert time.monotonic() - begun < 3
        assert status == (408 if said else None) and said in told


# Odd requests


ENTITIES = request("/entities", {"texts": ["王芳"]})
ODD = {
    "two lengths": (
        request("/entities", {"texts": []}, "Content-Length: 13", "Content-Length: 9"),
        400,
    ),
    "a signed length": (request("/entities", b"{}", "Content-Length: +2"), 400),
    "a negative length": (request("/entities", b"{}", "Content-Length: -2"), 400),
    "an Arabic length": (
        request("/entities", b"{}", "Content-Length: \u0662"),
        400,
    ),
    "a list of lengths": (request("/entities", b"{}", "Content-Length: 2, 2"), 400),
    "a long length": (
        request("/entities", b"{}", "Content-Length: 1" + "0" * 5_000),
        413,
    ),
    "chunks": (
        ENTITIES.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX"),
        411,
    ),
    "chunks and a length": (
        ENTITIES.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        400,
    ),
    "no length": (ENTITIES.replace(b"Content-Length", b"X"), 411),
    "two hosts": (ENTITIES.replace(b"Host", b"Host: localhost\r\nHost"), 400),
    "two origins": (
        request("/entities", b"{}", "Origin: http://127.0.0.1", "Origin: http://x"),
        400,
    ),
    "two types": (ENTITIES.replace(b"Host", b"Content-Type: a/b\r\nHost"), 400),
    "NaN": (request("/entities", b'{"texts": [], "x": NaN}'), 400),
    "a huge header": (request("/entities", b"{}", "X: " + "x" * 70_000), 431),
    "many headers": (request("/entities", b"{}", *["X: x"] * 200), 431),
    "a huge path": (request("/" + "x" * 70_000, b"{}"), 414),
    "a path of bytes": (ENTITIES.replace(b"/entities", b"/\xff\xe7\x8e\x8b"), 404),
    "a newer HTTP": (ENTITIES.replace(b"HTTP/1.1", b"HTTP/3.0"), 505),
    "no HTTP": (b"\x16\x03\x01\r\n\r\n", 400),
}


@pytest.mark.parametrize("what", ODD)
def test_malformed_requests_have_a_message(demo_server, what):
    sent, expected = ODD[what]
    status, said = answer(connect(demo_server, sent))
    assert status == expected, said
    assert said.count("HTTP/1.") == 1, "one answer for one request"
    error = json.loads(said.partition("\r\n\r\n")[2])["error"]
    assert error.isprintable() and error
    assert "Connection: close" in said


def test_head_is_get_without_the_body(demo_server):
    status, headers, page = ask(demo_server, "HEAD", "/")
    assert (status, page) == (200, "")
    assert int(headers["Content-Length"]) == len(
        ask(demo_server, "GET", "/")[2].encode()
    )


def test_expect_100_continue(demo_server):
    body = json.dumps({"texts": [TEXT]}).encode()
    for size, expected in ((len(body), b"HTTP/1.1 100"), (10**9, b"HTTP/1.1 413")):
        head = request(
            "/entities", b"", "Expect: 100-continue", f"Content-Length: {size}"
        )
        connection = connect(demo_server, head)
        with connection, connection.makefile("rb") as said:
            assert said.readline().startswith(expected)
            if size == len(body):
                assert said.readline() == b"\r\n"
                connection.sendall(body)
                assert said.readline() == b"HTTP/1.1 200 OK\r\n"


def test_only_the_first_of_pipelined_requests_is_served(demo_server):
    status, said = answer(connect(demo_server, ENTITIES * 2))
    assert status == 200 and said.count("HTTP/1.") == 1


def test_longest_text_is_accepted_however_it_is_escaped(demo_server, monkeypatch):
    monkeypatch.setattr(demo_server.demo, "entities", lambda texts, **_: {"n": texts})
    for body in (json.dumps({"texts": ["😀" * 100_000]}), '{"texts": ["😀"]}'):
        assert ask(demo_server, "POST", "/entities", body.encode())[0] == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_ipv6_address(demo_server):
    try:
        server = DemoServer(demo_server.demo, "::1", 0)
    except OSError:
        pytest.skip("this machine has no ::1")
    thread = Thread(target=server.serve_forever)
    thread.start()
    host = server.url.removeprefix("http://").rstrip("/")
    sent = request("/entities", {"texts": [TEXT]}, f"Origin: http://{host}", host=host)
    assert host.startswith("[::1]:") and answer(connect(server, sent))[0] == 200
    server.shutdown()
    thread.join()
    server.server_close()


def test_unresolvable_host_names(demo_server):
    for name in ("x" * 100, "", "a..b"):
        with pytest.raises(OSError, match="Cannot resolve the address"):
            DemoServer(demo_server.demo, name)


# Pipelines that fail


@Language.component("test_fails_in_many_ways")
def fails_in_many_ways(doc):
    errors = {
        "e": ValueError("\x1b[31m"),
        "m": MemoryError(),
        "t": TimeoutError("late"),
    }
    for char, error in {**errors, "s": SystemExit(3)}.items():
        if char in doc.text:
            raise error
    return doc


def test_any_failure_is_reported_and_others_are_served(serve, trained, capsys):
    def load():
        nlp = loaded_again(trained)
        nlp.add_pipe("test_fails_in_many_ways")
        return nlp

    server = serve(load)
    for text, said in (
        *(("e", "ValueError"), ("m", "Not enough memory"), ("t", "TimeoutError: late")),
        ("s", "SystemExit: 3"),
    ):
        asked = {"texts": [TEXT, text]}
        status, _, told = ask(server, "POST", "/entities", asked)
        assert status == 500 and said in told["error"]
        assert entities(server, TEXT)[0]
    errors = capsys.readouterr().err
    assert "\x1b" not in errors and "ValueError: \\x1b[31m" in errors


def test_non_finite_score_becomes_null(serve, trained):
    """JSON has no NaN."""

    @Language.component("test_scores_nan")
    def scores_nan(doc):
        scores = doc.spans["lstm_ner"].attrs["scores"]
        scores[:] = float("nan")
        return doc

    def load():
        nlp = loaded_again(trained)
        nlp.add_pipe("test_scores_nan")
        return nlp

    status, _, told = ask(serve(load), "POST", "/entities", {"texts": [TEXT]})
    assert status == 200
    assert {entity["score"] for entity in told["entities"][0]} == {None}


# Shutdown


# The command, with a component that is busy in what cannot be cancelled.
BUSY = """
import time
from spacy.cli import setup_cli
from spacy_lstm_ner.pipeline import LSTMEntityRecognizer

predict = LSTMEntityRecognizer.predict

def busy(self, docs):
    docs = list(docs)
    if "忙" in docs[0].text:
        print("busy", flush=True)
        time.sleep(60)
    return predict(self, docs)

LSTMEntityRecognizer.predict = busy
setup_cli()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_busy_server_stops_at_once(trained, tmp_path, number):
    (tmp_path / "spacy_busy.py").write_text(BUSY, "utf8")
    trained.to_disk(tmp_path / "model")
    program = tmp_path / "spacy_busy.py"
    args = program, "lstm-ner", "visualize", tmp_path / "model"
    with served(sys.executable, *args) as (process, port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(request("/entities", {"texts": ["忙"]}))
        for line in process.stdout:
            if line.strip() == "busy":
                break
        process.send_signal(number)
        process.send_signal(number)  # whoever is impatient
        # Of the 60 s that the component takes.
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
        status, said = answer(connection)
        assert status == 503 and "is shutting down" in said
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))


# Long


@pytest.mark.slow
def test_memory_after_ten_thousand_requests(serve, trained):
    def memory():
        with open("/proc/self/status", encoding="utf8") as status:
            (line,) = (line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1])

    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc")
    server = serve(lambda: loaded_again(trained))

    def one(k):
        # New words in each.
        text = "".join(chr(0x4E00 + (k * 37 + i * 101) % 20_000) for i in range(50))
        return ask(server, "POST", "/entities", {"texts": [f"{text}{k}", TEXT]})[0]

    sizes = []
    with ThreadPoolExecutor(8) as pool:
        for begin in range(0, 10_000, 2_500):
            assert set(pool.map(one, range(begin, begin + 2_500))) == {200}
            sizes.append(memory())
    print(f"kB after each 2,500 requests: {sizes}")
    assert sizes[-1] - sizes[0] < 20_000, sizes
    assert found(trained(TEXT))
