"""How far it is: a bar in a terminal, and plain lines elsewhere."""

import io
import sys
from types import SimpleNamespace

import pytest

from spacy_lstm_ner.util import progress
from spacy_lstm_ner.util.progress import (
    duration,
    print_line,
    progress_counter,
    with_progress,
)


@pytest.fixture
def clock(monkeypatch):
    """What time it is: nothing else makes it go on."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "monotonic", lambda: clock.now)
    return clock


def test_lines_without_a_terminal(clock, capsys):
    for _ in with_progress(range(2400), True, "Pretraining"):
        clock.now += 0.125
    output = capsys.readouterr()
    lines = output.err.splitlines()
    # From one line to the next it is longer, up to a minute.
    assert lines[:3] == [
        "Pretraining: 40 of 2,400 (2%), 8.0 a second, about 4 min 55 s left",
        "Pretraining: 120 of 2,400 (5%), 8.0 a second, about 4 min 45 s left",
        "Pretraining: 280 of 2,400 (12%), 8.0 a second, about 4 min 25 s left",
    ]
    assert len(lines) == 7 and output.out == ""


def test_total_can_be_unknown_or_given(clock, capsys):
    for _ in with_progress(iter(range(6)), True, "Data"):
        clock.now += 2
    for _ in with_progress(iter(range(6)), True, "Data", total=6):
        clock.now += 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Data: 3, 0.5 a second, 6 s so far",
        "Data: 3 of 6 (50%), 0.5 a second, about 6 s left",
    ]


def test_bytes_are_counted_in_megabytes(clock, capsys):
    with progress_counter("Reading", 25_300_000, in_bytes=True) as counter:
        for _ in range(60):
            clock.now += 0.125
            counter.update(125_000)
    assert capsys.readouterr().err == (
        "Reading: 5.0 of 25.3 MB (20%), 1.0 MB a second, about 20 s left\n"
    )


def test_speed_of_something_else_from_a_restart_on(clock, capsys):
    """What was skipped before the restart does not count as fast."""
    characters = 0
    with progress_counter(
        "Predicting",
        10_000_000,
        in_bytes=True,
        rate=lambda seconds: f"{characters / seconds:,.0f} characters a second",
    ) as counter:
        counter.update(5_000_000)
        clock.now += 1
        counter.restart()
        for _ in range(7):
            clock.now += 1
            characters += 300
            counter.update(100_000)
    assert capsys.readouterr().err == (
        "Predicting: 5.4 of 10.0 MB (54%), 300 characters a second, about 46 s left\n"
    )


def test_nothing_is_shown_if_fast_or_silent(clock, capsys):
    for _ in with_progress(range(49), True, "Fast"):
        clock.now += 0.1
    for _ in with_progress(range(100), False, "Silent"):
        clock.now += 10
    with progress_counter("Silent", 100, shown=False) as counter:
        clock.now += 100
        counter.update(100)
    output = capsys.readouterr()
    assert output.err == output.out == ""


@pytest.mark.parametrize("total", [None, 0])
def test_no_items(clock, capsys, total):
    assert list(with_progress([], True, "Nothing", total=total)) == []
    with progress_counter("Nothing", total) as counter:
        clock.now += 10
        counter.update(0)
    assert capsys.readouterr().err == "Nothing: 0, 0.0 a second, 10 s so far\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_in_a_terminal(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(progress, "_BAR_DELAY", 0)
    seen = []
    for i in with_progress(range(5), True, "Corpus"):
        clock.now += 100
        seen.append(i)
    assert seen == [0, 1, 2, 3, 4]
    assert "Corpus:   0%|" in terminal.getvalue() and "\n" not in terminal.getvalue()


def test_without_any_stderr(clock, monkeypatch):
    """As in a program without a console."""
    monkeypatch.setattr(sys, "stderr", None)
    for _ in with_progress(range(10), True, "Corpus"):
        clock.now += 10
    print_line("a line")


def test_durations():
    said = [duration(seconds) for seconds in (0.4, 59.4, 59.6, 3725)]
    assert said == ["0 s", "59 s", "1 min 0 s", "62 min 5 s"]
