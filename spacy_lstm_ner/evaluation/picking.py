"""Texts that are worth annotating next: active learning, by uncertainty sampling.

The score of a text says how uncertain the pipeline is of it. There are three query
strategies, with p(y) the probability of an analysis, y* the best one, and n the length:

- "confidence": least confidence, -log p(y*) / n. Long texts have many analyses, so
  p(y*) prefers them; dividing the logarithm by the length is MNLP, "maximum normalized
  log-probability" (Shen, Yun, Lipton, Kronrod & Anandkumar, ICLR 2018).
- "entity": 1 - p of the least certain entity. If none is predicted, 1 - p(y*), which is
  the probability that there is one.
- "errors": the expected number of errors in y*, i.e. of incorrect and missed entities
  (see `Uncertainty.expected_errors`), divided by the cost of the text, n + 25: to open a
  text takes an annotator as long as to read some characters. So neither long texts nor
  very short ones are preferred. (Haertel, Seppi, Ringger & Carroll, 2008, "Return on
  Investment for Active Learning", divide the benefit of a text by its cost.)

Texts are read once. Only the best candidates are kept, no two of which are
near-duplicates, so memory does not grow with the number of texts.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from spacy.language import Language

from ..pipeline import LSTMEntityRecognizer, Uncertainty, recognizers
from ..util.progress import with_progress
from .near_duplicates import Fingerprint, NearDuplicates, fingerprint, normalized

# What a text costs in addition to its length, in characters.
_OVERHEAD = 25
# Texts go through the pipeline in batches of so many characters, or of one text.
_BATCH_CHARACTERS = 20_000
# Candidates that are kept in addition to twice the number of texts to pick: a new
# candidate can replace several others that are near-duplicates of it.
_SPARE = 100


class Pick(NamedTuple):
    """A text to annotate."""

    #: Its number among the texts, from 0.
    index: int
    text: str
    #: How uncertain the pipeline is of it.
    score: float
    #: Why it was picked: "uncertain" or "random".
    reason: str


def _confidence(found: Uncertainty) -> float:
    return -found.log_probability / found.length


def _entity(found: Uncertainty) -> float:
    if found.entities:
        return 1 - min(entity.score for entity in found.entities)
    return 1 - min(2.718281828459045**found.log_probability, 1.0)


def _errors(found: Uncertainty) -> float:
    return found.expected_errors / (found.length + _OVERHEAD)


STRATEGIES: dict[str, Callable[[Uncertainty], float]] = {
    "confidence": _confidence,
    "entity": _entity,
    "errors": _errors,
}


class _Candidates:
    """The candidates with the highest ranks, no two of which are near-duplicates.

    capacity: Their maximum number.
    minimum: The similarity from which two texts are near-duplicates.
    """

    def __init__(self, capacity: int, minimum: float):
        self.capacity = capacity
        self._kept: dict[int, tuple[float, Pick, Fingerprint]] = {}
        self._lowest: list[tuple[float, int]] = []  # a heap of (rank, -index)
        self._index = NearDuplicates(minimum)

    def accepts(self, rank: float) -> bool:
        """Whether a text of this rank can become a candidate."""
        return len(self._kept) < self.capacity or rank > self._lowest[0][0]

    def add(self, rank: float, pick: Pick, text: Fingerprint) -> None:
        """Add a text, unless there is a near-duplicate of at least this rank. Those of
        lower ranks are removed."""
        similar = list(self._index.find(text))
        if any(self._kept[key][0] >= rank for key in similar):
            return
        for key in similar:
            self._remove(key)
        if len(self._kept) >= self.capacity:
            self._remove(-self._lowest[0][1])
        self._kept[pick.index] = (rank, pick, text)
        self._index.add(pick.index, text)
        heapq.heappush(self._lowest, (rank, -pick.index))
        self._clean()

    def _remove(self, key: int) -> None:
        del self._kept[key]
        self._index.remove(key)
        self._clean()

    def _clean(self) -> None:
        """Drop removed candidates from the heap: those on top, and all of them before
        it becomes much larger than needed."""
        if len(self._lowest) > 2 * self.capacity:
            self._lowest = [(rank, -key) for key, (rank, *_) in self._kept.items()]
            heapq.heapify(self._lowest)
        while self._lowest and -self._lowest[0][1] not in self._kept:
            heapq.heappop(self._lowest)

    def __iter__(self) -> Iterator[tuple[Pick, Fingerprint]]:
        """Yield the candidates, those of the highest ranks first."""
        by_rank = sorted(self._kept.values(), key=lambda c: (-c[0], c[1].index))
        for _, pick, text in by_rank:
            yield pick, text


def pick_texts(
    nlp: Language,
    texts: Iterable[str],
    n: int,
    *,
    strategy: str = "confidence",
    random_share: float = 0.1,
    annotated: Iterable[str] = (),
    max_similarity: float = 0.7,
    seed: int = 0,
    progress: bool = False,
) -> list[Pick]:
    """Pick the texts that are worth annotating next.

    nlp: The pipeline, with a component `lstm_ner`.
    texts: The texts. They are read once, and those without a visible character are
        never picked.
    n: Number of texts to pick.
    strategy: How the uncertainty is computed, a key of `STRATEGIES`.
    random_share: The share of the n texts that is picked at random, from 0 to 1.
    annotated: Texts that are annotated already: near-duplicates of them are not picked.
    max_similarity: Texts with this similarity or a higher one are near-duplicates, of
        which only one is picked; above 1, none are.
    seed: Determines the random texts.
    progress: Show progress.
    RETURNS: The texts: the uncertain ones, the most uncertain first, and the random
        ones. There are fewer than n if the texts do not have as many that differ.
    RAISES (ValueError): If an argument is not valid, or the pipeline has no component
        `lstm_ner`.
    """
    name, ner = _component(nlp)
    measure = STRATEGIES[strategy]
    n_random = round(n * random_share)
    uncertain = _Candidates(2 * n + _SPARE, max_similarity)
    random = _Candidates(2 * n + _SPARE, max_similarity)
    done = NearDuplicates(max_similarity)
    for i, text in enumerate(annotated):
        done.add(-1 - i, fingerprint(text))
    shown = with_progress(texts, progress, "Texts")
    for index, text, score in _scored(nlp, name, ner, shown, measure):
        order = _random_rank(text, seed)
        pools = [
            (pool, rank)
            for pool, rank, size in (
                (uncertain, score, n - n_random),
                (random, order, n_random),
            )
            if size and pool.accepts(rank)
        ]
        if not pools:
            continue
        print_of_text = fingerprint(text)
        if any(True for _ in done.find(print_of_text)):
            continue
        for pool, rank in pools:
            reason = "uncertain" if pool is uncertain else "random"
            pool.add(rank, Pick(index, text, score, reason), print_of_text)
    picked: list[Pick] = []
    for pool, size in ((uncertain, n - n_random), (random, n)):
        for pick, print_of_text in pool:
            if len(picked) >= size:
                break
            if not any(True for _ in done.find(print_of_text)):
                done.add(pick.index, print_of_text)
                picked.append(pick)
    return picked


def _component(nlp: Language) -> tuple[str, LSTMEntityRecognizer]:
    return next(iter(recognizers(nlp).items()))


def _random_rank(text: str, seed: int) -> float:
    """A random number of a text, which copies of it share."""
    digest = hashlib.blake2b(
        normalized(text).encode("utf8", "surrogatepass"),
        digest_size=8,
        key=str(seed).encode(),
    ).digest()
    return int.from_bytes(digest, "big") / 2**64


def _scored(
    nlp: Language,
    name: str,
    ner: LSTMEntityRecognizer,
    texts: Iterable[str],
    measure: Callable[[Uncertainty], float],
) -> Iterator[tuple[int, str, float]]:
    """Yield the texts that are not blank, with their numbers and scores."""
    names = nlp.pipe_names
    disabled = names[names.index(name) :]
    for batch in _batches(texts):
        docs = list(nlp.pipe((text for _, text in batch), disable=disabled))
        for (index, text), found in zip(batch, ner.uncertainty(docs), strict=True):
            if found.length:
                yield index, text, measure(found)


def _batches(texts: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    total = 0
    for index, text in enumerate(texts):
        if not text.strip():
            continue
        batch.append((index, text))
        total += len(text)
        if total >= _BATCH_CHARACTERS:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
