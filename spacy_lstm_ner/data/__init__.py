"""Annotated data: reading, converting and checking files."""
