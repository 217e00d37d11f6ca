"""Checkpoints of long computations, at which the caller can cancel them.

Long computations (`explain`, the windows of a long text) call ``checkpoint()`` between
two steps. It does nothing unless the caller has set a callback:

    with at_checkpoints(cancel_if_not_needed):
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
    """Call the callback of `at_checkpoints`, if there is one.

    RAISES (Cancelled): If the callback raises it to stop the computation.
    """
    callback = _callback.get()
    if callback is not None:
        callback()


@contextmanager
def at_checkpoints(callback: Callable[[], None]) -> Iterator[None]:
    """Call a function at each checkpoint that this thread reaches in the block.

    callback: The function. It may raise `Cancelled`.
    """
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)
