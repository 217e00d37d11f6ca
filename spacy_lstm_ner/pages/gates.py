"""The page that shows the gates of an LSTM at work on a text."""

import base64
import html
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..interpret.attribution import Explanation
from ..interpret.gates import Gates
from ..interpret.ranking import RankedUnit
from ..interpret.words import DIRECTIONS, NAMES, step_in_words, tags_in_words
from ..layers.recording import States
from .attribution import why_html
from .entities import confidence, entities_html, hue
from .page import asset, code_point, is_shapeless, lang_html, page, text_html

# Values are sent as whole numbers from -1 to 1 times this, in one byte each; cell
# states, which may be large, in two.
_STEPS = {"int8": 127, "int16": 32767}
# Width of the column of a character in pixels, and that of a letter of a label.
_COLUMN, _LETTER = 26, 6.5
# So many of the units that follow a type are listed.
_RANKED = 5
#: Browsers draw no picture that is much wider, and nobody would read it.
MOST_UNITS = 1_000
#: To explain the entities of more characters takes many seconds.
MOST_EXPLAINED = 300


def gates_page(
    gates: Gates,
    *,
    explanation: Explanation | None = None,
    ranking: Mapping[str, Sequence[RankedUnit]] | None = None,
) -> str:
    """A page with the text across and the hidden units down: gates, cell and hidden
    states in colours, entities above, scores of the tags and the best path below. The
    character under the pointer is explained in words.

    gates (Gates): What `open_gates` saw.
    explanation (Explanation | None): What `explain` says of the same text, to show what
        each character adds to an entity.
    ranking (Mapping[str, Sequence[RankedUnit]] | None): What `rank_units` gives, to
        put the units into the order in which they follow a type.
    RETURNS (str): The page, in one file.
    """
    shown = [_shown(unit) for unit in gates.units]
    data: dict[str, Any] = {
        "units": shown,
        "unit": gates.unit_name,
        "column": _column(gates),
        "names": [[field, NAMES[field]] for field in gates.layers[0]._fields],
        "layers": [_layer(layer) for layer in gates.layers],
        "directions": DIRECTIONS,
        "tags": gates.tags,
        "emissions": _packed(np.nan_to_num(gates.emissions, neginf=-1e4).clip(-40, 40)),
        "path": gates.path.tolist(),
        "ranking": {
            label: [[r.layer, r.direction, r.unit] for r in ranked]
            for label, ranked in (ranking or {}).items()
        },
        "why": [[round(float(x), 3) for x in why.added] for why in explanation.entities]
        if explanation
        else [],
    }
    body = "\n".join(
        [
            "<h1>The gates of the LSTM</h1>",
            entities_html(gates.text, gates.entities, lang=gates.lang),
            _HELP.replace("character", gates.unit_name),
            _controls(gates, ranking or {}),
            _picture(gates, shown, explanation),
            '<div id="words" aria-live="polite"></div>',
            why_html(explanation) if explanation else "",
            _ranking_table(ranking) if ranking else "",
            _values_table(gates, shown),
        ]
    )
    return page(
        "The gates of the LSTM",
        body,
        style=asset("gates.css"),
        script=asset("gates.js"),
        data=data,
    )


_HELP = """<p class="note">Each column is a character, each row of the picture a hidden
unit. Point at it, or go through the characters with the arrow keys: below stands what
happens there. A forget gate that is open (1) keeps the memory of its unit, and one that
is closed (0) drops it; an open input gate writes the candidate to it; an open output
gate shows it as the hidden state, which the layers above read. The best path is the
most probable sequence of tags: B, I and E for the begin, the inside and the end of an
entity, S for a single one, a dot for none.</p>"""


def _layer(layer: States) -> dict[str, Any]:
    """The values of a layer: for each name and direction (n, units) in bytes."""
    directions, _, width = layer.hidden.shape
    return {
        "width": width,
        "values": {
            name: [
                _packed(array[k], "int16" if name == "cell" else "int8")
                for k in range(directions)
            ]
            for name, array in layer._asdict().items()
        },
    }


def _packed(array: np.ndarray, dtype: str = "int8") -> dict[str, Any]:
    """Numbers as steps between 0 and the largest there is."""
    largest = max(1.0, float(np.abs(array).max(initial=0.0)))
    steps = np.rint(array / largest * _STEPS[dtype]).astype(
        np.dtype(dtype).newbyteorder("<")
    )
    return {
        "largest": round(largest, 4),
        "type": dtype,
        "bytes": base64.b64encode(steps.tobytes()).decode(),
    }


def _shown(unit: str) -> str:
    """A character as it can be seen in its column."""
    if unit == "\n":
        return "↵"
    if unit == "\t":
        return "⇥"
    if unit.isspace():
        return "␣"
    # Also joiners and the like by themselves, which take no room.
    if all(is_shapeless(c) or unicodedata.category(c) in ("Cf", "Mn") for c in unit):
        return code_point(unit[0])
    return unit


def _controls(gates: Gates, ranking: Mapping[str, Sequence[RankedUnit]]) -> str:
    parts = []
    for number, layer in enumerate(gates.layers):
        for k in range(len(layer.hidden)):
            parts.append((f"{number},{k}", _reading_name(gates, number, k)))
    orders = [("number", "by number"), ("active", "those that change most here")]
    orders += [(f"type {label}", f"those that follow {label}") for label in ranking]
    return f"""<div class="controls">
{_select("reading", "LSTM that reads", parts)}
{_select("value", "Show", [*NAMES.items()], chosen="hidden")}
{_select("order", "Units", orders)}
<span class="scale" aria-hidden="true"><span id="low"></span>
<canvas id="legend" width="100" height="10"></canvas><span id="high"></span></span>
</div>"""


def _column(gates: Gates) -> int:
    """How wide a column is, in pixels: tokens need more room than characters."""
    if gates.unit_name == "character":
        return _COLUMN
    longest = max(len(unit) for unit in gates.units)
    return min(120, max(_COLUMN, 12 + 10 * longest))


def _select(
    name: str, label: str, options: Sequence[tuple[str, str]], chosen: str = ""
) -> str:
    listed = "".join(
        f'<option value="{html.escape(value)}"'
        f"{' selected' if value == chosen else ''}>{html.escape(said)}</option>"
        for value, said in options
    )
    return f'<label>{label} <select id="{name}">{listed}</select></label>'


def _picture(gates: Gates, shown: list[str], explanation: Explanation | None) -> str:
    """Rows above each other that scroll together, a column for each unit of text."""
    column_of = {}  # the column that each character is in
    for column, (start, end) in enumerate(gates.places):
        column_of.update(dict.fromkeys(range(start, end), column))
    bars = []
    for number, (start, end, label, score) in enumerate(gates.entities):
        first, last = column_of.get(start), column_of.get(end - 1)
        if first is None or last is None:
            continue
        said = f"{label} {confidence(score)}"
        # Over short entities there is room for a part of it.
        room = int((last + 1 - first) * _column(gates) / _LETTER)
        inside = next((s for s in (said, label) if len(s) <= room), label[:room])
        button = "button" if explanation else "span"
        bars.append(
            f'<{button} class="bar" data-entity="{number}" style="--hue: {hue(label)}; '
            f'grid-column: {first + 1} / {last + 2}" title="{html.escape(said)}">'
            f"{html.escape(inside)}</{button}>"
        )
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
 aria-label="The text, {n} {gates.unit_name}s: go through it with the arrow keys"
 aria-describedby="words" style="--n: {n}; --cw: {_column(gates)}px">
<div class="names" aria-hidden="true">
<span class="bars">entities</span><span class="chars">text</span>
<span class="path">best path</span><span class="grow" id="unit-names"></span>
<span id="tag-names"></span>
</div>
<div class="columns">
<div class="row bars">{"".join(bars)}</div>
<div class="row chars"{lang_html(gates.lang)}>{characters}</div>
<div class="row path">{tags}</div>
<canvas id="units"></canvas>
<canvas id="tags"></canvas>
<div id="cursor" hidden></div>
</div>
</div>"""


def _size(char: str) -> str:
    """How large a character is shown: what stands for one that cannot be seen is long,
    and words are longer."""
    if char.startswith("U+"):
        return " named"
    return " word" if len(char) > 2 else ""


def _ranking_table(ranking: Mapping[str, Sequence[RankedUnit]]) -> str:
    several = len({r.layer for ranked in ranking.values() for r in ranked}) > 1
    rows = []
    for label, ranked in ranking.items():
        cells = "".join(
            f"<td>{f'layer {r.layer + 1}, ' if several else ''}"
            f"{DIRECTIONS[r.direction]} {r.unit} ({r.correlation:+.2f})</td>".replace(
                "(-", "(−"
            )
            for r in ranked[:_RANKED]
        )
        rows.append(f"<tr><th scope='row'>{html.escape(label)}</th>{cells}</tr>")
    return (
        "<h2>Units that follow entities</h2>\n<div class='wide' tabindex='0'><table>"
        "<caption>Of each type the units whose hidden state is correlated most with "
        "being inside of such an entity, over a corpus.</caption>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _values_table(gates: Gates, shown: list[str]) -> str:
    """What the picture shows, as text: one row a character."""
    readings = [
        (number, k)
        for number, layer in enumerate(gates.layers)
        for k in range(len(layer.hidden))
    ]
    heads = "".join(
        f"<th scope='col'>{_reading_name(gates, *reading)}</th>" for reading in readings
    )
    rows = []
    for k, char in enumerate(shown):
        cells = "".join(
            f"<td id='w{number}-{direction}-{k}'>"
            f"{step_in_words(gates, number, direction, k)}</td>"
            for number, direction in readings
        )
        rows.append(
            f"<tr><th scope='row'>{k + 1} "
            f"<span{lang_html(gates.lang)}>{text_html(char)}</span></th>"
            f"<td id='t{k}'>{html.escape(tags_in_words(gates, k))}</td>{cells}</tr>"
        )
    return (
        f"<details id='values'><summary>The same in words, for each {gates.unit_name}"
        "</summary><div class='wide' tabindex='0'><table>"
        "<thead><tr><th scope='col'>Text</th>"
        f"<th scope='col'>Tags</th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
        "</table></div></details>"
    )


def _reading_name(gates: Gates, layer: int, direction: int) -> str:
    name = f"layer {layer + 1}, " if len(gates.layers) > 1 else ""
    return f"{name}{DIRECTIONS[direction]}"
