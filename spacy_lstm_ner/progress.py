"""Progress bars for what may take long."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

ItemT = TypeVar("ItemT")


def with_progress(
    items: Iterable[ItemT], shown: bool, what: str, *, total: int | None = None
) -> Iterable[ItemT]:
    """Count items on a progress bar while they are taken.

    items (Iterable[ItemT]): The items.
    shown (bool): Show the bar, on a terminal, if it takes two seconds or more.
    what (str): What is going on.
    total (int | None): How many items there are, where they do not know it.
    RETURNS (Iterable[ItemT]): The items.
    """
    # None: only on a terminal.
    disable = None if shown else True
    return tqdm(
        items, desc=what, total=total, unit="", leave=False, delay=2, disable=disable
    )
