"""Charts as SVG inside a page.

They take their colours from the page, so they follow it into dark mode, and no text of
users goes into them: legends and values are HTML, beside them.
"""

import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..evaluation.scorer import Bin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: So many lines can be told apart by colour; from there on they are dashed.
COLOURS = 8
_MARKS = "os^vDPX*"
_DASHES = ("-", "--", ":", "-.")
# Width and height of a chart in points: on a phone, text stays as large as it is set.
_SIZE = (330.0, 215.0)
_FONT_SIZE = 10.5
# Stand-ins, to be replaced by colours of the page.
_INK, _LINE = "#010101", "#020202"
_SERIES = [f"#0300{i:02x}" for i in range(COLOURS)]


class Line(NamedTuple):
    """What is drawn: values over steps. None leaves a gap."""

    steps: list[int]
    values: list[float | None]


def require_matplotlib() -> None:
    """RAISES (ImportError): Without matplotlib. The message says what to install."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            'The report draws with matplotlib: pip install "spacy-lstm-ner[project]"'
        ) from None


def line_chart(
    name: str,
    said: str,
    lines: Sequence[Line],
    *,
    best: int | None,
    unit: str = "",
    logarithmic: bool = False,
) -> str:
    """Draw lines over the steps of a training.

    name (str): A name for the chart, its own on the page.
    said (str): What it shows, for screen readers.
    lines (Sequence[Line]): The lines; the i-th one looks like `key(i)`.
    best (int | None): The step to mark.
    unit (str): What is drawn, at the axis.
    logarithmic (bool): Give each factor the same space, if all values are above 0.
    RETURNS (str): The chart as SVG.
    """
    figure, (axes,) = _panels(1)
    if best is not None:
        axes.axvline(best, color=_INK, linewidth=1, linestyle=(0, (2, 3)))
    for i, line in enumerate(lines):
        values = [float("nan") if v is None else v for v in line.values]
        axes.plot(
            line.steps,
            values,
            color=_SERIES[i % COLOURS],
            linestyle=_DASHES[i // COLOURS % len(_DASHES)],
            marker=_MARKS[i % len(_MARKS)],
            # A dozen marks tell lines apart; more would hide them.
            markevery=(0, max(1, len(values) // 12)),
            markersize=4,
            linewidth=1.6,
        )
    if logarithmic and all(v is None or v > 0 for one in lines for v in one.values):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("step")
    axes.set_ylabel(unit)
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.10g}")
    return _svg(figure, name, said)


def reliability_chart(name: str, said: str, bins: Sequence[Bin]) -> str:
    """Draw how many of the predictions of like probability are right, and, below, how
    many there are.

    name (str): A name for the chart, its own on the page.
    said (str): What it shows, for screen readers.
    bins (Sequence[Bin]): The predictions.
    RETURNS (str): The chart as SVG.
    """
    figure, (above, below) = _panels(2, ratios=(3, 1), height=1.5)
    middles = [(one.low + one.high) / 2 for one in bins]
    width = 0.92 * (bins[0].high - bins[0].low) if bins else 0.1
    above.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=(0, (2, 3)))
    above.bar(middles, [one.right for one in bins], width, color=_SERIES[0], alpha=0.45)
    above.plot(
        [one.probability for one in bins],
        [one.right for one in bins],
        color=_SERIES[1],
        marker="o",
        markersize=5,
        linestyle="",
    )
    above.set_ylabel("share that is right")
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    above.tick_params(labelbottom=False)
    below.bar(middles, [one.number for one in bins], width, color=_SERIES[7])
    below.set(xlim=(0, 1), xlabel="probability", ylabel="entities")
    below.yaxis.set_major_formatter("{x:,.0f}")
    below.locator_params(axis="y", nbins=3, integer=True)
    return _svg(figure, name, said)


def key(i: int) -> str:
    """How the i-th line of a chart looks, for a legend."""
    dashes = ("", "5 3", "1 3", "5 3 1 3")[i // COLOURS % len(_DASHES)]
    mark = _KEY_MARKS[i % len(_MARKS)]
    colour = f"var(--series-{i % COLOURS})"
    return (
        '<svg viewBox="-16 -6 32 12" aria-hidden="true">'
        f'<path d="M-16 0H16" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/><path d="{mark}" fill="{colour}"/></svg> '
    )


# The shapes of `_MARKS`.
_KEY_MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "M-4-4H4V4H-4Z",
    "M0-5L5 4H-5Z",
    "M0 5L5-4H-5Z",
    "M0-5L5 0L0 5L-5 0Z",
    "M-2-5H2V-2H5V2H2V5H-2V2H-5V-2H-2Z",
    "M-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0L-5-3Z",
    "M0-6L1.5-2H5.5L2.5.5L3.5 5L0 2.3L-3.5 5L-2.5.5L-5.5-2H-1.5Z",
)


def _panels(
    rows: int, *, ratios: Sequence[float] = (1,), height: float = 1
) -> "tuple[Figure, list[Axes]]":
    """An empty chart, and its panels from above."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    colours = dict.fromkeys(
        (
            "text.color",
            "axes.labelcolor",
            "axes.edgecolor",
            "xtick.color",
            "ytick.color",
        ),
        _INK,
    )
    settings: Any = {
        **colours,
        "font.size": _FONT_SIZE,
        "axes.labelsize": _FONT_SIZE,
        "xtick.labelsize": _FONT_SIZE,
        "ytick.labelsize": _FONT_SIZE,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": _LINE,
    }
    size = (_SIZE[0] / 72, height * _SIZE[1] / 72)
    with rc_context(settings):
        figure = Figure(figsize=size, layout="constrained", facecolor="none")
        panels = figure.subplots(
            rows, squeeze=False, gridspec_kw={"height_ratios": ratios}
        )
    for axes in panels.flat:
        axes.set_facecolor("none")
    return figure, list(panels.flat)


def _svg(figure: "Figure", name: str, said: str) -> str:
    """A chart as SVG that can stand in a page beside others."""
    from matplotlib import rc_context

    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # Text stays text, and the same chart is the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "spacy-lstm-ner"}):
        figure.savefig(file, format="svg", metadata=nothing)
    # Only the element: its styles are in charts.css, and its font is that of the page.
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<style.*?</style>|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL
    )
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg)
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r">\s+<", "><", svg)
    # The elements of two charts must not have the same names.
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg)
    colours = {_INK: "currentColor", _LINE: "var(--line)"}
    colours |= {colour: f"var(--series-{i})" for i, colour in enumerate(_SERIES)}
    for stand_in, colour in colours.items():
        svg = svg.replace(stand_in, colour)
    said = html.escape(said)
    return svg.replace("<svg", f'<svg role="img" aria-label="{said}"', 1)
