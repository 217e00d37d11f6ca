"""Speed of the layers alone, in steps per second, not counting padding."""

from itertools import product
from pathlib import Path

from tqdm import tqdm

from .cases import TASKS, THREADS, Case, ragged_lengths
from .charts import Line, draw_lines, finish, label, panels
from .process import in_new_process
from .records import Record, select, time_in_turns, values_of
from .tables import plural, print_table

#: A batch of one short text.
SHORT = "one of 50 steps"
#: The batches of the summary, which are measured more often.
QUOTED = ("32", SHORT)


def measure(
    units: tuple[int, ...] = (128,),
    directions: tuple[int, ...] = (2,),
    batches: tuple[int, ...] = (1, 8, 32, 128),
    repeats: int = 5,
) -> list[Record]:
    """Measure all candidates in all cases, on one and on two threads."""
    cases = []
    for nH, dirs in product(units, directions):
        cases.append((SHORT, Case("inference", (50,), nH, dirs)))
        for n, task in product(batches, TASKS):
            cases.append((str(n), Case(task, ragged_lengths(n), nH, dirs)))
    return [
        record
        for threads in THREADS
        for record in in_new_process(threads, _measure, threads, cases, repeats)
    ]


def _measure(threads: int, cases: list[tuple[str, Case]], repeats: int) -> list[Record]:
    from .candidates import CANDIDATES

    records = []
    for batch, case in tqdm(cases, f"layers, {plural(threads, 'thread')}"):
        made = {name: make_call(case) for name, make_call in CANDIDATES.items()}
        calls = {name: call for name, call in made.items() if call is not None}
        is_quoted = case.units == 128 and case.directions == 2 and batch in QUOTED
        n = 3 * repeats if is_quoted else repeats
        for name, values in time_in_turns(calls, n).items():
            facts = {"part": "layers", "candidate": name, "threads": threads}
            records.append(Record({**facts, "batch": batch, **case.facts}, values))
    return records


def show(records: list[Record]) -> None:
    """Print a table for each kind of layer, task and number of threads."""
    for keys in product(
        values_of(records, "units"), values_of(records, "directions"), TASKS, THREADS
    ):
        units, directions, task, threads = keys
        facts = dict(zip(("units", "directions", "task", "threads"), keys, strict=True))
        table = select(records, **facts)
        batches = values_of(table, "batch")
        title = f"{task}, {plural(threads, 'thread')}, {units} units per direction, "
        title += plural(directions, "direction")
        rows = [
            (name, *(_cell(select(table, batch=batch), name) for batch in batches))
            for name in values_of(table, "candidate")
        ]
        columns = [f"sequences: {batch}" for batch in batches]
        print_table(title, ("steps per second", *columns), rows)
    print("In parentheses: speed of LSTM relative to this one. ±: spread of repeats.")


def _cell(records: list[Record], name: str) -> str:
    (ours,), found = (select(records, candidate=c) for c in ("LSTM", name))
    return ", ".join(
        f"{record.speed:,.0f} ±{record.spread:.0%} ({record.median / ours.median:.2f})"
        for record in found
    )


def draw(records: list[Record], folder: Path) -> None:
    """Draw speed by the number of sequences, for the smaller layer with two
    directions."""
    units = min(values_of(records, "units"))
    records = select(records, units=units, directions=2)
    note = "steps per second, logarithmic; more is better"
    figure, all_axes = panels(2, 2, "Speed of the layers by batch size", note)
    for axes, (task, threads) in zip(all_axes, product(TASKS, THREADS), strict=True):
        batches = select(records, task=task, threads=threads)
        batches = [r for r in batches if r.facts["batch"] != SHORT]
        lines = []
        label(
            axes,
            f"{task}, {plural(threads, 'thread')}",
            "sequences in a batch",
            "" if threads > 1 else "steps per second",
        )
        for name in values_of(batches, "candidate"):
            of_name = select(batches, candidate=name)
            points = [(r.facts["sequences"], r.speed) for r in of_name]
            lines.append(Line(name, points))
        draw_lines(axes, lines)
    finish(figure, folder / "layers.svg")
