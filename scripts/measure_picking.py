"""Measure `lstm-ner pick`: F1 against the number of annotated sentences, for texts that
were picked and for texts at random.

The annotation of a corpus is hidden, and revealed for the texts that are picked, with
the function of the command. All strategies of a seed begin with the same 100 random
texts; a pipeline is trained from scratch at each size, and picks the texts that are
added for the next one.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import spacy
import srsly
import typer
from spacy.tokens import DocBin
from tqdm import tqdm
from wasabi import msg

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.evaluation.evaluate import evaluate
from spacy_lstm_ner.evaluation.uncertainty_sampling import pick_texts
from spacy_lstm_ner.util.atomic import atomic_write

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "fast.cfg"
SIZES = [100, 200, 400, 800, 1600]
# No strategy of the command: a plain sample, with whatever duplicates there are.
RANDOM = "random"


@exit_on_error()
def main(
    strategies: Annotated[
        list[str] | None,
        typer.Argument(help="random, and strategies of `pick`"),
    ] = None,
    corpora: Annotated[
        list[Path] | None,
        typer.Option(
            "--corpus",
            "-c",
            help="Folder with train.spacy, dev.spacy and test.spacy; may be repeated",
            show_default="corpus/resume, corpus/msra",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds, from 0", min=1)] = 3,
    jobs: Annotated[
        int, typer.Option(help="Number of parallel trainings, one thread each", min=1)
    ] = 1,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder", show_default="training/picking"),
    ] = ROOT / "training" / "picking",
) -> None:
    """Run the rounds that were not run before, and write all figures to results.json in
    the output folder.

        python scripts/measure_picking.py random confidence --corpus corpus/resume
    """
    strategies = strategies or [RANDOM, "errors", "confidence", "entity"]
    corpora = corpora or [ROOT / "corpus" / name for name in ("resume", "msra")]
    # Seed by seed, so that all strategies have results if it is stopped early.
    runs = [
        (corpus, seed, strategy)
        for seed in range(seeds)
        for corpus in corpora
        for strategy in strategies
    ]
    # The round that all strategies begin with is run once.
    starts = [(c, seed, RANDOM) for seed in range(seeds) for c in corpora]
    with tqdm(total=len(starts) + len(runs)) as progress, ThreadPoolExecutor(jobs) as p:

        def run(key: tuple[Path, int, str], n_rounds: int) -> None:
            for size in SIZES[:n_rounds]:
                one_round(*key, size, output)
            progress.update()

        list(p.map(lambda key: run(key, 1), starts[:jobs]))
        list(p.map(lambda key: run(key, len(SIZES)), runs))
    figures = list(all_figures(output))
    with atomic_write(output / "results.json") as new:
        srsly.write_json(new, {"sizes": SIZES, "rounds": figures})
    msg.good("Written:")
    print(output / "results.json")


def all_figures(output: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(output.glob("*/seed-*/*/*/figures.json")):
        yield srsly.read_json(path)


def one_round(corpus: Path, seed: int, strategy: str, size: int, output: Path) -> None:
    """Train on `size` sentences, measure, and pick the sentences of the next round,
    unless that was done before."""
    if size == SIZES[0]:
        strategy = RANDOM
    folder = output / corpus.name / f"seed-{seed}" / strategy / str(size)
    if (folder / "figures.json").exists():
        return
    command = [sys.executable, __file__, "--round", str(corpus), str(seed)]
    command += [strategy, str(size), str(output)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=os.environ | threads, capture_output=True, text=True
    )
    if done.returncode:
        msg.fail(" ".join(command), done.stdout + done.stderr, exits=1)


def train_and_measure(
    corpus: Path, seed: int, strategy: str, size: int, output: Path
) -> None:
    """One round, in a process of its own."""
    runs = output / corpus.name / f"seed-{seed}"
    folder = runs / strategy / str(size)
    nlp = spacy.blank("zh")
    docs = list(DocBin().from_disk(corpus / "train.spacy").get_docs(nlp.vocab))
    seconds_to_pick = 0.0
    if size == SIZES[0]:
        chosen = sample(range(len(docs)), size, seed)
    else:
        before = SIZES[SIZES.index(size) - 1]
        last = runs / (RANDOM if before == SIZES[0] else strategy) / str(before)
        done = srsly.read_json(last / "chosen.json")
        rest = sorted(set(range(len(docs))).difference(done))
        start = time.perf_counter()
        if strategy == RANDOM:
            new = sample(rest, size - before, seed + size)
        else:
            picks = pick_texts(
                spacy.load(last / "model-best"),
                [docs[i].text for i in rest],
                size - before,
                strategy=strategy,
                annotated=[docs[i].text for i in done],
                seed=seed,
            )
            new = [rest[pick.position] for pick in picks]
        seconds_to_pick = time.perf_counter() - start
        chosen = done + new
    folder.mkdir(parents=True, exist_ok=True)
    srsly.write_json(folder / "chosen.json", chosen)
    train = [docs[i] for i in chosen]
    DocBin(docs=train).to_disk(folder / "train.spacy")
    start = time.perf_counter()
    run_training(corpus, folder, seed, size)
    seconds = time.perf_counter() - start
    model = folder / "model-best"
    figures = {
        "corpus": corpus.name,
        "seed": seed,
        "strategy": strategy,
        "size": size,
        "sentences": len(train),
        "characters": sum(len(doc.text) for doc in train),
        "entities": sum(len(doc.ents) for doc in train),
        "dev": evaluate(model, corpus / "dev.spacy")["ents_f"],
        "test": evaluate(model, corpus / "test.spacy")["ents_f"],
        "seconds": round(seconds, 1),
        "seconds_to_pick": round(seconds_to_pick, 1),
    }
    with atomic_write(folder / "figures.json") as file:
        srsly.write_json(file, figures)


def sample(items: Any, n: int, seed: int) -> list[int]:
    return random.Random(seed).sample(list(items), n)


def run_training(corpus: Path, folder: Path, seed: int, size: int) -> None:
    # More steps for more sentences; a small set is read more often.
    settings = {
        "paths.train": folder / "train.spacy",
        "paths.dev": corpus / "dev.spacy",
        "system.seed": seed,
        "training.max_epochs": 0,
        "training.max_steps": 400 + size // 2,
        "training.eval_frequency": 200,
    }
    command = [sys.executable, "-m", "spacy", "train", str(CONFIG)]
    command += ["--output", str(folder)]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--round"]:
        corpus_name, seed_text, strategy_name, size_text, output_name = sys.argv[2:]
        train_and_measure(
            Path(corpus_name),
            int(seed_text),
            strategy_name,
            int(size_text),
            Path(output_name),
        )
    else:
        typer.run(main)
