"""The page of a report: its figures, the scores by type, and the other sections."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from ..evaluation.report import (
    Report,
    entity_calibration,
    make_report,
    score_intervals,
    scores_by_type,
)
from ..evaluation.report_summary import summarize
from ..evaluation.scorer import expected_calibration_error
from ..util.atomic import atomic_write
from ..util.progress import duration
from .colors import label_styles
from .elements import interval_text, percent
from .page import page
from .report_curves import learning_curves
from .report_errors import (
    calibration,
    confident_errors,
    confusion,
    label_issues,
    points_text,
)


class Figure(NamedTuple):
    """A key figure."""

    name: str
    value: str
    #: Its interval, or another addition; empty: none.
    note: str = ""


class Score(NamedTuple):
    """The scores of a type."""

    #: The label; empty for all types.
    label: str
    style: str
    n: int
    #: Precision, recall and F1 in percent, and the interval of F1.
    prf: list[str]
    interval: str
    #: F1 and the limits of its interval in percent; None if there are none.
    drawn: tuple[float, float, float] | None
    #: Precision, recall and F1 on test data.
    on_test: list[str]


def write_report(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    log: str | Path | None = None,
    metrics: str | Path | None = None,
    progress: bool = False,
) -> None:
    """Write a report on a pipeline as an HTML page, atomically.

    model: Folder or installed package of the pipeline.
    data: A .spacy file, or a dataset file in any format that `convert` reads.
    output: The page.
    log: The training log, written by `spacy-lstm-ner.ReportLogger.v1`, for the learning
        curves.
    metrics: The scores on test data, written by `evaluate`.
    progress: Whether to show a progress bar if it takes long.
    RAISES (OSError, ValueError): If the pipeline or a file cannot be used.
    """
    report = make_report(model, data, log=log, metrics=metrics, progress=progress)
    html = report_page(report)
    with atomic_write(output) as new:
        new.write_text(html, encoding="utf8")


def report_page(report: Report) -> str:
    """Return a report as an HTML page.

    report: The content of the report.
    RETURNS: The page.
    """
    styles = label_styles(_labels(report))
    intervals = score_intervals(report.analysis)
    return page(
        "report.html",
        f"{report.pipeline} on {report.data}",
        report=report,
        analysis=report.analysis,
        date=_today(),
        summary=summarize(report),
        figures=_figures(report, intervals),
        scores=(scores := _scores(report, intervals, styles)),
        axis_start=_axis_start(scores),
        curves=learning_curves(report, styles),
        confusion=confusion(report),
        calibration=calibration(report),
        errors=confident_errors(report, styles),
        issues=label_issues(report, styles),
        trained_with=report.log.header["versions"] if report.log else {},
        styles=styles,
    )


def _today() -> str:
    today = date.today()
    return f"{today.day} {today:%B %Y}"


def _labels(report: Report) -> set[str]:
    """All labels of the pipeline, of the data, and of the training log."""
    labels = {*report.labels, *report.analysis.gold}
    for record in report.analysis.records:
        labels.update(span.label for span in record.predicted)
    if report.log:
        for line in report.log.evaluations:
            labels.update(line["scores"].get("ents_per_type", ()))
    labels.update((report.test_scores or {}).get("ents_per_type") or ())
    return labels


def _figures(report: Report, intervals: dict[str, Any]) -> list[Figure]:
    """The key figures."""
    analysis, log = report.analysis, report.log
    overall = scores_by_type(analysis)[""]
    # The name of the data set is in the heading of the page.
    data = report.data.rpartition(", ")[2]
    figures = [_score_figure(f"F1 on {data}", overall.fscore, intervals["f"])]
    if report.test_scores:
        # Scores of earlier versions have no intervals.
        on_test = (report.test_scores.get("ents_intervals") or {}).get("f")
        figures.append(
            _score_figure("F1 on test data", report.test_scores["ents_f"], on_test)
        )
    if curve := entity_calibration(analysis):
        error = points_text(expected_calibration_error(curve) or 0.0)
        unit = "points" if error.isdigit() and error != "1" else "point"
        figures.append(Figure("calibration error", error, f"{unit} of 100"))
    if log and log.best:
        last = log.evaluations[-1]
        figures.append(
            Figure(
                "training time",
                duration(last["seconds"]),
                f"{last['epoch'] + 1:,} epochs",
            )
        )
        if log.pretrainings:
            seconds = sum(line["seconds"] for line in log.pretrainings)
            figures.append(Figure("of which pretraining", duration(seconds)))
        figures.append(
            Figure("best step", f"{log.best['step']:,}", f"of {last['step']:,}")
        )
    return figures


def _score_figure(name: str, score: float, interval: Sequence[float] | None) -> Figure:
    limits = interval_text(interval)
    return Figure(name, f"{percent(score, interval)}%", "" if limits == "–" else limits)


def _scores(
    report: Report, intervals: dict[str, Any], styles: dict[str, str]
) -> list[Score]:
    """Precision, recall and F1 by type, on the data and on test data, with as many
    decimals as their intervals allow; the frequent types first, all of them last.

    intervals: The intervals on the data.
    """
    test_scores = report.test_scores or {}
    on_test = {**(test_scores.get("ents_per_type") or {})}
    on_test[""] = {x: test_scores.get(f"ents_{x}") for x in "prf"}
    test_intervals = test_scores.get("ents_intervals") or {}
    on_data = scores_by_type(report.analysis)
    gold = report.analysis.gold
    rows = []
    labels = {*on_data, *on_test} - {""}
    for label in (*sorted(labels, key=lambda x: (-gold[x], x)), ""):
        prf = on_data.get(label)
        values = (prf.precision, prf.recall, prf.fscore) if prf else [None] * 3
        limits = _of_type(intervals, label)
        drawn = None
        if prf and "f" in limits:
            low, high = limits["f"]
            drawn = 100 * prf.fscore, 100 * low, 100 * high
        found, test_limits = on_test.get(label) or {}, _of_type(test_intervals, label)
        rows.append(
            Score(
                label,
                styles.get(label, ""),
                gold[label] if label else gold.total(),
                [percent(value, _widest(limits)) for value in values],
                interval_text(limits.get("f")),
                drawn,
                [percent(found.get(x), _widest(test_limits)) for x in "prf"]
                if test_scores
                else [],
            )
        )
    return rows


def _widest(limits: dict[str, Any]) -> Sequence[float] | None:
    """The widest interval of precision, recall and F1, which decides how many decimals
    all three have; None if there is none."""
    known = [limits[x] for x in "prf" if limits.get(x)]
    return max(known, key=lambda one: one[1] - one[0], default=None)


def _axis_start(scores: list[Score]) -> int:
    """Where the axis of intervals begins, so that they can be told apart."""
    lowest = min((row.drawn[1] for row in scores if row.drawn), default=0.0)
    return max(start for start in (0, 50, 80) if start <= lowest or start == 0)


def _of_type(intervals: dict[str, Any], label: str) -> dict[str, Any]:
    """The intervals of a label; "": of all."""
    found = intervals.get("per_type", {}).get(label) if label else intervals
    return found or {}
