"""A worker thread with a bounded queue of jobs that can be cancelled.

Short jobs run before long ones, and also at the checkpoints of a running long one (see
`util.cancellation`). Neither kind starves: a long job gets half of the time while short
ones are waiting, and starts after a limited number of them.
"""

from collections import deque
from collections.abc import Callable
from threading import Condition, Event, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from ..exceptions import Cancelled
from ..util.cancellation import at_checkpoints

Result = TypeVar("Result")

#: Maximum number of waiting jobs of each kind.
MAX_SHORT, MAX_LONG = 64, 8
# Maximum number of short jobs that may overtake a waiting long one.
_MAX_OVERTAKING = 16
# Seconds between two checks whether the result of a job is still needed.
_POLL_SECONDS = 0.1


class QueueFull(Exception):
    """Raised if too many jobs are waiting."""


class WorkerClosed(Exception):
    """Raised if the worker accepts no more jobs."""


class Worker:
    """A thread that runs one job at a time. Jobs can be submitted from any thread. The
    thread is a daemon: the interpreter does not wait for it at exit.

    max_short: Maximum number of waiting short jobs.
    max_long: Maximum number of waiting long jobs.
    """

    def __init__(self, max_short: int = MAX_SHORT, max_long: int = MAX_LONG):
        self._max = {False: max_short, True: max_long}
        self._waiting: dict[bool, deque[_Job[Any]]] = {False: deque(), True: deque()}
        self._changed = Condition()
        self._closed = False
        self._overtaking = 0
        self._thread = Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def do(
        self,
        function: Callable[[], Result],
        *,
        long: bool = False,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Run a job, and wait for its result.

        function: The job. Its exceptions are raised here.
        long: Whether short jobs may run before it and at its checkpoints.
        cancelled: Returns whether the result is no longer needed. It is called
            repeatedly, in the calling thread.
        RETURNS: The result of the function.
        RAISES (Cancelled): If `cancelled` returned True: a waiting job is dropped, and
            a running one stops at its next checkpoint.
        RAISES (QueueFull): If too many jobs are waiting.
        RAISES (WorkerClosed): After `close`.
        """
        job = _Job(function, long)
        with self._changed:
            if self._closed:
                raise WorkerClosed
            if len(self._waiting[long]) >= self._max[long]:
                raise QueueFull
            self._waiting[long].append(job)
            self._changed.notify()
        try:
            while not job.done.wait(_POLL_SECONDS):
                if cancelled():
                    raise Cancelled
                if self._closed or not self._thread.is_alive():
                    raise WorkerClosed
        finally:
            # Also after Ctrl+C while this waits.
            self._cancel(job)
        return job.result()

    def close(self, seconds: float) -> bool:
        """Cancel all jobs, and end the thread.

        seconds: Time that the running job may take to reach its next checkpoint.
        RETURNS: Whether the thread has ended.
        """
        with self._changed:
            self._closed = True
            for jobs in self._waiting.values():
                for job in jobs:
                    job.fail(WorkerClosed())
                jobs.clear()
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _cancel(self, job: "_Job[Any]") -> None:
        job.cancelled = True
        with self._changed:
            if job in self._waiting[job.long]:
                self._waiting[job.long].remove(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not any(self._waiting.values()):
                    self._changed.wait()
                if self._closed:
                    return
                job = self._next()
            self._run(job)
            # The result is not kept until the next job arrives.
            del job

    def _next(self) -> "_Job[Any]":
        """Remove the next job from the queue, which is not empty."""
        short, long = self._waiting[False], self._waiting[True]
        if short and not (long and self._overtaking >= _MAX_OVERTAKING):
            self._overtaking += bool(long)
            return short.popleft()
        self._overtaking = 0
        return long.popleft()

    def _run(self, job: "_Job[Any]") -> None:
        started = monotonic()

        def at_checkpoint() -> None:
            nonlocal started
            if job.cancelled or self._closed:
                raise Cancelled
            if job.long:
                # Short jobs get as much time as the part before the checkpoint.
                self._run_short_jobs(monotonic() - started)
                started = monotonic()

        try:
            with at_checkpoints(at_checkpoint):
                at_checkpoint()
                job.succeed(job.function())
        except Cancelled:
            job.fail(WorkerClosed() if self._closed else Cancelled())
        # Including SystemExit and the like: the thread must continue.
        except BaseException as error:
            job.fail(error)

    def _run_short_jobs(self, seconds: float) -> None:
        end = monotonic() + seconds
        while not self._closed:
            with self._changed:
                if not self._waiting[False]:
                    return
                job = self._waiting[False].popleft()
            self._run(job)
            if monotonic() >= end:
                return


class _Job(Generic[Result]):
    """A function to be called, and its result."""

    def __init__(self, function: Callable[[], Result], long: bool):
        self.function = function
        self.long = long
        self.cancelled = False
        self.done = Event()
        self._result: list[Result] = []
        self._error: BaseException | None = None

    def succeed(self, result: Result) -> None:
        self._result.append(result)
        self.done.set()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self.done.set()

    def result(self) -> Result:
        error, self._error = self._error, None
        if error is None:
            return self._result.pop()
        try:
            if isinstance(error, Exception | Cancelled):
                raise error
            # Raised unchanged, it would end the waiting thread.
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        finally:
            # The traceback of the error refers to this frame: avoid a cycle.
            del error
