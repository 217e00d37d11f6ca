"""Partial matches, against nervaluate."""

import numpy as np
import pytest

from spacy_lstm_ner.evaluation.muc import SCHEMES, count_muc
from spacy_lstm_ner.tags import Span

NERVALUATE = {"type": "ent_type"}


def random_spans(rng, n):
    """Spans that do not overlap."""
    borders = np.sort(rng.choice(60, 2 * n, replace=False)).reshape(-1, 2)
    return [
        Span(int(start), int(end), str(rng.choice(["A", "B"])))
        for start, end in borders
    ]


@pytest.fixture(scope="module")
def documents():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        gold, predicted = (random_spans(rng, rng.integers(0, 8)) for _ in range(2))
        same = [span for span in gold if rng.random() < 0.4]
        overlaps = [
            p
            for p in predicted
            if all(p.end <= s.start or p.start >= s.end for s in same)
        ]
        found.append((gold, sorted([*same, *overlaps])))
    return found


def test_counts_are_those_of_nervaluate(documents):
    nervaluate = pytest.importorskip("nervaluate")

    def as_dicts(spans):
        # Ends are inclusive there.
        return [{"label": s.label, "start": s.start, "end": s.end - 1} for s in spans]

    evaluator = nervaluate.Evaluator(
        [as_dicts(gold) for gold, _ in documents],
        [as_dicts(predicted) for _, predicted in documents],
        tags=["A", "B"],
        loader="dict",
    )
    expected = evaluator.evaluate()["overall"]
    found = count_muc(documents)
    for scheme in SCHEMES:
        counts, reference = found[scheme], expected[NERVALUATE.get(scheme, scheme)]
        assert (
            counts.correct,
            counts.incorrect,
            counts.partial,
            counts.missing,
            counts.spurious,
        ) == (
            reference.correct,
            reference.incorrect,
            reference.partial,
            reference.missed,
            reference.spurious,
        ), scheme
        assert counts.prf == pytest.approx(
            (reference.precision, reference.recall, reference.f1)
        )
    assert found["partial"].partial > 50 and found["type"].incorrect > 50


def test_counts_of_an_example():
    gold = [Span(0, 4, "A"), Span(6, 8, "B"), Span(10, 12, "A")]
    predicted = [Span(0, 3, "A"), Span(6, 8, "A"), Span(20, 22, "B")]
    found = {
        scheme: tuple(vars(counts).values())
        for scheme, counts in count_muc([(gold, predicted)]).items()
    }
    # correct, incorrect, partial, missing, spurious
    assert found == {
        "strict": (0, 2, 0, 1, 1),
        "exact": (1, 1, 0, 1, 1),
        "partial": (1, 0, 1, 1, 1),
        "type": (1, 1, 0, 1, 1),
    }
    assert count_muc([(gold, predicted)])["partial"].prf == (0.5, 0.5, 0.5)
    assert count_muc([])["strict"].prf == (0, 0, 0)
