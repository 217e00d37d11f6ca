"""Connections: clients that are slow, disconnect, send too much or what is no request,
and many of them."""

import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from threading import Event

import pytest
import spacy
from spacy.language import Language

import spacy_lstm_ner.interpret.attribution as attribution
import spacy_lstm_ner.pipeline.batch as batch_module
from spacy_lstm_ner.server import served_pipeline
from spacy_lstm_ner.server.listen import DEFAULT_PORT
from spacy_lstm_ner.server.service import Service

from ..helpers.pipelines import found, loaded_again
from ..helpers.processes import served
from ..helpers.requests import (
    JSON,
    TEXT,
    answer,
    ask,
    connect,
    entities,
    request,
    wait_until,
)
from ..helpers.service import serving

WHY = {"text": (TEXT * 20)[:128], "why": True}


@pytest.fixture
def serve():
    """Start servers, and stop them at the end."""
    with ExitStack() as stack:
        yield lambda load, **settings: stack.enter_context(serving(load, **settings))


def rulers():
    """A pipeline that takes hardly any time."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "王"}])
    return nlp


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
    """Make explanations wait for an event. It has an event `begun` for the first."""
    event = Event()
    event.begun = Event()
    real = served_pipeline.explain

    def wait(*args):
        event.begun.set()
        event.wait(20)
        return real(*args)

    monkeypatch.setattr(served_pipeline, "explain", wait)
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
    wait_until(lambda: not server.pipeline.worker.n_waiting(long=True))
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


def test_waiting_requests_are_dropped_with_their_clients(serve, trained, stuck):
    server = serve(lambda: loaded_again(trained))
    worker = server.pipeline.worker
    connections = [connect(server, request("/gates", WHY)) for _ in range(4)]
    assert stuck.begun.wait(10)
    connections += [
        connect(server, request("/entities", {"text": TEXT})) for _ in range(9)
    ]
    wait_until(lambda: worker.n_waiting(long=True) == 3)
    wait_until(lambda: worker.n_waiting(long=False) == 9)
    for connection in connections:
        connection.close()
    wait_until(lambda: not worker.n_waiting(long=True))
    wait_until(lambda: not worker.n_waiting(long=False))
    stuck.set()
    assert entities(server, TEXT)[0]
    cancelled = ask(server, "GET", "/metrics")[2]
    assert "lstm_ner_cancelled_requests_total 13.0" in cancelled


def test_health_is_answered_while_the_pipeline_computes(serve, trained, stuck):
    server = serve(lambda: loaded_again(trained), queue=2)
    connections = [connect(server, request("/gates", WHY))]
    assert stuck.begun.wait(10)
    began = time.monotonic()
    assert ask(server, "GET", "/health")[0] == 200
    assert ask(server, "GET", "/ready")[0] == 200
    assert time.monotonic() - began < 1
    for _ in range(2):
        connections.append(connect(server, request("/entities", {"text": TEXT})))
    wait_until(lambda: server.pipeline.worker.n_waiting(long=False) == 2)
    status, _, said = ask(server, "GET", "/ready")
    assert status == 503 and "too many requests" in said["error"]
    assert ask(server, "GET", "/health")[0] == 200
    for connection in connections:
        connection.close()


def test_time_limit_for_the_result(serve, trained, stuck):
    server = serve(lambda: loaded_again(trained), seconds=0.3)
    began = time.monotonic()
    status, _, said = ask(server, "POST", "/gates", WHY)
    assert status == 504 and "within 0.3 s" in said["error"]
    # Also for those that have only waited.
    assert ask(server, "POST", "/entities", {"text": TEXT})[0] == 504
    assert time.monotonic() - began < 5
    stuck.set()
    wait_until(lambda: ask(server, "POST", "/entities", {"text": TEXT})[0] == 200)


# Too many


def test_full_queue_has_a_retry_after_header(serve, trained, stuck):
    server = serve(lambda: loaded_again(trained))
    connections = [connect(server, request("/gates", WHY))]
    # It is no longer in the queue.
    assert stuck.begun.wait(10)
    connections += [connect(server, request("/gates", WHY)) for _ in range(8)]
    worker = server.pipeline.worker
    wait_until(lambda: worker.n_waiting(long=True) == 8)
    status, headers, said = ask(server, "POST", "/gates", WHY)
    assert (status, headers["Retry-After"]) == (503, "10")
    assert said["error"] == "Too many requests are waiting: try again in 10 s."
    # A client that leaves makes room.
    connections.pop().close()
    wait_until(lambda: worker.n_waiting(long=True) == 7)
    for connection in connections:
        connection.close()
    stuck.set()
    assert entities(server, TEXT)[0]


def test_idle_connections_are_closed_for_new_ones(serve):
    server = serve(rulers, connections=5)
    begun = (b"", b"POST", b"GET / HTTP/1.1\r\n")
    silent = [connect(server, said) for said in begun * 4]
    for _ in range(20):
        assert entities(server, "王芳")[0]
    wait_until(lambda: len(server._connections.all) <= 5)
    for connection in silent[:6]:
        assert answer(connection) == (None, "")
    for connection in silent[6:]:
        connection.close()


def test_connections_that_wait_for_a_result_are_not_closed(serve, trained, stuck):
    server = serve(lambda: loaded_again(trained), connections=4)
    busy = [connect(server, request("/entities", {"text": TEXT})) for _ in range(3)]
    long = connect(server, request("/gates", WHY))
    assert stuck.begun.wait(10)
    silent = [connect(server) for _ in range(20)]
    stuck.set()
    assert [answer(connection)[0] for connection in (*busy, long)] == [200] * 4
    for connection in silent:
        connection.close()


def test_no_connection_is_reset_under_load(serve):
    server = serve(rulers, queue=64)
    sent = request("/entities", {"texts": ["王芳"]})

    def one(_):
        try:
            return answer(connect(server, sent))[0]
        except OSError as error:
            return type(error).__name__

    with ThreadPoolExecutor(50) as pool:
        assert Counter(pool.map(one, range(1_000))) == {200: 1_000}
    # All at once, before any is accepted.
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
    server = serve(lambda: loaded_again(trained), receive_seconds=0.5)
    sent = request("/entities", {"texts": [TEXT]})
    head = sent.index(b"\r\n\r\n") + 4
    for begin in (1, head):
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
        assert status == 408 and "not received within 0.5 s" in told


def test_time_limit_for_a_client_that_sends_nothing(serve):
    server = serve(rulers, receive_seconds=0.4)
    assert answer(connect(server))[0] in (None, 408)
    # Empty lines before a request are allowed.
    assert answer(connect(server, b"\r\n" * 9))[0] in (None, 408)


def test_connections_are_kept_open_for_more_requests(serve):
    server = serve(rulers, receive_seconds=0.4, keep_alive_seconds=2)
    connection = HTTPConnection(*server.server_address, timeout=20)
    for _ in range(4):
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        time.sleep(0.3)  # together longer than the limit for one request
    connection.close()


def test_time_limit_for_a_client_that_does_not_read(serve, monkeypatch):
    server = serve(rulers, send_seconds=0.6)
    large = [[{"text": "x" * 50_000_000}]]
    monkeypatch.setattr(server.pipeline.worker, "_process", lambda items: large)
    monkeypatch.setattr(server.pipeline, "_find", lambda texts: large)
    connection = connect(server, request("/entities", {"texts": ["王"]}))
    wait_until(lambda: not server._connections.all)
    connection.close()


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
        request("/entities", b"{}", "Content-Length: 1" + "0" * 15),
        413,
    ),
    "a length of many digits": (
        request("/entities", b"{}", "Content-Length: 1" + "0" * 5_000),
        400,
    ),
    "no chunks": (
        ENTITIES.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX"),
        400,
    ),
    "chunks and a length": (
        ENTITIES.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        400,
    ),
    "no length": (ENTITIES.replace(b"Content-Length", b"X"), 400),
    "two hosts": (ENTITIES.replace(b"Host", b"Host: localhost\r\nHost"), 400),
    "two origins": (
        request("/entities", b"{}", "Origin: http://127.0.0.1", "Origin: http://x"),
        400,
    ),
    "two types": (ENTITIES.replace(b"Host", b"Content-Type: a/b\r\nHost"), 400),
    "NaN": (request("/entities", b'{"texts": [], "x": NaN}'), 400),
    "a huge header": (request("/entities", b"{}", "X: " + "x" * 70_000), 431),
    "many headers": (request("/entities", b"{}", *["X: x"] * 200), 431),
    "a huge path": (request("/" + "x" * 70_000, b"{}"), 400),
    "a path of bytes": (ENTITIES.replace(b"/entities", b"/\xff\xe7\x8e\x8b"), 400),
    "a newer HTTP": (ENTITIES.replace(b"HTTP/1.1", b"HTTP/3.0"), 400),
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
    assert "connection: close" in said.lower()


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


def test_longest_text_is_accepted_however_it_is_escaped(serve):
    body = json.dumps({"texts": ["😀" * 1_000]}).encode()
    assert len(body) > 12_000
    for limit, status in {1_000: 200, 999: 413}.items():
        server = serve(rulers, characters=limit)
        assert ask(server, "POST", "/entities", body)[0] == status


def test_chunks_are_accepted_up_to_the_limit(serve):
    server = serve(rulers, characters=1_000)
    for n, expected in {1: 200, 100: 413}.items():
        chunks = [b'{"text": "', *[b"x" * 900] * n, b'"}']
        connection = HTTPConnection(*server.server_address, timeout=20)
        connection.request("POST", "/entities", iter(chunks), JSON, encode_chunked=True)
        assert connection.getresponse().status == expected
        connection.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_ipv6_address():
    try:
        server = Service(rulers, None, "::1", 0)
    except OSError:
        pytest.skip("this machine has no ::1")
    server.start()
    host = server.url.removeprefix("http://").rstrip("/")
    sent = request("/entities", {"texts": [TEXT]}, f"Origin: http://{host}", host=host)
    assert host.startswith("[::1]:") and answer(connect(server, sent))[0] == 200
    assert server.stop()


def test_unresolvable_host_names():
    for name in ("x" * 100, "", "a..b"):
        with pytest.raises(OSError, match="Cannot resolve the address"):
            Service(rulers, None, name)


def test_next_free_port_unless_one_is_given():
    first, second = Service(rulers), Service(rulers)
    ports = [server.server_address[1] for server in (first, second)]
    assert DEFAULT_PORT <= ports[0] < ports[1]
    with pytest.raises(OSError, match=rf"Port {ports[1]} is in use: choose .* --port"):
        Service(rulers, port=ports[1])
    assert first.stop() and second.stop()


def test_url_of_a_server_on_all_addresses():
    server = Service(rulers, None, "0.0.0.0", 0)
    assert server.url.startswith("http://127.0.0.1:")
    server.stop()


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


@pytest.mark.slow
def test_ten_thousand_connections_do_not_lock_others_out(trained, tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 10_500:
        pytest.skip("needs 10,500 open files")
    trained.to_disk(tmp_path)
    args = "-m", "spacy", "lstm-ner", "serve", tmp_path
    resource.setrlimit(resource.RLIMIT_NOFILE, (10_500, hard))
    connections = []
    try:
        with served(sys.executable, *args, options=()) as (process, port):
            address = "127.0.0.1", port
            for k in range(10_000):
                connections.append(socket.create_connection(address, timeout=20))
                connections[-1].sendall((b"", b"GET", b"POST / HTTP/1.1\r\n")[k % 3])
                if k % 500 == 0:
                    sent = request("/entities", {"text": TEXT})
                    began = time.monotonic()
                    with socket.create_connection(address, timeout=20) as other:
                        other.sendall(sent)
                        assert other.recv(12) == b"HTTP/1.1 200"
                    assert time.monotonic() - began < 2
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert time.monotonic() - began < 4
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
