"""The contents of a file in numbers."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from spacy.tokens import Doc

from ..tags import Span
from ..tags.nesting import FLAT, n_by_kind
from ..util.text import shortened
from .nesting import annotated_spans

_MAX_SHOWN = 120


@dataclass
class FileSummary:
    """The contents of a file in numbers.

    path: The file.
    records: Number of records.
    characters: Number of characters in their texts.
    unannotated_tokens: Number of tokens whose annotation is missing. They are not
        treated as outside of entities: the loss marginalizes over their tags.
    entities: Number of entities in `doc.ents` by label.
    grouped: Number of entities in the span group by label, and in `doc.ents` of Docs
        without it.
    kinds: The number of the latter that are flat, nested and overlapping, see
        tags/nesting.py.
    """

    path: Path
    records: int = 0
    characters: int = 0
    unannotated_tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    grouped: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, doc: Doc, spans_key: str = "sc") -> None:
        """Count an annotated document.

        spans_key: The span group with all entities, if there is one.
        """
        self.records += 1
        if len(doc):
            # `doc.text` would join all tokens.
            self.characters += doc[-1].idx + len(doc[-1].text_with_ws)
        self.unannotated_tokens += int((doc.to_array("ENT_IOB") == 0).sum())
        self.entities.update(ent.label_ for ent in doc.ents)
        spans = annotated_spans(doc, spans_key)
        self.grouped.update(span.label_ for span in spans)
        self.kinds.update(n_by_kind([Span(s.start, s.end, s.label_) for s in spans]))

    @property
    def has_overlaps(self) -> bool:
        """Whether entities of the span group overlap."""
        return self.kinds.total() > self.kinds[FLAT]


def bracketed(doc: Doc) -> str:
    """Return the beginning of a text with its entities in brackets, as in
    "[王芳 NAME]任教授"."""
    pieces, at = [], 0
    for ent in doc.ents:
        if ent.start_char > _MAX_SHOWN:
            break
        pieces += [doc.text[at : ent.start_char], f"[{ent.text} {ent.label_}]"]
        at = ent.end_char
    pieces.append(doc.text[at : at + _MAX_SHOWN])
    text = "".join(pieces).replace("\n", "⏎").replace("\r", "")
    return shortened(text, _MAX_SHOWN)
