"""Problems in dataset files, and what is lost. They are counted and located, and
reported in the end."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ..exceptions import DataError
from ..util.text import escaped, shortened

#: Every kind of problem, and how it is handled unless `strict` is set.
ACTIONS = {
    "byte-order mark": "repaired: removed",
    "Windows line end": "repaired: removed",
    "CR line end": "read as a line end",
    "not UTF-8": "repaired: invalid bytes replaced by U+FFFD",
    "invalid bytes": "repaired: replaced by U+FFFD",
    "surrogate pair": "repaired: joined into one character",
    "lone surrogate": "repaired: replaced by U+FFFD",
    "not a record": "skipped",
    "empty record": "skipped",
    "different lengths": "skipped",
    "number of columns": "repaired: unit and tag read from its ends",
    "markup": "skipped",
    "different text": "the words of the sentence are read",
    "position in the word": "kept as part of the text",
    "comment or unit": "skipped as a comment",
    "no tag": "repaired: annotation set to missing",
    "unknown tag": "repaired: annotation set to missing",
    "prefix of another scheme": "repaired: read as what it means there",
    "inside without beginning": "repaired: entity begins there",
    "entity without end": "repaired: entity closed",
    "invalid entity": "entity not read",
    "offsets outside the text": "entity not read",
    "text of entity differs": "entity not read, annotation set to missing",
    "misaligned entity": "repaired: annotation set to missing",
}
#: Reasons for which entities are lost.
ONLY_WHITESPACE = "only whitespace"
MISALIGNED = "begins or ends inside a token"
OVERLAPPING = "overlaps a longer one"
#: What is said of the latter: they are in the span group, which has all entities.
IN_GROUP = "Entities only in the span group"
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
    entities: Number of entities in each file, those that were lost included.
    lost: Number of entities that are not in `doc.ents`, by file and reason. Those that
        overlap longer ones are in the span group.
    left_out: Number of records that are left out on purpose, by file and reason, such
        as answers that were rejected in a tool.
    trimmed: Number of entities whose leading or trailing whitespace was removed. This
        is not a problem: spaCy does not accept such entities.
    """

    def __init__(self, *, strict: bool = False):
        """
        strict: Raise a `DataError` at the first problem.
        """
        self.strict = strict
        self.counts: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], list[Problem]] = {}
        self.entities: Counter[str] = Counter()
        self.lost: Counter[tuple[str, str]] = Counter()
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.trimmed = 0

    def of_file(self, path: Path) -> "FileLog":
        """Return the log for one file, which readers report to."""
        return FileLog(self, str(path))

    @property
    def dropped(self) -> int:
        """Number of entities left out because they contain only whitespace."""
        return sum(
            n for (_, reason), n in self.lost.items() if reason == ONLY_WHITESPACE
        )

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

    @property
    def skipped(self) -> int:
        """Number of records that cannot be read."""
        return sum(
            n for (_, kind), n in self.counts.items() if ACTIONS[kind] == "skipped"
        )

    def losses(self) -> list[str]:
        """RETURNS (list[str]): How many entities are not in `doc.ents`, and how many
        records were left out, for each reason."""
        totals: Counter[tuple[str, str]] = Counter()
        for (_, reason), n in self.lost.items():
            what = IN_GROUP if reason == OVERLAPPING else "Entities lost"
            totals[what, reason] += n
        for (_, reason), n in self.left_out.items():
            totals["Records left out", reason] += n
        return [f"{what}: {n:,}, {why}" for (what, why), n in totals.items() if n]

    def messages(self) -> list[str]:
        """RETURNS (list[str]): The first few problems of each row, as text."""
        return [str(problem) for few in self.examples.values() for problem in few]

    def __str__(self) -> str:
        return "\n".join(
            f"{location}: {kind}: {count:,} in total, {action}"
            for kind, count, action, location in self.rows()
        )


class FileLog:
    """The part of a `ProblemLog` for one file, which its reader reports to: see
    `formats.base.Report`."""

    def __init__(self, log: ProblemLog, path: str):
        self.log = log
        self.path = path

    def __call__(self, line: int, kind: str, message: str) -> None:
        """Add a problem: see `ProblemLog.add`."""
        self.log.add(self.path, line, kind, message)

    def lose(self, reason: str, n: int = 1) -> None:
        """Count entities of the file that are not read.

        reason: Why, in a few words.
        n: Number of entities.
        """
        self.log.entities[self.path] += n
        self.log.lost[self.path, reason] += n

    def leave_out(self, reason: str, n: int = 1) -> None:
        """Count records that are left out on purpose.

        reason: Why, in a few words.
        n: Number of records.
        """
        self.log.left_out[self.path, reason] += n
