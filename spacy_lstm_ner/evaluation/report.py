"""The content of a report on a pipeline: `pages.report_page` shows it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.scorer import PRFScore
from thinc.api import Config

from ..pipeline.description import entity_labels, pipeline_title
from ..pipeline.loading import load_pipeline
from .document_counts import count_entities
from .error_analysis import ErrorAnalysis, find_errors
from .evaluate import intervals_by_label
from .inputs import require_files
from .matching import EntityError
from .saved_scores import entity_scores_of, read_scores
from .scorer import CalibrationBin, calibration_curve
from .training_log import TrainingLog, package_versions, read_log, unit_name


@dataclass
class Report:
    """The content of a report."""

    #: The names of the pipeline and of the data that it is evaluated on.
    pipeline: str
    data: str
    analysis: ErrorAnalysis
    #: The config that the pipeline was trained with.
    config: str
    #: The versions of the packages that are installed now.
    versions: dict[str, str]
    #: What the tokens of the pipeline are: "characters" or "tokens".
    unit: str
    #: The language of the pipeline, as spaCy names it.
    lang: str = ""
    #: What the author says about the pipeline; empty: nothing.
    description: str = ""
    #: The labels that the pipeline can give to entities.
    labels: list[str] = field(default_factory=list)
    log: TrainingLog | None = None
    #: The scores on test data, as `evaluate` writes them.
    test_scores: dict[str, Any] | None = None


def make_report(
    model: str | Path,
    data: str | Path,
    *,
    log: str | Path | None = None,
    metrics: str | Path | None = None,
    progress: bool = False,
) -> Report:
    """Collect the content of a report. The arguments and errors are those of
    `pages.report_page.write_report`.

    RETURNS: The report.
    """
    # What takes little time is checked first.
    training_log = read_log(Path(log)) if log else None
    test_scores = entity_scores_of(read_scores(Path(metrics))) if metrics else None
    data = Path(data)
    require_files(data)
    nlp = load_pipeline(model)
    if training_log:
        check_log(training_log, nlp, f"{log}")
    return Report(
        pipeline=pipeline_title(nlp),
        data=data_name(data),
        analysis=find_errors(nlp, data, progress=progress),
        # The settings of a saved pipeline may have been changed after training.
        config=(
            training_log.header["config"]
            if training_log
            else nlp.config.interpolate().to_str()
        ),
        versions=package_versions(),
        unit=unit_name(nlp),
        lang=nlp.lang or "",
        description=nlp.meta["description"],
        labels=entity_labels(nlp),
        log=training_log,
        test_scores=test_scores,
    )


# The parts of a data set, by the names of their files.
_PARTS = {"train": "training data", "dev": "development data", "test": "test data"}
# Folders that are not named after a data set.
_UNNAMED = ("", "..", "corpus", "corpora", "data", "assets")


def data_name(path: Path) -> str:
    """Return what to call the data in a file: "news, development data" for
    corpus/news/dev.spacy, and the name of the file without its suffix for others."""
    part, folder = _PARTS.get(path.stem), path.parent.name
    if part is None:
        return path.stem
    return part if folder in _UNNAMED else f"{folder}, {part}"


def check_log(log: TrainingLog, nlp: Language, path: str) -> None:
    """Check that a training log belongs to a pipeline, by the names of its components.

    RAISES (ValueError): If it does not.
    """
    components = Config().from_str(log.header["config"]).get("components", {})
    if set(components) != set(nlp.config["components"]):
        raise ValueError(
            f"{path} is the log of another pipeline: its components are "
            f"{', '.join(components)}, and those of this pipeline "
            f"{', '.join(nlp.config['components'])}."
        )


def scores_by_type(analysis: ErrorAnalysis) -> dict[str, PRFScore]:
    """Compute precision, recall and F1.

    analysis: The errors.
    RETURNS: The scores of each type in alphabetical order, and those of all entities
        last, with the key "".
    """
    predicted = Counter(
        span.label for record in analysis.records for span in record.predicted
    )
    counts = {
        label: (analysis.correct[label], predicted[label], analysis.gold[label])
        for label in sorted({*analysis.gold, *predicted})
    }
    counts[""] = (
        analysis.correct.total(),
        predicted.total(),
        analysis.gold.total(),
    )
    return {
        label: PRFScore(tp=correct, fp=n_predicted - correct, fn=n_gold - correct)
        for label, (correct, n_predicted, n_gold) in counts.items()
    }


def score_intervals(analysis: ErrorAnalysis) -> dict[str, Any]:
    """Compute the intervals of precision, recall and F1, overall and by type: see
    `evaluate.intervals_by_label`."""
    documents = [(record.gold, record.predicted) for record in analysis.records]
    return intervals_by_label(count_entities(documents))


#: Rows and columns of `confusion_matrix` beside the labels: a column for entities that
#: were predicted with the correct label and a wrong boundary, a column for missed ones,
#: and a row for spurious ones. They are integers because any string can be a label.
BOUNDARY, MISSED, SPURIOUS = range(3)


def confusion_matrix(
    analysis: ErrorAnalysis,
) -> Counter[tuple[str | int, str | int]]:
    """Count which labels are predicted for the gold entities of each label.

    Each gold entity is counted once, so a row sums up to the number of gold entities of
    its label. The column is the label itself for correct entities; another label if
    that was predicted for the entity or for an overlapping one; otherwise BOUNDARY or
    MISSED. The row SPURIOUS counts predicted entities that match no gold entity.

    analysis: The errors.
    RETURNS: The counts by row and column.
    """
    counts: Counter[tuple[str | int, str | int]] = Counter()
    for label, n in analysis.correct.items():
        counts[label, label] += n
    for error in analysis.errors:
        gold, predicted = error.gold, error.predicted
        if gold is None or error.shared == "gold":
            counts[SPURIOUS, error.entity.label] += 1
        elif predicted is None:
            counts[gold.label, MISSED] += 1
        elif gold.label == predicted.label:
            counts[gold.label, BOUNDARY] += 1
        else:
            counts[gold.label, predicted.label] += 1
    return counts


def entity_calibration(analysis: ErrorAnalysis) -> list[CalibrationBin]:
    """Compute the calibration curve of the predicted entities.

    analysis: The errors.
    RETURNS: The curve; empty without probabilities.
    """
    probabilities: list[float] = []
    is_correct: list[bool] = []
    for record in analysis.records:
        gold = set(record.gold)
        scored = [span for span in record.predicted if span in record.scores]
        probabilities.extend(record.scores[span] for span in scored)
        is_correct.extend(span in gold for span in scored)
    return calibration_curve(probabilities, is_correct)


def most_confident_errors(analysis: ErrorAnalysis) -> list[EntityError]:
    """Sort errors by confidence.

    analysis: The errors.
    RETURNS: The errors, the most confident first; without probabilities, in the order
        of the data.
    """

    def sort_key(error: EntityError) -> tuple:
        p = error.p_predicted
        return 0.0 if p is None else -p, error.record.number, error.entity.start

    return sorted(analysis.errors, key=sort_key)
