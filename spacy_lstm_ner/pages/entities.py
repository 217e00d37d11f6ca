"""Texts with highlighted entities and their probabilities."""

import html
from collections.abc import Iterable, Mapping
from zlib import crc32

from spacy.tokens import Doc

from ..pipeline import entity_scores
from .elements import lang_html, text_html

#: An entity: its start and end in characters, its label, and its probability, which is
#: None if it is unknown.
Entity = tuple[int, int, str, float | None]


def scored_entities(doc: Doc, spans_key: str | None) -> list[Entity]:
    """Return the entities of a document.

    doc: The document.
    spans_key: The key in `doc.spans` of the probabilities. None: there are no
        probabilities.
    RETURNS: The entities in the order of the text.
    """
    return [
        (ent.start_char, ent.end_char, ent.label_, score)
        for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True)
    ]


def entities_html(text: str, entities: Iterable[Entity], *, lang: str = "") -> str:
    """Convert a text with entities to HTML.

    text: The text.
    entities: Its entities.
    lang: Its language, as spaCy names it.
    RETURNS: An element `div`; where entities overlap, one for each row of entities that
        do not, with the outermost ones first. Each entity is a `mark` with
        `data-label`, `data-start`, `data-end` and `data-score`.
    """
    rows: list[list[Entity]] = [[]]
    for entity in sorted(entities, key=lambda one: (one[0], -one[1])):
        for row in rows:
            if not row or row[-1][1] <= entity[0]:
                row.append(entity)
                break
        else:
            rows.append([entity])
    return "".join(_row_html(text, row, lang) for row in rows)


def _row_html(text: str, entities: list[Entity], lang: str) -> str:
    """A text with entities that do not overlap."""
    parts, done = [], 0
    for start, end, label, score in entities:
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
    """Convert an entity to HTML.

    text: The text of the entity.
    label: Its label.
    score: Its probability; None if it is unknown.
    start: Its start in the text around it.
    lang: Its language. None: that of the parent element.
    RETURNS: An element `mark`.
    """
    attributes = {
        "data-label": label,
        "data-start": start,
        "data-end": start + len(text),
        **({} if score is None else {"data-score": f"{score:.4f}"}),
        "style": f"--hue: {hue(label)}",
    }
    listed = " ".join(f'{k}="{html.escape(str(v))}"' for k, v in attributes.items())
    caption = label if score is None else f"{label} {probability_text(score)}"
    return (
        f"<mark {listed}{lang_html(lang)}>{text_html(text)}"
        f'<span class="label">{text_html(caption)}</span></mark>'
    )


def probability_text(p: float) -> str:
    """Format a probability with two decimals. Values that would be rounded to 0 or 1
    become "<0.01" or ">0.99"."""
    if 0.0 < p < 0.01:
        return "<0.01"
    if 0.99 < p < 1.0:
        return ">0.99"
    return f"{p:.2f}"


#: Labels that often occur together have hues that are easy to distinguish.
HUES: Mapping[str, int] = {
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
    """Return the hue of a label, from 0 to 359, which is always the same."""
    return HUES.get(label, crc32(label.encode("utf8", "replace")) * 137 % 360)
