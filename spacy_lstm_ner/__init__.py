"""Named-entity recognition with an LSTM, inside spaCy."""
