"""Lists of words that a model can be given: `[initialize.components.lstm_ner.lexicon]`
in a config names one of these readers."""

import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from ..exceptions import DataError

# In jieba's dictionary, tags of fewer words than this are taken together.
_RARE = 1000
_NUMBER = re.compile(r"(\d+(\.\d+)?)?")


def read_lexicon(path: str | Path) -> dict[str, dict[str, float]]:
    """`spacy-lstm-ner.Lexicon.v1`: a file with a word a line, in UTF-8. After a tab, if
    you like, the kind that it is of, and after another how frequent it is. Empty lines,
    and those that begin with #, are left out.

        王府井	place	27
        副总经理	title

    path (str | Path): The file.
    RETURNS (dict[str, dict[str, float]]): The words of each kind, and how frequent each
        is: 1 where that is not said. The kind is "" where none is said.
    RAISES (DataError): Where there is no such file, a line is not UTF-8 or none of
        these, or there is no word.
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
                f"{path}:{number}: a line is a word; after a tab its kind, and after "
                f"another how frequent it is, a number; not {line!r}"
            )
        lexicon.setdefault(kind, {})[word] = float(frequency or 1)
    if not lexicon:
        raise DataError(f"{path}: there is no word in it")
    return lexicon


def read_jieba_lexicon() -> dict[str, dict[str, float]]:
    """`spacy-lstm-ner.JiebaLexicon.v1`: the dictionary of jieba, with about 350,000
    words of Chinese, their parts of speech (names of persons and places among them),
    and how frequent they are.

    RETURNS (dict[str, dict[str, float]]): The words of each part of speech, and how
        frequent each is; of rare parts of speech under "other".
    RAISES (ImportError): Where jieba is not installed.
    """
    # Only its file is read: importing jieba would build its own index.
    package = find_spec("jieba")
    if package is None or package.origin is None:
        raise ImportError(
            "The lexicon of this config is jieba's dictionary, but jieba is not "
            'installed: pip install jieba, or pip install "spacy-lstm-ner[lexicon]". '
            "A trained pipeline needs it no more."
        )
    text = Path(package.origin).with_name("dict.txt").read_text(encoding="utf-8")
    entries = [line.split(" ") for line in text.splitlines()]
    count = Counter(tag for _, _, tag in entries)
    lexicon: dict[str, dict[str, float]] = {}
    for word, frequency, tag in entries:
        kind = tag if count[tag] >= _RARE else "other"
        lexicon.setdefault(kind, {})[word] = float(frequency)
    return lexicon
