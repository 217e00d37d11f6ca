"""The scripts that measure: less annotation, and variants of a config."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from spacy_lstm_ner import write_report

from .helpers.paths import REPOSITORY
from .helpers.pipelines import found

SCRIPTS = REPOSITORY / "scripts"


def run(script: str, *args: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPTS / script), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def corpus(examples, tmp_path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, some in (("train", examples[:30]), ("dev", examples[30:40])):
        DocBin(docs=[eg.reference for eg in some]).to_disk(folder / f"{name}.spacy")
    return folder


@pytest.mark.parametrize("gaps", ["missing", "outside"])
def test_annotation_is_thinned_out(trained, corpus, tmp_path, gaps):
    source, output = corpus / "train.spacy", tmp_path / "thinned.spacy"
    done = run("thin_annotation.py", source, output, "--keep", 0.5, "--gaps", gaps)
    assert done.returncode == 0, done.stderr
    before, after = (
        list(DocBin().from_disk(path).get_docs(trained.vocab))
        for path in (source, output)
    )
    n_before, n_after = (sum(len(doc.ents) for doc in docs) for docs in (before, after))
    assert 0.3 * n_before < n_after < 0.7 * n_before
    for old, new in zip(before, after, strict=True):
        assert set(found(new)) <= set(found(old))
    iob = {token.ent_iob_ for doc in after for token in doc}
    assert ("" in iob) == (gaps == "missing")


@pytest.mark.usefixtures("browser")
def test_a_published_report_quotes_no_text(held_out_folder, tmp_path):
    corpus, report, output = (
        tmp_path / name for name in ("corpus", "a.html", "b.html")
    )
    corpus.mkdir()
    shutil.copy(held_out_folder / "data.spacy", corpus)
    write_report(held_out_folder / "model", corpus / "data.spacy", report)
    done = run("publish_report.py", report, corpus, output)
    assert done.returncode == 0, done.stderr
    assert "Most confident errors" in done.stdout
    page = output.read_text("utf8")
    assert "Left out here" in page and "TITLE" in page
    docs = DocBin().from_disk(corpus / "data.spacy").get_docs(spacy.blank("zh").vocab)
    texts = [doc.text for doc in docs]
    assert any(text[:8] in report.read_text("utf8") for text in texts)
    assert not any(
        text[i : i + 8] in page for text in texts for i in range(len(text) - 7)
    )
    # Outside of a section nothing is removed.
    report.write_text(f"<p>{texts[0]}</p>", "utf8")
    output.unlink()
    done = run("publish_report.py", report, corpus, output)
    assert done.returncode == 1 and "outside of sections" in done.stdout
    assert not output.exists()


@pytest.mark.slow
def test_experiments_are_trained_once_and_compared(corpus, tmp_path):
    quick = {
        "training.max_steps": 3,
        "training.eval_frequency": 3,
        "initialize.components.lstm_ner.pretrain_steps": 3,
    }
    small = {"components.lstm_ner.model.tok2vec.encode.width": 16}
    srsly.write_yaml(tmp_path / "try.yml", {"a": quick, "b": quick | small})
    # Training data in parts, as large corpora are written.
    in_parts = tmp_path / "parts" / "corpus"
    (in_parts / "train.spacy").mkdir(parents=True)
    shutil.copy(corpus / "train.spacy", in_parts / "train.spacy" / "0.spacy")
    shutil.copy(corpus / "dev.spacy", in_parts)
    args = ("-c", in_parts, "-f", tmp_path / "try.yml", "-o", tmp_path / "out")
    done = run("run_experiments.py", *args, "--seeds", 2, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert "F1 on dev of corpus" in done.stdout
    figures = sorted((tmp_path / "out" / "corpus").glob("*/seed-*/figures.json"))
    assert len(figures) == 4
    times = [path.stat().st_mtime for path in figures]
    assert run("run_experiments.py", *args, "--seeds", 2).returncode == 0
    assert [path.stat().st_mtime for path in figures] == times
    header, _, *rows = (tmp_path / "out" / "table.md").read_text().splitlines()
    assert "F1 on dev of corpus" in header and len(rows) == 2
    # What has changed is trained again.
    srsly.write_yaml(tmp_path / "try.yml", {"a": quick | small, "b": quick | small})
    assert run("run_experiments.py", "a", *args, "--seeds", 1).returncode == 0
    now = [path.stat().st_mtime for path in figures]
    assert [new != old for new, old in zip(now, times, strict=True)] == [
        True,
        False,
        False,
        False,
    ]
    done = run("run_experiments.py", "c", *args)
    assert done.returncode == 1 and "No such experiment in" in done.stdout
    done = run("run_experiments.py", "a", *args, "-c", tmp_path / "no")
    assert done.returncode == 1
    assert "--vars.dataset no" in " ".join(done.stdout.split())


def test_a_corpus_is_built_whole_or_not_at_all(tmp_path):
    """The training file can be converted, the one after it cannot."""
    data = tmp_path / "data" / "resume"
    data.mkdir(parents=True)
    for part in ("train", "dev", "test"):
        text = "王 B-NAME\n芳 E-NAME\n任 O\n\n" if part != "dev" else ""
        (data / f"{part}.char.bmes").write_text(text, "utf8")
    out = tmp_path / "corpus"
    out.mkdir()
    (out / "train.spacy").write_text("old")
    done = run("build_corpus.py", "resume", out, "--data-dir", data.parent)
    assert done.returncode == 1
    assert "dev.char.bmes:1: empty file" in done.stdout
    assert [path.name for path in out.iterdir()] == ["train.spacy"]
    assert (out / "train.spacy").read_text() == "old"


@pytest.mark.slow
def test_measuring_and_drawing_picked_texts(corpus, tmp_path):
    DocBin().from_disk(corpus / "dev.spacy").to_disk(corpus / "test.spacy")
    output = tmp_path / "picking"
    arguments = ["random", "errors", "--corpus", corpus, "--seeds", 1]
    arguments += ["--size", 10, "--size", 20, "--output", output]
    done = run("measure_picking.py", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    rounds = srsly.read_json(output / "results.json")["rounds"]
    kinds = {(figures["strategy"], figures["sentences"]) for figures in rounds}
    assert kinds == {("random", 10), ("random", 20), ("errors", 20)}
    assert all(0 <= figures["test"] <= 1 for figures in rounds)
    first = {path: path.stat().st_mtime_ns for path in output.rglob("figures.json")}
    assert run("measure_picking.py", *arguments).returncode == 0
    assert first == {path: path.stat().st_mtime_ns for path in first}
    drawn = run("draw_picking.py", output / "results.json")
    assert drawn.returncode == 0, drawn.stderr
    assert "| corpus, `errors` | " in drawn.stdout
    assert "at random" in (output / "picking.svg").read_text("utf8")


@pytest.mark.slow
def test_measuring_distillation(corpus, examples, trained, tmp_path):
    DocBin().from_disk(corpus / "dev.spacy").to_disk(corpus / "test.spacy")
    texts = tmp_path / "texts.txt"
    lines = (f"{eg.reference.text}\n" for eg in examples[40:])
    texts.write_text("".join(lines), "utf8")
    trained.to_disk(tmp_path / "teacher")
    teachers = ["--teacher", tmp_path / "teacher"] * 2
    arguments = [corpus, texts, *teachers, "--seeds", 1, "--config", "fast"]
    done = run("measure_distillation.py", *arguments, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = srsly.read_json(tmp_path / "out" / "figures.json")
    assert len(figures) == 7
    assert all(0 <= each["test"] <= 1 for rows in figures.values() for each in rows)
    assert all(each["speed"] > 0 for rows in figures.values() for each in rows)
    table = (tmp_path / "out" / "table.md").read_text("utf8")
    assert table.count("\n") == 9 and "| student, gold and soft silver |" in table
