"""Speed and peak memory by length and number of sequences."""

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from .cases import TASKS, THREADS, Case
from .charts import Line, draw_lines, finish, label, panels
from .memory import peak
from .process import in_new_process
from .records import Record, select, time_in_turns, values_of
from .tables import print_table

AXES = {"steps": "steps of one sequence", "sequences": "sequences of 60 steps"}
#: The candidates and tasks that are measured at each point.
CALLS = tuple(product(("LSTM", "TorchLSTM"), TASKS))


class Point(NamedTuple):
    """A point on one of the axes."""

    axis: str
    size: int

    def case(self, task: str) -> Case:
        lengths = (self.size,) if self.axis == "steps" else (60,) * self.size
        return Case(task, lengths)


def measure(
    steps: tuple[int, ...] = (10, 100, 1_000, 10_000),
    sequences: tuple[int, ...] = (1, 8, 64, 512),
    repeats: int = 2,
) -> list[Record]:
    """Measure LSTM and TorchLSTM, 128 units, both directions, on two threads."""
    threads = max(THREADS)
    points = [Point("steps", n) for n in steps]
    points += [Point("sequences", n) for n in sequences]
    records = in_new_process(threads, _time, points, repeats)
    for point, (name, task) in tqdm(list(product(points, CALLS)), "growth, memory"):
        values = [in_new_process(threads, peak, name, point.case(task))]
        records.append(Record(_facts(point, name, task), values, "byte"))
    return records


def _time(points: list[Point], repeats: int) -> list[Record]:
    from .candidates import CANDIDATES

    records = []
    for point in tqdm(points, "growth, speed"):
        calls = {}
        for name, task in CALLS:
            call = CANDIDATES[name](point.case(task))
            assert call is not None
            calls[name, task] = call
        for (name, task), values in time_in_turns(calls, repeats).items():
            records.append(Record(_facts(point, name, task), values))
    return records


def _facts(point: Point, name: str, task: str) -> dict[str, Any]:
    facts = {"part": "growth", "candidate": name, "axis": point.axis}
    return {**facts, "size": point.size, **point.case(task).facts}


def show(records: list[Record]) -> None:
    for axis, title in AXES.items():
        table = select(records, axis=axis)
        rows = []
        for size in values_of(table, "size"):
            row = [f"{size:,}"]
            for name, task in CALLS:
                found = select(table, size=size, candidate=name, task=task)
                # Speed comes first, since it was measured first.
                row.append("; ".join(f"{_y(record):,.0f}" for record in found))
            rows.append(row)
        header = (axis, *(f"{name}, {task}" for name, task in CALLS))
        title = f"{title}: steps per second; peak memory in MB"
        print_table(title, header, rows, left=0)


def _y(record: Record) -> float:
    """The value of the y axis: steps per second, or megabytes."""
    return record.speed if record.unit == "second" else record.median / 1e6


def draw(records: list[Record], folder: Path) -> None:
    title = "Speed and memory by length and number of sequences"
    note = "two threads, logarithmic; more speed and less memory are better"
    figure, all_axes = panels(2, 2, title, note)
    units = {"second": "steps per second", "byte": "peak memory in MB"}
    titles = {"second": "Speed: more is better", "byte": "Memory: less is better"}
    for axes, (unit, axis) in zip(all_axes, product(units, AXES), strict=True):
        table = select(records, axis=axis)
        label(
            axes,
            titles[unit] if axis == "steps" else "",
            AXES[axis],
            units[unit] if axis == "steps" else "",
        )
        lines = []
        for name, task in CALLS:
            found = select(table, candidate=name, task=task)
            points = [(r.facts["size"], _y(r)) for r in found if r.unit == unit]
            lines.append(Line(name, points, "training" if task == "training" else ""))
        draw_lines(axes, lines)
    finish(figure, folder / "growth.svg")
