"""The import format of Label Studio, a JSON array of tasks:

{"data": {"text": "..."}, "predictions": [{"model_version": "...", "score": 0.98,
"result": [{"id": "e1", "from_name": "label", "to_name": "text", "type": "labels",
"value": {"start": 0, "end": 2, "text": "...", "labels": ["NAME"]}, "score": 0.98}]}]}

Annotation is in "annotations" in place of "predictions", without scores. "from_name"
and "to_name" have to be the names in the labeling configuration of the project; the
defaults are those of its template for named-entity recognition:

<View><Labels name="label" toName="text"><Label value="NAME"/></Labels>
<Text name="text" value="$text"/></View>

The score of a prediction is the probability of its least certain entity. The data
manager of Label Studio sorts tasks by it.

Offsets count code points: `charsToCodePoints` in web/libs/editor/src/utils/
selection-tools.js. Up to version 1.3 they counted UTF-16 code units (issues 1008 and
1347 of label-studio; changed by pull request 308 of label-studio-frontend). They differ
only in texts with characters outside of the Basic Multilingual Plane, such as emoji. A
line break counts as one character, and "\\r\\n" as two: the page splits texts at
``/\\n|\\r/`` (web/libs/editor/src/tags/object/RichText/view.jsx).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .base import ExportedText, WritingLog, WritingOptions, lowest_score, score_of
from .json_files import write_json_array
from .offsets import offset_counter


def write_label_studio(
    texts: Iterable[ExportedText],
    path: Path,
    options: WritingOptions,
    log: WritingLog,
) -> None:
    """Write an array of tasks: see `base.Write`."""
    write_json_array(path, _tasks(texts, options, log))


def _tasks(
    texts: Iterable[ExportedText], options: WritingOptions, log: WritingLog
) -> Iterator[dict[str, Any]]:
    for exported in texts:
        log.add(exported.entities)
        result = _regions(exported, options)
        data = {"text": exported.text, **exported.meta}
        task: dict[str, Any] = {"data": data}
        if options.predicted:
            prediction: dict[str, Any] = {"model_version": options.model_version}
            if (score := lowest_score(exported.entities)) is not None:
                prediction["score"] = score
            task["predictions"] = [{**prediction, "result": result}]
        else:
            task["annotations"] = [{"result": result}]
        yield task


def _regions(exported: ExportedText, options: WritingOptions) -> list[dict[str, Any]]:
    """The entities of a text. Their ids have to be unique within a task."""
    offset = offset_counter(exported.text, options.offsets)
    regions = []
    for number, entity in enumerate(exported.entities, start=1):
        region: dict[str, Any] = {
            "id": f"e{number}",
            "from_name": options.from_name,
            "to_name": options.to_name,
            "type": "labels",
            "value": {
                "start": offset(entity.start),
                "end": offset(entity.end),
                "text": exported.text[entity.start : entity.end],
                "labels": [entity.label],
            },
        }
        if (score := score_of(entity)) is not None:
            region["score"] = score
        regions.append(region)
    return regions
