"""The rows that are read and written: a text with its other fields, and its entities,
as JSON and as Arrow."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..tags import ScoredSpan, Span

if TYPE_CHECKING:
    import pyarrow as pa

#: An entity by character offsets; with a probability, if it is known.
Entity = Span | ScoredSpan

#: The default names of the fields.
TEXT_FIELD, ENTITIES_FIELD = "text", "entities"


class HasEntities(Protocol):
    """What `entities_array` needs of a prediction."""

    @property
    def entities(self) -> list[Entity]: ...

    @property
    def error(self) -> str: ...


class Rejected(NamedTuple):
    """A record that is set aside.

    path: Its file.
    line: Its line or row, from 1; 0 for the file as a whole.
    reason: Why.
    content: What is in the file there, if it is text.
    """

    path: str
    line: int
    reason: str
    content: str | None = None

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.reason}"


def entity_dicts(text: str, entities: Sequence[Entity]) -> list[dict[str, Any]]:
    """Return the entities of a text as JSON objects."""
    return [
        {
            "start": entity.start,
            "end": entity.end,
            "label": entity.label,
            "text": text[entity.start : entity.end],
            "score": _rounded(entity),
        }
        for entity in entities
    ]


def _rounded(entity: Entity) -> float | None:
    # Float32 has no more digits, and the last ones depend on the instruction set.
    return round(entity.score, 6) if isinstance(entity, ScoredSpan) else None


def json_line(fields: dict[str, Any]) -> bytes:
    """Return an object as a line of JSON."""
    try:
        line = json.dumps(fields, ensure_ascii=False, default=_as_json)
        return line.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in another field
        return json.dumps(fields, default=_as_json).encode() + b"\n"


def _as_json(value: object) -> object:
    """Values of Parquet columns that JSON does not have: dates, times, decimals, and
    bytes."""
    if isinstance(value, bytes):
        return value.decode("utf8", "backslashreplace")
    return str(value)


def entity_type() -> "pa.DataType":
    """The Arrow type of the entities of a text."""
    import pyarrow as pa

    return pa.list_(
        pa.struct(
            [
                ("start", pa.int64()),
                ("end", pa.int64()),
                ("label", pa.string()),
                ("text", pa.string()),
                ("score", pa.float64()),
            ]
        )
    )


def entities_array(
    texts: Sequence[Any], predictions: Sequence[HasEntities]
) -> "pa.Array":
    """Return the entities of texts as an Arrow array; null where the pipeline failed.

    texts: The texts.
    predictions: The prediction for each text.
    """
    import pyarrow as pa

    return pa.array(
        [
            None if p.error else entity_dicts(text, p.entities)
            for text, p in zip(texts, predictions, strict=True)
        ],
        entity_type(),
    )
