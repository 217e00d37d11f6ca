"""The web application, `python -m spacy lstm-ner visualize`."""

import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
import spacy
from spacy.cli._util import app
from spacy.language import Language
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.exceptions import RequestError
from spacy_lstm_ner.server.app import DemoServer
from spacy_lstm_ner.server.demo import Demo
from spacy_lstm_ner.server.http_server import DEFAULT_PORT

from ..helpers.pipelines import found, loaded_again
from ..helpers.processes import served
from ..helpers.requests import JSON, TEXT, ask, entities

# What it answers


def test_headers_of_the_page(demo_server):
    assert demo_server.server_address[0] == "127.0.0.1"
    status, headers, page = ask(demo_server, "GET", "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Python" not in headers["Server"]
    assert "default-src 'none'" in page and "unsafe-eval" not in page


def test_entities_match_the_pipeline(demo_server, trained):
    texts = [TEXT, "", " \n", "👨‍👩‍👧" + TEXT, "\x00\u202e" + TEXT]
    answers = entities(demo_server, *texts)
    for text, answer in zip(texts, answers, strict=True):
        doc = trained(text)
        assert [(e["start"], e["end"], e["label"]) for e in answer] == found(doc)
        scores = doc.spans["lstm_ner"].attrs["scores"]
        assert [e["score"] for e in answer] == pytest.approx(scores, abs=1e-5)
    assert len(answers[0]) >= 4 and len(answers[3]) >= 4


def test_lone_surrogates_keep_their_offset(demo_server):
    """JSON can represent lone surrogates; spaCy cannot."""
    body = f'{{"texts": ["\\ud800{TEXT}"]}}'.encode()
    status, _, answer = ask(demo_server, "POST", "/entities", body)
    assert status == 200
    assert answer["entities"] == entities(demo_server, "\ufffd" + TEXT)


def test_every_label_has_a_hue(demo_server):
    _, _, answer = ask(demo_server, "POST", "/entities", {"texts": [TEXT]})
    labels = {entity["label"] for entity in answer["entities"][0]}
    assert answer["hues"].keys() == labels and "TITLE" in labels


def test_slider_starts_at_the_threshold_of_the_component(trained):
    def load():
        nlp = loaded_again(trained)
        nlp.get_pipe("lstm_ner").threshold = 1.0
        nlp.get_pipe("lstm_ner").spans_key = None
        return nlp

    demo = Demo(load)
    (answer,) = demo.entities([TEXT])["entities"]
    assert answer and all(entity["score"] < 1 for entity in answer)
    assert 'value="1.0"' in demo.page
    demo.close()


def test_gates_with_and_without_explanation(demo_server):
    asked = {"text": "王芳任教授"}
    status, _, answer = ask(demo_server, "POST", "/gates", asked)
    assert status == 200 and "forget gate" in answer["page"]
    assert "<h2>Attribution</h2>" not in answer["page"]
    status, _, answer = ask(demo_server, "POST", "/gates", {**asked, "why": True})
    assert status == 200 and "<h2>Attribution</h2>" in answer["page"]


def test_other_pipelines_have_entities_and_no_gates():
    def load():
        nlp = spacy.blank("zh")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "王"}])
        return nlp

    demo = Demo(load)
    assert demo.entities(["王芳"])["entities"] == [
        [{"start": 0, "end": 1, "label": "X", "score": None}]
    ]
    assert "no component lstm_ner" in demo.page and "<iframe" not in demo.page
    with pytest.raises(RequestError, match="no component lstm_ner"):
        demo.gates("王芳", why=False)
    demo.close()


# What it refuses


def with_headers(**headers):
    return {**JSON, **{name.replace("_", "-"): x for name, x in headers.items()}}


ASKED = {"texts": [TEXT]}
REFUSED = {
    "another name": ("/entities", ASKED, with_headers(Host="evil.example"), 403),
    "a number that is not ours": (
        "/entities",
        ASKED,
        with_headers(Host="1.2.3.4"),
        403,
    ),
    "no name": ("/entities", ASKED, with_headers(Host=""), 403),
    "a name that is none": ("/entities", ASKED, with_headers(Host="[::1"), 403),
    "another page": (
        "/entities",
        ASKED,
        with_headers(Origin="http://evil.example"),
        403,
    ),
    "another port": (
        "/entities",
        ASKED,
        with_headers(Origin="http://127.0.0.1:1"),
        403,
    ),
    "a sandbox": ("/entities", ASKED, with_headers(Origin="null"), 403),
    "a form": ("/entities", ASKED, with_headers(Content_Type="text/plain"), 415),
    "no JSON": ("/entities", b"{", JSON, 400),
    "no text": ("/entities", b"\xff", JSON, 400),
    "deep JSON": ("/entities", b"[" * 500_000, JSON, 400),
    "a list": ("/entities", [TEXT], JSON, 400),
    "no texts": ("/entities", {"text": TEXT}, JSON, 400),
    "numbers": ("/entities", {"texts": [1]}, JSON, 400),
    "long text": ("/entities", {"texts": ["王" * 60_000] * 2}, JSON, 413),
    "many texts": ("/entities", {"texts": ["王"] * 1_001}, JSON, 413),
    "many bytes": ("/entities", b" " * 3_000_000, JSON, 413),
    "length in words": ("/entities", None, with_headers(Content_Length="x"), 400),
    "long gates": ("/gates", {"text": "王" * 1_001}, JSON, 413),
    "long reasons": ("/gates", {"text": "王" * 301, "why": True}, JSON, 413),
    "no gates": ("/gates", {"text": ""}, JSON, 400),
    "no question": ("/gates", {"text": "王", "why": "no"}, JSON, 400),
    "nowhere": ("/etc/passwd", ASKED, JSON, 404),
    "a way out": ("/../../etc/passwd", ASKED, JSON, 404),
    "the page": ("/", ASKED, JSON, 405),
}


@pytest.mark.parametrize("what", REFUSED)
def test_rejected_requests_have_a_message(demo_server, what):
    path, body, headers, expected = REFUSED[what]
    status, _, answer = ask(demo_server, "POST", path, body, headers)
    assert status == expected, answer
    assert answer.keys() == {"error"} and len(answer["error"].split()) > 3


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/entities", "POST"),
        ("HEAD", "/entities", "POST"),
        ("DELETE", "/entities", "POST"),
        ("OPTIONS", "/gates", "POST"),
        ("PUT", "/", "GET, HEAD"),
        ("POST", "/?x", "GET, HEAD"),
    ],
)
def test_other_methods(demo_server, method, path, allowed):
    status, headers, answer = ask(demo_server, method, path)
    assert (status, headers["Allow"]) == (405, allowed)
    assert "Access-Control-Allow-Origin" not in headers
    assert answer == "" if method == "HEAD" else answer["error"]


def test_other_host_names_are_rejected(demo_server):
    """A foreign host name that resolves to this machine would make it "same origin"."""
    status, _, answer = ask(
        demo_server, "GET", "/", headers={"Host": "evil.example:80"}
    )
    assert status == 403 and demo_server.url in answer["error"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "[::1]:8000"])
def test_own_host_names_with_another_port(demo_server, host):
    headers = {**JSON, "Host": host, "Origin": f"http://{host}"}
    assert ask(demo_server, "POST", "/entities", ASKED, headers)[0] == 200


def test_url_of_a_server_on_all_addresses(demo_server):
    server = DemoServer(demo_server.demo, "0.0.0.0", 0)
    assert server.url.startswith("http://127.0.0.1:")
    server.server_close()


# Robustness


def test_failures_of_the_pipeline_are_reported(trained, capsys):
    @Language.component("fails_at_x")
    def fails(doc):
        if "x" in doc.text:
            raise RuntimeError("an x")
        return doc

    def load():
        nlp = loaded_again(trained)
        nlp.add_pipe("fails_at_x")
        return nlp

    server = DemoServer(Demo(load), port=0)
    with ThreadPoolExecutor() as pool:
        pool.submit(server.serve_forever)
        status, _, answer = ask(server, "POST", "/entities", {"texts": ["x"]})
        assert status == 500 and "RuntimeError: an x" in answer["error"]
        assert entities(server, TEXT)[0]
        server.shutdown()
    server.close()
    assert "RuntimeError: an x" in capsys.readouterr().err


def test_concurrent_requests_get_the_same_results(demo_server):
    texts = [TEXT[k:] * 3 for k in range(12)]
    alone = [entities(demo_server, text) for text in texts]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda text: entities(demo_server, text), texts))
    assert [[e["label"] for e in few] for (few,) in together] == [
        [e["label"] for e in few] for (few,) in alone
    ]
    assert [[e["start"] for e in few] for (few,) in together] == [
        [e["start"] for e in few] for (few,) in alone
    ]


def test_vocabulary_does_not_grow(trained):
    nlp = loaded_again(trained)
    demo = Demo(lambda: nlp)
    before = len(nlp.vocab.strings)
    new = "".join(map(chr, range(0x20000, 0x20100)))
    demo.entities([new + TEXT])
    demo.gates(new + TEXT, why=False)
    assert len(nlp.vocab.strings) == before
    assert found(nlp(TEXT)) == found(trained(TEXT))
    demo.close()


def test_clients_that_disconnect_or_send_nothing(demo_server, capsys):
    for said in (
        b"",
        b"POST /entities HTTP/1.1\r\nContent-Length: 999\r\n\r\n{",
        b"\xff\n",
    ):
        with socket.create_connection(demo_server.server_address) as connection:
            connection.sendall(said)
            assert entities(demo_server, TEXT)[0], "others do not wait"
    assert "Traceback" not in capsys.readouterr().err


# The command


def test_next_free_port_unless_one_is_given(demo_server):
    first = DemoServer(demo_server.demo)
    second = DemoServer(demo_server.demo)
    ports = [server.server_address[1] for server in (first, second)]
    assert DEFAULT_PORT <= ports[0] < ports[1]
    with pytest.raises(OSError, match=rf"Port {ports[1]} is in use: choose .* --port"):
        DemoServer(demo_server.demo, port=ports[1])
    with pytest.raises(OSError, match=r"resolve the address no\.such\.name: "):
        DemoServer(demo_server.demo, "no.such.name")
    first.server_close()
    second.server_close()


def visualize(*args):
    result = CliRunner().invoke(app, ["lstm-ner", "visualize", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def test_missing_pipeline():
    code, output = visualize("nowhere", "--no-browser")
    assert code == 1 and "Can't find model 'nowhere'" in output


def test_warning_about_a_public_address(trained, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("spacy_lstm_ner.server.run.open_in_browser", opened.append)
    monkeypatch.setattr(DemoServer, "serve_forever", lambda self, poll_interval: None)
    trained.to_disk(tmp_path)
    code, output = visualize(tmp_path, "--port", 0, "--host", "0.0.0.0", "--no-browser")
    assert code == 0 and "Everybody who can reach 0.0.0.0" in output and not opened
    code, output = visualize(tmp_path, "--port", 0)
    assert code == 0 and "Everybody" not in output
    assert len(opened) == 1 and opened[0] in output


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_url_is_printed_and_ctrl_c_stops_it(trained, tmp_path):
    trained.to_disk(tmp_path)
    args = "-m", "spacy", "lstm-ner", "visualize", tmp_path
    with served(sys.executable, *args) as (process, port):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
