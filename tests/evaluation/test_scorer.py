"""Scores of entities and tags, against spaCy and scikit-learn; calibration error."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from spacy_lstm_ner.evaluation.scorer import (
    calibration_error,
    ner_score,
    score_bio_tags,
)
from spacy_lstm_ner.tags import TagSet

metrics = pytest.importorskip("sklearn.metrics")


def doc_with(nlp, text, spans, missing=()):
    doc = nlp.make_doc(text)
    ents = [Span(doc, start, end, label) for start, end, label in spans]
    doc.set_ents(ents, missing=[doc[i : i + 1] for i in missing], default="outside")
    return doc


def bio(doc):
    return [f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc]


@pytest.fixture
def examples():
    """Random gold and predicted entities, with some labels in only one of them."""
    nlp = spacy.blank("zh")
    rng = np.random.default_rng(0)
    tags = TagSet(["A", "B", "C"], "BIO")

    def spans(labels):
        ids = [0]
        while len(ids) < 30:
            legal = np.flatnonzero(tags.constraints.transitions[ids[-1]])
            ids.append(rng.choice([t for t in legal if tags.names[t][-1] in labels]))
        return tags.spans_from_ids(np.array(ids))

    text = "一二三四五六七八九十" * 3
    return [
        Example(doc_with(nlp, text, spans("OAC")), doc_with(nlp, text, spans("OAB")))
        for _ in range(10)
    ]


def test_tag_scores_are_those_of_scikit_learn(examples):
    gold = [tag for eg in examples for tag in bio(eg.reference)]
    predicted = [tag for eg in examples for tag in bio(eg.predicted)]
    assert {"B-C", "I-B"} <= set(gold) | set(predicted)
    expected = metrics.precision_recall_fscore_support(
        gold, predicted, average="macro", zero_division=0
    )
    scores = score_bio_tags(examples)
    names = ("bio_macro_p", "bio_macro_r", "bio_macro_f")
    assert [scores[name] for name in names] == pytest.approx(expected[:3])
    assert scores["bio_acc"] == pytest.approx(metrics.accuracy_score(gold, predicted))


def test_entity_scores_are_those_of_spacy(examples):
    expected = spacy.blank("zh").create_pipe("ner").score(examples)
    scores = ner_score(examples)
    assert 0 < scores["ents_f"] < 1
    assert scores["ents_per_type"].keys() == {"A", "B", "C"}
    for name, value in expected.items():
        assert scores[name] == value


def test_tokens_without_annotation_are_ignored():
    nlp = spacy.blank("zh")
    gold = doc_with(nlp, "一二三四", [(0, 2, "A")], missing=[2, 3])
    predicted = doc_with(nlp, "一二三四", [(0, 2, "A"), (2, 4, "A")])
    assert score_bio_tags([Example(predicted, gold)])["bio_acc"] == 1.0


def test_nothing_annotated():
    nlp = spacy.blank("zh")
    example = Example(nlp.make_doc("一二"), nlp.make_doc("一二"))
    assert ner_score([example])["bio_acc"] is None
    assert ner_score([])["bio_macro_f"] is None


def scored(nlp, gold, predicted, missing=()):
    """An example with predictions of (start, end, label, score)."""
    doc = nlp.make_doc("一二三四五六七八九十")
    doc.ents = [Span(doc, start, end, label) for start, end, label, _ in predicted]
    doc.spans["s"] = SpanGroup(
        doc,
        name="s",
        spans=[Span(doc, start, end, label) for start, end, label, _ in predicted],
        attrs={"scores": np.array([score for *_, score in predicted])},
    )
    return Example(doc, doc_with(nlp, doc.text, gold, missing))


def test_calibration_error():
    nlp = spacy.blank("zh")
    gold = [(0, 2, "A"), (3, 5, "B")]
    correct, wrong = (0, 2, "A"), (6, 8, "A")
    other_label, shorter = (3, 5, "A"), (3, 4, "B")

    def error(*batches, missing=()):
        return calibration_error(
            [scored(nlp, gold, predicted, missing) for predicted in batches], "s"
        )

    assert error([]) is None
    assert error([(*correct, 1.0)]) == pytest.approx(0.0)
    assert error([(*correct, 0.75)]) == pytest.approx(0.25)
    for bad in (wrong, other_label, shorter):
        assert error([(*bad, 0.75)]) == pytest.approx(0.75)
    # Half of the predictions of a bin are correct; bins are weighted by their size.
    assert error([(*correct, 0.52), (*wrong, 0.54)]) == pytest.approx(0.03)
    assert error([(*correct, 0.52)], [(*wrong, 0.54)]) == pytest.approx(0.03)
    batch = [(*correct, 0.95), (*wrong, 0.05), (*shorter, 0.05)]
    assert error(batch) == pytest.approx(0.05)
    # Predictions on tokens without annotation are ignored.
    assert error([(*correct, 0.95), (*wrong, 0.9)], missing=[7]) == pytest.approx(0.05)
    assert calibration_error([scored(nlp, gold, [])], "elsewhere") is None


def test_calibration_error_where_gold_entities_end_inside_tokens():
    """The annotation is not missing, although it fits other tokens: a prediction that
    overlaps it is incorrect."""
    vocab = spacy.blank("zh").vocab
    predicted = Doc(vocab, words=["一二三", "四"], spaces=[False, False])
    reference = Doc(vocab, words=list("一二三四"), spaces=[False] * 4)
    reference.ents = [Span(reference, 0, 2, "A")]
    predicted.ents = [Span(predicted, 0, 1, "A")]
    predicted.spans["s"] = SpanGroup(
        predicted, spans=[Span(predicted, 0, 1, "A")], attrs={"scores": np.array([0.7])}
    )
    error = calibration_error([Example(predicted, reference)], "s")
    assert error == pytest.approx(0.7)
