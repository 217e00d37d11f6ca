"""Prodigy's JSON lines: tasks with an answer.

Accepted answers are gold. In binary annotation, an answer is about one span, and
nothing is known of the rest of the text; a rejected span is known not to be an entity.
Other rejected tasks, and ignored ones, are left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..options import ReadingOptions
from .base import AnnotatedText, Report, Values
from .fields import as_index
from .offset_detection import detect_offsets
from .offsets import extract_spans
from .spans import RawSpan, SpannedText, annotated_text, check_labels

# The interface for binary annotation of entities, as in `ner.teach`.
_BINARY = "ner"
_ANSWERS = ("accept", "reject", "ignore")


def recognizes(values: list[Any]) -> bool:
    """Return whether there is a task of Prodigy with spans or an answer to them."""
    return any(
        isinstance(value, dict)
        and isinstance(value.get("text"), str)
        and (value.get("answer") in _ANSWERS or "_task_hash" in value)
        and ("spans" in value or isinstance(value.get("tokens"), list))
        and "label" not in value
        for value in values
    )


def detect(values: list[Any], options: ReadingOptions, path: Path) -> ReadingOptions:
    """Check offsets, which count characters.

    RAISES (DataError): If the text of spans is not at their offsets.
    """
    texts = [text for value in values if (text := _extract(value)) is not None]
    check_labels(texts, None, path)
    return detect_offsets(
        texts, options, path, convention="exclusive", counted="characters"
    )


def read_answers(
    values: Values, options: ReadingOptions, report: Report
) -> Iterator[AnnotatedText]:
    """Read the tasks with their answers."""
    for line, value in values:
        text = _extract(value)
        if text is None:
            report(line, "not a record", "expected a task with a text and spans")
            continue
        if not text.text:
            report(line, "empty record", "the text is empty")
            continue
        answer = value.get("answer")
        is_binary = value.get("_view_id") == _BINARY and len(text.spans) == 1
        if answer != "accept" and not (answer == "reject" and is_binary):
            report.leave_out(_reason(answer))
            continue
        result = annotated_text(text, options, report, line, {})
        if is_binary:
            result.missing = [(0, len(text.text))]
            if answer == "reject":
                result.incorrect, result.entities = result.entities, []
        yield result


def _reason(answer: Any) -> str:
    if answer in ("reject", "ignore"):
        return "rejected" if answer == "reject" else "ignored in the tool"
    return "no answer"


def _extract(value: Any) -> SpannedText | None:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return None
    spans = value.get("spans")
    if spans is None:
        spans = []
    if not isinstance(spans, list):
        return None
    found: list[RawSpan] = []
    for item in spans:
        if isinstance(item, dict) and "start" not in item and "token_start" in item:
            found.append(_by_tokens(item, value.get("tokens")))
        elif isinstance(item, dict):
            found += extract_spans([item])
        else:
            found.append(RawSpan(None, None, None, problem="a span is no object"))
    return SpannedText(value["text"], found)


def _by_tokens(item: dict[Any, Any], tokens: Any) -> RawSpan:
    """Return a span that has the number of its first and its last token instead of
    offsets."""
    first, last = as_index(item.get("token_start")), as_index(item.get("token_end"))
    listed = tokens if isinstance(tokens, list) else []
    if first is not None and last is not None and 0 <= first <= last < len(listed):
        ends = listed[first], listed[last]
        if all(isinstance(token, dict) for token in ends):
            start, end = as_index(ends[0].get("start")), as_index(ends[1].get("end"))
            if start is not None and end is not None:
                return RawSpan(start, None, item.get("label"), length=end - start)
    problem = "its first and last token are not among the tokens of the task"
    return RawSpan(None, None, item.get("label"), problem=problem)
