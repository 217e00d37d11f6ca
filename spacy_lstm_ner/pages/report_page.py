"""The page of a report: its sections, the summary and the config."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.report import (
    Report,
    entity_calibration,
    make_report,
    score_intervals,
    scores_by_type,
)
from ..evaluation.scorer import expected_calibration_error
from ..util.atomic import atomic_write
from ..util.progress import duration
from .charts import require_matplotlib
from .elements import (
    interval_html,
    label_html,
    note_html,
    percent,
    table_html,
    text_html,
)
from .page import asset, page
from .report_curves import learning_curves
from .report_errors import calibration, confident_errors, confusion, label_issues


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
    RAISES (ImportError): If matplotlib is not installed.
    """
    require_matplotlib()
    report = make_report(model, data, log=log, metrics=metrics, progress=progress)
    html = report_page(report)
    with atomic_write(output) as new:
        new.write_text(html, encoding="utf8")


def report_page(report: Report) -> str:
    """Return a report as an HTML page.

    report: The content of the report.
    RETURNS: The page.
    """
    sections = {
        "Learning curves": learning_curves(report),
        "Confusion matrix": confusion(report),
        "Calibration": calibration(report),
        "Most confident errors": confident_errors(report),
        "Label issues": label_issues(report),
        "Config": _config(report),
        "Versions": _versions(report),
    }
    body = [f"<h1>{text_html(report.pipeline)}</h1>", _summary(report)]
    body += [
        f"<section><h2>{title}</h2>\n{section}\n</section>"
        for title, section in sections.items()
        if section
    ]
    return page(
        f"{report.pipeline} on {report.data}",
        "\n".join(body),
        style=asset("charts.css") + asset("report.css"),
    )


def _summary(report: Report) -> str:
    analysis, log = report.analysis, report.log
    overall = scores_by_type(analysis)[""]
    data = text_html(Path(report.data).stem)
    intervals = score_intervals(analysis)
    facts = {f"F1 on {data}": _with_interval(overall.fscore, intervals["f"])}
    if report.test_scores:
        # Scores of earlier versions have no intervals.
        on_test = (report.test_scores.get("ents_intervals") or {}).get("f")
        facts["F1 on test"] = _with_interval(report.test_scores["ents_f"], on_test)
    if curve := entity_calibration(analysis):
        error = expected_calibration_error(curve)
        facts["expected calibration error"] = f"{percent(error)}%"
    if log and log.best:
        last = log.evaluations[-1]
        facts |= {
            "best step": f"{log.best['step']:,} of {last['step']:,}",
            "epochs": f"{last['epoch'] + 1:,}",
            "training time": duration(last["seconds"]),
        }
        if log.pretrainings:
            seconds = sum(line["seconds"] for line in log.pretrainings)
            facts["of which pretraining"] = duration(seconds)
    listed = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items()
    )
    evaluated = note_html(
        f"Evaluated on {text_html(report.data)}: {len(analysis.records):,} records, "
        f"{analysis.gold.total():,} entities."
    )
    table = _score_table(report, intervals)
    return f'{evaluated}<dl class="facts">{listed}</dl>\n{table}'


def _with_interval(score: float, interval: Sequence[float] | None) -> str:
    """A score in percent, and its interval if it has one."""
    text = f"{percent(score, interval)}%"
    if (limits := interval_html(interval)) != "–":
        text += f" ({limits})"
    return text


def _score_table(report: Report, intervals: dict[str, Any]) -> str:
    """Precision, recall and F1 by type, on the data and on test data, with as many
    decimals as their intervals allow.

    intervals: The intervals on the data.
    """
    test_scores = report.test_scores or {}
    on_test = {**(test_scores.get("ents_per_type") or {})}
    on_test[""] = {x: test_scores.get(f"ents_{x}") for x in "prf"}
    test_intervals = test_scores.get("ents_intervals") or {}
    on_data = scores_by_type(report.analysis)
    gold = report.analysis.gold
    rows = []
    for label in (*sorted({*on_data, *on_test} - {""}), ""):
        row = [
            label_html(label) if label else "all",
            f"{gold[label] if label else gold.total():,}",
        ]
        prf = on_data.get(label)
        scores = (prf.precision, prf.recall, prf.fscore) if prf else [None] * 3
        limits = _of_type(intervals, label)
        row += [
            percent(score, limits.get(x))
            for x, score in zip("prf", scores, strict=True)
        ]
        row.append(interval_html(limits.get("f")))
        if test_scores:
            found, limits = on_test.get(label) or {}, _of_type(test_intervals, label)
            row += [percent(found.get(x), limits.get(x)) for x in "prf"]
        rows.append(row)
    header = ["Type", "entities", "P", "R", "F1", "95% interval"]
    if test_scores:
        header += ["P on test", "R on test", "F1 on test"]
    note = note_html(
        f"95% intervals: bootstrap over {len(report.analysis.records):,} records. "
        f"Trainings with other seeds may differ by more."
    )
    table = table_html(header, rows, caption="Precision, recall and F1 in percent")
    return table + note


def _of_type(intervals: dict[str, Any], label: str) -> dict[str, Any]:
    """The intervals of a label; "": of all."""
    found = intervals.get("per_type", {}).get(label) if label else intervals
    return found or {}


def _config(report: Report) -> str:
    return (
        "<details><summary>All settings</summary>"
        f'<pre tabindex="0">{text_html(report.config.strip())}</pre></details>'
    )


def _versions(report: Report) -> str:
    now = report.versions
    then: dict[str, Any] = report.log.header["versions"] if report.log else {}
    header = ["", *(["training"] if then else []), "this report"]
    rows = [
        [
            text_html(name),
            *([text_html(str(then.get(name, "–")))] if then else []),
            text_html(now.get(name, "–")),
        ]
        for name in {**now, **then}
    ]
    return table_html(header, rows)
