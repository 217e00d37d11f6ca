"""The colors of labels.

There are eight colors, which differ for readers with protanopia and deuteranopia, too;
`static/style.css` has their values. Where a pipeline has more labels, further ones have
an outline in place of the filling, and then a dashed one.
"""

from collections.abc import Iterable, Mapping
from zlib import crc32

#: The number of colors, and of ways to draw each of them.
COLORS, PATTERNS = 8, 3

# Labels that often occur together have colors of their own, so that a label keeps its
# color on pages where the other labels of the pipeline are unknown.
_USUAL: Mapping[str, int] = {
    label: color
    for color, labels in enumerate(
        (
            "NAME PER PERSON nr",
            "ORG COM",
            "LOC GPE CITY FAC",
            "TITLE POS PRODUCT",
            "EDU TIM DATE TIME",
            "RACE NORP NUM",
            "CONT COU MONEY EVENT",
            "PRO EQU WORK_OF_ART",
        )
    )
    for label in labels.split()
}


def label_styles(labels: Iterable[str]) -> dict[str, str]:
    """Assign colors to the labels of a pipeline. Labels differ as long as there are at
    most `COLORS * PATTERNS`; the result does not depend on their order.

    labels: The labels.
    RETURNS: The CSS classes of each label, such as "c3" or "c3 p1".
    """
    styles: dict[str, str] = {}
    used: set[int] = set()
    for label in sorted(set(labels), key=lambda label: (label not in _USUAL, label)):
        place = _USUAL.get(label, crc32(label.encode("utf8", "replace")) % COLORS)
        # The next color that is free; if there is none, the next pattern.
        first = len(used) // COLORS * COLORS
        free = [(place + k) % COLORS + first for k in range(COLORS)]
        slot = next(slot for slot in free if slot not in used)
        used.add(slot)
        styles[label] = _classes(slot)
    return styles


def _classes(slot: int) -> str:
    pattern = slot // COLORS % PATTERNS
    return f"c{slot % COLORS}" + (f" p{pattern}" if pattern else "")
