"""What was found wrong with dataset files: counted, located, never silent."""

from collections import Counter
from typing import NamedTuple

from ..exceptions import DataError
from ..util.text import escaped, shortened

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
MAX_EXAMPLES = 3
# A tag or a character may be a whole line by mistake.
_LONGEST = 200


class Problem(NamedTuple):
    """One thing wrong in a file. `kind` is a key of `ACTIONS`."""

    path: str
    line: int
    kind: str
    message: str

    @property
    def place(self) -> str:
        """RETURNS (str): "file:line", which editors can jump to."""
        return f"{escaped(self.path)}:{self.line}"

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {escaped(self.message)}"


class Report:
    """Takes in problems: counts them, or stops at the first one if `strict`."""

    def __init__(self, *, strict: bool = False):
        """
        strict (bool): Raise a `DataError` at the first problem.
        """
        self.strict = strict
        #: How many problems there are, by file and kind.
        self.counts: Counter[tuple[str, str]] = Counter()
        #: The first few of them, by file and kind.
        self.examples: dict[tuple[str, str], list[Problem]] = {}
        #: Entities that lost white space at an edge. Not a problem: spaCy's own `ner`
        #: refuses such entities, so all data for spaCy is like this.
        self.trimmed = 0
        #: Entities that were nothing but white space.
        self.dropped = 0

    def add(self, path: str, line: int, kind: str, message: str) -> None:
        """Take in one problem.

        path (str): The file.
        line (int): The line of the file, from 1.
        kind (str): A key of `ACTIONS`.
        message (str): What is wrong there.
        RAISES (DataError): If the report is strict.
        """
        message = shortened(message, _LONGEST)
        if self.strict:
            problem = Problem(path, line, kind, message)
            raise DataError(f"{problem} (without strict: {ACTIONS[kind]})")
        self.counts[path, kind] += 1
        examples = self.examples.setdefault((path, kind), [])
        # What each line has, such as a Windows line end, is said once.
        if len(examples) < MAX_EXAMPLES and message not in [
            p.message for p in examples
        ]:
            examples.append(Problem(path, line, kind, message))

    def rows(self) -> list[tuple[str, int, str, str]]:
        """RETURNS (list[tuple[str, int, str, str]]): For each kind of problem in each
        file: its name, how many there are, what was done, and where the first is."""
        return [
            (kind, count, ACTIONS[kind], self.examples[path, kind][0].place)
            for (path, kind), count in self.counts.items()
        ]

    def messages(self) -> list[str]:
        """RETURNS (list[str]): The first few problems of each row, one a line."""
        return [str(problem) for few in self.examples.values() for problem in few]

    def __str__(self) -> str:
        return "\n".join(
            f"{place}: {kind}: {count:,} in all, {action}"
            for kind, count, action, place in self.rows()
        )
