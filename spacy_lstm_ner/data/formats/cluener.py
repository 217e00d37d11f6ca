"""The format of CLUENER: entities by label and by their text, with inclusive ends.

{"text": "王芳在沪", "label": {"name": {"王芳": [[0, 1]]}, "address": {"沪": [[3, 3]]}}}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..options import ReadingOptions
from .base import AnnotatedText, Report, Values
from .fields import as_index, keys_of
from .offset_detection import detect_offsets
from .spans import RawSpan, SpannedText, annotated_text


def recognizes(values: list[Any]) -> bool:
    """Return whether there is a text with entities by label and text."""
    return any(
        isinstance(value, dict)
        and isinstance(value.get("text"), str)
        and isinstance(value.get("label"), dict)
        and any(
            isinstance(places, list)
            for by_text in value["label"].values()
            if isinstance(by_text, dict)
            for places in by_text.values()
        )
        for value in values
    )


def detect(values: list[Any], options: ReadingOptions, path: Path) -> ReadingOptions:
    """Decide whether ends are inclusive, which other data sets in this format change.

    RAISES (DataError): If the text of the entities is not at their offsets.
    """
    texts = [text for value in values if (text := _extract(value)) is not None]
    return detect_offsets(texts, options, path, convention="inclusive")


def read_cluener(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read records of one object each."""
    for line, value in values:
        text = _extract(value)
        if text is not None and text.text:
            yield annotated_text(text, options, report, line, {})
        elif text is not None:
            report(line, "empty record", "the text is empty")
        elif isinstance(value, dict) and isinstance(value.get("text"), str):
            # The test set of CLUENER.
            report.leave_out("no annotation")
        else:
            keys = keys_of(value) if isinstance(value, dict) else type(value).__name__
            report(line, "not a record", f"no text with labels; found: {keys}")


def _extract(value: Any) -> SpannedText | None:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return None
    if not isinstance(value.get("label"), dict):
        return None
    spans: list[RawSpan] = []
    for label, by_text in value["label"].items():
        if not isinstance(by_text, dict):
            spans.append(_unreadable(label))
            continue
        for surface, places in by_text.items():
            if not isinstance(surface, str) or not isinstance(places, list | tuple):
                spans.append(_unreadable(label))
                continue
            for place in places:
                pair = place if isinstance(place, list | tuple) else ()
                start, end = map(as_index, pair if len(pair) == 2 else (None, None))
                if start is None or end is None:
                    spans.append(_unreadable(label))
                else:
                    spans.append(RawSpan(start, end, label, surface))
    return SpannedText(value["text"], spans)


def _unreadable(label: Any) -> RawSpan:
    return RawSpan(None, None, label, problem="expected lists of start and end")
