"""Functions and styles that the charts share."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from spacy_lstm_ner.util.atomic import atomic_write

rcParams.update(
    {
        # Reproducible files, with text as text.
        "svg.hashsalt": "spacy-lstm-ner",
        "svg.fonttype": "none",
        "font.size": 11,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#dddddd",
        "legend.frameon": False,
    }
)

# A colour, from a palette for colour-blind readers (Okabe & Ito, 2008), and a marker.
STYLES = {
    "LSTM": ("#0072B2", "o"),
    "TorchLSTM": ("#E69F00", "s"),
    "with_padded(thinc LSTM)": ("#009E73", "^"),
    "with_padded(torch.nn.LSTM)": ("#CC79A7", "v"),
    "torch.nn.LSTM packed": ("#D55E00", "D"),
    "torch.nn.LSTM padded": ("#56B4E9", "P"),
    "ONNX Runtime": ("#000000", "*"),
    "matrix products": ("#777777", "x"),
}


def panels(rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return an empty chart, and its panels row by row."""
    size = (4.7 * columns, 3.4 * rows + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def label(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


class Line(NamedTuple):
    """The line of a candidate; it is dashed if there is a note."""

    name: str
    points: list[tuple[float, float]]
    note: str = ""


def draw_lines(axes: Axes, lines: list[Line]) -> None:
    """Draw lines on logarithmic axes, with a tick at each measured point."""
    for name, points, note in lines:
        colour, marker = STYLES[name]
        axes.loglog(
            *zip(*points, strict=True),
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=2.5 if name == "LSTM" else 1.5,
            linestyle="--" if note else "-",
            label=f"{name}, {note}" if note else name,
        )
    axes.set_xticks(sorted({x for _, points, _ in lines for x, _ in points}))
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if high < 99 * low else (1,))
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.10g}")
        axis.set_minor_formatter(NullFormatter())


def bars(axes: Axes, names: list[str], series: dict[str, list[float]]) -> None:
    """Draw horizontal bars: a group for each name, and in it a bar for each series."""
    places = np.arange(len(names))
    height = 0.8 / len(series)
    colours = (colour for colour, _ in STYLES.values())
    for i, (key, values) in enumerate(series.items()):
        drawn = axes.barh(
            places + i * height, values, height, label=key, color=next(colours)
        )
        axes.bar_label(drawn, fmt="{:,.0f}", padding=3, fontsize=9)
    axes.set_yticks(places + 0.4 - height / 2, names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:,.0f}")


def finish(figure: Figure, path: Path) -> None:
    """Add a legend for all panels, and write the chart."""
    entries = {
        text: handle
        for axes in figure.axes
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=3)
    with atomic_write(path) as new:
        figure.savefig(new, metadata={"Date": None})
