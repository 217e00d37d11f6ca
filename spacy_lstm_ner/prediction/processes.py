"""Chunks are predicted in several processes, in order.

spaCy's `nlp.pipe(n_process=2)` sends whole Docs back, which takes longer than this
component takes for a short text. Here, texts are sent, and entities come back. A worker
that dies, for lack of memory or in native code, does not end the run: the chunks that
were being processed are predicted again, one by one, and a text that ends a worker
each time gets an error.
"""

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from threading import Thread

from .chunks import Chunk
from .predictor import EntityPredictor, Prediction

# Chunks that are read ahead, per process.
_AHEAD = 3
# BLAS, OpenMP and the kernels read these when they are loaded.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
#: The environment of a process that computes with one thread.
ONE_THREAD = dict.fromkeys(_THREAD_VARIABLES, "1")

Predicted = tuple[Chunk, list[Prediction]]


def predict_here(
    predictor: EntityPredictor, chunks: Iterable[Chunk]
) -> Iterator[Predicted]:
    """Predict chunks in this process.

    predictor: Predicts them.
    chunks: The chunks.
    YIELDS: Each chunk with the predictions for its records.
    """
    is_frozen = gc.get_freeze_count() > 0
    _freeze(predictor)
    try:
        for chunk in chunks:
            yield chunk, predictor.predict(chunk.texts)
    finally:
        # The process may go on with something else.
        if not is_frozen:
            gc.unfreeze()


def _freeze(predictor: EntityPredictor) -> None:
    """Load the pipeline, and exclude what is in memory then from garbage collection,
    which would look at all of the vocabulary each time."""
    predictor.nlp  # noqa: B018
    gc.collect()
    gc.freeze()


def predict_in_processes(
    predictor: EntityPredictor, chunks: Iterable[Chunk], n_process: int
) -> Iterator[Predicted]:
    """Predict chunks in several processes, each of which computes with one thread.

    predictor: Predicts them. Each process loads the pipeline.
    chunks: The chunks. A few are read ahead.
    n_process: Number of processes.
    YIELDS: Each chunk with the predictions for its records, in order.
    """
    with _Pool(predictor, n_process) as pool:
        pending: deque[tuple[Chunk, Future[list[Prediction]]]] = deque()
        rest = iter(chunks)
        while True:
            while len(pending) < _AHEAD * n_process:
                chunk = next(rest, None)
                if chunk is None:
                    break
                pending.append((chunk, pool.submit(chunk.texts)))
            if not pending:
                return
            chunk, future = pending[0]
            try:
                found = future.result()
            except BrokenProcessPool:
                # The other results are lost, too, and it is not known which text was to
                # blame.
                interrupted = [chunk for chunk, _ in pending]
                pending.clear()
                for chunk in interrupted:
                    yield chunk, pool.predict_carefully(chunk.texts)
                continue
            pending.popleft()
            yield chunk, found


class _Pool:
    """A pool of processes that is started again when one of them dies."""

    def __init__(self, predictor: EntityPredictor, n_process: int):
        self._predictor = predictor
        self._n_process = n_process
        self._executor = self._start(n_process)

    def _start(self, n_process: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            n_process,
            # A forked process would share locks of threads that it does not have.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_initialize,
            initargs=(self._predictor,),
        )

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *error: object) -> None:
        # What a worker has begun is not waited for.
        self._executor.shutdown(wait=False, cancel_futures=True)

    def submit(self, texts: list[str]) -> "Future[list[Prediction]]":
        try:
            with _environment(ONE_THREAD):
                return self._executor.submit(_predict, texts)
        except BrokenProcessPool as error:
            future: Future[list[Prediction]] = Future()
            future.set_exception(error)
            return future

    def predict_carefully(self, texts: list[str]) -> list[Prediction]:
        """Predict texts of which one may end a worker: then half of them, and so on, so
        that only this text gets an error."""
        try:
            return self._alone(texts)
        except BrokenProcessPool:
            if len(texts) == 1:
                reason = "a worker process that predicted this text died"
                return [Prediction([], f"{reason}: it may need too much memory")]
            half = len(texts) // 2
            return [
                *self.predict_carefully(texts[:half]),
                *self.predict_carefully(texts[half:]),
            ]

    def _alone(self, texts: list[str]) -> list[Prediction]:
        """Predict texts while nothing else is predicted.

        RAISES (BrokenProcessPool): If it ends the worker.
        RAISES (OSError): If workers die without any text.
        """
        try:
            self.submit([]).result()
        except BrokenProcessPool:
            self._executor.shutdown(wait=True)
            self._executor = self._start(self._n_process)
            try:
                self.submit([]).result()
            except BrokenProcessPool:
                raise OSError(
                    f"the {self._n_process} worker processes die as soon as they have "
                    f"started: try fewer. (A script must begin its work below "
                    f'if __name__ == "__main__":)'
                ) from None
        return self.submit(texts).result()


_predictor: EntityPredictor


def _initialize(predictor: EntityPredictor) -> None:
    """Prepare a worker."""
    global _predictor
    # The main process ends the workers. If it is killed, they end by themselves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_exit_with_parent, daemon=True).start()
    _predictor = predictor
    _freeze(predictor)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _predict(texts: list[str]) -> list[Prediction]:
    return _predictor.predict(texts)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes that are started in the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
