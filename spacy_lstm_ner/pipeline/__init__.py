"""The component `lstm_ner`."""

from .component import Analysis, LSTMEntityRecognizer, Reading, recognizers

__all__ = ["Analysis", "LSTMEntityRecognizer", "Reading", "recognizers"]
