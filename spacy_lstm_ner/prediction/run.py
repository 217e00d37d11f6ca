"""What a run writes, and counts."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .inputs import Repairs
from .parts import MAX_EXAMPLES, Output, Part
from .processes import Predicted

_COUNTS = ("records", "characters", "entities", "rejected", "parts")


@dataclass
class PredictionRun:
    """The result of `predict`.

    path: The file or folder that was written.
    format: "jsonl" or "parquet".
    records: Number of records that were written.
    characters: Number of characters in their texts.
    entities: Number of their entities.
    rejected: Number of records that were set aside.
    errors: The file or folder with them.
    parts: Number of parts that were written.
    finished_before: Number of parts that were there already.
    seconds: Time from the first text that was read on: without loading the pipeline,
        except in further processes.
    examples: The first few records that were set aside, as text.
    repairs: What was repaired in the input.
    """

    path: Path
    format: str
    errors: Path
    records: int = 0
    characters: int = 0
    entities: int = 0
    rejected: int = 0
    parts: int = 0
    finished_before: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)
    repairs: Repairs = field(default_factory=Repairs)

    def add(self, part: Part) -> None:
        """Add what was written of a part."""
        self.records += part.rows.records
        self.entities += part.rows.entities
        self.rejected += part.rejected
        self.parts += 1
        self.examples += part.examples[: MAX_EXAMPLES - len(self.examples)]

    def rate(self, seconds: float) -> str:
        """The speed in a number of seconds, as text."""
        return f"{self.characters / max(seconds, 1e-3):,.0f} characters a second"

    def counts(self) -> dict[str, Any]:
        """Return what `merge` adds, as JSON."""
        return {name: getattr(self, name) for name in (*_COUNTS, "examples")}

    def merge(self, counts: dict[str, Any]) -> None:
        """Add what another process has written.

        counts: Its `counts`.
        """
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + counts[name])
        self.examples += counts["examples"][: MAX_EXAMPLES - len(self.examples)]


def write_parts(predicted: Iterable[Predicted], to: Output, run: PredictionRun) -> None:
    """Write predicted chunks to the parts that they belong to.

    predicted: The chunks, in order, with the predictions for their records.
    to: The output.
    run: What was written is added to it.
    """
    with ExitStack() as stack:
        part: Part | None = None
        for chunk, predictions in predicted:
            if part is None:
                part = stack.enter_context(to.part(chunk.part))
            part.write(chunk, predictions)
            run.characters += chunk.characters
            if chunk.ends_part:
                stack.close()
                run.add(part)
                part = None
