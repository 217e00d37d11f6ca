"""Corrupted data files and damaged pipelines: see scripts/fuzz."""

import runpy
import subprocess
import sys

import pytest

from .helpers.paths import REPOSITORY

FOLDER = REPOSITORY / "scripts" / "fuzz"
FUZZ = runpy.run_path(str(FOLDER / "fuzz_data.py"))


@pytest.mark.parametrize(
    ("count", "seed"), [(400, 1), pytest.param(20_000, 0, marks=pytest.mark.slow)]
)
def test_corrupted_data_is_read_or_reported(count, seed, tmp_path):
    outcomes, failures = FUZZ["fuzz_data"](count, seed, tmp_path)
    assert failures == []
    for outcome in ("read", "read with problems", "rejected"):
        assert outcomes[outcome] > count / 20


def test_valid_files_are_read(tmp_path):
    for number, (format, data) in enumerate(FUZZ["seeds"]()):
        suffix = ".spacy" if format == "spacy" else ".txt"
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(data)
        lines = frozenset(data.split(b"\n"))
        assert FUZZ["read"](path, lines, format) == "read"


def test_losses_are_noticed(tmp_path, monkeypatch):
    """The checks themselves: they fail if a reader loses records or entities."""
    module = FUZZ["read"].__globals__
    path = tmp_path / "data.txt"
    path.write_bytes(FUZZ["seeds"]()[0][1])
    good = module["DataFile"].records
    monkeypatch.setattr(
        module["DataFile"], "records", lambda *args: list(good(*args))[1:]
    )
    with pytest.raises(FUZZ["Failure"], match="6 lines, 5 records, 0 skipped"):
        FUZZ["read"](path, frozenset(), "jsonl")
    monkeypatch.setattr(module["DataFile"], "records", good)
    make = module["doc_from_text"]

    def without_entities(*args, **settings):
        doc = make(*args, **settings)
        doc.ents = []
        return doc

    monkeypatch.setitem(module, "doc_from_text", without_entities)
    with pytest.raises(FUZZ["Failure"], match="has the label None"):
        FUZZ["read"](path, frozenset(), "jsonl")


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
