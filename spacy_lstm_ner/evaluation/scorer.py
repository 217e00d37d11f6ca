"""Token-level figures beside spaCy's entity figures; what scores are worth."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from spacy.scorer import get_ner_prf
from spacy.training import Example

from ..model.units import share_labels
from ..pipeline.annotating import entity_scores
from ..tags import OUTSIDE


def ner_score(
    examples: Iterable[Example], *, spans_key: str | None = None, **kwargs: Any
) -> dict[str, Any]:
    """Score entities as spaCy's `ner` does, and BIO tags token by token.

    The tags of all tokens that have a gold annotation are compared. The macro figures
    are means over all tags that the gold or the predicted tokens have, "O" included,
    each tag counting the same.

    examples (Iterable[Example]): The examples to score.
    spans_key (str | None): The span group with the probabilities of the entities.
    RETURNS (dict[str, Any]): ents_p, ents_r, ents_f, ents_per_type, and bio_acc,
        bio_macro_p, bio_macro_r, bio_macro_f; each None where nothing is annotated.
        With a spans_key also ents_ece: see `calibration_error`.
    """
    examples = list(examples)
    scores = {**get_ner_prf(examples), **score_bio_tags(examples)}
    if spans_key is not None:
        scores["ents_ece"] = calibration_error(examples, spans_key)
    return scores


def score_bio_tags(examples: Iterable[Example]) -> dict[str, float | None]:
    """Accuracy and macro figures over the BIO tags of tokens: see `ner_score`."""
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

    def macro(figures: Iterable[float]) -> float:
        return sum(figures) / len(tags)

    # A tag that is never predicted has the precision 0, and so on.
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
    """The expected calibration error (Naeini et al., 2015): how far the probabilities
    of the predicted entities are from the share of them that is right, on average over
    bins of like probability, each bin counting by its entities.

    examples (Iterable[Example]): Examples with predictions.
    spans_key (str): The span group of the predicted entities and their scores.
    bins (int): How many, all as wide.
    RETURNS (float | None): The error, 0 at best and 1 at worst; None where there are no
        predictions on annotated tokens.
    """
    scores: list[float] = []
    is_right: list[bool] = []
    for example in examples:
        doc = example.predicted
        x2y, iob = example.alignment.x2y, example.reference.to_array("ENT_IOB")
        gold = {
            (ent.start_char, ent.end_char, ent.label_) for ent in example.reference.ents
        }
        for ent, score in zip(doc.ents, entity_scores(doc, spans_key), strict=True):
            # What is not annotated there (0), as spaCy's own scorer has it: gold that
            # fits other tokens is annotation, too.
            tokens = x2y[ent.start : ent.end]
            known = len(tokens) and iob[tokens[0] : tokens[-1] + 1].all()
            if known and score is not None:
                scores.append(score)
                is_right.append((ent.start_char, ent.end_char, ent.label_) in gold)
    return expected_error(calibration(scores, is_right, bins=bins))


class Bin(NamedTuple):
    """Predictions of like probability."""

    #: Their probabilities are from here up to there.
    low: float
    high: float
    number: int
    #: Their probabilities, and how many of them are right, on average.
    probability: float
    right: float


def calibration(
    scores: Sequence[float], is_right: Sequence[bool], *, bins: int = 10
) -> list[Bin]:
    """How many predictions of like probability are right.

    scores (Sequence[float]): Their probabilities.
    is_right (Sequence[bool]): Which of them are right.
    bins (int): How many, all as wide.
    RETURNS (list[Bin]): The bins that have predictions, from low to high.
    """
    bin_of = np.minimum((np.array(scores) * bins).astype("int64"), bins - 1)
    number, probability, right = (
        np.bincount(bin_of, weights, minlength=bins)
        for weights in (None, scores, np.array(is_right, dtype="float64"))
    )
    return [
        Bin(i / bins, (i + 1) / bins, int(n), float(p / n), float(r / n))
        for i, (n, p, r) in enumerate(zip(number, probability, right, strict=True))
        if n
    ]


def expected_error(bins: list[Bin]) -> float | None:
    """The expected calibration error of `calibration_error`; None where there are no
    predictions."""
    if not bins:
        return None
    surplus = sum(one.number * abs(one.probability - one.right) for one in bins)
    return surplus / sum(one.number for one in bins)


def make_ner_scorer() -> Callable[..., dict[str, Any]]:
    """`spacy-lstm-ner.ner_scorer.v1`: `ner_score`."""
    return ner_score


def _bio(biluo_tag: str) -> str:
    """spaCy's BILUO tag as a BIO tag."""
    prefix, _, label = biluo_tag.partition("-")
    return f"{ {'U': 'B', 'L': 'I'}.get(prefix, prefix) }-{label}" if label else OUTSIDE
