"""The learning curves of a report: loss, scores, learning rate and speed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..evaluation.report import Report
from ..evaluation.training_log import TrainingLog
from ..util.progress import duration
from .charts import Chart, Line, line_chart

# Maximum number of lines in a chart, and of charts of types.
_MAX_LINES, _MAX_TYPES = 8, 24


class Panel(NamedTuple):
    """A chart with its title, and a table of its values."""

    title: str
    #: What its axis shows.
    unit: str
    #: The chart; None if there is one for each type.
    chart: Chart | None
    #: For each type its color, its last value, and its chart.
    small: list[tuple[str, str, str, Chart]]
    #: The number of lines that are only in the table.
    omitted: int
    #: The names of the lines, and their values by step.
    names: list[str]
    rows: list[tuple[int, list[str]]]


class Curves(NamedTuple):
    """The section with the learning curves."""

    #: Whether there is a training log, with an evaluation.
    has_log: bool
    has_evaluation: bool
    #: The name, number of texts and of steps, and duration of each pretraining.
    pretrainings: list[tuple[str, int, int, str]]
    #: The step of the pipeline that was saved.
    best: int | None
    #: Values that were the same at all steps, by name.
    constants: dict[str, str]
    panels: list[Panel]


def learning_curves(report: Report, styles: Mapping[str, str]) -> Curves:
    """Return the section with the learning curves.

    report: The report.
    styles: The CSS classes of the labels.
    """
    log = report.log
    if log is None:
        return Curves(False, False, [], None, {}, [])
    rates = _series(log, "learn_rate")
    constants = {}
    if len(known := {rate for rate in rates if rate is not None}) == 1:
        constants["learning rate"] = f"{known.pop():g}"
    return Curves(
        has_log=True,
        has_evaluation=bool(log.evaluations),
        pretrainings=[
            (
                line["pretraining"],
                line["texts"],
                line["steps"],
                duration(line["seconds"]),
            )
            for line in log.pretrainings
        ],
        best=log.best["step"] if log.best else None,
        constants=constants,
        panels=[*_panels(log, report.analysis.gold, styles)],
    )


def _panels(
    log: TrainingLog, gold: Counter[str], styles: Mapping[str, str]
) -> Iterator[Panel]:
    """Yield all charts of a training.

    log: The log.
    gold: The number of gold entities of each type. Frequent types come first.
    styles: The CSS classes of the labels.
    """
    pretraining = {
        line["pretraining"]: Line(*map(list, zip(*line["losses"], strict=True)))
        for line in log.pretrainings
        if line["losses"]
    }
    if pretraining:
        yield _panel(
            "Pretraining: loss per masked character", "nats", pretraining, None
        )
    best = log.best["step"] if log.best else None
    steps = [line["step"] for line in log.evaluations]

    def lines(series: Mapping[str, list[float | None]]) -> dict[str, Line]:
        """The lines that have values."""
        return {
            name: Line(steps, values)
            for name, values in series.items()
            if any(value is not None for value in values)
        }

    if losses := lines(_losses(log)):
        yield _panel("Loss per step", "", losses, best, logarithmic=True)
    names = {"F1": "f", "precision": "p", "recall": "r"}
    scores = lines({n: _series(log, "scores", f"ents_{x}") for n, x in names.items()})
    if scores:
        yield _panel("F1, precision and recall", "percent", scores, best, top=100)
    rates = lines({"learning rate": _series(log, "learn_rate")})
    if rates and len(set(rates["learning rate"].values) - {None}) > 1:
        yield _panel("Learning rate", "", rates, best)
    unit = log.header["unit"]
    if speed := lines({f"{unit} per second": _series(log, "speed")}):
        yield _panel(f"{unit.capitalize()} per second", "", speed, best)
    types = {
        label
        for line in log.evaluations
        for label in line["scores"].get("ents_per_type", ())
    }
    by_type = lines(
        {
            label: _series(log, "scores", "ents_per_type", label, "f")
            for label in sorted(types, key=lambda label: (-gold[label], label))
        }
    )
    if by_type:
        yield _types_panel(by_type, scores.get("F1"), best, styles)


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


def _panel(
    title: str,
    unit: str,
    lines: Mapping[str, Line],
    best: int | None,
    *,
    logarithmic: bool = False,
    top: float | None = None,
) -> Panel:
    shown = dict([*lines.items()][:_MAX_LINES])
    chart = line_chart(shown, best=best, logarithmic=logarithmic, top=top)
    return Panel(title, unit, chart, [], len(lines) - len(shown), *_table(lines))


def _types_panel(
    lines: Mapping[str, Line],
    overall: Line | None,
    best: int | None,
    styles: Mapping[str, str],
) -> Panel:
    """A small chart for each type, with the line of all types behind it."""
    small = []
    for label, line in [*lines.items()][:_MAX_TYPES]:
        both = {**({"": overall} if overall else {}), label: line}
        style = styles.get(label, "c0")
        chart = line_chart(both, best=best, top=100, styles={"": "all", label: style})
        at_best = [
            v for step, v in zip(*line, strict=True) if step == best or best is None
        ]
        last = at_best[-1] if at_best else None
        small.append((label, style, "–" if last is None else f"{last:.0f}", chart))
    omitted = len(lines) - len(small)
    return Panel("F1 by type", "percent", None, small, omitted, *_table(lines))


def _table(
    lines: Mapping[str, Line],
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of lines, and their values by step."""
    columns = [dict(zip(*line, strict=True)) for line in lines.values()]
    steps = sorted({step for line in lines.values() for step in line.steps})
    rows = [(step, [_number(one.get(step)) for one in columns]) for step in steps]
    return [*lines], rows


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}"
