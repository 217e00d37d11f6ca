"""Measure `lstm-ner pick`: F1 against the number of annotated sentences, for sentences
that are picked and for sentences at random.

The annotation of a corpus is revealed for the sentences that are picked, by the
function that the command uses. A pipeline is trained from scratch on each number of
sentences, and picks those that are added for the next number. With the same seed, all
strategies begin with the same random sentences. A pipeline is selected on the
development data; the test data is only used for the figures.

`scripts/draw_picking.py` makes a chart and tables of the results.
"""

import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import spacy
import srsly
import typer
from spacy.tokens import Doc, DocBin
from tqdm import tqdm
from wasabi import msg

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.evaluation.evaluate import evaluate
from spacy_lstm_ner.evaluation.uncertainty_sampling import STRATEGIES, pick_texts
from spacy_lstm_ner.util.atomic import atomic_write

ROOT = Path(__file__).parents[1]
CORPORA = [ROOT / "corpus" / name for name in ("resume", "msra")]
SIZES = [100, 200, 400, 800, 1600]
# Not a strategy of the command: a plain sample, with the duplicates that there are.
RANDOM = "random"


@dataclass(frozen=True)
class Run:
    """One strategy with one seed on one corpus, and where its files are."""

    corpus: Path
    seed: int
    strategy: str
    sizes: Sequence[int]
    output: Path

    def folder(self, size: int) -> Path:
        """The folder of a number of sentences. The first ones are random ones."""
        strategy = RANDOM if size == self.sizes[0] else self.strategy
        seed = f"seed-{self.seed}"
        return self.output / self.corpus.name / seed / strategy / str(size)


@exit_on_error()
def main(
    strategies: Annotated[
        list[str] | None,
        typer.Argument(help="random, and strategies of `pick`; default: all"),
    ] = None,
    corpora: Annotated[
        list[Path],
        typer.Option(
            "--corpus",
            "-c",
            help="Folder with train.spacy, dev.spacy and test.spacy; may be repeated",
            show_default="corpus/resume, corpus/msra",
        ),
    ] = CORPORA,
    sizes: Annotated[
        list[int],
        typer.Option("--size", help="Number of sentences; may be repeated", min=1),
    ] = SIZES,
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
            show_default="training/picking",
        ),
    ] = ROOT / "training" / "picking",
) -> None:
    """Train and measure what was not measured before, and write the figures to
    results.json in the output folder.

        python scripts/measure_picking.py random errors --corpus corpus/resume
    """
    strategies = strategies or [RANDOM, *STRATEGIES]
    if unknown := set(strategies).difference([RANDOM, *STRATEGIES]):
        msg.fail(f"No such strategy: {', '.join(sorted(unknown))}", exits=1)
    # Seed by seed, so that all strategies have results if the run is stopped early.
    runs = [
        Run(corpus, seed, strategy, sorted(sizes), output)
        for seed in range(seeds)
        for corpus in corpora
        for strategy in strategies
    ]
    first = {(run.corpus, run.seed): run for run in runs}.values()
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn) as pool:
        for n_sizes, some in ((1, first), (len(sizes), runs)):
            done = pool.map(partial(measure, n_sizes=n_sizes), some)
            list(tqdm(done, total=len(some)))
    results = [srsly.read_json(p) for p in sorted(output.glob("*/*/*/*/figures.json"))]
    with atomic_write(output / "results.json") as new:
        srsly.write_json(new, {"rounds": results})
    msg.good("Written:")
    print(output / "results.json")


def measure(run: Run, *, n_sizes: int) -> None:
    """Train and measure on the first sizes, unless that was done before."""
    for i, size in enumerate(run.sizes[:n_sizes]):
        folder = run.folder(size)
        if (folder / "figures.json").exists():
            continue
        vocab = spacy.blank("zh").vocab
        train = DocBin().from_disk(run.corpus / "train.spacy")
        docs = list(train.get_docs(vocab))
        start = time.perf_counter()
        chosen = choose(run, i, docs)
        picked = time.perf_counter()
        folder.mkdir(parents=True, exist_ok=True)
        srsly.write_json(folder / "chosen.json", chosen)
        annotated = [docs[k] for k in chosen]
        DocBin(docs=annotated).to_disk(folder / "train.spacy")
        train_pipeline(run, size)
        figures: dict[str, Any] = {
            "corpus": run.corpus.name,
            "seed": run.seed,
            # Of the first size: see `Run.folder`.
            "strategy": folder.parent.name,
            "sentences": size,
            "characters": sum(len(doc.text) for doc in annotated),
            "entities": sum(len(doc.ents) for doc in annotated),
            "seconds_to_pick": round(picked - start, 1),
            "seconds_to_train": round(time.perf_counter() - picked, 1),
        }
        for part in ("dev", "test"):
            scores = evaluate(folder / "model-best", run.corpus / f"{part}.spacy")
            figures[part] = scores["ents_f"]
        with atomic_write(folder / "figures.json") as new:
            srsly.write_json(new, figures)


def choose(run: Run, i: int, docs: list[Doc]) -> list[int]:
    """The sentences of the size with the index i: those of the size before, and new
    ones."""
    size = run.sizes[i]
    known: list[int] = []
    if i:
        previous = run.folder(run.sizes[i - 1])
        known = srsly.read_json(previous / "chosen.json")
    rest = sorted(set(range(len(docs))).difference(known))
    if run.strategy == RANDOM or not i:
        rng = random.Random(run.seed + size if i else run.seed)
        return known + rng.sample(rest, size - len(known))
    picks = pick_texts(
        spacy.load(previous / "model-best"),
        [docs[k].text for k in rest],
        size - len(known),
        strategy=run.strategy,
        annotated=[docs[k].text for k in known],
        seed=run.seed,
    )
    return known + [rest[pick.position] for pick in picks]


def train_pipeline(run: Run, size: int) -> None:
    """Train a pipeline, in a process of its own."""
    settings = {
        "output": run.folder(size),
        "paths.train": run.folder(size) / "train.spacy",
        "paths.dev": run.corpus / "dev.spacy",
        "system.seed": run.seed,
        "training.max_epochs": 0,
        # A small number of sentences is read more often.
        "training.max_steps": 400 + size // 2,
        "training.eval_frequency": 200,
    }
    command = [sys.executable, "-m", "spacy", "train", str(ROOT / "configs/fast.cfg")]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError("\n".join([" ".join(command), done.stdout, done.stderr]))


if __name__ == "__main__":
    typer.run(main)
