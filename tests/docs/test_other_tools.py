"""The guides to other tools, followed: their commands with fewer steps, their Python
blocks, and the notebook. `nox -s tools` installs the packages.

guides/linking.md needs none of them: test_blocks.py runs it.
"""

import json
import shlex
import shutil
import sqlite3
import struct
import subprocess
import sys

import pytest
import spacy
from spacy.util import load_config

from spacy_lstm_ner import entity_scores

from ..helpers.documentation import DOCS, OTHER_TOOLS, blocks, run_python
from ..helpers.paths import REPOSITORY

GUIDES = {path.stem: path for path in OTHER_TOOLS}
QUICKLY = ["--training.max_steps", "20", "--training.eval_frequency", "10"]
EVALUATED = [0, 10, 20]
SESSION = "nox -s tools"


def required(*modules):
    for module in modules:
        pytest.importorskip(module, reason=f"needs {module}: {SESSION}")


def follow(name):
    """Run the Python blocks of a guide in the current folder."""
    run_python(GUIDES[name], blocks(GUIDES[name], "python"))


def trainings(page):
    return [
        shlex.split(line)
        for block in blocks(page, "bash")
        for line in block.code.splitlines()
        if " spacy train " in line
    ]


def run_training(command):
    result = subprocess.run(
        [sys.executable, *command[1:], *QUICKLY],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf8",
    )
    assert result.returncode == 0, result.stdout


@pytest.fixture
def folder(checkout, tmp_path, monkeypatch):
    """A copy of the checkout. Its config `fast` has no lexicon: reading jieba's
    dictionary would take most of the time."""
    for name in ("configs", "corpus", "training"):
        shutil.copytree(checkout / name, tmp_path / name)
    config = load_config(tmp_path / "configs/fast.cfg")
    del config["initialize"]["components"]["lstm_ner"]["lexicon"]
    config["components"]["lstm_ner"]["model"]["tok2vec"]["embed"]["lexicon_width"] = 0
    config.to_disk(tmp_path / "configs/fast.cfg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Track experiments


@pytest.fixture
def offline(monkeypatch):
    """Trackers that write files only."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def logged_by_mlflow(folder):
    """For each run, in order, pairs of steps and values for each metric."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        runs = database.execute("select run_uuid from runs order by start_time")
        found = []
        for run in runs.fetchall():
            rows = database.execute(
                "select key, step, value from metrics where run_uuid = ? "
                "order by step, timestamp",
                run,
            )
            metrics = {}
            for key, step, value in rows:
                metrics.setdefault(key, []).append((step, value))
            found.append(metrics)
        return found


def steps(points):
    return [step for step, _ in points]


def numbers(points):
    return [value for _, value in points]


def logged_by_wandb(path):
    """The rows of an offline run. The file is a sequence of records in the format of
    the log of LevelDB: blocks of 32 KiB, in which a long record has several parts."""
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    position, record, rows = 7, b"", []
    while position < len(data):
        if (left := 32768 - position % 32768) < 7:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        position += 7
        record += data[position : position + length]
        position += length
        if kind in (1, 4):  # whole, or the last part
            parsed = Record.FromString(record)
            if parsed.WhichOneof("record_type") == "history":
                items = parsed.history.item
                rows.append(
                    {
                        i.key or "/".join(i.nested_key): json.loads(i.value_json)
                        for i in items
                    }
                )
            record = b""
    return rows


def test_trackers(folder, offline):
    required("mlflow", "wandb")
    import wandb

    plain, with_mlflow, with_wandb = trainings(GUIDES["trackers"])

    run_training(plain)
    follow("trackers")
    wandb.teardown()  # writes what its other process still has
    log = [
        json.loads(line)
        for line in (folder / "training/log.jsonl").read_text("utf8").splitlines()
    ][1:]
    assert [line["step"] for line in log] == EVALUATED
    expected = {
        "loss.lstm_ner": [line["losses"]["lstm_ner"] for line in log],
        "ents_f": [line["scores"]["ents_f"] for line in log],
        "ents_per_type.ORG.f": [
            line["scores"]["ents_per_type"]["ORG"]["f"] for line in log
        ],
        "learn_rate": [line["learn_rate"] for line in log],
    }
    assert expected["learn_rate"] == pytest.approx([0.001] * 3)
    (metrics,) = logged_by_mlflow(folder)
    (run,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    rows = logged_by_wandb(run)
    assert [row["_step"] for row in rows] == EVALUATED
    for name, values in expected.items():
        assert steps(metrics[name]) == EVALUATED
        assert numbers(metrics[name]) == pytest.approx(values), name
        assert [row[name] for row in rows] == pytest.approx(values), name
    (config,) = folder.glob("mlruns/*/*/artifacts/config.cfg")
    assert "max_steps = 20" in config.read_text("utf8")

    # spaCy's loggers: the same values, and what the table of the guide says.
    run_training(with_mlflow)
    *_, metrics = logged_by_mlflow(folder)
    for name in ("ents_f", "ents_per_type.ORG.f"):
        assert numbers(metrics[name]) == pytest.approx(expected[name])
    losses = expected["loss.lstm_ner"]
    assert numbers(metrics["loss_lstm_ner"]) == pytest.approx(losses)
    assert steps(metrics["loss_lstm_ner"]) == [0, 0, 0]
    assert "learn_rate" not in metrics

    run_training(with_wandb)
    (other,) = {*folder.glob("wandb/offline-run-*/run-*.wandb")} - {run}
    rows = logged_by_wandb(other)
    assert [row["_step"] for row in rows] == list(range(9))
    assert [row["loss_lstm_ner"] for row in rows[1::3]] == pytest.approx(losses)
    assert [row["ents_f"] for row in rows[2::3]] == pytest.approx(expected["ents_f"])
    assert not any("learn_rate" in row for row in rows)


# Tune settings


def test_tuning(folder):
    required("optuna")
    import optuna

    def tune(trials, frequency=10, code=0):
        command = [sys.executable, str(REPOSITORY / "examples/tune.py"), "corpus"]
        command += ["--config", "configs/fast.cfg", "--trials", str(trials)]
        command += ["--steps", "20", "--eval-frequency", str(frequency), "--seeds", "2"]
        result = subprocess.run(command, capture_output=True, encoding="utf8")
        assert result.returncode == code, result.stderr
        if code:
            return result.stderr
        return result.stdout.splitlines(), optuna.load_study(
            study_name="tuned", storage=f"sqlite:///{folder / 'tuned.db'}"
        )

    lines, study = tune(2)
    assert [line.split(":")[0] for line in lines] == [
        "F1 on dev, defaults",
        "F1 on dev, found",
        "tuned.cfg",
    ]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    assert list(study.trials[0].intermediate_values) == EVALUATED
    tuned = load_config(folder / "tuned.cfg")
    encode = tuned["components"]["lstm_ner"]["model"]["tok2vec"]["encode"]
    found = study.best_params
    assert tuned["training"]["dropout"] == found["dropout"]
    assert tuned["training"]["optimizer"]["learn_rate"] == found["learn_rate"]
    assert encode["width"] == found["width"]
    # Nothing else is changed: not the paths of the search, nor its limits.
    tuned["training"]["dropout"] = 0.5
    tuned["training"]["optimizer"]["learn_rate"] = 0.001
    encode["width"] = 96
    assert tuned == load_config(folder / "configs/fast.cfg")

    # The search goes on; a trial that is worse than the others is pruned.
    for _ in range(5):
        study.add_trial(
            optuna.create_trial(
                params=study.trials[0].params,
                distributions=study.trials[0].distributions,
                value=1.0,
                intermediate_values=dict.fromkeys(EVALUATED, 1.0),
            )
        )
    _, study = tune(1)
    assert study.trials[-1].state.name == "PRUNED"
    assert len(study.trials) == 8

    # Trials that cannot be compared are not mixed.
    assert "another search" in " ".join(tune(1, frequency=5, code=2).split())


# Streamlit


def test_streamlit(folder):
    required("spacy_streamlit", "streamlit")
    from streamlit.testing.v1 import AppTest

    nlp = spacy.load("training/model-best")
    app = AppTest.from_string(blocks(GUIDES["streamlit"], "python")[0].code)
    app.run(timeout=60)
    for text in ("王芳任北京大学教授。", "张伟，汉族，大学学历。"):
        app.text_area(key="app_visualize_text").input(text).run(timeout=60)
        assert not app.exception
        doc = nlp(text)
        assert doc.ents
        (marked,) = (m.value for m in app.markdown if "<mark" in m.value)
        assert all(ent.text in marked and ent.label_ in marked for ent in doc.ents)
        # The Doc comes from Streamlit's cache.
        table = app.table[0].value
        assert list(table["entity"]) == [ent.text for ent in doc.ents]
        assert list(table["probability"]) == pytest.approx(entity_scores(doc))
    app.text_area(key="app_visualize_text").input("").run(timeout=60)
    assert not app.exception


# An LLM


def test_llm(folder):
    required("spacy_llm")
    with pytest.warns(UserWarning, match="context length"):
        follow("llm")


# The notebook

NOTEBOOK = REPOSITORY / "examples" / "notebook.ipynb"


def test_notebook_is_committed_without_outputs():
    notebook = json.loads(NOTEBOOK.read_text("utf8"))
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_links_of_the_notebook():
    """They lead to pages of the site that exist."""
    text = NOTEBOOK.read_text("utf8")
    links = [part.split(")")[0] for part in text.split("spacy-lstm-ner/")[1:]]
    assert links
    for link in links:
        assert (DOCS / link).with_suffix(".md").is_file(), link


def test_notebook_runs():
    required("nbclient", "ipykernel", "matplotlib")
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, nbformat.NO_CONVERT)
    location = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=300, resources=location).execute()
    outputs = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    pages = [o.data["text/html"] for o in outputs if o.output_type == "execute_result"]
    titles = ("Entities", "LSTM gates", "Attribution", "srcdoc")
    assert len(pages) == len(titles)
    for title, page in zip(titles, pages, strict=True):
        assert title in page
    printed = "".join(o.text for o in outputs if o.output_type == "stream")
    assert float(printed.split("F1 on test data: ")[1].split()[0]) > 0.3
