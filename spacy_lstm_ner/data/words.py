"""Readers of tables of words, for the section `[initialize.components.lstm_ner.words]`
of a config."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from spacy.lookups import load_lookups
from spacy.strings import get_string_id

from ..exceptions import DataError

# The clusters of the words of a language, and the logarithms of their probabilities.
_CLUSTERS, _LOG_PROBS = "lexeme_cluster", "lexeme_prob"
_MAX_BITS = 31


class WordTable:
    """Clusters and frequencies of words. (Not a named tuple or dataclass, which become
    a tuple or dict when a config is resolved.)

    hashes: (n,) uint64, the hash of each word: `spacy.strings.get_string_id`.
    clusters: (n,) the path of its cluster from the root of the tree, as a number with
        the first step as its lowest bit; 0 if it has none.
    log_probs: (n,) the natural logarithm of its probability.
    """

    def __init__(
        self, hashes: np.ndarray, clusters: np.ndarray, log_probs: np.ndarray
    ) -> None:
        self.hashes = hashes
        self.clusters = clusters
        self.log_probs = log_probs


def read_lookups_words(lang: str = "en") -> WordTable:
    """Read clusters and frequencies from the package spacy-lookups-data: for English,
    the frequencies of a million words and the clusters of 190,000 of them. Registered
    as `spacy-lstm-ner.LookupsWords.v1`.

    lang: Code of the language.
    RETURNS: The table.
    RAISES (ImportError): If the package is not installed.
    RAISES (DataError): If it has no tables for this language.
    """
    found = load_lookups(lang, [_CLUSTERS, _LOG_PROBS], strict=False)
    if not found.has_table(_LOG_PROBS):
        if find_spec("spacy_lookups_data") is None:
            raise ImportError(
                "The words of this config come from the package spacy-lookups-data, "
                'which is not installed: pip install "spacy-lstm-ner[lookups]". It is '
                "only needed for training."
            )
        raise DataError(
            f"the package spacy-lookups-data has no word frequencies for the language "
            f"{lang!r}: use the reader spacy-lstm-ner.ClusterWords.v1 with a file"
        )
    log_probs = found.get_table(_LOG_PROBS)
    clusters = found.get_table(_CLUSTERS) if found.has_table(_CLUSTERS) else {}
    # The keys are hashes.
    rows = [(key, clusters.get(key, 0), log_probs[key]) for key in log_probs]
    return _table(rows)


def read_cluster_words(path: str | Path) -> WordTable:
    """Read the output of a program that clusters words, such as Liang's wcluster or the
    clusters of tweets by Owoputi et al. (2013): a UTF-8 file with the path of the
    cluster, a tab, the word, a tab and its count in each line. Registered as
    `spacy-lstm-ner.ClusterWords.v1`.

        1110101100	london	17291

    path: The file.
    RETURNS: The table.
    RAISES (DataError): If the file cannot be opened or has no words, or a line is
        malformed or not UTF-8.
    """
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    words: dict[str, tuple[int, int]] = {}
    for number, data in enumerate(lines, start=1):
        try:
            line = data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path}:{number}: this line is not UTF-8") from None
        if not line.strip():
            continue
        bits, *rest = line.split("\t")
        word, count = rest if len(rest) == 2 else ("", "")
        if not word or not bits or bits.strip("01") or not _is_count(count):
            raise DataError(
                f"{path}:{number}: expected the path of a cluster (0 and 1), a tab, a "
                f"word, a tab and its count, not {line!r:.200}"
            )
        if len(bits) > _MAX_BITS:
            raise DataError(
                f"{path}:{number}: the path of a cluster has {len(bits)} bits, more "
                f"than {_MAX_BITS}"
            )
        # The first step is the lowest bit.
        words[word] = int(bits[::-1], 2), int(count)
    if not words:
        raise DataError(f"{path}: no words found")
    total = sum(count for _, count in words.values())
    return _table(
        [
            (get_string_id(word), cluster, np.log(count / total))
            for word, (cluster, count) in words.items()
        ]
    )


def _is_count(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdecimal() and int(text) > 0


def _table(rows: list[tuple[int, int, float]]) -> WordTable:
    hashes, clusters, log_probs = zip(*rows, strict=True)
    return WordTable(
        np.array(hashes, dtype="uint64"), np.array(clusters), np.array(log_probs)
    )
