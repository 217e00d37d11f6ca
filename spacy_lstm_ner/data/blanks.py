"""What is between the units of a text: blanks between words, nothing between
characters.

Files of units do not say it, so that it is decided by what the units are. Characters of
scripts that are written without spaces (Chinese, Japanese, Thai and others) are never
separated. Words of other scripts are, but not letters that are annotated one by one.
Files of Chinese characters may have such words among them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise

from ..util.text import escaped
from .records import Record

# Letters, and the marks that belong to them, of scripts with spaces between words: from
# Latin to Sinhala, Georgian, Ethiopic and Cherokee, Latin and Greek with accents,
# Hangul, and the forms of Hebrew and Arabic letters.
_SPACED = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0dff\u10a0-\u10ff\u1200-\u13ff"
    "\u1e00-\u1fff\uac00-\ud7a3\ufb1d-\ufdff\ufe70-\ufefc"
)
_SPACED_LETTERS = re.compile(f"[{_SPACED}]")
_NOT_SPACED = re.compile(rf"[^\W\d_{_SPACED}]")
# Two units without a blank can be whole words only if there is such a pair.
_ADJACENT = re.compile(rf"[{_SPACED}\d].?[{_SPACED}\d]", re.DOTALL)
_NUMBER = re.compile(r"\d+([.,:/-]\d+)*%?")

# Kinds of units.
_WORD, _LETTER, _NUMBERS, _DIGIT, _UNSPACED, _BLANK, _EMPTY, _OTHER = range(8)
_WORD_LIKE = (_WORD, _LETTER, _NUMBERS)


@dataclass(frozen=True)
class Blanks:
    """What is between the units of a text, unless its record says it.

    between: "all": a blank between all units, except between two of a script without
        spaces; "words": a blank between two whole words; "nothing".
    numbers: Whether numbers are words, too.
    joiner: Text between all units, in place of that.
    own: Whether the file has its own blanks, as units.
    """

    between: str = "nothing"
    numbers: bool = False
    joiner: str | None = None
    own: bool = False

    @property
    def description(self) -> str:
        """What is between the units, in a few words."""
        if self.joiner is not None:
            return f'"{escaped(self.joiner)}"' if self.joiner else "nothing"
        if self.own:
            return "the blanks of the file"
        return {
            "all": "blanks between all units",
            "words": "blanks between words",
            "nothing": "nothing",
        }[self.between]

    def pieces(self, record: Record) -> Sequence[str]:
        """Return the units of a record, each with the blank that follows it. The last
        one has none.

        record: The record. What it says about its blanks is used, unless there is a
            joiner.
        RETURNS: The parts of the text, one for each unit.
        """
        units = record.units
        if self.joiner is not None:
            return _joined(units, self.joiner)
        if record.blanks is not None:
            return _with_blanks(units, record.blanks)
        if self.between == "all":
            kinds = list(map(_kind, units))
            if not {_UNSPACED, _BLANK, _EMPTY}.intersection(kinds):
                return _joined(units, " ")
            return _with_blanks(units, map(_separated, pairwise(kinds)))
        if self.between == "words" and _ADJACENT.search("".join(units)):
            kinds = list(map(_kind, units))
            return _with_blanks(units, map(self._are_words, pairwise(kinds)))
        return units

    def _are_words(self, kinds: tuple[int, int]) -> bool:
        if self.numbers:
            first, second = (_NUMBERS if kind == _DIGIT else kind for kind in kinds)
        else:
            first, second = kinds
        if _LETTER in (first, second):
            # Letters one by one have no blanks, but "is a test" has.
            return _WORD in (first, second)
        return first in (_WORD, _NUMBERS) and second in (_WORD, _NUMBERS)


def detect_blanks(records: Sequence[Record]) -> Blanks:
    """Decide by the units of a file what is between them.

    records: The first records of the file.
    RETURNS: What is between their units.
    """
    counts: Counter[int] = Counter()
    for unit, n in Counter(chain.from_iterable(r.units for r in records)).items():
        counts[_kind(unit)] += n
    words = counts[_WORD]
    if not words or words < counts[_LETTER]:
        return Blanks()
    if counts[_BLANK] and _has_own_blanks(records):
        return Blanks(own=True)
    if 2 * words > words + counts[_LETTER] + counts[_UNSPACED]:
        return Blanks("all")
    return Blanks("words", numbers=counts[_NUMBERS] > 0)


def is_word(unit: str) -> bool:
    """Return whether a unit is a word of several letters of a script with spaces."""
    return _kind(unit) == _WORD


def is_unspaced(unit: str) -> bool:
    """Return whether a unit is of a script without spaces between words."""
    return _kind(unit) == _UNSPACED


@lru_cache(20_000)
def _kind(unit: str) -> int:
    if not unit.strip():
        return _BLANK if unit else _EMPTY
    if unit != unit.strip():
        # The blank is a part of the unit: words are separated already.
        return _BLANK
    if _NOT_SPACED.search(unit):
        return _UNSPACED
    n_letters = len(_SPACED_LETTERS.findall(unit))
    if n_letters:
        return _WORD if n_letters > 1 else _LETTER
    if _NUMBER.fullmatch(unit):
        return _NUMBERS if len(unit) > 1 else _DIGIT
    return _OTHER


def _has_own_blanks(records: Iterable[Record]) -> bool:
    """Return whether words are separated by units that are white space, rather than
    following each other."""
    n_separated = n_adjacent = 0
    for record in records:
        before, blank = _OTHER, False
        for kind in map(_kind, record.units):
            if kind == _BLANK:
                blank = True
                continue
            if before in _WORD_LIKE and kind in _WORD_LIKE:
                n_separated += blank
                n_adjacent += not blank
            before, blank = kind, False
    return n_separated > 0 and n_separated >= n_adjacent


def _separated(kinds: tuple[int, int]) -> bool:
    if _BLANK in kinds or kinds[1] == _EMPTY:
        return False
    return kinds != (_UNSPACED, _UNSPACED)


def _joined(units: Sequence[str], joiner: str) -> Sequence[str]:
    if not joiner or not units:
        return units
    return [*(unit + joiner for unit in units[:-1]), units[-1]]


def _with_blanks(units: Sequence[str], blanks: Iterable[bool]) -> Sequence[str]:
    """Return the units, each with a blank if one follows it, except for the last."""
    pieces = [
        f"{unit} " if blank else unit
        for unit, blank in zip(units[:-1], blanks, strict=False)
    ]
    return [*pieces, *units[-1:]]
