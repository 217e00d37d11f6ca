"""Jobs in a queue, and computations that can be cancelled."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from spacy_lstm_ner.cancellation import Cancelled, at_checkpoints, checkpoint
from spacy_lstm_ner.inspect import explain
from spacy_lstm_ner.jobs import QueueFull, Worker, WorkerClosed

from .conftest import loaded_again

TEXT = "王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。"


@pytest.fixture
def worker():
    made = Worker(most_short=3, most_long=3)
    yield made
    assert made.close(10)


@pytest.fixture
def busy(worker):
    """The worker has begun a long job, which comes to its checkpoint once this is
    set."""
    begun, go_on = threading.Event(), threading.Event()

    def wait():
        begun.set()
        go_on.wait(30)
        checkpoint()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(worker.do, wait, long=True)
        assert begun.wait(10)
        yield go_on
        go_on.set()


def test_results_and_errors_come_back(worker):
    assert worker.do(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        worker.do(lambda: 1 // 0)
    with pytest.raises(SystemExit):
        worker.do(lambda: exit(1))
    assert worker.do(threading.get_ident) == worker.do(threading.get_ident)
    assert worker.do(threading.get_ident) != threading.get_ident()


def test_each_queue_has_a_bound(worker, busy):
    done = []
    with ThreadPoolExecutor(6) as pool:
        jobs = [
            pool.submit(worker.do, lambda long=long: done.append(long), long=long)
            for long in (True, False) * 3
        ]
        while sum(map(len, worker._waiting.values())) < 6:
            pass
        for long in (True, False):
            with pytest.raises(QueueFull):
                worker.do(lambda: done.append("never"), long=long)
        busy.set()
        for job in jobs:
            job.result(10)
    assert sorted(done) == [False] * 3 + [True] * 3
    # Between the parts of the first long one, and before the next one.
    assert done[:3] == [False] * 3


def test_a_job_that_waits_is_dropped(worker, busy):
    done = []
    with pytest.raises(Cancelled):
        worker.do(lambda: done.append(1), cancelled=lambda: True)
    busy.set()
    worker.do(lambda: done.append(2), long=True)
    assert done == [2]


def test_a_job_that_has_begun_ends_at_its_checkpoint(worker):
    parts, gone, dropped = [], threading.Event(), threading.Event()

    def job():
        for part in range(10):
            checkpoint()
            parts.append(part)
            gone.set()
            dropped.wait(10)

    with pytest.raises(Cancelled):
        worker.do(job, long=True, cancelled=gone.is_set)
    dropped.set()
    assert worker.do(lambda: 1) == 1
    assert parts == [0]


def test_long_jobs_do_not_starve(worker):
    """While short ones never end to come, a long one is begun, and goes on."""
    stop = threading.Event()

    def short_ones():
        while not stop.is_set():
            worker.do(lambda: None)

    def long_one():
        for _ in range(20):
            checkpoint()
        return "done"

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(short_ones)
        try:
            assert worker.do(long_one, long=True) == "done"
        finally:
            stop.set()


def test_all_are_told_when_it_is_closed(busy, worker):
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(worker.do, int, long=long) for long in (True, False)]
        while sum(map(len, worker._waiting.values())) < 2:
            pass
        assert not worker.close(0.01)
        for job in jobs:
            with pytest.raises(WorkerClosed):
                job.result(10)
    busy.set()
    assert worker.close(10)
    with pytest.raises(WorkerClosed):
        worker.do(int)


# Checkpoints


def cancelled_at(number, function):
    """Cancel a computation at its n-th checkpoint."""
    calls = []

    def cancel():
        calls.append(1)
        if len(calls) == number:
            raise Cancelled

    with pytest.raises(Cancelled), at_checkpoints(cancel):
        function()
    return calls


def test_reasons_can_be_cancelled(trained):
    seen = []
    nlp = loaded_again(trained)
    make_doc = nlp.make_doc
    nlp.make_doc = lambda text: seen.append(text) or make_doc(text)
    cancelled_at(2, lambda: explain(nlp, TEXT * 3))
    assert 0 < len(seen) < 3 * len(TEXT * 3)
    # As if nothing had been.
    assert explain(nlp, TEXT).analyses == explain(trained, TEXT).analyses


def test_windows_of_a_long_text_can_be_cancelled(trained):
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").window = 64
    text = TEXT * 2_000
    cancelled_at(1, lambda: nlp(text))
    cancelled_at(2, lambda: nlp(text))
    cancelled_at(2, lambda: list(nlp.pipe([text] * 2)))
    assert nlp(TEXT).ents


def test_what_is_not_to_be_cancelled_has_checkpoints_that_do_nothing():
    checkpoint()
    with at_checkpoints(lambda: None):
        checkpoint()
    checkpoint()
