"""The speed goals of the project, and whether they are met."""

from typing import Any, NamedTuple

from .cases import THREADS
from .layers import SHORT
from .pipelines import ONE_BY_ONE, PIPE, TRAINING
from .records import Record, select
from .tables import plural, print_table

BARE = ("torch.nn.LSTM packed", "torch.nn.LSTM padded")
TORCH = (*BARE, "with_padded(torch.nn.LSTM)", "TorchLSTM")


class Goal(NamedTuple):
    """The speed ratio of a candidate to the fastest of others that is to be reached."""

    what: str
    against: str
    at_least: float
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


def _layer_goal(
    task: str, against: str, at_least: float, *others: str, batch: str = "32"
) -> Goal:
    facts: dict[str, Any] = {"part": "layers", "task": task, "batch": batch}
    what = task if batch == "32" else "one 50-step sequence"
    facts |= {"units": 128, "directions": 2}
    return Goal(what, against, at_least, facts, "LSTM", others)


def _pipeline_goal(
    task: str, what: str, at_least: float, candidate: str = "lstm_ner"
) -> Goal:
    facts = {"part": "pipelines", "task": task}
    return Goal(what, "spaCy's ner", at_least, facts, candidate, ("ner",))


GOALS = (
    _layer_goal("training", "the faster bare torch.nn.LSTM", 2, *BARE),
    _layer_goal("training", "with_padded(thinc LSTM)", 5, "with_padded(thinc LSTM)"),
    _layer_goal("inference", "the fastest PyTorch form", 1.25, *TORCH),
    _layer_goal("inference", "the matrix products alone", 0.5, "matrix products"),
    _layer_goal("inference", "bare torch.nn.LSTM", 1, *BARE, batch=SHORT),
    _pipeline_goal(PIPE, "nlp.pipe", 4),
    _pipeline_goal(PIPE, "nlp.pipe, fast.cfg", 6, "fast"),
    _pipeline_goal(ONE_BY_ONE, "nlp(text), one by one", 4),
    _pipeline_goal(TRAINING, "a training epoch", 4),
)


def show(records: list[Record]) -> None:
    rows = []
    for goal in GOALS:
        ratios = [goal.ratio(records, threads) for threads in THREADS]
        measured = [ratio for ratio in ratios if ratio is not None]
        if measured:
            met = "yes" if min(measured) >= goal.at_least else "no"
            cells = [f"{ratio:.2f}" for ratio in measured]
            rows.append((goal.what, goal.against, *cells, f"{goal.at_least:g}", met))
    threads = [plural(n, "thread") for n in THREADS]
    header = ("", "against", *threads, "at least", "met")
    if rows:
        print_table("Speed ratios and goals", header, rows, left=2)
