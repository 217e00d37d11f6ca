"""Broken data files and damaged pipelines: see scripts/fuzz."""

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
def test_broken_data_is_read_or_told(count, seed, tmp_path):
    ends, failures = FUZZ["fuzz_data"](count, seed, tmp_path)
    assert failures == []
    # All ways to end are tried.
    assert min(ends[end] for end in ("read", "problems told", "refused")) > count / 20


def test_valid_files_are_read(tmp_path):
    for number, (format, data) in enumerate(FUZZ["seeds"]()):
        suffix = ".spacy" if format == "spacy" else ".txt"
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(data)
        lines = frozenset(data.split(b"\n"))
        assert FUZZ["read"](path, lines, format) == "read"


def test_what_is_lost_is_noticed(tmp_path, monkeypatch):
    """The check itself: it sees a reader that loses records, and entities."""
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
    make = module["doc_from_record"]

    def without_entities(*args, **settings):
        doc = make(*args, **settings)
        doc.ents = []
        return doc

    monkeypatch.setitem(module, "doc_from_record", without_entities)
    with pytest.raises(FUZZ["Failure"], match="has the label None"):
        FUZZ["read"](path, frozenset(), "jsonl")


@pytest.mark.parametrize(
    ("count", "seed"), [(60, 1), pytest.param(2000, 0, marks=pytest.mark.slow)]
)
def test_damaged_pipelines_find_the_same_or_are_refused(count, seed, tmp_path):
    fuzz = runpy.run_path(str(FOLDER / "fuzz_pipelines.py"))
    ends, failures = fuzz["fuzz_pipelines"](count, seed, tmp_path)
    assert failures == []
    assert ends["refused"] > count / 2 > ends["the same"] > 0


def test_the_command(tmp_path):
    for target, end in (("data", "problems told"), ("pipelines", "refused")):
        command = [sys.executable, str(FOLDER), target, "--count", "20"]
        result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
        assert result.returncode == 0, result.stdout + result.stderr
        assert end in result.stdout
