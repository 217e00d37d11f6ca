"""The tables of the reference that are written by hand."""

import json
import re

from spacy.language import Language
from spacy.util import load_config

from spacy_lstm_ner.data.formats import FORMATS

from ..helpers.documentation import DOCS


def test_settings_of_the_components_have_their_defaults():
    text = (DOCS / "reference/component.md").read_text("utf8")
    flat, nested = text.split("\n## lstm_nested_ner\n")
    documented = {}
    for factory, part in (("lstm_ner", flat), ("lstm_nested_ner", nested)):
        defaults = dict(Language.get_factory_meta(factory).default_config)
        del defaults["scorer"], defaults["model"]  # sections of their own
        # Those that both have are documented once.
        documented = {k: v for k, v in documented.items() if k in defaults}
        rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", part, re.MULTILINE)
        documented |= {name: value for name, value in rows if name != "model"}
        assert documented == {k: json.dumps(v) for k, v in defaults.items()}


def test_settings_of_the_model_have_their_defaults():
    """Those of the configs with and without a lexicon."""
    text = (DOCS / "guides/configs.md").read_text("utf8")
    rows = dict(re.findall(r"^\| `([\w.]+)`.*? \| (.+?) \|", text, re.MULTILINE))

    configs = DOCS.parent / "configs"
    for number, name in enumerate(("lstm_ner", "no_lexicon")):
        config = load_config(configs / f"{name}.cfg").interpolate()
        tok2vec = config["components"]["lstm_ner"]["model"]["tok2vec"]
        values = {
            f"{part}.{key}": value
            for part in ("embed", "encode")
            for key, value in tok2vec[part].items()
        }
        for setting, shown in rows.items():
            if setting not in values or (setting == "embed.lexicon_width" and number):
                continue
            both = shown.replace("`", "").split("; without a lexicon ")
            assert both[min(number, len(both) - 1)] == json.dumps(values[setting])
    training = config["training"]
    assert rows["training.dropout"] == json.dumps(training["dropout"])
    assert rows["training.batcher.size"] == json.dumps(training["batcher"]["size"])
    assert rows["training.max_epochs"] == "{max_epochs}, {patience}".format(**training)


def test_all_formats_and_their_examples_are_in_the_table():
    text = (DOCS / "reference/formats.md").read_text("utf8")
    to_read = text.partition("## Formats to write")[0]
    documented = re.findall(r"^\| `([\w-]+)` \|", to_read, re.MULTILINE)
    assert set(documented) == set(FORMATS)
    examples = DOCS.parent / "tests/data/formats/examples"
    named = set(re.findall(r"`([\w.]+)`", text))
    for path in examples.iterdir():
        assert path.name in named or path.name.startswith("refused_"), path.name
    for name in named:
        is_example = name.partition("_")[0] in ("columns", "doccano", "prodigy")
        assert not (is_example and "." in name) or (examples / name).exists(), name
