"""Train variants of a config with several seeds on several data sets, and compare them
on the development data.

Test data is not used here. Evaluate the chosen variant on it once, with `python -m
spacy lstm-ner evaluate`.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from tqdm import tqdm
from wasabi import msg

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import atomic_write

ROOT = Path(__file__).parents[1]
Figures = dict[str, Any]

CORPORA = [ROOT / "corpus" / name for name in ("resume", "news", "msra")]


@exit_on_error()
def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments to run; default: all")
    ] = None,
    corpora: Annotated[
        list[Path],
        typer.Option(
            "--corpus",
            "-c",
            help="Folder with train.spacy and dev.spacy; may be repeated",
            show_default="corpus/resume, corpus/news, corpus/msra",
        ),
    ] = CORPORA,
    file: Annotated[
        Path,
        typer.Option(
            "--file",
            "-f",
            help="YAML file with the experiments",
            show_default="configs/experiments.yml",
        ),
    ] = ROOT / "configs" / "experiments.yml",
    seeds: Annotated[int, typer.Option(help="Number of seeds, from 0", min=1)] = 3,
    jobs: Annotated[
        int,
        typer.Option(help="Number of parallel trainings, with one thread each", min=1),
    ] = 1,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder for pipelines and figures",
            show_default="training/experiments",
        ),
    ] = ROOT / "training" / "experiments",
) -> None:
    """Train experiments, and write a table, table.md in the output folder, with a
    column for each data set: F1 on dev, as mean and range over the seeds.

    Pipelines that were trained before with the same config are not trained
    again. An experiment is skipped for data sets that lack a file that it uses.

        python scripts/run_experiments.py default no-crf -c corpus/news --jobs 2
    """
    known: dict[str, dict[str, Any]] = srsly.read_yaml(file)
    names = names or list(known)
    if unknown := sorted(set(names).difference(known)):
        msg.fail(f"No such experiment in {file}: {', '.join(unknown)}", exits=1)
    for corpus in corpora:
        if not (corpus / "train.spacy").exists():
            msg.fail(
                f"{corpus}/train.spacy does not exist. To create it: python -m spacy "
                f"project run convert . --vars.dataset {corpus.name}",
                exits=1,
            )
    # Seed by seed, so that all experiments have results if the run is stopped early.
    runs = [
        (corpus, name, seed)
        for seed, corpus, name in product(range(seeds), corpora, names)
        if (corpus / known[name].get("train", "train.spacy")).exists()
    ]

    def run(corpus: Path, name: str, seed: int) -> dict[str, Any]:
        folder = output / corpus.name / name / f"seed-{seed}"
        return train(corpus, folder, known[name], seed)

    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(runs)) as progress:
        pending = [pool.submit(run, *key) for key in runs]
        for future in pending:
            future.add_done_callback(lambda _: progress.update())
        done = [future.result() for future in pending]
    rows = []
    for name in names:
        rows.append([name])
        for corpus in corpora:
            figures = [
                figure
                for figure, (of_corpus, of_name, _) in zip(done, runs, strict=True)
                if (of_corpus, of_name) == (corpus, name)
            ]
            rows[-1] += summary(figures) if figures else ["-", "-"]
    columns = [(f"F1 on dev of {corpus.name}", "seconds") for corpus in corpora]
    header = [f"{seeds} seeds", *(title for pair in columns for title in pair)]
    aligns = ["l", *"r" * (len(header) - 1)]
    msg.table(rows, header=header, aligns=aligns, divider=True)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    table = output / "table.md"
    with atomic_write(table) as new:
        new.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines), "utf-8")
    msg.good("Written:")
    print(table)


def summary(figures: list[dict[str, Any]]) -> list[str]:
    """Mean and range of F1, and the median of the training time in seconds."""
    f1 = [100 * figure["ents_f"] for figure in figures]
    seconds = statistics.median(figure["seconds"] for figure in figures)
    spread = f" ({min(f1):.1f} to {max(f1):.1f})" if len(f1) > 1 else ""
    return [f"{statistics.mean(f1):.2f}{spread}", f"{seconds:.0f}"]


def train(corpus: Path, folder: Path, change: dict[str, Any], seed: int) -> Figures:
    """Train a pipeline, unless that was done before, and return its figures on dev.

    change: Settings of the config to change, by their names with dots; `config` is the
        name of the config, and `train` the file of the corpus to train on.
    """
    settings = {"train": "train.spacy", "config": "lstm_ner"} | change
    settings["paths.train"] = str(corpus / settings.pop("train"))
    settings["paths.dev"] = str(corpus / "dev.spacy")
    settings["system.seed"] = seed
    config = ROOT / "configs" / f"{settings.pop('config')}.cfg"
    # Train again if the config or a setting changed.
    key = hashlib.sha256(config.read_bytes() + json(settings).encode()).hexdigest()
    figures = folder / "figures.json"
    if not figures.exists() or srsly.read_json(figures).get("key") != key:
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
        measured = {"ents_f": scores["ents_f"], "seconds": seconds, "key": key}
        with atomic_write(figures) as new:
            srsly.write_json(new, measured)
    return srsly.read_json(figures)


def json(value: Any) -> str:
    return srsly.json_dumps(value)


if __name__ == "__main__":
    typer.run(main)
