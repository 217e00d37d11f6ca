"""The worker thread and its queue of jobs."""

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from spacy_lstm_ner.exceptions import Cancelled
from spacy_lstm_ner.server.jobs import Job, QueueFull, Worker, WorkerClosed
from spacy_lstm_ner.util.cancellation import at_checkpoints, checkpoint


class Gate:
    """A job that runs from checkpoint to checkpoint until it is released."""

    def __init__(self):
        self.begun, self.out, self.parts = Event(), Event(), 0

    def __call__(self):
        self.begun.set()
        while not self.out.wait(0.01):
            self.parts += 1
            checkpoint()
        return "out"


class Numbers:
    """A worker that doubles numbers, and records which ones it got together."""

    def __init__(self, **settings):
        self.together = []
        settings = {"batch_size": 10, "max_short": 4, "max_long": 1, **settings}
        self.worker = Worker(self.double, on_error=as_error, **settings)
        self.worker.start(lambda: None)

    def double(self, numbers):
        self.together.append(numbers)
        return [2 // number * number for number in numbers]

    def submit(self, *numbers, size=1):
        job = Job(lambda: self.double([*numbers]), items=numbers, size=size)
        self.worker.submit(job)
        return job


def as_error(error):
    if isinstance(error, Exception):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")


@pytest.fixture
def numbers():
    numbers = Numbers()
    yield numbers
    numbers.worker.close(5)


async def until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("that did not come")


async def submitted(worker, function, **options):
    job = Job(function, **options)
    worker.submit(job)
    return await job.future


def run_in_thread(coroutine):
    """Run a coroutine in a thread of its own: the browser of other tests leaves an
    event loop running in this one."""

    async def run():
        return await coroutine

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


def held(test):
    """Run a test as a coroutine, with a job that occupies the worker at first."""

    def run(numbers):
        async def main():
            gate = Gate()
            first = Job(gate)
            numbers.worker.submit(first)
            await until(gate.begun.is_set)
            await test(numbers, first, gate)

        run_in_thread(asyncio.wait_for(main(), 20))

    run.__name__ = test.__name__
    return run


def test_results_and_errors_are_returned_and_the_thread_continues(numbers):
    async def main():
        worker = numbers.worker
        assert await submitted(worker, lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await submitted(worker, lambda: 1 // 0)
        # As it is, it would end the thread that waits without a word.
        with pytest.raises(RuntimeError, match="SystemExit: 3"):
            await submitted(worker, lambda: exit(3))
        assert await submitted(worker, lambda: 8, long=True) == 8
        assert await numbers.submit(1, 2).future == [2, 2]

    run_in_thread(main())


@held
async def test_jobs_that_wait_are_processed_together(numbers, first, gate):
    jobs = [numbers.submit(1), numbers.submit(2, 1), numbers.submit()]
    gate.out.set()
    assert [await job.future for job in jobs] == [[2], [2, 2], []]
    assert numbers.together == [[1, 2, 1]]


@held
async def test_batches_have_a_maximum_size(numbers, first, gate):
    jobs = [numbers.submit(1, size=size) for size in (6, 4, 9, 3)]
    gate.out.set()
    assert [await job.future for job in jobs] == [[2]] * 4
    assert numbers.together == [[1, 1], [1], [1]]


@held
async def test_a_job_that_fails_does_not_fail_those_beside_it(numbers, first, gate):
    jobs = [numbers.submit(1), numbers.submit(0), numbers.submit(2)]
    gate.out.set()
    outcomes = await asyncio.gather(
        *(job.future for job in jobs), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [list, ZeroDivisionError, list]
    assert numbers.together == [[1, 0, 2], [1], [0], [2]]


@held
async def test_cancelled_jobs_are_dropped_from_the_queue(numbers, first, gate):
    dropped, wanted = numbers.submit(1), numbers.submit(2)
    numbers.worker.cancel(dropped)
    assert numbers.worker.n_waiting(long=False) == 1
    gate.out.set()
    assert await wanted.future == [2]
    assert numbers.together == [[2]]


@held
async def test_cancelled_jobs_stop_at_the_next_checkpoint(numbers, first, gate):
    numbers.worker.cancel(first)
    assert await numbers.submit(1).future == [2]
    parts = gate.parts
    await asyncio.sleep(0.1)
    assert gate.parts == parts


@held
async def test_queue_is_bounded_for_each_kind(numbers, first, gate):
    jobs = [numbers.submit(1) for _ in range(4)]
    assert not numbers.worker.is_ready
    with pytest.raises(QueueFull):
        numbers.submit(1)
    long = Job(lambda: "long", long=True)
    numbers.worker.submit(long)
    with pytest.raises(QueueFull):
        numbers.worker.submit(Job(str, long=True))
    gate.out.set()
    assert [await job.future for job in (first, *jobs, long)] == [
        "out",
        *[[2]] * 4,
        "long",
    ]
    assert numbers.worker.is_ready


def test_short_jobs_run_at_the_checkpoints_of_a_long_one(numbers):
    async def main():
        worker, gate = numbers.worker, Gate()
        long = Job(gate, long=True)
        worker.submit(long)
        await until(gate.begun.is_set)
        assert await numbers.submit(1).future == [2]
        # Also where they fail, or nobody waits for them.
        with pytest.raises(ZeroDivisionError):
            await submitted(worker, lambda: 1 // 0)
        unwanted = Job(Gate())
        worker.submit(unwanted)
        worker.cancel(unwanted)
        assert await submitted(worker, lambda: "short") == "short"
        assert not long.future.done()
        gate.out.set()
        assert await long.future == "out"

    run_in_thread(main())


def test_long_jobs_do_not_starve():
    numbers = Numbers(batch_size=1, max_short=40)

    async def main():
        worker, gate, order = numbers.worker, Gate(), []
        worker.submit(Job(gate))
        await until(gate.begun.is_set)
        long = Job(lambda: order.append("long"), long=True)
        worker.submit(long)
        jobs = [Job(lambda: order.append("short")) for _ in range(40)]
        for job in jobs:
            worker.submit(job)
        gate.out.set()
        await asyncio.gather(long.future, *(job.future for job in jobs))
        assert order.count("short") == 40
        assert 1 <= order.index("long") < 39

    run_in_thread(main())
    assert numbers.worker.close(5)


def test_clients_that_take_turns_stay_together(numbers):
    """The worker waits until the loop has read what is there, and not for more."""

    async def client():
        for _ in range(50):
            await numbers.submit(1).future

    async def main():
        await asyncio.gather(*(client() for _ in range(4)))

    run_in_thread(main())
    sizes = [len(batch) for batch in numbers.together]
    assert sum(sizes) == 200 and sizes.count(4) > 40


def test_draining_finishes_what_was_begun(numbers):
    async def main():
        gate = Gate()
        first = Job(gate)
        numbers.worker.submit(first)
        await until(gate.begun.is_set)
        second = numbers.submit(1)
        loop = asyncio.get_running_loop()
        draining = loop.run_in_executor(None, numbers.worker.drain, 10)
        await until(lambda: not numbers.worker.is_ready)
        with pytest.raises(WorkerClosed):
            numbers.submit(1)
        gate.out.set()
        assert await draining
        assert (await first.future, await second.future) == ("out", [2])

    run_in_thread(main())


@held
async def test_closing_fails_all_jobs(numbers, first, gate):
    jobs = [first, numbers.submit(1), numbers.submit(2)]
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, numbers.worker.close, 5)
    for job in jobs:
        with pytest.raises(WorkerClosed):
            await job.future
    with pytest.raises(WorkerClosed):
        numbers.submit(1)


def test_what_comes_to_no_checkpoint_is_not_waited_for(numbers):
    async def main():
        begun, stuck = Event(), Event()
        job = Job(lambda: begun.set() or stuck.wait(20))
        numbers.worker.submit(job)
        await until(begun.is_set)
        assert not numbers.worker.close(0.01)
        with pytest.raises(WorkerClosed):
            await job.future
        stuck.set()
        assert numbers.worker.close(5)

    run_in_thread(main())


def test_what_is_done_first_may_fail():
    worker = Worker(list, on_error=as_error, batch_size=1, max_short=1, max_long=1)
    with pytest.raises(ZeroDivisionError):
        worker.start(lambda: 1 // 0)
    assert worker.close(5) and not worker.is_ready


def test_results_are_not_kept(numbers):
    class Large:
        pass

    async def main():
        return weakref.ref(await submitted(numbers.worker, Large))

    kept = run_in_thread(main())
    gc.collect()
    assert kept() is None


def test_callbacks_are_per_thread():
    called = []
    with at_checkpoints(lambda: called.append(1)):
        checkpoint()
        thread = Thread(target=checkpoint)
        thread.start()
        thread.join()
    checkpoint()
    assert called == [1]


def test_cancelled_is_no_error_that_code_would_handle():
    assert not issubclass(Cancelled, Exception)
