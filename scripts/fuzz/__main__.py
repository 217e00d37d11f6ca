"""Try broken inputs, as many as you like: nothing may crash, or get lost in silence.

    python scripts/fuzz data --count 20000 --seed 0
    python scripts/fuzz pipelines --count 2000 --seed 0

See fuzz_data.py and fuzz_pipelines.py. The same seed makes the same inputs. What fails
is kept.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from fuzz_data import fuzz_data
from fuzz_pipelines import fuzz_pipelines

TARGETS = {"data": fuzz_data, "pipelines": fuzz_pipelines}


def main(
    target: Annotated[str, typer.Argument(help=f"What to try: {', '.join(TARGETS)}")],
    count: Annotated[int, typer.Option("--count", "-n", help="How many")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other files")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Keep here what fails")
    ] = None,
) -> None:
    if target not in TARGETS:
        print(f"There is no {target!r}: there are {', '.join(TARGETS)}")
        raise typer.Exit(1)
    folder = output or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    ends, failures = TARGETS[target](count, seed, folder, progress=True)
    for end, number in ends.most_common():
        print(f"{number:>8,} {end}")
    for failure in failures[:20]:
        print(failure)
    if failures:
        print(f"{len(failures):,} failed: they are in {folder}")
        sys.exit(1)
    if output is None:
        folder.rmdir()


if __name__ == "__main__":
    typer.run(main)
