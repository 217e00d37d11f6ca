"""What the README says."""

import re

import pytest

from .conftest import REPOSITORY, found

README = (REPOSITORY / "README.md").read_text("utf8")
BLOCKS = [block.split("```")[0] for block in README.split("```python\n")[1:]]


def run_block(word: str, names: dict | None = None) -> dict:
    """Run the Python block that has a word in it; give its variables."""
    (code,) = [block for block in BLOCKS if word in block]
    names = {} if names is None else names
    exec(code, names)
    return names


def test_the_component_learns_the_sentence():
    names = run_block('add_pipe("lstm_ner")')
    doc = names["nlp"](names["text"])
    entities = [(0, 2, "NAME"), (3, 7, "ORG"), (7, 9, "TITLE")]
    assert found(doc) == entities
    names = run_block('attrs["scores"]', names)
    assert list(names["group"]) == list(names["doc"].ents)
    assert list(names["analyses"][0].entities) == entities
    assert len(names["analyses"]) == 3
    scores = names["group"].attrs["scores"]
    assert names["probabilities"][0] == pytest.approx(scores[1], abs=1e-5)
    assert sum(names["probabilities"]) <= 1


def test_looking_inside(capsys):
    names = run_block('add_pipe("lstm_ner")')
    names = run_block("open_gates", names)
    assert names["gates"].layers[0].forget_gate.shape == (2, len(names["text"]), 128)
    assert len(names["why"].entities) == 3
    assert abs(names["follows"].correlation) > 0.5
    assert "ORG" in capsys.readouterr().out


def test_the_layers_run():
    names = run_block("from spacy_lstm_ner.layers import")
    assert names["Y"].data.shape == (7, 64)
    assert names["dX"].data.shape == (7, 16)


def test_two_commands_do_all_the_set_up():
    commands = re.findall(r"^pip install .+ && .+$", README, re.MULTILINE)
    assert commands == [
        'pip install -e ".[project]" && python -m spacy project run all',
        'pip install -e ".[tests]" && python -m pytest',
    ]


def test_every_file_that_is_linked_exists():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target
