"""Checks of annotated data before training: `python -m spacy lstm-ner check`.

`spacy debug data` checks entities only for a component called `ner`.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config, load_model_from_config

from ..util.text import shortened, trimmed
from .compatibility import (
    ADVICE,
    FLAT_FACTORY,
    NESTED_FACTORY,
    UNKNOWN_LABEL,
    Statistics,
    all_recognizers,
    find_mismatches,
    loaded_recognizers,
    unknown_labels,
)
from .corpus import read_examples
from .nesting import NestingStatistics, annotated_spans
from .problems import IN_GROUP
from .summary import FileSummary

#: A label with fewer entities in the training data is rare.
RARE = 20
#: A text with more characters is long.
LONG = 2000
_MAX_EXAMPLES = 3
# The default of the setting `depth` of lstm_nested_ner.
_DEPTH = 2


class Kind(NamedTuple):
    """A kind of finding.

    is_error: Whether training stops at it, or cannot learn something.
    advice: The consequence, or what to do about it.
    """

    is_error: bool
    advice: str


#: Every kind of finding by name.
KINDS: dict[str, Kind] = {
    "no entities to train on": Kind(True, "nothing can be learned from this file"),
    "label not in the training data": Kind(
        True, "it cannot be predicted: check the spelling"
    ),
    "text also in the training data": Kind(
        False, "scores on it do not show how well new texts are recognized"
    ),
    "inconsistent annotation": Kind(
        False, "the same text has different entities elsewhere"
    ),
    "entity begins or ends inside a token": Kind(
        False, "the default tokenizer of the language sets other token boundaries"
    ),
    "whitespace at the edge of an entity": Kind(
        False, "no such entity is predicted: convert removes the whitespace"
    ),
    **{
        kind: Kind(kind == UNKNOWN_LABEL, advice)
        for kind, advice in ADVICE.items()
        # Reported entity by entity above.
        if kind != "entities not aligned with tokens"
    },
    "overlapping spans": Kind(
        False,
        "in doc.spans, for lstm_nested_ner; lstm_ner learns the longest ones, which "
        "are in doc.ents",
    ),
    "nested more deeply than the component reads": Kind(
        False, "these entities are not learned: set depth in the config"
    ),
    "crosses another entity of its label": Kind(
        False,
        "lstm_nested_ner learns the longer one: give one of them another label",
    ),
    "rare label": Kind(False, f"fewer than {RARE} entities in the training data"),
    "long text": Kind(
        False,
        f"more than {LONG:,} characters: check for missing breaks between records",
    ),
    "empty text": Kind(False, "nothing can be learned from it"),
    "problem in the file": Kind(False, "run convert to list each one with its line"),
}


@dataclass(frozen=True)
class Finding:
    """A kind of finding in one file.

    kind: A key of `KINDS`.
    path: The file.
    count: How often it occurs.
    examples: The first few occurrences.
    """

    kind: str
    path: Path
    count: int
    examples: list[str]

    @property
    def is_error(self) -> bool:
        """Whether training stops at it, or cannot learn something."""
        return KINDS[self.kind].is_error

    @property
    def advice(self) -> str:
        """The consequence, or what to do about it."""
        return KINDS[self.kind].advice


@dataclass
class CheckResult:
    """The result of `check`.

    files: The contents of each file.
    findings: What was found, file by file.
    """

    files: list[FileSummary]
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.is_error]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that are not errors."""
        return [finding for finding in self.findings if not finding.is_error]


def check(
    train: str | Path,
    evaluation: str | Path | Iterable[str | Path] = (),
    *,
    lang: str = "zh",
    model: str | Path | None = None,
    config: str | Path | None = None,
) -> CheckResult:
    """Check training and evaluation data for what spoils training or evaluation.

        result = check("train.spacy", ["dev.spacy", "test.spacy"])
        print(result.errors, result.warnings)

    Files are .spacy files, or dataset files in any format that `convert` reads.

    train: The training data.
    evaluation: The data to evaluate on: dev, test or both.
    lang: Language whose tokenizer is used if there is no pipeline.
    model: A trained pipeline that is to be trained further on the data: its folder or
        installed package. Its labels and tokenizer are checked.
    config: A training config. The labels of components that it takes from a trained
        pipeline (`source`) and its tokenizer are checked.
    RETURNS: The contents of the files, and what was found.
    RAISES (DataError): For a file that cannot be read.
    RAISES (OSError, ValueError): For a pipeline or a config that cannot be used.
    """
    nlp = _pipeline(lang, model, config)
    unit, known = _unit_and_labels(nlp)
    nested = _nested(nlp)
    others = [evaluation] if isinstance(evaluation, str | Path) else evaluation
    files: list[FileSummary] = []
    findings: list[Finding] = []
    seen: dict[str, tuple[Path, tuple]] = {}
    for path in map(Path, [train, *others]):
        summary = FileSummary(path)
        found = _Findings(path)
        statistics = Statistics()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for example in read_examples(path, nlp, force=True):
                summary.add(example.reference, nested.spans_key or "sc")
                _check_example(example, found, seen, nested, train=Path(train))
                statistics.add(example, nested.spans_key)
        for warning in caught:
            if issubclass(warning.category, UserWarning):
                # Below a heading, the warning of `BIOCorpus` has a line for each kind.
                for line in str(warning.message).splitlines()[1:]:
                    if nested.spans_key is None or not line.startswith(IN_GROUP):
                        found.add("problem in the file", line)
        is_train = not files
        # All files have the same tokenizer: it is reported once.
        for mismatch in find_mismatches(
            statistics, nlp if is_train else None, unit=unit
        ):
            if mismatch.kind in KINDS:
                found.add(mismatch.kind, mismatch.details, mismatch.count)
        for name, labels in known.items() if is_train else ():
            if unknown := unknown_labels(nested.counts(summary), labels):
                missing = f"{name} has no {', '.join(unknown)}"
                found.add(UNKNOWN_LABEL, missing, len(unknown))
        files.append(summary)
        trained = nested.counts(files[0])
        for label, count in sorted(nested.counts(summary).items()):
            if not trained[label]:
                found.add("label not in the training data", label, count)
            elif is_train and count < RARE:
                found.add("rare label", f"{label} ({count})")
        if is_train and not nested.counts(summary):
            found.add("no entities to train on")
        findings.extend(found.all())
    return CheckResult(files, findings)


def _pipeline(
    lang: str, model: str | Path | None, config: str | Path | None
) -> Language:
    """Load the pipeline to check against, or a blank one.

    RAISES (OSError, ValueError): For a pipeline or config that cannot be used.
    """
    if model is not None and config is not None:
        raise ValueError("Give a model or a config to check against, not both.")
    if model is not None:
        return spacy.load(model)
    if config is not None:
        return load_model_from_config(load_config(config), auto_fill=True)
    return spacy.blank(lang)


def _unit_and_labels(nlp: Language) -> tuple[str | None, dict[str, Sequence[str]]]:
    """Return the unit of the `lstm_ner` components, None if they differ; and the labels
    of the trained ones, by name."""
    units = {pipe.cfg["unit"] for pipe in all_recognizers(nlp).values()}
    trained = {name: pipe.labels for name, pipe in loaded_recognizers(nlp).items()}
    return (units.pop() if len(units) == 1 else None), trained


class _Nested(NamedTuple):
    """What the components `lstm_nested_ner` of a pipeline learn from.

    spans_key: The span group. None: the pipeline has no such component, or others that
        learn from ``doc.ents``.
    depth: How deeply entities of one label may be nested.
    """

    spans_key: str | None
    depth: int

    def counts(self, summary: FileSummary) -> Counter[str]:
        """The number of entities that are learned, by label."""
        return summary.entities if self.spans_key is None else summary.grouped


def _nested(nlp: Language) -> _Nested:
    """What a pipeline learns from, if it has a component `lstm_nested_ner` and no
    `lstm_ner`."""
    found = all_recognizers(nlp, [NESTED_FACTORY])
    others = all_recognizers(nlp, [FLAT_FACTORY])
    if not found or others:
        return _Nested(None, _DEPTH)
    pipe = next(iter(found.values()))
    return _Nested(pipe.spans_key, pipe.depth)


class _Findings:
    """Counts the findings in a file, and keeps the first few examples of each kind."""

    def __init__(self, path: Path):
        self.path = path
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, example: str = "", count: int = 1) -> None:
        self.counts[kind] += count
        examples = self.examples.setdefault(kind, [])
        if example and example not in examples and len(examples) < _MAX_EXAMPLES:
            examples.append(example)

    def all(self) -> list[Finding]:
        """RETURNS (list[Finding]): In the order of `KINDS`."""
        return [
            Finding(kind, self.path, self.counts[kind], self.examples[kind])
            for kind in KINDS
            if self.counts[kind]
        ]


def _check_example(
    example: Example,
    found: _Findings,
    seen: dict[str, tuple[Path, tuple]],
    nested: _Nested,
    *,
    train: Path,
) -> None:
    """Check one record.

    example: The record.
    found: Findings are added to it.
    seen: The file and the entities of each text at its first occurrence. The text is
        added to it.
    nested: What the pipeline learns from.
    train: The training data.
    """
    doc = example.reference
    text = doc.text
    if not text.strip():
        found.add("empty text")
        return
    if len(text) > LONG:
        found.add("long text", f"{_short(text)} ({len(text):,})")
    entities = annotated_spans(doc, nested.spans_key)
    for ent in entities:
        if trimmed(ent.text) != (0, len(ent.text)):
            found.add("whitespace at the edge of an entity", _name(ent))
        if example.predicted.char_span(ent.start_char, ent.end_char) is None:
            found.add("entity begins or ends inside a token", _name(ent))
    for key, first, second in _overlapping(doc):
        if key != nested.spans_key:
            pair = f"{_name(first)}, {_name(second)} in {key!r}"
            found.add("overlapping spans", pair)
    if nested.spans_key is not None:
        _check_nesting(doc, found, nested)
    ents = tuple((ent.start_char, ent.end_char, ent.label_) for ent in entities)
    first_path, first_ents = seen.setdefault(text, (found.path, ents))
    if first_path == train != found.path:
        found.add("text also in the training data", _short(text))
    if first_ents != ents:
        found.add("inconsistent annotation", _short(text))


def _check_nesting(doc: Doc, found: _Findings, nested: _Nested) -> None:
    """Find entities that a component `lstm_nested_ner` does not learn."""
    statistics = NestingStatistics()
    statistics.add(doc, nested.spans_key)
    if n := statistics.deeper_than(nested.depth):
        deepest = f"{len(statistics.by_layer)} in one another in {_short(doc.text)}"
        found.add("nested more deeply than the component reads", deepest, n)
    for example in statistics.crossing:
        found.add("crosses another entity of its label", example, 0)
    if statistics.n_crossing:
        found.add("crosses another entity of its label", "", statistics.n_crossing)


def _overlapping(doc: Doc) -> Iterator[tuple[str, Span, Span]]:
    """Yield pairs of spans of one group that have a token in common, with the key of
    the group."""
    for key, group in doc.spans.items():
        spans = sorted(group, key=lambda span: (span.start, -span.end))
        longest = None
        for span in spans:
            if longest is not None and span.start < longest.end:
                yield key, longest, span
            if longest is None or span.end > longest.end:
                longest = span


def _name(span: Span) -> str:
    # Spans may be long, and many: `text` is built only for the tokens that are shown.
    return f"{span.label_} {_short(span[:21].text)}".lstrip()


def _short(text: str) -> str:
    return repr(shortened(text, 20))
