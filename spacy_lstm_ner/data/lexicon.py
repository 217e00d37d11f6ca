"""Readers of lexicons, for the section `[initialize.components.lstm_ner.lexicon]` of a
config."""

import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from ..exceptions import DataError

# In jieba's dictionary, parts of speech with fewer words are merged.
_RARE = 1000
_NUMBER = re.compile(r"(\d+(\.\d+)?)?")


def read_lexicon(path: str | Path) -> dict[str, dict[str, float]]:
    """Read a lexicon: a UTF-8 file with one word a line, optionally followed by a tab
    and its kind, and another tab and its frequency. Empty lines and lines that begin
    with # are ignored. Registered as `spacy-lstm-ner.Lexicon.v1`.

        王府井	place	27
        副总经理	title

    path: The file.
    RETURNS: The words of each kind with their frequencies. The default kind is "", the
        default frequency 1.
    RAISES (DataError): If the file cannot be opened or has no words, or a line is
        malformed or not UTF-8.
    """
    lexicon: dict[str, dict[str, float]] = {}
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    for number, data in enumerate(lines, start=1):
        try:
            line = data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path}:{number}: this line is not UTF-8") from None
        if not line.strip() or line.startswith("#"):
            continue
        word, kind, frequency, *more = (
            *(part.strip() for part in line.split("\t")),
            "",
            "",
        )
        if not word or not _NUMBER.fullmatch(frequency) or any(more):
            raise DataError(
                f"{path}:{number}: expected a word, optionally followed by a tab and "
                f"its kind, and another tab and its frequency, not {line!r}"
            )
        lexicon.setdefault(kind, {})[word] = float(frequency or 1)
    if not lexicon:
        raise DataError(f"{path}: no words found")
    return lexicon


def read_jieba_lexicon() -> dict[str, dict[str, float]]:
    """Read the dictionary of jieba, with about 350,000 Chinese words, their frequencies
    and their parts of speech, which distinguish names of persons and places. Registered
    as `spacy-lstm-ner.JiebaLexicon.v1`.

    RETURNS: The words of each part of speech with their frequencies. Rare parts of
        speech are merged into "other".
    RAISES (ImportError): If jieba is not installed.
    """
    # Only the file is read: importing jieba would build an index.
    package = find_spec("jieba")
    if package is None or package.origin is None:
        raise ImportError(
            "The lexicon of this config is jieba's dictionary, but jieba is not "
            'installed: pip install jieba, or pip install "spacy-lstm-ner[lexicon]". '
            "It is only needed for training."
        )
    text = Path(package.origin).with_name("dict.txt").read_text(encoding="utf-8")
    entries = [line.split(" ") for line in text.splitlines()]
    count = Counter(tag for _, _, tag in entries)
    lexicon: dict[str, dict[str, float]] = {}
    for word, frequency, tag in entries:
        kind = tag if count[tag] >= _RARE else "other"
        lexicon.setdefault(kind, {})[word] = float(frequency)
    return lexicon
