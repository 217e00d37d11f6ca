"""Checkpoints of long computations, at which whoever runs them may cancel them.

Between two parts of what may take long (`explain`, windows of a long text) stands
``checkpoint()``. It does nothing, unless the caller has said what should happen there:

    with at_checkpoints(stop_if_nobody_waits):
        explain(nlp, text)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancelled(BaseException):
    """Raised at a checkpoint if the result of a computation is no longer needed. Like
    `asyncio.CancelledError` it extends `BaseException`, so that code which handles
    errors and continues does not continue after it."""


_callback: ContextVar[Callable[[], None] | None] = ContextVar("callback", default=None)


def checkpoint() -> None:
    """Do what the caller wants done between two parts of a computation.

    RAISES (Cancelled): Where the caller does so, to end the computation.
    """
    callback = _callback.get()
    if callback is not None:
        callback()


@contextmanager
def at_checkpoints(callback: Callable[[], None]) -> Iterator[None]:
    """Call a function at each checkpoint that this thread comes to.

    callback (Callable[[], None]): The function, which may raise `Cancelled`.
    """
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)
