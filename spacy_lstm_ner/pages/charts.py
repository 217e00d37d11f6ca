"""Charts, as data for the templates in charts.html.

Positions are in percent of the width and height of a chart, from its top left corner,
so that it fits any place. They have the colors of labels, also in dark mode.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..evaluation.scorer import CalibrationBin
from .colors import COLORS

# Number of intervals between the ticks of an axis.
_INTERVALS = 4
# Minimum distance of the names at the ends of lines.
_NAME_HEIGHT = 9.0
# The 97.5th percentile of the normal distribution.
_Z = 1.96


class Line(NamedTuple):
    """Values by step. None leaves a gap."""

    steps: Sequence[int]
    values: Sequence[float | None]


class Tick(NamedTuple):
    """A tick of an axis."""

    at: float
    text: str


class DrawnLine(NamedTuple):
    """A line of a chart."""

    name: str
    #: The CSS classes of its color.
    style: str
    #: The path, in SVG.
    path: str
    #: The height of its name, at its end.
    name_at: float


class Chart(NamedTuple):
    """A chart of lines over training steps."""

    lines: list[DrawnLine]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    #: The position of a step that is marked.
    best: float | None


class CalibrationPoint(NamedTuple):
    """A bin of a calibration curve: its range, the point, the interval of the fraction
    that is correct, and the number of entities with its bar."""

    left: float
    width: float
    x: float
    y: float
    low: float
    high: float
    size: int
    bar: float


def line_chart(
    lines: Mapping[str, Line],
    *,
    best: int | None = None,
    logarithmic: bool = False,
    top: float | None = None,
    styles: Mapping[str, str] | None = None,
) -> Chart:
    """Draw lines over training steps.

    lines: The lines by name.
    best: A step to mark.
    logarithmic: Whether to use a logarithmic scale, if all values are positive.
    top: The upper limit of the y-axis; None: that of the values.
    styles: The CSS classes of the lines; by default, in the order of the colors.
    """
    values = [v for line in lines.values() for v in line.values if v is not None]
    last = max((step for line in lines.values() for step in line.steps), default=1) or 1
    if logarithmic and values and min(values) > 0:
        ticks = _powers(min(values), max(values))
        low, high = math.log10(ticks[0]), math.log10(ticks[-1])

        def height(value: float) -> float:
            return 100 - 100 * (math.log10(value) - low) / ((high - low) or 1)
    else:
        ticks = _ticks(top or max(values, default=1.0))
        limit = ticks[-1]

        def height(value: float) -> float:
            return 100 - 100 * value / limit

    drawn = []
    for i, (name, line) in enumerate(lines.items()):
        points = [
            None if v is None else (100 * step / last, height(v))
            for step, v in zip(line.steps, line.values, strict=True)
        ]
        end = next((point[1] for point in reversed(points) if point), 50.0)
        style = styles[name] if styles else f"c{i % COLORS}"
        drawn.append(DrawnLine(name, style, _path(points), end))
    return Chart(
        _spread(drawn),
        [Tick(100 * tick / last, f"{tick:,.0f}") for tick in _steps(last)],
        [Tick(height(tick), f"{tick:,.10g}") for tick in ticks],
        None if best is None else 100 * best / last,
    )


def calibration_points(curve: Sequence[CalibrationBin]) -> list[CalibrationPoint]:
    """Draw a calibration curve and, below it, a histogram of the probabilities.

    curve: The calibration curve.
    """
    largest = max(one.size for one in curve)
    return [
        CalibrationPoint(
            left=100 * one.low,
            width=100 * (one.high - one.low),
            x=100 * one.mean_probability,
            y=100 - 100 * one.fraction_correct,
            low=100 - 100 * low,
            high=100 - 100 * high,
            size=one.size,
            bar=100 * one.size / largest,
        )
        for one in curve
        for low, high in [fraction_interval(one.fraction_correct, one.size)]
    ]


def fraction_interval(fraction: float, n: int) -> tuple[float, float]:
    """Compute the 95% interval of a fraction (Wilson, 1927), which is also right for
    few observations, and for fractions of 0 and 1.

    fraction: The observed fraction.
    n: The number of observations.
    RETURNS: Its lower and upper limit.
    """
    shrunk = 1 + _Z**2 / n
    middle = (fraction + _Z**2 / (2 * n)) / shrunk
    spread = _Z * math.sqrt(fraction * (1 - fraction) / n + (_Z / (2 * n)) ** 2)
    return max(0.0, middle - spread / shrunk), min(1.0, middle + spread / shrunk)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """A path in SVG through all points, with gaps."""
    parts = []
    before = after = None
    for i, point in enumerate(points):
        if point is not None:
            after = points[i + 1] if i + 1 < len(points) else None
            parts.append(f"{'L' if before else 'M'}{point[0]:.2f} {point[1]:.2f}")
            if before is None and after is None:
                parts.append("h0")  # a dot
        before = point
    return "".join(parts)


def _spread(lines: list[DrawnLine]) -> list[DrawnLine]:
    """Move the names of lines apart that would overlap."""
    order = sorted(range(len(lines)), key=lambda i: lines[i].name_at)
    places: dict[int, float] = {}
    free = 0.0
    for i in order:
        places[i] = max(lines[i].name_at, free)
        free = places[i] + _NAME_HEIGHT
    # What has been pushed out at the bottom goes back up.
    limit = 100.0
    for i in reversed(order):
        places[i] = min(places[i], limit)
        limit = places[i] - _NAME_HEIGHT
    return [line._replace(name_at=places[i]) for i, line in enumerate(lines)]


def _ticks(limit: float) -> list[float]:
    """Round numbers from 0 to at least `limit`."""
    size = _round_size(limit / _INTERVALS)
    return [i * size for i in range(math.ceil(limit / size - 1e-9) + 1)]


def _steps(last: int) -> list[float]:
    """Round numbers from 0 to at most `last`."""
    size = max(1.0, _round_size(last / _INTERVALS))
    return [i * size for i in range(math.floor(last / size + 1e-9) + 1)]


def _round_size(size: float) -> float:
    """The next larger number of 1, 2, 2.5 and 5 times a power of ten."""
    size = size or 1.0
    power: float = 10.0 ** math.floor(math.log10(size))
    factors = (1, 2, 2.5, 5, 10)
    return power * next(x for x in factors if x >= size / power - 1e-9)


def _powers(low: float, high: float) -> list[float]:
    """Numbers with equal ratios that include a range: powers of ten, or in a small
    range 1, 2 and 5 times these."""
    numbers = [*_decades(low, high, (1, 2, 5))]
    if len(numbers) > _INTERVALS + 2:
        numbers = [*_decades(low, high, (1,))]
    return numbers


def _decades(low: float, high: float, factors: Sequence[int]) -> Iterator[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    numbers = [f * 10.0**power for power in range(first, last + 1) for f in factors]
    below = max(x for x in numbers if x <= low * (1 + 1e-9))
    above = min(x for x in numbers if x >= high * (1 - 1e-9))
    yield from (x for x in numbers if below <= x <= max(above, below * 1.01))
