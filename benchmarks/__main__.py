"""The command `python -m benchmarks`."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from . import growth, layers, memory, pipelines, summary
from .process import ROOT
from .records import Record, load, machine, save, select

PARTS = {
    "layers": layers,
    "memory": memory,
    "growth": growth,
    "pipelines": pipelines,
}


class Part(str, Enum):
    """What may be named on the command line."""

    layers = "layers"
    memory = "memory"
    growth = "growth"
    pipelines = "pipelines"


#: With --quick: fewer sizes, fewer repeats, and pipelines that have hardly learned.
QUICK: dict[str, dict[str, Any]] = {
    "layers": {"units": (128,), "directions": (2,), "batches": (32,), "repeats": 1},
    "memory": {"batches": (32,)},
    "growth": {"steps": (1_000,), "sequences": (8,), "repeats": 1},
    "pipelines": {"max_steps": 100, "texts": 60, "stretch": 100, "repeats": 2},
}

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.command()
def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help="What to measure; default: all")
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for the results", file_okay=False),
    ] = ROOT / "benchmarks" / "results",
    data_dir: Annotated[
        Path,
        typer.Option(
            help="pipelines: folder with resume/{train,dev,test}.char.bmes; "
            "`python -m spacy project assets` fills the default",
            envvar="SPACY_LSTM_NER_DATA",
            resolve_path=True,
        ),
    ] = ROOT / "assets",
    max_steps: Annotated[
        int, typer.Option(help="pipelines: train on so many batches", min=1)
    ] = 1_500,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="pipelines: train again")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few sizes and repeats, to try it out")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option("--from", help="Measure nothing: show and draw this results.json"),
    ] = None,
) -> None:
    """Measure the layers and the pipelines, on one thread and on two.

    \b
    layers     LSTM, PyTorch's, Thinc's, and matrix products alone: steps a second
    memory     the same: peak memory of a call, on two threads
    growth     speed and memory against length and number of sequences, on two
    pipelines  the configs lstm_ner and fast, and spaCy's ner, trained on the same data

    Tables are printed; results.json, which `python -m pyperf show` reads, and a chart
    for each part go into a folder. All figures are medians; candidates take turns, so
    that a machine that slows down for a while slows down all of them. It takes about 20
    minutes on two cores that do nothing else, --quick two.

    Examples:

    \b
    python -m benchmarks
    python -m benchmarks layers memory --quick
    python -m benchmarks pipelines --data-dir my/data
    python -m benchmarks --from benchmarks/results/results.json
    """
    output.mkdir(parents=True, exist_ok=True)
    if results is None:
        results = output / "results.json"
        options = {"data_dir": data_dir, "max_steps": max_steps, "retrain": retrain}
        names = [part.value for part in parts or Part]
        measure(names, options, quick, results)
    report(results, output)


def measure(
    names: list[str], options: dict[str, Any], quick: bool, results: Path
) -> None:
    """Run the parts with these names; keep what there is after each of them.

    options (dict[str, Any]): For the part `pipelines`.
    """
    data = options["data_dir"] / "resume" / "train.char.bmes"
    if "pipelines" in names and not data.is_file():
        others = ", ".join(name for name in PARTS if name != "pipelines")
        raise typer.BadParameter(
            f"{data} is not there, which the part pipelines needs. Run `python -m "
            f"spacy project assets`, or name the parts that you want: {others}."
        )
    records: list[Record] = []
    for name in names:
        settings = options if name == "pipelines" else {}
        settings = {**settings, **(QUICK[name] if quick else {})}
        records += PARTS[name].measure(**settings)
        save(records, results)


def report(results: Path, folder: Path) -> None:
    """Print the tables and draw the charts of what was measured."""
    records = load(results)
    for name, part in PARTS.items():
        if found := select(records, part=name):
            part.show(found)
            part.draw(found, folder)
    summary.show(records)
    print(f"Measured on: {machine(results)}")
    print("Written:", *sorted(folder.glob("*.svg")), results, sep="\n")


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
