"""Functions that the tables share."""

from collections.abc import Sequence
from typing import Literal

from wasabi import table

#: The machine on which the results were measured, for the heading of each table.
machine = ""


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1
) -> None:
    """Print a table with a title. The first `left` columns are left-aligned."""
    aligns: list[Literal["l", "r"]] = ["r"] * len(header)
    aligns[:left] = ["l"] * left
    print(f"\n{title}")
    if machine:
        print(machine)
    print(table(rows, header=header, aligns=aligns, divider=True))


def plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
