"""One thread for all work on a pipeline: a bounded queue of jobs that can be cancelled.

Of jobs that wait, short ones are done before long ones, and also between the parts of
a long one (at its checkpoints, see cancellation.py). Neither kind starves: a long job
gets half of the time while short ones wait, and is begun after a number of them.
"""

from collections import deque
from collections.abc import Callable
from threading import Condition, Event, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from ..exceptions import Cancelled
from ..util.cancellation import at_checkpoints

Result = TypeVar("Result")

#: So many jobs may wait, of each kind.
MOST_SHORT, MOST_LONG = 64, 8
# So many short jobs may overtake the first of the long ones that wait.
_OVERTAKING = 16
# Seconds between two looks at whether anybody still waits for a job.
_POLL = 0.1


class QueueFull(Exception):
    """Too many jobs wait already."""


class WorkerClosed(Exception):
    """No more jobs are done."""


class Worker:
    """A thread that does one job after the other. Jobs may come from any thread. It is
    a daemon: the interpreter does not wait for it.

    most_short (int): So many short jobs may wait.
    most_long (int): So many long jobs may wait.
    """

    def __init__(self, most_short: int = MOST_SHORT, most_long: int = MOST_LONG):
        self._most = {False: most_short, True: most_long}
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
        """Have a job done, and wait for its result.

        function (Callable[[], Result]): The job.
        long (bool): It takes long: short ones may be done first, and between its parts.
        cancelled (Callable[[], bool]): Tells whether nobody needs the result any more.
            It is called again and again, in the thread that waits.
        RETURNS (Result): What the function returns. What it raises is raised here.
        RAISES (Cancelled): Where `cancelled` has told so: a job that waits is dropped,
            and one that has begun ends at its next checkpoint.
        RAISES (QueueFull): Where too many wait already.
        RAISES (WorkerClosed): After `close`.
        """
        job = _Job(function, long)
        with self._changed:
            if self._closed:
                raise WorkerClosed
            if len(self._waiting[long]) >= self._most[long]:
                raise QueueFull
            self._waiting[long].append(job)
            self._changed.notify()
        try:
            while not job.done.wait(_POLL):
                if cancelled():
                    raise Cancelled
                if self._closed or not self._thread.is_alive():
                    raise WorkerClosed
        finally:
            # Also where somebody presses Ctrl+C while this waits.
            self._cancel(job)
        return job.result()

    def close(self, seconds: float) -> bool:
        """Cancel all jobs, and end the thread.

        seconds (float): How long the job that has begun may take to its next
            checkpoint.
        RETURNS (bool): Whether the thread has ended.
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
            # What it returned is not kept until the next one comes.
            del job

    def _next(self) -> "_Job[Any]":
        """Take a job out of the queue, in which there is one."""
        short, long = self._waiting[False], self._waiting[True]
        if short and not (long and self._overtaking >= _OVERTAKING):
            self._overtaking += bool(long)
            return short.popleft()
        self._overtaking = 0
        return long.popleft()

    def _run(self, job: "_Job[Any]") -> None:
        begun = monotonic()

        def at_checkpoint() -> None:
            nonlocal begun
            if job.cancelled or self._closed:
                raise Cancelled
            if job.long:
                # Short ones get as much time as the part before.
                self._run_short_ones(monotonic() - begun)
                begun = monotonic()

        try:
            with at_checkpoints(at_checkpoint):
                at_checkpoint()
                job.succeed(job.function())
        except Cancelled:
            job.fail(WorkerClosed() if self._closed else Cancelled())
        # Also SystemExit and the like: the thread has to go on.
        except BaseException as error:
            job.fail(error)

    def _run_short_ones(self, seconds: float) -> None:
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
    """A function to be called, and what came of it."""

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
            # Raised as it is, it would end the thread that waits.
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        finally:
            # The error knows this frame, which should not know the error.
            del error
