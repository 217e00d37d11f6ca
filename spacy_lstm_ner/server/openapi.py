"""The API in the OpenAPI format, which other programs read."""

from typing import Any

from ..util.versions import installed
from .settings import Settings

_ENTITIES = {
    "type": "array",
    "items": {"$ref": "#/components/schemas/Entity"},
}
_ERRORS = {
    "400": "The request is malformed, or has no text.",
    "401": "The token is missing or wrong.",
    "403": "The header Host or Origin names another server.",
    "408": "The request was not received in time.",
    "413": "There are too many bytes, characters or texts.",
    "415": "The content type is not application/json.",
    "500": "The pipeline failed.",
    "503": "Too many requests are waiting, or the server is shutting down.",
    "504": "There was no result in time.",
}


def openapi(settings: Settings) -> dict[str, Any]:
    """Describe the API.

    settings: The limits, and who may use it.
    RETURNS: A document of OpenAPI 3.1.
    """
    paths: dict[str, Any] = {
        "/entities": {
            "post": _operation(
                "Find entities",
                "Predicts the entities of a text, or of several texts.",
                ok=_content("EntitiesOf", "The entities, in the order of the text"),
                body="Texts",
                settings=settings,
            )
        },
        "/health": {
            "get": _operation(
                "Whether the server runs",
                "Answers at once, also while the pipeline computes.",
                ok=_content("Status", "It runs"),
            )
        },
        "/ready": {
            "get": _operation(
                "Whether the server accepts requests",
                "Answers at once, also while the pipeline computes.",
                ok=_content("Status", "It accepts requests"),
                errors=("503",),
            )
        },
        "/metrics": {
            "get": _operation(
                "Counts and times",
                "In the text format of Prometheus.",
                ok={
                    "description": "The metrics",
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                },
                errors=("401", "403"),
                settings=settings,
            )
        },
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "spacy-lstm-ner",
            "description": "Named-entity recognition. Errors are sent as an object "
            "with the reason in 'error'.",
            "version": dict(installed())["spacy-lstm-ner"],
        },
        "paths": paths,
        "components": {"schemas": _schemas(settings)},
    }
    if settings.token is not None:
        bearer = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"token": bearer}
    return document


def _operation(
    summary: str,
    description: str,
    *,
    ok: dict[str, Any],
    body: str | None = None,
    errors: tuple[str, ...] = (),
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Describe an operation.

    body: The schema of the request. None: it has none.
    errors: The statuses of errors; all of them if there is a body.
    settings: Given for operations that need a token if the server has one.
    """
    needs_token = settings is not None and settings.token is not None
    statuses = [*(_ERRORS if body else errors)]
    if not needs_token and "401" in statuses:
        statuses.remove("401")
    operation: dict[str, Any] = {
        "summary": summary,
        "description": description,
        "responses": {
            "200": ok,
            **{status: _content("Error", _ERRORS[status]) for status in statuses},
        },
    }
    if needs_token:
        operation["security"] = [{"token": []}]
    if body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(body)}},
        }
    return operation


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _content(schema: str, description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": _reference(schema)}},
    }


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _schemas(settings: Settings) -> dict[str, Any]:
    text = {
        "type": "string",
        "maxLength": settings.characters,
        "examples": ["王芳任教授"],
    }
    texts = {
        "type": "array",
        "items": {"type": "string"},
        "maxItems": settings.texts,
        "description": f"Texts with at most {settings.characters:,} characters "
        f"together",
        "examples": [["王芳任教授", "汉族，中国国籍"]],
    }
    return {
        "Texts": {
            "oneOf": [_object(text=text), _object(texts=texts)],
            "description": "One text, or several ones",
        },
        "EntitiesOf": _object(
            entities={
                "oneOf": [_ENTITIES, {"type": "array", "items": _ENTITIES}],
                "description": "The entities of the text, or a list of entities for "
                "each of the texts",
            }
        ),
        "Entity": _object(
            start={
                "type": "integer",
                "description": "First character, from 0, in code points",
            },
            end={"type": "integer", "description": "After the last character"},
            label={"type": "string", "description": "Type of the entity"},
            text={"type": "string", "description": "The characters of the entity"},
            score={
                "type": ["number", "null"],
                "description": "Probability; null if the pipeline has none",
            },
        ),
        "Status": _object(status={"type": "string", "description": "'ok' or 'ready'"}),
        "Error": _object(error={"type": "string", "description": "The reason"}),
    }
