"""Positions in charts."""

from itertools import pairwise

import pytest

from spacy_lstm_ner.evaluation.scorer import CalibrationBin
from spacy_lstm_ner.pages.charts import (
    Line,
    calibration_points,
    fraction_interval,
    line_chart,
)


def texts(ticks):
    return [tick.text for tick in ticks]


def test_ticks_are_round_numbers_that_include_all_values():
    chart = line_chart({"a": Line([0, 450, 900], [0.0, 30.0, 71.0])}, best=900)
    assert texts(chart.y_ticks) == ["0", "20", "40", "60", "80"]
    assert texts(chart.x_ticks) == ["0", "250", "500", "750"]
    assert chart.best == 100
    assert chart.lines[0].path == "M0.00 100.00L50.00 62.50L100.00 11.25"
    assert texts(line_chart({"a": Line([3], [0.07])}, top=100).y_ticks)[-1] == "100"


def test_a_logarithmic_axis():
    chart = line_chart({"a": Line([0, 1], [3000.0, 80.0])}, logarithmic=True)
    assert texts(chart.y_ticks) == ["10", "100", "1,000", "10,000"]
    small = line_chart({"a": Line([0, 1], [3.0, 0.9])}, logarithmic=True)
    assert texts(small.y_ticks) == ["0.5", "1", "2", "5"]
    # Zero has no logarithm.
    zero = line_chart({"a": Line([0, 1], [3.0, 0.0])}, logarithmic=True)
    assert texts(zero.y_ticks)[0] == "0"


def test_gaps_and_single_values():
    line = Line([0, 1, 2, 3, 4], [1.0, None, 1.0, 1.0, None])
    chart = line_chart({"a": line})
    assert chart.lines[0].path == "M0.00 0.00h0M50.00 0.00L75.00 0.00"
    none = line_chart({"a": Line([0], [None])})
    assert none.lines[0].path == ""


def test_names_at_the_ends_of_lines_do_not_overlap():
    lines = {str(k): Line([0, 1], [0.0, 1.0 + k / 100]) for k in range(6)}
    low = {f"low {k}": Line([0, 1], [1.0, 0.0]) for k in range(3)}
    places = sorted(line.name_at for line in line_chart({**lines, **low}).lines)
    assert all(b - a >= 8.9 for a, b in pairwise(places))
    assert places[0] >= 0 and places[-1] <= 100


def test_intervals_of_fractions():
    """The values of Wilson's interval, as R's `prop.test(correct = FALSE)` has them."""
    low, high = fraction_interval(0.8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert fraction_interval(1.0, 2)[0] == pytest.approx(0.3424, abs=1e-4)
    assert fraction_interval(0.0, 2)[0] == 0.0


def test_points_of_a_calibration_curve():
    curve = [
        CalibrationBin(0.4, 0.5, 5, 0.45, 0.4),
        CalibrationBin(0.9, 1, 20, 0.95, 1),
    ]
    first, second = calibration_points(curve)
    assert (first.x, first.y, first.left, first.bar) == (45, 60, 40, 25)
    assert second.bar == 100 and second.low > second.y == second.high == 0
