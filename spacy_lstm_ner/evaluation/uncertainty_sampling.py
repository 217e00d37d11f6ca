"""Uncertainty sampling, a kind of active learning: picks the texts that are worth
annotating next, those that a pipeline is uncertain of.

A *query strategy* gives each text a score. With p(y) the probability of an analysis of
the text, y* the most probable one, and n the number of units:

- "errors": the expected number of errors in y*, i.e. of incorrect and missed entities
  (`Uncertainty.expected_errors`), divided by n + 25. The sum of errors alone prefers
  long texts, and their density very short ones. This is the benefit of a text divided
  by its cost (Haertel, Seppi, Ringger & Carroll, "Return on Investment for Active
  Learning", 2008), if opening a text takes an annotator as long as 25 units of it.
- "confidence": least confidence, -log p(y*) / n. A long text has many analyses, and
  p(y*) is small. The logarithm divided by the length is the "maximum normalized
  log-probability" (MNLP) of Shen, Yun, Lipton, Kronrod & Anandkumar, "Deep Active
  Learning for Named Entity Recognition", 2018.
- "entity": 1 - p of the least certain entity of y*. If y* has no entity, 1 - p(y*): the
  probability that there is one. It depends on the length only in that long texts have
  more entities.

Settles & Craven, "An Analysis of Active Learning Strategies for Sequence Labeling
Tasks", 2008, compare such strategies, and discuss whether to normalize by the length.

Texts are read once, and only the best candidates are kept, no two of which are
near-duplicates: memory does not grow with the number of texts.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from math import exp
from typing import NamedTuple

from spacy.language import Language

from ..pipeline import (
    LSTMEntityRecognizer,
    LSTMNestedEntityRecognizer,
    Uncertainty,
    nested_recognizers,
    recognizers,
)
from .near_duplicates import (
    MIN_SIMILARITY,
    Fingerprint,
    NearDuplicates,
    fingerprint,
    normalized,
)

# The cost of a text in addition to its length, in units.
_OVERHEAD = 25
# Texts go through the pipeline in batches of so many characters, or of one text.
_BATCH_CHARACTERS = 20_000
# Candidates that are kept in addition to twice the number of texts to pick: a new
# candidate replaces all near-duplicates of it, which may be several.
_SPARE = 100


class Pick(NamedTuple):
    """A text that was picked for annotation."""

    #: Its position among the texts, from 0.
    position: int
    #: The text.
    text: str
    #: How uncertain the pipeline is of it: the score of the query strategy.
    uncertainty: float
    #: Why it was picked: "uncertain" or "random".
    reason: str


def expected_errors(found: Uncertainty) -> float:
    """The expected number of errors, divided by the cost."""
    return found.expected_errors / (found.length + _OVERHEAD)


def least_confidence(found: Uncertainty) -> float:
    """The negative log-probability of the best analysis, divided by the length."""
    return -found.log_probability / found.length


def least_certain_entity(found: Uncertainty) -> float:
    """The probability that the least certain entity is incorrect, or that there is an
    entity if none is predicted."""
    if found.entities:
        return 1 - min(entity.score for entity in found.entities)
    return 1 - exp(found.log_probability)


#: The query strategies: the score of a text that is not empty.
STRATEGIES: dict[str, Callable[[Uncertainty], float]] = {
    "errors": expected_errors,
    "confidence": least_confidence,
    "entity": least_certain_entity,
}


def pick_texts(
    nlp: Language,
    texts: Iterable[str],
    n: int,
    *,
    strategy: str = "errors",
    random_share: float = 0.1,
    annotated: Iterable[str] = (),
    similarity: float = 0.7,
    seed: int = 0,
) -> list[Pick]:
    """Pick the texts that are worth annotating next: those that the pipeline is the
    most uncertain of, and a share at random, so that texts are found, too, that it is
    wrongly certain of.

    nlp: The pipeline. The uncertainty is that of its first component `lstm_ner`, or
        without one of its first `lstm_nested_ner`.
    texts: The texts. They are read once, and are not kept in memory. Blank ones are
        never picked.
    n: Number of texts to pick.
    strategy: The query strategy: "errors" (the expected number of incorrect and missed
        entities, relative to the length), "confidence" (the probability of the best
        analysis, per unit) or "entity" (the probability of the least certain entity).
    random_share: The share of the n texts that is picked at random, from 0 to 1.
    annotated: Texts that are annotated already. They are kept in memory.
    similarity: Texts of which at least this share of character trigrams is common
        (their Jaccard index, from 0.5 to 1) are near-duplicates. Only one of them is
        picked, and none if one is annotated already.
    seed: Determines which texts are picked at random.
    RETURNS: The texts: first the uncertain ones, the most uncertain first, then the
        random ones. They are fewer than n if there are not so many different ones.
    RAISES (ValueError): If an argument is not valid, or the pipeline has no component
        `lstm_ner`, or one that is not trained.
    """
    check_arguments(n, strategy, random_share, similarity)
    name, ner = find_recognizer(nlp)
    n_random = round(n * random_share)
    n_uncertain = n - n_random
    known = NearDuplicates(similarity)
    for i, text in enumerate(annotated):
        known.add(-1 - i, fingerprint(text))
    uncertain, random = (_Candidates(2 * n + _SPARE, similarity) for _ in range(2))
    for position, text, found in _measured(nlp, name, ner, texts):
        score = STRATEGIES[strategy](found)
        ranks = [(random, _random_rank(text, seed), "random")] if n_random else []
        if n_uncertain:
            ranks.append((uncertain, score, "uncertain"))
        ranks = [item for item in ranks if item[0].accepts(item[1])]
        if not ranks:
            continue
        ngrams = fingerprint(text)
        if not known.contains(ngrams):
            for candidates, rank, reason in ranks:
                candidates.add(rank, Pick(position, text, score, reason), ngrams)
    picked: list[Pick] = []
    for candidates, total in ((uncertain, n_uncertain), (random, n)):
        for pick, ngrams in candidates.best_first():
            if len(picked) < total and not known.contains(ngrams):
                known.add(pick.position, ngrams)
                picked.append(pick)
    return picked


def check_arguments(
    n: int, strategy: str, random_share: float, similarity: float
) -> None:
    """Check the arguments of `pick_texts`.

    RAISES (ValueError): If one is not valid.
    """
    if n < 1:
        raise ValueError(f"n = {n} is too small: pick 1 text or more")
    if strategy not in STRATEGIES:
        raise ValueError(
            f"unknown query strategy {strategy!r}: use one of {tuple(STRATEGIES)}"
        )
    if not 0 <= random_share <= 1:
        raise ValueError(f"the random share {random_share} is not between 0 and 1")
    if not MIN_SIMILARITY <= similarity <= 1:
        raise ValueError(
            f"the similarity {similarity} is not between {MIN_SIMILARITY} and 1"
        )


def find_recognizer(
    nlp: Language,
) -> tuple[str, LSTMEntityRecognizer | LSTMNestedEntityRecognizer]:
    """Return the name of the first component `lstm_ner` of a pipeline, and it; without
    one, of the first `lstm_nested_ner`.

    RAISES (ValueError): If there is none.
    """
    for found in recognizers(nlp).items():
        return found
    for other in nested_recognizers(nlp).items():
        return other
    raise ValueError(
        f"The pipeline has no component lstm_ner, only {nlp.pipe_names}: it is not "
        f"known how certain other components are."
    )


class _Candidates:
    """The texts with the highest ranks, no two of which are near-duplicates.

    capacity: Their maximum number.
    similarity: See `pick_texts`.
    """

    def __init__(self, capacity: int, similarity: float):
        self._capacity = capacity
        self._kept: dict[int, tuple[float, Pick, Fingerprint]] = {}
        self._index = NearDuplicates(similarity)
        # A heap of (rank, -position), with the lowest rank on top; of texts with the
        # same rank, the last one. Below the top there may be texts that were removed.
        self._heap: list[tuple[float, int]] = []

    def accepts(self, rank: float) -> bool:
        """Return whether a text that comes after all others can become a candidate."""
        return len(self._kept) < self._capacity or rank > self._heap[0][0]

    def add(self, rank: float, pick: Pick, ngrams: Fingerprint) -> None:
        """Add a text with an accepted rank, unless a near-duplicate of it has the same
        rank or a higher one; those with a lower one are removed."""
        similar = list(self._index.find(ngrams))
        if any(self._kept[position][0] >= rank for position in similar):
            return
        for position in similar:
            self._remove(position)
        if len(self._kept) == self._capacity:
            self._remove(-self._heap[0][1])
        self._kept[pick.position] = (rank, pick, ngrams)
        self._index.add(pick.position, ngrams)
        heapq.heappush(self._heap, (rank, -pick.position))

    def _remove(self, position: int) -> None:
        del self._kept[position]
        self._index.remove(position)
        if len(self._heap) > 2 * self._capacity:
            self._heap = [(rank, -i) for i, (rank, *_) in self._kept.items()]
            heapq.heapify(self._heap)
        while self._heap and -self._heap[0][1] not in self._kept:
            heapq.heappop(self._heap)

    def best_first(self) -> Iterator[tuple[Pick, Fingerprint]]:
        """Yield the candidates, those with the highest ranks first."""
        ranked = sorted(self._kept.values(), key=lambda c: (-c[0], c[1].position))
        for _, pick, ngrams in ranked:
            yield pick, ngrams


def _random_rank(text: str, seed: int) -> float:
    """A random number that depends on nothing but the text and the seed: copies of a
    text are not picked more often."""
    digest = hashlib.blake2b(
        normalized(text).encode("utf8", "surrogatepass"),
        digest_size=8,
        key=str(seed).encode()[: hashlib.blake2b.MAX_KEY_SIZE],
    )
    return int.from_bytes(digest.digest(), "big") / 2**64


def _measured(
    nlp: Language,
    name: str,
    ner: LSTMEntityRecognizer | LSTMNestedEntityRecognizer,
    texts: Iterable[str],
) -> Iterator[tuple[int, str, Uncertainty]]:
    """Yield the texts that are not blank, with their positions."""
    names = nlp.pipe_names
    # For the component itself, entities in `doc.ents` would be preset.
    following = names[names.index(name) :]
    for batch in _batches(texts):
        with nlp.memory_zone():
            docs = list(nlp.pipe((text for _, text in batch), disable=following))
            measured = ner.uncertainty(docs)
            del docs
        for (position, text), found in zip(batch, measured, strict=True):
            if found.length:
                yield position, text, found


def _batches(texts: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Group the texts that are not blank, with their positions, into batches."""
    batch: list[tuple[int, str]] = []
    total = 0
    for position, text in enumerate(texts):
        if text.strip():
            batch.append((position, text))
            total += len(text)
        if total >= _BATCH_CHARACTERS:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
