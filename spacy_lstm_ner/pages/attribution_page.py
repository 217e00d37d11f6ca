"""The attribution of entities, as a page or as a section of one."""

import math

from ..interpret.attribution import EntityAttribution, Explanation
from ..interpret.words import signed
from ..pipeline import Analysis
from .elements import lang_html, note_html, text_html
from .entities import mark_html, probability_text
from .page import page

# A contribution of this size to the log-odds has the strongest color.
_STRONG = 8.0
# Relative to that, smaller contributions have no color.
_MIN_STRENGTH = 0.03
# Maximum number of contributions that are listed, and the smallest of them.
_MAX_LISTED, _MIN_LISTED = 8, 0.005


def attribution_page(explanation: Explanation) -> str:
    """Return the attribution of the entities of a text as an HTML page."""
    return page("Attribution", attribution_html(explanation))


def attribution_html(explanation: Explanation) -> str:
    """Return the attribution as a section of a page: for each entity the text, colored
    by contribution, and the best analysis without the entity."""
    second = _second_analysis(explanation)
    if not explanation.entities:
        return f"<h2>Attribution</h2><p>No entities were predicted.</p>{second}"
    entities = (_entity(explanation, entity) for entity in explanation.entities)
    return "\n".join(["<h2>Attribution</h2>", second, _KEY, *entities])


_KEY = note_html(
    "The color of a character shows its contribution to the entity: the decrease in "
    "the log-odds of the entity if the character is replaced by an unknown one. "
    '<span class="positive" style="--strength: 80%">Positive</span> '
    '<span class="negative" style="--strength: 80%">negative</span>. '
    "The largest contributions are listed below the text."
)


def _second_analysis(explanation: Explanation) -> str:
    margin = explanation.margin
    if margin is None:
        return "<p>There is no other analysis of the text.</p>"
    best, second = explanation.analyses[:2]
    return (
        f"<p>Probability of the best analysis of the text: "
        f"{probability_text(best.probability)}; of the second best: "
        f"{probability_text(second.probability)} (margin {margin:.2f}), with "
        f"{_difference(explanation, second, best)}.</p>"
    )


def _entity(explanation: Explanation, attribution: EntityAttribution) -> str:
    start, end, label, score = attribution.entity
    lang = explanation.lang
    mark = mark_html(explanation.text[start:end], label, score, lang=lang)
    contributions = _list_contributions(explanation, attribution)
    if attribution.runner_up is None:
        runner_up = "There is no analysis without this entity."
    else:
        best = explanation.analyses[0]
        margin = attribution.margin or 0.0
        runner_up = (
            f"The best analysis without this entity is {_ratio(margin)} times less "
            f"probable (margin {margin:.2f}), with "
            f"{_difference(explanation, attribution.runner_up, best)}."
        )
    return (
        f"<section class='attribution'><h3>{mark}</h3>"
        f"<div class='text'{lang_html(lang)}>{_colored(explanation, attribution)}</div>"
        f"<p>{contributions or 'No single character has an effect.'}</p>"
        f"<p>{runner_up}</p></section>"
    )


def _colored(explanation: Explanation, attribution: EntityAttribution) -> str:
    """The text, each unit of which has the color of its contribution."""
    text, (start, end, *_) = explanation.text, attribution.entity
    parts, done = [], 0
    for (first, last), contribution in zip(
        explanation.offsets, attribution.contributions.tolist(), strict=True
    ):
        parts.append(text_html(text[done:first]))
        unit = text_html(text[first:last])
        strength = min(1.0, abs(contribution) / _STRONG)
        inside = " inside" if start <= first < end else ""
        if strength >= _MIN_STRENGTH or inside:
            kind = "positive" if contribution > 0 else "negative"
            unit = (
                f'<span class="{kind}{inside}" style="--strength: {strength:.0%}" '
                f'title="{signed(contribution)}">{unit}</span>'
            )
        parts.append(unit)
        done = last
    parts.append(text_html(text[done:]))
    return "".join(parts)


def _list_contributions(
    explanation: Explanation, attribution: EntityAttribution
) -> str:
    """The largest contributions."""
    largest = sorted(
        zip(explanation.offsets, attribution.contributions.tolist(), strict=True),
        key=lambda unit: -abs(unit[1]),
    )[:_MAX_LISTED]
    return ", ".join(
        f"<span{lang_html(explanation.lang)}>"
        f"{text_html(explanation.text[start:end])}</span> {signed(contribution)}"
        for (start, end), contribution in largest
        if abs(contribution) >= _MIN_LISTED
    )


def _difference(explanation: Explanation, analysis: Analysis, best: Analysis) -> str:
    """How an analysis differs from the best one."""

    def marks(entities: list) -> str:
        return ", ".join(
            mark_html(explanation.text[start:end], label, None, lang=explanation.lang)
            for start, end, label in entities
        )

    new = [e for e in analysis.entities if e not in best.entities]
    missing = [e for e in best.entities if e not in analysis.entities]
    if new and missing:
        return f"{marks(new)} instead of {marks(missing)}"
    return marks(new) if new else f"no {marks(missing)}"


def _ratio(margin: float) -> str:
    ratio = math.exp(min(margin, 700.0))  # it overflows above 709
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"
