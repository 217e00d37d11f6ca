"""JSON lines with character offsets:

{"text": "...", "entities": [{"start": 0, "end": 2, "label": "NAME", "text": "...",
"score": 0.98}]}

Offsets count code points, as in Python, unless the option `offsets` says otherwise.
Predictions have a "score", their probability. Entities may overlap.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .base import ExportedText, WritingLog, WritingOptions, score_of
from .json_files import write_json_lines
from .offsets import offset_counter


def write_offsets(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write a text a line with its entities: see `base.Write`."""
    write_json_lines(path, _values(texts, options, log))


def _values(
    texts: Iterable[ExportedText], options: WritingOptions, log: WritingLog
) -> Iterator[dict[str, Any]]:
    for exported in texts:
        text = exported.text
        offset = offset_counter(text, options.offsets)
        entities = []
        for entity in exported.entities:
            value: dict[str, Any] = {
                "start": offset(entity.start),
                "end": offset(entity.end),
                "label": entity.label,
                "text": text[entity.start : entity.end],
            }
            if (score := score_of(entity)) is not None:
                value["score"] = score
            entities.append(value)
        log.add(exported.entities)
        yield {"text": text, "entities": entities, **exported.meta}
