"""Saving and loading: bytes, folders, pickle, other vocabularies, earlier versions."""

import json
import pickle
import sys
from pathlib import Path

import pytest
import spacy
from spacy.vocab import Vocab

from ..helpers.pipelines import SMALL_MODEL, found, loaded_again

SAVED = Path(__file__).parents[1] / "saved"
ENCODE = "components.lstm_ner.model.tok2vec.encode.@architectures"
LAYERS = ["LSTMEncoder", "TorchLSTMEncoder"]


def blank_component(vocab=None):
    nlp = spacy.blank("zh", vocab=vocab or True)
    return nlp, nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})


# Earlier versions


@pytest.mark.parametrize("name", ["chars", "stack", "tokens"])
@pytest.mark.parametrize("version", sorted(path.name for path in SAVED.glob("*.*.*")))
def test_pipelines_of_earlier_versions_give_the_same_predictions(version, name):
    expected = json.loads((SAVED / version / "found.json").read_text("utf8"))
    nlp = spacy.load(SAVED / version / name)
    docs = list(nlp.pipe(expected["texts"]))
    assert [[[*ent] for ent in found(doc)] for doc in docs] == expected["found"][name]
    assert all(
        0 < p <= 1 for doc in docs for p in doc.spans["lstm_ner"].attrs["scores"]
    )
    nlp.resume_training()


def test_saved_pipelines_are_small():
    files = [path for path in SAVED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000


# Loading executes no code from files


_unpickled: list[str] | None = None


def _listen(event, args):
    if event == "pickle.find_class" and _unpickled is not None:
        _unpickled.append(f"{args[0]}.{args[1]}")


sys.addaudithook(_listen)


@pytest.mark.parametrize("layer", LAYERS)
def test_loading_does_not_unpickle(trained, tmp_path, monkeypatch, layer):
    if layer == "TorchLSTMEncoder":
        torch = pytest.importorskip("torch")
        monkeypatch.setattr(torch, "load", fail)
    trained.to_disk(tmp_path)
    data = trained.to_bytes()
    some_pickle = pickle.dumps(Path("."))
    monkeypatch.setattr(sys.modules[__name__], "_unpickled", [])
    pickle.loads(some_pickle)
    assert _unpickled, "the audit hook works"
    _unpickled.clear()
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, fail)
    nlp = spacy.load(tmp_path, config={ENCODE: f"spacy-lstm-ner.{layer}.v1"})
    spacy.blank("zh").from_config(nlp.config).from_bytes(data)
    assert _unpickled == []


def fail(*args, **kwargs):
    raise AssertionError("pickle is used")


# Bytes and folders


def test_pickled_pipelines_and_components_give_the_same_predictions(trained, examples):
    nlp = pickle.loads(pickle.dumps(trained))
    ner = pickle.loads(pickle.dumps(trained.get_pipe("lstm_ner")))
    for eg in examples[:10]:
        expected = found(trained(eg.text))
        assert found(nlp(eg.text)) == expected
        assert found(ner(trained.make_doc(eg.text))) == expected
    assert nlp.get_pipe("lstm_ner").cfg == trained.get_pipe("lstm_ner").cfg


def test_a_component_can_be_loaded_with_another_vocabulary(trained, examples, tmp_path):
    """From bytes and from a folder; its labels are added to the new vocabulary."""
    ner = trained.get_pipe("lstm_ner")
    ner.to_disk(tmp_path / "ner")
    for way in ("bytes", "disk"):
        nlp, loaded = blank_component(Vocab())
        assert "TITLE" not in nlp.vocab.strings
        if way == "bytes":
            loaded.from_bytes(ner.to_bytes())
        else:
            loaded.from_disk(tmp_path / "ner")
        assert loaded.labels == ner.labels
        assert loaded.model.to_bytes() == ner.model.to_bytes()
        for eg in examples[:10]:
            assert found(nlp(eg.text)) == found(trained(eg.text))
        assert "TITLE" in nlp.vocab.strings


def test_parts_can_be_excluded(trained, examples, tmp_path):
    ner = trained.get_pipe("lstm_ner")
    assert len(ner.to_bytes(exclude=["model"])) < len(ner.to_bytes()) / 5
    _, loaded = blank_component()
    loaded.from_bytes(ner.to_bytes(exclude=["model"]))
    assert loaded.labels == ner.labels
    assert not loaded.model.get_ref("crf").has_param("transitions")
    _, loaded = blank_component()
    loaded.from_bytes(ner.to_bytes(), exclude=["cfg", "model"])
    assert loaded.labels == ()
    # Labels are loaded even without the strings of the vocabulary.
    ner.to_disk(tmp_path / "ner", exclude=["vocab"])
    assert not (tmp_path / "ner" / "vocab").exists()
    nlp, loaded = blank_component(Vocab())
    loaded.from_disk(tmp_path / "ner", exclude=["vocab"])
    assert found(nlp(examples[0].text)) == found(trained(examples[0].text)) != []
    # A pipeline without the component.
    trained.to_disk(tmp_path / "nlp", exclude=["lstm_ner"])
    assert not (tmp_path / "nlp" / "lstm_ner").exists()
    assert (
        "lstm_ner" not in spacy.load(tmp_path / "nlp", exclude=["lstm_ner"]).pipe_names
    )
    trained.to_disk(tmp_path / "nlp")
    disabled = spacy.load(tmp_path / "nlp", disable=["lstm_ner"])
    assert disabled(examples[0].text).ents == ()
    disabled.enable_pipe("lstm_ner")
    assert found(disabled(examples[0].text)) == found(trained(examples[0].text))


def test_the_order_of_labels_is_saved(trained, tmp_path):
    """The ids of tags depend on it."""
    nlp, ner = blank_component()
    for label in ("ZZ", "A", "M"):
        ner.add_label(label)
    nlp.initialize()
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), pickle.loads(pickle.dumps(nlp))):
        assert loaded.get_pipe("lstm_ner").labels == ("ZZ", "A", "M")


def test_bytes_are_reproducible(trained, tmp_path):
    again = loaded_again(trained)
    ner, other = (nlp.get_pipe("lstm_ner") for nlp in (trained, again))
    assert other.to_bytes(exclude=["vocab"]) == ner.to_bytes(exclude=["vocab"])
