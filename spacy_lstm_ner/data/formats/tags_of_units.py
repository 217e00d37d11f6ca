"""Objects with a text, as a string or in units, and a tag for each unit."""

from collections.abc import Iterator
from typing import Any

from ..encoding import CHARACTER
from ..options import ReadingOptions
from .base import Record, Report, Values


def recognizes(values: list[Any]) -> bool:
    """Return whether there is an object with a text and labels."""
    return any(
        isinstance(value, dict) and "text" in value and "labels" in value
        for value in values
    )


def read_tags(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one object each."""
    for number, value in values:
        try:
            units, tags = _units_and_tags(value)
        except ValueError as error:
            report(number, "not a record", str(error))
            continue
        if len(units) != len(tags):
            message = f"{len(units)} characters, {len(tags)} labels"
            report(number, "different lengths", message)
        elif not any(units):
            report(number, "empty record", "the text is empty")
        else:
            yield Record(units, tags, [number] * len(units))


def _units_and_tags(value: Any) -> tuple[list[str], list[str]]:
    """Extract text and labels from a parsed line. Labels that are null become empty
    tags.

    RAISES (ValueError): If one of them is missing or has the wrong type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, not {type(value).__name__}")
    for key in ("text", "labels"):
        if key not in value:
            keys = ", ".join(map(str, value)) or "none"
            raise ValueError(f"key {key!r} is missing; keys found: {keys:.100}")
    text, labels = value["text"], value["labels"]
    if not isinstance(text, str) and not _are_strings(text):
        raise ValueError("'text' is neither a string nor a list of strings")
    if isinstance(labels, list | tuple):
        labels = ["" if label is None else label for label in labels]
    if not _are_strings(labels):
        raise ValueError("'labels' is not a list of strings")
    units = list(text)
    if isinstance(text, str) and len(units) != len(labels):
        # There may be one label for each surrogate pair of the text.
        units = CHARACTER.findall(text)
    return units, labels


def _are_strings(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
