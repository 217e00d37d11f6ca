"""The contents of a file in numbers."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from spacy.tokens import Doc


@dataclass
class FileSummary:
    """The contents of a file in numbers.

    path: The file.
    records: Number of records.
    characters: Number of characters in their texts.
    unannotated_tokens: Number of tokens whose annotation is missing. They are not
        treated as outside of entities: the loss marginalizes over their tags.
    entities: Number of entities by label.
    """

    path: Path
    records: int = 0
    characters: int = 0
    unannotated_tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)

    def add(self, doc: Doc) -> None:
        """Count an annotated document."""
        self.records += 1
        self.characters += len(doc.text)
        self.unannotated_tokens += int((doc.to_array("ENT_IOB") == 0).sum())
        self.entities.update(ent.label_ for ent in doc.ents)
