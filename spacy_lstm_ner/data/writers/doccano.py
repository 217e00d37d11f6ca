"""The import format of doccano for sequence labeling, "JSONL":

{"text": "...", "label": [[0, 2, "NAME"]], "scores": [0.98]}

"label" is the name that the import dialog of doccano suggests for the column of labels
(`ArgColumn` in its backend/data_import/pipeline/catalog.py), and it reads both lists
and objects there (`SpanLabel.parse` in label.py). The layout with "entities" is that of
its import with relations only. All other keys, such as "scores", which predictions
have, become metadata that annotators see.

What its offsets count depends on the version:

- up to 1.4.1: code points. The page split the text into ``[...this.text]``
  (frontend/components/tasks/sequenceLabeling/EntityItemBox.vue).
- since 1.5.0: UTF-16 code units, as the length of a JavaScript string
  (doccano/v-annotator, src/domain/models/Label/Text.ts; issue 2290 of doccano). This is
  the default here.
- since 1.5.0, in projects with the setting "Count grapheme clusters as one character":
  grapheme clusters. These are not written: leave the setting off.

They differ only in texts with characters outside of the Basic Multilingual Plane, such
as emoji. Projects without the setting "Allow overlapping entities" do not import
entities that overlap.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .base import ExportedText, WritingLog, WritingOptions, score_of
from .json_files import write_json_lines
from .offsets import offset_counter


def write_doccano(
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
        offset = offset_counter(exported.text, options.offsets)
        entities = exported.entities
        value: dict[str, Any] = {
            "text": exported.text,
            "label": [
                [offset(entity.start), offset(entity.end), entity.label]
                for entity in entities
            ],
        }
        if options.predicted:
            value["scores"] = [score_of(entity) for entity in entities]
        log.add(entities)
        yield {**value, **exported.meta}
