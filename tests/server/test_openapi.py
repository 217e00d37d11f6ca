"""The description of the API, compared with what the server does."""

import pytest

from ..helpers.pipelines import loaded_again
from ..helpers.requests import JSON, TEXT, ask
from ..helpers.service import serving

TOKEN = "0123456789-abcdef"
PAGE_ONLY = {"/", "/gates", "/docs", "/openapi.json"}


@pytest.fixture(scope="module")
def server(trained):
    with serving(
        lambda: loaded_again(trained), token=TOKEN, characters=50, texts=3, page=False
    ) as server:
        yield server


@pytest.fixture(scope="module")
def document(server):
    status, headers, document = ask(server, "GET", "/openapi.json")
    assert status == 200 and headers.get_content_type() == "application/json"
    return document


def fits(value, schema, document):
    """Whether a value is what a schema says; only for what the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return fits(value, document["components"]["schemas"][name], document)
    if "oneOf" in schema:
        return any(fits(value, each, document) for each in schema["oneOf"])
    kinds = {
        **{"object": dict, "array": list, "string": str},
        **{"integer": int, "number": float, "null": type(None)},
    }
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, kinds[kind]) for kind in types):
        return False
    if isinstance(value, list):
        at_most = schema.get("maxItems", len(value))
        return len(value) <= at_most and all(
            fits(each, schema["items"], document) for each in value
        )
    if isinstance(value, dict):
        properties = schema["properties"]
        return set(schema["required"]) == value.keys() and all(
            fits(each, properties[name], document) for name, each in value.items()
        )
    return not isinstance(value, str) or len(value) <= schema.get("maxLength", 10**9)


def test_routes_are_described(server, document):
    routes = {
        route.path: {method for method in route.methods if method != "HEAD"}
        for route in server.app._router.routes
    }
    described = {
        path: {method.upper() for method in operations}
        for path, operations in document["paths"].items()
    }
    assert described == {p: m for p, m in routes.items() if p not in PAGE_ONLY}


CASES = {
    "text": ({"text": TEXT}, {}, 200),
    "texts": ({"texts": [TEXT, ""]}, {}, 200),
    "neither": ({}, {}, 400),
    "no token": ({"text": TEXT}, {"Authorization": "x"}, 401),
    "another name": ({"text": TEXT}, {"Host": "evil.example"}, 403),
    "too long": ({"text": "王" * 51}, {}, 413),
    "too many": ({"texts": [""] * 4}, {}, 413),
    "not JSON": ({"text": TEXT}, {"Content-Type": "text/plain"}, 415),
}


@pytest.mark.parametrize("case", CASES)
def test_answers_fit_their_description(server, document, case):
    body, headers, expected = CASES[case]
    headers = {**JSON, "Authorization": f"Bearer {TOKEN}", **headers}
    status, _, answer = ask(server, "POST", "/entities", body, headers)
    assert status == expected
    operation = document["paths"]["/entities"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert fits(body, schema, document) == (status not in (400, 413))
    media = operation["responses"][str(status)]["content"]["application/json"]
    assert fits(answer, media["schema"], document)
    assert not fits({**answer, "more": 1}, media["schema"], document)


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_other_paths_fit_their_description(server, document, path):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    status, got, answer = ask(server, "GET", path, None, headers)
    described = document["paths"][path]["get"]["responses"][str(status)]["content"]
    (media,) = described
    assert status == 200 and got.get_content_type() == media
    assert fits(answer, described[media]["schema"], document)


def test_page_of_the_api_loads_nothing(server, document):
    status, headers, page = ask(server, "GET", "/docs")
    assert status == 200 and headers.get_content_type() == "text/html"
    assert "default-src 'none'" in page and "<script" not in page
    assert "src=" not in page and "http://www" not in page and "https://" not in page
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in page
            assert operation["summary"] in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert "Authorization: Bearer" in page and "at most 50 characters" in page
