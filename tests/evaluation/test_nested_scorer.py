"""Scores of entities that overlap."""

import pytest
import spacy
from spacy.training import Example

from spacy_lstm_ner.evaluation.nested_scorer import nested_ner_score, score_by_kind
from spacy_lstm_ner.tags import ScoredSpan, Span
from spacy_lstm_ner.tags.nesting import choose_flat, kinds_of, nest

NLP = spacy.blank("zh")
TEXT = "北京大学教授王禾到上海"
ORG, TITLE, REF, PER = (0, 4, "ORG"), (0, 6, "TITLE"), (4, 8, "REF"), (6, 8, "PER")
LOC = (9, 11, "LOC")


def make_example(gold, predicted, missing=None):
    docs = []
    for spans in (predicted, gold):
        doc = NLP.make_doc(TEXT)
        doc.spans["sc"] = [doc.char_span(*span) for span in spans]
        docs.append(doc)
    if missing is not None:
        tokens = [docs[1][i : i + 1] for i in missing]
        docs[1].set_ents([], missing=tokens, default="outside")
    return Example(*docs)


def test_figures_of_each_kind():
    gold = [ORG, TITLE, REF, PER, LOC]
    scores = nested_ner_score([make_example(gold, [ORG, TITLE, LOC, (8, 9, "LOC")])])
    assert scores["spans_sc_p"] == pytest.approx(3 / 4)
    assert scores["spans_sc_r"] == pytest.approx(3 / 5)
    assert scores["spans_sc_per_type"]["LOC"] == {
        "p": 0.5,
        "r": 1.0,
        "f": pytest.approx(2 / 3),
    }
    kinds = scores["spans_sc_by_kind"]
    # TITLE and REF cross; without REF, TITLE is nested.
    assert kinds["overlapping"]["gold"] == 2 and kinds["overlapping"]["r"] == 0.5
    assert kinds["overlapping"]["predicted"] == 0 and kinds["overlapping"]["p"] is None
    assert kinds["nested"]["gold"] == 2 and kinds["nested"]["r"] == 0.5
    assert kinds["nested"]["predicted"] == 2 and kinds["nested"]["p"] == 1.0
    assert kinds["flat"] == {
        "gold": 1,
        "predicted": 2,
        "p": 0.5,
        "r": 1.0,
        "f": pytest.approx(2 / 3),
    }


def test_predictions_on_unknown_tokens_do_not_count():
    example = make_example([ORG, TITLE], [ORG, TITLE, PER, LOC], missing=[6, 7])
    scores = nested_ner_score([example])
    assert scores["spans_sc_p"] == pytest.approx(2 / 3)
    nothing = make_example([], [LOC], missing=range(11))
    del nothing.reference.spans["sc"]
    assert nested_ner_score([nothing])["spans_sc_f"] is None


def test_without_entities():
    kinds = score_by_kind([([], [])])
    assert all(values["f"] is None for values in kinds.values())


def test_kinds_and_layers():
    spans = [Span(0, 8, "A"), Span(1, 4, "A"), Span(3, 6, "A"), Span(1, 4, "B")]
    assert kinds_of(spans) == ["nested", "overlapping", "overlapping", "overlapping"]
    same = [Span(0, 2, "A"), Span(0, 2, "B"), Span(3, 4, "A")]
    assert kinds_of(same) == ["nested", "nested", "flat"]
    nesting = nest(spans[:3])
    assert nesting.spans == spans[:2] and nesting.crossing == [spans[2]]
    assert nesting.outer == [-1, 0] and nesting.layer == [0, 1]


def test_entities_that_do_not_overlap_are_chosen():
    long, sure = ScoredSpan(0, 6, "A", 0.5), ScoredSpan(4, 8, "B", 0.9)
    inner = ScoredSpan(0, 4, "C", 0.6)
    assert choose_flat([long, sure, inner], "longest") == [long]
    assert choose_flat([long, sure, inner], "most_probable") == [inner, sure]
