"""spaCy's own commands on a pipeline with the component."""

import json

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from thinc.api import Config
from typer.testing import CliRunner

from spacy_lstm_ner.model import pretraining

from ..helpers.paths import REPOSITORY
from ..helpers.pipelines import copy_of, found


@pytest.fixture(scope="module")
def folder(trained, examples, tmp_path_factory):
    """With model/, config.cfg, train.spacy, dev.spacy and texts.jsonl."""
    folder = tmp_path_factory.mktemp("commands")
    trained.to_disk(folder / "model")
    for part in ("train", "dev"):
        DocBin(docs=[eg.reference for eg in examples]).to_disk(folder / f"{part}.spacy")
    lines = (json.dumps({"text": eg.text}) for eg in examples)
    (folder / "texts.jsonl").write_text("\n".join(lines), "utf8")
    config = trained.config.copy()
    for part in ("train", "dev"):
        config["paths"][part] = str(folder / f"{part}.spacy")
    config["training"].update(max_steps=2, eval_frequency=1)
    config.to_disk(folder / "config.cfg")
    return folder


@pytest.fixture
def pretrains(monkeypatch):
    """One entry for each step of pretraining that there was."""
    steps = []
    masked_loss = pretraining.masked_loss

    def counted(*args):
        steps.append(1)
        return masked_loss(*args)

    monkeypatch.setattr(pretraining, "masked_loss", counted)
    return steps


def run(*args):
    """What the command prints, as one line."""
    result = CliRunner().invoke(app, [*map(str, args)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_debug_config(folder):
    output = run("debug", "config", folder / "config.cfg", "--show-variables")
    assert "Config is valid" in output
    wrong = "--components.lstm_ner.unit", "7"
    result = CliRunner().invoke(
        app, ["debug", "config", str(folder / "config.cfg"), *wrong]
    )
    assert result.exit_code == 1 and "unit" in result.output


def test_debug_model(folder):
    args = "--dimensions", "--print-step1", "--print-step2", "--print-step3"
    output = run("debug", "model", folder / "config.cfg", "lstm_ner", *args)
    assert "Initialized the model with the training corpus" in output
    assert "model looks good" in output


def test_debug_model_without_data(folder):
    args = "--paths.train", "nowhere.spacy", "--paths.dev", "nowhere.spacy"
    result = CliRunner().invoke(
        app, ["debug", "model", str(folder / "config.cfg"), "lstm_ner", *args]
    )
    assert result.exit_code == 1
    assert "nowhere.spacy" in str(result.exception) or "train_corpus" in result.output


def test_debug_profile(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # it leaves Profile.prof there
    output = run("debug", "profile", folder / "model", folder / "texts.jsonl", "-n", 20)
    assert "component.py" in output and "best_paths" in output


def test_debug_data(folder):
    result = CliRunner().invoke(
        app, ["debug", "data", str(folder / "config.cfg"), "--ignore-warnings"]
    )
    # It finds fault with training data that is evaluated on, and with nothing else.
    assert "Pipeline can be initialized with data" in result.output
    assert "60 training docs" in result.output
    assert not isinstance(result.exception, ValueError)


def test_evaluate(folder, trained, examples):
    figures = []
    for i, options in enumerate([[], ["--per-component"]]):
        out = folder / f"figures{i}.json"
        run("evaluate", folder / "model", folder / "dev.spacy", "-o", out, *options)
        figures.append(json.loads(out.read_text("utf8")))
    scores = trained.evaluate([copy_of(trained, eg) for eg in examples])
    for name in ("ents_f", "bio_macro_f", "ents_per_type"):
        assert figures[0][name] == figures[1]["lstm_ner"][name] == scores[name]


def test_benchmark_speed(folder):
    output = run(
        *("benchmark", "speed", folder / "model", folder / "dev.spacy"),
        *("--batches", 30, "--warmup", 1, "--batch-size", 4),
    )
    assert "Mean:" in output and "words/s" in output


def test_assemble(folder, trained, examples):
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    config["components"]["lstm_ner"] = {"source": str(folder / "model")}
    config.to_disk(folder / "sourced.cfg")
    run("assemble", folder / "sourced.cfg", folder / "assembled")
    nlp = spacy.load(folder / "assembled")
    for eg in examples[:5]:
        assert found(nlp(eg.text)) == found(trained(eg.text))


def test_apply(folder, trained, examples):
    out = folder / "found.spacy"
    run("apply", folder / "model", folder / "texts.jsonl", out, "-b", 16)
    docs = list(DocBin().from_disk(out).get_docs(spacy.blank("zh").vocab))
    assert len(docs) == len(examples)
    for doc in docs[:10]:
        assert found(doc) == found(trained(doc.text))
        assert len(doc.spans["lstm_ner"].attrs["scores"]) == len(doc.ents)


def test_find_threshold(folder):
    """Its result is tested in tests/pipeline/test_probabilities.py."""
    args = "lstm_ner", "threshold", "ents_f", "--n_trials", 3
    output = run("find-threshold", folder / "model", folder / "dev.spacy", *args)
    assert "Best threshold" in output and "ents_f" in output


def test_init_labels_and_training_with_the_file(folder, trained):
    run("init", "labels", folder / "config.cfg", folder / "labels")
    path = folder / "labels" / "lstm_ner.json"
    labels = list(trained.get_pipe("lstm_ner").labels)
    assert json.loads(path.read_text("utf8")) == labels
    path.write_text(json.dumps([*reversed(labels), "PLANET"]), "utf8")
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    config["initialize"]["components"]["lstm_ner"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(path)}
    }
    ner = init_nlp(config).get_pipe("lstm_ner")
    assert ner.labels == (*reversed(labels), "PLANET")
    assert ner.model.get_ref("output_layer").get_dim("nO") == len(ner.tags)


def test_fill_config(folder, tmp_path):
    """A base config is completed."""
    (tmp_path / "base.cfg").write_text(
        '[nlp]\nlang = "zh"\npipeline = ["lstm_ner"]\n\n[components]\n\n'
        '[components.lstm_ner]\nfactory = "lstm_ner"\nscheme = "BIO"\n'
    )
    args = tmp_path / "base.cfg", tmp_path / "config.cfg", "--pretraining"
    run("init", "fill-config", *args)
    config = Config().from_disk(tmp_path / "config.cfg", interpolate=False)
    component = config["components"]["lstm_ner"]
    assert component["scheme"] == "BIO" and component["unit"] == "char"
    assert component["model"]["@architectures"] == "spacy-lstm-ner.NER.v1"
    assert "pretraining" in config


def test_train(folder, tmp_path):
    run("train", folder / "config.cfg", "--output", tmp_path)
    meta = json.loads((tmp_path / "model-last" / "meta.json").read_text("utf8"))
    assert "ents_f" in meta["performance"]


COMMANDS = {
    "debug data": ["{config}", "{train}", "{dev}", "--ignore-warnings"],
    "init labels": ["{config}", "{out}", "{train}", "{dev}"],
    "debug model": ["{config}", "lstm_ner", "{train}", "{dev}", "-P2", "-GRAD"],
    "debug config": ["{config}", "{train}", "{dev}"],
    "debug diff-config": ["{config}"],
    "init fill-config": ["{config}", "{out}/filled.cfg"],
    "init nlp": ["{config}", "{out}", "{train}", "{dev}"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["no_lexicon", "lstm_ner"])
@pytest.mark.filterwarnings("ignore:.*The pretraining of the component")
def test_commands_that_do_not_train_do_not_pretrain(
    folder, tmp_path, pretrains, name, command
):
    """With the configs as they are, which ask for 3,000 steps of pretraining."""
    values = {"config": REPOSITORY / "configs" / f"{name}.cfg", "out": tmp_path}
    values |= {x: f"--paths.{x}={folder / x}.spacy" for x in ("train", "dev")}
    args = [arg.format(**values) for arg in COMMANDS[command]]
    result = CliRunner().invoke(app, [*command.split(), *args])
    # It finds fault with training data that is evaluated on, and with nothing else.
    assert result.exit_code == (1 if command == "debug data" else 0), result.output
    assert "Traceback" not in result.output and not pretrains
    assert "Pretraining" not in result.output


def test_train_pretrains(folder, tmp_path, pretrains):
    """For as many steps as there is text, and after the pipeline was initialized."""
    result = CliRunner().invoke(
        app,
        [
            *("train", str(REPOSITORY / "configs" / "no_lexicon.cfg")),
            *("--output", str(tmp_path), "--training.max_steps", "1"),
            *(f"--paths.{x}={folder / x}.spacy" for x in ("train", "dev")),
            "--components.lstm_ner.model.tok2vec.encode.width=16",
        ],
    )
    assert result.exit_code == 0, result.output
    # 60 texts, 4 batches, 64 times.
    assert len(pretrains) == 256
    output = result.output
    says = "[lstm_ner] Pretraining on 60 texts, 256 steps (not 3,000"
    in_order = (
        "Initialized pipeline",
        says,
        "[lstm_ner] Pretraining took",
        "  0       0 ",
    )
    places = [output.index(part) for part in in_order]
    assert places == sorted(places)
