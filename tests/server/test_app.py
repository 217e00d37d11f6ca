"""The web application: what it answers, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy
from spacy.language import Language

from ..helpers.pipelines import found, loaded_again
from ..helpers.requests import JSON, TEXT, ask, entities
from ..helpers.service import serving

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
    assert "Server" not in headers
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


def test_one_text_has_its_entities_and_several_have_lists(demo_server):
    _, _, one = ask(demo_server, "POST", "/entities", {"text": TEXT})
    _, _, many = ask(demo_server, "POST", "/entities", {"texts": [TEXT, ""]})
    assert many == {"entities": [one["entities"], []]}
    first = one["entities"][0]
    assert list(first) == ["start", "end", "label", "text", "score"]
    assert first["text"] == TEXT[first["start"] : first["end"]] != ""


def with_threshold(trained):
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").threshold = 0.999
    nlp.get_pipe("lstm_ner").spans_key = None
    return nlp


def test_the_page_has_all_entities_and_a_slider_at_the_threshold(trained):
    with serving(lambda: with_threshold(trained), all_entities=True) as server:
        (answer,) = entities(server, TEXT)
        page = ask(server, "GET", "/")[2]
    assert [(e["start"], e["end"], e["label"]) for e in answer] == found(trained(TEXT))
    assert min(entity["score"] for entity in answer) < 0.999
    assert 'value="0.999"' in page


def test_the_api_has_the_entities_above_the_threshold(trained):
    nlp = with_threshold(trained)
    with serving(lambda: with_threshold(trained)) as server:
        (answer,) = entities(server, TEXT)
    assert [(e["start"], e["end"], e["label"]) for e in answer] == found(nlp(TEXT))
    assert len(answer) < len(found(trained(TEXT)))


def test_gates_with_and_without_explanation(demo_server):
    asked = {"text": "王芳任教授"}
    status, _, answer = ask(demo_server, "POST", "/gates", asked)
    assert status == 200 and "forget gate" in answer["html"]
    assert "<h2>Attribution</h2>" not in answer["html"]
    status, _, answer = ask(demo_server, "POST", "/gates", {**asked, "why": True})
    assert status == 200 and "<h2>Attribution</h2>" in answer["html"]


def test_errors_are_pages_for_browsers(demo_server):
    """And JSON for programs, and for the script of the page."""
    for accept, is_page in (
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("*/*", False),
        ("application/json", False),
    ):
        status, headers, content = ask(
            demo_server, "GET", "/nowhere<b>", headers={"Accept": accept}
        )
        assert status == 404
        assert ("text/html" in headers["Content-Type"]) == is_page
        assert ("<h1>Not Found</h1>" in content) == is_page
        assert is_page or content["error"].startswith("There is nothing")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    headers = {**JSON, "Accept": "text/html"}
    _, headers, content = ask(demo_server, "POST", "/entities", {}, headers)
    assert headers["Content-Type"] == "application/json" and content["error"]


def test_other_pipelines_have_entities_and_no_gates():
    def load():
        nlp = spacy.blank("zh")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "王"}])
        return nlp

    with serving(load) as server:
        assert entities(server, "王芳") == [
            [{"start": 0, "end": 1, "label": "X", "text": "王", "score": None}]
        ]
        page = ask(server, "GET", "/")[2]
        assert "no component lstm_ner" in page and "<iframe" not in page
        status, _, answer = ask(server, "POST", "/gates", {"text": "王芳"})
        assert status == 400 and "no component lstm_ner" in answer["error"]


@pytest.mark.parametrize(
    "path, status", [("/health", "ok"), ("/ready", "ready"), ("/health?x=1", "ok")]
)
def test_health_is_answered_under_any_name(demo_server, path, status):
    headers = {"Host": "10.1.2.3:8000"}
    code, _, answer = ask(demo_server, "GET", path, headers=headers)
    assert (code, answer) == (200, {"status": status})


def test_without_the_page_there_is_only_the_api(trained):
    with serving(lambda: loaded_again(trained), page=False) as server:
        assert ask(server, "GET", "/")[0] == 404
        assert ask(server, "POST", "/gates", {"text": "王"})[0] == 404
        assert entities(server, TEXT)[0]


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
    "no texts": ("/entities", {}, JSON, 400),
    "both": ("/entities", {"text": TEXT, "texts": []}, JSON, 400),
    "a number": ("/entities", {"text": 1}, JSON, 400),
    "NaN": ("/entities", b'{"texts": [], "x": NaN}', JSON, 400),
    "numbers": ("/entities", {"texts": [1]}, JSON, 400),
    "long text": ("/entities", {"texts": ["王" * 60_000] * 2}, JSON, 413),
    "many texts": ("/entities", {"texts": ["王"] * 1_001}, JSON, 413),
    "many bytes": ("/entities", b" " * 3_000_000, JSON, 413),
    "large headers": ("/entities", ASKED, with_headers(X="x" * 66_000), 431),
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
        ("POST", "/health", "GET, HEAD"),
    ],
)
def test_other_methods(demo_server, method, path, allowed):
    status, headers, answer = ask(demo_server, method, path)
    assert status == 405 and sorted(headers["Allow"].split(", ")) == allowed.split(", ")
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


def test_other_names_of_the_server(trained):
    """A proxy passes on the name that the client has used."""
    names = ("ner.example.org",)
    with serving(lambda: loaded_again(trained), allowed_hosts=names) as server:
        for host, status in {"ner.example.org": 200, "evil.example": 403}.items():
            headers = {**JSON, "Host": host, "Origin": f"https://{host}"}
            assert ask(server, "POST", "/entities", ASKED, headers)[0] == status


def test_the_token_is_needed_for_all_that_has_to_do_with_texts(trained):
    token = "0123456789abcdef"
    with serving(lambda: loaded_again(trained), token=token, page=False) as server:
        for sent, expected in {
            None: 401,
            "Bearer 0123456789abcdeF": 401,
            "Bearer": 401,
            f"Basic {token}": 401,
            f"Bearer {token}x": 401,
            f"Bearer {token}": 200,
            f"bearer  {token}": 200,
        }.items():
            headers = JSON if sent is None else {**JSON, "Authorization": sent}
            status, got, _ = ask(server, "POST", "/entities", ASKED, headers)
            assert status == expected, sent
            assert got["WWW-Authenticate"] == ("Bearer" if status == 401 else None)
            assert ask(server, "GET", "/metrics", None, headers)[0] == expected
        for path in ("/health", "/ready", "/docs", "/openapi.json"):
            assert ask(server, "GET", path)[0] == 200


# Robustness


@Language.component("fails_at_x")
def fails_at_x(doc):
    if "x" in doc.text:
        raise RuntimeError("an x")
    return doc


def test_a_text_that_fails_does_not_fail_those_beside_it(trained, capsys):
    def load():
        nlp = loaded_again(trained)
        nlp.add_pipe("fails_at_x")
        return nlp

    with serving(load) as server, ThreadPoolExecutor(16) as pool:
        texts = [TEXT[k:] + "x" * (k % 4 == 0) for k in range(16)] * 4
        asked = [
            pool.submit(ask, server, "POST", "/entities", {"text": text})
            for text in texts
        ]
        for text, request in zip(texts, asked, strict=True):
            status, _, answer = request.result()
            if "x" in text:
                assert status == 500 and "RuntimeError: an x" in answer["error"]
            else:
                assert status == 200
                ents = [(e["start"], e["end"], e["label"]) for e in answer["entities"]]
                assert ents == found(trained(text))
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
    with serving(lambda: nlp) as server:
        # `len(nlp.vocab)` counts those that were freed, too.
        before = len(nlp.vocab.strings), len(list(nlp.vocab))
        new = "".join(map(chr, range(0x20000, 0x20100)))
        entities(server, new + TEXT, new)
        entities(server, (new + TEXT) * 100)
        assert ask(server, "POST", "/gates", {"text": new + TEXT})[0] == 200
        assert (len(nlp.vocab.strings), len(list(nlp.vocab))) == before
    assert found(nlp(TEXT)) == found(trained(TEXT))


def test_explanations_are_the_same_with_other_requests_between(trained):
    asked = {"text": f"0号王芳任北京大学教授{TEXT}", "why": True}
    with (
        serving(lambda: loaded_again(trained)) as server,
        ThreadPoolExecutor() as pool,
    ):
        alone = ask(server, "POST", "/gates", asked)[2]
        long = pool.submit(ask, server, "POST", "/gates", asked)
        # Words and gates of others are not mixed up with it.
        while not long.done():
            gates = ask(server, "POST", "/gates", {"text": TEXT})[2]["html"]
            assert "<h2>Attribution</h2>" not in gates
            assert [e["label"] for e in entities(server, TEXT)[0]] == [
                label for _, _, label in found(trained(TEXT))
            ]
        assert long.result()[2] == alone


def test_a_pipeline_that_merges_entities(trained):
    nlp = loaded_again(trained)
    nlp.add_pipe("merge_entities")
    text = TEXT * 100  # and so in windows
    with serving(lambda: nlp) as server:
        short, long = entities(server, TEXT, text)
        for answer, doc in ((short, trained(TEXT)), (long, trained(text))):
            assert [(e["start"], e["end"], e["label"]) for e in answer] == found(doc)
            scores = doc.spans["lstm_ner"].attrs["scores"]
            assert [e["score"] for e in answer] == pytest.approx(scores, abs=1e-5)
        status, _, answer = ask(
            server, "POST", "/gates", {"text": TEXT[:10], "why": True}
        )
        assert status == 200 and "<h2>Attribution</h2>" in answer["html"]


# Metrics


def test_metrics_can_be_read_by_prometheus(trained):
    parser = pytest.importorskip("prometheus_client.parser")
    with serving(lambda: loaded_again(trained)) as server:
        entities(server, TEXT, TEXT)
        for path in ("/nowhere", "/other"):
            assert ask(server, "GET", path)[0] == 404
        status, headers, text = ask(server, "GET", "/metrics")
    assert status == 200 and headers.get_content_type() == "text/plain"
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["lstm_ner_requests_total", "/entities", "200"] == 1
    # Clients cannot add paths.
    assert samples["lstm_ner_requests_total", "404", "other"] == 2
    assert samples["lstm_ner_texts_total",] == 2
    assert samples["lstm_ner_characters_total",] == 2 * len(TEXT)
    assert samples["lstm_ner_waiting_requests", "short"] == 0
    assert samples["lstm_ner_connections",] >= 1
    assert "王" not in text
