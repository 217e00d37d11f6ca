"""Measure distillation: students of texts that teachers have annotated, compared with
the teachers, and with students of the gold data alone."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import spacy
import srsly
import typer
from run_experiments import ROOT, train
from spacy.training import Corpus
from wasabi import msg

from spacy_lstm_ner import distill
from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import atomic_write

# Times that the speed is measured; the fastest counts.
REPEATS = 3
GOLD_AND_SILVER = {"corpora.train.@readers": "spacy-lstm-ner.GoldAndSilver.v1"}
Figures = dict[str, float]


@exit_on_error()
def main(
    corpus: Annotated[
        Path, typer.Argument(help="Folder with train.spacy, dev.spacy and test.spacy")
    ],
    texts: Annotated[Path, typer.Argument(help="Texts without annotation")],
    teachers: Annotated[int, typer.Option(help="Seeds of the teachers", min=1)] = 5,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="Use this pipeline in place of trained teachers; repeatable"),
    ] = None,
    teacher_config: Annotated[
        str, typer.Option(help="Config of teachers")
    ] = "lstm_ner",
    config: Annotated[str, typer.Option(help="Config of the students")] = "lstm_ner",
    seeds: Annotated[int, typer.Option(help="Seeds of each student", min=1)] = 3,
    threshold: Annotated[float, typer.Option(help="See lstm-ner distill")] = 0.9,
    silver_weight: Annotated[float, typer.Option(help="Of silver with gold")] = 1.0,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", show_default="training/distillation"),
    ] = ROOT / "training" / "distillation",
) -> None:
    """Train teachers and students, and write table.md and figures.json in the output
    folder: F1 on dev and test, and the speed of each. What exists is not done again.

        python scripts/measure_distillation.py corpus/msra raw.txt --teachers 5
    """
    folders = teacher or [
        model(corpus, output / f"teacher-{seed}", {"config": teacher_config}, seed)
        for seed in range(teachers)
    ]
    figures = {"teacher": [measure(folder, corpus) for folder in folders]}
    if len(folders) > 1:
        figures["teachers together"] = [together(folders, corpus, output)]
    variants: dict[str, dict[str, Any]] = {"student, gold": {}}
    for kind in ("soft", "hard"):
        silver = output / f"silver-{kind}-{threshold}.spacy"
        if not silver.exists():
            run = distill(
                folders,
                texts,
                silver,
                threshold=threshold,
                soft=kind == "soft",
                progress=True,
            )
            msg.info(
                f"{kind}: {run.texts} texts, {run.missing / run.tokens:.1%} unknown"
            )
        path = str(silver.resolve())
        weighted = {"corpora.train.silver_weight": silver_weight}
        both = GOLD_AND_SILVER | weighted | {"corpora.train.silver": path}
        variants[f"student, {kind} silver"] = {"train": path}
        variants[f"student, gold and {kind} silver"] = both
    for name, change in variants.items():
        folder = output / name.replace(", ", "-").replace(" ", "-")
        figures[name] = [
            measure(
                model(
                    corpus, folder / f"seed-{seed}", change | {"config": config}, seed
                ),
                corpus,
            )
            for seed in range(seeds)
        ]
    write(figures, output)


def model(corpus: Path, folder: Path, change: dict[str, Any], seed: int) -> Path:
    """Train a pipeline, unless that was done before.

    RETURNS: Its folder.
    """
    train(corpus.resolve(), folder, change, seed)
    return folder / "model-best"


def measure(folder: Path, corpus: Path) -> Figures:
    """F1 on dev and test, and the speed on test, of a pipeline."""
    nlp = spacy.load(folder)
    found = {
        part: nlp.evaluate(list(Corpus(corpus / f"{part}.spacy")(nlp)))["ents_f"]
        for part in ("dev", "test")
    }
    texts = [eg.reference.text for eg in Corpus(corpus / "test.spacy")(nlp)]
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _doc in nlp.pipe(texts):
            pass
        seconds.append(time.perf_counter() - start)
    return found | {"speed": sum(map(len, texts)) / min(seconds)}


def together(folders: list[Path], corpus: Path, output: Path) -> Figures:
    """F1 of all teachers together: the entities with a mean probability above one
    half."""
    found: Figures = {}
    for part in ("dev", "test"):
        gold = corpus / f"{part}.spacy"
        path = output / f"together-{part}.spacy"
        run = distill(folders, gold, path, threshold=0.500001, soft=False)
        predicted, annotated = set(entities(path)), set(entities(gold))
        both = len(predicted & annotated)
        found[part] = 2 * both / max(len(predicted) + len(annotated), 1)
        found["speed"] = run.characters / run.seconds
    return found


def entities(path: Path) -> Iterator[tuple[str, int, int, str]]:
    for example in Corpus(path)(spacy.blank("zh")):
        doc = example.reference
        for ent in doc.ents:
            yield doc.text, ent.start_char, ent.end_char, ent.label_


def write(figures: dict[str, list[Figures]], output: Path) -> None:
    """Write the figures, and the mean of each over the seeds as a table."""
    header = ["", "F1 on dev", "F1 on test", "characters a second"]
    rows = []
    for name, found in figures.items():
        dev, test = (
            100 * statistics.mean(each[part] for each in found)
            for part in ("dev", "test")
        )
        speed = statistics.mean(each["speed"] for each in found)
        rows.append([name, f"{dev:.2f}", f"{test:.2f}", f"{speed:,.0f}"])
    msg.table(rows, header=header, aligns=("l", "r", "r", "r"), divider=True)
    lines = [header, ["---", *["---:"] * 3], *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    for name, content in (
        ("table.md", text),
        ("figures.json", srsly.json_dumps(figures, indent=2)),
    ):
        with atomic_write(output / name) as new:
            new.write_text(content, "utf-8")
        print(output / name)


if __name__ == "__main__":
    typer.run(main)
