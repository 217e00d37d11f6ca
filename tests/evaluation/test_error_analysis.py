"""`find_errors`: the errors of a pipeline, and the label issues of the data."""

import pytest
import spacy
from spacy.scorer import get_ner_prf
from spacy.tokens import DocBin

from spacy_lstm_ner.evaluation.error_analysis import find_errors
from spacy_lstm_ner.evaluation.matching import ERROR_KINDS

from ..helpers.held_out import NLP
from ..helpers.pipelines import loaded_again


def held_out(held_out_folder, nlp):
    docs = DocBin().from_disk(held_out_folder / "data.spacy").get_docs(nlp.vocab)
    return [spacy.training.Example(nlp.make_doc(doc.text), doc) for doc in docs]


def test_errors_sum_up_to_the_scores_of_spacy(held_out_folder, analysis, trained):
    examples = held_out(held_out_folder, trained)
    for eg in examples:
        eg.predicted = trained(eg.predicted)
    expected = get_ner_prf(examples)["ents_per_type"]
    assert {error.kind for error in analysis.errors} == set(ERROR_KINDS)
    for label, gold in analysis.gold.items():
        correct = analysis.correct[label]
        missing = spurious = 0
        for error in analysis.errors:
            if error.gold and error.gold.label == label and error.shared != "gold":
                missing += 1
            if error.predicted and error.shared != "predicted":
                spurious += error.predicted.label == label
        assert correct + missing == gold
        assert correct / gold == pytest.approx(expected[label]["r"])
        assert correct / ((correct + spurious) or 1) == pytest.approx(
            expected[label]["p"]
        )


def test_the_most_confident_errors_of_a_type_and_kind_come_first(analysis):
    order = list(ERROR_KINDS)
    keys = [
        (error.entity.label, order.index(error.kind), -error.p_predicted)
        for error in analysis.errors
    ]
    assert keys == sorted(keys) and len(keys) > 50
    assert analysis.has_probabilities


def test_probabilities_are_known_if_the_pipeline_does_not_store_them(
    held_out_folder, analysis, tmp_path, trained
):
    config = trained.config.copy()
    config["components"]["lstm_ner"]["spans_key"] = None
    nlp = spacy.blank("zh").from_config(config).from_bytes(trained.to_bytes())
    nlp.to_disk(tmp_path / "model")
    others = find_errors(tmp_path / "model", held_out_folder / "data.spacy")
    assert [error[2:] for error in others.errors] == [
        error[2:] for error in analysis.errors
    ]
    assert [error.p_predicted for error in others.errors] == pytest.approx(
        [error.p_predicted for error in analysis.errors]
    )


@pytest.mark.parametrize("fails", [False, True])
def test_settings_of_the_caller_are_restored(held_out_folder, tmp_path, trained, fails):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    ner.spans_key = None
    if fails:
        (tmp_path / "data.spacy").write_bytes(b"no DocBin")
        with pytest.raises(ValueError):
            find_errors(nlp, tmp_path / "data.spacy")
    else:
        assert find_errors(nlp, held_out_folder / "data.spacy").errors[0].p_predicted
    assert ner.spans_key is None


def test_missing_annotation_is_no_error(held_out_folder, tmp_path, trained):
    docs = [eg.reference for eg in held_out(held_out_folder, trained)]
    doc = max(docs, key=lambda doc: len(trained(doc.text).ents)).copy()
    found = len(trained(doc.text).ents)
    assert found > 3
    doc.set_ents([], default="missing")
    annotated = NLP.make_doc("王芳任教授")
    annotated.ents = [annotated.char_span(0, 2, "PLANET")]
    DocBin(docs=[doc, annotated]).to_disk(tmp_path / "data.spacy")
    result = find_errors(held_out_folder / "model", tmp_path / "data.spacy")
    assert result.errors and {e.record.number for e in result.errors} == {2}
    doc.set_ents([], default="outside")
    DocBin(docs=[doc, annotated]).to_disk(tmp_path / "data.spacy")
    result = find_errors(held_out_folder / "model", tmp_path / "data.spacy")
    assert sum(error.record.number == 1 for error in result.errors) == found


def test_training_data_is_evidence(held_out_folder, tmp_path, trained):
    """Also for annotation that the pipeline has memorized."""
    docs = list(DocBin().from_disk(held_out_folder / "train.spacy").get_docs(NLP.vocab))
    first = next(doc.ents[0] for doc in docs if len(doc.ents) > 3)
    again = NLP.make_doc(first.text)
    again.ents = [again.char_span(0, len(again.text), "RACE")]
    DocBin(docs=[again]).to_disk(tmp_path / "data.spacy")
    many = NLP.make_doc(first.text + "，")
    many.ents = [many.char_span(0, len(first.text), first.label_)]
    DocBin(docs=[many] * 50).to_disk(tmp_path / "train.spacy")
    paths = held_out_folder / "model", tmp_path / "data.spacy"
    without = find_errors(*paths, max_plausibility=1).label_issues
    result = find_errors(
        *paths, train=tmp_path / "train.spacy", max_plausibility=1
    ).label_issues
    assert result[0].plausibility == pytest.approx(without[0].plausibility / 51)
    assert result[0].training[0].counts == {first.label_: 50}
    # If the data is the training data, each annotation is counted once.
    DocBin(docs=[again] + [many] * 50).to_disk(tmp_path / "data.spacy")
    same = find_errors(
        *paths, train=tmp_path / "data.spacy", max_plausibility=1
    ).label_issues
    assert same[0].plausibility == pytest.approx(without[0].plausibility / 51)
