"""Counts of documents, against the scores of spaCy and seqeval."""

import numpy as np
import pytest
import spacy
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_lstm_ner.evaluation.document_counts import aligned_entities, count_entities
from spacy_lstm_ner.evaluation.significance import scores
from spacy_lstm_ner.tags import TagSet

NLP = spacy.blank("zh")
TAGS = TagSet(["A", "B", "C"], "BIO")


def random_doc(rng, text, labels, missing=0.0, words=None):
    doc = (
        NLP.make_doc(text)
        if words is None
        else Doc(NLP.vocab, words, [False] * len(words))
    )
    ids = [0]
    while len(ids) < len(doc):
        legal = np.flatnonzero(TAGS.constraints.transitions[ids[-1]])
        ids.append(rng.choice([t for t in legal if TAGS.names[t][-1] in labels]))
    spans = TAGS.spans_from_ids(np.array(ids))
    in_entity = {i for span in spans for i in range(span.start, span.end)}
    unknown = [
        doc[i : i + 1]
        for i in range(len(doc))
        if i not in in_entity and rng.random() < missing
    ]
    doc.set_ents(
        [Span(doc, *span) for span in spans], missing=unknown, default="outside"
    )
    return doc


@pytest.fixture(scope="module")
def examples():
    """Random annotation and predictions, with missing annotation, and with other tokens
    in the reference."""
    rng = np.random.default_rng(0)
    text = "一二三四五六七八九十" * 3
    pairs = ["一二", "三四", "五六", "七", "八", "九", "十"] * 3
    return [
        Example(
            random_doc(rng, text, "OAC"),
            random_doc(rng, text, "OAB", 0.3, pairs if i % 3 == 0 else None),
        )
        for i in range(60)
    ]


def test_sums_are_the_scores_of_spacy(examples):
    counts = count_entities(aligned_entities(examples))
    expected = get_ner_prf(examples)
    assert scores(counts.of().sum(axis=0)).tolist() == pytest.approx(
        [expected[f"ents_{x}"] for x in "prf"]
    )
    for label in counts.labels:
        found = dict(zip("prf", scores(counts.of(label).sum(axis=0)), strict=True))
        assert found == pytest.approx(expected["ents_per_type"][label])
    assert counts.counts.shape == (60, 3, 3) and counts.of().all(axis=0).any()


def test_scores_are_those_of_seqeval():
    metrics = pytest.importorskip("seqeval.metrics")
    rng = np.random.default_rng(1)
    examples = [
        Example(
            random_doc(rng, "一二三四五六七八九十", "OAB"),
            random_doc(rng, "一二三四五六七八九十", "OAB"),
        )
        for _ in range(50)
    ]

    def tags(doc):
        return [f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc]

    gold = [tags(eg.reference) for eg in examples]
    predicted = [tags(eg.predicted) for eg in examples]
    counts = count_entities(aligned_entities(examples))
    assert scores(counts.of().sum(axis=0)).tolist() == pytest.approx(
        [
            metrics.precision_score(gold, predicted),
            metrics.recall_score(gold, predicted),
            metrics.f1_score(gold, predicted),
        ]
    )


def test_two_predictions_in_the_same_tokens_of_the_reference():
    predicted = NLP.make_doc("王芳")
    predicted.ents = [Span(predicted, 0, 1, "A"), Span(predicted, 1, 2, "A")]
    reference = Doc(NLP.vocab, ["王芳"], [False])
    reference.ents = [Span(reference, 0, 1, "A")]
    example = Example(predicted, reference)
    counts = count_entities(aligned_entities([example]))
    assert counts.of().tolist() == [[1, 1, 0]]
    assert get_ner_prf([example])["ents_p"] == 0.5
