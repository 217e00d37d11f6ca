"""Speed of three configs and of spaCy's `ner` on the same data."""

import hashlib
import sys
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from spacy_lstm_ner.util.atomic import AtomicSet

from .cases import THREADS
from .charts import bars, finish, label, panels
from .process import ROOT, in_new_process
from .records import Record, select, time_in_turns
from .tables import plural, print_table

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example
    from thinc.api import Config

CANDIDATES = ("pretrained", "lstm_ner", "fast", "ner")
#: Trained pipelines. Git ignores this folder.
CACHE = ROOT / "training" / "benchmarks"
PIPE = "nlp.pipe"
ONE_BY_ONE = "nlp(text)"
TRAINING = "training"
MANY = "nlp.pipe, many texts"
ONE_PROCESS, TWO_PROCESSES = "lstm_ner, 1 process", "lstm_ner, 2 processes"


def measure(
    data_dir: Path,
    max_steps: int = 1_500,
    retrain: bool = False,
    texts: int = 0,
    sentences: int = 400,
    repeats: int = 5,
    many_texts: int = 20_000,
) -> list[Record]:
    """Train the pipelines, unless they are cached, and time them.

    data_dir: Folder with resume/train.char.bmes, dev.char.bmes, test.char.bmes.
    max_steps: Number of training steps.
    retrain: Train them again even if they are cached.
    texts: Number of texts of the test file to process; 0 for all.
    sentences: Number of sentences on which training is timed.
    many_texts: Number of texts that are processed in one process and in two.
    """
    paths = {
        name: in_new_process(1, trained, name, data_dir, max_steps, retrain)
        for name in CANDIDATES
    }
    records = [
        record
        for threads in THREADS
        for record in in_new_process(
            threads, _measure, threads, paths, data_dir, texts, sentences, repeats
        )
    ]
    return records + in_new_process(
        1, _measure_processes, paths["lstm_ner"], data_dir, many_texts, repeats
    )


def _config(name: str, data_dir: Path, max_steps: int) -> "Config":
    from spacy.cli.init_config import init_config
    from spacy.util import load_config

    if name == "ner":
        config = init_config(lang="zh", pipeline=["ner"], optimize="efficiency")
    else:
        config = load_config(ROOT / "configs" / f"{name}.cfg")
    for part in ("train", "dev"):
        config["corpora"][part] = {
            "@readers": "spacy-lstm-ner.BIOCorpus.v1",
            "path": str(data_dir / "resume" / f"{part}.char.bmes"),
        }
    for settings in config["initialize"]["components"].values():
        settings.update(pretrain_steps=0)
    # Evaluate only at the beginning and at the end.
    config["training"].update(max_epochs=0, patience=0, max_steps=max_steps)
    config["training"]["eval_frequency"] = max_steps
    return config


def trained(name: str, data_dir: Path, max_steps: int, retrain: bool) -> Path:
    """Train a pipeline unless it is cached, and return its folder. The name of the
    folder contains a digest of the config, which includes the paths of the data."""
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train

    config = _config(name, data_dir, max_steps)
    key = hashlib.sha256(config.to_bytes()).hexdigest()[:8]
    path = CACHE / f"{name}-{max_steps}-{key}"
    if retrain or not path.exists():
        print(f"Training {name} in {max_steps} steps", file=sys.stderr)
        with AtomicSet() as files:
            new = files.add(path, replace_folder=True)
            folder = files.scratch(new.parent)
            train(init_nlp(config), folder)
            (folder / "model-last").rename(new)
    return path


def _measure(
    threads: int,
    paths: dict[str, Path],
    data_dir: Path,
    n_texts: int,
    n_sentences: int,
    repeats: int,
) -> list[Record]:
    import spacy

    from spacy_lstm_ner.data.corpus import BIOCorpus

    folder = data_dir / "resume"
    blank = spacy.blank("zh")
    test = BIOCorpus(folder / "test.char.bmes", limit=n_texts)(blank)
    texts = [eg.text for eg in test]
    train = list(BIOCorpus(folder / "train.char.bmes", limit=n_sentences)(blank))
    pipelines = {name: spacy.load(path) for name, path in paths.items()}
    train_texts = [eg.text for eg in train]
    tasks = (
        (PIPE, texts, lambda nlp: partial(_pipe, nlp, texts)),
        (ONE_BY_ONE, texts, lambda nlp: partial(_one_by_one, nlp, texts)),
        # Training is last, since it changes the weights.
        (TRAINING, train_texts, lambda nlp: _training(nlp, train)),
    )
    records = []
    for task, inputs, make_call in tqdm(
        tasks, f"pipelines, {plural(threads, 'thread')}"
    ):
        calls = {name: make_call(nlp) for name, nlp in pipelines.items()}
        for name, values in time_in_turns(calls, repeats).items():
            facts = {"part": "pipelines", "candidate": name, "task": task}
            facts |= {"threads": threads, "texts": len(inputs)}
            facts["items"] = sum(map(len, inputs))
            facts["ents_f"] = pipelines[name].meta["performance"]["ents_f"]
            records.append(Record(facts, values))
    return records


def _measure_processes(
    path: Path, data_dir: Path, n_texts: int, repeats: int
) -> list[Record]:
    """The same texts in one process and in two, with the start of the processes."""
    import spacy

    from spacy_lstm_ner.data.corpus import BIOCorpus

    nlp = spacy.load(path)
    test = BIOCorpus(data_dir / "resume" / "test.char.bmes")(spacy.blank("zh"))
    texts = list(islice(cycle([eg.text for eg in test]), n_texts))
    calls: dict[str, Callable[[], None]] = {
        ONE_PROCESS: partial(_pipe, nlp, texts),
        TWO_PROCESSES: partial(_pipe, nlp, texts, n_process=2),
    }
    facts = {"part": "pipelines", "task": MANY, "threads": 1, "texts": len(texts)}
    facts["items"] = sum(map(len, texts))
    return [
        Record({**facts, "candidate": name}, values)
        for name, values in time_in_turns(calls, min(repeats, 3)).items()
    ]


def _pipe(nlp: "Language", texts: list[str], n_process: int = 1) -> None:
    for _ in nlp.pipe(texts, n_process=n_process):
        pass


def _one_by_one(nlp: "Language", texts: list[str]) -> None:
    for text in texts:
        nlp(text)


def _training(nlp: "Language", examples: list["Example"]) -> Callable[[], None]:
    """A call that trains for one pass over the examples, in the loop of `spacy train`
    and with the batches, dropout and optimizer of the config."""
    from spacy.schemas import ConfigSchemaTraining
    from spacy.training.loop import train_while_improving
    from spacy.util import registry

    config = nlp.config.interpolate()["training"]
    size = config["batcher"]["size"]
    if isinstance(size, dict):
        # If the batch size grows, time the largest one: most of a long training uses
        # it, and it is faster.
        config["batcher"]["size"] = size["stop"]
    settings = registry.resolve(config, schema=ConfigSchemaTraining)
    batches = list(settings["batcher"](examples))
    updates = train_while_improving(
        nlp,
        settings["optimizer"],
        ((0, batch) for batch in cycle(batches)),
        # The evaluation does nothing, and runs only in the first call, which is not
        # counted.
        lambda: (0.0, {}),
        dropout=settings["dropout"],
        eval_frequency=sys.maxsize,
        accumulate_gradient=settings["accumulate_gradient"],
        patience=0,
        max_steps=0,
        exclude=settings["frozen_components"],
        annotating_components=settings["annotating_components"],
        before_update=settings["before_update"],
    )

    def call() -> None:
        for _ in islice(updates, len(batches)):
            pass

    return call


def show(records: list[Record]) -> None:
    for threads in THREADS:
        table = select(records, threads=threads)
        rows = []
        for record in table:
            ner = select(table, task=record.facts["task"], candidate="ner")
            f1 = record.facts.get("ents_f")
            milliseconds = 1000 * record.median / record.facts["texts"]
            rows.append(
                (
                    record.facts["task"],
                    record.facts["candidate"],
                    f"{record.speed:,.0f} ±{record.spread:.0%}",
                    f"{milliseconds:.2f}",
                    f"{ner[0].median / record.median:.2f}" if ner else "",
                    "" if f1 is None else f"{f1:.1%}",
                )
            )
        header = ("", "", "characters per second", "ms per text", "× ner", "F1 on dev")
        print_table(f"pipelines, {plural(threads, 'thread')}", header, rows, left=2)
    sentences = select(records, task=TRAINING)[0].facts["texts"]
    largest = "in the largest batches of the config"
    print(f"training: one pass over {sentences} sentences, {largest}")


def draw(records: list[Record], folder: Path) -> None:
    note = "characters per second; more is better"
    figure, all_axes = panels(1, 3, "Speed of the pipelines", note, height=250)
    names = [plural(threads, "thread") for threads in THREADS]
    for axes, task in zip(all_axes, (PIPE, ONE_BY_ONE, TRAINING), strict=True):
        series = {
            "spaCy’s ner" if name == "ner" else name: [
                # The speed of a machine varies by more than what is left out.
                float(f"{record.speed:.3g}")
                for threads in THREADS
                for record in select(
                    records, task=task, candidate=name, threads=threads
                )
            ]
            for name in CANDIDATES
            if select(records, candidate=name)
        }
        label(axes, task, "characters per second")
        bars(axes, names, series)
    finish(figure, folder / "pipelines.svg")
