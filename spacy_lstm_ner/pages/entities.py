"""Texts with highlighted entities and their probabilities."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from spacy.tokens import Doc

from ..pipeline import entity_scores

#: An entity: its start and end in characters, its label, and its probability, which is
#: None if it is unknown.
Entity = tuple[int, int, str, float | None]


class Mark(NamedTuple):
    """A highlighted entity."""

    text: str
    label: str
    score: float | None
    #: The CSS classes of the label: see `label_styles`.
    style: str
    #: Its start in the text around it.
    start: int = 0


class MarkedText(NamedTuple):
    """A text with highlighted entities."""

    #: Parts of the text without entities, and entities, in the order of the text.
    parts: list[str | Mark]
    #: Its language, as spaCy names it.
    lang: str


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


def marked_text(
    text: str, entities: Iterable[Entity], styles: Mapping[str, str], *, lang: str = ""
) -> MarkedText:
    """Divide a text into entities and the parts between them.

    text: The text.
    entities: Its entities, which must not overlap.
    styles: The CSS classes of their labels.
    lang: The language of the text, as spaCy names it.
    """
    return MarkedText([*_parts(text, entities, styles)], lang)


def _parts(
    text: str, entities: Iterable[Entity], styles: Mapping[str, str]
) -> Iterator[str | Mark]:
    done = 0
    for start, end, label, score in sorted(entities, key=lambda entity: entity[:2]):
        yield text[done:start]
        yield Mark(text[start:end], label, score, styles[label], start)
        done = end
    yield text[done:]
