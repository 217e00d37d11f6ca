"""What has been measured: records in memory, a file of pyperf on disk."""

import math
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from timeit import Timer
from typing import Any, NamedTuple, TypeVar

import pyperf

from spacy_lstm_ner.util.atomic import atomic_write

from .process import allowed

#: What is worth knowing about the machine. pyperf would also note its name.
MACHINE = ("cpu_model_name", "cpu_count", "platform", "python_version", "date")

Name = TypeVar("Name")


class Record(NamedTuple):
    """The values of one candidate in one case."""

    #: What was measured: part, candidate, task, threads and so on. `items` is how many
    #: steps or characters one value is about.
    facts: dict[str, Any]
    #: Seconds, or bytes.
    values: list[float]
    unit: str = "second"

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> float:
        """How far the values lie from the median, as a share of it (the median of
        that)."""
        return median(abs(v - self.median) for v in self.values) / self.median

    @property
    def speed(self) -> float:
        """Steps or characters a second."""
        return float(self.facts["items"]) / self.median


def select(records: list[Record], **facts: Any) -> list[Record]:
    """The records of which all these facts are true."""
    return [r for r in records if facts.items() <= r.facts.items()]


def values_of(records: list[Record], fact: str) -> list[Any]:
    """The values that a fact has, in the order of the records."""
    return list(dict.fromkeys(r.facts[fact] for r in records if fact in r.facts))


def alternate(
    calls: dict[Name, Callable[[], Any]], repeats: int, least: float = 0.05
) -> dict[Name, list[float]]:
    """Time calls in turns: pyperf and timeit finish one before they begin the next, and
    then a machine that slows down for a while changes the ratios.

    calls (dict[Name, Callable]): What to time.
    repeats (int): How many values are wanted for each.
    least (float): A call is repeated until one value takes so many seconds.
    RETURNS (dict[Name, list[float]]): The seconds of each call.
    """
    order = list(calls)
    shuffle = random.Random(0).shuffle
    timers = {name: Timer(call) for name, call in calls.items()}
    loops = {}
    for name, timer in timers.items():
        took = timer.timeit(1)
        if took < least:  # The first time is slower than the others.
            took = timer.timeit(1)
        loops[name] = max(1, math.ceil(least / took))
    seconds: dict[Name, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        shuffle(order)
        for name in order:
            # The threads of the one before wait in a busy loop for more work.
            time.sleep(0.05)
            processor = time.process_time()
            value = timers[name].timeit(loops[name])
            cores = (time.process_time() - processor) / value
            if cores > 1.2 * (allowed() or cores):
                print(f"{name} kept {cores:.1f} cores busy", file=sys.stderr)
            seconds[name].append(value / loops[name])
    return seconds


def save(records: list[Record], path: Path) -> None:
    """Write a file that `python -m pyperf` and `load` read."""
    everything = pyperf.Run([1.0]).get_metadata()
    machine = {key: everything[key] for key in MACHINE if key in everything}
    benchmarks = []
    for record in records:
        facts = {**record.facts, "unit": record.unit}
        name = ", ".join(f"{key}: {fact}" for key, fact in facts.items())
        metadata = {**machine, **facts, "name": name}
        run = pyperf.Run(record.values, metadata=metadata, collect_metadata=False)
        benchmarks.append(pyperf.Benchmark([run]))
    with atomic_write(path) as new:
        pyperf.BenchmarkSuite(benchmarks).dump(str(new))


def load(path: Path) -> list[Record]:
    """Read what `save` has written."""
    records = []
    for benchmark in pyperf.BenchmarkSuite.load(str(path)):
        facts = benchmark.get_metadata()
        unit = facts.pop("unit")
        for key in ("name", *MACHINE):
            facts.pop(key, None)
        records.append(Record(facts, list(benchmark.get_values()), unit))
    return records


def machine(path: Path) -> str:
    """The machine that a file was measured on."""
    facts = pyperf.BenchmarkSuite.load(str(path)).get_metadata()
    return ", ".join(str(facts[key]) for key in MACHINE if key in facts)
