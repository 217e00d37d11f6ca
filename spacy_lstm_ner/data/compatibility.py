"""Does the data fit the pipeline? What trains without an error, and is wrong.

`check` and `LSTMEntityRecognizer.initialize` both look at this.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.training import Example
from spacy.util import resolve_dot_names

from ..util.text import escaped

# Han and kana: writing in which words follow each other without blanks.
_UNSPACED = "[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_JOINED = re.compile(f"{_UNSPACED}(?={_UNSPACED})")
_SPACED = re.compile(f"{_UNSPACED} (?={_UNSPACED})")
_LETTERS = re.compile("[A-Za-zÀ-ɏ]+")
# Of all neighbours, so many with a blank between are more than running text has: it has
# few, and a corpus of words about a half.
_SHARE_SPACED = 0.2
# Longer than any word; and so many letters must be there to judge by.
_LONG_RUN, _SHARE_RUNS = 30, 0.3
_ENOUGH = 50
_SHARE_CUT = 0.5
_SHARE_MISFITS = 0.02
# So many examples are looked at where labels are given, and reading all is not needed.
SAMPLE = 1000

UNKNOWN_LABEL = "label that the component does not know"
#: What each kind means, and what to do about it.
MEANING: dict[str, str] = {
    "blanks between characters": (
        "texts that the pipeline will read have none, and it finds less in them. "
        "Doc(vocab, words=...) and `spacy convert` put them there: convert the "
        "original files with `python -m spacy lstm-ner convert`, or make the Docs with "
        "Doc(vocab, words=words, spaces=[False] * len(words))"
    ),
    "words without blanks between them": (
        "a file of words was read as one of characters: put them back with "
        "`python -m spacy lstm-ner convert --joiner ' '`, or the setting "
        'joiner = " " of the reader'
    ),
    "words cut into letters": (
        'with unit = "token" the model reads letters as if they were words: take the '
        'tokenizer of the language of the data, or unit = "char"'
    ),
    "entities that fit no tokens": (
        'with unit = "token" they count as missing annotation and are not learned, and '
        'with unit = "char" they are only found as whole tokens: for characters set '
        'segmenter = "char" in [nlp.tokenizer]'
    ),
    "tokenizer of another language": (
        "set nlp.lang and [nlp.tokenizer] together: without a section "
        "[nlp.tokenizer] a language has its own"
    ),
    UNKNOWN_LABEL: (
        "training stops there: set in the config [initialize.after_init] @callbacks = "
        '"spacy-lstm-ner.AddLabels.v1", or check the spelling'
    ),
}


class Misfit(NamedTuple):
    """One way in which data and pipeline do not fit. `kind` is a key of `MEANING`."""

    kind: str
    number: int
    #: How many, of what; or which.
    what: str

    def __str__(self) -> str:
        meaning = MEANING[self.kind]
        return f"{self.kind}: {self.what}. {meaning[0].upper()}{meaning[1:]}."


@dataclass
class Statistics:
    """What tells whether data fits, counted example by example."""

    joined: int = 0
    spaced: int = 0
    letters: int = 0
    letters_in_long_runs: int = 0
    #: Letters that are a token each, with another letter right after.
    cut_letters: int = 0
    entities: int = 0
    misfits: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example) -> None:
        """Take in an example: the text that the pipeline reads, and the annotation."""
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
            self.cut_letters += sum(
                sum(i + 1 in starts for i in range(start, end - 1))
                for start, end in runs
            )
        ents = reference.ents
        self.entities += len(ents)
        self.labels.update(ent.label_ for ent in ents)
        if ents and text == reference.text:
            starts = {token.idx for token in doc}
            ends = {token.idx + len(token) for token in doc}
            self.misfits += sum(
                ent.start_char not in starts or ent.end_char not in ends for ent in ents
            )


def misfits(
    counted: Statistics, nlp: Language | None = None, *, unit: str | None = None
) -> Iterator[Misfit]:
    """Tell in which ways data and pipeline do not fit.

    counted (Statistics): What the data is like.
    nlp (Language | None): The pipeline, to look at its tokenizer.
    unit (str | None): What the component reads, if that is known.
    YIELDS (Misfit): Each way.
    """
    neighbours = counted.joined + counted.spaced
    if counted.spaced >= _ENOUGH and counted.spaced > _SHARE_SPACED * neighbours:
        share = counted.spaced / neighbours
        what = f"after {share:.0%} of those that another one follows"
        yield Misfit("blanks between characters", counted.spaced, what)
    long_runs = counted.letters_in_long_runs
    if long_runs > max(_ENOUGH, _SHARE_RUNS * counted.letters):
        share = long_runs / counted.letters
        what = f"{share:.0%} of all letters are in words of more than {_LONG_RUN}"
        yield Misfit("words without blanks between them", long_runs, what)
    cut = counted.cut_letters
    if unit == "token" and cut > max(_ENOUGH, _SHARE_CUT * counted.letters):
        what = f"after {cut / counted.letters:.0%} of all letters there is an end"
        yield Misfit("words cut into letters", cut, what)
    if counted.misfits > _SHARE_MISFITS * counted.entities:
        what = f"{counted.misfits:,} of {counted.entities:,}"
        yield Misfit("entities that fit no tokens", counted.misfits, what)
    if nlp is not None and (found := _foreign_tokenizer(nlp)):
        what = f'lang = "{nlp.lang}" with {found}'
        yield Misfit("tokenizer of another language", 1, what)


def _foreign_tokenizer(nlp: Language) -> str | None:
    """The tokenizer of a pipeline, if it is spaCy's for another language."""
    own, found = (
        config["nlp"]["tokenizer"]["@tokenizers"]
        for config in (type(nlp).default_config, nlp.config)
    )
    is_spacys = found.startswith("spacy.") and own.startswith("spacy.")
    return found if is_spacys and found != own else None


def sample(
    get_examples: Callable[[], Iterable[Example]], *, limit: int | None = None
) -> Statistics:
    """RETURNS (Statistics): Those of the examples, or of the first ones."""
    counted = Statistics()
    for example in islice(get_examples(), limit):
        counted.add(example)
    return counted


def unknown_labels(labels: Iterable[str], known: Iterable[str]) -> list[str]:
    """RETURNS (list[str]): The labels that a component does not know, in order."""
    return sorted(set(labels).difference(known))


def how_to_add_labels(name: str, unknown: Iterable[str]) -> str:
    """What to do where a trained component does not know the labels of the data."""
    listed = ", ".join(escaped(label) for label in unknown)
    return (
        f"[{name}] The training data has labels that this trained component does not "
        f"know: {listed}. Let them be added when training begins, in the config:\n\n"
        f'[initialize.after_init]\n@callbacks = "spacy-lstm-ner.AddLabels.v1"\n\n'
        f"or in Python, before training: nlp.get_pipe({name!r}).add_label(...). Or "
        f"check the spelling: python -m spacy lstm-ner check --model"
    )


def all_recognizers(nlp: Language) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): The components `lstm_ner` by their names, those that
    are disabled among them."""
    return {
        name: pipe
        for name, pipe in nlp.components
        if nlp.get_pipe_meta(name).factory == "lstm_ner"
    }


def loaded_recognizers(nlp: Language) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): Those that have labels, and were not initialized since
    they were loaded."""
    return {
        name: pipe
        for name, pipe in all_recognizers(nlp).items()
        if pipe.labels and not pipe.is_fresh
    }


def training_labels(nlp: Language) -> Counter[str]:
    """The labels of the training corpus that the config of a pipeline names."""
    config = nlp.config.interpolate()
    (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
    return Counter(ent.label_ for eg in corpus(nlp) for ent in eg.reference.ents)


def check_labels(nlp: Language) -> None:
    """Called when training begins.

    nlp (Language): The pipeline, with the config of the training.
    RAISES (ValueError): Where the training corpus has labels that a component does not
        know which was trained before, and goes on training: it would stop at the first
        text that has one.
    """
    frozen = nlp.config["training"].get("frozen_components") or ()
    found = {
        name: pipe
        for name, pipe in loaded_recognizers(nlp).items()
        if name not in frozen
    }
    if not found:
        return
    labels = training_labels(nlp)
    for name, pipe in found.items():
        if unknown := unknown_labels(labels, pipe.labels):
            raise ValueError(how_to_add_labels(name, unknown))


def add_labels(
    component: str | None = None, labels: list[str] | None = None
) -> Callable[[Language], Language]:
    """`spacy-lstm-ner.AddLabels.v1`, for `[initialize.after_init]`: adds labels to
    components `lstm_ner` that were trained before (`source`), to go on training with
    data that has new ones.

    component (str | None): The name of the component. None: all of them.
    labels (list[str] | None): The labels. None: those of the training corpus.
    RETURNS (Callable[[Language], Language]): What spaCy calls with the pipeline.
    """

    def callback(nlp: Language) -> Language:
        found = loaded_recognizers(nlp)
        if component is not None:
            if component not in nlp.component_names:
                raise ValueError(
                    f"spacy-lstm-ner.AddLabels.v1: there is no component "
                    f"{component!r}; there are {', '.join(nlp.component_names)}."
                )
            found = {n: pipe for n, pipe in found.items() if n == component}
        if found:
            new = sorted(training_labels(nlp)) if labels is None else labels
            for pipe in found.values():
                for label in new:
                    pipe.add_label(label)
        return nlp

    return callback
