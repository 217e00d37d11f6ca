"""The colors of labels: apart, also for the color-blind, readable, and stable."""

import re
from itertools import combinations

import numpy as np
import pytest

from spacy_lstm_ner.pages.colors import COLORS, PATTERNS, label_styles
from spacy_lstm_ner.pages.page import asset

from ..helpers.browser import contrast

# From sRGB to LMS, and to OKLab (Ottosson, 2020).
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# What people see, on linear sRGB (Machado, Oliveira & Fernandes, 2009, severity 1).
VISIONS = {
    "trichromacy": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
# The smallest difference in OKLab that can just be noticed is about 0.02.
APART = 0.05


def palettes():
    """The tokens of light and dark mode."""
    light, dark = asset("style.css").split("prefers-color-scheme: dark")[:2]
    found = []
    for part in (light, dark):
        tokens = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", part))
        assert {f"--fill-{k}" for k in range(COLORS)} <= tokens.keys()
        found.append(tokens)
    return found


PALETTES = dict(zip(("light", "dark"), palettes(), strict=True))


def rgb(color):
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def css(color):
    return f"rgb({', '.join(map(str, rgb(color)))})"


def oklab(color, vision):
    share = np.array(rgb(color)) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(vision @ linear, 0, 1)
    return TO_LAB @ np.cbrt(TO_LMS @ seen)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("kind", ["fill", "edge"])
@pytest.mark.parametrize("mode", PALETTES)
def test_any_two_colors_are_apart(mode, kind, vision):
    colors = [PALETTES[mode][f"--{kind}-{k}"] for k in range(COLORS)]
    seen = [oklab(color, VISIONS[vision]) for color in colors]
    distances = {
        pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]])
        for pair in combinations(range(COLORS), 2)
    }
    assert min(distances.values()) >= APART, min(distances, key=distances.get)


@pytest.mark.parametrize("mode", PALETTES)
def test_text_is_readable_on_all_of_them(mode):
    tokens = PALETTES[mode]
    for k in range(COLORS):
        ink, paper = css(tokens["--ink"]), css(tokens["--paper"])
        assert contrast(ink, css(tokens[f"--fill-{k}"])) >= 4.5, k
        # Lines and outlines need less contrast than text (WCAG 2.1, 1.4.11).
        assert contrast(css(tokens[f"--edge-{k}"]), paper) >= 3, k


def test_labels_of_a_pipeline_differ():
    labels = [f"LABEL{k}" for k in range(COLORS * PATTERNS)]
    styles = label_styles(labels)
    assert len({*styles.values()}) == COLORS * PATTERNS
    # The first ones differ in color, and do not need a pattern.
    for n in range(1, COLORS + 1):
        some = label_styles(labels[:n])
        assert len({*some.values()}) == n and not any(" " in x for x in some.values())
    # With even more labels, there is no error.
    assert len(label_styles(map(str, range(100)))) == 100


def test_colors_do_not_depend_on_the_order_of_labels():
    labels = ["ORG", "NAME", "X", "人名", "a\ud800"]
    assert label_styles(labels) == label_styles(reversed(labels))


@pytest.mark.parametrize(
    "labels",
    [
        "CONT EDU LOC NAME ORG PRO RACE TITLE",
        "COU EQU LOC NUM ORG PER POS TIM",
        "PER ORG LOC",
        "PERSON ORG GPE DATE NORP MONEY PRODUCT WORK_OF_ART",
    ],
)
def test_usual_labels_keep_their_color_on_all_pages(labels):
    """Also where only some labels of a pipeline are known, as in `render`."""
    styles = label_styles(labels.split())
    for label, style in styles.items():
        assert label_styles([label]) == {label: style}
