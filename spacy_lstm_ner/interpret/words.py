"""What the LSTM does at a character, in words."""

import numpy as np

from ..layers.recording import States
from .gates import Gates

#: Names of the values of a unit, as people read them.
NAMES: dict[str, str] = {
    "input_gate": "input gate",
    "forget_gate": "forget gate",
    "output_gate": "output gate",
    "candidate": "candidate",
    "cell": "cell state",
    "hidden": "hidden state",
}
# Less than this of a memory is not much.
_LITTLE = 0.2
DIRECTIONS = ("forwards", "backwards")


def step_in_words(gates: Gates, layer: int, direction: int, position: int) -> str:
    """What one direction of a layer does at a unit of the text: what it forgets most of
    what it had in memory, what it writes, and what it shows.

    gates (Gates): What was seen.
    layer (int): The layer, from 0.
    direction (int): 0: forwards, 1: backwards.
    position (int): The unit of the text, from 0.
    RETURNS (str): Some sentences.
    """
    states = States(*(array[direction] for array in gates.layers[layer]))
    n = len(gates.places)
    before = position - 1 if direction == 0 else position + 1
    i, f, o, g, c, h = (array[position] for array in states)
    writes = int(np.abs(i * g).argmax())
    if not 0 <= before < n:
        said = ["Its memory is still empty."]
        h_before = np.zeros_like(h)
    else:
        c_before, h_before = states.cell[before], states.hidden[before]
        said = [_forgets(f, states.forget_gate[before], c_before)]
    said.append(
        f"Unit {writes} writes most: {_sign(i[writes] * g[writes])} (input gate "
        f"{_gate(i[writes])}, candidate {_sign(g[writes])}); its cell state is now "
        f"{_sign(c[writes])}."
    )
    shows = int(np.abs(h - h_before).argmax())
    said.append(
        f"Unit {shows} changes most in what it shows: hidden state "
        f"{_sign(h_before[shows])} → {_sign(h[shows])} (output gate {_gate(o[shows])})."
    )
    return " ".join(said)


def _forgets(f: np.ndarray, f_before: np.ndarray, c_before: np.ndarray) -> str:
    """Which unit loses most of what it remembered."""
    losses = np.abs(c_before) * (1 - f)
    unit = int(losses.argmax())
    now, then = f[unit], f_before[unit]
    memory = f"what is left of its memory of {_sign(c_before[unit])} is "
    memory += f"{_sign(now * c_before[unit])}."
    if losses[unit] < _LITTLE:
        said = f"Nothing much is forgotten; most by unit {unit}, whose forget gate is "
        return f"{said}at {_gate(now)}: {memory}"
    if now < 0.5:
        verb = "closes" if then >= 0.5 else "stays closed"
        return f"The forget gate of unit {unit} {verb} ({_gate(now)}): {memory}"
    return f"Unit {unit} forgets most, its forget gate is at {_gate(now)}: {memory}"


def tags_in_words(gates: Gates, position: int) -> str:
    """The scores of the tags at a unit of the text, and which tag the best path has."""
    scores = gates.emissions[position]
    chosen = int(gates.path[position])
    best = [int(k) for k in np.argsort(-scores, kind="stable")[:3]]
    listed = ", ".join(
        f"{gates.tags[k]} {_sign(scores[k])}" for k in best if np.isfinite(scores[k])
    )
    said = f"The best path has {gates.tags[chosen]} here; highest scores: {listed}."
    if chosen != best[0]:
        said += (
            f" Not the highest one: with {_sign(scores[chosen])}, {gates.tags[chosen]} "
            f"fits the tags around it better."
        )
    return said


def _gate(value: float) -> str:
    return f"{value:.2f}"


def _sign(value: float) -> str:
    """With its sign, and a real minus. What rounds to 0 has none."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")
