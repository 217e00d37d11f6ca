"""Label Studio's export "JSON": tasks with their annotations.

Only annotations are read: predictions and drafts are not gold. Of several annotations
of a task, the one that is marked as ground truth is read, or else the latest. Tasks
that were skipped or not annotated are left out. ("JSON-MIN" has the format `offsets`.)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...exceptions import DataError
from ..options import ReadingOptions
from .base import AnnotatedText, Report, Values
from .fields import as_index
from .offset_detection import detect_offsets
from .spans import RawSpan, SpannedText, annotated_text, check_labels

# Older versions have "completions".
_ANNOTATIONS = ("annotations", "completions")
# The offsets of these count elements of a page, or turns of a dialogue.
_OTHER_TEXTS = {"hypertextlabels": "HyperText", "paragraphlabels": "Paragraphs"}


def recognizes(values: list[Any]) -> bool:
    """Return whether there is a task with its data and annotations."""
    return any(
        isinstance(value, dict)
        and isinstance(value.get("data"), dict)
        and any(isinstance(value.get(key), list) for key in _ANNOTATIONS)
        for value in values
    )


def detect(values: list[Any], options: ReadingOptions, path: Path) -> ReadingOptions:
    """Decide what offsets count: JavaScript's UTF-16 code units in older versions.

    RAISES (DataError): If this cannot be decided; and for annotations of HyperText and
        Paragraphs.
    """
    texts: list[SpannedText] = []
    for value in values:
        annotations = _annotations_of(value)[0] if _is_task(value) else []
        if not annotations:
            continue
        results = _results(_choose(annotations))
        _check_results(results, path)
        text, _ = _text_of(value, results)
        if text is not None:
            texts.append(SpannedText(text, _spans(results)))
    check_labels(texts, None, path)
    return detect_offsets(texts, options, path, convention="exclusive")


def read_tasks(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read the tasks of an export."""
    for line, value in values:
        if not _is_task(value):
            report(line, "not a record", "expected a task with data and annotations")
            continue
        annotations, n_skipped = _annotations_of(value)
        if n_skipped:
            report.leave_out("skipped in the tool", n_skipped)
        elif not annotations:
            report.leave_out("no annotation")
        if not annotations:
            continue
        if n_others := _n_unreadable(value):
            report.leave_out("an annotation that is not an object", n_others)
        if len(annotations) > 1:
            reason = "another annotation of the same text is read"
            report.leave_out(reason, len(annotations) - 1)
        chosen = _choose(annotations)
        if not isinstance(chosen.get("result"), list):
            report(line, "not a record", "the result of its annotation is not a list")
            continue
        results = _results(chosen)
        text, problem = _text_of(value, results)
        if text is None:
            report(line, "not a record", problem)
        elif not text:
            report(line, "empty record", "the text is empty")
        else:
            spanned = SpannedText(text, _spans(results))
            yield annotated_text(spanned, options, report, line, {})


def _is_task(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("data"), dict)


def _annotations_of(task: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the annotations of a task, and the number of those that are skipped."""
    items = [
        item
        for key in _ANNOTATIONS
        for item in _as_list(task.get(key))
        if isinstance(item, dict)
    ]
    done = [i for i in items if not i.get("was_cancelled") and not i.get("skipped")]
    return done, len(items) - len(done)


def _n_unreadable(task: dict[str, Any]) -> int:
    """Return the number of annotations of a task that are no objects."""
    items = (item for key in _ANNOTATIONS for item in _as_list(task.get(key)))
    return sum(not isinstance(item, dict) for item in items)


def _choose(annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """Choose the annotation that is read: the ground truth, or else the latest."""
    gold = [item for item in annotations if item.get("ground_truth") is True]
    # Of equals, the last one.
    ordered = sorted(enumerate(gold or annotations), key=lambda pair: _age(*pair))
    return ordered[-1][1]


def _age(position: int, annotation: dict[str, Any]) -> tuple[str, int]:
    # Times in ISO 8601 sort as text; in older versions they are numbers.
    time = annotation.get("updated_at") or annotation.get("created_at") or ""
    number = as_index(time)
    return (time if isinstance(time, str) else f"{number or 0:020}"), position


def _results(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    # What is no object is an entity that cannot be read.
    return [
        item if isinstance(item, dict) else {"type": "labels"}
        for item in _as_list(annotation.get("result"))
    ]


def _check_results(results: list[dict[str, Any]], path: Path) -> None:
    for result in results:
        name = _OTHER_TEXTS.get(str(result.get("type")))
        value = result.get("value")
        if name is None and isinstance(value, dict) and "startOffset" in value:
            name = "HyperText"
        if name is not None:
            raise DataError(
                f"{path}: annotations of <{name}>, whose offsets are not those of a "
                f"text. Label the plain text in a <Text> tag, and export that as JSON"
            )


def _spans(results: list[dict[str, Any]]) -> list[RawSpan]:
    """Extract entities; other results, such as relations and choices, are none."""
    spans: list[RawSpan] = []
    for result in results:
        value = result.get("value")
        has_labels = isinstance(value, dict) and "labels" in value
        if str(result.get("type")) in _OTHER_TEXTS or not isinstance(value, dict):
            value = {}
        if result.get("type") not in ("labels", *_OTHER_TEXTS) and not has_labels:
            continue
        start, end = as_index(value.get("start")), as_index(value.get("end"))
        surface = value.get("text")
        problem = ""
        if start is None or end is None:
            problem = "its start or end is not a whole number"
        # A region without a label is drawn before its label is chosen.
        for label in _as_list(value.get("labels")) or [None]:
            text = surface if isinstance(surface, str) else None
            spans.append(RawSpan(start, end, label, text, None, problem))
    return spans


def _text_of(
    task: dict[str, Any], results: list[dict[str, Any]]
) -> tuple[str | None, str]:
    """Find the annotated text of a task.

    RETURNS: The text; or None, and what is wrong.
    """
    data = {key: item for key, item in task["data"].items() if isinstance(item, str)}
    # The name of the annotated tag is usually that of its text.
    names = {str(result.get("to_name")) for result in results if "to_name" in result}
    named = [name for name in names if name in data]
    if len(names) == len(named) == 1:
        return data[named[0]], ""
    if len(data) == 1:
        return next(iter(data.values())), ""
    if "text" in data:
        return data["text"], ""
    surfaces = [span.surface for span in _spans(results) if span.surface]
    fitting = [text for text in data.values() if all(part in text for part in surfaces)]
    if surfaces and len(fitting) == 1:
        return fitting[0], ""
    listed = ", ".join(map(repr, list(task["data"])[:10])) or "none"
    return None, f"which of the fields is the text? There are {listed:.100}"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
