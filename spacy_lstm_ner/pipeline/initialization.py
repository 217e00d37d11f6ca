"""Labels and sizes of the model, from examples."""

import warnings
from collections.abc import Callable, Iterable
from itertools import islice
from numbers import Integral
from typing import Any

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from ..data.compatibility import (
    SAMPLE,
    compute_statistics,
    find_mismatches,
    unknown_labels,
)
from ..data.words import WordTable
from ..layers.jieba_tagger import REQUIREMENT, SOURCE
from ..layers.lexicon import set_lexicon
from ..layers.word_table import set_word_table
from ..model.units import Units, reads_characters
from ..model.words import word_symbols
from ..util.text import escaped
from .batch import check_rows
from .settings import is_text
from .state import State

# Number of documents that size the model.
_N_DOCS = 10
GetExamples = Callable[[], Iterable[Example]]


def checked_label(name: str, label: Any) -> str:
    """RETURNS (str): The label.
    RAISES (ValueError): If it is not a string, is empty, or cannot be saved.
    """
    if not isinstance(label, str) or not label:
        raise ValueError(Errors.E187)
    if not is_text(label):
        raise ValueError(
            f"[{name}] The label {label!r} contains half of a surrogate pair, which "
            f"cannot be saved: rename it."
        )
    return label


def check_pretraining(name: str, pretrain_steps: Any, raw_text: Any) -> None:
    """RAISES (ValueError): For settings of the pretraining that are invalid or do not
    go together."""
    if not isinstance(pretrain_steps, Integral) or pretrain_steps < 0:
        raise ValueError(
            f"[{name}] pretrain_steps = {pretrain_steps}: set it to a whole number, 0 "
            f"(no pretraining) or more."
        )
    if raw_text is not None and not pretrain_steps:
        raise ValueError(
            f"[{name}] raw_text is set, but pretrain_steps = 0: set it to 3000, or "
            f"more for much text."
        )


def find_labels(
    name: str,
    state: State,
    get_examples: GetExamples,
    nlp: Language | None,
    labels: list[str] | None,
    spans_key: str | None = None,
) -> list[str]:
    """Find the labels, and warn of data that does not fit the pipeline.

    labels: The labels, if they are given.
    spans_key: The span group with the annotation. None: it is in ``doc.ents``.
    RETURNS: Those that are given, or else those of the examples.
    RAISES (ValueError): If they are not labels, or the examples have others.
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable | None):
        raise ValueError(f"[{name}] labels = {labels!r:.80} is not a list of labels.")
    limit = None if labels is None else SAMPLE
    counted = compute_statistics(get_examples, limit=limit, spans_key=spans_key)
    for mismatch in find_mismatches(counted, nlp, unit=state.unit):
        warnings.warn(f"[{name}] {mismatch}", stacklevel=3)
    if labels is None:
        labels = sorted(counted.labels)
    elif unknown := unknown_labels(counted.labels, {*labels, *state.labels}):
        raise ValueError(
            f"[{name}] The examples have labels that are not among those given: "
            f"{', '.join(map(escaped, unknown))}. Create the file of labels again: "
            f"python -m spacy init labels"
        )
    return [checked_label(name, label) for label in labels]


def sample_docs(
    name: str, model: Model, units: Units, examples: Iterable[Example]
) -> list[Doc]:
    """Ten documents to size the model; and, if the model has a vocabulary of
    characters, all others that add a character to it.

    RAISES (ValueError): If no document has any text.
    """
    docs = (eg.predicted for eg in examples if units.count(eg.predicted))
    found = list(islice(docs, _N_DOCS))
    if any("characters" in node.attrs for node in model.walk()):
        seen = {char for doc in found for char in doc.text}
        for doc in docs:
            if not seen.issuperset(doc.text):
                seen.update(doc.text)
                found.append(doc)
    if not found:
        raise ValueError(Errors.E923.format(name=name))
    return found


def initialize_lexicon(
    name: str,
    model: Model,
    lexicon: dict[str, dict[str, float]] | None,
    nlp: Language | None,
) -> None:
    """Give the lexicon to the layers of the model that read one: of its characters, or
    of its tokens, into which the pipeline splits each word of the lexicon.

    RAISES (ValueError): If there is a lexicon and no such layer.
    """
    if lexicon is None:
        return
    readers = [node for node in model.walk() if node.name == "lexicon_embed"]
    if not readers:
        raise ValueError(
            f"[{name}] A lexicon is set, but the model does not read one: set "
            f"lexicon_width in its embedding, for example to 32."
        )
    for reader in readers:
        if reads_characters(model):
            set_lexicon(reader, lexicon)
        else:
            set_lexicon(reader, _symbols(lexicon, nlp), shortest=1)


def _symbols(
    lexicon: dict[str, dict[str, float]], nlp: Language | None
) -> dict[str, dict[tuple[int, ...], float]]:
    """Split the words of a lexicon into tokens. Of words that differ in case only, the
    frequencies are added."""
    found: dict[str, dict[tuple[int, ...], float]] = {}
    for kind, words in lexicon.items():
        counts = found.setdefault(kind, {})
        for word, frequency in words.items():
            tokens = [token.text for token in nlp.make_doc(word)] if nlp else [word]
            key = word_symbols([token for token in tokens if not token.isspace()])
            counts[key] = counts.get(key, 0.0) + frequency
    return found


def initialize_words(name: str, model: Model, words: WordTable | None) -> None:
    """Give a table of words to the layers of the model that read one.

    RAISES (ValueError): If there is a table and no such layer.
    """
    if words is None:
        return
    readers = [node for node in model.walk() if node.name == "word_table_embed"]
    if not readers:
        raise ValueError(
            f"[{name}] A table of words is set, but the model does not read one: use "
            f"the embedding spacy-lstm-ner.WordEmbed.v1."
        )
    for reader in readers:
        set_word_table(reader, words.hashes, words.clusters, words.log_probs)


def add_requirements(nlp: Language, model: Model) -> None:
    """Note in the meta of a pipeline what a model needs that is not saved with it:
    `spacy package` makes it a requirement of the package."""
    if not any(node.name == "jieba_tagger_embed" for node in model.walk()):
        return
    requirements = list(nlp.meta.get("requirements") or [])
    if REQUIREMENT not in requirements:
        nlp.meta["requirements"] = [*requirements, REQUIREMENT]
    sources = list(nlp.meta.get("sources") or [])
    if SOURCE not in sources:
        nlp.meta["sources"] = [*sources, SOURCE]


def initialize_model(name: str, model: Model, state: State, docs: list[Doc]) -> None:
    """Initialize the weights.

    docs: Documents to infer sizes from.
    RAISES (ValueError): If the model has a wrong number of tags, or does not give one
        row per unit.
    """
    width = state.n_tags
    lengths = [state.units.count(doc) for doc in docs]
    model.initialize(X=docs, Y=[model.ops.alloc2f(length, width) for length in lengths])
    nO = model.get_ref("crf").get_dim("nO")
    if nO != width:
        raise ValueError(
            f"[{name}] The model has nO = {nO}, but {len(state.labels)} labels give "
            f"{width} tags: remove nO from the config (null)."
        )
    check_rows(name, state, model.predict(docs), lengths)
