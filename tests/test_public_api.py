"""The public API: what `import spacy_lstm_ner` offers."""

import ast
import importlib
import inspect
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from pkgutil import iter_modules

import pytest

import spacy_lstm_ner
from spacy_lstm_ner.data.convert import convert as convert_in_its_module
from spacy_lstm_ner.data.options import ReadingOptions

from .helpers.paths import EASY, REPOSITORY

NAMES = [name for name in spacy_lstm_ner.__all__ if name != "__version__"]
MODULES = ["exceptions", "inspect", "layers"]


def test_the_import_loads_nothing_heavy():
    code = "import sys, spacy_lstm_ner; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = loaded.stdout.split()
    assert {name for name in modules if name.startswith("spacy_lstm_ner.")} == set()
    heavy = {"spacy", "thinc", "numpy", "torch", "importlib.metadata"}
    assert heavy.isdisjoint(modules)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_loaded_documented_and_listed(name):
    value = getattr(spacy_lstm_ner, name)
    assert value.__name__ == name
    # That of a named tuple without one is made of its fields.
    doc = inspect.getdoc(value)
    assert doc and not doc.startswith(f"{name}(")
    assert name in dir(spacy_lstm_ner)


def test_no_name_is_that_of_a_submodule():
    submodules = {module.name for module in iter_modules(spacy_lstm_ner.__path__)}
    assert submodules.isdisjoint(NAMES)
    assert spacy_lstm_ner.convert is convert_in_its_module


@pytest.mark.parametrize("module", MODULES)
def test_public_modules_list_their_names(module):
    imported = importlib.import_module(f"spacy_lstm_ner.{module}")
    assert imported.__all__
    for name in imported.__all__:
        assert getattr(imported, name).__doc__, name


def test_all_layers_are_offered():
    from spacy_lstm_ner import layers

    assert set(layers.__all__) <= set(NAMES)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(spacy_lstm_ner.__file__).read_text("utf8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING"
    )
    seen = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == spacy_lstm_ner._MODULES


def test_version_is_that_of_setup_cfg():
    config = ConfigParser()
    config.read(REPOSITORY / "setup.cfg", encoding="utf8")
    assert spacy_lstm_ner.__version__ == config["metadata"]["version"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = spacy_lstm_ner.no_such_name
    with pytest.raises(ImportError):
        from spacy_lstm_ner import no_such_name  # noqa: F401


def test_signatures_show_the_reading_options():
    for function in (spacy_lstm_ner.convert, spacy_lstm_ner.BIOCorpus):
        parameters = inspect.signature(function).parameters
        for field in ReadingOptions.__dataclass_fields__.values():
            parameter = parameters[field.name]
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert (parameter.default, parameter.annotation) == (
                field.default,
                field.type,
            )
        assert "options" not in parameters


def test_an_unknown_reading_option_is_named():
    with pytest.raises(TypeError, match="schema"):
        spacy_lstm_ner.convert("in.jsonl", "out.spacy", schema="BIO")
    with pytest.raises(TypeError, match="schema"):
        spacy_lstm_ner.BIOCorpus("in.jsonl", schema="BIO")


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_strings_or_paths_and_nothing_is_printed(
    trained, tmp_path, kind, capfd
):
    api = spacy_lstm_ner
    source, data, model = EASY, tmp_path / "data.spacy", "model"
    trained.to_disk(tmp_path / model)
    source, data, model = map(kind, (source, data, tmp_path / model))
    conversion = api.convert(source, data, limit=30)
    assert conversion.outputs[0].records == 30
    assert api.check(data, data).files[1].records == 30
    assert api.evaluate(model, data)["ents_f"] > 0.5
    assert api.evaluate(trained, data, limit=5)["ents_f"] > 0.5
    assert api.find_errors(model, data, train=data).gold.total() > 0
    assert api.calibrate(model, data).temperatures
    page = tmp_path / "report.html"
    api.write_report(model, data, kind(page))
    assert page.is_file()
    assert capfd.readouterr() == ("", "")
