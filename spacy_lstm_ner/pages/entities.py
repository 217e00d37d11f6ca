"""Texts with highlighted entities and their probabilities."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from spacy.tokens import Doc

from ..pipeline import entity_scores

#: An entity: its start and end in characters, its label, and its probability, which is
#: None if it is unknown.
Entity = tuple[int, int, str, float | None]
EntityT = TypeVar("EntityT", bound=tuple)


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

    #: The whole text once for each row of entities that do not overlap: parts without
    #: entities, and entities, in the order of the text.
    rows: list[list[str | Mark]]
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
    entities: Its entities. Those that overlap are in rows of their own, the outermost
        ones in the first.
    styles: The CSS classes of their labels.
    lang: The language of the text, as spaCy names it.
    """
    rows = rows_without_overlaps(entities)
    return MarkedText([[*_parts(text, row, styles)] for row in rows], lang)


def rows_without_overlaps(entities: Iterable[EntityT]) -> list[list[EntityT]]:
    """Divide entities into rows, so that those in a row do not overlap: outer ones are
    in a row before those inside of them. There is at least one row."""
    rows: list[list[EntityT]] = [[]]
    for entity in sorted(entities, key=lambda one: (one[0], -one[1])):
        for row in rows:
            if not row or row[-1][1] <= entity[0]:
                row.append(entity)
                break
        else:
            rows.append([entity])
    return rows


def _parts(
    text: str, entities: Iterable[Entity], styles: Mapping[str, str]
) -> Iterator[str | Mark]:
    done = 0
    for start, end, label, score in entities:
        yield text[done:start]
        yield Mark(text[start:end], label, score, styles[label], start)
        done = end
    yield text[done:]
