"""Compare `lstm_nested_ner` with spaCy's `spancat` on the same data: F1, time to train,
characters per second, and memory.

Both are trained on the CPU with one thread, one after the other, and stop when they no
longer improve on the development data. `spancat` is set up as `python -m spacy init
config --lang zh --pipeline spancat` does it; only the sizes of its n-gram suggester are
set to those that 99% of the entities in the training data have. Times are CPU times,
and memory is the largest resident set of the process.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import spacy
import srsly
import typer
from spacy.cli.init_config import init_config
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus
from wasabi import msg

from spacy_lstm_ner import convert
from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import atomic_write

ROOT = Path(__file__).parents[1]
SPLIT, SEED = "80/10/10", 0
PARTS = ("train", "dev", "test")
# Times that the speed is measured; the fastest counts.
REPEATS = 3
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# The share of the entities in the training data that the suggester of spancat proposes.
COVERED = 0.99
# Rules for the news. A text is an entity inside of others if the training data has it
# as one at least so often, and at least this share of times with the same label. Dates
# and amounts consist of parts that are none.
MIN_COUNT, MIN_SHARE, MIN_LENGTH = 3, 0.8, 2
WITHOUT_PARTS = ("TIM", "NUM")


@exit_on_error()
def main(
    news: Annotated[
        Path | None, typer.Option(help="train_data3.txt, to compare on the news, too")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each", min=1)] = 1,
    config: Annotated[str, typer.Option(help="Config of lstm_nested_ner")] = "nested",
    max_steps: Annotated[
        int, typer.Option(help="Maximum number of steps of spancat")
    ] = 20_000,
    output: Annotated[
        Path, typer.Option("--output", "-o", show_default="training/nested")
    ] = ROOT / "training" / "nested",
) -> None:
    """Train both on the nested sample, and on the news with nested entities, and write
    table.md and figures.json in the output folder.

        python scripts/measure_nested.py --news assets/train_data3.txt
    """
    corpora = {"nested sample": output / "sample"}
    convert(
        ROOT / "assets" / "nested" / "news.jsonl",
        corpora["nested sample"],
        split=SPLIT,
        seed=SEED,
    )
    if news is not None:
        corpora["news"] = output / "news"
        convert(news, corpora["news"], split=SPLIT, seed=SEED)
        nest_news(corpora["news"])
    figures: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, corpus in corpora.items():
        spancat, covered = spancat_config(corpus, output / corpus.name, max_steps)
        msg.info(f"{name}: the suggester of spancat covers {covered:.1%}")
        configs = {
            "lstm_nested_ner": ROOT / "configs" / f"{config}.cfg",
            "spancat": spancat,
        }
        figures[name] = {
            component: [
                measure(
                    path, corpus, output / corpus.name / f"{component}-{seed}", seed
                )
                for seed in range(seeds)
            ]
            for component, path in configs.items()
        }
        write(figures, output)


def nest_news(corpus: Path) -> None:
    """Add entities to the span group "sc" of the news, which are annotated without
    overlaps, by two rules:

    - Parts: an occurrence of a text inside of an entity is an entity, too, if the
      training data has this text as an entity at least 3 times, and at least 80% of
      them with one label. Of those that overlap and have the same label, the longest
      one. Not inside of TIM and NUM.
    - Pairs: a POS together with the COU and ORG directly before it is a TITLE, and
      together with the PER directly after it a REF. Both may cross.
    """
    vocab = spacy.blank("zh").vocab
    docs = {
        part: list(DocBin().from_disk(corpus / f"{part}.spacy").get_docs(vocab))
        for part in PARTS
    }
    labels: dict[str, Counter[str]] = {}
    for doc in docs["train"]:
        for ent in doc.ents:
            labels.setdefault(ent.text, Counter())[ent.label_] += 1
    known = {}
    for text, counts in labels.items():
        ((label, n),) = counts.most_common(1)
        is_frequent = n >= MIN_COUNT and n >= MIN_SHARE * counts.total()
        if is_frequent and len(text) >= MIN_LENGTH and label not in WITHOUT_PARTS:
            known[text] = label
    for part, some in docs.items():
        found = DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
        for doc in some:
            spans = [*doc.ents, *parts(doc, known), *pairs(doc)]
            first = {(s.start, s.end, s.label_): s for s in spans}
            doc.spans["sc"] = [first[key] for key in sorted(first)]
            found.add(doc)
        found.to_disk(corpus / f"{part}.spacy")


def parts(doc: Doc, known: dict[str, str]) -> list[Span]:
    """The entities inside of others, see `nest_news`."""
    found = []
    for ent in doc.ents:
        if ent.label_ in WITHOUT_PARTS:
            continue
        occupied: dict[str, set[int]] = {}
        text, first = ent.text, ent.start_char
        places = [(i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
        for i, j in sorted(places, key=lambda place: place[0] - place[1]):
            label = known.get(text[i:j])
            taken = occupied.setdefault(label or "", set())
            if label is None or j - i == len(text) or not taken.isdisjoint(range(i, j)):
                continue
            span = doc.char_span(first + i, first + j, label=label)
            if span is not None:
                found.append(span)
                taken.update(range(i, j))
    return found


def pairs(doc: Doc) -> list[Span]:
    """The entities that consist of adjacent ones, see `nest_news`."""
    found = []
    ents = list(doc.ents)
    for i, ent in enumerate(ents):
        if ent.label_ != "POS":
            continue
        first = i
        while first and ents[first - 1].end == ents[first].start:
            if ents[first - 1].label_ not in ("COU", "ORG"):
                break
            first -= 1
        if first < i:
            found.append(Span(doc, ents[first].start, ent.end, "TITLE"))
        after = ents[i + 1 : i + 2]
        if after and after[0].label_ == "PER" and after[0].start == ent.end:
            found.append(Span(doc, ent.start, after[0].end, "REF"))
    return found


def spancat_config(corpus: Path, folder: Path, max_steps: int) -> tuple[Path, float]:
    """Write the config of `spancat`.

    RETURNS: The file, and the share of the entities in the training data that its
        suggester proposes.
    """
    sizes: Counter[int] = Counter(
        len(span)
        for eg in Corpus(corpus / "train.spacy")(spacy.blank("zh"))
        for span in eg.reference.spans["sc"]
    )
    covered = 0
    for size in sorted(sizes):
        covered += sizes[size]
        if covered >= COVERED * sizes.total():
            break
    config = init_config(lang="zh", pipeline=["spancat"], optimize="efficiency")
    suggester = config["components"]["spancat"]["suggester"]
    suggester["sizes"] = list(range(1, size + 1))
    config["training"]["max_steps"] = max_steps
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spancat.cfg"
    config.to_disk(path)
    return path, covered / sizes.total()


def measure(config: Path, corpus: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Train a pipeline, unless that was done before, and measure it.

    RETURNS: Its scores on the test data, and times and memory of both.
    """
    done = folder / "figures.json"
    if done.exists():
        figures: dict[str, Any] = srsly.read_json(done)
        return figures
    msg.info(f"Training {folder}")
    seconds, memory = run(
        *("-m", "spacy", "train", config, "--output", folder),
        *("--paths.train", corpus / "train.spacy", "--paths.dev", corpus / "dev.spacy"),
        *("--system.seed", seed),
    )
    predicted = folder / "predicted.json"
    _, memory_in_use = run(
        "-c",
        "import sys; sys.path.insert(0, sys.argv[1]); import measure_nested; "
        "measure_nested.predict(*sys.argv[2:])",
        *(
            Path(__file__).parent,
            folder / "model-best",
            corpus / "test.spacy",
            predicted,
        ),
    )
    figures = {
        **srsly.read_json(predicted),
        "training_seconds": seconds,
        "training_memory": memory,
        "memory": memory_in_use,
    }
    srsly.write_json(done, figures)
    return figures


def run(*arguments: object) -> tuple[float, float]:
    """Run Python with one thread.

    RETURNS: CPU seconds, and the largest resident set in MB.
    RAISES (SystemExit): If it fails.
    """
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.Popen(command, env={**os.environ, **ONE_THREAD})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"✘ failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def predict(model: str, data: str, output: str) -> None:
    """Score a pipeline, and measure its speed, in a process of its own."""
    from spacy_lstm_ner.evaluation.nested_scorer import nested_ner_score

    nlp = spacy.load(model)
    examples = list(Corpus(data)(nlp))
    texts = [eg.reference.text for eg in examples]
    best = 0.0
    for _ in range(REPEATS):
        start = time.process_time()
        docs = list(nlp.pipe(texts))
        best = max(best, sum(map(len, texts)) / (time.process_time() - start))
    for eg, doc in zip(examples, docs, strict=True):
        eg.predicted = doc
    scores = nested_ner_score(examples)
    kinds = scores["spans_sc_by_kind"]
    srsly.write_json(
        output,
        {
            "f": scores["spans_sc_f"],
            "p": scores["spans_sc_p"],
            "r": scores["spans_sc_r"],
            "ece": scores["spans_sc_ece"],
            "kinds": kinds,
            "speed": best,
        },
    )


def write(figures: dict[str, dict[str, list[dict[str, Any]]]], output: Path) -> None:
    """Write figures.json and table.md."""
    lines = [
        "| data | component | F1 | flat | nested | overlapping | training, s | "
        "characters per second | memory, training | memory, prediction |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, components in figures.items():
        for component, runs in components.items():

            def mean(
                *keys: str,
                runs: list[dict[str, Any]] = runs,
            ) -> float:
                values = []
                for one in runs:
                    value: Any = one
                    for key in keys:
                        value = value[key]
                    values.append(value or 0.0)
                return sum(values) / len(values)

            cells = [
                name,
                f"`{component}`",
                *(
                    f"{100 * mean(*keys):.1f}"
                    for keys in (
                        ("f",),
                        ("kinds", "flat", "f"),
                        ("kinds", "nested", "f"),
                        ("kinds", "overlapping", "f"),
                    )
                ),
                f"{mean('training_seconds'):,.0f}",
                f"{mean('speed'):,.0f}",
                f"{mean('training_memory'):,.0f} MB",
                f"{mean('memory'):,.0f} MB",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    with atomic_write(output / "figures.json") as new:
        srsly.write_json(new, figures)
    with atomic_write(output / "table.md") as new:
        new.write_text("\n".join(lines) + "\n", encoding="utf8")
    print("\n".join(lines))


if __name__ == "__main__":
    typer.run(main)
