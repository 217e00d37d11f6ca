"""Objects with a text and a list of entities with character offsets, as most tools
write them.

    {"text": "王芳在沪", "label": [[0, 2, "PER"], [3, 4, "LOC"]]}
    {"text": "王芳在沪", "entities": [{"start_idx": 0, "end_idx": 1, "type": "PER"}]}
    ("王芳在沪", {"entities": [(0, 2, "PER")]})

The keys differ between tools and data sets; those that are known are below. See `spans`
for how ends and offsets are understood.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...exceptions import DataError
from ...util.text import shortened
from ..options import ReadingOptions
from .base import AnnotatedText, Report, Values
from .fields import (
    TEXT_KEYS,
    UNIT_KEYS,
    are_strings,
    as_index,
    first_field,
    keys_of,
    plain_fields,
    spelling_of,
)
from .label_names import parse_label_names
from .offset_detection import detect_offsets
from .spans import RawSpan, SpannedText, annotated_text, check_labels

# Keys of the entities of a record, in the order in which they are looked for.
_ENTITY_KEYS = (
    *("entities", "entity", "ents", "entitylist", "entitymentions", "namedentities"),
    *("ner", "nertags", "spans", "annotations", "annotation", "labels", "label"),
    *("mentions", "privacymask", "textsegmentannotations", "tags", "annos"),
)
_START_KEYS = (
    *("start", "startoffset", "startidx", "startpos", "startindex", "startchar"),
    *("begin", "beginoffset", "beginindex", "charstart", "from"),
)
_END_KEYS = (
    *("end", "endoffset", "endidx", "endpos", "endindex", "endchar", "charend"),
    *("stop", "finish", "to"),
)
_LENGTH_KEYS = ("length", "len")
# A pair of start and end, or an object with both.
_PAIR_KEYS = (
    *("span", "offset", "offsets", "position", "pos", "range", "loc", "location"),
    *("entityindex", "indices", "charspan", "points"),
)
_LABEL_KEYS = (
    *("label", "labels", "type", "entitytype", "labeltype", "category", "tag"),
    *("entitylabel", "entitygroup", "nerlabel", "nertype", "class", "displayname"),
)
_SURFACE_KEYS = (
    *("text", "word", "surface", "mention", "value", "entitytext", "string"),
    *("mentiontext", "entityname", "entitymention"),
)
# Ends of which tools are exclusive: doccano, CCKS.
_EXCLUSIVE_KEYS = ("endoffset", "endpos")
# How many of the first values are looked at to recognize the format.
_PEEK = 100


def recognizes(values: list[Any]) -> bool:
    """Return whether there is a text with a list of entities. Lists without any are
    enough if all are."""
    texts = [text for value in values[:_PEEK] if (text := _extract(value)) is not None]
    spans = [span for text in texts for span in text.spans]
    if spans:
        return any(not span.problem or span.label is not None for span in spans)
    return bool(texts) and len(texts) > len(values[:_PEEK]) / 2


def detect(values: list[Any], options: ReadingOptions, path: Path) -> ReadingOptions:
    """Decide whether ends are inclusive, and what offsets count.

    RAISES (DataError): If this cannot be decided, or for labels without names.
    """
    found = [(value, _extract(value, options)) for value in values]
    pairs = [(value, text) for value, text in found if text is not None]
    texts = [text for _, text in pairs]
    spans = [span for text in texts for span in text.spans]
    unreadable = [span.problem for span in spans if span.problem]
    if unreadable and len(unreadable) == len(spans):
        raise DataError(f"{path}: no entity can be read: {unreadable[0]}")
    for value, text in pairs:
        if problem := _problem_of_units(text, options):
            raise DataError(f"{path}: {problem}")
        _check_keys(value, path)
    names = parse_label_names(options.label_names) if options.label_names else None
    check_labels(texts, names, path)
    _check_tokens(pairs, options, path)
    convention, counted = _conventions(pairs)
    return detect_offsets(texts, options, path, convention=convention, counted=counted)


def read_offsets(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read records of one object each."""
    names = parse_label_names(options.label_names) if options.label_names else {}
    for line, value in values:
        text = _extract(value, options)
        if text is not None and (problem := _problem_of_units(text, options)):
            report(line, "not a record", problem)
        elif text is not None and text.text:
            yield annotated_text(text, options, report, line, names)
        elif text is not None:
            report(line, "empty record", "the text is empty")
        elif _is_unannotated(value):
            report.leave_out("no annotation")
        else:
            keys = keys_of(value) if isinstance(value, dict) else type(value).__name__
            report(line, "not a record", f"no text with entities; found: {keys}")


def extract_spans(items: Any) -> list[RawSpan]:
    """Extract entities from a list of them.

    items: The entities, as they are in a file.
    RETURNS: One span for each label of an entity; those that cannot be read have a
        `problem`.
    """
    return [span for item in items for span in _spans_of(item)]


def _extract(value: Any, options: ReadingOptions | None = None) -> SpannedText | None:
    """Extract the text and the entities of a record; None if it is none, or has no
    annotation."""
    if isinstance(value, list | tuple):
        # A training example of spaCy; or the text, then its entities.
        if not value or not isinstance(value[0], str):
            return None
        items = value[1:]
        if len(value) == 2 and isinstance(value[1], dict):
            items = _find_items(plain_fields(value[1]))
        elif len(value) == 2 and _are_items(value[1]):
            items = value[1]
        return (
            SpannedText(value[0], extract_spans(items)) if _are_items(items) else None
        )
    if not isinstance(value, dict):
        return None
    fields = plain_fields(value)
    items = _find_items(fields)
    if items is None:
        return None
    spans = extract_spans(items)
    for key in TEXT_KEYS:
        if isinstance(fields.get(key), str):
            return SpannedText(fields[key], spans)
    for key in UNIT_KEYS:
        if are_strings(fields.get(key)):
            units = list(fields[key])
            joiner = (options and options.joiner) or ""
            return SpannedText(joiner.join(units), spans, units, joiner)
    return None


def _find_items(fields: dict[str, Any]) -> Any:
    """Return the list of entities of an object: the first one that has any; None if
    there is no such list."""
    empty = None
    for key in _ENTITY_KEYS:
        items = fields.get(key)
        if isinstance(items, dict):
            # Such as {"annotations": {"entities": [...]}}.
            items = first_field(plain_fields(items), ("entities", "entity", "spans"))
        if _are_items(items):
            if items:
                return items
            empty = items
    return empty


def _are_items(value: Any) -> bool:
    """Return whether a value is a list of what may be entities."""
    return isinstance(value, list | tuple) and all(
        isinstance(item, dict | list | tuple) for item in value
    )


def _spans_of(item: Any) -> Iterator[RawSpan]:
    """Yield an entity once for each of its labels."""
    if isinstance(item, dict):
        yield from _spans_of_object(plain_fields(item), item)
        return
    numbers = [as_index(part) for part in item]
    if len(item) == 3 and None not in numbers[:2]:
        (start, end), label = numbers[:2], item[2]
    elif len(item) == 3 and None not in numbers[1:]:
        (start, end), label = numbers[1:], item[0]
    else:
        problem = f"a list of {len(item)} values; expected start, end and label"
        yield RawSpan(None, None, None, problem=problem)
        return
    for one in _labels_of(label):
        yield RawSpan(start, end, one)


def _spans_of_object(fields: dict[str, Any], item: dict[Any, Any]) -> Iterator[RawSpan]:
    label = first_field(fields, _LABEL_KEYS)
    surface = _first_string(fields, _SURFACE_KEYS)
    entity = fields.get("entity")
    # The key "entity" is for the label or for the text, whichever is not there.
    if label is None:
        label = fields.get("name") if entity is None else entity
    elif surface is None and isinstance(entity, str):
        surface = entity
    for place in _places_of(fields):
        start, end, length, own_surface, problem = place
        problem = problem and f"{problem}; its keys are {keys_of(item)}"
        for one in _labels_of(label):
            yield RawSpan(start, end, one, own_surface or surface, length, problem)


_Place = tuple[int | None, int | None, int | None, str | None, str]


def _places_of(fields: dict[str, Any]) -> Iterator[_Place]:
    """Yield start, end or length, text, and a problem, for each place of an entity."""
    start = first_field(fields, _START_KEYS)
    if start is None and as_index(fields.get("offset")) is not None:
        start = fields["offset"]
    end, length = first_field(fields, _END_KEYS), first_field(fields, _LENGTH_KEYS)
    if start is not None:
        first, last = as_index(start), as_index(end)
        size = as_index(length) if end is None else None
        is_valid = first is not None and (last is not None or size is not None)
        problem = "" if is_valid else "its start or end is not a whole number"
        yield first, last, size, None, problem
        return
    # All units of an entity.
    index = fields.get("index")
    if isinstance(index, list | tuple) and index:
        first = as_index(index[0])
        if first is not None and [*index] == [*range(first, first + len(index))]:
            yield first, None, len(index), None, ""
        else:
            yield None, None, None, None, "it is discontinuous"
        return
    pair = first_field(fields, _PAIR_KEYS)
    if isinstance(pair, dict):
        pair = [pair]
    if isinstance(pair, list | tuple) and pair:
        if all(isinstance(part, dict) for part in pair):
            for part in pair:
                inner = plain_fields(part)
                if first_field(inner, _START_KEYS) is None:
                    break
                surface = _first_string(inner, _SURFACE_KEYS)
                for first, last, size, _, problem in _places_of(inner):
                    yield first, last, size, surface, problem
            else:
                return
        if len(pair) == 1 and isinstance(pair[0], list | tuple):
            pair = pair[0]
        numbers = [as_index(part) for part in pair]
        if len(pair) == 2 and None not in numbers:
            yield numbers[0], numbers[1], None, None, ""
            return
        if len(pair) > 1 and all(isinstance(part, list | tuple) for part in pair):
            yield None, None, None, None, "it is discontinuous"
            return
    yield None, None, None, None, "it has no numbers as start and end"


def _labels_of(label: Any) -> list[Any]:
    if isinstance(label, list | tuple):
        return [*label] or [None]
    number = as_index(label)
    return [label if number is None else number]


def _first_string(fields: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    found = (fields[key] for key in keys if key in fields)
    return next((item for item in found if isinstance(item, str) and item), None)


def _is_unannotated(value: Any) -> bool:
    """Return whether a record has a text, and nothing in place of its annotation."""
    if not isinstance(value, dict):
        return False
    fields = plain_fields(value)
    has_text = any(isinstance(fields.get(key), str) for key in TEXT_KEYS)
    return has_text and all(fields.get(key) is None for key in _ENTITY_KEYS)


def _conventions(
    pairs: list[tuple[Any, SpannedText]],
) -> tuple[str | None, str | None]:
    """Return what is known of ends with the keys of a file, and of what its offsets
    count."""
    for value, text in pairs:
        if not text.spans:
            continue
        if isinstance(value, list | tuple):
            # spaCy; other tools write lists without keys, too.
            if isinstance(value[1], dict):
                return "exclusive", "characters"
            return None, None
        fields = plain_fields(value)
        for item in _find_items(fields) or ():
            keys = plain_fields(item) if isinstance(item, dict) else {}
            if "endpos" in keys or "ents" in fields:
                return "exclusive", "characters"
            if any(key in keys for key in _EXCLUSIVE_KEYS):
                return "exclusive", None
        return None, None
    return None, None


def _problem_of_units(text: SpannedText, options: ReadingOptions) -> str:
    """Return what is wrong if what is between words is not known."""
    longest = max(text.units or (), key=len, default="")
    if options.joiner is not None or len(longest) < 2:
        return ""
    return (
        f"the offsets of entities count tokens, such as {shortened(longest, 30)!r}, "
        f"and the text is not there. Say what is between tokens: "
        f'--joiner " " or --joiner ""'
    )


def _check_keys(value: Any, path: Path) -> None:
    """RAISES (DataError): If a record has entities under two keys, and they differ:
    one of them may be predictions."""
    if not isinstance(value, dict):
        return
    fields = plain_fields(value)
    found: dict[str, set[tuple[Any, Any]]] = {}
    for key in _ENTITY_KEYS:
        if fields.get(key) and _are_items(fields[key]):
            spans = extract_spans(fields[key])
            if not any(span.problem for span in spans):
                found[spelling_of(key, value)] = {(s.start, s.end) for s in spans}
    first = next(iter(found.values()), None)
    if any(spans != first for spans in found.values()):
        raise DataError(
            f"{path}: a record has different entities under the keys "
            f"{' and '.join(map(repr, found))}: remove those that are not to be read"
        )


def _check_tokens(
    pairs: list[tuple[Any, SpannedText]], options: ReadingOptions, path: Path
) -> None:
    """RAISES (DataError): If the offsets of entities without their text may count the
    tokens that the file has, too."""
    n = 0
    for value, text in pairs:
        if not isinstance(value, dict) or text.units is not None or not text.spans:
            continue
        fields = plain_fields(value)
        tokens = next(
            (fields[key] for key in UNIT_KEYS[:7] if are_strings(fields.get(key))), None
        )
        if tokens is None or len(tokens) == len(text.text):
            return
        for span in text.spans:
            if span.problem:
                continue
            end = span.end if span.end is not None else span.start
            if span.surface or (end is not None and end > len(tokens)):
                return
            n += 1
    if n and options.ends == "auto":
        raise DataError(
            f"{path}: the offsets of entities may count characters or tokens: the file "
            f"has both, and not the text of entities. Set --ends if they count "
            f"characters; remove the text from the file if they count tokens"
        )
