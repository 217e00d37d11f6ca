"""The spaCy project, run in a copy as a user runs it in a checkout."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import spacy
import srsly

from spacy_lstm_ner.evaluation.training_log import read_log

from .helpers.documentation import README, blocks
from .helpers.paths import REPOSITORY

# Enough for the whole way; far too little to learn much.
SHORT = "--training.max_steps=30 --training.eval_frequency=30"
FEW = "--initialize.components.lstm_ner.pretrain_steps=5"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"))


def copy_project(folder: Path) -> Path:
    for name in ("configs", "examples", "scripts", "assets/sample", "assets/nested"):
        shutil.copytree(REPOSITORY / name, folder / name)
    release = ("assets/datasets.yml", "CITATION.cff", "LICENSE", "setup.cfg")
    for name in ("project.yml", "docs/reference/project.md", *release):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)
    return folder


def run(folder: Path, *arguments: object, overrides: str = SHORT):
    """Run a command of spaCy's project runner; give its exit code and output."""
    result = subprocess.run(
        [sys.executable, "-m", "spacy", "project", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "SPACY_CONFIG_OVERRIDES": overrides},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf8",
    )
    return result.returncode, result.stdout


@pytest.fixture(scope="module")
def ran(project):
    """The project after the workflow `all` with its defaults."""
    code, output = run(project, "run", "all", overrides=f"{SHORT} {FEW}")
    assert code == 0, output
    return project


def test_all_makes_corpus_pipeline_figures_and_wheel(ran):
    made = {path.relative_to(ran / "corpus").as_posix() for path in
            (ran / "corpus").rglob("*.spacy")}  # fmt: skip
    assert made == {f"sample/{part}.spacy" for part in ("train", "dev", "test")}
    figures = json.loads((ran / "metrics/sample/pretrained-seed-0.json").read_text())
    assert {"ents_f", "ents_per_type", "bio_acc", "bio_macro_f"} <= figures.keys()
    nlp = spacy.load(ran / "training/sample/pretrained/seed-0/model-best")
    assert nlp.pipe_names == ["lstm_ner"]
    assert {"NAME", "TITLE", "COU", "EQU"} <= set(nlp.get_pipe("lstm_ner").labels)


def test_the_report_has_curves_and_figures_of_test(ran):
    page = (ran / "reports/sample.html").read_text("utf8")
    assert "F1 on test" in page and "The learning rate was" in page
    # The title is not a path.
    assert "<title>zh_sample 0.1.0 on sample, development data</title>" in page
    assert "Pretraining: loss per masked character" in page
    assert "of which pretraining" in page
    log = read_log(ran / "training/sample/pretrained/seed-0/log.jsonl")
    assert [line["step"] for line in log.evaluations] == [0, 30]
    assert [line["steps"] for line in log.pretrainings] == [5]


def test_wheel_requires_the_plugin_and_nothing_is_installed(ran):
    (wheel,) = (ran / "packages").rglob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("METADATA")]
        metadata = archive.read(name).decode()
    assert "Requires-Dist: spacy-lstm-ner" in metadata
    assert "Requires-Dist: jieba" in metadata
    assert "torch" not in metadata
    with pytest.raises(OSError, match="Can't find model"):
        spacy.load("zh_lstm_ner")


def test_a_second_run_does_nothing_again(ran):
    code, output = run(ran, "run", "all")
    assert code == 0
    assert output.count("nothing changed") == 5, output


def test_a_release_has_a_wheel_with_its_card_and_license(ran):
    code, output = run(ran, "run", "release-pipeline")
    assert code == 0, output
    name = "zh_sample_lstm_ner-0.1.0"
    made = {path.name for path in (ran / "release").iterdir()}
    assert made == {f"{name}-py3-none-any.whl", f"{name}.md", f"{name}-LICENSE.txt"}
    card = (ran / "release" / f"{name}.md").read_text("utf8")
    figures = json.loads((ran / "metrics/sample/pretrained-seed-0.json").read_text())
    documents = figures["ents_intervals"]["documents"]
    for words in (
        "license: mit",
        "- It has learned sentence patterns.",
        f": {documents} texts.",
        "| [dictionary of jieba](https://github.com/fxsjy/jieba) | Sun Junyi | MIT |",
        "@software{spacy_lstm_ner",
    ):
        assert words in card, words
    with zipfile.ZipFile(ran / "release" / f"{name}-py3-none-any.whl") as archive:
        inside = f"zh_sample_lstm_ner/{name}"
        assert archive.read(f"{inside}/README.md").decode() == card
        license = archive.read(f"{inside}/LICENSE")
        (metadata,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        assert archive.read(metadata).decode().endswith(card)
    assert license == (REPOSITORY / "LICENSE").read_bytes()
    # The trained pipeline is as it was: it is not trained again.
    assert run(ran, "run", "train")[1].count("nothing changed") == 1


def test_one_seed_gives_the_same_weights_byte_for_byte(ran):
    def weights(folder, seed):
        corpus = "corpus/sample"
        subprocess.run(
            [
                *(sys.executable, "-m", "spacy", "train", "configs/lstm_ner.cfg"),
                *("--output", folder, "--system.seed", str(seed)),
                *("--paths.train", f"{corpus}/train.spacy"),
                *("--paths.dev", f"{corpus}/dev.spacy"),
                *("--training.max_steps", "5", "--training.eval_frequency", "5"),
                FEW,
            ],
            cwd=ran,
            check=True,
            capture_output=True,
        )
        return (ran / folder / "model-last/lstm_ner/model").read_bytes()

    once = weights("once", 3)
    assert once == weights("twice", 3)
    assert once != weights("other", 4)


@pytest.mark.slow
def test_all_with_nested_entities(tmp_path):
    """The same workflow, with the other component."""
    folder = copy_project(tmp_path)
    chosen = ["--vars.dataset", "nested", "--vars.config", "nested"]
    few_steps = "--training.max_steps=300 --training.eval_frequency=300"
    code, output = run(folder, "run", "all", ".", *chosen, overrides=few_steps)
    assert code == 0, output
    figures = json.loads((folder / "metrics/nested/nested-seed-0.json").read_text())
    assert figures["spans_sc_f"] > 0.5
    assert figures["spans_sc_by_kind"]["nested"]["gold"] > 100
    page = (folder / "reports/nested.html").read_text("utf8")
    assert "F1 on test data" in page and "The learning rate was" in page
    assert len(list((folder / "packages").rglob("*.whl"))) == 1


def test_the_list_of_commands_is_what_project_document_writes(project):
    page = project / "docs/reference/project.md"
    before = page.read_text("utf8")
    code, output = run(project, "run", "document")
    assert code == 0, output
    assert page.read_text("utf8") == before


PROJECT = srsly.read_yaml(REPOSITORY / "project.yml")


@pytest.mark.parametrize("command", PROJECT["commands"], ids=lambda c: c["name"])
def test_every_path_of_a_command_is_a_dependency_or_an_output(command):
    """Otherwise a step could be skipped although what it reads has changed."""
    folders = ("${vars.data_dir}", *(f"{name}/" for name in PROJECT["directories"]))
    declared = [
        path
        for key in ("deps", "outputs", "outputs_no_cache")
        for path in command.get(key, [])
    ]
    for word in " ".join(command["script"]).split():
        if word.startswith(folders):
            related = [p for p in declared if p.startswith(word) or word.startswith(p)]
            assert related, word


# The real data


@pytest.fixture
def fresh(tmp_path):
    return copy_project(tmp_path)


def convert(folder, dataset, *arguments):
    return run(folder, "run", "convert", ".", "--vars.dataset", dataset, *arguments)


@pytest.mark.parametrize("dataset", ["resume", "news"])
def test_data_that_is_not_there_is_named(fresh, dataset):
    code, output = convert(fresh, dataset)
    assert code == 1
    assert "does not exist" in output and "project assets" in output
    assert "--vars.data_dir" in output
    assert not (fresh / "corpus" / dataset / "train.spacy").exists()


def test_unknown_dataset_is_named(fresh):
    code, output = convert(fresh, "weibo")
    assert code == 1
    assert (
        "No data set 'weibo': choose one of sample, nested, resume, news, msra"
        in output
    )


def test_a_wrong_checksum_stops_the_run(fresh):
    (fresh / "assets/resume").mkdir()
    for part in ("train", "dev", "test"):
        path = fresh / f"assets/resume/{part}.char.bmes"
        path.write_text("王 B-NAME\n芳 E-NAME\n", "utf8")
    code, output = run(fresh, "run", "all", ".", "--vars.dataset", "resume")
    assert code == 1
    assert "train.char.bmes has the wrong checksum: md5 " in output
    assert "expected badab28955123a81149f5d3148290bf1" in output
    assert not (fresh / "corpus").joinpath("resume/train.spacy").exists()
    assert "spacy train" not in output


def test_a_folder_of_your_own_stands_in(fresh, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "resume"
    folder.mkdir()
    for part in ("train", "dev", "test"):
        text = "王 B-NAME\n芳 E-NAME\n任 O\n\n"
        (folder / f"{part}.char.bmes").write_text(text, "utf8")
    code, output = convert(fresh, "resume", "--vars.data_dir", folder.parent)
    assert code == 0, output
    assert (fresh / "corpus/resume/test.spacy").is_file()


def test_real_data_by_one_variable(fresh, real_data):
    for dataset, records in (("resume", "3,458"), ("news", "752")):
        code, output = convert(fresh, dataset, "--vars.data_dir", real_data)
        assert code == 0, output
        assert f"records {records}" in " ".join(output.split())


@pytest.mark.slow
def test_msra_comes_with_pip(fresh):
    code, output = convert(fresh, "msra", "--vars.limit", "200")
    assert code == 0, output
    words = " ".join(output.split())
    for records in ("180", "20", "5,000"):
        assert f"records {records} " in words


# The whole job, and its wheel on another machine


@pytest.mark.slow
def test_the_installed_wheel_finds_what_the_readme_says(tmp_path_factory):
    """`spacy.load` in a fresh environment without PyTorch."""
    project = copy_project(tmp_path_factory.mktemp("whole"))
    code, output = run(project, "run", "all", overrides="")
    assert code == 0, output
    figures = json.loads(
        (project / "metrics/sample/pretrained-seed-0.json").read_text()
    )
    # Errors to look at, but not too many.
    assert 0.85 < figures["ents_f"] < 0.95
    (wheel,) = (project / "packages").rglob("*.whl")
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    packages = [REPOSITORY, wheel]
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    (code,) = [b.code for b in blocks(README, "python") if "zh_lstm_ner" in b.code]
    result = subprocess.run(
        [python, "-c", f"import sys; sys.modules['torch'] = None\n{code}"],
        capture_output=True,
        encoding="utf8",
        env={**os.environ, "PYTHONIOENCODING": "utf8"},
        cwd=environment,
    )
    expected = [
        line.removeprefix("# ") for line in code.splitlines() if line.startswith("# ")
    ]
    assert expected
    assert result.stdout.splitlines() == expected, result.stderr
    # Pages have styles and scripts, which have to be in the package.
    command = ["-m", "spacy", "lstm-ner", "gates", "zh_lstm_ner", "王芳任教授。"]
    subprocess.run([python, *command, "gates.html"], check=True, cwd=environment)
    assert "王芳" in (environment / "gates.html").read_text("utf8")
