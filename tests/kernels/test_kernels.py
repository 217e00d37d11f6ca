"""Which kernels are in use, and on how many threads."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from thinc.types import Ragged

from spacy_lstm_ner import kernels
from spacy_lstm_ner.layers import LSTM

from ..helpers.kernels import available, numpy_form
from ..helpers.paths import REPOSITORY

needs_kernels = pytest.mark.skipif(not available(), reason="there are no kernels")


def run(code, **variables):
    """The output of a program in a new process."""
    environment = {**os.environ, **variables}
    environment = {k: v for k, v in environment.items() if v is not None}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return result.stdout + result.stderr


PRINT = "from spacy_lstm_ner import kernels as k; print(k.instruction_set(), k.reason)"


def test_they_are_turned_off():
    assert "None the environment variable" in run(PRINT, SPACY_LSTM_NER_KERNELS="off")


@needs_kernels
@pytest.mark.parametrize("name", ["avx512", "avx2", "neon"])
def test_an_instruction_set_is_chosen(name):
    output = run(PRINT, SPACY_LSTM_NER_KERNELS=name)
    if name in available():
        assert output.split() == [name]
    else:
        assert "SPACY_LSTM_NER_KERNELS is" in output and available()[0] in output


def test_an_unknown_value_is_refused():
    output = run(PRINT, SPACY_LSTM_NER_KERNELS="avx3")
    assert "SPACY_LSTM_NER_KERNELS is 'avx3'" in output
    assert "'off', 'avx512', 'avx2', 'neon'" in output


def test_info():
    output = run(
        "from spacy.cli._util import app; import sys; import spacy_lstm_ner.cli; "
        "app(['lstm-ner', 'info'], prog_name='spacy')",
        OMP_NUM_THREADS="1",
    )
    for name in ("spacy-lstm-ner", "numpy", "Python", "BLAS", "compiled kernels"):
        assert name in output
    if available() and kernels.instruction_set():
        assert kernels.instruction_set() in output and "at most 1" in output
    assert "no: the environment variable" in run(
        "from spacy_lstm_ner.kernels import description; print(dict(description()))",
        SPACY_LSTM_NER_KERNELS="off",
    )


# Threads

THREADS = "from spacy_lstm_ner import kernels as k; print(k.num_threads())"


@needs_kernels
def test_number_of_threads():
    assert run(THREADS, OMP_NUM_THREADS="3").split() == ["3"]
    assert run(THREADS, OMP_NUM_THREADS="1,2").split() == ["1"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    if cores:
        assert run(THREADS, OMP_NUM_THREADS=None).split() == [str(cores)]
        assert run(THREADS, OMP_NUM_THREADS="many").split() == [str(cores)]


@needs_kernels
def test_threadpoolctl_limits_the_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    before = kernels.num_threads()
    with threadpoolctl.threadpool_limits(1):
        assert kernels.num_threads() == 1
        with threadpoolctl.threadpool_limits(2, user_api="blas"):
            assert kernels.num_threads() == 2
    assert kernels.num_threads() == before
    (found,) = [
        library
        for library in threadpoolctl.threadpool_info()
        if library["internal_api"] == "spacy_lstm_ner"
    ]
    assert found["num_threads"] == before


def layer_and_batch():
    layer = LSTM(128, 64, bi=True).initialize()
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 64), dtype="float32")
    return layer, Ragged(X, np.array([60, 5, 120, 90, 125], dtype="int32"))


@pytest.fixture
def two_threads():
    native = kernels.kernels()
    before = native.num_threads()
    native.set_num_threads(2)
    yield native
    native.set_num_threads(before)


def outputs_and_gradients(layer, X):
    Y, backprop = layer.begin_update(X)
    dX = backprop(Y).dataXd
    gradients = [c.get_grad(name) for c in layer.layers for name in c.param_names]
    for cell in layer.layers:
        for name in cell.param_names:
            cell.set_grad(name, np.zeros_like(cell.get_param(name)))
    return [layer.predict(X).dataXd, Y.dataXd, dX, *gradients]


@needs_kernels
def test_same_to_the_bit_on_one_and_two_threads(two_threads):
    layer, X = layer_and_batch()
    two = outputs_and_gradients(layer, X)
    two_threads.set_num_threads(1)
    for one, other in zip(outputs_and_gradients(layer, X), two, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_kernels
def test_several_python_threads(two_threads):
    """Only one of them gets the second thread; the others do without."""
    layer, X = layer_and_batch()
    expected = layer.predict(X).dataXd
    wrong = []

    def work():
        for _ in range(60):
            if not np.array_equal(layer.predict(X).dataXd, expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not wrong


@needs_kernels
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork(two_threads):
    """The second thread does not exist in a forked process, which uses one, and two
    again if it is told to."""
    code = """
import os, numpy as np
from tests.kernels.test_kernels import layer_and_batch
from spacy_lstm_ner import kernels
native = kernels.kernels()
native.set_num_threads(2)
layer, X = layer_and_batch()
expected = layer.predict(X).dataXd
pid = os.fork()
if not pid:
    threads = kernels.num_threads()
    same = np.array_equal(layer.predict(X).dataXd, expected)
    native.set_num_threads(2)
    same = same and np.array_equal(layer.predict(X).dataXd, expected)
    os._exit(10 if same and threads == 1 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), kernels.num_threads())
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.split() == ["10", "2"], result.stderr


@needs_kernels
def test_the_gil_is_released():
    """Another Python thread goes on while a kernel runs."""
    layer = LSTM(256, 256, bi=True).initialize()
    X = Ragged(np.zeros((20_000, 256), dtype="float32"), np.array([20_000]))
    ticks, done = [0], threading.Event()

    def tick():
        while not done.wait(0.002):
            ticks[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    layer.predict(X)
    done.set()
    thread.join()
    assert ticks[0] > 20


def test_without_kernels_there_is_one_thread():
    with numpy_form():
        assert kernels.num_threads() == 1 and kernels.instruction_set() is None
