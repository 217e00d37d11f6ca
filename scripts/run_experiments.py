"""Train variants of a config over several seeds, and compare them on dev.

Nothing here reads a test set: `python -m spacy lstm-ner evaluate` does that, once, for
what was chosen.
"""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from tqdm import tqdm
from wasabi import msg

ROOT = Path(__file__).parents[1]


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder with train and dev .spacy")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments to run; default: all")
    ] = None,
    file: Annotated[
        Path, typer.Option("--file", "-f", help="What there is to try")
    ] = ROOT / "configs" / "experiments.yml",
    seeds: Annotated[int, typer.Option(help="How many seeds, from 0 on", min=1)] = 3,
    jobs: Annotated[
        int, typer.Option(help="Trainings at a time, one thread each", min=1)
    ] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for pipelines and figures")
    ] = ROOT / "training" / "experiments",
) -> None:
    """Train experiments, and print one table: F1 on dev, mean and range over seeds.

    What was trained before is not trained again; delete its folder to do so.

        python scripts/run_experiments.py corpus/news default no-crf --jobs 2
    """
    known: dict[str, dict[str, Any]] = srsly.read_yaml(file)
    names = names or list(known)
    if unknown := sorted(set(names).difference(known)):
        msg.fail(f"Not in {file}: {', '.join(unknown)}", exits=1)
    for name in names:
        file_name = known[name].get("train", "train.spacy")
        if not (corpus / file_name).is_file():
            msg.fail(f"{name} needs {corpus / file_name}, which is not there", exits=1)
    runs = [(name, seed) for seed in range(seeds) for name in names]
    folder = output / corpus.name

    def run(name: str, seed: int) -> dict[str, Any]:
        return train(corpus, folder / name / f"seed-{seed}", known[name], seed)

    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(runs)) as progress:
        pending = [pool.submit(run, *key) for key in runs]
        for future in pending:
            future.add_done_callback(lambda _: progress.update())
        results = dict(zip(runs, (future.result() for future in pending), strict=True))
    table = []
    for name in names:
        f1, seconds = (
            [results[name, seed][key] for seed in range(seeds)]
            for key in ("ents_f", "seconds")
        )
        mean = f"{100 * statistics.mean(f1):.2f}"
        spread = f"{100 * min(f1):.1f} to {100 * max(f1):.1f}"
        table.append((name, mean, spread, f"{statistics.median(seconds):.0f}"))
    header = ("", f"F1 on dev of {corpus.name}, mean", f"{seeds} seeds", "seconds")
    msg.table(table, header=header, aligns=("l", "r", "r", "r"), divider=True)


def train(corpus: Path, folder: Path, change: dict[str, Any], seed: int) -> dict:
    """Train one pipeline, if it is not there yet, and return its figures on dev.

    change (dict[str, Any]): Settings of the config to change, with dots in their names;
        `config` is the config itself, `train` another file of the corpus.
    """
    figures = folder / "figures.json"
    if not figures.exists():
        settings = {"train": "train.spacy", "config": "lstm_ner"} | change
        settings["paths.train"] = str(corpus / settings.pop("train"))
        settings["paths.dev"] = str(corpus / "dev.spacy")
        settings["system.seed"] = seed
        config = ROOT / "configs" / f"{settings.pop('config')}.cfg"
        command = [sys.executable, "-m", "spacy", "train", str(config)]
        command += ["--output", str(folder)]
        for name, value in settings.items():
            command += [f"--{name}", value if isinstance(value, str) else json(value)]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        start = time.perf_counter()
        done = subprocess.run(
            command, env=os.environ | threads, capture_output=True, text=True
        )
        if done.returncode:
            msg.fail(" ".join(command), done.stdout + done.stderr, exits=1)
        meta = srsly.read_json(folder / "model-best" / "meta.json")
        scores = meta["performance"]
        seconds = time.perf_counter() - start
        srsly.write_json(figures, {"ents_f": scores["ents_f"], "seconds": seconds})
    return srsly.read_json(figures)


def json(value: Any) -> str:
    return srsly.json_dumps(value)


if __name__ == "__main__":
    typer.run(main)
