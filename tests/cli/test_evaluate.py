"""`python -m spacy lstm-ner evaluate`, as a user types it."""

import json
from functools import partial
from pathlib import Path

import pytest
import spacy
from spacy.training import Corpus

from spacy_lstm_ner.data.convert import convert

from ..helpers.commands import run_command

RESUME = Path(__file__).parents[1] / "data" / "resume.jsonl"
evaluate = partial(run_command, "evaluate")


def test_evaluate_prints_and_writes_all_scores(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    corpus = tmp_path / "corpus.spacy"
    convert(RESUME, corpus)
    figures = tmp_path / "metrics" / "figures.json"
    code, output = evaluate(tmp_path / "model", corpus, "--output", figures)
    assert code == 0
    written = json.loads(figures.read_text("utf8"))
    scores = spacy.load(tmp_path / "model").evaluate(list(Corpus(corpus)(trained)))
    for name in ("ents_p", "ents_r", "ents_f", "bio_acc", "bio_macro_f"):
        assert written[name] == pytest.approx(scores[name])
    for label, figures_of_label in scores["ents_per_type"].items():
        assert written["ents_per_type"][label] == pytest.approx(figures_of_label)
    # Few documents: the interval is wide, and there are no decimals.
    low, high = written["ents_intervals"]["f"]
    assert low < scores["ents_f"] < high and high - low > 0.1
    figures_of_all = " ".join(f"{100 * scores[f'ents_{x}']:.0f}" for x in "prf")
    assert f"all {figures_of_all} {100 * low:.0f} to {100 * high:.0f}" in output
    strict = written["ents_muc"]["strict"]
    assert strict["f"] == pytest.approx(scores["ents_f"])
    assert f"strict {strict['correct']} {strict['incorrect']} 0 " in output
    assert f"all (macro) {100 * scores['bio_acc']:.1f} " in output
    assert "TITLE" in output
    assert (
        f"Expected calibration error all {100 * written['ents_ece']:.1f}"
        in " ".join(word for word in output.split() if set(word) != {"-"})
    )
    # Straight from the dataset file it is the same, and a limit makes it less.
    assert output.startswith(evaluate(tmp_path / "model", RESUME)[1])
    assert evaluate(tmp_path / "model", RESUME, "--limit", 1)[1] != output


@pytest.mark.parametrize(
    "model, data, says",
    [
        ("nowhere", RESUME, "Can't find model 'nowhere'"),
        ("nowhere", "no.spacy", "no.spacy: no such file"),
    ],
)
def test_evaluate_without_model_or_data(model, data, says):
    code, output = evaluate(model, data)
    assert code == 1 and says in output


def test_evaluate_errors(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    code, output = evaluate(tmp_path / "model", RESUME, "-o", tmp_path)
    assert code == 1 and "Error:" in output
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    code, output = evaluate(tmp_path / "model", broken)
    assert code == 1 and f"{broken}: cannot be read" in output
    spacy.blank("zh").to_disk(tmp_path / "blank")
    code, output = evaluate(tmp_path / "blank", RESUME)
    assert code == 1 and "No entities to evaluate" in output
