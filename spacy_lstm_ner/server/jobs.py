"""A worker thread with a bounded queue of jobs, for an event loop.

Short jobs that wait at the same time are processed together. They run before long ones,
and also at the checkpoints of a running long one (see `util.cancellation`). Neither
kind starves: a long job gets half of the time while short ones are waiting, and starts
after a limited number of them.

The thread never waits for more jobs to come. But the next ones start only after the
event loop has delivered the results of the last ones, and has read what clients have
sent meanwhile: both threads need Python's global lock, and clients that send one
request after the other are processed together again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

from ..exceptions import Cancelled
from ..util.cancellation import at_checkpoints

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")

# Maximum number of batches of short jobs that may overtake a waiting long one.
_MAX_OVERTAKING = 4


class QueueFull(Exception):
    """Raised if too many jobs are waiting."""


class WorkerClosed(Exception):
    """Raised if the worker accepts no more jobs."""


class Job(Generic[Result]):
    """A function to be called in the thread of a worker.

    function: The function.
    long: Whether short jobs may run before it and at its checkpoints.
    items: What is processed together with the items of other jobs. None: the job runs
        alone.
    size: The size of the items.
    """

    def __init__(
        self,
        function: Callable[[], Result],
        *,
        long: bool = False,
        items: Sequence[Any] | None = None,
        size: int = 0,
    ):
        self.function = function
        self.long = long
        self.items = items
        self.size = size
        self.cancelled = False
        #: Its result; it belongs to the event loop that creates the job.
        self.future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()


class Worker(Generic[Item, Answer]):
    """A thread that runs one job at a time, or several short ones together. It is a
    daemon: the interpreter does not wait for it at exit.

    process: Processes the items of several jobs, and returns a result for each item.
    on_error: Returns the exception that is raised for a job that failed with another
        one. It is called while that one is handled.
    batch_size: Maximum size of jobs that are processed together.
    max_short: Maximum number of waiting short jobs.
    max_long: Maximum number of waiting long jobs.
    on_batch: Called with the number of jobs that are processed together.
    """

    def __init__(
        self,
        process: Callable[[list[Item]], list[Answer]],
        *,
        on_error: Callable[[BaseException], Exception],
        batch_size: int,
        max_short: int,
        max_long: int,
        on_batch: Callable[[int], None] = lambda n_jobs: None,
    ):
        self._process = process
        self._on_error = on_error
        self._on_batch = on_batch
        self._batch_size = batch_size
        self._max = {False: max_short, True: max_long}
        self._waiting: dict[bool, deque[Job[Any]]] = {False: deque(), True: deque()}
        #: Also the short ones at a checkpoint of a long one.
        self._running: list[Job[Any]] = []
        self._delivering = 0
        self._overtaking = 0
        self._changed = Condition()
        self._draining = False
        self._closed = False
        self._thread: Thread | None = None

    def start(self, prepare: Callable[[], None]) -> None:
        """Start the thread, and wait for a function that it calls first.

        prepare: The function. If it raises an exception, it is raised here, and the
            thread ends.
        """
        prepared: Future[None] = Future()

        def work() -> None:
            try:
                prepare()
            except BaseException as error:
                prepared.set_exception(error)
            else:
                prepared.set_result(None)
                self._work()

        self._thread = Thread(target=work, name="pipeline", daemon=True)
        self._thread.start()
        prepared.result()

    def submit(self, job: Job[Any]) -> None:
        """Put a job into the queue.

        RAISES (QueueFull): If too many jobs are waiting.
        RAISES (WorkerClosed): After `drain` or `close`.
        """
        with self._changed:
            if self._draining or not self._is_alive():
                raise WorkerClosed
            if len(self._waiting[job.long]) >= self._max[job.long]:
                raise QueueFull
            self._waiting[job.long].append(job)
            self._changed.notify_all()

    def cancel(self, job: Job[Any]) -> None:
        """Drop a job: its result is no longer needed. If it is running, it stops at its
        next checkpoint. To be called in the event loop."""
        job.cancelled = True
        job.future.cancel()
        with self._changed:
            if job in self._waiting[job.long]:
                self._waiting[job.long].remove(job)
                self._changed.notify_all()

    def n_waiting(self, *, long: bool) -> int:
        """The number of waiting jobs of a kind."""
        return len(self._waiting[long])

    @property
    def is_ready(self) -> bool:
        """Whether a short job would be accepted."""
        is_full = self.n_waiting(long=False) >= self._max[False]
        return self._is_alive() and not (self._draining or is_full)

    def drain(self, seconds: float) -> bool:
        """Accept no more jobs, and wait for those that were accepted.

        seconds: How long to wait at most.
        RETURNS: Whether all of them are done.
        """
        with self._changed:
            self._draining = True
            return self._changed.wait_for(self._is_idle, seconds)

    def close(self, seconds: float) -> bool:
        """Cancel all jobs, and end the thread.

        seconds: Time that the running job may take to reach its next checkpoint.
        RETURNS: Whether the thread has ended.
        """
        with self._changed:
            self._draining = self._closed = True
            dropped = [*self._running, *self._waiting[False], *self._waiting[True]]
            for jobs in self._waiting.values():
                jobs.clear()
            self._changed.notify_all()
        self._deliver([(job, None, WorkerClosed()) for job in dropped])
        if self._thread is not None:
            self._thread.join(seconds)
        return not self._is_alive()

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    # In the thread

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._can_go_on)
                if self._closed:
                    return
                jobs = self._next()
            self._run(jobs)
            # They are not kept until the next ones arrive.
            del jobs

    def _can_go_on(self) -> bool:
        return self._closed or (not self._delivering and any(self._waiting.values()))

    def _is_idle(self) -> bool:
        return not (self._running or self._delivering or any(self._waiting.values()))

    def _next(self) -> list[Job[Any]]:
        """Remove the next jobs from the queue, which is not empty."""
        short, long = self._waiting[False], self._waiting[True]
        if short and not (long and self._overtaking >= _MAX_OVERTAKING):
            self._overtaking += bool(long)
            return self._next_batch()
        self._overtaking = 0
        self._running.append(long[0])
        return [long.popleft()]

    def _next_batch(self) -> list[Job[Any]]:
        """Remove short jobs from the queue that can be processed together."""
        short = self._waiting[False]
        jobs = [short.popleft()]
        size = jobs[0].size
        while (
            short
            and jobs[0].items is not None
            and short[0].items is not None
            and size + short[0].size <= self._batch_size
        ):
            size += short[0].size
            jobs.append(short.popleft())
        self._running += jobs
        return jobs

    def _run(self, jobs: list[Job[Any]]) -> None:
        outcomes = self._outcomes(jobs)
        with self._changed:
            for job in jobs:
                self._running.remove(job)
            # In the same step: in between, the worker would look idle.
            self._delivering += 1
        self._deliver(outcomes, counted=True)

    def _outcomes(self, jobs: list[Job[Any]]) -> list["Outcome"]:
        if len(jobs) > 1:
            try:
                return self._together(jobs)
            except Cancelled:
                return [(job, None, Cancelled()) for job in jobs]
            # One of them fails, and must not fail the others.
            except BaseException:
                pass
        else:
            self._on_batch(1)
        return [self._alone(job) for job in jobs]

    def _together(self, jobs: list[Job[Any]]) -> list["Outcome"]:
        """Process the items of several jobs together."""
        self._on_batch(len(jobs))

        def at_checkpoint() -> None:
            if self._closed or all(job.cancelled for job in jobs):
                raise Cancelled

        with at_checkpoints(at_checkpoint):
            answers = self._process([item for job in jobs for item in job.items or ()])
        outcomes: list[Outcome] = []
        begin = 0
        for job in jobs:
            end = begin + len(job.items or ())
            outcomes.append((job, answers[begin:end], None))
            begin = end
        return outcomes

    def _alone(self, job: Job[Any]) -> "Outcome":
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
                return job, job.function(), None
        except Cancelled:
            return job, None, WorkerClosed() if self._closed else Cancelled()
        # Including SystemExit and the like: the thread must continue.
        except BaseException as error:
            return job, None, self._on_error(error)

    def _run_short_jobs(self, seconds: float) -> None:
        end = monotonic() + seconds
        while not self._closed:
            with self._changed:
                if not self._waiting[False]:
                    return
                jobs = self._next_batch()
            self._run(jobs)
            if monotonic() >= end:
                return

    # Results

    def _deliver(self, outcomes: list["Outcome"], *, counted: bool = False) -> None:
        """Have the event loop set the results of jobs."""
        if not outcomes:
            return
        loop = outcomes[0][0].future.get_loop()

        def deliver() -> None:
            for job, result, error in outcomes:
                if job.future.done():
                    continue
                if error is None:
                    job.future.set_result(result)
                else:
                    job.future.set_exception(error)
            if counted:
                # The loop wakes those who wait for the results in its next step, and
                # reads what clients have sent in the one after it.
                loop.call_soon(loop.call_soon, self._delivered)

        try:
            loop.call_soon_threadsafe(deliver)
        except RuntimeError:  # the loop has ended
            if counted:
                self._delivered()

    def _delivered(self) -> None:
        with self._changed:
            self._delivering -= 1
            self._changed.notify_all()


#: A job with its result, or the exception that is raised instead.
Outcome = tuple[Job[Any], Any, BaseException | None]
