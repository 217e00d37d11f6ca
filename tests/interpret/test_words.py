"""Descriptions of steps: their numbers are those of the gates."""

import re

import numpy as np

from spacy_lstm_ner.interpret.gates import Gates
from spacy_lstm_ner.interpret.words import step_in_words, tags_in_words
from spacy_lstm_ner.layers.recording import States


def wired(forget):
    """Two hidden units in two directions over three characters. Unit 1 keeps its cell
    state until its forget gate closes."""
    n = 3
    shape = (2, n, 2)
    states = States(*(np.zeros(shape) for _ in States._fields))
    states.forget_gate[:] = 0.95
    states.forget_gate[:, 1, 1] = forget
    states.cell[:, :, 1] = 0.8
    states.cell[:, 1, 1] = 0.8 * forget
    states.input_gate[:, :, 0] = 0.5
    states.candidate[:, :, 0] = -0.6
    states.output_gate[:] = 0.25
    states.hidden[:, 1, 0] = -0.3
    return Gates(
        text="王。芳",
        offsets=[(0, 1), (1, 2), (2, 3)],
        layers=[states],
        tags=("O", "B-A", "I-A"),
        emissions=np.array([[0.0, 1.5, -2.0], [1.0, 2.0, 0.5], [0.0, 0.0, -np.inf]]),
        path=np.array([1, 2, 0]),
        entities=[],
    )


def test_a_gate_that_closes():
    for direction in (0, 1):
        said = step_in_words(wired(0.05), 0, direction, 1)
        assert said.startswith("The forget gate of hidden unit 1 closes (0.05): ")
        assert "its cell state of +0.80 becomes +0.04." in said
        assert (
            "Hidden unit 0 is updated most, by −0.30 (input gate 0.50, candidate −0.60)"
            in said
        )
        assert "changes most in hidden unit 0: 0.00 → −0.30" in said


def test_a_gate_that_stays_closed_and_one_that_stays_open():
    gates = wired(0.05)
    gates.layers[0].forget_gate[:, :, 1] = 0.05
    assert "The forget gate of hidden unit 1 stays closed" in step_in_words(
        gates, 0, 0, 1
    )
    said = step_in_words(wired(0.9), 0, 0, 1)
    assert said.startswith(
        "Little is forgotten, most by hidden unit 1 (forget gate 0.90): "
    )
    # Much can be forgotten although the gate is half open.
    said = step_in_words(wired(0.6), 0, 0, 1)
    assert said.startswith("Hidden unit 1 forgets most (forget gate 0.60): ")


def test_the_first_step_of_each_direction():
    gates = wired(0.05)
    assert step_in_words(gates, 0, 0, 0).startswith("This is the first step: ")
    assert step_in_words(gates, 0, 1, 2).startswith("This is the first step: ")
    assert not step_in_words(gates, 0, 1, 0).startswith("This is the first step: ")


def test_tags():
    gates = wired(0.05)
    assert tags_in_words(gates, 0) == (
        "The best path has B-A here; highest scores: B-A +1.50, O 0.00, I-A −2.00."
    )
    assert (
        "I-A (+0.50) does not have the highest score, but fits the neighboring tags"
        in tags_in_words(gates, 1)
    )
    assert "inf" not in tags_in_words(gates, 2)


def test_numbers_are_those_of_the_page(trained, examples):
    from spacy_lstm_ner.inspect import open_gates

    gates = open_gates(trained, examples[0].text)
    said = step_in_words(gates, 0, 0, 5)
    unit, written = re.search(
        r"Hidden unit (\d+) is updated most, by (\S+) ", said
    ).groups()
    states = gates.layers[0]
    products = (states.input_gate * states.candidate)[0, 5]
    assert int(unit) == np.abs(products).argmax()
    assert float(written.replace("−", "-")) == round(float(products[int(unit)]), 2)
