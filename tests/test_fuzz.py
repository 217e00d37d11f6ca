"""Corrupted data files and damaged pipelines: see scripts/fuzz."""

import importlib
import runpy
import subprocess
import sys

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.tags import Span

from .helpers.paths import REPOSITORY

FOLDER = REPOSITORY / "scripts" / "fuzz"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("fuzz_data")


@pytest.mark.parametrize(
    ("count", "seed"),
    [
        (400, 2),
        pytest.param(20_000, 0, marks=pytest.mark.slow),
        pytest.param(20_000, 1, marks=pytest.mark.slow),
    ],
)
def test_corrupted_data_is_read_or_reported(count, seed, tmp_path, fuzz):
    outcomes, failures = fuzz.fuzz_data(count, seed, tmp_path)
    assert failures == []
    for outcome in ("read", "read with problems", "rejected"):
        assert outcomes[outcome] > count / 20


def test_valid_files_are_read(tmp_path, fuzz):
    for seed in fuzz.seeds():
        folder = tmp_path / f"valid-{seed.name}"
        fuzz.write(folder, seed.files)
        outcome = fuzz.read(folder / seed.entry, **seed.options)
        if not seed.name.startswith("refused_"):
            assert outcome != "rejected", seed.name


TAGS = '{"text": "王芳在沪", "labels": ["B-P", "I-P", "O", "B-L"]}\n'
OFFSETS = '{"text": "王芳在沪", "entities": [[0, 2, "P"], [3, 4, "L"]]}\n'
COLUMNS = "王 B-P\n芳 I-P\n在 O\n\n沪 B-L\n"


def lose_record(texts):
    return texts[1:]


def lose_entity(texts):
    texts[0].entities.pop()
    return texts


def shift_offset(texts):
    start, end, label = texts[0].entities[-1]
    texts[0].entities[-1] = Span(start - 1, end - 1, label)
    return texts


def change_label(texts):
    start, end, _ = texts[0].entities[-1]
    texts[0].entities[-1] = Span(start, end, "Z")
    return texts


def change_text(texts):
    texts[0].text = "李" + texts[0].text[1:]
    return texts


@pytest.mark.parametrize("content", [TAGS * 2, OFFSETS * 2, COLUMNS])
@pytest.mark.parametrize(
    "harm", [lose_record, lose_entity, shift_offset, change_label, change_text]
)
def test_harm_is_noticed(content, harm, tmp_path, monkeypatch, fuzz):
    """The checks themselves fail if a reader loses or changes something."""
    path = tmp_path / "data.txt"
    path.write_text(content, "utf8")
    assert fuzz.read(path) == "read"
    good = DataFile.texts

    def texts(file, log):
        report = log.of_file(file.path)
        records = list(file.records(log))
        pairs = [(record, file.text(record, report)) for record in records]
        kept = harm([text for _, text in pairs])
        for record, text in pairs:
            if any(text is other for other in kept):
                file.record = record
                yield text

    assert good is not texts
    monkeypatch.setattr(DataFile, "texts", texts)
    with pytest.raises(fuzz.Failure):
        fuzz.read(path)


def test_entities_lost_in_the_doc_are_noticed(tmp_path, monkeypatch, fuzz):
    path = tmp_path / "data.txt"
    path.write_text(TAGS, "utf8")
    checks = importlib.import_module("checks")
    make = checks.doc_from_text

    def without_entities(*args, **settings):
        doc = make(*args, **settings)
        doc.ents = []
        return doc

    monkeypatch.setattr(checks, "doc_from_text", without_entities)
    with pytest.raises(fuzz.Failure, match="2 entities, 0 written, 0 lost"):
        fuzz.read(path)


@pytest.mark.parametrize(
    ("count", "seed"), [(60, 1), pytest.param(2000, 0, marks=pytest.mark.slow)]
)
def test_damaged_pipelines_predict_the_same_or_are_rejected(count, seed, tmp_path):
    fuzz = runpy.run_path(str(FOLDER / "fuzz_pipelines.py"))
    outcomes, failures = fuzz["fuzz_pipelines"](count, seed, tmp_path)
    assert failures == []
    assert outcomes["rejected"] > count / 2 > outcomes["unchanged"] > 0


def test_the_command(tmp_path):
    for target, outcome in (("data", "read with problems"), ("pipelines", "rejected")):
        command = [sys.executable, str(FOLDER), target, "--count", "20"]
        result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
        assert result.returncode == 0, result.stdout + result.stderr
        assert outcome in result.stdout
