"""What was found wrong with dataset files: counted, located, never silent."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

# Every kind of problem, and what is done about it unless `strict` stops there.
ACTIONS = {
    "byte-order mark": "repaired: dropped",
    "Windows line end": "repaired: dropped",
    "not UTF-8": "repaired: unreadable bytes became U+FFFD",
    "surrogate pair": "repaired: joined to one character",
    "lone surrogate": "repaired: became U+FFFD",
    "not a record": "skipped",
    "empty record": "skipped",
    "different lengths": "skipped",
    "no tag": "repaired: annotation left missing there",
    "unknown tag": "repaired: annotation left missing there",
    "inside without beginning": "repaired: entity begins there",
    "entity without end": "repaired: entity closed",
    "misaligned entity": "repaired: annotation left missing there",
}
# Enough to see what is meant, few enough to be read.
EXAMPLES_PER_KIND = 3


class DataError(ValueError):
    """A file or setting that cannot be used; the message is made for the user."""


class Problem(NamedTuple):
    """One thing wrong in a file. `kind` is a key of `ACTIONS`."""

    path: Path
    line: int
    kind: str
    message: str

    @property
    def place(self) -> str:
        """RETURNS (str): "file:line", which editors can jump to."""
        return f"{self.path}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.message}"


class Report:
    """Takes in problems: counts them, or stops at the first one if `strict`."""

    def __init__(self, *, strict: bool = False):
        """
        strict (bool): Raise a `DataError` at the first problem.
        """
        self.strict = strict
        #: How many problems there are of each kind.
        self.counts: Counter[str] = Counter()
        #: The first few of each kind.
        self.examples: dict[str, list[Problem]] = {}
        #: Entities that lost white space at an edge. Not a problem: no information
        #: is lost, and spaCy's own `ner` refuses such entities.
        self.trimmed = 0
        #: Entities that were nothing but white space.
        self.dropped = 0

    def add(self, path: Path, line: int, kind: str, message: str) -> None:
        """Take in one problem.

        path (Path): The file.
        line (int): The line of the file, from 1.
        kind (str): A key of `ACTIONS`.
        message (str): What is wrong there.
        RAISES (DataError): If the report is strict.
        """
        problem = Problem(path, line, kind, message)
        if self.strict:
            raise DataError(f"{problem} (without strict: {ACTIONS[kind]})")
        self.counts[kind] += 1
        examples = self.examples.setdefault(kind, [])
        # A file with Windows line ends has the same to say on each line: once will do.
        if len(examples) < EXAMPLES_PER_KIND and all(
            message != example.message for example in examples
        ):
            examples.append(problem)

    def rows(self) -> list[tuple[str, int, str, str]]:
        """RETURNS (list[tuple[str, int, str, str]]): For each kind of problem: its
        name, how many there are, what was done, and where the first one is."""
        return [
            (kind, count, ACTIONS[kind], self.examples[kind][0].place)
            for kind, count in self.counts.items()
        ]

    def messages(self) -> list[str]:
        """RETURNS (list[str]): The first few problems of each kind, one a line."""
        return [str(problem) for kind in self.examples.values() for problem in kind]

    def __str__(self) -> str:
        return "\n".join(
            f"{count} × {kind} ({action}), first at {place}"
            for kind, count, action, place in self.rows()
        )
