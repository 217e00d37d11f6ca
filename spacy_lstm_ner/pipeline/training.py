"""Losses: of gold annotation and soft targets, and of rehearsal."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model
from thinc.types import Floats1d, Floats2d, Ints1d

from ..data.compatibility import unknown_labels
from ..data.gold_and_silver import get_weight
from ..data.soft_targets import (
    SoftTargets,
    get_soft_targets,
    has_soft_targets,
    soft_labels,
)
from ..layers.crf_loss import (
    crf_cross_entropy,
    crf_divergence,
    crf_loss,
    softmax_cross_entropy,
    softmax_loss,
)
from ..model.units import MISSING, in_characters
from ..tags import Span, TagSet
from ..util.text import escaped
from .batch import Batch, whole_docs
from .incorrect_spans import exclude_spans
from .soft_targets import soft_paths
from .state import State


def gold_loss(
    name: str,
    model: Model,
    state: State,
    examples: list[Example],
    scores: list[Floats2d],
    incorrect_spans_key: str | None,
) -> tuple[float, list[Floats2d]]:
    """The negative log-likelihood of the gold annotation, or the cross-entropy of soft
    targets, see `LSTMEntityRecognizer.get_loss`."""
    is_soft = [has_soft_targets(eg.reference) for eg in examples]
    if not any(is_soft):
        return _annotation_loss(
            name, model, state, examples, scores, incorrect_spans_key
        )
    if all(is_soft):
        return _soft_loss(name, model, state, examples, scores)
    total, d_scores = 0.0, list(scores)
    for soft in (False, True):
        chosen = [i for i, value in enumerate(is_soft) if value == soft]
        some = [examples[i] for i in chosen]
        loss, gradients = gold_loss(
            name, model, state, some, [scores[i] for i in chosen], incorrect_spans_key
        )
        total += loss
        for i, gradient in zip(chosen, gradients, strict=True):
            d_scores[i] = gradient
    return total, d_scores


def _annotation_loss(
    name: str,
    model: Model,
    state: State,
    examples: list[Example],
    scores: list[Floats2d],
    incorrect_spans_key: str | None,
) -> tuple[float, list[Floats2d]]:
    docs = [eg.predicted for eg in examples]
    batch = whole_docs(name, model, state, docs, scores)
    allowed = _allowed_tags(name, state, examples)
    incorrect = batch.join_spans(
        _incorrect_spans(name, state, eg, incorrect_spans_key) for eg in examples
    )
    weights = weights_of(examples)
    crf, tags = model.get_ref("crf"), state.tags
    with name_batch(name, batch):
        if incorrect:
            annotation = exclude_spans(tags, allowed, incorrect)
            loss, d_scores = crf_loss(
                crf, batch.emissions, annotation, tags.constraints, weights
            )
        elif crf.attrs["learned"]:
            loss, d_scores = crf_loss(
                crf, batch.emissions, allowed, tags.constraints, weights
            )
        else:
            loss, d_scores = softmax_loss(batch.emissions, allowed, weights)
    return loss, batch.split(d_scores)


def _soft_loss(
    name: str,
    model: Model,
    state: State,
    examples: list[Example],
    scores: list[Floats2d],
) -> tuple[float, list[Floats2d]]:
    docs = [eg.predicted for eg in examples]
    batch = whole_docs(name, model, state, docs, scores)
    weights = weights_of(examples)
    crf, tags = model.get_ref("crf"), state.tags
    with name_batch(name, batch):
        targets = soft_paths(tags, _soft_targets(state, examples))
        if crf.attrs["learned"]:
            loss, d_scores = crf_cross_entropy(
                crf, batch.emissions, targets, tags.constraints, weights
            )
        else:
            loss, d_scores = softmax_cross_entropy(
                batch.emissions, targets.tags, weights
            )
    return loss, batch.split(d_scores)


def weights_of(examples: list[Example]) -> Floats1d | None:
    """(B,) the weights of examples; None if all are 1."""
    weights = [get_weight(eg.reference) for eg in examples]
    return None if all(weight == 1 for weight in weights) else np.array(weights)


def _soft_targets(state: State, examples: list[Example]) -> Iterator[SoftTargets]:
    """Yield the soft targets of examples.

    RAISES (ValueError): If they are not those of the units and the labels of the
        component, or of the text.
    """
    for example in examples:
        reference = example.reference
        if state.unit != "char":
            raise ValueError(
                f'Soft targets are for characters, and unit = "{state.unit}": set unit '
                f'= "char", or write the data without them (lstm-ner distill --hard).'
            )
        if example.predicted.text != reference.text:
            raise ValueError(
                f"The tokenizer of the pipeline has changed a text with soft targets: "
                f"{reference.text[:40]!r} became {example.predicted.text[:40]!r}."
            )
        if unknown := unknown_labels(soft_labels(reference), state.labels):
            raise ValueError(
                f"The label {escaped(unknown[0])!r} of soft targets is not among the "
                f"labels of the component: {escaped(', '.join(state.labels))}."
            )
        yield get_soft_targets(reference)


def rehearsal_loss(
    name: str,
    model: Model,
    old_model: Model,
    state: State,
    docs: list[Doc],
    scores: list[Floats2d],
) -> tuple[float, list[Floats2d]]:
    """The divergence of a model from what it was, see `LSTMEntityRecognizer.rehearse`.

    RETURNS: The loss, and its gradient with respect to the scores.
    """
    batch = whole_docs(name, model, state, docs, scores)
    old = whole_docs(name, old_model, state, docs, old_model.predict(docs))
    crf, old_crf = model.get_ref("crf"), old_model.get_ref("crf")
    with name_batch(name, batch):
        loss, d_scores = crf_divergence(
            crf, batch.emissions, old_crf, old.emissions, state.tags.constraints
        )
    return loss, batch.split(d_scores)


@contextmanager
def name_batch(name: str, batch: Batch) -> Iterator[None]:
    """Add to an error in which texts it occurred."""
    try:
        yield
    except ValueError as error:
        docs = batch.docs
        texts = ", ".join(repr(doc.text[:40]) for doc in docs[:3])
        raise ValueError(
            f"[{name}] {error} This occurred in a batch of {len(docs)} texts that "
            f"begin with: {texts}{', …' * (len(docs) > 3)}"
        ) from None


def _allowed_tags(name: str, state: State, examples: Iterable[Example]) -> np.ndarray:
    """(N, T) bool: the tags that agree with the gold annotation. All do where there is
    none: the loss marginalizes over them."""
    ids = np.concatenate([_gold_tags(name, state, eg) for eg in examples])
    return allowed_tags(state.tags, ids)


def allowed_tags(tags: TagSet, ids: Ints1d) -> np.ndarray:
    """The tags that agree with gold tags.

    ids: (N,) the ids of the gold tags; `MISSING` where all tags agree.
    RETURNS: (N, T) bool.
    """
    allowed: np.ndarray = np.equal.outer(ids, np.arange(len(tags)))
    allowed[ids == MISSING] = True
    # An entity ends at its last unit, even if the next one has no annotation.
    lasts = np.flatnonzero((ids[:-1] > 0) & (ids[1:] == MISSING))
    allowed[lasts + 1, tags.inside(ids[lasts])] = False
    return allowed


def _gold_tags(name: str, state: State, example: Example) -> Ints1d:
    try:
        return state.units.gold_tags(example, state.tags)
    except KeyError as error:
        raise unknown_label(name, error.args[0], state) from None


def unknown_label(name: str, label: str, state: State) -> ValueError:
    """The error for a gold entity with a label that the component does not have, to be
    raised."""
    return ValueError(
        f"[{name}] The label {label!r} of a gold entity is not among the labels of "
        f"the component: {escaped(', '.join(state.labels))}. Call add_label, or "
        f"initialize with examples of it; in a config, set "
        f'@callbacks = "spacy-lstm-ner.AddLabels.v1" in [initialize.after_init].'
    )


def _incorrect_spans(
    name: str, state: State, example: Example, key: str | None
) -> list[Span]:
    """The spans that are known not to be entities, in units. Those with a label that
    the component does not have are left out: it cannot predict them."""
    if key is None or key not in example.reference.spans:
        return []
    units = state.units
    incorrect = units.aligned_spans(example, list(example.reference.spans[key]))
    gold = units.aligned_spans(example, list(example.reference.ents))
    both = set(gold).intersection(incorrect)
    for start, end, label in in_characters(units, example.predicted, both):
        raise ValueError(
            f"[{name}] {example.predicted.text[start:end]!r} is {label} in doc.ents, "
            f'and also marked as incorrect in doc.spans["{key}"]: remove it from one '
            f"of them."
        )
    return [s for s in incorrect if s.label in state.labels and s.start < s.end]
