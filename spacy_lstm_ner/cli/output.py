"""What several commands print.

Messages of wasabi's `Printer` must stay ASCII: it fails on other characters if the
console uses GBK. Tables and `print` do not.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wasabi import Printer

if TYPE_CHECKING:
    from collections import Counter

    from ..data.problems import ProblemLog
    from ..data.summary import FileSummary


def print_lines(*lines: object) -> None:
    """Print messages and file names, each on its own line. Control characters in them
    are escaped."""
    from ..util.text import escaped

    for line in lines:
        print(escaped(line, keep="\n"))


def print_written(msg: Printer, *paths: object) -> None:
    """Print the files that were written."""
    msg.good("Written:")
    print_lines(*paths)


def print_problems(msg: Printer, problems: "ProblemLog") -> None:
    """Print the number of problems of each kind, and the first few of each."""
    if not problems.counts:
        return
    msg.warn("Problems in the input:")
    header = ("Problem", "Count", "Handling", "First at")
    aligns = ("l", "r", "l", "l")
    rows = [(kind, f"{n:,}", action, at) for kind, n, action, at in problems.rows()]
    msg.table(rows, header=header, aligns=aligns, divider=True, max_col=200)
    print_lines(*problems.messages())


def print_summaries(msg: Printer, files: "Sequence[FileSummary]", title: str) -> None:
    """Print the number of records, characters and entities in each file, as a table.

    msg: The printer.
    files: The files, a column each.
    title: Heading of the first column.
    """
    from ..tags.nesting import FLAT, NESTED, OVERLAPPING
    from ..util.text import printable

    rows = [
        ("records", [file.records for file in files]),
        ("characters", [file.characters for file in files]),
        *_entity_rows("entities", [file.entities for file in files]),
    ]
    if any(file.has_overlaps for file in files):
        rows += _entity_rows("all, in the span group", [file.grouped for file in files])
        rows += [
            (f"{kind} ones", [file.kinds[kind] for file in files])
            for kind in (FLAT, NESTED, OVERLAPPING)
        ]
    msg.table(
        [(name, *(f"{n:,}" for n in numbers)) for name, numbers in rows],
        header=(title, *(printable(file.path.name) for file in files)),
        aligns=("l", *("r" for _ in files)),
        divider=True,
    )


def _entity_rows(
    name: str, counts: "list[Counter[str]]"
) -> list[tuple[str, list[int]]]:
    """The number of entities in each file, and that of each label."""
    from ..util.text import printable

    labels = sorted({label for one in counts for label in one})
    return [
        (name, [one.total() for one in counts]),
        *(
            (f"- {printable(label)}", [one[label] for one in counts])
            for label in labels
        ),
    ]
