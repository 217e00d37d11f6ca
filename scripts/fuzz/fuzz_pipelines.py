"""Damaged pipelines: `python scripts/fuzz pipelines`.

Each copy of a small pipeline, trained on the sample data, has flipped bits, changed or
missing bytes, a missing file, or two files swapped. It must predict the same entities
with the same probabilities; or loading it must raise an error with a message; or, if a
setting in its config changed, there must be a warning.
"""

import random
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.pipeline.annotating import entity_scores
from spacy_lstm_ner.pipeline.loading import load_pipeline
from spacy_lstm_ner.util.progress import with_progress

SAMPLE = Path(__file__).parents[2] / "assets" / "sample" / "resume.json"
MODEL = {
    "tok2vec": {"embed": {"width": 8, "rows": [100, 300]}, "encode": {"width": 16}}
}
Found = list[list[tuple[int, int, str, float | None]]]


def trained_pipeline(seed: int = 0) -> tuple[Language, list[str]]:
    """A small pipeline, trained for a few seconds, and texts for it."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": MODEL})
    examples = list(BIOCorpus(SAMPLE, limit=60)(nlp))
    fix_random_seed(seed)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.02)
    for _ in range(60):
        batch = [Example(nlp.make_doc(eg.text), eg.reference) for eg in examples[:30]]
        nlp.update(batch, sgd=optimizer)
    return nlp, [eg.text for eg in examples[:8]]


def found(nlp: Language, texts: list[str]) -> Found:
    return [
        [
            (ent.start_char, ent.end_char, ent.label_, score and round(score, 6))
            for ent, score in zip(doc.ents, entity_scores(doc), strict=True)
        ]
        for doc in nlp.pipe(texts)
    ]


# Arguments: the file to damage, the other files, and a random number generator.
Damage = Callable[[Path, list[Path], random.Random], None]


def flip_bits(path: Path, others: list[Path], rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def change_bytes(path: Path, others: list[Path], rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if data:
        start = rng.randrange(len(data))
        size = min(rng.choice((1, 4, 64)), len(data) - start)
        data[start : start + size] = rng.randbytes(size)
    path.write_bytes(data)


def truncate(path: Path, others: list[Path], rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def remove_bytes(path: Path, others: list[Path], rng: random.Random) -> None:
    data = path.read_bytes()
    start = rng.randrange(len(data) + 1)
    path.write_bytes(data[:start] + data[start + rng.choice((1, 4, 64)) :])


def insert_bytes(path: Path, others: list[Path], rng: random.Random) -> None:
    data = path.read_bytes()
    start = rng.randrange(len(data) + 1)
    path.write_bytes(
        data[:start] + rng.randbytes(rng.choice((1, 4, 64))) + data[start:]
    )


def change_digit(path: Path, others: list[Path], rng: random.Random) -> None:
    """Change a digit, as someone who edits the file could do."""
    data = bytearray(path.read_bytes())
    digits = [i for i, byte in enumerate(data) if byte in b"0123456789"]
    if digits:
        data[rng.choice(digits)] = rng.choice(b"0123456789")
    path.write_bytes(data)


def change_line(path: Path, others: list[Path], rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        i = rng.randrange(len(lines))
        lines[i : i + 1] = rng.choice(([], [lines[i]] * 2, [rng.choice(lines)]))
    path.write_bytes(b"".join(lines))


def remove(path: Path, others: list[Path], rng: random.Random) -> None:
    path.unlink()


def swap(path: Path, others: list[Path], rng: random.Random) -> None:
    other = rng.choice(others)
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)


DAMAGES: list[tuple[Damage, int]] = [
    (flip_bits, 8),
    (change_bytes, 3),
    (truncate, 3),
    (remove_bytes, 2),
    (insert_bytes, 2),
    (change_digit, 3),
    (change_line, 2),
    (remove, 1),
    (swap, 2),
]


def outcome(folder: Path, texts: list[str], expected: Found) -> str:
    """Load a damaged pipeline and compare its predictions.

    RETURNS: "unchanged", "rejected" or "warned".
    RAISES (AssertionError): If its predictions differ without a warning.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            nlp = load_pipeline(folder)
            actual = found(nlp, texts)
        except (ValueError, OSError, ImportError) as error:
            assert str(error).strip(), "an error without a message"
            return "rejected"
    if actual == expected:
        return "unchanged"
    assert caught, "predictions differ without a warning"
    return "warned"


def fuzz_pipelines(
    count: int, seed: int, folder: Path, *, progress: bool = False
) -> tuple[Counter[str], list[str]]:
    """Load damaged pipelines.

    count: Number of pipelines.
    seed: Seed of the random damage.
    folder: Folder for the pipelines. Those that fail are kept.
    progress: Show a progress bar.
    RETURNS: How often each outcome occurred, and a message for each failure.
    """
    outcomes: Counter[str] = Counter()
    failures = []
    damages, shares = zip(*DAMAGES, strict=True)
    with tempfile.TemporaryDirectory() as temporary:
        intact = Path(temporary) / "intact"
        nlp, texts = trained_pipeline()
        nlp.to_disk(intact)
        expected = found(load_pipeline(intact), texts)
        files = sorted(p.relative_to(intact) for p in intact.rglob("*") if p.is_file())
        weights = [4 if path.parts[0] == "lstm_ner" else 1 for path in files]
        for number in with_progress(range(count), progress, "Pipelines"):
            # One seed per pipeline, so that each can be generated alone.
            rng = random.Random(f"{seed} {number}")
            damaged = folder / f"{seed}-{number}"
            shutil.copytree(intact, damaged)
            (name,) = rng.choices(files, weights)
            (damage,) = rng.choices(damages, shares)
            damage(damaged / name, [damaged / p for p in files if p != name], rng)
            try:
                result = outcome(damaged, texts, expected)
            except Exception as error:
                what = f"{damaged}: {name}, {damage.__name__}"
                failures.append(f"{what}: {type(error).__name__}: {error}"[:2000])
                result = "FAILED"
            else:
                shutil.rmtree(damaged)
            outcomes[result] += 1
    return outcomes, failures
