"""Fields of objects, whose keys differ from data set to data set."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ...util.text import shortened

#: Keys of the text of a record, in the order in which they are looked for.
TEXT_KEYS = (
    *("text", "sentence", "content", "originaltext", "raw", "context", "data"),
    *("document", "sourcetext", "rawtext", "fulltext", "sent", "passage"),
    *("paragraph", "utterance", "input"),
)
#: Keys of the units of a record.
UNIT_KEYS = (
    *("tokens", "words", "chars", "characters", "tokenizedtext", "token", "word"),
    *("text", "sentence", "sent", "content", "context", "originaltext", "raw", "data"),
)


# Longer keys are none of those that are looked for.
_MAX_KEY = 100


def plain_key(key: Any) -> str:
    """Return a key without what differs between spellings: "startOffset" and
    "start_offset" are both "startoffset"; "" for what is no such key."""
    return _plain(key) if isinstance(key, str) and len(key) <= _MAX_KEY else ""


@lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).lower()


def plain_fields(value: dict[Any, Any]) -> dict[str, Any]:
    """Return an object with its keys in the form of `plain_key`; of two keys that are
    then the same, the first."""
    fields: dict[str, Any] = {}
    for key, item in value.items():
        if plain := plain_key(key):
            fields.setdefault(plain, item)
    return fields


def spelling_of(plain: str, value: dict[Any, Any]) -> str:
    """Return the key of an object whose `plain_key` this is."""
    return next(str(key) for key in value if plain_key(key) == plain)


def keys_of(value: dict[Any, Any]) -> str:
    """Return the keys of an object, for messages."""
    listed = ", ".join(repr(key) for key in list(value)[:20] if isinstance(key, str))
    return shortened(listed, 150) or "none"


def first_field(fields: dict[str, Any], keys: Iterable[str]) -> Any:
    """Return the first field that is there and not None."""
    return next((fields[k] for k in keys if fields.get(k) is not None), None)


def are_strings(value: Any) -> bool:
    """Return whether a value is a list of strings."""
    # Parsers make no subclasses of strings; this is faster than to ask each.
    return isinstance(value, list | tuple) and {*map(type, value)} <= {str}


def as_index(value: Any) -> int | None:
    """Return a whole number, which some tools write as 3.0; None for anything else."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
