"""The component `lstm_ner`."""

from .annotating import entity_scores, predicted_entities
from .component import LSTMEntityRecognizer, recognizers
from .decoding import Analysis, Decoding
from .uncertainty import Uncertainty

__all__ = [
    "Analysis",
    "Decoding",
    "LSTMEntityRecognizer",
    "Uncertainty",
    "entity_scores",
    "predicted_entities",
    "recognizers",
]
