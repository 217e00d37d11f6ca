"""Token-level figures beside spaCy's entity figures."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from spacy.scorer import get_ner_prf
from spacy.training import Example

from .tagging import OUTSIDE


def ner_score(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Score entities as spaCy's `ner` does, and BIO tags token by token.

    The tags of all tokens that have a gold annotation are compared. The macro figures
    are means over all tags that the gold or the predicted tokens have, "O" included,
    each tag counting the same.

    examples (Iterable[Example]): The examples to score.
    RETURNS (dict[str, Any]): ents_p, ents_r, ents_f, ents_per_type, and bio_acc,
        bio_macro_p, bio_macro_r, bio_macro_f; each None where nothing is annotated.
    """
    examples = list(examples)
    return {**get_ner_prf(examples), **score_bio_tags(examples)}


def score_bio_tags(examples: Iterable[Example]) -> dict[str, float | None]:
    """Accuracy and macro figures over the BIO tags of tokens: see `ner_score`."""
    pairs: Counter[tuple[str, str]] = Counter()
    for example in examples:
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


def make_ner_scorer():
    """`spacy-lstm-ner.ner_scorer.v1`: `ner_score`."""
    return ner_score


def _bio(biluo_tag: str) -> str:
    """spaCy's BILUO tag as a BIO tag."""
    prefix, _, label = biluo_tag.partition("-")
    return f"{ {'U': 'B', 'L': 'I'}.get(prefix, prefix) }-{label}" if label else OUTSIDE
