"""What the readers of dataset files yield, and what they report to."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..tags import Span


class Report(Protocol):
    """What readers tell about a file: `problems.FileLog` is the one implementation.

    path: The file, for errors.
    """

    path: str

    def __call__(self, line: int, kind: str, message: str) -> None:
        """Report a problem: its line, its kind (a key of `problems.ACTIONS`) and what
        is wrong."""

    def lose(self, reason: str, n: int = 1) -> None:
        """Count entities of the file that are not read, by reason."""

    def leave_out(self, reason: str, n: int = 1) -> None:
        """Count records of the file that are left out on purpose, by reason, such as
        answers that were rejected in a tool."""


class _Ignored:
    """A report of nothing."""

    path = ""

    def __call__(self, line: int, kind: str, message: str) -> None: ...

    def lose(self, reason: str, n: int = 1) -> None: ...

    def leave_out(self, reason: str, n: int = 1) -> None: ...


#: A report that is ignored, for detection.
IGNORED: Report = _Ignored()


class Record(NamedTuple):
    """A text in units (characters or words), with a tag for each unit ("" if the tag is
    missing) and the line of the file that each unit is from.

    units: The units.
    tags: The tag of each unit.
    lines: The line of each unit.
    blanks: Whether a blank follows each unit, if the file says so. None: the option
        `joiner` decides.
    """

    units: list[str]
    tags: list[str]
    lines: list[int]
    blanks: list[bool] | None = None


@dataclass(slots=True)
class AnnotatedText:
    """A text with its entities.

    text: The text.
    entities: Its entities by character offsets, with `end` exclusive; they may overlap.
    missing: Start and end of each part of the text whose annotation is missing, in
        characters.
    line: The line of the file that the record begins at, from 1.
    lines: The line of each entity. Empty: that of the record.
    can_overlap: Whether the format can express overlapping entities. The Doc then has
        all entities in a span group, too.
    incorrect: Spans by character offsets that are known not to be entities.
    """

    text: str
    entities: list[Span]
    missing: list[tuple[int, int]] = field(default_factory=list)
    line: int = 1
    lines: list[int] = field(default_factory=list)
    can_overlap: bool = False
    incorrect: list[Span] = field(default_factory=list)
