"""The documentation of the server's API, as a page."""

import json
from collections.abc import Mapping
from typing import Any

from .elements import table_html, text_html
from .page import asset, page


def api_page(document: Mapping[str, Any]) -> str:
    """Return a page that describes an API.

    document: The API in the OpenAPI format.
    RETURNS: The page. It has no script, and loads nothing.
    """
    info = document["info"]
    schemas = document["components"]["schemas"]
    needs_token = "securitySchemes" in document["components"]
    parts = [
        f"<h1>API of {text_html(info['title'])} {text_html(info['version'])}</h1>",
        f'<p class="note">{text_html(info["description"])} For other programs: '
        f'<a href="openapi.json">openapi.json</a>.</p>',
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(path, method, operation, schemas, needs_token))
    parts.append("<h2>Objects</h2>")
    parts += [_schema(name, schema) for name, schema in schemas.items()]
    return page(f"API of {info['title']}", "\n".join(parts), style=asset("api.css"))


def _operation(
    path: str,
    method: str,
    operation: Mapping[str, Any],
    schemas: Mapping[str, Any],
    needs_token: bool,
) -> str:
    name = f"{method.upper()} {path}"
    parts = [
        f"<section><h2><code>{text_html(name)}</code></h2>",
        f"<p>{text_html(operation['summary'])}. "
        f"{text_html(operation['description'])}</p>",
    ]
    if "requestBody" in operation:
        media = operation["requestBody"]["content"]["application/json"]
        schema = schemas[_name_of(media["schema"])]
        parts += [_example(path, each, needs_token) for each in schema["oneOf"]]
    rows = [
        (text_html(status), text_html(response["description"]), _content(response))
        for status, response in operation["responses"].items()
    ]
    parts.append(table_html(("Status", "Meaning", "Content"), rows))
    parts.append("</section>")
    return "\n".join(parts)


def _example(path: str, schema: Mapping[str, Any], needs_token: bool) -> str:
    """A request with the examples of an object, as a command."""
    body = {
        name: property["examples"][0] for name, property in schema["properties"].items()
    }
    token = ' -H "Authorization: Bearer $TOKEN"' if needs_token else ""
    command = (
        f"curl http://127.0.0.1:8000{path} -H 'Content-Type: application/json'{token}"
        f" -d '{json.dumps(body, ensure_ascii=False)}'"
    )
    return f"<pre><code>{text_html(command)}</code></pre>"


def _content(response: Mapping[str, Any]) -> str:
    (kind, media), *_ = response["content"].items()
    schema = media["schema"]
    return _link(_name_of(schema)) if "$ref" in schema else text_html(kind)


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _link(name: str) -> str:
    return f'<a href="#{text_html(name)}">{text_html(name)}</a>'


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    """The table of the fields of an object, or of each of several ones."""
    parts = [f'<h3 id="{text_html(name)}">{text_html(name)}</h3>']
    if "description" in schema:
        parts.append(f"<p>{text_html(schema['description'])}</p>")
    for each in schema.get("oneOf", [schema]):
        rows = [
            (
                f"<code>{text_html(field)}</code>",
                _type_of(value),
                text_html("; ".join(_facts(value))),
            )
            for field, value in each["properties"].items()
        ]
        parts.append(table_html(("Field", "Type", "Meaning"), rows))
    return "\n".join(parts)


def _type_of(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _link(_name_of(schema))
    if "oneOf" in schema:
        return ", or ".join(_type_of(each) for each in schema["oneOf"])
    if schema["type"] == "array":
        return f"array of {_type_of(schema['items'])}"
    types = schema["type"]
    return text_html(types if isinstance(types, str) else " or ".join(types))


def _facts(schema: Mapping[str, Any]) -> list[str]:
    facts = [schema["description"]] if "description" in schema else []
    for key, unit in {"maxLength": "characters", "maxItems": "items"}.items():
        if key in schema:
            facts.append(f"at most {schema[key]:,} {unit}")
    return facts
