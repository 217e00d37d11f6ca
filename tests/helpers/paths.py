"""Folders of the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "assets" / "sample"
# Made-up sentences that are learnt in seconds: without hard names and noise.
EASY = SAMPLE / "easy.json"
NESTED_SAMPLE = REPOSITORY / "assets" / "nested" / "news.jsonl"
