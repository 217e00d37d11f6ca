"""Throughput and latency of `lstm-ner serve`, compared with `nlp.pipe` and `nlp(text)`
in a process of their own. `wrk` sends the requests, from the same machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

from .cases import THREADS
from .charts import bars, finish, label, panels
from .pipelines import trained
from .process import ROOT, VARIABLES, in_new_process
from .records import Record, select
from .tables import plural, print_table

CLIENTS = (1, 8, 64)
#: Texts in a request: one, or a list.
SIZES = (1, 16)
PERCENTILES = (50, 95, 99)
PIPE, ONE_BY_ONE = "nlp.pipe", "nlp(text)"
#: The goals: requests per second of 8 clients, relative to the texts per second of
#: `nlp.pipe`; and the median response for one client, at most this many times that of
#: `nlp(text)`, and a millisecond.
MIN_THROUGHPUT, MAX_LATENCY = 0.6, (1.5, 0.001)

# Requests in turn, with different texts; at the end, a line of JSON.
_SCRIPT = """
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local k = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  k = k % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[k])
end
done = function(summary, latency)
  local e = summary.errors
  print(string.format(
    'RESULT {"requests": %d, "us": %d, "errors": %d, "p": [%d, %d, %d]}',
    summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


def measure(
    data_dir: Path,
    max_steps: int = 1_500,
    retrain: bool = False,
    texts: int = 2_000,
    seconds: int = 10,
    repeats: int = 3,
) -> list[Record]:
    """Measure the default pipeline.

    data_dir: Folder with resume/train.char.bmes, dev.char.bmes, test.char.bmes.
    max_steps: Number of training steps.
    retrain: Train the pipeline again even if it is cached.
    texts: Number of texts.
    seconds: How long a measurement takes.
    repeats: Number of measurements of each kind, in turns.
    RAISES (FileNotFoundError): If wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise FileNotFoundError("the part serving needs wrk: apt install wrk")
    path = in_new_process(1, trained, "lstm_ner", data_dir, max_steps, retrain)
    threads = max(THREADS)
    inputs = in_new_process(1, _texts, data_dir, texts)
    values: dict[tuple[str, str, int], list[float]] = {}
    turns = tqdm(range(repeats), "serving")
    with served(path, threads) as (_, url):
        for _ in turns:
            for task, value in in_new_process(threads, _direct, path, inputs).items():
                values.setdefault((task, task, 1), []).append(value)
            for size in SIZES:
                for clients in CLIENTS:
                    result = _wrk(url, inputs, size, clients, seconds)
                    for task, value in result.items():
                        key = plural(clients, "client"), task, size
                        values.setdefault(key, []).append(value)
    facts = {"part": "serving", "threads": threads}
    return [
        Record({**facts, "candidate": c, "task": t, "size": s, "items": s}, found)
        for (c, t, s), found in values.items()
    ]


def _texts(data_dir: Path, n: int) -> list[str]:
    import spacy

    from spacy_lstm_ner.data.corpus import BIOCorpus

    corpus = BIOCorpus(data_dir / "resume" / "train.char.bmes", limit=n)
    return list(islice(cycle([eg.text for eg in corpus(spacy.blank("zh"))]), n))


def _direct(path: Path, texts: list[str]) -> dict[str, float]:
    """Seconds for a text in `nlp.pipe`, and the median of those of `nlp(text)`."""
    import spacy

    nlp = spacy.load(path)
    list(nlp.pipe(texts))  # the first time takes longer
    begin = time.perf_counter()
    list(nlp.pipe(texts))
    found = {PIPE: (time.perf_counter() - begin) / len(texts)}
    each = []
    for text in texts:
        begin = time.perf_counter()
        nlp(text)
        each.append(time.perf_counter() - begin)
    return {**found, ONE_BY_ONE: median(each)}


@contextmanager
def served(
    model: Path, threads: int, *options: str
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Serve a pipeline in another process.

    options: More options of the command.
    YIELDS: The process, and the URL of the server.
    """
    command = [sys.executable, "-m", "spacy", "lstm-ner", "serve", str(model)]
    process = subprocess.Popen(
        [*command, "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **dict.fromkeys(VARIABLES, str(threads))},
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        urls = (re.search(r"http://[\d.]+:\d+/", line) for line in process.stdout)
        yield process, next(url[0] for url in urls if url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _wrk(
    url: str, texts: list[str], size: int, clients: int, seconds: int
) -> dict[str, float]:
    """Send requests for some time.

    RETURNS: Seconds for a request, on the whole ("requests") and percentiles.
    RAISES (RuntimeError): If one of them is not answered with 200.
    """
    with tempfile.TemporaryDirectory() as folder:
        bodies, script = Path(folder, "bodies.jsonl"), Path(folder, "wrk.lua")
        lines = [
            {"text": texts[k]} if size == 1 else {"texts": texts[k : k + size]}
            for k in range(0, len(texts) - size + 1, size)
        ]
        bodies.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        script.write_text(_SCRIPT)
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(script)]
        done = subprocess.run(
            [*command, f"{url}entities"],
            env={**os.environ, "BODIES": str(bodies)},
            capture_output=True,
            text=True,
            check=True,
        )
    (line,) = re.findall(r"^RESULT (.+)$", done.stdout, re.MULTILINE)
    result: dict[str, Any] = json.loads(line)
    if result["errors"]:
        raise RuntimeError(f"{result['errors']} requests failed")
    found = {"requests": result["us"] / 1e6 / result["requests"]}
    for percentile, value in zip(PERCENTILES, result["p"], strict=True):
        found[f"{percentile}%"] = value / 1e6
    return found


def _one(records: list[Record], **facts: Any) -> Record:
    (record,) = select(records, **facts)
    return record


def show(records: list[Record]) -> None:
    pipe = _one(records, candidate=PIPE)
    alone = _one(records, candidate=ONE_BY_ONE)
    rows = [
        (PIPE, "", f"{pipe.speed:,.0f} ±{pipe.spread:.0%}", *[""] * 4),
        (ONE_BY_ONE, "", "", "", f"{1000 * alone.median:.2f}", "", ""),
    ]
    for size in SIZES:
        for clients in CLIENTS:
            name = plural(clients, "client")
            found = select(records, candidate=name, size=size)
            speed = _one(found, task="requests")
            times = [_one(found, task=f"{p}%").median for p in PERCENTILES]
            rows.append(
                (
                    name,
                    str(size),
                    f"{speed.speed:,.0f} ±{speed.spread:.0%}",
                    f"{pipe.median * size / speed.median:.2f}",
                    *(f"{1000 * value:.2f}" for value in times),
                )
            )
    percentiles = [f"{p}% in ms" for p in PERCENTILES]
    header = ("", "texts in a request", "texts per second", "× nlp.pipe", *percentiles)
    print_table("serving", header, rows)
    eight = _one(records, candidate="8 clients", task="requests", size=1)
    one = _one(records, candidate="1 client", task="50%", size=1)
    factor, plus = MAX_LATENCY
    bound = factor * alone.median + plus
    print(
        f"8 clients: {pipe.median / eight.median:.2f} of nlp.pipe; goal: "
        f"{MIN_THROUGHPUT}\n1 client: median {1000 * one.median:.2f} ms; goal: under "
        f"{1000 * bound:.2f} ms, {factor} times nlp(text) plus {1000 * plus:g} ms"
    )


def draw(records: list[Record], folder: Path) -> None:
    note = "texts per second; more is better"
    figure, (axes,) = panels(1, 1, "Speed of the server", note, height=340)
    label(axes, "", "texts per second")
    names = [plural(clients, "client") for clients in CLIENTS]
    series = {
        f"{plural(size, 'text')} in a request": [
            _one(records, candidate=name, task="requests", size=size).speed
            for name in names
        ]
        for size in SIZES
    }
    series[PIPE] = [_one(records, candidate=PIPE).speed] * len(names)
    bars(axes, names, series)
    finish(figure, folder / "serving.svg")
