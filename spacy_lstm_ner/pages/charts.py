"""Charts, as SVG in a page.

They use the colors of the page, also in dark mode. They contain no text from users:
legends and tables of values are HTML.
"""

import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..evaluation.scorer import CalibrationBin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Number of colors. Further lines have the same colors and are dashed.
COLORS = 8
_MARKS = "os^vDPX*"
_DASHES = ("-", "--", ":", "-.")
# Width and height of a chart in points: small enough for a phone to show text in its
# size.
_SIZE = (330.0, 215.0)
_FONT_SIZE = 10.5
# Placeholders, which are replaced by the colors of the page.
_INK, _LINE = "#010101", "#020202"
_SERIES = [f"#0300{i:02x}" for i in range(COLORS)]


class Line(NamedTuple):
    """A line of a chart: values by step. None leaves a gap."""

    steps: list[int]
    values: list[float | None]


def require_matplotlib() -> None:
    """Check that matplotlib is installed.

    RAISES (ImportError): If it is not. The message says what to install.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            'The report needs matplotlib: pip install "spacy-lstm-ner[project]"'
        ) from None


def line_chart(
    name: str,
    description: str,
    lines: Sequence[Line],
    *,
    best: int | None,
    unit: str = "",
    logarithmic: bool = False,
) -> str:
    """Draw lines over training steps.

    name: The name of the chart, which must be unique on the page.
    description: A description for screen readers.
    lines: The lines; `legend_key(i)` draws the key of the i-th one.
    best: A step to mark.
    unit: Label of the y-axis.
    logarithmic: Whether to use a logarithmic scale, if all values are positive.
    RETURNS: The chart, as SVG.
    """
    figure, (axes,) = _panels(1)
    if best is not None:
        axes.axvline(best, color=_INK, linewidth=1, linestyle=(0, (2, 3)))
    for i, line in enumerate(lines):
        values = [float("nan") if v is None else v for v in line.values]
        axes.plot(
            line.steps,
            values,
            color=_SERIES[i % COLORS],
            linestyle=_DASHES[i // COLORS % len(_DASHES)],
            marker=_MARKS[i % len(_MARKS)],
            # A dozen markers are enough to distinguish lines; more would hide them.
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
    return _svg(figure, name, description)


def calibration_chart(
    name: str, description: str, curve: Sequence[CalibrationBin]
) -> str:
    """Draw a calibration curve and, below it, a histogram of the probabilities.

    name: The name of the chart, which must be unique on the page.
    description: A description for screen readers.
    curve: The calibration curve.
    RETURNS: The chart, as SVG.
    """
    figure, (above, below) = _panels(2, ratios=(3, 1), height=1.5)
    middles = [(one.low + one.high) / 2 for one in curve]
    width = 0.92 * (curve[0].high - curve[0].low) if curve else 0.1
    above.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=(0, (2, 3)))
    fractions = [one.fraction_correct for one in curve]
    above.bar(middles, fractions, width, color=_SERIES[0], alpha=0.45)
    above.plot(
        [one.mean_probability for one in curve],
        fractions,
        color=_SERIES[1],
        marker="o",
        markersize=5,
        linestyle="",
    )
    above.set_ylabel("fraction correct")
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    above.tick_params(labelbottom=False)
    below.bar(middles, [one.size for one in curve], width, color=_SERIES[7])
    below.set(xlim=(0, 1), xlabel="probability", ylabel="entities")
    below.yaxis.set_major_formatter("{x:,.0f}")
    below.locator_params(axis="y", nbins=3, integer=True)
    return _svg(figure, name, description)


def legend_key(i: int) -> str:
    """Return the key of the i-th line of a chart for its legend, as SVG."""
    dashes = ("", "5 3", "1 3", "5 3 1 3")[i // COLORS % len(_DASHES)]
    mark = _KEY_MARKS[i % len(_MARKS)]
    color = f"var(--series-{i % COLORS})"
    return (
        '<svg viewBox="-16 -6 32 12" aria-hidden="true">'
        f'<path d="M-16 0H16" stroke="{color}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/><path d="{mark}" fill="{color}"/></svg> '
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
    """Return an empty chart and its panels, from top to bottom."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    colors = dict.fromkeys(
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
        **colors,
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


def _svg(figure: "Figure", name: str, description: str) -> str:
    """Convert a chart to SVG that can be part of a page with other charts."""
    from matplotlib import rc_context

    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # Text is kept as text, and the output is deterministic.
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
    # The ids of elements must be unique on the page.
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg)
    colors = {_INK: "currentColor", _LINE: "var(--line)"}
    colors |= {color: f"var(--series-{i})" for i, color in enumerate(_SERIES)}
    for placeholder, color in colors.items():
        svg = svg.replace(placeholder, color)
    label = html.escape(description)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
