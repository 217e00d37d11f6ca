"""The entities of documents, drawn in a notebook."""

from collections.abc import Iterable

from spacy.tokens import Doc

from ..pipeline.annotating import entity_scores
from .entities import Entity, entities_html
from .page import frame, page


def render(
    docs: Doc | Iterable[Doc], *, spans_key: str = "lstm_ner", threshold: float = 0.0
) -> "Rendered":
    """Draw the entities of documents with their probabilities, as displaCy does
    without. In a notebook, where it stands last in a cell, the picture is shown;
    `str` gives the page.

        render(nlp("王芳任北京大学教授。"))

    docs (Doc | Iterable[Doc]): One document or more.
    spans_key (str): Where in ``doc.spans`` the probabilities are, see the setting of
        the component. Entities that are not there are drawn without.
    threshold (float): Leave out entities that are less probable.
    RETURNS (Rendered): The picture.
    """
    docs = [docs] if isinstance(docs, Doc) else docs
    texts = [
        entities_html(
            doc.text,
            [
                entity
                for entity in scored_entities(doc, spans_key)
                if entity[3] is None or entity[3] >= threshold
            ],
            lang=doc.lang_,
        )
        for doc in docs
    ]
    return Rendered(page("Entities", "\n<hr>\n".join(texts)))


class Rendered:
    """A page that a notebook shows."""

    def __init__(self, html: str):
        self.html = html

    def __str__(self) -> str:
        return self.html

    def _repr_html_(self) -> str:
        return frame(self.html, "Entities", height=200)


def scored_entities(doc: Doc, spans_key: str | None) -> list[Entity]:
    """The entities of a document in characters, each with its probability if there is
    one."""
    return [
        (ent.start_char, ent.end_char, ent.label_, score)
        for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True)
    ]
