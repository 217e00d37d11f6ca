"""Functions and styles that the charts share.

A chart is a card with its own light background, so that it can be read on a light and
on a dark page. Its title says what is shown, the line below it in which unit, and
whether more or less is better. There is no legend: names stand at the lines and bars.
"""

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from spacy_lstm_ner.util.atomic import atomic_write

# Those of scripts/draw_pictures.py.
INK, GREY, PAPER, EDGE = "#1f2328", "#59636e", "#fcfcfd", "#d0d7de"
BLUE, GREEN, ORANGE, PURPLE = "#0969da", "#1a7f37", "#bc4c00", "#8250df"

rcParams.update(
    {
        # Reproducible files, with text as text.
        "svg.hashsalt": "spacy-lstm-ner",
        "svg.fonttype": "none",
        "font.size": 11,
        "text.color": INK,
        "axes.edgecolor": EDGE,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.labelcolor": GREY,
        "axes.labelsize": 10.5,
        "axes.spines.left": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlepad": 12,
        "axes.titlesize": 11.5,
        "axes.titleweight": "bold",
        "grid.color": "#e7ebef",
        "grid.linewidth": 1,
        "xtick.color": EDGE,
        "xtick.labelcolor": GREY,
        "xtick.labelsize": 10,
        "ytick.color": EDGE,
        "ytick.labelcolor": GREY,
        "ytick.labelsize": 10,
        "ytick.left": False,
    }
)

# Text is measured in the font that comes with matplotlib. Those that replace it are not
# wider, and are the ones of the other pictures.
MEASURED, FONTS = "'DejaVu Sans'", "Helvetica, Arial, 'DejaVu Sans'"

WIDTH = 800  # of all pictures, in pixels
DPI = 72  # of SVG in matplotlib

# The least distance of the names of two lines, in pixels.
LABEL_HEIGHT = 15


class Style(NamedTuple):
    """How a line is drawn. Colours are apart for colour-blind readers, too, and dark
    enough for text; markers and dashes say the same without colour."""

    colour: str
    marker: str
    dashes: str = "-"
    name: str = ""  # what stands at the line, if it is not the name of the candidate


# Blue is this project, orange PyTorch.
STYLES = {
    "LSTM": Style(BLUE, "o"),
    "TorchLSTM": Style("#0a4b8f", "s"),
    "with_padded(thinc LSTM)": Style(GREEN, "^", name="Thinc"),
    "with_padded(torch.nn.LSTM)": Style(
        "#953800", "v", ":", name="PyTorch, with_padded"
    ),
    "torch.nn.LSTM packed": Style(ORANGE, "D", "--", name="PyTorch, packed"),
    "torch.nn.LSTM padded": Style(ORANGE, "P", name="PyTorch, padded"),
    "ONNX Runtime": Style(PURPLE, "*"),
    "matrix products": Style("#6e7781", "x", ":", name="matrix products only"),
}


def panels(
    rows: int, columns: int, title: str, note: str, *, height: int = 265
) -> tuple[Figure, list[Axes]]:
    """Return an empty chart, and its panels row by row.

    rows: The number of rows of panels.
    columns: The number of panels in a row.
    title: What the chart shows.
    note: The unit, the direction that is better, and what else holds for all panels.
    height: Height of a row of panels in pixels.
    """
    head = 78
    total = head + rows * height + 14
    left, right = 22 / WIDTH, 1 - 44 / WIDTH
    layout = ConstrainedLayoutEngine(
        rect=(left, 14 / total, right, 1 - (head + 14) / total),
        h_pad=7 / DPI,
        w_pad=4 / DPI,
        hspace=0.04,
        wspace=0.03,
    )
    figure = Figure(figsize=(WIDTH / DPI, total / DPI), dpi=DPI, layout=layout)
    figure.text(
        *(28 / WIDTH, 1 - 40 / total), title, size=19, weight="bold", va="baseline"
    )
    figure.text(*(28 / WIDTH, 1 - 64 / total), note, size=13, color=GREY)
    # The card: a pixel from the edge, so that the whole border is seen.
    figure.patch.set_visible(False)
    figure.add_artist(
        FancyBboxPatch(
            (1 / WIDTH, 1 / total),
            1 - 2 / WIDTH,
            1 - 2 / total,
            boxstyle=f"round,pad=0,rounding_size={8 / WIDTH}",
            mutation_aspect=WIDTH / total,
            facecolor=PAPER,
            edgecolor=EDGE,
            linewidth=1,
            transform=figure.transFigure,
            zorder=-1,
        )
    )
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def label(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    """Set the title of a panel, and those of its axes, which name the unit."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


class Line(NamedTuple):
    """The line of a candidate; it is dashed if there is a note."""

    name: str
    points: list[tuple[float, float]]
    note: str = ""


def draw_lines(axes: Axes, lines: list[Line]) -> None:
    """Draw lines on logarithmic axes, with a tick at each measured point."""
    axes.margins(y=0.1)
    ends = []
    for name, points, note in lines:
        style = STYLES[name]
        axes.loglog(
            *zip(*points, strict=True),
            color=style.colour,
            marker=style.marker,
            markersize=5.5,
            markeredgecolor=PAPER if style.marker != "x" else style.colour,
            markeredgewidth=0.6 if style.marker != "x" else 1.4,
            linewidth=3 if name == "LSTM" else 1.6,
            linestyle="--" if note else style.dashes,
            zorder=3 if name == "LSTM" else 2,
        )
        words = f"{style.name or name}, {note}" if note else style.name or name
        ends.append(End(words, *points[-1], style.colour, name == "LSTM"))
    axes.set_xticks(sorted({x for _, points, _ in lines for x, _ in points}))
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if high < 99 * low else (1,))
    )
    axes.yaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.10g}")
        axis.set_minor_formatter(NullFormatter())
    label_ends(axes, ends)


class End(NamedTuple):
    """The end of a line, and what is to stand there."""

    text: str
    x: float
    y: float
    colour: str
    bold: bool = False


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write the names of lines at their right ends, moved apart where they are close.
    The limits of the axes must not change any more."""
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    # Room for the names: the layout makes place for texts outside of the axes.
    marks = [
        axes.annotate(
            end.text,
            (end.x, end.y),
            xytext=(18, 0),
            textcoords="offset points",
            va="center",
            color=end.colour,
            size=10.5,
            weight="bold" if end.bold else "normal",
            arrowprops={
                "arrowstyle": "-",
                "color": end.colour,
                "alpha": 0.6,
                "linewidth": 0.9,
                "shrinkA": 2,
                "shrinkB": 4,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )
        for end in ends
    ]
    assert isinstance(axes.figure, Figure)
    axes.figure.draw_without_rendering()
    to_pixels = axes.transData.transform
    heights = np.array([to_pixels((end.x, end.y))[1] for end in ends])
    for mark, shift in zip(marks, spread(heights, LABEL_HEIGHT) - heights, strict=True):
        mark.set_position((18, shift))


def spread(places: np.ndarray, distance: float) -> np.ndarray:
    """Move numbers apart as little as possible, in the sense of least squares.

    places: (n,) numbers.
    distance: The least distance of two of them.
    RETURNS: (n,) numbers in the same order, with at least this distance.
    """
    order = np.argsort(places, kind="stable")
    # Isotonic regression of the places without the distances, by pooling neighbours.
    pools: list[tuple[float, int]] = []
    for rank, place in enumerate(places[order]):
        pools.append((float(place) - rank * distance, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    moved = np.empty(len(places))
    values = [mean for mean, n in pools for _ in range(n)]
    moved[order] = np.array(values) + distance * np.arange(len(places))
    return moved


def bars(axes: Axes, names: Sequence[str], series: dict[str, list[float]]) -> None:
    """Draw horizontal bars with their values: a group for each name, and in it a bar
    for each series. The names of the series stand at the bars of the first group."""
    places = np.arange(len(names))
    height = 0.78 / len(series)
    shades = (BLUE, "#80b3f0", "#8c959f", EDGE)
    for i, (key, values) in enumerate(series.items()):
        drawn = axes.barh(
            places + i * height, values, height * 0.9, color=shades[i], zorder=2
        )
        texts = [f"{value:,.0f}" for value in values]
        axes.bar_label(drawn, texts, padding=4, fontsize=10, color=INK)
        if len(series) > 1:
            axes.annotate(
                key,
                (values[0], places[0] + i * height),
                xytext=(10 + 6.2 * len(texts[0]), 0),
                textcoords="offset points",
                va="center_baseline",
                size=10,
                color=GREY,
            )
    axes.set_yticks(places + 0.39 - height / 2, names)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.spines.bottom.set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.margins(x=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter("{x:,.0f}")


def finish(figure: Figure, path: Path) -> None:
    """Write the chart."""
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    svg = file.getvalue().replace(MEASURED, FONTS)
    # The size in pixels, as that of the other pictures.
    svg = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', svg, count=2)
    with atomic_write(path) as new:
        new.write_text(svg, encoding="utf-8", newline="\n")
