"""The page that shows the gates of an LSTM on a text."""

import base64
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ..interpret.attribution import Explanation
from ..interpret.gates import Gates
from ..interpret.ranking import RankedUnit
from ..interpret.words import (
    DIRECTIONS,
    NAMES,
    signed,
    step_in_words,
    tags_in_words,
)
from ..layers.recording import States
from ..util.text import code_point, is_invisible, probability_text
from .attribution_page import attribution_context
from .colors import label_styles
from .elements import language
from .entities import marked_text, rows_without_overlaps
from .page import asset, fragment, page

# Values are stored as integers, relative to this one for the largest value: in one
# byte, or in two bytes for cell states, which can be large.
_MAX_INTEGER = {"int8": 127, "int16": 32767}
# Width in pixels of the column of a character.
_COLUMN = 26
# Number of hidden units that are listed for each type.
_MAX_RANKED = 5
# After the label of the CRFs that search for entities inside of others of this label.
_INSIDE = ", inside"
#: Maximum number of units of a page: it would become very long with more.
MAX_UNITS = 1_000
#: Maximum number of characters for attribution: more would take many seconds.
MAX_ATTRIBUTED = 300


class GatesView(NamedTuple):
    """The gates as a part of another page, which has the script gates.js."""

    html: str
    #: The data for the script.
    data: dict[str, Any]


def gates_page(
    gates: Gates,
    *,
    explanation: Explanation | None = None,
    ranking: Mapping[str, Sequence[RankedUnit]] | None = None,
) -> str:
    """Return a page with the units of a text from left to right and the hidden units
    from top to bottom: gates, cell and hidden states as colors, entities above,
    emission scores and the best path below. The step under the pointer is described in
    words.

    gates: The result of `open_gates`.
    explanation: The result of `explain` for the same text, to show the contribution of
        each character to an entity.
    ranking: The result of `rank_units`, to sort hidden units by how closely they follow
        a type.
    RETURNS: The page.
    """
    return page(
        "gates.html",
        "LSTM gates",
        script=asset("gates.js") + _START,
        data=_data(gates, explanation, ranking or {}),
        **_context(gates, explanation, ranking or {}),
    )


_START = """
showGates(document.querySelector("main"),
  JSON.parse(document.getElementById("data").textContent));
"""


def gates_view(gates: Gates, *, explanation: Explanation | None = None) -> GatesView:
    """Return the content of `gates_page` for another page."""
    context = _context(gates, explanation, {})
    return GatesView(
        fragment("gates_view.html", **context), _data(gates, explanation, {})
    )


def _styles(gates: Gates) -> dict[str, str]:
    return label_styles(tag[2:] for tag in gates.tags if tag != "O")


def _context(
    gates: Gates,
    explanation: Explanation | None,
    ranking: Mapping[str, Sequence[RankedUnit]],
) -> dict[str, Any]:
    """What the template shows."""
    shown = [_visible(unit) for unit in gates.units]
    styles, passes = _styles(gates), _passes(gates)
    several = len({r.layer for ranked in ranking.values() for r in ranked}) > 1
    return {
        "gates": gates,
        "marked": marked_text(gates.text, gates.entities, styles, lang=gates.lang),
        "passes": [(*one_pass, _pass_name(gates, *one_pass)) for one_pass in passes],
        "names": NAMES,
        "styles": styles,
        "ranking": {
            label: [_ranked(unit, several) for unit in ranked[:_MAX_RANKED]]
            for label, ranked in ranking.items()
        },
        "rows": [
            (
                unit,
                tags_in_words(gates, k),
                [(*one, step_in_words(gates, *one, k)) for one in passes],
            )
            for k, unit in enumerate(shown)
        ],
        "attribution": explanation and attribution_context(explanation, styles),
    }


def _data(
    gates: Gates,
    explanation: Explanation | None,
    ranking: Mapping[str, Sequence[RankedUnit]],
) -> dict[str, Any]:
    """What the script draws."""
    styles = _styles(gates)
    return {
        "units": [_visible(unit) for unit in gates.units],
        "unit": gates.unit_name,
        "lang": language(gates.lang),
        "column": _column(gates),
        "names": [[field, NAMES[field]] for field in gates.layers[0]._fields],
        "layers": [_layer(layer) for layer in gates.layers],
        "directions": DIRECTIONS,
        "tags": gates.tags,
        "groups": _groups(gates),
        "styles": styles,
        "emissions": _pack(np.nan_to_num(gates.emissions, neginf=-1e4).clip(-40, 40)),
        "paths": gates.paths.tolist(),
        "entities": _entities(gates),
        "ranking": {
            label: [[r.layer, r.direction, r.unit] for r in ranked]
            for label, ranked in ranking.items()
        },
        "contributions": explanation
        and [
            [round(x, 3) for x in entity.contributions.tolist()]
            for entity in explanation.entities
        ],
    }


def _groups(gates: Gates) -> list[tuple[str, int]]:
    """The names of the tags in groups, with the size of each: those of a label have a
    name together; if there are several CRFs, those of each CRF."""
    if gates.path.ndim == 1:
        labels = ["none" if tag == "O" else tag[2:] for tag in gates.tags]
        return [(label, len(list(same))) for label, same in groupby(labels)]
    size = len(gates.tags) // len(gates.path)
    found: list[tuple[str, int]] = []
    for last in gates.tags[size - 1 :: size]:
        label = last[2:]
        is_inner = bool(found) and found[-1][0].removesuffix(_INSIDE) == label
        found.append((label + _INSIDE * is_inner, size))
    return found


def _entities(gates: Gates) -> list[dict[str, Any]]:
    """The entities with their first and last unit, and the row of their bars, as in
    `marked_text`. None for those without a unit, which are not drawn."""
    column_of: dict[int, int] = {}  # the column of each character
    for column, (start, end) in enumerate(gates.offsets):
        column_of.update(dict.fromkeys(range(start, end), column))
    rows = rows_without_overlaps(gates.entities)
    row_of = {entity: k for k, row in enumerate(rows) for entity in row}
    return [
        {
            "first": column_of.get(entity.start),
            "last": column_of.get(entity.end - 1),
            "row": row_of[entity],
            "label": entity.label,
            "score": probability_text(entity.score),
        }
        for entity in gates.entities
    ]


def _layer(layer: States) -> dict[str, Any]:
    """The values of a layer, packed: for each name and direction (n, hidden units)."""
    directions, _, width = layer.hidden.shape
    return {
        "width": width,
        "values": {
            name: [
                _pack(array[k], "int16" if name == "cell" else "int8")
                for k in range(directions)
            ]
            for name, array in layer._asdict().items()
        },
    }


def _pack(array: np.ndarray, dtype: str = "int8") -> dict[str, Any]:
    """Convert numbers to integers relative to the largest one."""
    largest = max(1.0, float(np.abs(array).max(initial=0.0)))
    integers = np.rint(array / largest * _MAX_INTEGER[dtype]).astype(
        np.dtype(dtype).newbyteorder("<")
    )
    return {
        "largest": round(largest, 4),
        "type": dtype,
        "bytes": base64.b64encode(integers.tobytes()).decode(),
    }


def _visible(unit: str) -> str:
    """Replace a unit that would be invisible in its column."""
    if unit == "\n":
        return "↵"
    if unit == "\t":
        return "⇥"
    if unit.isspace():
        return "␣"
    if all(map(is_invisible, unit)):
        return code_point(unit[0])
    return unit


def _column(gates: Gates) -> int:
    """The width of a column, in pixels: tokens are wider than characters."""
    if gates.unit_name == "character":
        return _COLUMN
    longest = max(len(unit) for unit in gates.units)
    return min(120, max(_COLUMN, 12 + 10 * longest))


def _ranked(unit: RankedUnit, several: bool) -> str:
    layer = f"layer {unit.layer + 1}, " if several else ""
    direction = DIRECTIONS[unit.direction]
    return f"{layer}{direction} {unit.unit} ({signed(unit.correlation)})"


def _passes(gates: Gates) -> list[tuple[int, int]]:
    """Each layer and direction."""
    return [
        (layer, direction)
        for layer, states in enumerate(gates.layers)
        for direction in range(len(states.hidden))
    ]


def _pass_name(gates: Gates, layer: int, direction: int) -> str:
    name = f"layer {layer + 1}, " if len(gates.layers) > 1 else ""
    return f"{name}{DIRECTIONS[direction]}"
