"""Send mixed traffic to `lstm-ner serve`, and compare every answer with `nlp(text)`:

python scripts/serve_traffic.py training/model-best texts.jsonl --seconds 600

Texts one by one and in lists, long ones, with characters that no other text has; pages,
gates, health and metrics; requests that are cancelled, malformed, too large or not
finished. Prints the memory of the server over time, the numbers of all answers, and how
long the server takes to end. Exits with 1 if an answer is wrong.
"""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

# How often each kind of request is sent.
WEIGHTS = {
    "text": 70,
    "list": 10,
    "long": 1,
    "page": 3,
    "gates": 1,
    "health": 4,
    "metrics": 1,
    "cancelled": 3,
    "cancelled long": 1,
    "invalid": 3,
    "too large": 1,
    "unfinished": 1,
    "another host": 1,
}
RARE = range(0x20000, 0x2A000)


def main(
    model: Annotated[Path, typer.Argument(help="Folder of a pipeline")],
    texts: Annotated[Path, typer.Argument(help='File with {"text": "..."} a line')],
    seconds: Annotated[int, typer.Option(help="How long to send", min=1)] = 600,
    clients: Annotated[int, typer.Option(help="Clients at the same time", min=1)] = 16,
    n_texts: Annotated[int, typer.Option(help="Different texts", min=10)] = 5_000,
    interval: Annotated[int, typer.Option(help="Seconds between rows", min=1)] = 15,
) -> None:
    """Send mixed traffic to a server, and check its answers."""
    import spacy

    random.seed(0)
    with texts.open(encoding="utf8") as file:
        some = [json.loads(line)["text"] for line in islice(file, n_texts)]
    some = [f"{text}{chr(random.choice(RARE))}" for text in some]
    long = ["".join(random.choices(some, k=400)) for _ in range(3)]
    nlp = spacy.load(model)
    expected = {text: _entities(nlp(text)) for text in (*some, *long)}
    command = [sys.executable, "-m", "spacy", "lstm-ner", "serve", str(model)]
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = (re.search(r"http://127.0.0.1:(\d+)/", line) for line in process.stdout)
    port = next(int(found[1]) for found in lines if found)
    traffic = Traffic(port, process.pid, some, long, expected)
    try:
        asyncio.run(traffic.run(seconds, clients, interval))
    finally:
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        ended = time.monotonic() - begin
    print(f"\nended after {ended:.2f} s with code {process.returncode}")
    for (kind, outcome), n in sorted(traffic.outcomes.items()):
        print(f"{kind:15} {outcome:20} {n:10,}")
    wrong = sum(n for (_, x), n in traffic.outcomes.items() if x.startswith("wrong"))
    print(f"{traffic.compared:,} texts compared with nlp(text), {wrong} wrong answers")
    sys.exit(1 if wrong or ended > 2 or process.returncode else 0)


def _entities(doc: Any) -> list[tuple[int, int, str]]:
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


class Traffic:
    """Clients of a server, and what they got."""

    def __init__(
        self,
        port: int,
        pid: int,
        texts: list[str],
        long: list[str],
        expected: dict[str, list[tuple[int, int, str]]],
    ):
        self.port = port
        self.pid = pid
        self.texts = texts
        self.long = long
        self.expected = expected
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.compared = 0

    async def run(self, seconds: int, n_clients: int, interval: int) -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(
            self.watch(end, interval), *(self.client(end) for _ in range(n_clients))
        )

    async def watch(self, end: float, interval: int) -> None:
        """Print the memory of the server regularly."""
        begin, before = time.monotonic(), 0
        print("seconds  requests a second  memory in MB  open files")
        while (now := time.monotonic()) < end:
            n = sum(self.outcomes.values())
            status = Path(f"/proc/{self.pid}/status").read_text()
            memory = int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
            files = len(os.listdir(f"/proc/{self.pid}/fd"))
            rate = (n - before) / interval
            print(
                f"{now - begin:7.0f}{rate:19,.0f}{memory:14.1f}{files:12}", flush=True
            )
            before = n
            await asyncio.sleep(min(interval, max(0.0, end - now)))

    async def client(self, end: float) -> None:
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        while time.monotonic() < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                for _ in range(random.randint(1, 50)):
                    (kind,) = random.choices(kinds, weights)
                    outcome = await asyncio.wait_for(self.one(kind, reader, writer), 90)
                    self.outcomes[kind, outcome or "left"] += 1
                    if outcome is None or time.monotonic() > end:
                        break
            except (
                OSError,
                asyncio.IncompleteReadError,
                asyncio.TimeoutError,
            ) as error:
                self.outcomes[kind, f"wrong: {type(error).__name__}"] += 1
            writer.close()

    async def one(
        self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str | None:
        """Send a request.

        RETURNS: The outcome; None if the client leaves without an answer.
        """
        texts, status, host, path = [random.choice(self.texts)], 200, "localhost", None
        if kind in ("list", "another host"):
            texts = random.sample(self.texts, random.randint(0, 30))
        elif "long" in kind:
            texts = [random.choice(self.long)]
        body = json.dumps({"texts": texts}).encode()
        if kind == "invalid":
            body, status = random.choice([b"{", b"[]", b"\xff", b'{"text": 1}']), 400
        elif kind == "too large":
            body, status = b" " * 2_000_000, 413
        elif kind == "another host":
            host, status = "evil.example", 403
        elif kind == "gates":
            path, body = "/gates", json.dumps({"text": texts[0][:100]}).encode()
        elif kind in ("page", "health", "metrics"):
            path, body = {"page": "/"}.get(kind, f"/{kind}"), b""
        method = "POST" if body else "GET"
        head = f"{method} {path or '/entities'} HTTP/1.1\r\nHost: {host}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        sent = f"{head}\r\n".encode() + body
        if kind == "unfinished":
            sent = sent[: random.randrange(1, len(sent))]
        writer.write(sent)
        await writer.drain()
        if kind.startswith(("cancelled", "unfinished")):
            await asyncio.sleep(random.choice([0, 0.001, 0.1]))
            return None
        got, answer = await _response(reader)
        if got == 503:
            return "503"
        if got != status:
            return f"wrong: {got}"
        if kind in ("text", "list", "long"):
            found = json.loads(answer)["entities"]
            values = [[(e["start"], e["end"], e["label"]) for e in f] for f in found]
            self.compared += len(texts)
            if values != [self.expected[text] for text in texts]:
                return "wrong: entities"
        return str(got)


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    (length,) = re.findall(r"^content-length: (\d+)", head, re.MULTILINE | re.I)
    return int(head.split()[1]), await reader.readexactly(int(length))


if __name__ == "__main__":
    typer.run(main)
