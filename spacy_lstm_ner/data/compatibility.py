"""Mismatches between data and pipeline that do not stop training but spoil its result.

Both `check` and `LSTMEntityRecognizer.initialize` report them.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.util import resolve_dot_names

from ..util.text import escaped
from .nesting import annotated_spans
from .soft_targets import soft_labels

# Han and kana: scripts in which words are not separated by spaces.
_UNSPACED = "[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_JOINED = re.compile(f"{_UNSPACED}(?={_UNSPACED})")
_SPACED = re.compile(f"{_UNSPACED} (?={_UNSPACED})")
_LETTERS = re.compile("[A-Za-zÀ-ɏ]+")
# Minimum share of adjacent characters with a space between them. Running text has few,
# and a corpus of space-separated words has about a half.
_MIN_SPACED = 0.2
# A run of letters that is longer than any word, and the minimum share of such letters.
_LONG_RUN, _MIN_LONG_RUNS = 30, 0.3
# Minimum number of characters or letters for a reliable share.
_MIN_COUNT = 50
_MIN_SPLIT = 0.5
_MIN_MISALIGNED = 0.02
#: Number of examples to check if the labels are given, so that not all are read.
SAMPLE = 1000

UNKNOWN_LABEL = "label unknown to the component"
#: The consequence of each kind of mismatch, and what to do about it.
ADVICE: dict[str, str] = {
    "spaces between characters": (
        "texts at prediction time have none, so fewer entities are found in them. "
        "Doc(vocab, words=...) and `spacy convert` insert the spaces: convert the "
        "original files with `python -m spacy lstm-ner convert`, or create the Docs "
        "with Doc(vocab, words=words, spaces=[False] * len(words))"
    ),
    "words without spaces between them": (
        "a file of words was read as a file of characters: insert the spaces with "
        "`python -m spacy lstm-ner convert --joiner ' '`, or with "
        'joiner = " " in the settings of the reader'
    ),
    "words split into letters": (
        'with unit = "token" the model reads letters as words: use the tokenizer of '
        'the language of the data, or unit = "char"'
    ),
    "characters joined into tokens": (
        "entities that begin or end inside a token get lost: use the language of the "
        "data, such as zh, whose tokenizer makes a token of each character"
    ),
    "entities not aligned with tokens": (
        'with unit = "token" they count as missing annotation and are not learned, and '
        'with unit = "char" they are only predicted as whole tokens: for characters '
        'set segmenter = "char" in [nlp.tokenizer]'
    ),
    "tokenizer of another language": (
        "set nlp.lang and [nlp.tokenizer] together: without a section "
        "[nlp.tokenizer] the default tokenizer of the language is used"
    ),
    UNKNOWN_LABEL: (
        "training stops at it: set [initialize.after_init] @callbacks = "
        '"spacy-lstm-ner.AddLabels.v1" in the config, or check the spelling'
    ),
}


@dataclass(frozen=True)
class Mismatch:
    """A mismatch between data and pipeline.

    kind: A key of `ADVICE`.
    count: How often it occurs.
    details: The extent of the mismatch, or what does not match.
    """

    kind: str
    count: int
    details: str

    def __str__(self) -> str:
        advice = ADVICE[self.kind]
        return f"{self.kind}: {self.details}. {advice[0].upper()}{advice[1:]}."


@dataclass
class Statistics:
    """Statistics of a data set by which mismatches are detected.

    joined: Number of adjacent Chinese or Japanese characters.
    spaced: Number of such characters with a space between them.
    letters: Number of Latin letters.
    letters_in_long_runs: Number of letters in runs longer than a word.
    split_letters: Number of letters that end a token before another letter.
    entities: Number of entities.
    misaligned: Number of entities that are not aligned with tokens.
    labels: Number of entities by label.
    """

    joined: int = 0
    spaced: int = 0
    letters: int = 0
    letters_in_long_runs: int = 0
    split_letters: int = 0
    entities: int = 0
    misaligned: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example, spans_key: str | None = None) -> None:
        """Count an example: the text of the predicted Doc, and the annotation of the
        reference.

        spans_key: The span group with the annotation. None: it is in ``doc.ents``.
        """
        doc, reference = example.predicted, example.reference
        text = doc.text
        self.joined += len(_JOINED.findall(text))
        self.spaced += len(_SPACED.findall(text))
        runs = [match.span() for match in _LETTERS.finditer(text)]
        self.letters += sum(end - start for start, end in runs)
        self.letters_in_long_runs += sum(
            end - start for start, end in runs if end - start > _LONG_RUN
        )
        if runs:
            starts = {token.idx for token in doc}
            self.split_letters += sum(
                sum(i + 1 in starts for i in range(start, end - 1))
                for start, end in runs
            )
        ents = annotated_spans(reference, spans_key)
        self.entities += len(ents)
        self.labels.update(ent.label_ for ent in ents)
        # Labels without a certain entity.
        self.labels.update(dict.fromkeys(soft_labels(reference), 0))
        if ents and text == reference.text:
            starts = {token.idx for token in doc}
            ends = {token.idx + len(token) for token in doc}
            self.misaligned += sum(
                ent.start_char not in starts or ent.end_char not in ends for ent in ents
            )


def find_mismatches(
    statistics: Statistics, nlp: Language | None = None, *, unit: str | None = None
) -> Iterator[Mismatch]:
    """Find the mismatches between data and pipeline.

    statistics: Statistics of the data.
    nlp: The pipeline, to check its tokenizer.
    unit: The unit of the component, "char" or "token", if it is known.
    YIELDS: Each mismatch.
    """
    neighbors = statistics.joined + statistics.spaced
    if statistics.spaced >= _MIN_COUNT and statistics.spaced > _MIN_SPACED * neighbors:
        share = statistics.spaced / neighbors
        details = f"in {share:.0%} of all pairs of adjacent characters"
        yield Mismatch("spaces between characters", statistics.spaced, details)
    long_runs = statistics.letters_in_long_runs
    if long_runs > max(_MIN_COUNT, _MIN_LONG_RUNS * statistics.letters):
        share = long_runs / statistics.letters
        details = f"{share:.0%} of all letters are in words longer than {_LONG_RUN}"
        yield Mismatch("words without spaces between them", long_runs, details)
    n_split = statistics.split_letters
    if unit == "token" and n_split > max(_MIN_COUNT, _MIN_SPLIT * statistics.letters):
        share = n_split / statistics.letters
        details = f"{share:.0%} of all letters end a token inside a word"
        yield Mismatch("words split into letters", n_split, details)
    if statistics.misaligned > _MIN_MISALIGNED * statistics.entities:
        details = f"{statistics.misaligned:,} of {statistics.entities:,}"
        yield Mismatch(
            "entities not aligned with tokens", statistics.misaligned, details
        )
    if nlp is not None and (found := _foreign_tokenizer(nlp)):
        details = f'lang = "{nlp.lang}" with {found}'
        yield Mismatch("tokenizer of another language", 1, details)


def _foreign_tokenizer(nlp: Language) -> str | None:
    """Return the name of the tokenizer of a pipeline if it is spaCy's tokenizer of
    another language, else None."""
    own, found = (
        config["nlp"]["tokenizer"]["@tokenizers"]
        for config in (type(nlp).default_config, nlp.config)
    )
    is_spacys = found.startswith("spacy.") and own.startswith("spacy.")
    return found if is_spacys and found != own else None


def compute_statistics(
    get_examples: Callable[[], Iterable[Example]],
    *,
    limit: int | None = None,
    spans_key: str | None = None,
) -> Statistics:
    """Compute the statistics of examples.

    get_examples: Returns the examples.
    limit: Use only the first `limit` examples. None: all.
    spans_key: The span group with the annotation. None: it is in ``doc.ents``.
    RETURNS: The statistics.
    """
    statistics = Statistics()
    for example in islice(get_examples(), limit):
        statistics.add(example, spans_key)
    return statistics


def unknown_labels(labels: Iterable[str], known: Iterable[str]) -> list[str]:
    """RETURNS (list[str]): The labels that are not known, sorted."""
    return sorted(set(labels).difference(known))


def how_to_add_labels(name: str, unknown: Iterable[str]) -> str:
    """Return an error message for labels that a trained component does not know.

    name: The name of the component.
    unknown: The labels.
    RETURNS: The message, which says how to add them.
    """
    listed = ", ".join(escaped(label) for label in unknown)
    return (
        f"[{name}] The training data has labels that this trained component does not "
        f"know: {listed}. To add them when training begins, set in the config:\n\n"
        f'[initialize.after_init]\n@callbacks = "spacy-lstm-ner.AddLabels.v1"\n\n'
        f"or call nlp.get_pipe({name!r}).add_label(...) before training in Python. To "
        f"check the spelling, run: python -m spacy lstm-ner check --model"
    )


#: The factories of the components.
FLAT_FACTORY, NESTED_FACTORY = "lstm_ner", "lstm_nested_ner"


def all_recognizers(
    nlp: Language, factories: Sequence[str] = (FLAT_FACTORY, NESTED_FACTORY)
) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): All `lstm_ner` and `lstm_nested_ner` components by
    name, including disabled ones."""
    return {
        name: pipe
        for name, pipe in nlp.components
        if nlp.get_pipe_meta(name).factory in factories
    }


def annotation_key(nlp: Language, name: str) -> str | None:
    """The span group that a component learns from. None: it learns from
    ``doc.ents``."""
    pipe: Any = nlp.get_pipe(name)
    is_flat = nlp.get_pipe_meta(name).factory == FLAT_FACTORY
    return None if is_flat else pipe.spans_key


def loaded_recognizers(nlp: Language) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): The components of `all_recognizers` that have labels
    and have not been initialized since they were loaded."""
    return {
        name: pipe
        for name, pipe in all_recognizers(nlp).items()
        if pipe.labels and not pipe.is_fresh
    }


def training_labels(nlp: Language, spans_key: str | None = None) -> Counter[str]:
    """Return the labels of the training corpus in the config of a pipeline.

    nlp: The pipeline.
    spans_key: The span group with the annotation. None: it is in ``doc.ents``.
    RETURNS: Number of entities by label; empty if the corpus cannot be opened. In a
        saved pipeline, which can be trained without its config, the paths are no longer
        set.
    """
    config = nlp.config.interpolate()
    try:
        (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
    # spaCy's E913, or our `DataError`: the path of the corpus is null.
    except ValueError:
        return Counter()
    return Counter(
        span.label_
        for eg in corpus(nlp)
        for span in annotated_spans(eg.reference, spans_key)
    )


def check_labels(nlp: Language) -> None:
    """Check the labels of the training corpus when training begins.

    nlp: The pipeline, with the training config.
    RAISES (ValueError): If a component that was trained before, and is trained further,
        does not know a label of the training corpus: training would stop at the first
        text that has it.
    """
    frozen = nlp.config["training"].get("frozen_components") or ()
    found = {
        name: pipe
        for name, pipe in loaded_recognizers(nlp).items()
        if name not in frozen
    }
    if not found:
        return
    try:
        keys = {annotation_key(nlp, name) for name in found}
        by_key = {key: training_labels(nlp, key) for key in keys}
    except Exception:
        # Training reports problems with its corpus itself; and a logger can also be
        # used by code that does not read the data from this corpus.
        return
    for name, pipe in found.items():
        labels = by_key[annotation_key(nlp, name)]
        if unknown := unknown_labels(labels, pipe.labels):
            raise ValueError(how_to_add_labels(name, unknown))


def add_labels(
    component: str | None = None, labels: list[str] | None = None
) -> Callable[[Language], Language]:
    """Create a callback for `[initialize.after_init]` that adds labels to components
    `lstm_ner` and `lstm_nested_ner` that were trained before (`source`), so that they
    can be trained further on data with new labels. Registered as
    `spacy-lstm-ner.AddLabels.v1`.

    component: The name of the component. None: all of them.
    labels: The labels. None: the labels of the training corpus.
    RETURNS: The callback, which spaCy calls with the pipeline.
    RAISES (ValueError): From the callback, if there is no component of this name.
    """

    def callback(nlp: Language) -> Language:
        found = loaded_recognizers(nlp)
        if component is not None:
            if component not in nlp.component_names:
                raise ValueError(
                    f"spacy-lstm-ner.AddLabels.v1: no component {component!r} in the "
                    f"pipeline, which has {', '.join(nlp.component_names)}."
                )
            found = {n: pipe for n, pipe in found.items() if n == component}
        for name, pipe in found.items():
            new = labels
            if new is None:
                new = sorted(training_labels(nlp, annotation_key(nlp, name)))
            for label in new:
                pipe.add_label(label)
        return nlp

    return callback
