"""Draw the figures of the tutorial, docs/tutorial/inside/*.svg, in English and in
Chinese.

The figures show variables of the code in docs/tutorial/inside.md, which is run first.
The files are committed. Change them only with this script or the tutorial.
"""

import contextlib
import doctest
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from draw_pictures import (
    BLUE,
    DOCS,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    box,
    dot,
    line,
    picture,
    text,
)

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import AtomicSet

Say = Callable[[str, str], str]
ENTITY_COLOURS = {"NAME": BLUE, "ORG": GREEN, "TITLE": ORANGE, "EDU": PURPLE}
LEFT, RIGHT = 180, 770  # where the columns of characters begin and end


def code(path: Path) -> str:
    """The text of a tutorial without code fences, which doctest would read as output.
    Line numbers do not change."""
    return re.sub(r"^```.*$", "", path.read_text("utf8"), flags=re.MULTILINE)


def run_code(path: Path) -> dict[str, Any]:
    """Run the code of a tutorial, and return its variables."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for example in doctest.DocTestParser().get_examples(code(path)):
            exec(example.source, names)
    return names


def curve(xs: Iterable[float], ys: Iterable[float], colour: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    style = f"stroke: {colour}; stroke-width: 2.5px"
    return f'<polyline points="{points}" style="{style}"/>'


def axes(
    xs: dict[str, float], ys: dict[str, float], below: float, left: float, right: float
) -> list[str]:
    """Draw tick labels along two axes, and a grid line for each on the vertical one."""
    return [
        *(line(f"{left},{y} {right},{y}", "#d0d7de", head=False) for y in ys.values()),
        *(text(left - 12, y, name, "note right") for name, y in ys.items()),
        *(text(x, below + 16, name, "note") for name, x in xs.items()),
    ]


def minus(number: float) -> str:
    return f"{number:g}".replace("-", "−")


def heat(
    values: Sequence[float],
    y: float,
    height: float,
    width: float,
    name: str = "",
    *,
    numbers: bool = False,
    kind: str = "right",
) -> str:
    """Draw a row of values from -1 (blue) to 1 (orange), a column per character."""
    parts = [text(LEFT - 12, y, name, kind)] if name else []
    for column, value in enumerate(values):
        # Rounded, so that all machines draw the same.
        value = round(float(value), 2) + 0.0
        x = LEFT + column * width
        parts.append(
            f'<rect x="{x + 0.5:.1f}" y="{y - height / 2 + 0.5:.1f}" '
            f'width="{width - 1:.1f}" height="{height - 1:.1f}" '
            f'fill="{ORANGE if value > 0 else BLUE}" '
            f'fill-opacity="{0.04 + 0.66 * min(1.0, abs(value)):.2f}"/>'
        )
        if numbers:
            parts.append(
                f'<text x="{x + width / 2:.1f}" y="{y + 4}" class="note" '
                f'style="fill: {INK}">{value:.1f}</text>'
            )
    return "\n".join(parts)


def characters(sentence: str, y: float, width: float, kind: str = "") -> list[str]:
    return [
        text(round(LEFT + (column + 0.5) * width, 1), y, char, kind)
        for column, char in enumerate(sentence)
    ]


def scale(y: float) -> list[str]:
    """Draw the legend of the colours."""
    steps = np.linspace(-1, 1, 21)
    width = 6
    parts = [
        f'<rect x="{RIGHT - 170 + k * width}" y="{y - 5}" width="{width}" height="10" '
        f'fill="{ORANGE if step > 0 else BLUE}" '
        f'fill-opacity="{0.04 + 0.66 * abs(step):.2f}"/>'
        for k, step in enumerate(steps)
    ]
    parts.append(text(RIGHT - 178, y, "−1", "note right"))
    parts.append(text(RIGHT - 36, y, "+1", "note left"))
    return parts


def draw_valve(names: dict[str, Any], say: Say) -> str:
    """Draw the sigmoid of the tutorial, and tanh."""
    left, right, middle, height = 90, 600, 216, 120

    def to_x(a: float) -> float:
        return left + (a + 6) / 12 * (right - left)

    inputs = np.linspace(-6, 6, 121)
    xs = [to_x(a) for a in inputs]
    parts = axes(
        {minus(a): to_x(a) for a in (-6, -4, -2, 0, 2, 4, 6)},
        {minus(v): middle - v * height for v in (-1, -0.5, 0, 0.5, 1)},
        middle + height + 8,
        left,
        right,
    )
    sigmoid = names["sigmoid"]
    parts += [
        curve(xs, middle - np.tanh(inputs) * height, ORANGE),
        curve(xs, middle - sigmoid(inputs) * height, GREEN),
        text(to_x(-2.2), middle - 46, "sigmoid σ", "", GREEN),
        text(to_x(0.1), middle + 74, "tanh", "left", ORANGE),
        text(right + 16, middle - height, say("1: open", "1：全开"), "left"),
        text(right + 16, middle - height / 2, say("0.5: half", "0.5：半开"), "left"),
        text(right + 16, middle, say("0: closed", "0：关闭"), "left"),
        text(to_x(0), middle + height + 46, say("input a", "输入 a"), "note"),
    ]
    parts.append(text(28, 76, say("output", "输出"), "note left"))
    about = say(
        "The sigmoid rises from 0 through 0.5 at 0 to 1; tanh from -1 through 0 to 1.",
        "sigmoid 从 0 升到 1，在 0 处为 0.5；tanh 从 -1 升到 1，在 0 处为 0。",
    )
    title = say("A valve: the sigmoid, and tanh beside it", "阀门：sigmoid 与 tanh")
    return picture(404, title, about, parts)


def draw_brackets(names: dict[str, Any], say: Say) -> str:
    """Draw the states of the hand-wired unit at each character."""
    states, sentence = names["states"], names["text"]
    width = (RIGHT - LEFT) / len(sentence)
    parts = characters(sentence, 78, width, "big")
    rows = {
        "input_gate": say("input gate", "输入门"),
        "forget_gate": say("forget gate", "遗忘门"),
        "cell": say("cell state", "细胞状态"),
        "hidden": say("hidden state", "隐藏状态"),
    }
    y = 116
    for field, name in rows.items():
        values = getattr(states, field)[0, :, 0]
        parts.append(heat(values, y, 34, width, name, numbers=True))
        y += 52 if field == "forget_gate" else 36
    column = sentence.index("（"), sentence.index("）")
    for k, said in zip(
        column,
        (say("write 1", "写入 1"), say("forget", "遗忘")),
        strict=True,
    ):
        x = round(LEFT + (k + 0.5) * width, 1)
        parts.append(text(x, y + 6, f"↑ {said}", "note"))
    about = say(
        "The input gate opens at the opening bracket only, the forget gate closes at "
        "the closing bracket only. The cell state is 1 from the one to the other, and "
        "0 elsewhere; the hidden state is 0.8 there.",
        "输入门只在左括号处打开，遗忘门只在右括号处关闭。细胞状态从左括号起为 1，到右"
        "括号变回 0；隐藏状态在其间为 0.8。",
    )
    title = say(
        "One unit that remembers whether it is inside brackets",
        "一个单元：记住自己是否在括号之内",
    )
    return picture(310, title, about, parts)


def draw_reach(names: dict[str, Any], say: Say) -> str:
    """Draw the gradient by distance, for several values of the forget gate."""
    left, right, top, bottom = 90, 760, 86, 316

    def to_x(distance: float) -> float:
        return left + distance / 100 * (right - left)

    def to_y(share: float) -> float:
        return bottom - share * (bottom - top)

    parts = axes(
        {str(d): to_x(d) for d in range(0, 101, 20)},
        {f"{v:g}": to_y(v) for v in (0, 0.25, 0.5, 0.75, 1)},
        bottom,
        left,
        right,
    )
    # The colour of each line, and the distance at which its name stands beside it.
    lines = {0.99: (ORANGE, 60), 0.9: (GREEN, 16), 0.8: (BLUE, 8), 0.5: (PURPLE, 3)}
    for forget, (colour, distance) in lines.items():
        kept = names["reach"](forget).astype("float64").round(4)
        parts.append(curve(map(to_x, range(len(kept))), map(to_y, kept), colour))
        x, y = to_x(distance) + 8, round(to_y(kept[distance]) - 8, 1)
        parts.append(text(x, y, f"{forget}", "left", colour))
    words = say("what is left, for each forget gate", "剩余（各个遗忘门）")
    parts.append(text(28, top - 24, words, "note left"))
    x = (left + right) / 2
    words = say("steps back from the last one", "距最后一步的步数")
    parts.append(text(x, bottom + 42, words, "note"))
    about = say(
        "With a forget gate of 0.5 nothing is left after ten steps, with 0.8 after "
        "thirty, with 0.9 after sixty; with 0.99 a third is left after a hundred.",
        "遗忘门为 0.5 时十步之后几乎不剩，0.8 时三十步，0.9 时六十步；为 0.99 时一百步"
        "之后还剩三分之一以上。",
    )
    title = say(
        "What is left of the gradient, by distance", "梯度经过若干步之后还剩多少"
    )
    return picture(382, title, about, parts)


def draw_memory(names: dict[str, Any], say: Say) -> str:
    """Draw the outputs of a plain network and an LSTM by the number to remember."""
    top, bottom, width = 102, 322, 220
    numbers = np.linspace(-1, 1, 41)
    plain = say("plain recurrent network", "普通的循环网络")
    parts = []
    for name, left, title, colour in (
        ("RNN", 130, plain, BLUE),
        ("LSTM", 500, "LSTM", ORANGE),
    ):

        def to_x(number: float, left: int = left) -> float:
            return left + (number + 1) / 2 * width

        def to_y(number: float) -> float:
            return bottom - (number + 1) / 2 * (bottom - top)

        parts += axes(
            {minus(v): to_x(v) for v in (-1, -0.5, 0, 0.5, 1)},
            {minus(v): to_y(v) for v in (-1, -0.5, 0, 0.5, 1)},
            bottom,
            left,
            left + width,
        )
        answers = names["recall"](names["learned"][name], numbers, 20)
        for number, answer in zip(numbers, answers, strict=True):
            x, y = to_x(number), to_y(float(answer))
            parts.append(dot(round(x, 1), round(y, 1), 3.5, colour))
        parts.append(text(left + width / 2, top - 28, title, "", colour))
        parts.append(text(left - 58, top - 24, say("answer", "回答"), "note left"))
        said = say("number to remember", "要记住的数")
        parts.append(text(left + width / 2, bottom + 42, said, "note"))
    about = say(
        "After 20 rows the plain network answers about -0.5 to all negative numbers "
        "and about 0.5 to all positive ones. The answers of the LSTM are nearly right.",
        "20 行之后，普通的循环网络对所有负数都回答约 -0.5，对所有正数都回答约 0.5；"
        "LSTM 的回答接近原数。",
    )
    title = say(
        "The answers after 20 rows, against the number to remember",
        "20 行之后的回答与要记住的数",
    )
    return picture(388, title, about, parts)


def draw_directions(names: dict[str, Any], say: Say) -> str:
    """Draw a unit of the forward direction above one of the backward direction."""
    width = 42
    parts = []
    for k, sentence in enumerate((names["closed"], names["unclosed"])):
        y = 80 + 126 * k
        forwards, backwards = names["both"].predict(names["batch"](sentence)).dataXd.T
        parts += characters(sentence, y, width, "big")
        rows = (
            (forwards, say("forwards →", "正向 →")),
            (backwards, say("← backwards", "← 反向")),
        )
        for j, (values, name) in enumerate(rows):
            parts.append(heat(values, y + 36 + 34 * j, 32, width, name, numbers=True))
    about = say(
        "Where the bracket is closed, both units are on between the brackets. Where it "
        "is not, the forward unit is on to the end and the backward one is never on.",
        "括号成对时，两个单元在括号之间都是开的；缺右括号时，正向单元一直开到句末，反向"
        "单元从不打开。",
    )
    title = say(
        "Hidden states: only the backward unit knows whether the bracket is closed",
        "隐藏状态：只有反向单元知道括号后来是否闭合",
    )
    return picture(304, title, about, parts)


def draw_units(names: dict[str, Any], say: Say) -> str:
    """Draw trained units over a sentence, first those that follow a type of entity."""
    gates, ranking = names["long"], names["ranking"]
    hidden = gates.layers[0].hidden
    width = (RIGHT - LEFT) / len(gates.units)
    parts = []
    for start, end, label, _ in gates.entities:
        x = round(LEFT + (start + end) / 2 * width, 1)
        colour = ENTITY_COLOURS.get(label, GREY)
        parts.append(box(x, 84, round((end - start) * width - 2, 1), 6, colour))
        parts.append(text(x, 68, label, "note", colour))
    parts += characters(gates.text, 100, width)
    reads = say("forwards", "正向"), say("backwards", "反向")
    y = 130
    for label in ("NAME", "ORG", "TITLE"):
        best = ranking[label][0]
        name = f"{label}{say(': ', '：')}{reads[best.direction]} {best.unit}"
        values = hidden[best.direction, :, best.unit]
        parts.append(heat(values, y, 26, width, name))
        y += 28
    y += 16
    for direction, name in enumerate(reads):
        said = say(f"all units, {name}", f"全部单元，{name}")
        parts.append(text(28, y - 6, said, "note left"))
        for unit in range(hidden.shape[2]):
            values = hidden[direction, :, unit]
            parts.append(heat(values, y, 15, width, str(unit), kind="note right"))
            y += 15
        y += 12
    parts += scale(y + 4)
    parts.append(
        text(RIGHT - 220, y + 4, say("hidden state", "隐藏状态"), "note right")
    )
    about = say(
        "Above, for NAME, ORG and TITLE the unit whose hidden state is correlated most "
        "with being inside of such an entity: its colour changes where the entity "
        "begins and ends. Below, all units of both directions.",
        "上：对 NAME、ORG、TITLE，各取隐藏状态与“在这类实体之内”相关最强的单元，它在"
        "实体开始和结束的地方变色。下：两个方向的全部单元。",
    )
    title = say("Sixteen units that nobody wired", "十六个没有人接过线的单元")
    return picture(y + 28, title, about, parts)


FIGURES = {
    "valve": draw_valve,
    "brackets": draw_brackets,
    "reach": draw_reach,
    "memory": draw_memory,
    "directions": draw_directions,
    "units": draw_units,
}


def draw_figures(names: dict[str, Any], out: Path) -> None:
    """Write all figures in both languages.

    names: The variables of the tutorial.
    out: Folder for the files.
    """
    with AtomicSet() as files:
        for name, draw in FIGURES.items():
            for number, ending in enumerate((".svg", ".zh.svg")):
                svg = draw(names, lambda *said, number=number: said[number])
                new = files.add(out / f"{name}{ending}")
                new.write_text(svg, encoding="utf-8", newline="\n")


@exit_on_error()
def draw_inside(
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder for the files", show_default="docs/tutorial/inside"
        ),
    ] = DOCS / "tutorial" / "inside",
) -> None:
    """Draw the figures of the tutorial, from the values that its code computes."""
    out = out.resolve()
    os.chdir(DOCS.parent)  # the tutorial runs in this folder
    draw_figures(run_code(DOCS / "tutorial" / "inside.md"), out)


if __name__ == "__main__":
    typer.run(draw_inside)
