"""Annotated texts as plain values, and how the same text is annotated elsewhere."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from spacy.training import Example

from ..tags import Span

# Longer texts of entities are not looked for.
_LONGEST = 100


@dataclass
class Annotated:
    """A text and its annotation. All places are in characters of the text."""

    text: str
    entities: list[Span]
    #: Stretches without annotation: they may have entities or not.
    unknown: list[tuple[int, int]] = field(default_factory=list)
    #: 1 for each place that is inside a token: no entity begins or ends there. What is
    #: missing is 0.
    inside: bytes = b""

    def marked(self, spans: Iterable[tuple]) -> bytes:
        """RETURNS (bytes): For each character, 1 if one of the spans has it."""
        return _marked(len(self.text), spans)


def annotated_text(example: Example) -> Annotated:
    """The annotation of an example, at the characters of the predicted Doc: its text
    may have other white space than the reference, and its tokens may be others.

    example (Example): The example.
    RETURNS (Annotated): Its text and annotation.
    """
    doc, reference = example.predicted, example.reference
    same = doc.text == reference.text
    # Each look at `alignment` compares all tokens.
    aligned = None if same else example.alignment.y2x

    def place(start: int, end: int) -> tuple[int, int]:
        """The characters of tokens of the reference; none where they are gone."""
        if aligned is not None:
            tokens = aligned[start:end]
            if not len(tokens):
                return 0, 0
            span = doc[int(tokens[0]) : int(tokens[-1]) + 1]
        else:
            span = reference[start:end]
        return span.start_char, span.end_char

    found = [Span(*place(e.start, e.end), e.label_) for e in reference.ents]
    missing = [place(t.i, t.i + 1) for t in reference if t.ent_iob == 0]
    return Annotated(
        doc.text,
        [span for span in found if span.start < span.end],
        missing,
        _marked(len(doc.text), ((t.idx + 1, t.idx + len(t)) for t in doc)),
    )


def _marked(size: int, spans: Iterable[tuple]) -> bytes:
    marks = bytearray(size)
    for start, end, *_ in spans:
        marks[start:end] = b"\1" * (end - start)
    return bytes(marks)


class Surfaces:
    """Texts of entities, to be looked for in other texts."""

    def __init__(self, texts: Iterable[str]):
        """
        texts (Iterable[str]): The texts of the entities.
        """
        self.texts = frozenset(texts)
        # All beginnings: where a text goes on like none of them, the search ends. It
        # is not worth it for texts that are too long to come again.
        self.beginnings = {
            text[:size]
            for text in self.texts
            if len(text) <= _LONGEST
            for size in range(1, len(text) + 1)
        }


def mentions(annotated: Annotated, surfaces: Surfaces) -> Iterator[tuple[int, int]]:
    """Where the texts of entities stand outside of all entities. They are whole tokens,
    with annotation; from the left, the longest one first, no two overlapping.

    annotated (Annotated): Where to look.
    surfaces (Surfaces): What to look for.
    YIELDS (tuple[int, int]): The characters of each.
    """
    text = annotated.text
    closed = annotated.marked((*annotated.unknown, *annotated.entities))
    inside = annotated.inside.ljust(len(text) + 1, b"\0")
    after = 0
    for start in range(len(text)):
        if start < after or inside[start]:
            continue
        for end in range(start + 1, len(text) + 1):
            part = text[start:end]
            if closed[end - 1] or part not in surfaces.beginnings:
                break
            if part in surfaces.texts and not inside[end]:
                after = end
        if start < after:
            yield start, after


def count_uses(
    corpus: Iterable[Annotated], surfaces: Surfaces
) -> dict[str, Counter[str]]:
    """How often each text has which label.

    corpus (Iterable[Annotated]): Where to count.
    surfaces (Surfaces): What to count.
    RETURNS (dict[str, Counter[str]]): By text, then by label. An empty label stands for
        no entity: see `mentions`. A part of a longer entity does not count.
    """
    uses: dict[str, Counter[str]] = defaultdict(Counter)
    for annotated in corpus:
        for start, end, label in annotated.entities:
            if annotated.text[start:end] in surfaces.texts:
                uses[annotated.text[start:end]][label] += 1
        for start, end in mentions(annotated, surfaces):
            uses[annotated.text[start:end]][""] += 1
    return uses
