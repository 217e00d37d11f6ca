"""Inspection of a trained `lstm_ner` or `lstm_nested_ner`, in a notebook or in Python.

    open_gates      what its LSTM computes for a text: gates, cell and hidden states,
                    emission scores, the best path, the entities
    explain         why it predicts an entity: the contribution of each character, and
                    the best analysis without the entity
    rank_units      which hidden units follow the entities of a type
    render          the entities of documents, with their probabilities

Notebooks display the results of `open_gates`, `explain` and `render` as pages.
`spacy_lstm_ner.interpret` computes them, `spacy_lstm_ner.pages` draws them.
"""

import html
from collections.abc import Iterable

from spacy.language import Language
from spacy.tokens import Doc

from . import interpret
from .interpret.attribution import EntityAttribution
from .interpret.ranking import RankedUnit, rank_units
from .pages.attribution_page import attribution_page
from .pages.colors import label_styles
from .pages.entities import marked_text, scored_entities
from .pages.gates_page import MAX_UNITS, gates_page
from .pages.page import iframe, page
from .pipeline.annotating import SPANS_KEY

__all__ = [
    "EntityAttribution",
    "Explanation",
    "Gates",
    "RankedUnit",
    "explain",
    "open_gates",
    "rank_units",
    "render",
]


class Gates(interpret.Gates):
    """`interpret.Gates` that a notebook displays as a page."""

    def _repr_html_(self) -> str:
        if len(self.offsets) > MAX_UNITS:
            text = f"{self!r} has more than {MAX_UNITS:,} units and is not drawn."
            return f"<p>{html.escape(text)}</p>"
        return iframe(gates_page(self), "LSTM gates")


class Explanation(interpret.Explanation):
    """`interpret.Explanation` that a notebook displays as a page."""

    def _repr_html_(self) -> str:
        return iframe(attribution_page(self), "Attribution")


class Rendered:
    """A page that a notebook displays. `str` returns it as HTML.

    html: The page.
    """

    def __init__(self, html: str):
        self.html = html

    def __str__(self) -> str:
        return self.html

    def _repr_html_(self) -> str:
        return iframe(self.html, "Entities", height=200)


def open_gates(
    nlp: Language, text: str | Doc, *, component: str | None = None
) -> Gates:
    """Record the gates of the LSTM of a pipeline while it processes a text, in a single
    pass. The text is processed as a whole, without windows.

        gates = open_gates(nlp, "王芳任北京大学教授。")
        gates.layers[0].forget_gate[0, 3]  # forward, fourth character

    nlp: The pipeline.
    text: The text; or a Doc, of which only the tokens are used.
    component: Name of the component; default: the first `lstm_ner`, or else
        `lstm_nested_ner`.
    RETURNS: The gates and states of the LSTM, the emission scores and the predicted
        entities.
    RAISES (ValueError): If there is no such component, it is not trained or has no
        LSTM, or the text is empty.
    """
    return Gates._make(interpret.open_gates(nlp, text, component=component))


def explain(
    nlp: Language,
    text: str | Doc,
    *,
    component: str | None = None,
    progress: bool = False,
) -> Explanation:
    """Attribute the predicted entities of a text to its characters, by *occlusion*
    (Zeiler & Fergus, 2014): each character (token) in turn is replaced by one that the
    model does not know; the results of three of these are averaged. The contribution of
    the character is the resulting decrease in the log-odds of an entity. A text of n
    characters takes as long as 3 n² characters: some seconds for 300.

    nlp: The pipeline.
    text: The text; or a Doc, of which only the tokens are used.
    component: Name of the component; default: the first `lstm_ner`, or else
        `lstm_nested_ner`.
    progress: Whether to show a progress bar if it takes long.
    RETURNS: The contribution of each unit to each entity, and the best analysis without
        the entity; of `lstm_nested_ner` the one that
        `LSTMNestedEntityRecognizer.best_without` finds.
    RAISES (ValueError): If there is no such component, or it is not trained.
    """
    return Explanation._make(
        interpret.explain(nlp, text, component=component, progress=progress)
    )


def render(
    docs: Doc | Iterable[Doc], *, spans_key: str = SPANS_KEY, threshold: float = 0.0
) -> Rendered:
    """Draw the entities of documents with their probabilities, similar to displaCy.
    Notebooks display the result; `str` returns it as HTML.

        render(nlp("王芳任北京大学教授。"))

    docs: One or several documents.
    spans_key: The setting `spans_key` of the component: the key in `doc.spans` of the
        probabilities. Entities without a probability are drawn without.
    threshold: Omit entities with a lower probability.
    RETURNS: The page.
    """
    docs = [docs] if isinstance(docs, Doc) else list(docs)
    styles = label_styles(ent.label_ for doc in docs for ent in doc.ents)
    texts = [
        marked_text(
            doc.text,
            [
                entity
                for entity in scored_entities(doc, spans_key)
                if entity[3] is None or entity[3] >= threshold
            ],
            styles,
            lang=doc.lang_,
        )
        for doc in docs
    ]
    return Rendered(page("entities.html", "Entities", texts=texts))
