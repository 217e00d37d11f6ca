"""A faster look-up of the encoders of srsly's msgpack.

srsly looks up its encoders whenever it serializes or deserializes anything. For each
look-up, catalogue goes through all functions that are registered with spaCy and through
the entry points of all installed packages: 0.3 ms and more, six times for a Doc with a
span group that ``nlp.pipe(n_process=2)`` passes between processes, and three times for
one that is added to a `DocBin`. That is longer than `lstm_ner` needs to process it. The
result changes only if something is registered.
"""

from functools import partial
from typing import Any

import catalogue
import srsly.msgpack


def cache_registries() -> None:
    """Cache the look-ups of the encoders and decoders, once per process. Does nothing
    if srsly or catalogue no longer work in this way."""
    for name in ("msgpack_encoders", "msgpack_decoders"):
        registry = getattr(srsly.msgpack, name, None)
        if (
            not isinstance(registry, catalogue.Registry)
            or "get_all" in vars(registry)
            or not hasattr(catalogue, "REGISTRY")
        ):
            continue
        # On the object, since others have references to it.
        vars(registry)["get_all"] = partial(_get_all, registry, {})


def _get_all(registry: catalogue.Registry, cache: dict[int, Any]) -> dict[str, Any]:
    """`Registry.get_all`, unless nothing has been registered since the last call."""
    n_registered = len(catalogue.REGISTRY)
    found = cache.get(n_registered)
    if found is None:
        found = catalogue.Registry.get_all(registry)
        cache.clear()
        cache[n_registered] = found
    return dict(found)
