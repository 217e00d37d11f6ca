"""What installing the package gives to spaCy and Thinc."""

from importlib.metadata import entry_points

import pytest
import spacy
from spacy import registry
from thinc.api import Config

from .helpers.paths import REPOSITORY

GROUPS = {
    "spacy_factories": "factories",
    "spacy_architectures": "architectures",
    "spacy_scorers": "scorers",
    "spacy_loggers": "loggers",
    "spacy_readers": "readers",
    "spacy_cli": "cli",
    "spacy_callbacks": "callbacks",
    "thinc_layers": "layers",
    "thinc_optimizers": "optimizers",
}


def ours(group):
    return [
        entry.name
        for entry in entry_points(group=group)
        if entry.value.startswith("spacy_lstm_ner")
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_every_name_is_found_in_its_registry(group):
    names = ours(group)
    assert names
    for name in names:
        if group == "spacy_factories":
            assert spacy.blank("zh").has_factory(name)
        else:
            assert callable(getattr(registry, GROUPS[group]).get(name)), name


def test_names_carry_package_and_version():
    for group in GROUPS:
        if group not in ("spacy_factories", "spacy_cli"):
            for name in ours(group):
                assert name.startswith("spacy-lstm-ner."), name
                assert name.endswith(".v1"), name


def test_the_factory_says_what_it_sets_and_how_it_is_scored():
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner")
    meta = nlp.get_pipe_meta("lstm_ner")
    assert "doc.ents" in meta.assigns
    assert meta.default_score_weights["ents_f"] == 1.0
    assert nlp.analyze_pipes()["problems"] == {"lstm_ner": []}
    nlp.add_pipe("lstm_nested_ner")
    meta = nlp.get_pipe_meta("lstm_nested_ner")
    assert meta.assigns == ["doc.spans"]
    assert meta.default_score_weights["spans_sc_f"] == 1.0


@pytest.mark.parametrize("name", ["LSTMStackEncoder", "RNNStackEncoder"])
@pytest.mark.parametrize("wrong", [{"depth": 0}, {"linear_width": 0}])
def test_a_stack_of_nothing(name, wrong):
    build = registry.architectures.get(f"spacy-lstm-ner.{name}.v1")
    with pytest.raises(
        ValueError, match=r"have to be at least 1, not (0 and 3|2 and 0)"
    ):
        build(**{"width": 4, "linear_width": 3, "depth": 2, "bi": False, **wrong})


def test_component_defaults_are_those_of_a_config():
    """`nlp.add_pipe("lstm_ner")` and configs/no_lexicon.cfg build the same component:
    one that can be trained on any language without anything else."""
    config = Config().from_disk(REPOSITORY / "configs" / "no_lexicon.cfg")
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner")
    assert config["components"] == nlp.config["components"]
