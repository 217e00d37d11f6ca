"""Calibration of the probabilities of a saved pipeline on a data set."""

import filecmp
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from spacy.training import Example

from ..data.corpus import read_examples
from ..exceptions import NotCalibrated
from ..pipeline import nested_recognizers, recognizers
from ..pipeline.loading import load_pipeline
from ..util.atomic import AtomicSet, path_in_errors


class Calibration(NamedTuple):
    """The result of `calibrate`."""

    #: The temperature of each component `lstm_ner` or `lstm_nested_ner`, by name.
    temperatures: dict[str, float]
    #: The reasons why components are unchanged, if any.
    problems: list[str]
    #: The expected calibration error on the data, before and after.
    ece: tuple[float | None, float | None]


def calibrate(model: str | Path, data: str | Path) -> Calibration:
    """Calibrate the probabilities of a saved pipeline: see
    `LSTMEntityRecognizer.calibrate`. Only the temperatures of its components are
    changed in its folder; after an error, nothing is changed.

    model: Folder of the pipeline.
    data: A .spacy file, or a dataset file in any format that `convert` reads.
    RETURNS: The new temperatures; empty if there is no `lstm_ner` and no
        `lstm_nested_ner`.
    RAISES (OSError, ValueError): If the pipeline or the file cannot be used.
    """
    model = Path(model)
    if not (model / "config.cfg").is_file():
        raise OSError(f"{model} is not the folder of a pipeline")
    nlp = load_pipeline(model)
    nested = nested_recognizers(nlp)
    components: dict[str, Any] = recognizers(nlp) | nested

    def ece() -> float | None:
        scores = nlp.evaluate(list(read_examples(data, nlp)))
        # Of span groups, that of the first component.
        keys = [
            "ents_ece",
            *(f"spans_{pipe.spans_key}_ece" for pipe in nested.values()),
        ]
        found = (scores[key] for key in keys if scores.get(key) is not None)
        return next(found, None)

    before = ece()
    problems: list[str] = []
    for name, pipe in components.items():
        examples = list(read_examples(data, nlp))
        later_pipes = nlp.pipe_names[nlp.pipe_names.index(name) :]
        docs = nlp.pipe((eg.predicted for eg in examples), disable=later_pipes)
        try:
            pipe.calibrate(
                Example(doc, eg.reference)
                for doc, eg in zip(docs, examples, strict=True)
            )
        except NotCalibrated as error:
            problems.append(str(error))
    after = ece()
    _save_changes(components, model)
    temperatures = {name: pipe.temperature for name, pipe in components.items()}
    return Calibration(temperatures, problems, (before, after))


def _save_changes(components: dict[str, Any], model: Path) -> None:
    """Replace the files of components that have changed in the folder of a pipeline,
    all or none of them."""
    with AtomicSet() as files:
        for name, pipe in components.items():
            saved = files.scratch(model) / name
            with path_in_errors(model / name):
                pipe.to_disk(saved, exclude=["vocab"])
            for file in sorted(path for path in saved.rglob("*") if path.is_file()):
                target = model / name / file.relative_to(saved)
                if not (target.is_file() and filecmp.cmp(file, target, shallow=False)):
                    shutil.move(file, files.add(target))
