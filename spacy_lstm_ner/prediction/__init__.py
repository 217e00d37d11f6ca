"""Prediction for many texts: in batches, in several processes, and on a cluster."""

from .predictor import EntityPredictor

__all__ = ["EntityPredictor"]
