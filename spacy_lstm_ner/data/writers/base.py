"""What all writers share: what they are given, and what they count."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from spacy.tokens import Doc

from ...exceptions import DataError
from ...tags import FILE_SCHEMES, SCHEME_ALIASES, ScoredSpan, Span
from ..problems import MISALIGNED, OVERLAPPING

#: An entity by character offsets; a prediction has a probability.
Entity = Span | ScoredSpan

_CHOICES = {
    "unit": ("auto", "character", "token"),
    # IOB1, in which the first prefix depends on the entity before, can only be read.
    "scheme": tuple(scheme for scheme in FILE_SCHEMES if scheme != "IOB1"),
    "offsets": ("auto", "characters", "utf16"),
}

#: Why entities of the input are not in the output, and what to do about it.
LOSSES = {
    OVERLAPPING: "the format has one tag per unit",
    MISALIGNED: "use --unit character to keep them",
    "no label": "the format needs one",
    "empty": "it has no characters",
}
#: What else differs from the input, and what it means.
CHANGES = {
    "line break or tab written as a blank": "it would end the line or the column",
    "text whose blanks are not in the file": "use --unit character to keep them",
    "text without units left out": "the format cannot hold it",
    "text with missing annotation": "it is written as if there were no entities there",
}


@dataclass(slots=True)
class ExportedText:
    """A text to write, with its entities.

    text: The text.
    entities: Its entities by character offsets, in the order of the text. They may
        overlap.
    doc: The tokenized text.
    missing: Whether the annotation of a part of the text is missing.
    meta: What else is known of the text, for annotators, by name.
    """

    text: str
    entities: list[Entity]
    doc: Doc
    missing: bool = False
    meta: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How to write a file.

    predicted: Whether the entities are predictions of a pipeline, and not annotation.
    model_version: The pipeline and its version, for predictions.
    unit: What has a tag of its own: "character", "token", or "auto": characters for
        languages that are written without letters, such as Chinese, otherwise tokens.
    scheme: The tag scheme: "BIO", "BIOES", "BMES", "BILOU" or "BMEWO".
    separator: The separator of columns.
    offsets: What offsets count: "characters" (code points), "utf16" (as JavaScript
        does), or "auto": what the current version of the tool counts.
    from_name: In Label Studio, the name of the tag `Labels`.
    to_name: In Label Studio, the name of the tag `Text`.
    shard_size: Maximum number of Docs in a .spacy file.
    RAISES (DataError): For an unknown value.
    """

    predicted: bool = False
    model_version: str = ""
    unit: str = "auto"
    scheme: str = "BIO"
    separator: str = "\t"
    offsets: str = "auto"
    from_name: str = "label"
    to_name: str = "text"
    shard_size: int = 100_000

    def __post_init__(self) -> None:
        scheme = SCHEME_ALIASES.get(self.scheme, self.scheme)
        object.__setattr__(self, "scheme", scheme)
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise DataError(f"unknown {name} {value!r}: use one of {choices}")
        if self.separator not in (" ", "\t"):
            raise DataError(
                f"the separator {self.separator!r} is neither a blank nor a tab: other "
                f"characters may occur in the text"
            )


@dataclass
class WritingLog:
    """What is counted while a file is written.

    records: Number of texts in the output.
    found: Number of entities in the input.
    entities: Number of entities in the output, by label.
    lost: Number of entities that are not in the output, by reason (a key of `LOSSES`).
    changes: How often something else differs from the input (a key of `CHANGES`).
    """

    records: int = 0
    found: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def add(self, entities: Iterable[Entity]) -> None:
        """Count a text that is written, and its entities."""
        self.records += 1
        self.entities.update(entity.label for entity in entities)


#: Writes texts to a file: the texts, the path, the options, and what to count in.
Write = Callable[[Iterable[ExportedText], Path, WritingOptions, WritingLog], None]


@dataclass(frozen=True)
class Writer:
    """An output format.

    description: The layout in a few words, for ``--help`` and the documentation.
    suffixes: How the names of such files end, if no other format has this suffix.
    write: Writes a file.
    uses: The options that it uses, besides `predicted` and `model_version`.
    offsets: What the current version of the tool counts in offsets.
    holds_docs: Whether it holds Docs as they are, with missing annotation and entities
        without a label, and may become a folder of files.
    """

    description: str
    write: Write
    suffixes: tuple[str, ...] = ()
    uses: frozenset[str] = frozenset()
    offsets: str = "characters"
    holds_docs: bool = False


def without_overlaps(entities: Sequence[Entity], log: WritingLog) -> list[Entity]:
    """Select entities that do not overlap: the longest ones, and the first of equals.

    entities: The entities, in the order of the text.
    log: The others are counted in it.
    RETURNS: The selected ones, in the order of the text.
    """
    if all(a.end <= b.start for a, b in pairwise(entities)):
        return list(entities)
    occupied: set[int] = set()
    kept = []
    for entity in sorted(entities, key=lambda entity: entity.start - entity.end):
        places = range(entity.start, entity.end)
        if occupied.isdisjoint(places):
            occupied.update(places)
            kept.append(entity)
        else:
            log.lost[OVERLAPPING] += 1
    return sorted(kept, key=lambda entity: entity.start)


def score_of(entity: Entity) -> float | None:
    """RETURNS (float | None): The probability of an entity, if it has one."""
    return entity.score if isinstance(entity, ScoredSpan) else None


def lowest_score(entities: Iterable[Entity]) -> float | None:
    """RETURNS (float | None): The probability of the least certain entity, by which
    tools sort texts for review. None if no entity has one."""
    scores = (score_of(entity) for entity in entities)
    return min((score for score in scores if score is not None), default=None)
