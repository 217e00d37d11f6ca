"""Prediction in several processes, some of which die."""

import os
import signal
import subprocess
import sys
import time

import pytest

from spacy_lstm_ner import EntityPredictor
from spacy_lstm_ner.prediction.chunks import Chunk
from spacy_lstm_ner.prediction.processes import predict_in_processes

from ..helpers.batch_prediction import (
    ERROR,
    FATAL,
    SENTENCES,
    FatalPredictor,
    ThreadsPredictor,
)

BEFORE = os.environ.get("OPENBLAS_NUM_THREADS")
TEXTS = [f"{text}{i}" for i, text in enumerate(SENTENCES[:60])]


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("processes") / "model"
    trained.to_disk(path)
    return path


def rounded(predictions):
    """Predictions to compare: NumPy gives other last digits in other batches."""
    return [
        ([(*e[:3], round(e.score, 4)) for e in p.entities], p.error)
        for p in predictions
    ]


def chunks_of(texts, size=4):
    for i in range(0, len(texts), size):
        yield Chunk(0, texts=texts[i : i + size])


def test_predictions_come_in_order(model):
    predictor = EntityPredictor(model)
    chunks = list(chunks_of(TEXTS))
    found = list(predict_in_processes(predictor, chunks, 2))
    assert [chunk for chunk, _ in found] == chunks
    expected = predictor.predict(TEXTS)
    assert rounded(p for _, few in found for p in few) == rounded(expected)
    assert any(p.entities for p in expected)


def test_each_process_has_one_thread(model):
    found = predict_in_processes(ThreadsPredictor(model), chunks_of(TEXTS[:8]), 2)
    assert {p.error for _, few in found for p in few} == {"1 1"}
    # Not this one.
    assert os.environ.get("OPENBLAS_NUM_THREADS") == BEFORE


def test_a_text_that_ends_its_process_gets_an_error_and_no_other(model):
    texts = [*TEXTS[:9], f"{TEXTS[9]}{FATAL}", *TEXTS[10:]]
    expected = EntityPredictor(model).predict(texts)
    found = predict_in_processes(FatalPredictor(model), chunks_of(texts), 2)
    predictions = [p for _, few in found for p in few]
    assert "process" in predictions[9].error and "died" in predictions[9].error
    assert predictions[9].entities == []
    del predictions[9], expected[9]
    assert rounded(predictions) == rounded(expected)


def test_processes_that_die_at_once_are_an_error(tmp_path):
    # The pipeline cannot be loaded.
    chunks = chunks_of(TEXTS)
    with pytest.raises(OSError, match="die as soon as they have started"):
        list(predict_in_processes(EntityPredictor(tmp_path / "none"), chunks, 2))


def test_an_error_of_one_text_is_its_own(model):
    texts = [TEXTS[0], f"{TEXTS[1]}{ERROR}", TEXTS[2]]
    first, second, third = FatalPredictor(model).predict(texts)
    assert second.error == "ValueError: this text cannot be predicted"
    expected = EntityPredictor(model).predict([texts[0], texts[2]])
    assert rounded([first, third]) == rounded(expected)


SLOW_RUN = """
import sys, time
from spacy_lstm_ner import EntityPredictor
from spacy_lstm_ner.prediction.chunks import Chunk
from spacy_lstm_ner.prediction.processes import predict_in_processes

if __name__ == "__main__":
    chunks = (Chunk(0, texts=["王芳任教授。"]) for _ in range(10**9))
    for _ in predict_in_processes(EntityPredictor(sys.argv[1]), chunks, 2):
        print("predicted", flush=True)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_processes_end_if_the_main_process_is_killed(model, tmp_path):
    script = tmp_path / "slow_run.py"
    script.write_text(SLOW_RUN, "utf8")
    command = [sys.executable, str(script), str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "predicted\n"
        children = [pid for pid in _processes() if _parent(pid) == process.pid]
        assert len(children) >= 2
        process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while any(map(_is_running, children)):
        assert time.monotonic() < end, "the processes go on"
        time.sleep(0.05)


def _processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf8") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _parent(pid):
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def _is_running(pid):
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"
