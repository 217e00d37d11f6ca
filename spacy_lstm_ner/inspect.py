"""Look inside a trained `lstm_ner`, in a notebook or in Python.

    open_gates      what its LSTM does with a text: gates, cell and hidden states; the
                    emission scores, the best path, the entities
    explain         why it predicts an entity: the attribution of each character,
                    and the best analysis without the entity
    rank_units      which hidden units follow the entities of a type
    render          the entities of a document, with their probabilities

The results display themselves in a notebook. `spacy_lstm_ner.interpret` computes them,
`spacy_lstm_ner.pages` draws them.
"""

import html
from functools import wraps
from typing import Any

from . import interpret
from .interpret.ranking import RankedUnit, rank_units
from .pages.attribution_page import why_page
from .pages.gates_page import MOST_UNITS, gates_page
from .pages.page import frame
from .pages.render import render

__all__ = [
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
        if len(self.places) > MOST_UNITS:
            return f"<p>{html.escape(repr(self))}: up to {MOST_UNITS:,} are drawn.</p>"
        return frame(gates_page(self), "The gates of the LSTM")


class Explanation(interpret.Explanation):
    """`interpret.Explanation` that a notebook displays as a page."""

    def _repr_html_(self) -> str:
        return frame(why_page(self), "Why these entities")


@wraps(interpret.open_gates)
def open_gates(*args: Any, **kwargs: Any) -> Gates:
    return Gates(*interpret.open_gates(*args, **kwargs))


@wraps(interpret.explain)
def explain(*args: Any, **kwargs: Any) -> Explanation:
    return Explanation(*interpret.explain(*args, **kwargs))
