"""Corrupted data files: `python scripts/fuzz data`.

Valid data files in every layout (`seeds`) are changed: their bytes, their lines, or
their values (`mutations`). They are read as by `convert`, and compared with a second,
simple reading (`checks`, `reference`). Then:

- the only exception is `DataError`, with a message that is safe to print;
- each line or value is a record, or is counted as a problem or as left out;
- the text of each record is in the file, and so are its entities, at the same offsets
  or with the same tags;
- each entity is in a Doc, or is counted as lost.
"""

import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import checks_of_lines  # noqa: F401  (adds its checks)
from checks import NLP, Failure, is_safe, read_and_check, require
from mutations import mutated
from seeds import Seed, seeds

from spacy_lstm_ner.data.corpus import read_examples
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.util.progress import with_progress

__all__ = ["Failure", "fuzz_data", "read", "seeds"]

#: For one file; all are small.
MAX_SECONDS = 5.0


def read(path: Path, **options: Any) -> str:
    """Read a file or folder, and check the result.

    path: The file.
    options: How to read it.
    RETURNS: The outcome: "read", "read with problems" or "rejected".
    RAISES (Failure): If a check fails.
    """
    try:
        outcome = read_and_check(path, ReadingOptions(**options))
    except DataError as error:
        require(is_safe(str(error)), f"not safe to print: {error!r}")
        outcome = "rejected"
    if path.suffix == ".spacy":
        try:
            for example in read_examples(path, NLP):
                require(isinstance(example.reference.text, str), "no text")
        except DataError as error:
            require(is_safe(str(error)), f"not safe to print: {error!r}")
    return outcome


@contextmanager
def time_limit() -> Iterator[None]:
    """Stop what takes too long.

    RAISES (Failure): In the body of the `with` statement.
    """

    def stop(*given: object) -> None:
        raise Failure(f"reading took more than {MAX_SECONDS} seconds")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def fuzz_data(
    count: int, seed: int, folder: Path, *, progress: bool = False
) -> tuple[Counter[str], list[str]]:
    """Read corrupted data files.

    count: Number of files.
    seed: Seed of the random changes.
    folder: Folder for the files. Those that fail are kept.
    progress: Show a progress bar.
    RETURNS: How often each outcome occurred, and a message for each failure.
    """
    valid = seeds()
    contents = [data for each in valid for data in each.files.values()]
    outcomes: Counter[str] = Counter()
    failures = []
    for number in with_progress(range(count), progress, "Files"):
        # One seed per file, so that each can be generated alone.
        rng = random.Random(f"{seed} {number}")
        origin: Seed = rng.choice(valid)
        files = mutated(origin.files, rng, contents)
        inside = folder / f"{seed}-{number}-{origin.name}"
        write(inside, files)
        options = origin.options if rng.random() < 0.8 else {}
        options = {**options, "force": rng.random() < 0.8}
        try:
            with time_limit():
                outcome = read(inside / origin.entry, **options)
        except Exception as error:
            failures.append(f"{inside}: {type(error).__name__}: {error}"[:2000])
            outcome = "FAILED"
        else:
            shutil.rmtree(inside)
        outcomes[outcome] += 1
    return outcomes, failures
