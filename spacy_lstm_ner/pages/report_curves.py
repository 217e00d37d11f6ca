"""The learning curves of a report: loss, scores, learning rate and speed."""

import html
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..evaluation.report import Report
from ..evaluation.training_log import TrainingLog
from ..util.progress import duration
from .charts import Line, legend_key, line_chart
from .elements import chart_html, label_html, note_html, table_html, text_html

# Maximum number of lines in a chart.
_MAX_LINES = 16
_LOGGER_CONFIG = """
[training.logger]
@loggers = "spacy.ChainLogger.v1"

[training.logger.logger1]
@loggers = "spacy.ConsoleLogger.v3"
progress_bar = "eval"

[training.logger.logger2]
@loggers = "spacy-lstm-ner.ReportLogger.v1"
path = "training/log.jsonl"
"""


def learning_curves(report: Report) -> str:
    """Return the section with the learning curves, as HTML."""
    log = report.log
    if log is None:
        note = note_html(
            "The learning curves need a training log: add the logger below to the "
            "config, train, and pass the file to the report with "
            "<code>--log training/log.jsonl</code>."
        )
        return f'{note}<pre tabindex="0">{html.escape(_LOGGER_CONFIG.strip())}</pre>'
    if not log.evaluations:
        note = note_html(f"{_describe_pretraining(log)}The log has no evaluation yet.")
        return f'{note}<div class="charts">{_pretraining_chart(log)}</div>'
    best = ""
    if log.best:
        best = (
            f"The dotted line marks step {log.best['step']:,}, whose pipeline was "
            f"saved as model-best. "
        )
    note = note_html(
        f"{_describe_pretraining(log)}{best}Losses and speeds are means over the steps "
        "since the previous point; the time for evaluation is excluded."
    )
    charts = "".join(_charts(log, report.analysis.gold))
    return f'{note}<div class="charts">{charts}</div>'


def _charts(log: TrainingLog, gold: Counter[str]) -> Iterator[str]:
    """Yield all charts of a training.

    log: The log.
    gold: The number of gold entities of each type. Frequent types come first.
    YIELDS: A chart, as HTML.
    """
    yield _pretraining_chart(log)
    yield _chart(log, "loss", "Loss per step", "", _losses(log), logarithmic=True)
    names = {"F1": "f", "precision": "p", "recall": "r"}
    scores = {n: _series(log, "scores", f"ents_{x}") for n, x in names.items()}
    yield _chart(log, "scores", "F1, precision and recall", "percent", scores)
    types = {
        label
        for line in log.evaluations
        for label in line["scores"].get("ents_per_type", ())
    }
    by_type = {
        label: _series(log, "scores", "ents_per_type", label, "f")
        for label in sorted(types, key=lambda label: (-gold[label], label))
    }
    yield _chart(log, "types", "F1 by type", "percent", by_type)
    rate = {"learning rate": _series(log, "learn_rate")}
    yield _chart(log, "rate", "Learning rate", "rate", rate)
    unit = log.header["unit"]
    speed = {f"{unit} per second": _series(log, "speed")}
    title = f"{text_html(unit).capitalize()} per second"
    yield _chart(log, "speed", title, "", speed)


def _series(log: TrainingLog, *keys: str) -> list[float | None]:
    """A value of each evaluation, found by its keys; scores in percent."""
    factor = 100 if keys[0] == "scores" else 1
    series: list[float | None] = []
    for line in log.evaluations:
        value: Any = line
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        series.append(factor * value if isinstance(value, int | float) else None)
    return series


def _losses(log: TrainingLog) -> dict[str, list[float | None]]:
    """The mean loss of each component. In the log, losses are summed up over the steps
    since the last evaluation."""
    names = dict.fromkeys(name for line in log.evaluations for name in line["losses"])
    before = [-1, *(line["step"] for line in log.evaluations)]
    steps = [line["step"] - b for line, b in zip(log.evaluations, before, strict=False)]
    return {
        name: [
            line["losses"][name] / max(n, 1) if name in line["losses"] else None
            for line, n in zip(log.evaluations, steps, strict=True)
        ]
        for name in names
    }


def _describe_pretraining(log: TrainingLog) -> str:
    return "".join(
        f"{label_html(line['pretraining'])} was pretrained on {line['texts']:,} texts, "
        f"in {line['steps']:,} steps, which took {duration(line['seconds'])}. "
        for line in log.pretrainings
    )


def _pretraining_chart(log: TrainingLog) -> str:
    """The losses of pretraining; empty if there are none."""
    lines = {
        line["pretraining"]: Line(*map(list, zip(*line["losses"], strict=True)))
        for line in log.pretrainings
        if line["losses"]
    }
    if not lines:
        return ""
    title = "Pretraining: loss per masked character"
    description = f"Chart: {title} by step. A table of the values follows."
    return _draw("pretraining", title, description, "nats", lines)


def _chart(
    log: TrainingLog,
    name: str,
    title: str,
    unit: str,
    lines: dict[str, list[float | None]],
    *,
    logarithmic: bool = False,
) -> str:
    """A chart of values at each evaluation; empty if there are none."""
    if not any(value is not None for values in lines.values() for value in values):
        return ""
    steps = [line["step"] for line in log.evaluations]
    return _draw(
        name,
        title,
        f"Chart: {title} by training step. A table of the values follows.",
        unit,
        {line: Line(steps, values) for line, values in lines.items()},
        best=log.best["step"] if log.best else None,
        logarithmic=logarithmic,
    )


def _draw(
    name: str,
    title: str,
    description: str,
    unit: str,
    lines: dict[str, Line],
    *,
    best: int | None = None,
    logarithmic: bool = False,
) -> str:
    """A chart with its legend and a table of its values."""
    shown = list(lines)[:_MAX_LINES]
    svg = line_chart(
        name,
        description,
        [lines[line] for line in shown],
        best=best,
        unit=unit,
        logarithmic=logarithmic,
    )
    legend = ""
    if len(lines) > 1:
        entries = (
            f"<li>{legend_key(i)}{label_html(line)}</li>"
            for i, line in enumerate(shown)
        )
        more = len(lines) - len(shown)
        rest = f"<li>and {more:,} more: see the values</li>" if more else ""
        legend = f'<ul class="legend">{"".join(entries)}{rest}</ul>'
    columns = [dict(zip(*line, strict=True)) for line in lines.values()]
    table = table_html(
        ["Step", *map(label_html, lines)],
        (
            [f"{step:,}", *(_number(column.get(step)) for column in columns)]
            for step in sorted({step for line in lines.values() for step in line.steps})
        ),
    )
    return chart_html(title, svg, legend, table)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}"
