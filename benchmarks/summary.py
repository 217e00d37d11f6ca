"""The speed goals of the project, and whether they are met."""

from typing import Any, NamedTuple

from .cases import THREADS
from .layers import SHORT
from .pipelines import (
    MANY,
    ONE_BY_ONE,
    ONE_PROCESS,
    PIPE,
    TRAINING,
    TWO_PROCESSES,
)
from .records import Record, select
from .tables import plural, print_table

BARE = ("torch.nn.LSTM packed", "torch.nn.LSTM padded")
THINC = "with_padded(thinc LSTM)"
TORCH = (*BARE, "with_padded(torch.nn.LSTM)", "TorchLSTM")


class Goal(NamedTuple):
    """The speed ratio of a candidate to the fastest of others that is to be reached."""

    what: str
    against: str
    #: By instruction set, on one thread and on two.
    at_least: dict[str, tuple[float, float]]
    facts: dict[str, Any]
    candidate: str
    others: tuple[str, ...]

    def ratio(self, records: list[Record], threads: int) -> float | None:
        """How many times as fast it is; None if that was not measured."""
        found = {
            record.facts["candidate"]: record.median
            for record in select(records, threads=threads, **self.facts)
        }
        others = [found[name] for name in self.others if name in found]
        if not others or self.candidate not in found:
            return None
        return min(others) / found[self.candidate]


def _by_set(avx512: Any, avx2: Any) -> dict[str, tuple[float, float]]:
    pairs = {"avx512": avx512, "avx2": avx2}
    return {k: v if isinstance(v, tuple) else (v, v) for k, v in pairs.items()}


def _layer_goal(
    task: str, against: str, avx512: Any, avx2: Any, *others: str, batch: str = "32"
) -> Goal:
    facts: dict[str, Any] = {"part": "layers", "task": task, "batch": batch}
    what = task if batch == "32" else "one 50-step sequence"
    facts |= {"units": 128, "directions": 2}
    return Goal(what, against, _by_set(avx512, avx2), facts, "LSTM", others)


def _pipeline_goal(
    task: str,
    what: str,
    avx512: float,
    avx2: float,
    candidate: str = "lstm_ner",
    against: str = "spaCy's ner",
    other: str = "ner",
) -> Goal:
    facts = {"part": "pipelines", "task": task}
    at_least = _by_set(avx512, avx2)
    return Goal(what, against, at_least, facts, candidate, (other,))


GOALS = (
    _layer_goal(
        "training", "the faster bare torch.nn.LSTM", (2, 1.5), (1.8, 1.3), *BARE
    ),
    _layer_goal("inference", "the fastest PyTorch form", (1.8, 1.6), 1.25, *TORCH),
    _layer_goal("inference", "bare torch.nn.LSTM", 2.2, 1.5, *BARE, batch=SHORT),
    _layer_goal(
        "inference", "with_padded(thinc LSTM)", 5, 4, "with_padded(thinc LSTM)"
    ),
    _layer_goal("inference", "ONNX Runtime", 1, 1, "ONNX Runtime"),
    _pipeline_goal(ONE_BY_ONE, "nlp(text), one by one", 5, 4),
    _pipeline_goal(PIPE, "nlp.pipe", 8, 6),
    _pipeline_goal(PIPE, "nlp.pipe, fast.cfg", 11, 8, "fast"),
    _pipeline_goal(TRAINING, "training", 4, 3.5),
    _pipeline_goal(
        MANY,
        "nlp.pipe(n_process=2)",
        1.7,
        1.7,
        TWO_PROCESSES,
        "one process",
        ONE_PROCESS,
    ),
)


def show(records: list[Record], instruction_set: str) -> None:
    """Print the ratios, and the goals for an instruction set."""
    rows = []
    for goal in GOALS:
        ratios = [goal.ratio(records, threads) for threads in THREADS]
        if not any(ratios):
            continue
        cells, met = [], True
        goals = goal.at_least.get(instruction_set, (0.0,) * len(THREADS))
        for ratio, at_least in zip(ratios, goals, strict=True):
            cells += [f"{ratio:.2f}", f"{at_least:g}"] if ratio else ["", ""]
            met = met and (ratio is None or ratio >= at_least)
        rows.append((goal.what, goal.against, *cells, "yes" if met else "no"))
    threads = [plural(n, "thread") for n in THREADS]
    header = ("", "against", *(x for n in threads for x in (n, "goal")), "met")
    if rows:
        print_table("Speed ratios and goals", header, rows, left=2)
