"""The content of a report."""

import pytest
import spacy
from spacy.training import Corpus

from spacy_lstm_ner.evaluation.report import (
    confusion_matrix,
    entity_calibration,
    scores_by_type,
)
from spacy_lstm_ner.evaluation.scorer import expected_calibration_error


def test_rows_of_the_confusion_matrix_sum_up(analysis):
    counts = confusion_matrix(analysis)
    for label, n in analysis.gold.items():
        row = {column: m for (gold, column), m in counts.items() if gold == label}
        assert sum(row.values()) == n
        assert row.get(label, 0) == analysis.correct[label]
    # The test is only meaningful if all kinds of cells occur.
    assert {0, 1} < {column for _, column in counts}
    assert any(gold != column for gold, column in counts if isinstance(column, str))
    # Each predicted entity is correct, or counted in one cell.
    predicted = sum(len(record.predicted) for record in analysis.records)
    spurious = sum(n for (gold, _), n in counts.items() if gold == 2)
    shared = sum(error.shared == "predicted" for error in analysis.errors)
    missed = sum(n for (_, column), n in counts.items() if column == 1)
    found = analysis.gold.total() - missed - shared
    assert spurious > 0 and predicted == found + spurious


def test_scores_are_those_of_an_evaluation(held_out_folder, analysis):
    nlp = spacy.load(held_out_folder / "model")
    expected = nlp.evaluate(list(Corpus(held_out_folder / "data.spacy")(nlp)))
    error = expected_calibration_error(entity_calibration(analysis))
    assert error == pytest.approx(expected["ents_ece"]) and error > 0
    ours = scores_by_type(analysis)
    assert ours.pop("").to_dict() == pytest.approx(
        {x: expected[f"ents_{x}"] for x in "prf"}
    )
    assert {label: prf.to_dict() for label, prf in ours.items()} == {
        label: pytest.approx(prf) for label, prf in expected["ents_per_type"].items()
    }
