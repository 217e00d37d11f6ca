"""`predict` on a Ray cluster of two nodes, on this machine."""

import os
import signal
import subprocess
import sys
import time
from threading import Thread

import pytest

from spacy_lstm_ner import DataError, predict

from ..helpers.batch_prediction import (
    FATAL,
    FatalPredictor,
    ThreadsPredictor,
    numbered,
    part_contents,
    write_parquet,
)
from ..helpers.paths import REPOSITORY

ray = pytest.importorskip("ray")
pytest.importorskip("pandas")  # Ray Data needs it
cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = pytest.mark.slow

PART_SIZE = 300


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("ray") / "model"
    trained.to_disk(path)
    return path


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """A folder with two files, in several row groups, and null in one row."""
    return write_parquet(tmp_path_factory.mktemp("parquet"), 6000)


@pytest.fixture(scope="module")
def expected(model, parquet, tmp_path_factory):
    """What the local command writes."""
    out = tmp_path_factory.mktemp("local") / "out"
    predict(model, parquet, out, format="parquet", part_size=PART_SIZE)
    return part_contents(out)


@pytest.fixture
def cluster():
    """Two nodes with a CPU each, and a head without."""
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0}
    )
    cluster.nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def run(model, parquet, out, cluster, **options):
    return predict(
        model,
        parquet,
        out,
        format="parquet",
        part_size=PART_SIZE,
        ray=cluster.address,
        **options,
    )


def test_same_files_as_locally(model, parquet, expected, cluster, tmp_path):
    found = run(model, parquet, tmp_path / "out", cluster)
    assert part_contents(tmp_path / "out") == expected
    assert found.records == 5999 and found.rejected == 1 and found.parts == 20
    assert (tmp_path / "out" / "_SUCCESS").exists()


def test_each_worker_has_one_thread(model, parquet, cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setattr(
        "spacy_lstm_ner.prediction.predict.EntityPredictor", ThreadsPredictor
    )
    found = run(model, parquet, tmp_path / "out", cluster)
    assert found.records == 0
    assert {example.rpartition(": ")[2] for example in found.examples} == {"1 1"}


def worker_pids():
    """The processes of the workers of Ray Data, on all nodes."""
    listed = subprocess.run(
        ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "MapWorker" in line]


def wait_for_parts(out, n):
    while len(list(out.glob("part-*"))) < n:
        time.sleep(0.02)


def test_a_killed_worker_loses_and_doubles_nothing(
    model, parquet, expected, cluster, tmp_path
):
    out = tmp_path / "out"
    killed = []

    def kill():
        for n in (2, 8):
            wait_for_parts(out, n)
            pid = worker_pids()[0]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    thread = Thread(target=kill, daemon=True)
    thread.start()
    found = run(model, parquet, out, cluster)
    thread.join()
    assert len(killed) == 2
    assert part_contents(out) == expected
    assert found.records == 5999 and found.parts == 20


def test_a_lost_node_loses_and_doubles_nothing(
    model, parquet, expected, cluster, tmp_path
):
    out = tmp_path / "out"
    lost = []

    def lose():
        wait_for_parts(out, 4)
        cluster.remove_node(cluster.nodes[1], allow_graceful=False)
        lost.append(len(list(out.glob("part-*"))))

    thread = Thread(target=lose, daemon=True)
    thread.start()
    found = run(model, parquet, out, cluster)
    thread.join()
    assert lost and lost[0] < 20
    assert part_contents(out) == expected
    assert found.records == 5999 and found.parts == 20


def test_a_killed_run_is_resumed(model, parquet, expected, cluster, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "spacy", "lstm-ner", "predict", model, parquet]
    command += [out, "-f", "parquet", "--part-size", PART_SIZE]
    command += ["--ray", cluster.address]
    with subprocess.Popen(list(map(str, command))) as process:
        wait_for_parts(out, 3)
        process.kill()
    found = run(model, parquet, out, cluster, resume=True)
    assert found.finished_before >= 3
    assert part_contents(out) == expected


def test_input_that_is_not_parquet_is_refused(model, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("王芳任教授。\n", "utf8")
    with pytest.raises(DataError, match=r"texts\.txt is not Parquet"):
        predict(model, texts, tmp_path / "out", ray="local")
    assert not (tmp_path / "out").exists()


def test_a_text_that_ends_each_worker_is_set_aside(
    model, cluster, tmp_path, monkeypatch
):
    import pyarrow as pa
    from pyarrow.parquet import write_table

    # Workers import the class by its module.
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setattr(
        "spacy_lstm_ner.prediction.predict.EntityPredictor", FatalPredictor
    )
    records = numbered(900)
    records[450]["text"] += FATAL
    write_table(pa.Table.from_pylist(records), tmp_path / "in.parquet")
    out = tmp_path / "out"
    found = run(model, tmp_path / "in.parquet", out, cluster)
    assert found.records == 899 and found.parts == 3
    (example,) = found.examples
    assert "in.parquet:451: a worker process that predicted this text died" in example
    assert not (out / "_attempts").exists()
