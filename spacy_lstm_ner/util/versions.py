"""The versions of this package and of those that it computes with."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    *("spacy-lstm-ner", "spacy", "thinc", "numpy", "torch", "spacy-transformers"),
    *("jieba", "pyarrow"),
)


def installed() -> Iterator[tuple[str, str]]:
    """Yield the names of packages, and their versions or "not installed"."""
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
    yield "Python", f"{platform.python_version()}, {platform.platform()}"
