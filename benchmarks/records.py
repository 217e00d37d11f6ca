"""Results of measurements: records in memory, pyperf files on disk."""

import math
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from timeit import Timer
from typing import Any, NamedTuple, TypeVar

import pyperf

from spacy_lstm_ner.util.atomic import atomic_write

from .process import ROOT, in_new_process, thread_limit

#: Facts about the machine that are saved. Its name, which pyperf knows, is not.
MACHINE = (
    "cpu_model_name",
    "cpu_count",
    "instruction_set",
    "blas",
    "load_before",
    "commit",
    "platform",
    "python_version",
    "date",
)

Name = TypeVar("Name")


class Record(NamedTuple):
    """The values of one candidate in one case."""

    #: What was measured: part, candidate, task, threads and so on. `items` is the
    #: number of steps or characters in one value.
    facts: dict[str, Any]
    #: Seconds, or bytes.
    values: list[float]
    unit: str = "second"

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> float:
        """Median absolute deviation, relative to the median."""
        return median(abs(v - self.median) for v in self.values) / self.median

    @property
    def speed(self) -> float:
        """Steps or characters per second."""
        return float(self.facts["items"]) / self.median


def software() -> dict[str, str]:
    """The instruction set of the kernels, the BLAS of NumPy, and the commit."""
    import threadpoolctl

    from spacy_lstm_ner import kernels

    found = [
        f"{library['internal_api']} {library['version']} {library['architecture']}"
        for library in threadpoolctl.threadpool_info()
        if library["internal_api"] in ("openblas", "mkl", "blis")
    ]
    command = ("git", "describe", "--always", "--dirty")
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return {
        "instruction_set": kernels.instruction_set() or "no kernels",
        "blas": ", ".join(found) or "unknown BLAS",
        "commit": commit.stdout.strip() or "unknown commit",
    }


def select(records: list[Record], **facts: Any) -> list[Record]:
    """The records that have all these facts."""
    return [r for r in records if facts.items() <= r.facts.items()]


def values_of(records: list[Record], fact: str) -> list[Any]:
    """The distinct values of a fact, in the order of the records."""
    return list(dict.fromkeys(r.facts[fact] for r in records if fact in r.facts))


def time_in_turns(
    calls: dict[Name, Callable[[], Any]], repeats: int, min_seconds: float = 0.05
) -> dict[Name, list[float]]:
    """Time calls in turns, in random order. pyperf and timeit finish one call before
    they start the next one, so that a temporary slowdown of the machine would change
    the ratios.

    calls: The calls to time.
    repeats: The number of values for each call.
    min_seconds: A call is repeated until one value takes this long.
    RETURNS: The values of each call in seconds.
    """
    order = list(calls)
    shuffle = random.Random(0).shuffle
    timers = {name: Timer(call) for name, call in calls.items()}
    loops = {}
    for name, timer in timers.items():
        took = timer.timeit(1)
        if took < min_seconds:  # the first call is slower than the others
            took = timer.timeit(1)
        loops[name] = max(1, math.ceil(min_seconds / took))
    seconds: dict[Name, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        shuffle(order)
        for name in order:
            # The threads of the previous call wait for more work in a busy loop.
            time.sleep(0.05)
            processor = time.process_time()
            value = timers[name].timeit(loops[name])
            cores = (time.process_time() - processor) / value
            if cores > 1.2 * (thread_limit() or cores):
                print(f"Warning: {name} used {cores:.1f} cores", file=sys.stderr)
            seconds[name].append(value / loops[name])
    return seconds


def save(records: list[Record], path: Path, load_before: float | None = None) -> None:
    """Write a file that `python -m pyperf` and `load` can read.

    load_before: The load of the machine before the measurements.
    """
    everything = {**pyperf.Run([1.0]).get_metadata(), **in_new_process(1, software)}
    if load_before is not None:
        everything["load_before"] = f"{load_before:.2f}"
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
    """Read a file that `save` wrote."""
    records = []
    for benchmark in pyperf.BenchmarkSuite.load(str(path)):
        facts = benchmark.get_metadata()
        unit = facts.pop("unit")
        for key in ("name", *MACHINE):
            facts.pop(key, None)
        records.append(Record(facts, list(benchmark.get_values()), unit))
    return records


def machine_facts(path: Path) -> dict[str, Any]:
    """The facts about the machine on which a file was measured."""
    facts = pyperf.BenchmarkSuite.load(str(path)).get_metadata()
    return {key: facts[key] for key in MACHINE if key in facts}


def machine(facts: dict[str, Any]) -> str:
    """A description of the machine from its facts."""
    names = {
        "cpu_count": "{} cores",
        "load_before": "load before {}",
        "commit": "commit {}",
    }
    return ", ".join(names.get(key, "{}").format(fact) for key, fact in facts.items())
