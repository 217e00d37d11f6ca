"""How far it is, of what may take long: a bar in a terminal, and elsewhere, where a bar
would fill a log with its copies, a plain line now and then."""

import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Protocol, TypeVar

from tqdm import tqdm

ItemT = TypeVar("ItemT")

# A bar comes up after so many seconds. What takes less shows nothing.
_BAR_AFTER = 2
# The first line comes after so many seconds; from one to the next it is twice as long
# as before, up to the last of these.
_FIRST_LINE, _LONGEST_BETWEEN = 5.0, 60.0


class Counter(Protocol):
    """Counts what is done."""

    def update(self, n: int) -> object:
        """n (int): So many more are done."""


def with_progress(
    items: Iterable[ItemT], shown: bool, what: str, *, total: int | None = None
) -> Iterable[ItemT]:
    """Count items, and show how far it is, while they are taken: see
    `progress_counter`.

    items (Iterable[ItemT]): The items.
    shown (bool): Show it.
    what (str): What is going on.
    total (int | None): How many items there are, where they do not know it.
    RETURNS (Iterable[ItemT]): The items.
    """
    if not shown:
        return items
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    return _counted(items, progress_counter(what, total))


def _counted(
    items: Iterable[ItemT], counting: AbstractContextManager[Counter]
) -> Iterator[ItemT]:
    with counting as counter:
        for item in items:
            yield item
            counter.update(1)


def progress_counter(
    what: str, total: int | None, *, shown: bool = True, in_bytes: bool = False
) -> AbstractContextManager[Counter]:
    """Show how far it is on stderr: in a terminal a bar, if it takes two seconds or
    more; elsewhere a line after 5 seconds, and further ones at intervals that grow to a
    minute.

    what (str): What is going on.
    total (int | None): How many there are to do, if that is known.
    shown (bool): Show it. Otherwise nothing is shown.
    in_bytes (bool): It is bytes that are counted.
    RETURNS (AbstractContextManager[Counter]): Gives what is to be told of each step.
    """
    if not shown:
        return nullcontext(_Silent())
    # As tqdm does: what is no file is no terminal.
    if getattr(sys.stderr, "isatty", lambda: False)():
        return tqdm(
            desc=what,
            total=total,
            unit="B" if in_bytes else "",
            unit_scale=in_bytes,
            leave=False,
            delay=_BAR_AFTER,
        )
    return _lines(what, total, in_bytes)


class _Silent:
    def update(self, n: int) -> None:
        pass


@contextmanager
def _lines(what: str, total: int | None, in_bytes: bool) -> Iterator[Counter]:
    yield _Lines(what, total, in_bytes)


class _Lines:
    """Tells now and then, in a line, how far it is."""

    def __init__(self, what: str, total: int | None, in_bytes: bool):
        self._what, self._total = what, total
        self._size, self._unit = (1e6, " MB") if in_bytes else (1.0, "")
        self._done = 0
        self._start = monotonic()
        self._between = _FIRST_LINE
        self._next = self._start + self._between

    def update(self, n: int) -> None:
        self._done += n
        now = monotonic()
        if now >= self._next:
            tell(self._line(now - self._start))
            self._between = min(2 * self._between, _LONGEST_BETWEEN)
            self._next = now + self._between

    def _line(self, seconds: float) -> str:
        done, rate = self._done, self._done / seconds
        parts = [f"{self._amount(done)}{self._unit}"]
        if self._total:
            share = f"({done / self._total:.0%})"
            parts = [f"{self._amount(done)} of {self._amount(self._total)}"]
            parts[0] += f"{self._unit} {share}"
        parts.append(f"{self._amount(rate, rate=True)}{self._unit} a second")
        if self._total and done:
            left = max(self._total - done, 0) / rate
            parts.append(f"about {duration(left)} left")
        else:
            parts.append(f"{duration(seconds)} so far")
        return f"{self._what}: {', '.join(parts)}"

    def _amount(self, n: float, *, rate: bool = False) -> str:
        n = n / self._size
        digits = 1 if self._unit or (rate and n < 10) else 0
        return f"{n:,.{digits}f}"


def tell(line: str) -> None:
    """Print a line to stderr, beside any bar that is there."""
    if sys.stderr is not None:  # as in a program with windows
        tqdm.write(line, file=sys.stderr)
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """A time for people: "3 min 20 s", for example."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes:,} min {seconds} s" if minutes else f"{seconds} s"
