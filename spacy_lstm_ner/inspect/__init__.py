"""Look inside of a trained `lstm_ner`.

    open_gates      what its LSTM does with a text: gates, cell and hidden states; the
                    scores of the tags, the best path, the entities
    explain         why it finds an entity: what each character adds, and what it would
                    have found instead
    rank_units      which hidden units follow the entities of a type

What these return shows itself in a notebook; `render` shows the entities of a document
there, with their probabilities.
"""

from .gates import Gates, open_gates
from .ranking import RankedUnit, rank_units
from .render import render
from .why import Explanation, explain

__all__ = [
    "Explanation",
    "Gates",
    "RankedUnit",
    "explain",
    "open_gates",
    "rank_units",
    "render",
]
