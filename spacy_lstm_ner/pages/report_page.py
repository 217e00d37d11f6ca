"""The page of a report."""

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.error_analysis import KINDS, Error
from ..evaluation.label_issues import Doubt
from ..evaluation.predictions import Record, outside, overlapping
from ..evaluation.report import (
    BOUNDARY,
    INVENTED,
    MISSED,
    Report,
    confusion,
    make_report,
    reliability,
    scores,
    worst,
)
from ..evaluation.scorer import expected_error
from ..evaluation.training_log import Log
from ..tags import Span
from ..util.atomic import atomic_write
from ..util.progress import duration
from .charts import Line, key, line_chart, reliability_chart, require_matplotlib
from .entities import confidence, entities_html
from .page import asset, page, text_html

_MISTAKES, _DOUBTS = 30, 10
# So many kinds of errors are named where several overlap.
_KINDS = 4
# So many characters are shown before and after the entities of a mistake, and so many
# of the entities themselves.
_AROUND, _LONGEST = 60, 160
# Lines in one chart: more would be a tangle.
_LINES = 16
_TO_GET_CURVES = """
[training.logger]
@loggers = "spacy.ChainLogger.v1"

[training.logger.logger1]
@loggers = "spacy.ConsoleLogger.v3"
progress_bar = "eval"

[training.logger.logger2]
@loggers = "spacy-lstm-ner.ReportLogger.v1"
path = "training/log.jsonl"
"""


def write_report(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    log: str | Path | None = None,
    metrics: str | Path | None = None,
    progress: bool = False,
) -> None:
    """Write a report of a pipeline as a page of HTML, whole or not at all.

    model (str | Path): Folder or installed package of the pipeline.
    data (str | Path): A .spacy file, or a dataset file in any format that `convert`
        reads.
    output (str | Path): The page.
    log (str | Path | None): What `spacy-lstm-ner.ReportLogger.v1` wrote in training.
    metrics (str | Path | None): Figures that `evaluate` wrote, of test.
    progress (bool): Show a progress bar if it takes long.
    RAISES (OSError, ValueError): For a pipeline or a file that cannot be used.
    RAISES (ImportError): Without matplotlib.
    """
    require_matplotlib()
    report = make_report(model, data, log=log, metrics=metrics, progress=progress)
    page = report_page(report)
    with atomic_write(output) as new:
        new.write_text(page, encoding="utf8")


def report_page(report: Report) -> str:
    """A report as a page.

    report (Report): What it says.
    RETURNS (str): The page, as HTML.
    """
    title = f"{report.pipeline} on {report.data}"
    sections = [
        f"<h1>{text_html(report.pipeline)}</h1>",
        _summary(report),
        _section("Training", _training(report)),
        _section("Which types are taken for which", _confusion(report)),
        _section("How far the probabilities can be trusted", _reliability(report)),
        _section("The worst mistakes", _mistakes(report)),
        _section("Annotation that is probably wrong", _doubts(report)),
        _section("Configuration", _configuration(report)),
        _section("Versions", _versions(report)),
    ]
    style = asset("charts.css") + asset("report.css")
    return page(title, "\n".join(sections), style=style)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}\n</section>" if body else ""


def _note(text: str) -> str:
    return f'<p class="note">{text}</p>'


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = ""
) -> str:
    """A table; its cells are HTML, and the first one of a row is its name."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    caption = f"<caption>{caption}</caption>" if caption else ""
    # So that it can be scrolled with the keyboard, too.
    return (
        f'<div class="wide" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _label(label: str) -> str:
    """A type; its characters must not turn what stands around it."""
    return f"<bdi>{text_html(label)}</bdi>"


def _percent(figure: float | None) -> str:
    return "–" if figure is None else f"{100 * figure:.2f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}"


# Summary


def _summary(report: Report) -> str:
    findings, log = report.findings, report.log
    of_all = scores(findings)[""]
    name = text_html(Path(report.data).stem)
    facts = {f"F1 on {name}": f"{_percent(of_all.fscore)}%"}
    if report.figures:
        facts["F1 on test"] = f"{_percent(report.figures['ents_f'])}%"
    if bins := reliability(findings):
        facts["calibration error"] = f"{_percent(expected_error(bins))}%"
    if log and log.best:
        last = log.evaluations[-1]
        facts |= {
            "best step": f"{log.best['step']:,} of {last['step']:,}",
            "epochs": f"{last['epoch'] + 1:,}",
            "training": duration(last["seconds"]),
        }
        if log.pretrainings:
            seconds = sum(line["seconds"] for line in log.pretrainings)
            facts["of that, pretraining"] = duration(seconds)
    listed = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items()
    )
    tried = _note(
        f"Tried on {text_html(report.data)}: {len(findings.records):,} records, "
        f"{findings.gold.total():,} entities."
    )
    return f'{tried}<dl class="facts">{listed}</dl>\n{_by_type(report)}'


def _by_type(report: Report) -> str:
    """Precision, recall and F1 of each type, here and on test."""
    figures = report.figures or {}
    on_test = {**(figures.get("ents_per_type") or {})}
    on_test[""] = {x: figures.get(f"ents_{x}") for x in "prf"}
    here = scores(report.findings)
    labels = sorted({*here, *on_test} - {""})
    rows = []
    for label in (*labels, ""):
        prf = here.get(label)
        row = [_label(label) if label else "all"]
        row.append(f"{report.findings.gold[label]:,}" if label else "")
        row += [
            _percent(figure)
            for figure in (
                (prf.precision, prf.recall, prf.fscore) if prf else [None] * 3
            )
        ]
        if figures:
            row += [_percent((on_test.get(label) or {}).get(x)) for x in "prf"]
        rows.append(row)
    rows[-1][1] = f"{report.findings.gold.total():,}"
    header = ["Type", "entities", "P", "R", "F1"]
    caption = "Precision, recall and F1 in percent"
    if figures:
        header += ["P on test", "R on test", "F1 on test"]
    return _table(header, rows, caption=caption)


# Training


def _training(report: Report) -> str:
    log = report.log
    if log is None:
        return (
            _note(
                "The curves need the log of the training: name the logger below in the "
                "config, train, and give the file to the report with "
                "<code>--log training/log.jsonl</code>."
            )
            + f'<pre tabindex="0">{html.escape(_TO_GET_CURVES.strip())}</pre>'
        )
    if not log.evaluations:
        charts = f'<div class="charts">{_pretraining(log)}</div>'
        return _note(f"{_pretrained(log)}The log has no evaluation yet.") + charts
    best = ""
    if log.best:
        best = (
            f"The dotted line is step {log.best['step']:,}, whose pipeline was kept. "
        )
    note = _note(
        f"{_pretrained(log)}{best}A loss and a speed are those of the steps since the "
        "point before; the time of evaluation is left out."
    )
    charts = "".join(_charts(log, report.findings.gold))
    return f'{note}<div class="charts">{charts}</div>'


def _charts(log: Log, gold: Counter[str]) -> Iterator[str]:
    """All curves of a training.

    log (Log): Its log.
    gold (Counter[str]): How frequent types are: those that are most come first.
    YIELDS (str): A chart each.
    """
    yield _pretraining(log)
    yield _curves(log, "loss", "Loss per step", "", _losses(log), logarithmic=True)
    names = {"F1": "f", "precision": "p", "recall": "r"}
    figures = {n: _series(log, "scores", f"ents_{x}") for n, x in names.items()}
    yield _curves(log, "scores", "F1, precision and recall", "percent", figures)
    types = {
        label
        for line in log.evaluations
        for label in line["scores"].get("ents_per_type", ())
    }
    by_type = {
        label: _series(log, "scores", "ents_per_type", label, "f")
        for label in sorted(types, key=lambda label: (-gold[label], label))
    }
    yield _curves(log, "types", "F1 of each type", "percent", by_type)
    rate = {"learning rate": _series(log, "learn_rate")}
    yield _curves(log, "rate", "Learning rate", "rate", rate)
    unit = log.header["unit"]
    speed = {f"{unit} a second": _series(log, "speed")}
    yield _curves(log, "speed", f"{text_html(unit).capitalize()} a second", "", speed)


def _series(log: Log, *keys: str) -> list[float | None]:
    """A value of each evaluation; scores in percent."""
    series: list[float | None] = []
    for line in log.evaluations:
        value: Any = line
        for name in keys:
            value = value.get(name) if isinstance(value, dict) else None
        percent = 100 if keys[0] == "scores" else 1
        is_number = isinstance(value, int | float)
        series.append(percent * value if is_number else None)
    return series


def _losses(log: Log) -> dict[str, list[float | None]]:
    """The loss of each component. spaCy sums it up from evaluation to evaluation."""
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


def _pretrained(log: Log) -> str:
    """What was read before the first step, in words."""
    return "".join(
        f"Before its first step {_label(line['pretraining'])} read {line['texts']:,} "
        f"texts, in {line['steps']:,} steps of pretraining, which took "
        f"{duration(line['seconds'])}. "
        for line in log.pretrainings
    )


def _pretraining(log: Log) -> str:
    """The curves of what was read before the first step."""
    lines = {
        line["pretraining"]: Line(*map(list, zip(*line["losses"], strict=True)))
        for line in log.pretrainings
        if line["losses"]
    }
    if not lines:
        return ""
    title = "Pretraining: loss of a guess"
    said = f"Chart: {title} over its steps; the values follow."
    return _drawn("pretraining", title, said, "nats", lines)


def _curves(
    log: Log,
    name: str,
    title: str,
    unit: str,
    lines: dict[str, list[float | None]],
    *,
    logarithmic: bool = False,
) -> str:
    """A chart of values at each evaluation; nothing where there are none."""
    if not any(value is not None for values in lines.values() for value in values):
        return ""
    steps = [line["step"] for line in log.evaluations]
    return _drawn(
        name,
        title,
        f"Chart: {title} over the steps of the training; the values follow.",
        unit,
        {line: Line(steps, values) for line, values in lines.items()},
        best=log.best["step"] if log.best else None,
        logarithmic=logarithmic,
    )


def _drawn(
    name: str,
    title: str,
    said: str,
    unit: str,
    lines: dict[str, Line],
    *,
    best: int | None = None,
    logarithmic: bool = False,
) -> str:
    """A chart with its legend and its values."""
    shown = list(lines)[:_LINES]
    svg = line_chart(
        name,
        said,
        [lines[line] for line in shown],
        best=best,
        unit=unit,
        logarithmic=logarithmic,
    )
    legend = ""
    if len(lines) > 1:
        entries = (f"<li>{key(i)}{_label(line)}</li>" for i, line in enumerate(shown))
        more = len(lines) - len(shown)
        rest = f"<li>and {more:,} more, among the values</li>" if more else ""
        legend = f'<ul class="legend">{"".join(entries)}{rest}</ul>'
    values = [dict(zip(*line, strict=True)) for line in lines.values()]
    table = _table(
        ["Step", *map(_label, lines)],
        (
            [f"{step:,}", *(_number(column.get(step)) for column in values)]
            for step in sorted({step for line in lines.values() for step in line.steps})
        ),
    )
    return _chart(title, svg, legend, table)


def _chart(title: str, svg: str, legend: str, table: str) -> str:
    return (
        f'<figure class="chart"><figcaption>{title}</figcaption>{svg}{legend}'
        f"<details><summary>Values</summary>{table}</details></figure>"
    )


# Confusion


def _confusion(report: Report) -> str:
    findings = report.findings
    counts = confusion(findings)
    labels = sorted({x for pair in counts for x in pair if isinstance(x, str)})
    columns: list[str | int] = [*labels, BOUNDARY, MISSED]
    header = ["Type", *map(_label, labels), "wrong boundary", "missed", "all"]
    rows = []
    for label in labels:
        total = findings.gold[label]
        cells = [
            _shaded(counts[label, column], total, right=label == column)
            for column in columns
        ]
        rows.append([_label(label), *cells, f"{total:,}"])
    invented = [counts[INVENTED, label] for label in labels]
    total = sum(invented)
    cells = [_shaded(n, total, right=False) for n in invented]
    rows.append(["nothing", *cells, "", "", f"{total:,}"])
    note = _note(
        "A row is a type of the annotation, and sums up: of its entities so many are "
        "right (its own column), were found with another type (at their place, or one "
        "that overlaps it), were found with a wrong boundary, or were missed. The last "
        "row is what was predicted where no entity, or one that is counted already, is "
        "annotated. The shade is the share of the row; that of errors is the root of "
        "it, so that rare ones are seen."
    )
    return f'<div class="confusion">{_table(header, rows)}</div>{note}'


def _shaded(n: int, total: int, *, right: bool) -> str:
    share = n / total if total else 0.0
    if not n:
        return '<span class="none">0</span>'
    kind = "right" if right else "wrong"
    shade = share if right else share**0.5
    return f'<span class="shade {kind}" style="--share: {shade:.3f}">{n:,}</span>'


# Probabilities


def _reliability(report: Report) -> str:
    bins = reliability(report.findings)
    if not bins:
        return _note("The pipeline tells no probabilities: it has no lstm_ner.")
    error = _percent(expected_error(bins))
    said = (
        "Chart: of the entities of like probability, the share that is right, and how "
        "many there are; the values follow."
    )
    table = _table(
        ["Probability", "entities", "on average", "right"],
        (
            [
                f"{one.low:.1f} to {one.high:.1f}",
                f"{one.number:,}",
                f"{one.probability:.3f}",
                f"{one.right:.3f}",
            ]
            for one in bins
        ),
    )
    svg = reliability_chart("reliability", said, bins)
    chart = _chart("Share that is right, by probability", svg, "", table)
    note = _note(
        "A bar is the share of entities that are right, a dot the same over their mean "
        "probability. On the dotted line, probabilities are just right; below it, they "
        f"are too high. The expected calibration error is {error}%."
    )
    return chart + note


# Mistakes


def _mistakes(report: Report) -> str:
    findings = report.findings
    # Errors that overlap are shown once, at the place of the worst one.
    places: dict[tuple[int, int, int], list[Error]] = {}
    regions: dict[int, list[Span]] = {}
    for error in worst(findings):
        number = error.record.number
        if number not in regions:
            regions[number] = _regions(error.record)
        place = _widened(error.own, regions[number])
        places.setdefault((number, *place), []).append(error)
    if not places:
        return _note("There are none.")
    shown = list(places.items())[:_MISTAKES]
    first = (
        "those first of which the pipeline was most certain"
        if findings.has_p
        else "the first ones in the data, since the pipeline tells no probabilities"
    )
    note = _note(
        f"{len(findings.errors):,} mistakes in {len(places):,} places; "
        f"{len(shown):,} are shown, {first}. Numbers are its probabilities."
    )
    items = (
        _mistake(start, end, errors, report.lang) for (_, start, end), errors in shown
    )
    return f"{note}<ol>{''.join(items)}</ol>"


def _mistake(start: int, end: int, errors: list[Error], lang: str) -> str:
    kinds = [f"{_label(error.own.label)}, {KINDS[error.kind]}" for error in errors]
    kinds = list(dict.fromkeys(kinds))
    if len(kinds) > _KINDS:
        kinds[_KINDS:] = ["and more"]
    p = errors[0].p_gold, errors[0].p_predicted
    return _compared(errors[0].record, start, end, p, "; ".join(kinds), lang)


def _doubts(report: Report) -> str:
    doubts = report.findings.doubts
    if not report.findings.has_p or not doubts:
        return ""
    note = _note(
        f"{min(len(doubts), _DOUBTS):,} of {len(doubts):,}: annotation to which the "
        "pipeline gives next to no probability, to be looked at again. <code>python -m "
        "spacy lstm-ner errors</code> shows the rest, and compares with the training "
        "data."
    )
    items = (_doubt(doubt, report.lang) for doubt in doubts[:_DOUBTS])
    return f"{note}<ol>{''.join(items)}</ol>"


def _doubt(doubt: Doubt, lang: str) -> str:
    place = _widened((doubt.start, doubt.end), _regions(doubt.record))
    nothing = doubt.record.p.get(outside((doubt.start, doubt.end)))
    return _compared(doubt.record, *place, (nothing, nothing), "", lang)


def _compared(
    record: Record,
    start: int,
    end: int,
    p_nothing: tuple[float | None, float | None],
    said: str,
    lang: str,
) -> str:
    """A place in a text, as it is annotated and as it was predicted. Where one of these
    is nothing, it has a probability, too."""
    rows = []
    for name, entities, p in zip(
        ("annotated", "predicted"),
        (record.gold, record.predicted),
        p_nothing,
        strict=True,
    ):
        there = overlapping(entities, (start, end))
        shown = "nothing" if p is None else f"nothing, {confidence(p)}"
        if there:
            shown = _excerpt(record, there, start, end, lang)
        rows.append(f"<dt>{name}</dt><dd>{shown}</dd>")
    title = " · ".join(part for part in (said, f"record {record.number:,}") if part)
    return f"<li><h3>{title}</h3><dl>{''.join(rows)}</dl></li>"


def _regions(record: Record) -> list[Span]:
    """The places of a text where entities overlap, gold and predicted ones."""
    regions: list[Span] = []
    for start, end, _ in sorted([*record.gold, *record.predicted]):
        if regions and start < regions[-1].end:
            start, before, _ = regions.pop()
            end = max(end, before)
        regions.append(Span(start, end, ""))
    return regions


def _widened(place: tuple, regions: list[Span]) -> tuple[int, int]:
    """A place, and all regions that it overlaps."""
    there = overlapping(regions, place)
    if not there:
        return place[0], place[1]
    return min(place[0], there[0].start), max(place[1], there[-1].end)


def _excerpt(record: Record, spans: list[Span], start: int, end: int, lang: str) -> str:
    """Entities in the text around them. What is left out is a "…"."""
    text = record.text
    first, last = max(0, start - _AROUND), min(len(text), end + _AROUND)
    pieces = [(first, last)]
    if end - start > _LONGEST:
        half = _LONGEST // 2
        pieces = [(first, start + half), (end - half, last)]
    shown = "…" if first > 0 else ""
    moved = []
    for begins, ends in pieces:
        moved.append((begins, ends, len(shown) - begins))
        shown += text[begins:ends]
        shown += "…" if ends < len(text) else ""

    def place(i: int) -> int:
        for begins, ends, by in moved:
            if i <= ends:
                return max(i, begins) + by
        return moved[-1][1] + moved[-1][2]

    entities = [(place(s.start), place(s.end), s.label, record.p.get(s)) for s in spans]
    # What is all in the gap is empty.
    return entities_html(
        shown, [entity for entity in entities if entity[0] < entity[1]], lang=lang
    )


# What it was made with


def _configuration(report: Report) -> str:
    return (
        "<details><summary>All settings</summary>"
        f'<pre tabindex="0">{text_html(report.config.strip())}</pre></details>'
    )


def _versions(report: Report) -> str:
    now = report.versions
    then: dict[str, Any] = report.log.header["versions"] if report.log else {}
    header = ["", *(["trained with"] if then else []), "this report"]
    rows = [
        [
            text_html(name),
            *([text_html(str(then.get(name, "–")))] if then else []),
            text_html(now.get(name, "–")),
        ]
        for name in {**now, **then}
    ]
    return _table(header, rows)
