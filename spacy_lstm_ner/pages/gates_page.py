"""The page that shows the gates of an LSTM on a text."""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

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
from ..util.text import code_point, is_invisible
from .attribution_page import attribution_html
from .elements import lang_html, text_html
from .entities import entities_html, hue, probability_text
from .page import asset, page

# Values are stored as integers, relative to this one for the largest value: in one
# byte, or in two bytes for cell states, which can be large.
_MAX_INTEGER = {"int8": 127, "int16": 32767}
# Width in pixels of the column of a character, and of a letter of a label.
_COLUMN, _LETTER = 26, 6.5
# Number of hidden units that are listed for each type.
_MAX_RANKED = 5
#: Maximum number of units of a page: browsers cannot draw much wider pictures.
MAX_UNITS = 1_000
#: Maximum number of characters for attribution: more would take many seconds.
MAX_ATTRIBUTED = 300


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
    shown = [_visible(unit) for unit in gates.units]
    data: dict[str, Any] = {
        "units": shown,
        "unit": gates.unit_name,
        "column": _column(gates),
        "names": [[field, NAMES[field]] for field in gates.layers[0]._fields],
        "layers": [_layer(layer) for layer in gates.layers],
        "directions": DIRECTIONS,
        "tags": gates.tags,
        "emissions": _pack(np.nan_to_num(gates.emissions, neginf=-1e4).clip(-40, 40)),
        "path": gates.path.tolist(),
        "ranking": {
            label: [[r.layer, r.direction, r.unit] for r in ranked]
            for label, ranked in (ranking or {}).items()
        },
        "contributions": [
            [round(x, 3) for x in entity.contributions.tolist()]
            for entity in (explanation.entities if explanation else ())
        ],
    }
    body = "\n".join(
        [
            "<h1>LSTM gates</h1>",
            entities_html(gates.text, gates.entities, lang=gates.lang),
            _HELP.replace("character", gates.unit_name),
            _controls(gates, ranking or {}),
            _picture(gates, shown, explanation),
            '<div id="words" aria-live="polite"></div>',
            attribution_html(explanation) if explanation else "",
            _ranking_table(ranking) if ranking else "",
            _values_table(gates, shown),
        ]
    )
    return page(
        "LSTM gates",
        body,
        style=asset("gates.css"),
        script=asset("gates.js"),
        data=data,
    )


_HELP = """<p class="note">Each column is a character, each row of the picture a hidden
unit. Point at the picture, or use the arrow keys: the step is described below. An open
forget gate (1) keeps the cell state of its hidden unit, a closed one (0) discards it.
An open input gate adds the candidate to the cell state. An open output gate passes the
cell state on as the hidden state, the output of the layer. The best path is the most
probable sequence of tags: B, I and E for the begin, the inside and the end of an
entity, S for an entity of a single character, a dot for none.</p>"""


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


def _controls(gates: Gates, ranking: Mapping[str, Sequence[RankedUnit]]) -> str:
    passes = [
        (f"{layer},{direction}", _pass_name(gates, layer, direction))
        for layer, direction in _passes(gates)
    ]
    orders = [("number", "by number"), ("active", "by change in this text")]
    orders += [(f"type {label}", f"by correlation with {label}") for label in ranking]
    return f"""<div class="controls">
{_select("pass", "Direction", passes)}
{_select("value", "Show", [*NAMES.items()], selected="hidden")}
{_select("order", "Order of hidden units", orders)}
<span class="scale" aria-hidden="true"><span id="low"></span>
<canvas id="legend" width="100" height="10"></canvas><span id="high"></span></span>
</div>"""


def _column(gates: Gates) -> int:
    """The width of a column, in pixels: tokens are wider than characters."""
    if gates.unit_name == "character":
        return _COLUMN
    longest = max(len(unit) for unit in gates.units)
    return min(120, max(_COLUMN, 12 + 10 * longest))


def _select(
    name: str, label: str, options: Sequence[tuple[str, str]], selected: str = ""
) -> str:
    listed = "".join(
        f'<option value="{html.escape(value)}"'
        f"{' selected' if value == selected else ''}>{html.escape(text)}</option>"
        for value, text in options
    )
    return f'<label>{label} <select id="{name}">{listed}</select></label>'


def _picture(gates: Gates, shown: list[str], explanation: Explanation | None) -> str:
    """Rows that are scrolled together, with a column for each unit of the text."""
    characters = "".join(
        f'<span class="char{_size(char)}" data-at="{k}" title="{html.escape(char)}">'
        f"{html.escape(char)}</span>"
        for k, char in enumerate(shown)
    )
    tags = "".join(
        f'<span class="tag" style="--hue: {hue(tag[2:])}">{html.escape(tag[0])}</span>'
        if tag != "O"
        else '<span class="tag o">·</span>'
        for tag in gates.path_tags
    )
    n = len(shown)
    return f"""<div class="picture" id="picture" tabindex="0" role="application"
 aria-label="The text, {n} {gates.unit_name}s: move with the arrow keys"
 aria-describedby="words" style="--n: {n}; --cw: {_column(gates)}px">
<div class="names" aria-hidden="true">
<span class="bars">entities</span><span class="chars">text</span>
<span class="path">best path</span><span class="grow" id="unit-names"></span>
<span id="tag-names"></span>
</div>
<div class="columns">
<div class="row bars">{_bars(gates, is_clickable=explanation is not None)}</div>
<div class="row chars"{lang_html(gates.lang)}>{characters}</div>
<div class="row path">{tags}</div>
<canvas id="units"></canvas>
<canvas id="tags"></canvas>
<div id="cursor" hidden></div>
</div>
</div>"""


def _bars(gates: Gates, *, is_clickable: bool) -> str:
    """The entities, as bars above their characters."""
    element = "button" if is_clickable else "span"
    column_of: dict[int, int] = {}  # the column of each character
    for column, (start, end) in enumerate(gates.offsets):
        column_of.update(dict.fromkeys(range(start, end), column))
    bars = []
    for number, (start, end, label, score) in enumerate(gates.entities):
        first, last = column_of.get(start), column_of.get(end - 1)
        if first is None or last is None:
            continue
        caption = f"{label} {probability_text(score)}"
        # Above a short entity there is only space for a part of it.
        letters = int((last + 1 - first) * _column(gates) / _LETTER)
        fitting = (text for text in (caption, label) if len(text) <= letters)
        bars.append(
            f'<{element} class="bar" data-entity="{number}" '
            f'style="--hue: {hue(label)}; grid-column: {first + 1} / {last + 2}" '
            f'title="{html.escape(caption)}">'
            f"{html.escape(next(fitting, label[:letters]))}</{element}>"
        )
    return "".join(bars)


def _size(char: str) -> str:
    """The CSS class for the font size of a unit: code points and tokens are longer than
    characters."""
    if char.startswith("U+"):
        return " named"
    return " word" if len(char) > 2 else ""


def _ranking_table(ranking: Mapping[str, Sequence[RankedUnit]]) -> str:
    several = len({r.layer for ranked in ranking.values() for r in ranked}) > 1
    rows = []
    for label, ranked in ranking.items():
        cells = "".join(
            f"<td>{f'layer {r.layer + 1}, ' if several else ''}"
            f"{DIRECTIONS[r.direction]} {r.unit} ({signed(r.correlation)})</td>"
            for r in ranked[:_MAX_RANKED]
        )
        rows.append(f"<tr><th scope='row'>{html.escape(label)}</th>{cells}</tr>")
    return (
        "<h2>Hidden units that follow entities</h2>\n"
        "<div class='wide' tabindex='0'><table>"
        "<caption>For each type, the hidden units whose hidden state has the largest "
        "correlation with being inside an entity of the type, over a corpus.</caption>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _values_table(gates: Gates, shown: list[str]) -> str:
    """The content of the picture in words: a row for each unit of the text."""
    passes = _passes(gates)
    heads = "".join(
        f"<th scope='col'>{_pass_name(gates, *one_pass)}</th>" for one_pass in passes
    )
    rows = []
    for k, char in enumerate(shown):
        cells = "".join(
            f"<td id='w{layer}-{direction}-{k}'>"
            f"{step_in_words(gates, layer, direction, k)}</td>"
            for layer, direction in passes
        )
        rows.append(
            f"<tr><th scope='row'>{k + 1} "
            f"<span{lang_html(gates.lang)}>{text_html(char)}</span></th>"
            f"<td id='t{k}'>{html.escape(tags_in_words(gates, k))}</td>{cells}</tr>"
        )
    return (
        f"<details id='values'><summary>Description of each {gates.unit_name}"
        "</summary><div class='wide' tabindex='0'><table>"
        "<thead><tr><th scope='col'>Text</th>"
        f"<th scope='col'>Tags</th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
        "</table></div></details>"
    )


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
