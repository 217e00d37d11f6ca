"""The configs of the project."""

import pytest
import spacy
import srsly
from spacy.cli.init_config import fill_config
from spacy.cli.train import train
from thinc.api import Config

from .helpers.paths import REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "teaching_scripts"
CONFIGS = sorted(
    [*(REPOSITORY / "configs").glob("*.cfg"), *EXAMPLES.glob("*.cfg")],
    key=lambda path: path.name,
)
IDS = [path.stem for path in CONFIGS]


TEACHING = ["bilstm_3_layers", "lstm_stack", "rnn_stack"]


def needs_torch(path):
    return "TorchLSTM" in path.read_text()


def needs_transformers(path):
    return "spacy-transformers" in path.read_text()


@pytest.fixture(params=CONFIGS, ids=IDS)
def path(request):
    if needs_torch(request.param):
        pytest.importorskip("torch")
    if needs_transformers(request.param):
        pytest.importorskip("spacy_transformers")
    return request.param


def test_all_configs_are_here():
    assert set(IDS) == {
        "lstm_ner",
        "no_lexicon",
        "fast",
        "large",
        "pretrained",
        "nested",
        "en",
        "torch_lstm_ner",
        "transformer",
        "spacy_ner",
        "spacy_cnn_ner",
    } | set(TEACHING)


def test_fill_config_changes_nothing(path, tmp_path):
    filled = tmp_path / "filled.cfg"
    fill_config(filled, path, silent=True)
    assert filled.read_text() == path.read_text()


def test_config_builds_the_pipeline(path):
    config = Config().from_disk(path)
    nlp = spacy.util.load_model_from_config(config, auto_fill=False)
    assert nlp.pipe_names == config["nlp"]["pipeline"]


def test_one_config_needs_no_lexicon():
    default, without = (
        Config().from_disk(REPOSITORY / "configs" / name)
        for name in ("lstm_ner.cfg", "no_lexicon.cfg")
    )
    settings, fewer = (
        config["initialize"]["components"]["lstm_ner"] for config in (default, without)
    )
    assert settings.pop("lexicon")
    assert settings == fewer
    # The rest of the two differs in sizes only.
    for part in ("embed", "encode"):
        first, second = (
            config["components"]["lstm_ner"]["model"]["tok2vec"][part]
            for config in (default, without)
        )
        changed = {key for key in first if first[key] != second[key]}
        assert changed <= {"width", "lexicon_width"}
        first.update(second)
    del default["initialize"], without["initialize"]
    assert default == without


def test_torch_config_differs_in_one_line():
    ours, theirs = (
        (REPOSITORY / "configs" / name).read_text().splitlines()
        for name in ("lstm_ner.cfg", "torch_lstm_ner.cfg")
    )
    differing = [pair for pair in zip(ours, theirs, strict=True) if len({*pair}) > 1]
    assert differing == [
        (
            '@architectures = "spacy-lstm-ner.LSTMEncoder.v1"',
            '@architectures = "spacy-lstm-ner.TorchLSTMEncoder.v1"',
        )
    ]


def test_the_two_stacks_differ_in_the_layer_only():
    rnn, lstm = (
        (EXAMPLES / f"{name}_stack.cfg").read_text() for name in ("rnn", "lstm")
    )
    assert rnn == lstm.replace("LSTMStackEncoder", "RNNStackEncoder")


@pytest.mark.parametrize("name", TEACHING)
def test_readme_of_the_teaching_scripts_has_the_command(name):
    """The one that the project runs."""
    readme = (EXAMPLES / "README.md").read_text("utf8")
    assert f"[{name}.cfg]({name}.cfg)" in readme
    (command,) = [
        command["name"]
        for command in srsly.read_yaml(REPOSITORY / "project.yml")["commands"]
        if f"examples/teaching_scripts/{name}.cfg" in command["deps"]
    ]
    assert f"python -m spacy project run {command}\n" in readme


@pytest.mark.parametrize("name", TEACHING)
def test_teaching_configs_train_on_files(name, tmp_path):
    """A few steps, on a corpus that is a file: once more what the workflow does."""
    corpus = tmp_path / "corpus.txt"
    sentences = ["王 B-NAME\n芳 I-NAME\n任 O\n教 B-TITLE\n授 I-TITLE\n"] * 40
    corpus.write_text("\n".join(sentences), "utf8")
    train(
        EXAMPLES / f"{name}.cfg",
        tmp_path / "out",
        overrides={
            "paths.train": str(corpus),
            "paths.dev": str(corpus),
            "training.max_epochs": 0,
            "training.max_steps": 20,
            "training.eval_frequency": 20,
        },
    )
    nlp = spacy.load(tmp_path / "out" / "model-best")
    ents = [(ent.text, ent.label_) for ent in nlp("王芳任教授").ents]
    assert ents == [("王芳", "NAME"), ("教授", "TITLE")]
