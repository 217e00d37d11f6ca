"""The components `lstm_ner` and `lstm_nested_ner`."""

from .annotating import entity_scores, predicted_entities
from .component import LSTMEntityRecognizer, recognizers
from .decoding import Analysis, Decoding
from .nested_component import (
    LSTMNestedEntityRecognizer,
    nested_recognizers,
    span_group_keys,
)
from .nested_paths import NestedDecoding
from .uncertainty import Uncertainty

__all__ = [
    "Analysis",
    "Decoding",
    "LSTMEntityRecognizer",
    "LSTMNestedEntityRecognizer",
    "NestedDecoding",
    "Uncertainty",
    "entity_scores",
    "nested_recognizers",
    "predicted_entities",
    "recognizers",
    "span_group_keys",
]
