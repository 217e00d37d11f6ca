"""Draw two pictures for the documentation, lstm_cell.svg and lstm_stack.svg in
docs/images.

The files are committed. Change them only with this script.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import AtomicSet

DOCS = Path(__file__).parents[1] / "docs"

INK, GREY = "#1f2328", "#59636e"
BLUE, GREEN, ORANGE, PURPLE = "#0969da", "#1a7f37", "#bc4c00", "#8250df"
# The page around a picture may be light or dark, so the picture has its own background.
# The CJK fonts come last: they are for Chinese characters only.
PAPER = "#fcfcfd"
STYLE = f"""<style>
text {{ font: 15px Helvetica, Arial, "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", sans-serif; fill: {INK}; text-anchor: middle }}
rect, circle, polyline {{ stroke-width: 1.6px }}
polyline {{ fill: none }}
.title {{ font-size: 19px; font-weight: bold; text-anchor: start }}
.big {{ font-size: 19px }}
.huge {{ font-size: 24px }}
.note {{ font-size: 13px; fill: {GREY} }}
.left {{ text-anchor: start }}
.right {{ text-anchor: end }}
</style>"""


def text(x: float, y: float, words: str, kind: str = "", colour: str = "") -> str:
    """Write words centred at (x, y), with a letter after "_" as a subscript.

    `kind` contains class names of the style sheet. Coloured words are bold, so that
    they are as readable as the others. Subscripts are moved with `dy`, since not all
    browsers support `baseline-shift`.
    """
    words = re.sub(
        r"_(.)([^_]+)",
        r'<tspan dy="4" font-size="11">\1</tspan><tspan dy="-4">\2</tspan>',
        words,
    )
    style = f' style="fill: {colour}; font-weight: bold"' if colour else ""
    return f'<text x="{x}" y="{y + 5}" class="{kind}"{style}>{words}</text>'


def box(x: float, y: float, width: float, height: float, colour: str) -> str:
    """Draw a box centred at (x, y), filled with a light tint of its border colour."""
    return (
        f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" '
        f'height="{height}" rx="{min(6, width / 5)}" stroke="{colour}" '
        f'fill="{colour}" fill-opacity="0.1"/>'
    )


def dot(x: float, y: float, radius: float, colour: str) -> str:
    """Draw a dot."""
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>'


def sign(x: float, y: float, words: str, colour: str = INK) -> str:
    """Draw an elementwise operation: a sign or a short name in a circle."""
    ring = f'<circle cx="{x}" cy="{y}" r="19" fill="{PAPER}" stroke="{colour}"/>'
    return ring + text(x, y + 2, words, "huge" if len(words) == 1 else "note", colour)


def line(points: str, colour: str = INK, head: bool = True, hop: bool = False) -> str:
    """Draw a line along points such as "0,0 10,0", with an arrowhead at its end.

    `hop` leaves a gap in the lines that it crosses, to show that they do not meet.
    """
    end = f' marker-end="url(#{colour[1:]})"' if head else ""
    gap = f'<polyline points="{points}" stroke="{PAPER}" style="stroke-width: 9px"/>'
    return gap * hop + f'<polyline points="{points}" stroke="{colour}"{end}/>'


def picture(height: int, title: str, about: str, parts: list[str]) -> str:
    """Assemble a picture from its parts, with a description for screen readers."""
    # One arrowhead per colour, since an arrowhead cannot inherit that of its line.
    heads = "".join(
        f'<marker id="{colour[1:]}" viewBox="0 0 8 8" refX="7" refY="4" '
        f'markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
        for colour in (INK, GREY, BLUE, GREEN, ORANGE, PURPLE)
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" '
        f'width="800" height="{height}" role="img" aria-labelledby="title about" '
        'xml:space="preserve">',
        f'<title id="title">{title}</title>',
        f'<desc id="about">{about}</desc>',
        STYLE,
        f"<defs>{heads}</defs>",
        f'<rect x="1" y="1" width="798" height="{height - 2}" rx="8" fill="{PAPER}" '
        'stroke="#d0d7de"/>',
        text(28, 34, title, "title"),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def draw_cell() -> str:
    """Draw the data flow of one step of the cell above its equations."""
    c, i, f, g, o = 98, 198, 256, 314, 372  # heights of the cell state and the gates
    parts = [
        *(line(f"86,{f - 8} 152,{f - 8}"), line(f"86,{g + 8} 152,{g + 8}")),
        line(f"409,{i} 539,{i}", BLUE),
        line(f"409,{f} 470,{f} 470,{c + 21}", GREEN, hop=True),
        line(f"409,{g} 560,{g} 560,{i + 21}", ORANGE),
        line(f"409,{o} 629,{o}", PURPLE),
        line(f"86,{c} 449,{c}"),
        line(f"489,{c} 539,{c}"),
        line(f"560,{i - 19} 560,{c + 21}"),
        line(f"579,{c} 715,{c}"),
        line(f"650,{c} 650,{f - 21}"),
        line(f"650,{f + 19} 650,{o - 21}"),
        line(f"669,{o} 715,{o}"),
        dot(650, c, 4, INK),
        sign(470, c, "∘"),
        text(514, c - 14, "f∘c", "note"),
        sign(560, i, "∘"),
        text(568, i - 50, "i∘g", "note left"),
        sign(560, c, "+"),
        sign(650, f, "tanh"),
        sign(650, o, "∘"),
        text(238, 151, "one product, four gates", "note"),
        box(212, 285, 116, 232, GREY),
        *(text(212, 220, "x · Wx", "big"), text(212, 244, "(nI, 4·nH)", "note")),
        *(text(212, 282, "+ h · Wh", "big"), text(212, 306, "(nH, 4·nH)", "note")),
        *(text(212, 344, "+ b", "big"), text(212, 368, "(4·nH)", "note")),
        text(500, 458, "c′  =  f∘c + i∘g", "left"),
        text(500, 486, "h′  =  o∘tanh(c′)", "left"),
        text(500, 514, "∘  multiplies element by element", "left note"),
        text(500, 542, "n sequences, nI inputs, nH units", "left note"),
    ]
    places = {"c": (60, c), "x": (60, f - 8), "h": (60, g + 8), "c′": (742, c)}
    for name, (x, y) in (places | {"h′": (742, o)}).items():
        size = "(n, nI)" if name == "x" else "(n, nH)"
        parts += [box(x, y, 52, 38, GREY), text(x, y, name, "big")]
        parts.append(text(x, y + 32, size, "note"))
    gates = [
        ("i", i, BLUE, "how much to write"),
        ("f", f, GREEN, "how much to keep"),
        ("g", g, ORANGE, "what to write"),
        ("o", o, PURPLE, "how much to show"),
    ]
    for k, (gate, y, colour, job) in enumerate(gates):
        squash = "tanh" if gate == "g" else "σ"
        sums = f"=  {squash}(x·Wx_{gate} + h·Wh_{gate} + b_{gate})"
        row = 458 + 28 * k
        parts += [
            box(298, y, 48, 54, colour),
            text(298, y, gate, "big", colour),
            line(f"322,{y} 370,{y}", colour),
            sign(390, y, squash, colour),
            text(48, row, gate, "left", colour),
            text(66, row, sums, "left"),
            text(322, row, job, "left note"),
        ]
    about = (
        "The input x and the output h of the step before go through one product, "
        "x·Wx + h·Wh + b, which gives the gates i, f, g and o. A sigmoid squashes i, f "
        "and o; a tanh squashes g. The new cell state c′ is f∘c + i∘g, the new output "
        "h′ is o∘tanh(c′)."
    )
    return picture(572, "One step of the LSTM cell", about, parts)


TEXT = "王芳任北京大学教授"
TAGS = ["O", "B-NAME", "E-NAME", "S-NAME", "B-ORG", "I-ORG", "E-ORG"]
TAGS += ["B-TITLE", "E-TITLE"]
PATH = [1, 2, 0, 4, 5, 5, 6, 7, 8]  # for each character, the place of its tag in TAGS
ENTITIES = [(0, 2, "NAME", BLUE), (3, 7, "ORG", GREEN), (7, 9, "TITLE", ORANGE)]
COLUMNS = [215 + 66 * k for k in range(len(TEXT))]


def draw_layer(y: int) -> str:
    """Draw a bidirectional layer, from its output at y down to its input."""
    back, ahead, start = y + 48, y + 88, y + 134
    parts = []
    for x in COLUMNS:
        parts += [
            line(f"{x - 15},{start} {x - 15},{ahead + 15}", GREY),
            line(f"{x + 15},{start} {x + 15},{back + 15}", GREY),
            line(f"{x - 15},{ahead - 13} {x - 15},{y + 12}", GREY),
            line(f"{x + 15},{back - 13} {x + 15},{y + 12}", GREY),
        ]
    for x, following in pairwise(COLUMNS):
        parts += [
            line(f"{x - 2},{ahead} {following - 30},{ahead}", BLUE, hop=True),
            line(f"{following + 2},{back} {x + 30},{back}", ORANGE, hop=True),
        ]
    for x in COLUMNS:
        parts += [box(x - 15, ahead, 26, 26, BLUE), box(x + 15, back, 26, 26, ORANGE)]
        parts += [box(x - 13, y, 26, 20, BLUE), box(x + 13, y, 26, 20, ORANGE)]
    return "\n".join(parts)


def draw_stack() -> str:
    """Draw the model, from the characters at the bottom to the entities."""
    rows = [188 + 21 * k for k in range(len(TAGS))]
    parts = []
    for start, end, label, colour in ENTITIES:
        x = (COLUMNS[start] + COLUMNS[end - 1]) / 2
        parts.append(box(x, 86, 66 * (end - start) - 8, 38, colour))
        parts.append(text(x, 86, f"{TEXT[start:end]}  {label}", "", colour))
    for row, (tag, y) in enumerate(zip(TAGS, rows, strict=True)):
        parts.append(text(180, y, tag, "note right"))
        for column, x in enumerate(COLUMNS):
            # Arbitrary sizes, smaller than those of the dots on the path.
            parts.append(dot(x, y, 2 + (row * 5 + column * 3) % 7 / 2, "#b6bec7"))
    steps = list(zip(COLUMNS, [rows[tag] for tag in PATH], strict=True))
    parts.append(line(" ".join(f"{x},{y}" for x, y in steps), PURPLE, head=False))
    for (x, y), tag, char in zip(steps, PATH, TEXT, strict=True):
        parts += [
            text(x, 134, TAGS[tag], "note", PURPLE),
            line(f"{x},172 {x},150", GREY),
            dot(x, y, 7, PURPLE),
            line(f"{x},402 {x},378", GREY),
            line(f"{x},444 {x},426", GREY),
            *(box(x - 18 + 12 * k, 752, 12, 18, GREY) for k in range(4)),
            line(f"{x},792 {x},765", GREY),
            text(x, 806, f"U+{ord(char):X}", "note"),
            text(x, 838, char, "huge"),
        ]
    parts += [
        box((COLUMNS[0] + COLUMNS[-1]) / 2, 413, 66 * len(TEXT) - 8, 22, PURPLE),
        f'<g opacity="0.4">\n{draw_layer(456)}\n</g>',
        draw_layer(605),
        text(28, 653, "← backwards", "left", ORANGE),
        text(28, 693, "→ forwards", "left", BLUE),
    ]
    labels = {86: "entities", 134: "tags", 230: "scores, and", 250: "the best path"}
    labels |= {270: "that is legal", 413: "linear layer", 506: "more layers,"}
    labels |= {526: "any depth", 605: "both, joined", 752: "embedding"}
    labels |= {806: "code points", 838: "characters"}
    parts += [text(28, y, label, "left") for y, label in labels.items()]
    about = (
        "From the bottom: characters, their code points, and a vector for each. A "
        "bidirectional LSTM layer reads them from left to right and from right to "
        "left, and joins what both found. More layers may follow. A linear layer gives "
        "each character a score for each tag. The best legal path through the scores "
        "gives the tags, and these the entities: 王芳 is a NAME, 北京大学 an ORG, 教授 "
        "a TITLE."
    )
    return picture(872, "The recognizer, from characters to entities", about, parts)


@exit_on_error()
def draw_pictures(
    out: Annotated[
        Path, typer.Argument(help="Folder for the files", show_default="docs/images")
    ] = DOCS / "images",
) -> None:
    """Draw one step of the cell and the whole model."""
    with AtomicSet() as files:
        for name, svg in (("lstm_cell", draw_cell()), ("lstm_stack", draw_stack())):
            new = files.add(out / f"{name}.svg")
            new.write_text(svg, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    typer.run(draw_pictures)
