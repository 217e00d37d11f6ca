"""How a training went, and what came of it: `python -m spacy lstm-ner report`.

What a report says is found here; what it looks like stands in pages/report.py.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.scorer import PRFScore
from thinc.api import Config

from ..pipeline.loading import load_pipeline
from .error_analysis import Error, Findings, find_errors
from .scorer import Bin, calibration
from .training_log import Log, read_log, unit, versions


@dataclass
class Report:
    """What a report says."""

    #: The folder or package of the pipeline, and the file that it was tried on.
    pipeline: str
    data: str
    findings: Findings
    config: str
    #: Of what is installed now.
    versions: dict[str, str]
    #: What the tokens of the pipeline are: "characters" or "tokens".
    unit: str
    #: The language of the pipeline, as spaCy names it.
    lang: str = ""
    log: Log | None = None
    #: Figures of other data, as `evaluate` writes them.
    figures: dict[str, Any] | None = None


def make_report(
    model: str | Path,
    data: str | Path,
    *,
    log: str | Path | None = None,
    metrics: str | Path | None = None,
    progress: bool = False,
) -> Report:
    """Collect what a report says.

    Arguments and errors are those of `pages.report.write_report`.

    RETURNS (Report): The report.
    """
    # What takes no time fails first.
    read = read_log(Path(log)) if log else None
    figures = read_figures(Path(metrics)) if metrics else None
    data = Path(data)
    if not data.exists():
        raise OSError(f"{data}: no such file")
    nlp = load_pipeline(model)
    if read:
        check_log(read, nlp, f"{log}")
    return Report(
        pipeline=str(model),
        data=str(data),
        findings=find_errors(nlp, data, progress=progress),
        # That of the log is the one that trained.
        config=read.header["config"] if read else nlp.config.interpolate().to_str(),
        versions=versions(),
        unit=unit(nlp),
        lang=nlp.lang or "",
        log=read,
        figures=figures,
    )


def check_log(log: Log, nlp: Language, path: str) -> None:
    """RAISES (ValueError): For a log of the training of another pipeline."""
    components = Config().from_str(log.header["config"]).get("components", {})
    if set(components) != set(nlp.config["components"]):
        raise ValueError(
            f"{path} is the log of another pipeline: it has {', '.join(components)}, "
            f"and this one {', '.join(nlp.config['components'])}."
        )


def read_figures(path: Path) -> dict[str, Any]:
    """Read figures that `evaluate` wrote.

    path (Path): The file.
    RETURNS (dict[str, Any]): The figures.
    RAISES (OSError, ValueError): For a file that cannot be read or has no such figures.
    """
    try:
        figures: dict[str, Any] = srsly.json_loads(path.read_text("utf8"))
    except ValueError as error:
        raise ValueError(f"{path}: this is not JSON: {error}") from None
    known = isinstance(figures, dict) and isinstance(figures.get("ents_f"), int | float)
    if not known:
        raise ValueError(f"{path}: no figures that `lstm-ner evaluate` wrote")
    return figures


def scores(findings: Findings) -> dict[str, PRFScore]:
    """RETURNS (dict[str, PRFScore]): Precision, recall and F1 of each type, in the
    order of their names; and at last those of all entities, under ""."""
    predicted = Counter(
        span.label for record in findings.records for span in record.predicted
    )
    counts = {
        label: (findings.right[label], predicted[label], findings.gold[label])
        for label in sorted({*findings.gold, *predicted})
    }
    counts[""] = findings.right.total(), predicted.total(), findings.gold.total()
    return {
        label: PRFScore(tp=right, fp=found - right, fn=gold - right)
        for label, (right, found, gold) in counts.items()
    }


#: In `confusion`: what was found with the right type and a wrong boundary; what was not
#: found; and, as a row, what was predicted without a gold entity of its own. They are
#: no labels, since a label is a string.
BOUNDARY, MISSED, INVENTED = range(3)


def confusion(findings: Findings) -> Counter[tuple[str | int, str | int]]:
    """Which types are taken for which.

    Each gold entity counts once, so the counts of a row sum up to those of its type:
    under its own type where it is right; under another one where it was found with that
    type, at its place or one that overlaps it; or else under BOUNDARY or MISSED. What
    was predicted and is no gold entity's is in the row INVENTED.

    RETURNS (Counter[tuple[str | int, str | int]]): By the gold and the predicted type.
    """
    counts: Counter[tuple[str | int, str | int]] = Counter()
    for label, n in findings.right.items():
        counts[label, label] += n
    for error in findings.errors:
        gold, predicted = error.gold, error.predicted
        if gold is None or error.shared == "gold":
            counts[INVENTED, error.own.label] += 1
        elif predicted is None:
            counts[gold.label, MISSED] += 1
        elif gold.label == predicted.label:
            counts[gold.label, BOUNDARY] += 1
        else:
            counts[gold.label, predicted.label] += 1
    return counts


def reliability(findings: Findings) -> list[Bin]:
    """RETURNS (list[Bin]): How many of the predicted entities of like probability are
    right; empty where the pipeline tells no probabilities."""
    p: list[float] = []
    is_right: list[bool] = []
    for record in findings.records:
        gold = set(record.gold)
        known = [span for span in record.predicted if span in record.scores]
        p.extend(record.scores[span] for span in known)
        is_right.extend(span in gold for span in known)
    return calibration(p, is_right)


def worst(findings: Findings) -> list[Error]:
    """RETURNS (list[Error]): The errors, those first of which the pipeline is most
    certain; without probabilities, as they come in the data."""

    def order(error: Error) -> tuple:
        p = error.p_predicted
        return 0.0 if p is None else -p, error.record.number, error.own.start

    return sorted(findings.errors, key=order)
