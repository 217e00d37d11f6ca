"""The made-up data: labels that fit, and a README that tells the truth about it."""

import ast
import json
import re
import runpy
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from spacy_lstm_ner.data.split import parse_split, split_records
from spacy_lstm_ner.tags import Span
from spacy_lstm_ner.tags.nesting import FLAT, NESTED, OVERLAPPING, n_by_kind, nest

from .helpers.paths import NESTED_SAMPLE

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "assets" / "sample"
LABELS = {
    "resume.json": "CONT EDU LOC NAME ORG PRO RACE TITLE",
    "news.txt": "COU EQU EVT LOC NUM ORG PER POS TIM",
    "easy.json": "CONT EDU LOC NAME ORG PRO RACE TITLE",
}
EASY = ("easy.json", str)
NOISY = ("resume.json", "news.txt")
PARTS = ("train", "dev", "test")


def read(path: Path) -> list[dict]:
    """Read the records of either file, each with its own parser."""
    parse: Callable = json.loads if path.suffix == ".json" else ast.literal_eval
    return [parse(line) for line in path.read_text(encoding="utf-8").splitlines()]


def check(records: list[dict], text_type: type) -> None:
    """Check that each character has a label, that the labels are BIO, and that no
    sentence comes twice."""
    for record in records:
        text, labels = record["text"], record["labels"]
        assert isinstance(text, text_type)
        assert all(len(char) == 1 for char in text)
        assert len(text) == len(labels)
        for before, label in pairwise(["O", *labels]):
            prefix, _, name = label.partition("-")
            assert prefix in ("O", "B", "I")
            if prefix == "I":
                assert before in (f"B-{name}", f"I-{name}")
    assert len({"".join(record["text"]) for record in records}) == len(records)


def spans_of(record: dict) -> set[tuple[int, int, str]]:
    """Start, end and label of the entities of a record."""
    spans, labels = set(), [*record["labels"], "O"]
    for start, tag in enumerate(labels):
        if tag.startswith("B-"):
            end = start + 1
            while labels[end].startswith("I-"):
                end += 1
            spans.add((start, end, tag[2:]))
    return spans


def entities_of(records: list[dict]) -> set[tuple[str, str]]:
    """Text and label of all entities."""
    return {
        ("".join(record["text"][start:end]), label)
        for record in records
        for start, end, label in spans_of(record)
    }


def test_sample_labels_fit():
    check(read(SAMPLE / "resume.json"), str)
    check(read(SAMPLE / "news.txt"), list)
    check(read(SAMPLE / "easy.json"), str)


@pytest.mark.parametrize("name", LABELS)
def test_sample_is_what_readme_says(name):
    records = read(SAMPLE / name)
    tags = [tag for record in records for tag in record["labels"]]
    assert {tag[2:] for tag in tags if tag != "O"} == set(LABELS[name].split())
    readme = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    entities = sum(tag.startswith("B-") for tag in tags)
    sizes = [f"{number:,}" for number in (len(records), len(tags), entities)]
    assert cells[2:] == [*sizes, LABELS[name]]


def test_sample_news_has_labelled_white_space():
    chars = {char for record in read(SAMPLE / "news.txt") for char in record["text"]}
    assert {" ", "\u3000"} <= chars


@pytest.mark.parametrize("name", LABELS)
def test_sample_has_hard_cases(name):
    records = read(SAMPLE / name)
    assert any(set(record["labels"]) == {"O"} for record in records)
    early, late = entities_of(records[:320]), entities_of(records[320:])
    assert len(late - early) > len(late) / 2


@pytest.mark.parametrize("name", NOISY)
def test_sample_has_names_of_several_types(name):
    labels: dict[str, set[str]] = {}
    for text, label in entities_of(read(SAMPLE / name)):
        labels.setdefault(text, set()).add(label)
    assert sum(len(several) > 1 for several in labels.values()) > 10


def test_version_of_faker_that_made_them_is_the_one_of_the_tests():
    """With another one they could not be made again, and that test is skipped."""
    readme = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
    (made_with,) = re.findall(r"Faker ([0-9.]+) ", readme)
    assert f"faker=={made_with}\n" in (ROOT / "setup.cfg").read_text(encoding="utf-8")


@pytest.fixture
def make_sample(monkeypatch):
    pytest.importorskip("faker")
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return runpy.run_path(str(ROOT / "scripts" / "make_sample.py"))["make_sample"]


def test_make_sample_writes_the_committed_files(make_sample, tmp_path):
    from faker import VERSION

    if f"Faker {VERSION} " not in (ROOT / "assets" / "README.md").read_text("utf-8"):
        pytest.skip("made with another version of Faker")
    make_sample(tmp_path)
    for name in LABELS:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes()


def test_wrong_annotation_is_what_readme_says(make_sample, tmp_path):
    """The shares of each kind, by the part in which the project puts a sentence."""
    from build_corpus import SPLIT, SPLIT_SEED
    from faker import VERSION

    readme = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
    if f"Faker {VERSION} " not in readme:
        pytest.skip("made with another version of Faker")
    make_sample(tmp_path, noise=False)
    easy = (tmp_path / "easy.json").read_bytes()
    assert easy == (SAMPLE / "easy.json").read_bytes()
    part_of = split_records(400, parse_split(SPLIT), int(SPLIT_SEED))
    counts = {part: Counter[str]() for part in PARTS}
    for name in NOISY:
        pairs = zip(read(tmp_path / name), read(SAMPLE / name), strict=True)
        for part, (correct, noisy) in zip(part_of, pairs, strict=True):
            assert correct["text"] == noisy["text"]
            spans = spans_of(noisy)
            counts[PARTS[part]].update(kind(s, spans) for s in spans_of(correct))
    for part, of_part in counts.items():
        row = next(
            line for line in readme.splitlines() if line.startswith(f"| {part} ")
        )
        n, wrong = of_part.total(), of_part.total() - of_part["correct"]
        kinds = [of_part[name] for name in ("missed", "boundary", "type")]
        cells = [f"{number:,}" for number in (n, *kinds)]
        assert row == f"| {part} | {' | '.join(cells)} | {wrong / n:.1%} |"


def kind(span: tuple[int, int, str], found: set[tuple[int, int, str]]) -> str:
    """How an entity is annotated."""
    start, end, _ = span
    if span in found:
        return "correct"
    if any(other[:2] == (start, end) for other in found):
        return "type"
    overlapping = any(s < end and start < e for s, e, _ in found)
    return "boundary" if overlapping else "missed"


def test_make_sample_is_valid_and_repeatable(make_sample, tmp_path):
    for folder, seed in (("one", 7), ("two", 7), ("other", 8)):
        make_sample(tmp_path / folder, records=30, seed=seed)
    for name, text_type in (("resume.json", str), ("news.txt", list), EASY):
        one, two, other = (
            (tmp_path / folder / name).read_bytes()
            for folder in ("one", "two", "other")
        )
        assert one == two != other
        records = read(tmp_path / "one" / name)
        assert len(records) == 30
        check(records, text_type)


# Entities that overlap


def read_nested(path):
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def test_nested_sample_is_what_readme_says():
    records = read_nested(NESTED_SAMPLE)
    entities = [entity for record in records for entity in record["entities"]]
    characters = sum(len(record["text"]) for record in records)
    labels = sorted({entity["label"] for entity in entities})
    readme = (ROOT / "assets" / "README.md").read_text(encoding="utf-8")
    (row,) = (x for x in readme.splitlines() if x.startswith("| `news.jsonl`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    sizes = [f"{number:,}" for number in (len(records), characters, len(entities))]
    assert cells[2:] == [*sizes, " ".join(labels)]


def test_nested_sample_has_entities_of_all_kinds():
    """Those of one label are nested, and in at most two layers."""
    kinds = Counter()
    for record in read_nested(NESTED_SAMPLE):
        by_label = {}
        spans = []
        for entity in record["entities"]:
            span = Span(entity["start"], entity["end"], entity["label"])
            assert record["text"][span.start : span.end] == entity["text"]
            spans.append(span)
            by_label.setdefault(span.label, []).append(span)
        assert len(set(spans)) == len(spans)
        kinds += n_by_kind(spans)
        for same in by_label.values():
            nesting = nest(same)
            assert not nesting.crossing and max(nesting.layer) < 2
    assert min(kinds[kind] for kind in (FLAT, NESTED, OVERLAPPING)) > 300


def test_make_nested_sample_writes_the_committed_file(tmp_path):
    script = runpy.run_path(str(ROOT / "scripts" / "make_nested_sample.py"))
    make = script["make_nested_sample"]
    make(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == NESTED_SAMPLE.read_bytes()
    make(tmp_path / "other.jsonl", records=20, seed=1)
    assert len(read_nested(tmp_path / "other.jsonl")) == 20
