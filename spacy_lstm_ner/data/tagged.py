"""Records of units with tags → texts with entities by character offsets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice, pairwise
from pathlib import Path

from spacy.language import Language

from ..exceptions import DataError
from ..tags import Notation, Span, detect_notation, detect_scheme, spans_from_tags
from ..util.text import escaped, shortened
from .blanks import Blanks, detect_blanks, is_unspaced, is_word
from .compatibility import Mismatch
from .options import ReadingOptions
from .records import AnnotatedText, Record, Report

#: The reason for which an entity is lost that may be longer than its tags say.
UNCERTAIN = "an unknown or missing tag beside it"
# How many records and units are kept to compare them with the tokens of a pipeline.
_SAMPLE_RECORDS, _SAMPLE_UNITS = 100, 1000
# Minimum number of words or characters, and the minimum shares of words that are split
# into letters and of neighboring characters that are in one token: a segmenter of
# Chinese words has about a half of these.
_MIN_COUNT, _MIN_SPLIT, _MIN_JOINED = 10, 0.5, 0.8
_MAX_SHOWN = 20


@dataclass(frozen=True)
class TagReading:
    """How a file writes tags, and what is between its units.

    options: The options, with the tag scheme in place of "auto".
    notation: How the file writes tags.
    blanks: What is between its units.
    sample: Some of its records.
    """

    options: ReadingOptions
    notation: Notation
    blanks: Blanks
    sample: Sequence[Record] = ()

    @classmethod
    def detect(
        cls, records: Sequence[Record], options: ReadingOptions, path: Path
    ) -> "TagReading":
        """Detect from the first records how a file writes tags.

        records: The records.
        options: How to read the file.
        path: The file, for errors.
        RETURNS: How to read it.
        RAISES (DataError): If no tag is known and the scheme is not given.
        """
        tags = list(chain.from_iterable(record.tags for record in records))
        notation = detect_notation(tags)
        scheme = notation.scheme or options.scheme
        if scheme == "auto":
            normalized = (map(notation.normalize, record.tags) for record in records)
            found = detect_scheme(map(list, normalized))
            if found is None:
                shown = [
                    repr(escaped(shortened(tag, _MAX_SHOWN)))
                    for tag in islice(dict.fromkeys(filter(None, tags)), 4)
                ]
                instead = f" but {', '.join(shown)}" if shown else ""
                raise DataError(
                    f"{path}: no tags such as O, B-… or I-… found in "
                    f"{options.format} format{instead}: set the format, or the "
                    f"separator of the columns"
                )
            scheme = found
        blanks = (
            detect_blanks(records)
            if options.joiner is None
            else Blanks(joiner=options.joiner)
        )
        return cls(
            replace(options, scheme=scheme),
            notation,
            blanks,
            [_shortened(record) for record in records[:_SAMPLE_RECORDS]],
        )

    def describe(self) -> list[tuple[str, str]]:
        """RETURNS (list[tuple[str, str]]): How the file is written, for a summary."""
        rows = [("tag scheme", self.options.scheme)]
        if self.notation.description:
            rows.append(("tags", self.notation.description))
        between = self.blanks.description
        if self.options.joiner is None and any(r.blanks for r in self.sample):
            between = "blanks where the file has them"
        return [*rows, ("between units", between)]

    def read(self, record: Record, report: Report) -> AnnotatedText:
        """Convert a record to a text with entities.

        record: The record.
        report: Problems with its tags are added to it, and entities that are lost
            beside unknown tags.
        RETURNS: The text. Where a tag cannot be used, the annotation is missing.
        """
        units, lines = record.units, record.lines
        pieces = self.blanks.pieces(record)
        starts = list(accumulate(map(len, pieces), initial=0))
        tags = list(map(self.notation.normalize, record.tags))
        found = spans_from_tags(tags, self.options.scheme)
        for i, kind, message in found.problems:
            message = f"{message}, at {units[i]!r}, unit {i + 1} of the record"
            report(lines[i], kind, message)
        if found.n_lost:
            report.lose(UNCERTAIN, found.n_lost)
        return AnnotatedText(
            "".join(pieces),
            [
                Span(starts[first], starts[last - 1] + len(units[last - 1]), label)
                for first, last, label in found.spans
            ],
            [
                (starts[first], starts[last - 1] + len(units[last - 1]))
                for first, last in found.missing
            ],
            lines[0],
            [lines[first] for first, _, _ in found.spans],
        )

    def tokenizer_mismatch(self, nlp: Language) -> Mismatch | None:
        """Compare the units of the file with the tokens of a pipeline.

        nlp: The pipeline. Only its tokenizer is used.
        RETURNS: How its tokenizer does not fit, such as that of Chinese, which splits
            English words into letters. None if it fits.
        """
        n_words = n_split = n_characters = n_neighbors = n_joined = 0
        for record in self.sample:
            pieces = self.blanks.pieces(record)
            starts = list(accumulate(map(len, pieces), initial=0))
            tokens = {token.idx for token in nlp.make_doc("".join(pieces))}
            for start, unit in zip(starts, record.units, strict=False):
                if is_word(unit):
                    n_words += 1
                    n_split += tokens.issuperset(range(start, start + len(unit)))
            characters = list(map(is_unspaced, record.units))
            n_characters += sum(characters)
            for both, second in zip(pairwise(characters), starts[1:], strict=False):
                if all(both):
                    n_neighbors += 1
                    n_joined += second not in tokens
        are_words = n_words > n_characters
        if are_words and n_split >= max(_MIN_COUNT, _MIN_SPLIT * n_words):
            details = (
                f'the tokenizer of "{nlp.lang}" splits {n_split / n_words:.0%} of all '
                f"words into letters"
            )
            return Mismatch("words split into letters", n_split, details)
        if not are_words and n_joined >= max(_MIN_COUNT, _MIN_JOINED * n_neighbors):
            details = (
                f'the tokenizer of "{nlp.lang}" puts {n_joined / n_neighbors:.0%} of '
                f"all neighboring characters into one token"
            )
            return Mismatch("characters joined into tokens", n_joined, details)
        return None


def _shortened(record: Record) -> Record:
    """Return the beginning of a record."""
    blanks = record.blanks
    return Record(
        record.units[:_SAMPLE_UNITS],
        record.tags[:_SAMPLE_UNITS],
        record.lines[:_SAMPLE_UNITS],
        blanks if blanks is None else blanks[:_SAMPLE_UNITS],
    )
