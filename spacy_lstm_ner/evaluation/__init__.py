"""Scores, errors, label issues, the training log and the report, as data."""
