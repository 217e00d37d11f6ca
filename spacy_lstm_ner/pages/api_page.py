"""The documentation of the server's API, as a page."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .page import page


class _Type(NamedTuple):
    """A type in words, before and after the name of an object that it refers to."""

    before: str
    reference: str = ""


class _Operation(NamedTuple):
    """A request that the API supports."""

    method: str
    path: str
    summary: str
    description: str
    examples: list[str]
    #: Status, meaning, and content: the name of an object, or a content type.
    responses: list[tuple[str, str, _Type]]


class _Field(NamedTuple):
    name: str
    types: list[_Type]
    meaning: str


def api_page(document: Mapping[str, Any]) -> str:
    """Return a page that describes an API.

    document: The API in the OpenAPI format.
    RETURNS: The page. It has no script, and loads nothing.
    """
    info = document["info"]
    schemas = document["components"]["schemas"]
    return page(
        "api.html",
        f"API of {info['title']}",
        info=info,
        operations=[*_operations(document)],
        objects={
            name: (
                schema.get("description", ""),
                [_fields(each) for each in schema.get("oneOf", [schema])],
            )
            for name, schema in schemas.items()
        },
    )


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    schemas = document["components"]["schemas"]
    needs_token = "securitySchemes" in document["components"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            examples: list[str] = []
            if "requestBody" in operation:
                media = operation["requestBody"]["content"]["application/json"]
                schema = schemas[_name_of(media["schema"])]
                examples = [_example(path, x, needs_token) for x in schema["oneOf"]]
            yield _Operation(
                method.upper(),
                path,
                operation["summary"],
                operation["description"],
                examples,
                [
                    (status, response["description"], _content(response))
                    for status, response in operation["responses"].items()
                ],
            )


def _example(path: str, schema: Mapping[str, Any], needs_token: bool) -> str:
    """A request with the examples of an object, as a command."""
    body = {
        name: property["examples"][0] for name, property in schema["properties"].items()
    }
    token = ' -H "Authorization: Bearer $TOKEN"' if needs_token else ""
    return (
        f"curl http://127.0.0.1:8000{path} -H 'Content-Type: application/json'{token}"
        f" -d '{json.dumps(body, ensure_ascii=False)}'"
    )


def _content(response: Mapping[str, Any]) -> _Type:
    (kind, media), *_ = response["content"].items()
    schema = media["schema"]
    return _Type("", _name_of(schema)) if "$ref" in schema else _Type(kind)


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _fields(schema: Mapping[str, Any]) -> list[_Field]:
    return [
        _Field(name, [*_types(value)], "; ".join(_facts(value)))
        for name, value in schema["properties"].items()
    ]


def _types(schema: Mapping[str, Any], before: str = "") -> Iterator[_Type]:
    """Yield the types that a value can have."""
    if "$ref" in schema:
        yield _Type(before, _name_of(schema))
    elif "oneOf" in schema:
        for each in schema["oneOf"]:
            yield from _types(each, before)
    elif schema["type"] == "array":
        yield from _types(schema["items"], f"{before}array of ")
    else:
        types = schema["type"]
        yield _Type(before + (types if isinstance(types, str) else " or ".join(types)))


def _facts(schema: Mapping[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield schema["description"]
    for key, unit in {"maxLength": "characters", "maxItems": "items"}.items():
        if key in schema:
            yield f"at most {schema[key]:,} {unit}"
