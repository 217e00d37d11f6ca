"""Draw the chart of docs/results/picking.md from the results of measure_picking.py, and
print its tables.

    python scripts/draw_picking.py docs/results/picking/results.json
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import srsly
import typer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for benchmarks

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.ticker import NullFormatter, NullLocator  # noqa: E402

from benchmarks.charts import (  # noqa: E402
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    End,
    finish,
    label,
    label_ends,
    panels,
)
from spacy_lstm_ner.cli.exit import exit_on_error  # noqa: E402

STYLES = {
    "random": (GREY, "X"),
    "errors": (BLUE, "o"),
    "confidence": (ORANGE, "s"),
    "entity": (GREEN, "^"),
}


class Point(NamedTuple):
    """What was measured with a strategy at one size, over the seeds."""

    sentences: int
    characters: float
    entities: float
    dev: list[float]
    test: list[float]


Points = dict[tuple[str, str], list[Point]]


@exit_on_error()
def main(
    results: Annotated[Path, typer.Argument(help="results.json")],
    output: Annotated[
        Path | None,
        typer.Option(help="The chart", show_default="picking.svg beside it"),
    ] = None,
) -> None:
    """Draw the chart, and print the tables."""
    points = read(results)
    draw(points, output or results.with_name("picking.svg"))
    print_tables(points)


def read(results: Path) -> Points:
    """Read the results: for each corpus and strategy, a point for each size."""
    rounds: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for figures in srsly.read_json(results)["rounds"]:
        key = figures["corpus"], figures["strategy"], figures["sentences"]
        rounds[key].append(figures)
    points: Points = defaultdict(list)
    for (corpus, strategy, size), runs in sorted(rounds.items()):
        runs.sort(key=lambda run: run["seed"])
        point = Point(
            size,
            statistics.mean(run["characters"] for run in runs),
            statistics.mean(run["entities"] for run in runs),
            [100 * run["dev"] for run in runs],
            [100 * run["test"] for run in runs],
        )
        points[corpus, strategy].append(point)
    for (corpus, strategy), line in points.items():
        # All strategies begin with the same random sentences.
        first = points[corpus, "random"][0]
        if strategy != "random":
            n = len(line[0].test)
            line.insert(0, first._replace(dev=first.dev[:n], test=first.test[:n]))
    return points


def draw(points: Points, path: Path) -> None:
    """Draw F1 on the test data against sentences, and against characters."""
    corpora = sorted({corpus for corpus, _ in points}, reverse=True)
    title = "F1 by the amount of annotation, picked and at random"
    note = "F1 on the test data in percent, mean and range over seeds; more is better"
    figure, axes = panels(2, len(corpora), title, note)
    for row, unit in enumerate(("sentences", "characters")):
        for column, corpus in enumerate(corpora):
            here = axes[row * len(corpora) + column]
            label(
                here,
                "" if row else corpus,
                f"annotated {unit}, logarithmic",
                "" if column else "F1 on test, %",
            )
            sizes = [point.sentences for point in points[corpus, "random"]]
            ticks = sizes if unit == "sentences" else [4_000, 10_000, 20_000, 50_000]
            here.set_xscale("log")
            lines = {
                strategy: line
                for strategy in STYLES
                if (line := points.get((corpus, strategy)))
            }
            for strategy, line in lines.items():
                draw_line(here, strategy, line, unit)
            here.set_xticks(ticks)
            here.xaxis.set_minor_locator(NullLocator())
            here.xaxis.set_major_formatter("{x:,.0f}")
            here.xaxis.set_minor_formatter(NullFormatter())
            ends = [
                End(
                    "at random" if strategy == "random" else f"picked ({strategy})",
                    getattr(line[-1], unit),
                    statistics.mean(line[-1].test),
                    STYLES[strategy][0],
                    strategy != "random",
                )
                for strategy, line in lines.items()
            ]
            label_ends(here, ends)
    finish(figure, path)


def draw_line(axes: Axes, strategy: str, line: list[Point], unit: str) -> None:
    """Draw the mean over the seeds, and their range."""
    color, marker = STYLES[strategy]
    x = [getattr(point, unit) for point in line]
    axes.plot(
        x,
        [statistics.mean(point.test) for point in line],
        color=color,
        marker=marker,
        markersize=6,
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
        linewidth=1.6 if strategy == "random" else 2.4,
        zorder=3,
    )
    low, high = ([f(point.test) for point in line] for f in (min, max))
    axes.fill_between(x, low, high, color=color, alpha=0.14, linewidth=0)


def print_tables(points: Points) -> None:
    """Print tables in Markdown: F1 on test and dev, characters and entities, with a
    column for each number of sentences."""
    rows = sorted(points, key=lambda key: (key[0] != "resume", [*STYLES].index(key[1])))
    sizes = sorted({point.sentences for line in points.values() for point in line})
    tables: dict[str, Callable[[Point], str]] = {
        "F1 on test": lambda point: summary(point.test),
        "F1 on dev": lambda point: summary(point.dev),
        "characters": lambda point: f"{point.characters:,.0f}",
        "entities": lambda point: f"{point.entities:,.0f}",
    }
    for title, cell in tables.items():
        print(f"| {title} | {' | '.join(f'{size:,}' for size in sizes)} |")
        print(f"| --- {'| ---: ' * len(sizes)}|")
        for corpus, strategy in rows:
            name = "at random" if strategy == "random" else f"`{strategy}`"
            cells = {point.sentences: cell(point) for point in points[corpus, strategy]}
            values = " | ".join(cells.get(size, "") for size in sizes)
            print(f"| {corpus}, {name} | {values} |")
        print()


def summary(values: list[float]) -> str:
    """Mean and range."""
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    typer.run(main)
