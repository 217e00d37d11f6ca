"""The configs of the project."""

import pytest
import spacy
from spacy.cli.init_config import fill_config
from thinc.api import Config

from .conftest import REPOSITORY

CONFIGS = sorted((REPOSITORY / "configs").glob("*.cfg"))
IDS = [path.stem for path in CONFIGS]


def needs_torch(path):
    return "TorchLSTM" in path.read_text()


@pytest.fixture(params=CONFIGS, ids=IDS)
def path(request):
    if needs_torch(request.param):
        pytest.importorskip("torch")
    return request.param


def test_all_configs_are_here():
    assert set(IDS) == {
        "lstm_ner",
        "no_lexicon",
        "fast",
        "large",
        "torch_lstm_ner",
        "spacy_ner",
        "spacy_cnn_ner",
        "bilstm_3_layers",
        "lstm_stack",
    }


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
