"""Fuzz tests: read many corrupted inputs. None may cause a crash or a silent loss.

    python scripts/fuzz data --count 20000 --seed 0
    python scripts/fuzz pipelines --count 2000 --seed 0

See fuzz_data.py and fuzz_pipelines.py. The same seed generates the same inputs. Inputs
that fail are kept.
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
    target: Annotated[str, typer.Argument(help=f"What to test: {', '.join(TARGETS)}")],
    count: Annotated[
        int, typer.Option("--count", "-n", help="Number of inputs")
    ] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random changes")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for inputs that fail")
    ] = None,
) -> None:
    """Read corrupted data files, or load damaged pipelines. Exit with 1 if there is a
    crash or a silent loss. Prints how often each outcome occurred.

        python scripts/fuzz data --count 20000 --seed 1
    """
    if target not in TARGETS:
        print(f"Unknown target {target!r}: choose one of {', '.join(TARGETS)}.")
        raise typer.Exit(1)
    folder = output or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcomes, failures = TARGETS[target](count, seed, folder, progress=True)
    for outcome, number in outcomes.most_common():
        print(f"{number:>8,} {outcome}")
    for failure in failures[:20]:
        print(failure)
    if failures:
        print(f"{len(failures):,} inputs failed; they are in {folder}")
        sys.exit(1)
    if output is None:
        folder.rmdir()


if __name__ == "__main__":
    typer.run(main)
