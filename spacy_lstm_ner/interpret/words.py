"""Descriptions of the steps of an LSTM in words."""

import numpy as np

from ..layers.recording import States
from .gates import Gates

#: The names of the recorded values, for readers.
NAMES: dict[str, str] = {
    "input_gate": "input gate",
    "forget_gate": "forget gate",
    "output_gate": "output gate",
    "candidate": "candidate",
    "cell": "cell state",
    "hidden": "hidden state",
}
#: The names of the directions, for readers.
DIRECTIONS = ("forward", "backward")
# Smaller losses of a cell state are small.
_SMALL = 0.2


def step_in_words(gates: Gates, layer: int, direction: int, position: int) -> str:
    """Describe what one direction of a layer does at a unit of the text: what it
    forgets most, what it adds most to the cell state, and which hidden state changes
    most.

    gates: The recorded gates.
    layer: The layer, from 0.
    direction: 0: forward, 1: backward.
    position: The unit of the text, from 0.
    RETURNS: Three sentences.
    """
    states = States(*(array[direction] for array in gates.layers[layer]))
    before = position - 1 if direction == 0 else position + 1
    i, f, o, g, c, h = (array[position] for array in states)
    update = i * g
    updated = int(np.abs(update).argmax())
    if 0 <= before < len(gates.offsets):
        c_before, h_before = states.cell[before], states.hidden[before]
        forgetting = _describe_forgetting(f, states.forget_gate[before], c_before)
    else:
        h_before = np.zeros_like(h)
        forgetting = "This is the first step: the cell states are 0."
    changed = int(np.abs(h - h_before).argmax())
    return (
        f"{forgetting} Hidden unit {updated} is updated most, by "
        f"{signed(update[updated])} (input gate {i[updated]:.2f}, candidate "
        f"{signed(g[updated])}): its cell state is now {signed(c[updated])}. "
        f"The hidden state changes most in hidden unit {changed}: "
        f"{signed(h_before[changed])} → {signed(h[changed])} "
        f"(output gate {o[changed]:.2f})."
    )


def _describe_forgetting(
    f: np.ndarray, f_before: np.ndarray, c_before: np.ndarray
) -> str:
    """Describe which hidden unit loses most of its cell state."""
    losses = np.abs(c_before) * (1 - f)
    unit = int(losses.argmax())
    now, before = f[unit], f_before[unit]
    scaled = (
        f"its cell state of {signed(c_before[unit])} becomes "
        f"{signed(now * c_before[unit])}."
    )
    if losses[unit] < _SMALL:
        return (
            f"Little is forgotten, most by hidden unit {unit} (forget gate {now:.2f}): "
            f"{scaled}"
        )
    if now < 0.5:
        verb = "closes" if before >= 0.5 else "stays closed"
        return f"The forget gate of hidden unit {unit} {verb} ({now:.2f}): {scaled}"
    return f"Hidden unit {unit} forgets most (forget gate {now:.2f}): {scaled}"


def tags_in_words(gates: Gates, position: int) -> str:
    """Describe the highest emission scores at a unit of the text, and the tag on the
    best path; of several CRFs the tags on their best paths, and how much higher their
    scores are than that of "O".

    gates: The recorded gates.
    position: The unit of the text, from 0.
    RETURNS: One or two sentences.
    """
    if gates.path.ndim == 2:
        return _tags_of_crfs_in_words(gates, position)
    scores = gates.emissions[position]
    chosen = int(gates.path[position])
    best = [int(k) for k in np.argsort(-scores, kind="stable")[:3]]
    listed = ", ".join(
        f"{gates.tags[k]} {signed(scores[k])}" for k in best if np.isfinite(scores[k])
    )
    tag = gates.tags[chosen]
    description = f"The best path has {tag} here; highest scores: {listed}."
    if chosen != best[0]:
        description += (
            f" {tag} ({signed(scores[chosen])}) does not have the highest score, but "
            f"fits the neighboring tags better."
        )
    return description


def _tags_of_crfs_in_words(gates: Gates, position: int) -> str:
    scores = gates.emissions[position].reshape((len(gates.path), -1))
    # Of the CRFs that read this unit; "O" is the first tag of each.
    read = np.flatnonzero(gates.path[:, position] >= 0)
    chosen = gates.path[read, position] - read * scores.shape[1]
    found = [
        (crf, tag)
        for crf, tag in zip(read.tolist(), chosen.tolist(), strict=True)
        if tag
    ]

    def listed(tags: list[tuple[int, int]]) -> str:
        names = (
            f"{gates.tags[crf * scores.shape[1] + tag]} "
            f"({signed(scores[crf, tag] - scores[crf, 0])})"
            for crf, tag in tags
        )
        return " and ".join(names)

    if found:
        here = f"The best paths have {listed(found)} here, and O for all other labels"
    else:
        here = "The best paths have O for all labels here"
        best = [(crf, int(scores[crf, 1:].argmax()) + 1) for crf in read.tolist()]
        closest = max(best, key=lambda at: scores[at] - scores[at[0], 0])
        here += f"; the highest score has {listed([closest])}"
    return f"{here}. In brackets: how much higher a score is than that of O."


def signed(value: float) -> str:
    """Format a number with two decimals, its sign, and a real minus sign. A number that
    is rounded to 0 has no sign."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")
