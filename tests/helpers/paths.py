"""Folders of the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "assets" / "sample"
NESTED_SAMPLE = REPOSITORY / "assets" / "nested" / "news.jsonl"
