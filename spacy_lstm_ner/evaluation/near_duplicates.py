"""Near-duplicates among texts: those that have most of their character n-grams in
common.

The similarity of two texts is the Jaccard index of their sets of n-grams. Instead of
comparing all pairs, MinHash (Broder, 1997) gives each text a signature: the minimum of
each of several hash functions over the n-grams of the text. Two texts agree in one
minimum with a probability equal to their similarity. The signature is divided into
bands, and only texts that agree in all minima of a band are compared: time is linear in
the number of texts (locality-sensitive hashing: Leskovec, Rajaraman & Ullman, "Mining
of Massive Datasets", chapter 3). The hash functions are always the same.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

#: The lowest similarity at which near-duplicates are reliably found.
MIN_SIMILARITY = 0.5

# Length of the n-grams.
_N = 3
# Two texts with similarity s are compared with probability 1 - (1 - s ** _ROWS) **
# _BANDS: 99.98% at 0.7, 87% at 0.5, 23% at 0.3.
_BANDS, _ROWS = 32, 4
# Hash functions (a · x + b) mod p of 32-bit values, with a prime p above 2 ** 32: in
# 64-bit arithmetic a must stay below 2 ** 31.
_PRIME = 4_294_967_311
_RANDOM = np.random.RandomState(0)
_A = _RANDOM.randint(1, 2**31, _BANDS * _ROWS).astype("uint64")
_B = _RANDOM.randint(0, 2**31, _BANDS * _ROWS).astype("uint64")
# N-grams that are hashed at once, which limits memory for long texts.
_CHUNK = 10_000


class Fingerprint(NamedTuple):
    """What is compared of a text."""

    #: The hashes of its n-grams, sorted, each once.
    ngrams: np.ndarray
    #: One key for each band of the signature.
    bands: tuple[bytes, ...]


def normalized(text: str) -> str:
    """Return a text without what does not distinguish two texts: white space, case, and
    the width of characters (by NFKC)."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def fingerprint(text: str) -> Fingerprint:
    """Compute the fingerprint of a text from its normalized form."""
    # Two boundary marks: a text of one character has an n-gram, too.
    padded = f"\x00{normalized(text)}\x00"
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), "<u4")
    hashes = np.zeros(max(len(codes) - _N + 1, 1), dtype="uint64")
    for i in range(min(_N, len(codes))):
        hashes = (hashes * 1_000_003 + codes[i : i + len(hashes)]) % _PRIME
    ngrams = np.unique(hashes)
    signature = np.full(len(_A), 2**63, dtype="uint64")
    for first in range(0, len(ngrams), _CHUNK):
        part = ngrams[first : first + _CHUNK, None]
        np.minimum(signature, ((part * _A + _B) % _PRIME).min(axis=0), out=signature)
    bands = tuple(band.tobytes() for band in signature.reshape((_BANDS, _ROWS)))
    return Fingerprint(ngrams, bands)


def similarity(a: Fingerprint, b: Fingerprint) -> float:
    """The Jaccard index of the n-grams of two texts, from 0 to 1."""
    common = len(np.intersect1d(a.ngrams, b.ngrams, assume_unique=True))
    return common / (len(a.ngrams) + len(b.ngrams) - common)


class NearDuplicates:
    """An index of texts that finds near-duplicates of other texts in it.

    similarity: The similarity from which two texts are near-duplicates.
    """

    def __init__(self, similarity: float):
        self._similarity = similarity
        self._texts: dict[int, Fingerprint] = {}
        self._bands: list[dict[bytes, list[int]]] = [
            defaultdict(list) for _ in range(_BANDS)
        ]

    def add(self, key: int, text: Fingerprint) -> None:
        """Add a text under a key that is not in use."""
        self._texts[key] = text
        for index, band in zip(self._bands, text.bands, strict=True):
            index[band].append(key)

    def remove(self, key: int) -> None:
        """Remove a text."""
        text = self._texts.pop(key)
        for index, band in zip(self._bands, text.bands, strict=True):
            index[band].remove(key)
            if not index[band]:
                del index[band]

    def find(self, text: Fingerprint) -> Iterator[int]:
        """Yield the keys of the near-duplicates of a text."""
        seen: set[int] = set()
        for index, band in zip(self._bands, text.bands, strict=True):
            for key in index.get(band, ()):
                if key not in seen:
                    seen.add(key)
                    if similarity(self._texts[key], text) >= self._similarity:
                        yield key

    def contains(self, text: Fingerprint) -> bool:
        """Return whether the index has a near-duplicate of a text."""
        return next(self.find(text), None) is not None
