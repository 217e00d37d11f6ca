"""The component `lstm_ner`."""

from .annotating import entity_scores
from .component import LSTMEntityRecognizer, recognizers
from .decoding import Analysis, Decoding

__all__ = [
    "Analysis",
    "Decoding",
    "LSTMEntityRecognizer",
    "entity_scores",
    "recognizers",
]
