"""Peak memory of one call of a layer, beyond the memory in use before the call."""

import sys
from itertools import product
from pathlib import Path

from tqdm import tqdm

from .cases import TASKS, THREADS, Case, ragged_lengths
from .charts import STYLES, bars, finish, label, panels
from .process import in_new_process
from .records import Record, select, values_of
from .tables import print_table

CANDIDATES = (
    "LSTM",
    "TorchLSTM",
    "with_padded(thinc LSTM)",
    "with_padded(torch.nn.LSTM)",
    "torch.nn.LSTM packed",
    "torch.nn.LSTM padded",
)


def measure(batches: tuple[int, ...] = (32, 128)) -> list[Record]:
    """Measure each candidate in a new process, since freed memory is reused."""
    cases = [Case(task, ragged_lengths(n)) for task, n in product(TASKS, batches)]
    records = []
    for name, case in tqdm(list(product(CANDIDATES, cases)), "memory"):
        values = [in_new_process(max(THREADS), peak, name, case)]
        facts = {"part": "memory", "candidate": name, **case.facts}
        records.append(Record(facts, values, "byte"))
    return records


def peak(name: str, case: Case) -> float:
    """The bytes that one call of a candidate needs beyond its input and weights.

    name: The name of the candidate.
    """
    from .candidates import CANDIDATES

    # Not counted: what the libraries load and set up at their first call.
    first = CANDIDATES[name](case._replace(lengths=(5,)))
    call = CANDIDATES[name](case)
    assert first is not None and call is not None
    first()
    _reset_peak()
    before = _peak_memory()
    call()
    # pyperf does not accept zeros.
    return max(1.0, _peak_memory() - before)


def _reset_peak() -> None:
    """Reset the peak memory of this process to its current memory. This is possible
    only on Linux; elsewhere memory that was freed before counts as in use, and the
    result is slightly too small."""
    counter = Path("/proc/self/clear_refs")
    if counter.exists():
        counter.write_text("5")


def _peak_memory() -> int:
    import resource  # does not exist on Windows

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def show(records: list[Record]) -> None:
    columns = list(product(TASKS, values_of(records, "sequences")))
    rows = []
    for name in values_of(records, "candidate"):
        megabytes = [
            select(records, candidate=name, task=task, sequences=n)[0].median / 1e6
            for task, n in columns
        ]
        rows.append((name, *(f"{size:,.1f}" for size in megabytes)))
    header = ("sequences", *(f"{task}: {n}" for task, n in columns))
    title = "peak memory of a call in MB, 128 units, both directions"
    print_table(title, header, rows)


def draw(records: list[Record], folder: Path) -> None:
    note = "peak memory of one call in MB, 128 units, two directions; less is better"
    figure, all_axes = panels(1, 2, "Memory of the layers", note, height=340)
    for axes, task in zip(all_axes, TASKS, strict=True):
        series = {
            f"{n} sequences": [
                record.median / 1e6
                for record in select(records, task=task, sequences=n)
            ]
            for n in values_of(records, "sequences")
        }
        label(axes, task, "MB")
        names = values_of(records, "candidate")
        bars(axes, [STYLES[name].name or name for name in names], series)
    all_axes[1].set_yticklabels([])
    finish(figure, folder / "memory.svg")
