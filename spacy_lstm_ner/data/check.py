"""A look at training data before training on it: `python -m spacy lstm-ner check`.

`spacy debug data` looks at entities only for a component called `ner`.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config, load_model_from_config

from ..util.text import trimmed
from .compatibility import (
    MEANING,
    UNKNOWN_LABEL,
    Statistics,
    all_recognizers,
    loaded_recognizers,
    misfits,
    unknown_labels,
)
from .corpus import read_examples

# Fewer training entities than this teach little about a label.
RARE = 20
# Texts longer than this many characters are slow to train on, and mostly a missing
# blank line between sentences.
LONG = 2000
# Enough to see what is meant, few enough to be read.
MAX_EXAMPLES = 3

# Every kind of finding: is it an error, which training would stop at or a label could
# not be learned for; and what it means.
KINDS: dict[str, tuple[bool, str]] = {
    "no entities to train on": (True, "nothing can be learned from this file"),
    "label not in the training data": (
        True,
        "it can never be found; is it spelled as there?",
    ),
    "text also in the training data": (
        False,
        "figures on it say little about new texts",
    ),
    "annotated in two ways": (
        False,
        "the same text has different entities somewhere else",
    ),
    "entity begins or ends inside a token": (
        False,
        "the tokenizer that the language has by default puts it elsewhere",
    ),
    "white space at the edge of an entity": (
        False,
        "it is never found like that; convert removes it",
    ),
    **{
        kind: (kind == UNKNOWN_LABEL, meaning)
        for kind, meaning in MEANING.items()
        # The finding above names each.
        if kind != "entities that fit no tokens"
    },
    "overlapping spans": (
        False,
        "in doc.spans, which lstm_ner does not learn from; doc.ents has room for one",
    ),
    "rare label": (False, f"fewer than {RARE} entities in the training data"),
    "long text": (False, f"more than {LONG:,} characters: is there a missing break?"),
    "empty text": (False, "it teaches nothing"),
    "problem in the file": (False, "convert shows each with its line"),
}


@dataclass
class Part:
    """What one file holds."""

    path: Path
    records: int = 0
    characters: int = 0
    #: Tokens whose annotation is missing: they are summed over, not taken for "O".
    unknown: int = 0
    entities: Counter[str] = field(default_factory=Counter)


class Finding(NamedTuple):
    """One kind of finding in one file. `kind` is a key of `KINDS`."""

    kind: str
    path: Path
    number: int
    examples: list[str]

    @property
    def is_error(self) -> bool:
        return KINDS[self.kind][0]


@dataclass
class Check:
    """What the files hold, and what was found."""

    parts: list[Part]
    findings: list[Finding]


def check(
    paths: Sequence[str | Path],
    *,
    lang: str = "zh",
    model: str | Path | None = None,
    config: str | Path | None = None,
) -> Check:
    """Look for what spoils training or makes its figures wrong.

    paths (Sequence[str | Path]): The training data first, then what it is measured on:
        .spacy files, or dataset files in any format that `convert` reads.
    lang (str): Language whose tokenizer to use, where no pipeline is given.
    model (str | Path | None): A trained pipeline that shall learn more from the data:
        its folder or installed package. Its labels and its tokenizer are looked at.
    config (str | Path | None): The config of a training, to do the same for the
        components that it takes from elsewhere (`source`).
    RETURNS (Check): What the files hold, and what was found.
    RAISES (DataError): For a file that cannot be read.
    RAISES (OSError, ValueError): For a pipeline or a config that cannot be used.
    """
    nlp = _pipeline(lang, model, config)
    unit, known = _what_is_read(nlp)
    parts: list[Part] = []
    findings: list[Finding] = []
    seen: dict[str, tuple[Path, tuple]] = {}
    for path in map(Path, paths):
        part = Part(path)
        found = _Found(path)
        counted = Statistics()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for example in read_examples(path, nlp):
                _look_at(example, part, found, seen, train=Path(paths[0]))
                counted.add(example)
        for warning in caught:
            if issubclass(warning.category, UserWarning):
                # Under a heading, what is wrong with the file, one kind a line.
                for line in str(warning.message).splitlines()[1:]:
                    found.add("problem in the file", line)
        # The tokenizer is that of all files: it is told once.
        for misfit in misfits(counted, None if parts else nlp, unit=unit):
            if misfit.kind in KINDS:
                found.add(misfit.kind, misfit.what, misfit.number)
        for name, labels in known.items() if not parts else ():
            if unknown := unknown_labels(part.entities, labels):
                missing = f"{name} has no {', '.join(unknown)}"
                found.add(UNKNOWN_LABEL, missing, len(unknown))
        parts.append(part)
        trained = parts[0].entities
        for label, count in sorted(part.entities.items()):
            if not trained[label]:
                found.add("label not in the training data", label, count)
            elif part is parts[0] and count < RARE:
                found.add("rare label", f"{label} ({count})")
        if part is parts[0] and not part.entities:
            found.add("no entities to train on")
        findings.extend(found.all())
    return Check(parts, findings)


def _pipeline(
    lang: str, model: str | Path | None, config: str | Path | None
) -> Language:
    """RAISES (OSError, ValueError): For a pipeline or config that cannot be used."""
    if model is not None and config is not None:
        raise ValueError("Give a model or a config to check against, not both.")
    if model is not None:
        return spacy.load(model)
    if config is not None:
        return load_model_from_config(load_config(config), auto_fill=True)
    return spacy.blank(lang)


def _what_is_read(nlp: Language) -> tuple[str | None, dict[str, Sequence[str]]]:
    """The unit of the components `lstm_ner`, if they agree; and the labels of those
    that are trained, by name."""
    units = {pipe.cfg["unit"] for pipe in all_recognizers(nlp).values()}
    trained = {name: pipe.labels for name, pipe in loaded_recognizers(nlp).items()}
    return (units.pop() if len(units) == 1 else None), trained


class _Found:
    """Counts what is found in a file, and keeps the first few of each kind."""

    def __init__(self, path: Path):
        self.path = path
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, example: str = "", count: int = 1) -> None:
        self.counts[kind] += count
        examples = self.examples.setdefault(kind, [])
        if example and example not in examples and len(examples) < MAX_EXAMPLES:
            examples.append(example)

    def all(self) -> list[Finding]:
        """RETURNS (list[Finding]): In the order of `KINDS`."""
        return [
            Finding(kind, self.path, self.counts[kind], self.examples[kind])
            for kind in KINDS
            if self.counts[kind]
        ]


def _look_at(
    example: Example,
    part: Part,
    found: _Found,
    seen: dict[str, tuple[Path, tuple]],
    *,
    train: Path,
) -> None:
    """Look at one record."""
    doc = example.reference
    text = doc.text
    part.records += 1
    part.characters += len(text)
    part.unknown += sum(token.ent_iob == 0 for token in doc)
    part.entities.update(ent.label_ for ent in doc.ents)
    if not text.strip():
        found.add("empty text")
        return
    if len(text) > LONG:
        found.add("long text", f"{_short(text)} ({len(text):,})")
    for ent in doc.ents:
        if trimmed(ent.text) != (0, len(ent.text)):
            found.add("white space at the edge of an entity", _name(ent))
        if example.predicted.char_span(ent.start_char, ent.end_char) is None:
            found.add("entity begins or ends inside a token", _name(ent))
    for key, first, second in _overlapping(doc):
        found.add("overlapping spans", f"{_name(first)}, {_name(second)} in {key!r}")
    ents = tuple((ent.start_char, ent.end_char, ent.label_) for ent in doc.ents)
    first_path, first_ents = seen.setdefault(text, (part.path, ents))
    if first_path == train != part.path:
        found.add("text also in the training data", _short(text))
    if first_ents != ents:
        found.add("annotated in two ways", _short(text))


def _overlapping(doc: Doc) -> Iterator[tuple[str, Span, Span]]:
    """Spans of one group that have a token in common, two by two."""
    for key, group in doc.spans.items():
        spans = sorted(group, key=lambda span: (span.start, -span.end))
        longest = None
        for span in spans:
            if longest is not None and span.start < longest.end:
                yield key, longest, span
            if longest is None or span.end > longest.end:
                longest = span


def _name(span: Span) -> str:
    # Spans may be long, and many: nothing is taken of them that is not shown.
    return f"{span.label_} {_short(span[:21].text)}".lstrip()


def _short(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:19] + "…")
