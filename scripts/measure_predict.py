"""Measure `lstm-ner predict`: speed and memory against bare `nlp.pipe`, in one and in
two processes, after kills, and on a Ray cluster of this machine.

The texts are the sentences of a data set, in random order, each with a number.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from wasabi import msg

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.data.files import open_files
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog

# Everything computes with one thread, so that processes are what is compared.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
BARE = """
import json, sys, time, spacy
nlp = spacy.load(sys.argv[1])
with open(sys.argv[2], encoding="utf8") as file:
    texts = [json.loads(line)["text"] for line in file]
for doc in nlp.pipe(texts[:200]):
    pass
start = time.perf_counter()
entities = sum(len(doc.ents) for doc in nlp.pipe(texts))
print(time.perf_counter() - start)
"""


class Run(NamedTuple):
    """A run of the command.

    seconds: From its start to its end.
    rate: Characters a second, as it prints them: without loading the pipeline.
    memory: Resident memory of all its processes in bytes, sampled in equal intervals.
    """

    seconds: float
    rate: float
    memory: list[int]


@exit_on_error()
def main(
    model: Annotated[Path, typer.Argument(help="Folder of a pipeline")],
    data: Annotated[
        Path, typer.Argument(help="A data set that `convert` reads, for its texts")
    ],
    n: Annotated[int, typer.Option("--texts", help="Number of texts")] = 200_000,
    n_kills: Annotated[int, typer.Option("--kills", help="Number of kills")] = 5,
    repeats: Annotated[int, typer.Option("--repeats", help="Runs of each kind")] = 1,
    ray_sizes: Annotated[
        list[int] | None,
        typer.Option("--ray", help="Number of texts for Ray; may be repeated"),
    ] = None,
) -> None:
    """Print tables of speed and memory.

    Example:

    \b
    python scripts/measure_predict.py training/model-best assets/resume/train.char.bmes --ray 10000 --ray 100000 --ray 1000000
    """  # noqa: E501
    (file,) = open_files([data], ReadingOptions())
    texts = [text.text for text in file.texts(ProblemLog())]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if n:
            _measure_processes(model, texts, n, n_kills, repeats, folder)
        if ray_sizes:
            _measure_ray(model, texts, ray_sizes, folder)


def _measure_processes(
    model: Path, texts: list[str], n: int, n_kills: int, repeats: int, folder: Path
) -> None:
    source = folder / "texts.jsonl"
    with source.open("w", encoding="utf8") as file:
        for row in _rows(texts, n):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    characters = sum(len(row["text"]) for row in _rows(texts, n))
    rows = []
    for _ in range(repeats):
        bare = subprocess.run(
            [sys.executable, "-c", BARE, model, source],
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            check=True,
        )
        rate = characters / float(bare.stdout)
        rows.append(("nlp.pipe, one process", f"{rate:,.0f}", "", ""))
        for n_process in (1, 2):
            run = _predict(model, source, folder / f"out{n_process}", n_process)
            rows.append(
                (
                    f"predict -n {n_process}",
                    f"{run.rate:,.0f}",
                    f"{run.seconds:.1f}",
                    _in_megabytes(run.memory),
                )
            )
    header = ("", "characters/s", "s in all", "MB after 20, 40, 60, 80 and 100%")
    msg.table(rows, header=header, aligns=("l", "r", "r", "l"), divider=True)
    kills = _killed_run(model, source, folder / "killed", n_kills)
    same = _hash(folder / "killed") == _hash(folder / "out2") == _hash(folder / "out1")
    msg.text(
        f"killed after parts {kills}, and resumed: {'the same' if same else 'OTHER'}"
    )
    shutil.rmtree(folder / "killed")


def _rows(texts: list[str], n: int) -> Iterator[dict[str, Any]]:
    chosen = random.Random(0)
    for i in range(n):
        yield {"id": i, "text": f"{chosen.choice(texts)}{i}"}


def _command(model: Path, source: Path, out: Path, *options: object) -> list[str]:
    command = [sys.executable, "-m", "spacy", "lstm-ner", "predict", model, source, out]
    return [str(word) for word in (*command, *options)]


def _predict(model: Path, source: Path, out: Path, n_process: int) -> Run:
    shutil.rmtree(out, ignore_errors=True)
    command = _command(model, source, out, "-n", n_process)
    memory = []
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        while process.poll() is None:
            memory.append(_resident(process.pid))
            time.sleep(0.5)
        output = process.communicate()[0]
    seconds = time.perf_counter() - start
    (rate,) = (line.split()[-1] for line in output.splitlines() if "a second" in line)
    return Run(seconds, float(rate.replace(",", "")), memory)


def _killed_run(model: Path, source: Path, out: Path, n_kills: int) -> list[int]:
    """Kill a run at random times, resume it each time, and let it end.

    RETURNS: How many parts there were at each kill.
    """
    command = _command(model, source, out, "-n", 2, "--resume", "--part-size", 5000)
    chosen = random.Random(0)
    kills: list[int] = []
    while True:
        with subprocess.Popen(
            command, env={**os.environ, **ONE_THREAD}, stdout=-1, stderr=-1
        ) as process:
            try:
                # Loading takes some seconds.
                seconds = chosen.uniform(5, 12) if len(kills) < n_kills else None
                process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills.append(len(list(out.glob("part-*"))))
                continue
        if process.returncode:
            raise OSError(f"predict ended with the exit code {process.returncode}")
        return kills


def _hash(out: Path) -> str:
    """The hash of all rows, in order."""
    digest = sha256()
    for part in sorted(out.glob("part-*")):
        digest.update(part.read_bytes())
    return digest.hexdigest()


def _resident(pid: int) -> int:
    """Resident memory of a process and its children, in bytes, from /proc."""
    total = 0
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf8")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        total = int(line.split()[1]) * 1024
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf8").split()
    except (OSError, ValueError):  # it has ended
        return total
    return total + sum(_resident(int(child)) for child in children)


def _in_megabytes(memory: list[int]) -> str:
    at = [memory[max(0, len(memory) * i // 5 - 2)] for i in range(1, 6)]
    return " ".join(f"{value / 1e6:.0f}" for value in at)


def _measure_ray(model: Path, texts: list[str], sizes: list[int], folder: Path) -> None:
    import pyarrow as pa
    import ray
    from pyarrow.parquet import ParquetWriter

    from spacy_lstm_ner import predict

    rows = []
    for size in sizes:
        source = folder / f"{size}.parquet"
        writer: ParquetWriter | None = None
        batch: list[dict[str, Any]] = []
        for row in _rows(texts, size):
            batch.append(row)
            if len(batch) == 50_000 or row["id"] == size - 1:
                table = pa.Table.from_pylist(batch)
                writer = writer or ParquetWriter(source, table.schema)
                writer.write_table(table)
                batch.clear()
        assert writer is not None
        writer.close()
        for n_workers in (1, 2):
            ray.init(num_cpus=n_workers, logging_level="error", log_to_driver=False)
            out = folder / "ray"
            shutil.rmtree(out, ignore_errors=True)
            start = time.perf_counter()
            part_size = max(1000, min(50_000, size // 10))
            run = predict(
                model,
                source,
                out,
                format="parquet",
                ray="local",
                n_process=n_workers,
                part_size=part_size,
                progress=True,
            )
            seconds = time.perf_counter() - start
            ray.shutdown()
            per_text = 1e6 * n_workers * run.seconds / size
            rows.append(
                (
                    f"{size:,}",
                    n_workers,
                    f"{part_size:,}",
                    f"{size / run.seconds:,.0f}",
                    f"{per_text:.0f}",
                    f"{seconds:.1f}",
                )
            )
    header = ("texts", "workers", "part", "texts/s", "µs of a worker", "s in all")
    msg.table(
        [tuple(map(str, row)) for row in rows],
        header=header,
        aligns=["r"] * 6,
        divider=True,
    )


if __name__ == "__main__":
    typer.run(main)
