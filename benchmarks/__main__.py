"""The command `python -m benchmarks`."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from . import growth, layers, memory, pipelines, serving, summary, tables
from .process import ROOT, VARIABLES_AVX2
from .records import Record, load, machine, machine_facts, save, select

PARTS = {
    "layers": layers,
    "memory": memory,
    "growth": growth,
    "pipelines": pipelines,
    "serving": serving,
}
#: Those that need data, and a pipeline trained on it.
WITH_DATA = ("pipelines", "serving")


class Part(str, Enum):
    """The parts that the command line accepts."""

    layers = "layers"
    memory = "memory"
    growth = "growth"
    pipelines = "pipelines"
    serving = "serving"


#: With --quick: fewer sizes and repeats, and pipelines that are hardly trained.
QUICK: dict[str, dict[str, Any]] = {
    "layers": {"units": (128,), "directions": (2,), "batches": (32,), "repeats": 1},
    "memory": {"batches": (32,)},
    "growth": {"steps": (1_000,), "sequences": (8,), "repeats": 1},
    "pipelines": {
        "max_steps": 100,
        "texts": 60,
        "sentences": 100,
        "repeats": 2,
        "many_texts": 1_000,
    },
    "serving": {"max_steps": 100, "texts": 500, "seconds": 2, "repeats": 1},
}

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.command()
def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help="Parts to measure; default: all")
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the results",
            file_okay=False,
            show_default="benchmarks/results",
        ),
    ] = ROOT / "benchmarks" / "results",
    data_dir: Annotated[
        Path,
        typer.Option(
            help="pipelines, serving: folder with resume/{train,dev,test}.char.bmes; "
            "`python -m spacy project assets` fills the default",
            envvar="SPACY_LSTM_NER_DATA",
            resolve_path=True,
            show_default="assets",
        ),
    ] = ROOT / "assets",
    max_steps: Annotated[
        int, typer.Option(help="pipelines and serving: training steps", min=1)
    ] = 500,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train the pipelines again")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer sizes and repeats, for a first look")
    ] = False,
    avx2: Annotated[
        bool,
        typer.Option(
            "--avx2",
            help="Hold everything to AVX2: the kernels, NumPy, its BLAS, and PyTorch",
        ),
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--from", help="Only print and draw the results in this file"),
    ] = None,
) -> None:
    """Measure the layers and the pipelines on one and on two threads.

    \b
    layers     steps per second of this LSTM, those of PyTorch and Thinc, and of the
               matrix products alone
    memory     peak memory of one call of each, on two threads
    growth     speed and memory by length and number of sequences, on two threads
    pipelines  the configs pretrained, lstm_ner and fast, and spaCy's ner, trained on
               the same data; nlp.pipe in one process and in two
    serving    requests to `lstm-ner serve` by 1, 8 and 64 clients; needs wrk

    Prints tables, and writes results.json, which `python -m pyperf show` can read, and
    a chart for each part. All figures are medians. The candidates are measured in
    turns, so that a temporary slowdown of the machine affects all of them. The run
    takes about 25 minutes on two idle cores, and two minutes with --quick.

    Examples:

    \b
    python -m benchmarks
    python -m benchmarks layers memory --quick
    python -m benchmarks pipelines --data-dir my/data
    python -m benchmarks --avx2 -o benchmarks/results/avx2
    python -m benchmarks --from benchmarks/results/results.json
    """
    output.mkdir(parents=True, exist_ok=True)
    if avx2:
        os.environ.update(VARIABLES_AVX2)
    if results is None:
        results = output / "results.json"
        options = {"data_dir": data_dir, "max_steps": max_steps, "retrain": retrain}
        names = [part.value for part in parts or Part]
        measure(names, options, quick, results)
    report(results, output)


def measure(
    names: list[str], options: dict[str, Any], quick: bool, results: Path
) -> None:
    """Measure the parts with these names, and save the results after each of them.

    options: The options of the parts `pipelines` and `serving`.
    RAISES (typer.BadParameter): If the data for these parts is missing.
    """
    data = options["data_dir"] / "resume" / "train.char.bmes"
    if (needed := set(names) & set(WITH_DATA)) and not data.is_file():
        others = ", ".join(name for name in PARTS if name not in WITH_DATA)
        raise typer.BadParameter(
            f"{', '.join(sorted(needed))}: needs {data}, which does not exist. "
            f"Download it with `python -m spacy project assets`, or choose other "
            f"parts: {others}."
        )
    load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    records: list[Record] = []
    for name in names:
        settings = options if name in WITH_DATA else {}
        settings = {**settings, **(QUICK[name] if quick else {})}
        records += PARTS[name].measure(**settings)
        save(records, results, load_before)


def report(results: Path, folder: Path) -> None:
    """Print the tables and draw the charts of the results."""
    records = load(results)
    facts = machine_facts(results)
    tables.machine = machine(facts)
    for name, part in PARTS.items():
        if found := select(records, part=name):
            part.show(found)
            part.draw(found, folder)
    summary.show(records, facts.get("instruction_set", ""))
    print("Written:", *sorted(folder.glob("*.svg")), results, sep="\n")


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
