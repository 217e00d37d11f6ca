"""The attribution of entities, as a page or as a part of one."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..interpret.attribution import EntityAttribution, Explanation
from ..interpret.words import signed
from ..pipeline import Analysis
from .colors import label_styles
from .entities import Mark
from .page import page

# A contribution of this size to the log-odds has the strongest color.
_STRONG = 8.0
# Relative to that, smaller contributions have no color.
_MIN_STRENGTH = 0.03
# Maximum number of contributions that are listed, and the smallest of them.
_MAX_LISTED, _MIN_LISTED = 8, 0.005


class _Unit(NamedTuple):
    """A unit of the text in the color of its contribution."""

    text: str
    kind: str
    strength: str
    contribution: str


class _Difference(NamedTuple):
    """How an analysis differs from the best one."""

    new: list[Mark]
    missing: list[Mark]


def attribution_page(explanation: Explanation) -> str:
    """Return the attribution of the entities of a text as an HTML page."""
    labels = {label for one in explanation.analyses for _, _, label in one.entities}
    labels |= {one.entity.label for one in explanation.entities}
    labels |= {
        label
        for one in explanation.entities
        for _, _, label in (one.runner_up.entities if one.runner_up else ())
    }
    return page(
        "attribution.html",
        "Attribution",
        attribution=attribution_context(explanation, label_styles(labels)),
    )


def attribution_context(
    explanation: Explanation, styles: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the template shows: for each entity the text, colored by
    contribution, and the best analysis without the entity.

    explanation: The attribution.
    styles: The CSS classes of the labels.
    """
    second = None
    if explanation.margin is not None:
        best, other = explanation.analyses[:2]
        second = {
            "best": best.probability,
            "probability": other.probability,
            "margin": explanation.margin,
            "difference": _difference(explanation, other, styles),
        }
    return {
        "lang": explanation.lang,
        "second": second,
        "entities": [_entity(explanation, one, styles) for one in explanation.entities],
    }


def _entity(
    explanation: Explanation,
    attribution: EntityAttribution,
    styles: Mapping[str, str],
) -> dict[str, Any]:
    start, end, label, score = attribution.entity
    runner_up = None
    if attribution.runner_up is not None:
        margin = attribution.margin or 0.0
        runner_up = {
            "ratio": _ratio(margin),
            "margin": margin,
            "difference": _difference(explanation, attribution.runner_up, styles),
        }
    return {
        "mark": Mark(explanation.text[start:end], label, score, styles[label]),
        "parts": _colored(explanation, attribution),
        "contributions": _largest(explanation, attribution),
        "runner_up": runner_up,
    }


def _colored(
    explanation: Explanation, attribution: EntityAttribution
) -> list[str | _Unit]:
    """The text, each unit of which has the color of its contribution."""
    text, (start, end, *_) = explanation.text, attribution.entity
    parts: list[str | _Unit] = []
    done = 0
    for (first, last), contribution in zip(
        explanation.offsets, attribution.contributions.tolist(), strict=True
    ):
        parts.append(text[done:first])
        unit = text[first:last]
        strength = min(1.0, abs(contribution) / _STRONG)
        inside = " inside" if start <= first < end else ""
        if strength >= _MIN_STRENGTH or inside:
            kind = ("positive" if contribution > 0 else "negative") + inside
            parts.append(_Unit(unit, kind, f"{strength:.2f}", signed(contribution)))
        else:
            parts.append(unit)
        done = last
    return [*parts, text[done:]]


def _largest(
    explanation: Explanation, attribution: EntityAttribution
) -> list[tuple[str, str]]:
    """The units with the largest contributions."""
    largest = sorted(
        zip(explanation.offsets, attribution.contributions.tolist(), strict=True),
        key=lambda unit: -abs(unit[1]),
    )[:_MAX_LISTED]
    return [
        (explanation.text[start:end], signed(contribution))
        for (start, end), contribution in largest
        if abs(contribution) >= _MIN_LISTED
    ]


def _difference(
    explanation: Explanation, analysis: Analysis, styles: Mapping[str, str]
) -> _Difference:
    def marks(entities: list) -> list[Mark]:
        return [
            Mark(explanation.text[start:end], label, None, styles[label], start)
            for start, end, label in entities
        ]

    best = explanation.analyses[0]
    new = [e for e in analysis.entities if e not in best.entities]
    missing = [e for e in best.entities if e not in analysis.entities]
    return _Difference(marks(new), marks(missing))


def _ratio(margin: float) -> str:
    ratio = math.exp(min(margin, 700.0))  # it overflows above 709
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"
