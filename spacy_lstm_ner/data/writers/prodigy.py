"""The import format of Prodigy, JSON lines:

{"text": "...", "tokens": [{"text": "...", "start": 0, "end": 1, "id": 0, "ws": false}],
"spans": [{"start": 0, "end": 2, "label": "NAME", "token_start": 0, "token_end": 1}],
"answer": "accept"}

Annotation has the answer "accept", as in the output of its command `db-out`, and can be
imported with `db-in`. Predictions have no answer but a "score", and the pipeline as
"source": they are the input of recipes such as `ner.manual`, which show the spans for
correction, and need the tokens for it. Recipes for entities refuse spans that overlap:
use `spans.manual` for them.

Offsets count code points. Prodigy runs on spaCy, and "tokens" and "spans" are by
`token.idx`; in the browser spans are selected by token, and get the offsets of their
tokens. "token_end" is the index of the last token. With characters as tokens, run its
recipes with `--highlight-chars`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..problems import MISALIGNED
from .base import (
    ExportedText,
    WritingLog,
    WritingOptions,
    lowest_score,
    score_of,
)
from .json_files import write_json_lines
from .offsets import offset_counter
from .tagged import unit_offsets


def write_prodigy(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write a task a line: see `base.Write`."""
    write_json_lines(path, _tasks(texts, options, log))


def _tasks(
    texts: Iterable[ExportedText], options: WritingOptions, log: WritingLog
) -> Iterator[dict[str, Any]]:
    for exported in texts:
        text = exported.text
        offset = offset_counter(text, options.offsets)
        offsets = unit_offsets(exported, options.unit)
        first = {start: i for i, (start, _) in enumerate(offsets)}
        last = {end: i for i, (_, end) in enumerate(offsets)}
        spans, entities = [], []
        for entity in exported.entities:
            if entity.start not in first or entity.end not in last:
                log.lost[MISALIGNED] += 1
                continue
            span: dict[str, Any] = {
                "start": offset(entity.start),
                "end": offset(entity.end),
                "label": entity.label,
                "token_start": first[entity.start],
                "token_end": last[entity.end],
            }
            if options.predicted:
                span["source"] = options.model_version
            if (score := score_of(entity)) is not None:
                span["score"] = score
            spans.append(span)
            entities.append(entity)
        starts = (*first, len(text))
        task: dict[str, Any] = {
            "text": text,
            "tokens": [
                {
                    "text": text[start:end],
                    "start": offset(start),
                    "end": offset(end),
                    "id": i,
                    # Whether a blank follows that is not a token.
                    "ws": end < starts[i + 1],
                }
                for i, (start, end) in enumerate(offsets)
            ],
            "spans": spans,
        }
        if not options.predicted:
            task["answer"] = "accept"
        meta = dict(exported.meta)
        if options.predicted and (score := lowest_score(entities)) is not None:
            meta["score"] = score
        if meta:
            task["meta"] = meta
        log.add(entities)
        yield task
