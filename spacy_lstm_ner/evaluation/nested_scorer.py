"""Scores of entities that may overlap, and the calibration error of their
probabilities."""

from collections.abc import Callable, Iterable
from typing import Any

from spacy.scorer import PRFScore
from spacy.training import Example

from ..data.nesting import annotated_spans, unknown_tokens
from ..model.units import share_labels
from ..tags import Span
from ..tags.nesting import FLAT, NESTED, OVERLAPPING, kinds_of
from .document_counts import GoldAndPredicted
from .scorer import calibration_curve, expected_calibration_error


def nested_ner_score(
    examples: Iterable[Example], *, spans_key: str = "sc", **kwargs: Any
) -> dict[str, Any]:
    """Score the entities of a span group, as spaCy's `Scorer.score_spans` does for
    `spancat`: an entity is correct if its boundaries and its label are. Predictions on
    tokens without annotation are not counted. In a Doc without the group the gold
    entities are those of ``doc.ents``.

    examples: The examples to score.
    spans_key: The key in `doc.spans` of the gold and the predicted entities.
    RETURNS: spans_{key}_p, spans_{key}_r, spans_{key}_f and spans_{key}_per_type; each
        is None if nothing is annotated. spans_{key}_by_kind has the same for "flat",
        "nested" and "overlapping" entities, see `score_by_kind`, and spans_{key}_ece is
        the expected calibration error, see `calibration_error` in scorer.py.
    """
    examples = list(examples)
    documents = aligned_spans(examples, spans_key)
    name = f"spans_{spans_key}"
    ece = _calibration_error(examples, spans_key)
    if documents is None:
        keys = ("p", "r", "f", "per_type", "by_kind")
        return {**{f"{name}_{key}": None for key in keys}, f"{name}_ece": ece}
    total = PRFScore()
    per_type: dict[str, PRFScore] = {}
    for gold, predicted in documents:
        total.score_set(set(predicted), set(gold))
        for label in sorted({span.label for span in (*gold, *predicted)}):
            per_type.setdefault(label, PRFScore()).score_set(
                {span for span in predicted if span.label == label},
                {span for span in gold if span.label == label},
            )
    return {
        f"{name}_p": total.precision,
        f"{name}_r": total.recall,
        f"{name}_f": total.fscore,
        f"{name}_per_type": {k: v.to_dict() for k, v in per_type.items()},
        f"{name}_by_kind": score_by_kind(documents),
        f"{name}_ece": ece,
    }


def aligned_spans(
    examples: Iterable[Example], spans_key: str
) -> list[GoldAndPredicted] | None:
    """The entities of span groups in tokens of the references, each of them once,
    without predictions where the annotation is missing.

    RETURNS: For each example its gold and its predicted entities; None if no token of
        any of them is annotated.
    """
    documents: list[GoldAndPredicted] = []
    is_annotated = False
    for example in examples:
        share_labels(example)
        reference = example.reference
        unknown = unknown_tokens(reference, spans_key)
        is_annotated |= bool(len(unknown)) and not unknown.all()
        gold = _plain(annotated_spans(reference, spans_key))
        is_annotated |= bool(gold)
        known = set(gold)
        group = list(example.predicted.spans.get(spans_key) or ())
        aligned = example.get_aligned_spans_x2y(group, allow_overlap=True)
        predicted = [
            span
            for span in _plain(aligned)
            if span in known or not unknown[span.start : span.end].any()
        ]
        documents.append((gold, predicted))
    return documents if is_annotated else None


def _plain(spans: Iterable[Any]) -> list[Span]:
    return list(dict.fromkeys(Span(s.start, s.end, s.label_) for s in spans))


def score_by_kind(documents: Iterable[GoldAndPredicted]) -> dict[str, dict[str, Any]]:
    """Score flat, nested and overlapping entities apart, see `kinds_of`.

    documents: The gold and the predicted entities of each document.
    RETURNS: For each kind "gold", the number of gold entities of this kind; "r", how
        many of them were predicted; "predicted", the number of predicted entities that
        are of this kind among the predicted ones; "p", how many of those are correct;
        and "f", the harmonic mean of both. Ratios are None without entities.
    """
    counts = {kind: [0, 0, 0, 0] for kind in (FLAT, NESTED, OVERLAPPING)}
    for gold, predicted in documents:
        for spans, others, at in ((gold, set(predicted), 0), (predicted, set(gold), 2)):
            for span, kind in zip(spans, kinds_of(spans), strict=True):
                counts[kind][at] += 1
                counts[kind][at + 1] += span in others
    found = {}
    for kind, (n_gold, n_found, n_predicted, n_correct) in counts.items():
        r = n_found / n_gold if n_gold else None
        p = n_correct / n_predicted if n_predicted else None
        f = 2 * p * r / (p + r) if p and r else (0.0 if n_gold or n_predicted else None)
        found[kind] = {"gold": n_gold, "predicted": n_predicted, "p": p, "r": r, "f": f}
    return found


def _calibration_error(examples: Iterable[Example], spans_key: str) -> float | None:
    """The expected calibration error of the scores of predicted span groups; None
    without scores."""
    probabilities: list[float] = []
    is_correct: list[bool] = []
    for example in examples:
        doc, reference = example.predicted, example.reference
        group = doc.spans.get(spans_key)
        scores = group.attrs.get("scores", ()) if group is not None else ()
        if group is None or not len(scores) or len(scores) != len(group):
            continue
        unknown = unknown_tokens(reference, spans_key)
        gold = {_offsets(span) for span in annotated_spans(reference, spans_key)}
        x2y = example.alignment.x2y
        for span, score in zip(group, scores, strict=True):
            tokens = x2y[span.start : span.end]
            correct = _offsets(span) in gold
            if correct or (
                len(tokens) and not unknown[tokens[0] : tokens[-1] + 1].any()
            ):
                probabilities.append(float(score))
                is_correct.append(correct)
    return expected_calibration_error(calibration_curve(probabilities, is_correct))


def _offsets(span: Any) -> tuple[int, int, str]:
    return span.start_char, span.end_char, span.label_


def make_nested_ner_scorer() -> Callable[..., dict[str, Any]]:
    """`spacy-lstm-ner.nested_ner_scorer.v1`: return the scorer `nested_ner_score`."""
    return nested_ner_score
