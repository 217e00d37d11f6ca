"""Inspection of trained models: gates, attribution and ranked hidden units, as data."""

from .attribution import EntityAttribution, Explanation, explain
from .gates import Gates, open_gates
from .ranking import RankedUnit, rank_units

__all__ = [
    "EntityAttribution",
    "Explanation",
    "Gates",
    "RankedUnit",
    "explain",
    "open_gates",
    "rank_units",
]
