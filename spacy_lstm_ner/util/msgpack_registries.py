"""A faster look-up of the encoders of srsly's msgpack.

srsly looks up its encoders whenever it serializes or deserializes anything. For each
look-up, catalogue goes through all functions that are registered with spaCy and through
the entry points of all installed packages: 0.3 ms and more, six times for a Doc with a
span group that ``nlp.pipe(n_process=2)`` passes between processes, and three times for
one that is added to a `DocBin`. That is longer than `lstm_ner` needs to process it. The
result changes only if something is registered.
"""

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
        vars(registry)["get_all"] = _CachedLookUp(registry)


class _CachedLookUp:
    """`Registry.get_all`, cached until something is registered."""

    def __init__(self, registry: catalogue.Registry):
        self.registry = registry
        self.found: dict[str, Any] = {}
        # What was registered then: the number of all functions, and those found.
        self.n_registered = -1
        self.registered: list[tuple[tuple[str, ...], Any]] = []

    def __call__(self) -> dict[str, Any]:
        registered = catalogue.REGISTRY
        if self.n_registered != len(registered) or not all(
            registered.get(key) is function for key, function in self.registered
        ):
            self.found = catalogue.Registry.get_all(self.registry)
            keys = ((*self.registry.namespace, name) for name in self.found)
            self.registered = [(key, registered.get(key)) for key in keys]
            self.n_registered = len(registered)
        return dict(self.found)
