"""Records of units with tags → texts with entities by character offsets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from ..exceptions import DataError
from ..tags import Span, detect_scheme, spans_from_tags
from .options import ReadingOptions
from .records import AnnotatedText, Record, Report


@dataclass(frozen=True)
class TagReading:
    """How a file writes tags, and what is between its units."""

    options: ReadingOptions

    @classmethod
    def detect(
        cls, records: Sequence[Record], options: ReadingOptions, path: Path
    ) -> "TagReading":
        scheme = options.scheme
        if scheme == "auto":
            found = detect_scheme(record.tags for record in records)
            if found is None:
                raise DataError(
                    f"{path}: no tags such as O, B-… or I-… found in "
                    f"{options.format} format: set the format, or the separator of the "
                    f"columns"
                )
            scheme = found
        joiner = options.joiner or ""
        return cls(replace(options, scheme=scheme, joiner=joiner))

    def describe(self) -> list[tuple[str, str]]:
        return [("tag scheme", self.options.scheme)]

    def read(self, record: Record, report: Report) -> AnnotatedText:
        joiner = self.options.joiner or ""
        offsets = list(
            accumulate((len(unit) + len(joiner) for unit in record.units), initial=0)
        )
        found = spans_from_tags(record.tags, self.options.scheme)
        missing = [(offsets[i], offsets[j] - len(joiner)) for i, j in found.missing]
        for i, kind, message in found.problems:
            message = f"{message}, at {record.units[i]!r}, unit {i + 1} of the record"
            report(record.lines[i], kind, message)
        report.lose("beside an unknown or missing tag", found.n_lost)
        return AnnotatedText(
            joiner.join(record.units),
            [
                Span(offsets[first], offsets[last] - len(joiner), label)
                for first, last, label in found.spans
            ],
            missing,
            record.lines[0],
            [record.lines[first] for first, _, _ in found.spans],
        )
