"""A pipeline measured on a data set: `python -m spacy lstm-ner evaluate`; and its
probabilities set right with one: `python -m spacy lstm-ner calibrate`.

`spacy evaluate` prints and saves only the figures that spaCy itself knows.
"""

import filecmp
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from spacy.language import Language
from spacy.training import Example
from wasabi import Printer

from ..data.corpus import read_examples
from ..exceptions import NotCalibrated
from ..pipeline import LSTMEntityRecognizer, recognizers
from ..pipeline.loading import load_pipeline
from ..util.atomic import AtomicSet, atomic_write, path_in_errors
from ..util.text import printable

FIGURES = ("ents_", "bio_", "speed")


def evaluate(
    model: str | Path | Language, data: str | Path, *, limit: int = 0
) -> dict[str, Any]:
    """Measure a pipeline.

    model (str | Path | Language): The pipeline, or its folder or installed package.
    data (str | Path): A .spacy file, or a dataset file in any format that `convert`
        reads.
    limit (int): Use only so many records. 0 for all.
    RETURNS (dict[str, Any]): The figures of entities (ents_*; ents_ece is the expected
        calibration error) and of tags (bio_*), and the speed in tokens a second.
    RAISES (OSError, ValueError): For a pipeline or a file that cannot be used.
    """
    data = Path(data)
    if not data.exists():
        raise OSError(f"{data}: no such file")
    nlp = model if isinstance(model, Language) else load_pipeline(model)
    scores = nlp.evaluate(list(read_examples(data, nlp, limit=limit)))
    if scores.get("ents_f") is None:
        name = nlp.path or nlp.meta["name"] if isinstance(model, Language) else model
        raise nothing_to_measure(name, nlp, data)
    return {key: scores[key] for key in sorted(scores) if key.startswith(FIGURES)}


class Calibration(NamedTuple):
    """What `calibrate` has done to a pipeline."""

    #: Of each component `lstm_ner`, by name.
    temperatures: dict[str, float]
    #: Why some of them stay as they were.
    problems: list[str]
    #: The expected calibration error on the data, before and after.
    ece: tuple[float | None, float | None]


def calibrate(model: str | Path, data: str | Path) -> Calibration:
    """Make the probabilities of a saved pipeline fit how often it is right: see
    `LSTMEntityRecognizer.calibrate`. In its folder only the temperatures change, those
    of all components or, after an error, none.

    model (str | Path): Folder of the pipeline.
    data (str | Path): A .spacy file, or a dataset file in any format that `convert`
        reads.
    RETURNS (Calibration): The new temperatures; none where there is no `lstm_ner`.
    RAISES (OSError, ValueError): For a pipeline or a file that cannot be used.
    """
    model = Path(model)
    if not (model / "config.cfg").is_file():
        raise OSError(f"{model} is not the folder of a pipeline")
    nlp = load_pipeline(model)
    components = recognizers(nlp)

    def ece() -> float | None:
        return nlp.evaluate(list(read_examples(data, nlp))).get("ents_ece")

    before = ece()
    problems: list[str] = []
    for name, pipe in components.items():
        examples = list(read_examples(data, nlp))
        not_yet = nlp.pipe_names[nlp.pipe_names.index(name) :]
        docs = nlp.pipe((eg.predicted for eg in examples), disable=not_yet)
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


def _save_changes(components: dict[str, LSTMEntityRecognizer], model: Path) -> None:
    """Put those files of components into the folder of a pipeline that differ from what
    is there, all of them or none."""
    with AtomicSet() as files:
        for name, pipe in components.items():
            saved = files.scratch(model) / name
            with path_in_errors(model / name):
                pipe.to_disk(saved, exclude=["vocab"])
            for file in sorted(path for path in saved.rglob("*") if path.is_file()):
                place = model / name / file.relative_to(saved)
                if not (place.is_file() and filecmp.cmp(file, place, shallow=False)):
                    shutil.move(file, files.add(place))


def nothing_to_measure(model: str | Path, nlp: Language, data: Path) -> ValueError:
    """The error where there are no entities, neither found nor annotated."""
    return ValueError(
        f"No entities to measure: either no component of {model} finds any "
        f"({', '.join(nlp.pipe_names)}), or {data} has none."
    )


def write_figures(figures: dict[str, Any], path: Path) -> None:
    """Write figures as JSON, whole or not at all."""
    with atomic_write(path) as new:
        srsly.write_json(new, figures)


def print_figures(figures: dict[str, Any], msg: Printer) -> None:
    """Print figures as tables, in percent."""
    per_type = figures.get("ents_per_type") or {}
    rows = [
        (printable(name), *map(_percent, prf.values()))
        for name, prf in per_type.items()
    ]
    overall = [_percent(figures.get(f"ents_{x}")) for x in "prf"]
    msg.table(
        [*sorted(rows), ("all", *overall)],
        header=("Entities", "P", "R", "F"),
        aligns=("l", "r", "r", "r"),
        divider=True,
    )
    if figures.get("ents_ece") is not None:
        msg.table(
            [("all", _percent(figures["ents_ece"]))],
            header=("Probabilities", "Expected calibration error"),
            aligns=("l", "r"),
            divider=True,
        )
    if "bio_acc" in figures:
        names = {"acc": "Accuracy", "macro_p": "P", "macro_r": "R", "macro_f": "F"}
        msg.table(
            [("all (macro)", *(_percent(figures[f"bio_{x}"]) for x in names))],
            header=("BIO tags", *names.values()),
            aligns=("l", "r", "r", "r", "r"),
            divider=True,
        )


def _percent(figure: float | None) -> str:
    return "-" if figure is None else f"{100 * figure:.2f}"
