"""Problems in dataset files. They are counted and located, and reported in the end."""

from collections import Counter
from typing import NamedTuple

from ..exceptions import DataError
from ..util.text import escaped, shortened

#: Every kind of problem, and how it is handled unless `strict` is set.
ACTIONS = {
    "byte-order mark": "repaired: removed",
    "Windows line end": "repaired: removed",
    "not UTF-8": "repaired: invalid bytes replaced by U+FFFD",
    "surrogate pair": "repaired: joined into one character",
    "lone surrogate": "repaired: replaced by U+FFFD",
    "not a record": "skipped",
    "empty record": "skipped",
    "different lengths": "skipped",
    "no tag": "repaired: annotation set to missing",
    "unknown tag": "repaired: annotation set to missing",
    "prefix of another scheme": "repaired: read as what it means there",
    "inside without beginning": "repaired: entity begins there",
    "entity without end": "repaired: entity closed",
    "misaligned entity": "repaired: annotation set to missing",
}
_MAX_EXAMPLES = 3
# A tag or a character may be a whole line by mistake.
_MAX_MESSAGE = 200


class Problem(NamedTuple):
    """A problem in a file.

    path: The file.
    line: The line of the file, from 1.
    kind: A key of `ACTIONS`.
    message: What is wrong.
    """

    path: str
    line: int
    kind: str
    message: str

    @property
    def location(self) -> str:
        """The location as "file:line", which editors can jump to."""
        return f"{escaped(self.path)}:{self.line}"

    def __str__(self) -> str:
        return f"{self.location}: {self.kind}: {escaped(self.message)}"


class ProblemLog:
    """The problems found in dataset files.

    strict: Whether the first problem raises a `DataError`.
    counts: Number of problems by file and kind.
    examples: The first few problems by file and kind.
    trimmed: Number of entities whose leading or trailing whitespace was removed. This
        is not a problem: spaCy does not accept such entities.
    dropped: Number of entities left out because they contain only whitespace.
    """

    def __init__(self, *, strict: bool = False):
        """
        strict: Raise a `DataError` at the first problem.
        """
        self.strict = strict
        self.counts: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], list[Problem]] = {}
        self.trimmed = 0
        self.dropped = 0

    def add(self, path: str, line: int, kind: str, message: str) -> None:
        """Add a problem.

        path: The file.
        line: The line of the file, from 1.
        kind: A key of `ACTIONS`.
        message: What is wrong.
        RAISES (DataError): If the log is strict.
        """
        message = shortened(message, _MAX_MESSAGE)
        if self.strict:
            problem = Problem(path, line, kind, message)
            raise DataError(f"{problem} (without strict: {ACTIONS[kind]})")
        self.counts[path, kind] += 1
        examples = self.examples.setdefault((path, kind), [])
        # The same message may apply to every line, as for Windows line ends.
        if len(examples) < _MAX_EXAMPLES and message not in [
            problem.message for problem in examples
        ]:
            examples.append(Problem(path, line, kind, message))

    def rows(self) -> list[tuple[str, int, str, str]]:
        """RETURNS (list[tuple[str, int, str, str]]): For each kind of problem in each
        file: the kind, the number of problems, how they were handled, and the location
        of the first one."""
        return [
            (kind, count, ACTIONS[kind], self.examples[path, kind][0].location)
            for (path, kind), count in self.counts.items()
        ]

    def messages(self) -> list[str]:
        """RETURNS (list[str]): The first few problems of each row, as text."""
        return [str(problem) for few in self.examples.values() for problem in few]

    def __str__(self) -> str:
        return "\n".join(
            f"{location}: {kind}: {count:,} in total, {action}"
            for kind, count, action, location in self.rows()
        )
