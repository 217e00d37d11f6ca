"""What a trained model does with a text, as data."""

from .attribution import Explanation, explain
from .gates import Gates, open_gates
from .ranking import RankedUnit, rank_units

__all__ = [
    "Explanation",
    "Gates",
    "RankedUnit",
    "explain",
    "open_gates",
    "rank_units",
]
