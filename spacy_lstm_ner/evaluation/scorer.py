"""Scores of entities and of BIO tags, and the calibration error of probabilities."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from spacy.scorer import get_ner_prf
from spacy.training import Example

from ..model.units import share_labels
from ..pipeline import entity_scores
from ..tags import OUTSIDE


def ner_score(
    examples: Iterable[Example], *, spans_key: str | None = None, **kwargs: Any
) -> dict[str, Any]:
    """Score entities, as spaCy's `ner` does, and the BIO tags of tokens.

    Tags are compared for all tokens that have a gold annotation. Macro averages are
    means over all tags that occur in the gold or in the predicted annotation, "O"
    included.

    examples: The examples to score.
    spans_key: The key in `doc.spans` of the probabilities of the entities.
    RETURNS: ents_p, ents_r, ents_f, ents_per_type, bio_acc, bio_macro_p, bio_macro_r
        and bio_macro_f; each is None if nothing is annotated. With a spans_key also
        ents_ece: see `calibration_error`.
    """
    examples = list(examples)
    scores = {**get_ner_prf(examples), **score_bio_tags(examples)}
    if spans_key is not None:
        scores["ents_ece"] = calibration_error(examples, spans_key)
    return scores


def score_bio_tags(examples: Iterable[Example]) -> dict[str, float | None]:
    """Compute the accuracy and the macro averages of the BIO tags of tokens: see
    `ner_score`."""
    pairs: Counter[tuple[str, str]] = Counter()
    for example in examples:
        share_labels(example)
        gold_tags = example.get_aligned_ner()
        for token, gold in zip(example.predicted, gold_tags, strict=True):
            if gold is not None:
                predicted = OUTSIDE
                if token.ent_type:
                    predicted = f"{token.ent_iob_}-{token.ent_type_}"
                pairs[_bio(gold), predicted] += 1
    if not pairs:
        names = ("bio_acc", "bio_macro_p", "bio_macro_r", "bio_macro_f")
        return dict.fromkeys(names)
    gold_count: Counter[str] = Counter()
    predicted_count: Counter[str] = Counter()
    for (gold, predicted), n in pairs.items():
        gold_count[gold] += n
        predicted_count[predicted] += n
    tags = gold_count.keys() | predicted_count.keys()
    correct = {tag: pairs[tag, tag] for tag in tags}
    total = sum(pairs.values())

    def macro(values: Iterable[float]) -> float:
        return sum(values) / len(tags)

    # The precision of a tag that is never predicted is 0, and so is the recall of one
    # that is never annotated.
    return {
        "bio_acc": sum(correct.values()) / total,
        "bio_macro_p": macro(correct[t] / (predicted_count[t] or 1) for t in tags),
        "bio_macro_r": macro(correct[t] / (gold_count[t] or 1) for t in tags),
        "bio_macro_f": macro(
            2 * correct[t] / (predicted_count[t] + gold_count[t]) for t in tags
        ),
    }


def calibration_error(
    examples: Iterable[Example], spans_key: str, *, bins: int = 10
) -> float | None:
    """Compute the expected calibration error (Naeini et al., 2015): the mean difference
    between the probabilities of predicted entities and the fraction of them that is
    correct, over bins of similar probability, weighted by their size.

    examples: Examples with predictions.
    spans_key: The key in `doc.spans` of the predicted entities and their probabilities.
    bins: The number of bins, which have the same width.
    RETURNS: The error, from 0 (best) to 1; None if there are no predictions on
        annotated tokens.
    """
    probabilities: list[float] = []
    is_correct: list[bool] = []
    for example in examples:
        doc = example.predicted
        x2y, iob = example.alignment.x2y, example.reference.to_array("ENT_IOB")
        gold = {
            (ent.start_char, ent.end_char, ent.label_) for ent in example.reference.ents
        }
        for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True):
            # Whether the annotation is missing is decided by the tokens of the
            # reference, as in spaCy's scorer: gold entities that fit other tokens than
            # those of the pipeline are annotation as well.
            tokens = x2y[ent.start : ent.end]
            is_annotated = len(tokens) and iob[tokens[0] : tokens[-1] + 1].all()
            if is_annotated and score is not None:
                probabilities.append(score)
                is_correct.append((ent.start_char, ent.end_char, ent.label_) in gold)
    return expected_calibration_error(
        calibration_curve(probabilities, is_correct, bins=bins)
    )


class CalibrationBin(NamedTuple):
    """Predictions of similar probability."""

    #: The lower and upper limit of their probabilities.
    low: float
    high: float
    #: The number of predictions.
    size: int
    mean_probability: float
    fraction_correct: float


def calibration_curve(
    probabilities: Sequence[float], is_correct: Sequence[bool], *, bins: int = 10
) -> list[CalibrationBin]:
    """Compute the fraction of correct predictions as a function of their probability.

    probabilities: The probabilities of the predictions.
    is_correct: Whether each of them is correct.
    bins: The number of bins, which have the same width.
    RETURNS: The bins that are not empty, in ascending order.
    """
    bin_of = np.minimum((np.array(probabilities) * bins).astype("int64"), bins - 1)
    count, p, correct = (
        np.bincount(bin_of, weights, minlength=bins)
        for weights in (None, probabilities, np.array(is_correct, dtype="float64"))
    )
    return [
        CalibrationBin(i / bins, (i + 1) / bins, int(n), float(s / n), float(c / n))
        for i, (n, s, c) in enumerate(zip(count, p, correct, strict=True))
        if n
    ]


def expected_calibration_error(curve: list[CalibrationBin]) -> float | None:
    """Compute the expected calibration error of a calibration curve: see
    `calibration_error`.

    curve: The bins.
    RETURNS: The error; None if there are no predictions.
    """
    if not curve:
        return None
    total = sum(
        one.size * abs(one.mean_probability - one.fraction_correct) for one in curve
    )
    return total / sum(one.size for one in curve)


def make_ner_scorer() -> Callable[..., dict[str, Any]]:
    """`spacy-lstm-ner.ner_scorer.v1`: return the scorer `ner_score`."""
    return ner_score


def _bio(biluo_tag: str) -> str:
    """Convert a BILUO tag of spaCy to a BIO tag."""
    prefix, _, label = biluo_tag.partition("-")
    return f"{ {'U': 'B', 'L': 'I'}.get(prefix, prefix) }-{label}" if label else OUTSIDE
