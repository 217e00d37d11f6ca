"""Progress of long computations on stderr: a progress bar in a terminal, and otherwise,
for example in log files, an occasional line."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Any, Protocol, TypeVar, cast

from tqdm import tqdm

ItemT = TypeVar("ItemT")

# Seconds after which the bar appears.
_BAR_DELAY = 2
# Seconds after which the first line is printed. The interval doubles from line to line,
# up to the maximum.
_FIRST_LINE, _MAX_INTERVAL = 5.0, 60.0


class Counter(Protocol):
    """Counts the steps that are done."""

    def update(self, n: int) -> object:
        """Add to the count.

        n: Number of steps done since the last call.
        """

    def restart(self) -> None:
        """Measure the speed from now on: what was done so far took no time."""


def with_progress(
    items: Iterable[ItemT], shown: bool, title: str, *, total: int | None = None
) -> Iterable[ItemT]:
    """Show progress while items are iterated over: see `progress_counter`.

    items: The items.
    shown: Whether to show it.
    title: What is being done.
    total: Number of items, if they have no length.
    RETURNS: The items.
    """
    if not shown:
        return items
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    return _counted(items, progress_counter(title, total))


def _counted(
    items: Iterable[ItemT], counting: AbstractContextManager[Counter]
) -> Iterator[ItemT]:
    with counting as counter:
        for item in items:
            yield item
            counter.update(1)


def progress_counter(
    title: str,
    total: int | None,
    *,
    shown: bool = True,
    in_bytes: bool = False,
    rate: Callable[[float], str] | None = None,
) -> AbstractContextManager[Counter]:
    """Show progress on stderr: in a terminal a bar, after 2 seconds; otherwise a line
    after 5 seconds, and further ones at intervals that grow to a minute.

    title: What is being done.
    total: Total number of steps, if it is known.
    shown: Whether to show it.
    in_bytes: Whether the steps are bytes.
    rate: Returns the speed as text, given the number of seconds. None: that of the
        steps.
    RETURNS: A context manager that returns the counter to update.
    """
    if not shown:
        return nullcontext(_Silent())
    # stderr may be None, or an object without this method.
    if getattr(sys.stderr, "isatty", lambda: False)():
        return _Bar(
            rate,
            desc=title,
            total=total,
            unit="B" if in_bytes else "",
            unit_scale=in_bytes,
            leave=False,
            delay=_BAR_DELAY,
        )
    return _lines(title, total, in_bytes, rate)


class _Silent:
    def update(self, n: int) -> None:
        pass

    def restart(self) -> None:
        pass


class _Bar(tqdm):  # type: ignore[misc]
    """A progress bar."""

    def __init__(self, rate: Callable[[float], str] | None, **options: Any):
        self._rate = rate
        self._started = monotonic()
        super().__init__(**options)

    def update(self, n: float | None = 1) -> bool | None:
        if self._rate is not None:
            seconds = monotonic() - self._started
            self.set_postfix_str(self._rate(seconds), refresh=False)
        return cast("bool | None", super().update(n))

    def restart(self) -> None:
        self.initial = self.n
        self.start_t = self._time()
        self._started = monotonic()


@contextmanager
def _lines(
    title: str, total: int | None, in_bytes: bool, rate: Callable[[float], str] | None
) -> Iterator[Counter]:
    yield _Lines(title, total, in_bytes, rate)


class _Lines:
    """Prints progress occasionally, as a line."""

    def __init__(
        self,
        title: str,
        total: int | None,
        in_bytes: bool,
        rate: Callable[[float], str] | None,
    ):
        self._title, self._total, self._rate = title, total, rate
        self._size, self._unit = (1e6, " MB") if in_bytes else (1.0, "")
        self._done = self._initial = 0
        self._start = monotonic()
        self._interval = _FIRST_LINE
        self._next = self._start + self._interval

    def update(self, n: int) -> None:
        self._done += n
        now = monotonic()
        if now >= self._next:
            print_line(self._line(now - self._start))
            self._interval = min(2 * self._interval, _MAX_INTERVAL)
            self._next = now + self._interval

    def restart(self) -> None:
        self._initial = self._done
        self._start = monotonic()

    def _line(self, seconds: float) -> str:
        done, rate = self._done, (self._done - self._initial) / seconds
        parts = [f"{self._amount(done)}{self._unit}"]
        if self._total:
            share = f"({done / self._total:.0%})"
            parts = [f"{self._amount(done)} of {self._amount(self._total)}"]
            parts[0] += f"{self._unit} {share}"
        if self._rate is not None:
            parts.append(self._rate(seconds))
        else:
            parts.append(f"{self._amount(rate, rate=True)}{self._unit} a second")
        if self._total and rate:
            left = max(self._total - done, 0) / rate
            parts.append(f"about {duration(left)} left")
        else:
            parts.append(f"{duration(seconds)} so far")
        return f"{self._title}: {', '.join(parts)}"

    def _amount(self, n: float, *, rate: bool = False) -> str:
        n = n / self._size
        digits = 1 if self._unit or (rate and n < 10) else 0
        return f"{n:,.{digits}f}"


def print_line(line: str) -> None:
    """Print a line to stderr without breaking a progress bar."""
    if sys.stderr is not None:  # it is None in a program without a console
        tqdm.write(line, file=sys.stderr)
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Format a duration, for example as "3 min 20 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes:,} min {seconds} s" if minutes else f"{seconds} s"
