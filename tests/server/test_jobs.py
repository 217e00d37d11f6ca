"""The worker thread and its queue of jobs."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from spacy_lstm_ner.exceptions import Cancelled
from spacy_lstm_ner.server.jobs import QueueFull, Worker, WorkerClosed
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


@pytest.fixture
def worker():
    worker = Worker(max_short=2, max_long=1)
    yield worker
    worker.close(5)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(20) as pool:
        yield pool


def wait_until(condition):
    for _ in range(500):
        if condition():
            return
        Event().wait(0.01)
    raise AssertionError("that did not come")


def test_results_and_errors_are_returned_and_the_thread_continues(worker):
    assert worker.do(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: 1 // 0)
    with pytest.raises(MemoryError):
        worker.do(lambda: bytes(2**62))
    # As it is, it would end the thread that waits without a word.
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        worker.do(lambda: exit(3))
    assert worker.do(lambda: 8, long=True) == 8


def test_cancelled_jobs_are_dropped_from_the_queue(worker, pool):
    gate, dropped, done = Gate(), Event(), []
    first = pool.submit(worker.do, gate)
    gate.begun.wait(5)
    second = pool.submit(
        worker.do, lambda: done.append("dropped"), cancelled=dropped.is_set
    )
    third = pool.submit(worker.do, lambda: done.append("wanted"))
    dropped.set()
    with pytest.raises(Cancelled):
        second.result(5)
    gate.out.set()
    first.result(5)
    third.result(5)
    assert done == ["wanted"]


def test_cancelled_jobs_stop_at_the_next_checkpoint(worker, pool):
    gate, dropped = Gate(), Event()
    first = pool.submit(worker.do, gate, cancelled=dropped.is_set)
    gate.begun.wait(5)
    dropped.set()
    with pytest.raises(Cancelled):
        first.result(5)
    assert worker.do(lambda: "next") == "next"
    parts = gate.parts
    assert worker.do(lambda: gate.parts) == parts


def test_queue_is_bounded_for_each_kind(worker, pool):
    gate = Gate()
    first = pool.submit(worker.do, gate)
    gate.begun.wait(5)
    waiting = [pool.submit(worker.do, str, long=k == 0) for k in range(3)]
    wait_until(lambda: sum(map(len, worker._waiting.values())) == 3)
    for long in (False, True):
        with pytest.raises(QueueFull):
            worker.do(str, long=long)
    gate.out.set()
    assert [job.result(5) for job in (first, *waiting)] == ["out", "", "", ""]


def test_short_jobs_run_at_the_checkpoints_of_a_long_one(worker, pool):
    gate = Gate()
    long = pool.submit(worker.do, gate, long=True)
    gate.begun.wait(5)
    assert worker.do(lambda: "short") == "short"
    # Also where they fail, or nobody waits for them.
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: 1 // 0)
    with pytest.raises(Cancelled):
        worker.do(Gate(), cancelled=lambda: True)
    assert not long.done()
    gate.out.set()
    assert long.result(5) == "out"


def test_long_jobs_do_not_starve():
    worker = Worker(max_short=40)
    gate, order = Gate(), []
    with ThreadPoolExecutor(50) as pool:
        pool.submit(worker.do, gate)
        gate.begun.wait(5)
        pool.submit(worker.do, lambda: order.append("long"), long=True)
        wait_until(lambda: worker._waiting[True])
        for k in range(40):
            pool.submit(worker.do, lambda: order.append("short"))
            wait_until(lambda k=k: len(worker._waiting[False]) == k + 1)
        gate.out.set()
    assert order.count("short") == 40
    assert 1 <= order.index("long") < 39
    worker.close(5)


def test_closing_fails_all_waiting_jobs(pool):
    worker, gate, stuck = Worker(), Gate(), Event()
    jobs = [pool.submit(worker.do, gate)]
    gate.begun.wait(5)
    jobs += [pool.submit(worker.do, str) for _ in range(3)]
    wait_until(lambda: len(worker._waiting[False]) == 3)
    assert worker.close(5)
    for job in jobs:
        with pytest.raises(WorkerClosed):
            job.result(5)
    with pytest.raises(WorkerClosed):
        worker.do(str)
    # What comes to no checkpoint is not waited for.
    worker = Worker()
    begun = Event()
    job = pool.submit(worker.do, lambda: begun.set() or stuck.wait())
    begun.wait(5)
    assert not worker.close(0.01)
    with pytest.raises(WorkerClosed):
        job.result(5)
    stuck.set()
    assert worker.close(5)


def test_results_are_not_kept(worker):
    class Large:
        pass

    kept = weakref.ref(worker.do(Large))
    gc.collect()
    wait_until(lambda: kept() is None)


def test_callbacks_are_per_thread():
    called = []
    with at_checkpoints(lambda: called.append(1)):
        checkpoint()
        thread = Thread(target=checkpoint)
        thread.start()
        thread.join()
    checkpoint()
    assert called == [1]
