"""Objects with a text, as a string or in units, and a tag for each unit.

    {"text": "王芳在沪", "labels": ["B-PER", "I-PER", "O", "B-LOC"]}
    {"tokens": ["Ada", "left", "."], "ner_tags": [1, 0, 0]}

Tags that are numbers, as Hugging Face Datasets store them, need names: see
`label_names`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...exceptions import DataError
from ...util.text import shortened
from ..encoding import CHARACTER
from ..options import ReadingOptions
from .base import Record, Report, Values
from .fields import (
    UNIT_KEYS,
    are_strings,
    as_index,
    keys_of,
    plain_fields,
    spelling_of,
)
from .label_names import find_label_names, format_label_names, parse_label_names

# Keys of the tags, in the order in which they are looked for.
_TAG_KEYS = (
    *("nertags", "nerlabels", "ner", "nertag", "nerlabel", "biotags", "biolabels"),
    *("bio", "bios", "iob", "iobtags", "bilou", "entitytags", "labels", "tags"),
    *("label", "tag", "tagseq", "labelseq", "target", "annotation"),
)
# The number of units that have no tag, such as pieces of words.
_NO_TAG = -100


class _Tagged(NamedTuple):
    """The tags of an object.

    key: Their key.
    tags: Names, numbers, or None where the tag is missing.
    units: As many units, if the object has them.
    blanks: Whether a blank follows each unit, if the object has the text, too.
    """

    key: str
    tags: list[str | int | None]
    units: list[str]
    blanks: list[bool] | None


def recognizes(values: list[Any]) -> bool:
    """Return whether there is an object with as many tags as units."""
    return any(
        tagged.units and len(tagged.units) == len(tagged.tags)
        for tagged in _readable(values)
    )


def detect(values: list[Any], options: ReadingOptions, path: Path) -> ReadingOptions:
    """Find the names of tags that are numbers.

    RAISES (DataError): If there are none, or too few.
    """
    keys: list[str] = []
    numbers: set[int] = set()
    n = 0
    for tagged in _readable(values):
        n += 1
        found = {tag for tag in tagged.tags if isinstance(tag, int) and tag != _NO_TAG}
        if found:
            keys.append(tagged.key)
            numbers |= found
    # A few are mistakes, which are reported.
    if len(keys) < n / 2 or not keys:
        return options
    given = options.label_names or find_label_names(path, keys[0])
    if given is None:
        raise DataError(
            f"{path}: {keys[0]!r} has numbers from {min(numbers)} to {max(numbers)}; "
            f"their names are neither in the file nor beside it. Give the names in the "
            f"order of the numbers, or a file with one per line: --label-names "
            f"O,B-PER,I-PER"
        )
    names = parse_label_names(given)
    if unnamed := sorted(numbers.difference(names)):
        listed = ", ".join(f"{number}={name}" for number, name in names.items())
        raise DataError(
            f"{path}: {keys[0]!r} has the number {unnamed[0]}, but the names are "
            f"{shortened(listed, 100)}: give all of them with --label-names"
        )
    return replace(options, label_names=format_label_names(names))


def read_tags(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[Record]:
    """Read records of one object each. No unit is left out, because that would change
    the text: a unit without a tag gets an empty tag."""
    names = parse_label_names(options.label_names) if options.label_names else {}
    for number, value in values:
        try:
            key, tags, units, blanks = _extract(value)
            named = _named(tags, names, key)
        except ValueError as error:
            report(number, "not a record", str(error))
            continue
        if len(units) != len(tags):
            message = f"{len(units)} characters or tokens, {len(tags)} tags"
            report(number, "different lengths", message)
        elif not any(units):
            report(number, "empty record", "the text is empty")
        else:
            yield Record(units, named, [number] * len(units), blanks)


def _readable(values: list[Any]) -> Iterator[_Tagged]:
    for value in values:
        try:
            yield _extract(value)
        except ValueError:
            continue


def _extract(value: Any) -> _Tagged:
    """Extract units and tags from an object.

    RAISES (ValueError): If one of them is missing or has the wrong type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, not {type(value).__name__}")
    fields = plain_fields(value)
    texts = [fields[key] for key in UNIT_KEYS if key in fields]
    strings = [text for text in texts if isinstance(text, str)]
    if not strings and not any(map(are_strings, texts)):
        raise ValueError(f"no text or tokens; keys found: {keys_of(value)}")
    key, tags = _find_tags(fields, value)
    for text in texts:
        if are_strings(text) and len(text) == len(tags):
            units = list(text)
            return _Tagged(key, tags, units, _find_blanks(strings, units))
    for text in strings:
        # There may be one tag for each surrogate pair.
        for split in (list, CHARACTER.findall):
            if len(units := split(text)) == len(tags):
                return _Tagged(key, tags, units, [False] * len(units))
    for text in strings:
        # Words. The blanks need not be those of the text, if these are characters.
        if len(tags) > 1 and len(units := text.split()) == len(tags):
            return _Tagged(key, tags, units, None)
    first = next(text for text in texts if isinstance(text, str) or are_strings(text))
    return _Tagged(key, tags, list(first), None)


def _find_tags(
    fields: dict[str, Any], value: dict[Any, Any]
) -> tuple[str, list[str | int | None]]:
    """Return the key of the tags, and the tags.

    RAISES (ValueError): If there are none.
    """
    found: tuple[str, list[str | int | None]] | None = None
    wrong = ""
    for key in _TAG_KEYS:
        if key not in fields:
            continue
        tags = _as_tags(fields[key])
        if tags:
            return spelling_of(key, value), tags
        if tags is None:
            wrong = wrong or spelling_of(key, value)
        elif found is None:
            found = spelling_of(key, value), tags
    if found is not None:
        return found
    if wrong:
        raise ValueError(f"{wrong!r} is not a list of tags")
    raise ValueError(f"no tags; keys found: {keys_of(value)}")


def _as_tags(value: Any) -> list[str | int | None] | None:
    """Return a list of tags: names, numbers, or None; None if it is no such list."""
    if isinstance(value, str):
        return [*value.split()]
    if are_strings(value):
        return [*value]
    if not isinstance(value, list | tuple):
        return None
    tags = [tag if isinstance(tag, str) else as_index(tag) for tag in value]
    is_valid = all(
        tag is not None or raw is None for tag, raw in zip(tags, value, strict=True)
    )
    return tags if is_valid else None


def _named(tags: list[str | int | None], names: dict[int, str], key: str) -> list[str]:
    """Return tags by their names. Tags that are missing become empty.

    RAISES (ValueError): For a number without a name.
    """
    named: list[str] = []
    for tag in tags:
        if isinstance(tag, str):
            named.append(tag)
        elif tag is None or tag == _NO_TAG:
            named.append("")
        elif tag in names:
            named.append(names[tag])
        else:
            raise ValueError(f"{key!r} has the number {tag}, which has no name")
    return named


def _find_blanks(texts: list[str], units: list[str]) -> list[bool] | None:
    """Return whether a blank follows each unit, if one of the texts has these units and
    blanks between them."""
    found = (_blanks_in(text, units) for text in texts)
    return next((blanks for blanks in found if blanks is not None), None)


def _blanks_in(text: str, units: Iterable[str]) -> list[bool] | None:
    blanks: list[bool] = []
    at = 0
    for unit in units:
        if not text.startswith(unit, at):
            return None
        at += len(unit)
        blanks.append(text.startswith(" ", at))
        at += blanks[-1]
    return blanks if at == len(text) else None
