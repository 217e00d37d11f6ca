"""Sharing a pipeline: its model card, its package, and uploading both to a hub."""
