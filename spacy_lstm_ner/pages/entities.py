"""A text with its entities marked, and how probable each is."""

import html
from collections.abc import Iterable, Mapping
from zlib import crc32

from .page import lang_html, text_html

#: An entity: where it begins and ends in characters of the text, its label, and its
#: probability, if that is known.
Entity = tuple[int, int, str, float | None]


def entities_html(text: str, entities: Iterable[Entity], *, lang: str = "") -> str:
    """A text with its entities marked, as HTML.

    text (str): The text.
    entities (Iterable[Entity]): Its entities; none may overlap.
    lang (str): Its language, as spaCy names it.
    RETURNS (str): A `div`. Each entity is a `mark` with `data-label`, `data-start`,
        `data-end` and `data-score`.
    """
    parts, done = [], 0
    for start, end, label, score in sorted(entities, key=lambda entity: entity[:2]):
        parts.append(text_html(text[done:start]))
        parts.append(mark_html(text[start:end], label, score, start=start))
        done = end
    parts.append(text_html(text[done:]))
    return f'<div class="text"{lang_html(lang)}>{"".join(parts)}</div>'


def mark_html(
    text: str,
    label: str,
    score: float | None,
    *,
    start: int = 0,
    lang: str | None = None,
) -> str:
    """One entity as HTML. It needs its language where what is around it, which is None,
    has another one."""
    attributes = {
        "data-label": label,
        "data-start": start,
        "data-end": start + len(text),
        **({} if score is None else {"data-score": f"{score:.4f}"}),
        "style": f"--hue: {hue(label)}",
    }
    listed = " ".join(f'{k}="{html.escape(str(v))}"' for k, v in attributes.items())
    said = label if score is None else f"{label} {confidence(score)}"
    return (
        f"<mark {listed}{lang_html(lang)}>{text_html(text)}"
        f'<span class="label">{text_html(said)}</span></mark>'
    )


def confidence(score: float) -> str:
    """A probability for people: rounded, but never up to certain or down to none."""
    if 0.0 < score < 0.01:
        return "<0.01"
    if 0.99 < score < 1.0:
        return ">0.99"
    return f"{score:.2f}"


# Labels that are often found beside each other get hues that are easy to tell apart.
_HUES: Mapping[str, int] = {
    **dict.fromkeys(("NAME", "PER", "PERSON", "nr"), 265),
    **dict.fromkeys(("ORG", "COM"), 210),
    **dict.fromkeys(("LOC", "GPE", "CITY", "COU"), 140),
    **dict.fromkeys(("TITLE",), 25),
    **dict.fromkeys(("CONT",), 165),
    **dict.fromkeys(("EDU",), 55),
    **dict.fromkeys(("RACE",), 330),
    **dict.fromkeys(("PRO",), 95),
    **dict.fromkeys(("TIM", "DATE", "TIME"), 45),
}


def hue(label: str) -> int:
    """The hue of a label, 0 to 359: always the same one."""
    return _HUES.get(label, crc32(label.encode("utf8", "replace")) * 137 % 360)
