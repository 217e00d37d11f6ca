"""Matching of gold and predicted entities: kinds of errors."""

import pytest

from spacy_lstm_ner.evaluation.annotation import AnnotatedText
from spacy_lstm_ner.evaluation.matching import ERROR_KINDS, error_kinds, match_entities
from spacy_lstm_ner.evaluation.records import Record
from spacy_lstm_ner.tags import Span


def record(gold, predicted, **p):
    annotated = AnnotatedText("一" * 40, [Span(*span) for span in gold])
    return Record(1, annotated, [Span(*span) for span in predicted])


def kinds(gold, predicted):
    """Each error as (kind, gold, predicted), followed by `shared` if it is set."""
    _, errors = match_entities(record(gold, predicted))
    return [
        tuple(error)[:1] + tuple(error)[2 : 5 - (not error.shared)] for error in errors
    ]


A, B = (0, 4, "A"), (4, 8, "B")


@pytest.mark.parametrize(
    ("gold", "predicted", "kind"),
    [
        ((2, 6, "A"), (2, 5, "A"), "boundary"),
        ((2, 6, "A"), (1, 6, "A"), "boundary"),
        ((2, 6, "A"), (5, 9, "A"), "boundary"),
        ((2, 6, "A"), (2, 6, "B"), "type"),
        ((2, 6, "A"), (2, 7, "B"), "boundary_and_type"),
        ((2, 6, "A"), (3, 4, "B"), "boundary_and_type"),
    ],
)
def test_two_overlapping_entities_are_one_error(gold, predicted, kind):
    assert kinds([gold], [predicted]) == [(kind, gold, predicted)]


def test_missed_and_spurious():
    assert kinds([A], []) == [("missed", A, None)]
    assert kinds([], [A]) == [("spurious", None, A)]
    # They are adjacent, and do not overlap.
    assert kinds([A], [B]) == [("missed", A, None), ("spurious", None, B)]


def test_correct_entities_are_no_errors():
    correct, errors = match_entities(record([A, B], [B, A]))
    assert correct == [A, B] and errors == []
    correct, errors = match_entities(record([A, B], [B, (0, 3, "A")]))
    assert correct == [B] and [error.kind for error in errors] == ["boundary"]
    assert match_entities(record([], [])) == ([], [])


def test_adjacent_entities_with_a_wrong_boundary_between_them():
    """欧倍德/ORG 中国区副总裁/TITLE, predicted as 欧倍德中国区/ORG 副总裁/TITLE."""
    gold = [(0, 3, "ORG"), (3, 9, "TITLE")]
    predicted = [(0, 6, "ORG"), (6, 9, "TITLE")]
    assert kinds(gold, predicted) == [
        ("boundary", gold[0], predicted[0]),
        ("boundary", gold[1], predicted[1]),
    ]
    # Also if one overlaps more with the entity of the other label.
    predicted = [(0, 8, "ORG"), (8, 9, "TITLE")]
    assert kinds(gold, predicted) == [
        ("boundary", gold[0], predicted[0]),
        ("boundary", gold[1], predicted[1]),
    ]


def test_the_same_boundaries_precede_the_same_label():
    # The predicted entities overlap, which does not occur, to show the precedence.
    gold, same, longer = (2, 6, "A"), (2, 6, "B"), (5, 9, "A")
    assert kinds([gold], [same, longer]) == [
        ("type", gold, same),
        ("boundary", gold, longer, "gold"),
    ]


def test_two_gold_entities_predicted_as_one():
    """副总经理/TITLE 副书记/TITLE, predicted as 副总经理副书记/TITLE."""
    long, short, found = (0, 4, "TITLE"), (4, 7, "TITLE"), (0, 7, "TITLE")
    assert kinds([long, short], [found]) == [
        ("boundary", long, found),
        ("boundary", short, found, "predicted"),
    ]


def test_one_gold_entity_predicted_in_parts():
    """软件学院院长/TITLE, predicted as 软件学院/ORG 院长/TITLE."""
    gold, org, title = (0, 6, "TITLE"), (0, 4, "ORG"), (4, 6, "TITLE")
    _, (first, second) = match_entities(record([gold], [org, title]))
    assert (first.kind, first.shared, first.entity) == (
        "boundary_and_type",
        "gold",
        org,
    )
    assert (second.kind, second.shared, second.entity) == ("boundary", None, gold)
    assert (second.gold, second.predicted) == (gold, title)


def test_without_the_same_label_the_larger_overlap_is_matched():
    gold, small, large = (2, 8, "A"), (0, 3, "B"), (3, 9, "C")
    assert kinds([gold], [small, large]) == [
        ("boundary_and_type", gold, small, "gold"),
        ("boundary_and_type", gold, large),
    ]
    # The overlap is relative to the union.
    gold, inside, around = (2, 8, "A"), (2, 4, "B"), (4, 30, "C")
    assert kinds([gold], [inside, around])[0] == ("boundary_and_type", gold, inside)


def test_probabilities_of_an_error():
    one = record([A], [B])
    p = {A: 0.1, (*A[:2], ""): 0.8, B: 0.7, (*B[:2], ""): 0.2}
    one.p.update({Span(*span): value for span, value in p.items()})
    _, (missed, spurious) = match_entities(one)
    assert (missed.p_gold, missed.p_predicted) == (0.1, 0.8)
    assert (spurious.p_gold, spurious.p_predicted) == (0.2, 0.7)
    one = record([A], [(0, 4, "C")])
    one.p[Span(*A)] = 0.1
    _, (error,) = match_entities(one)
    assert (error.p_gold, error.p_predicted) == (0.1, None)


def test_former_names_of_kinds_are_accepted():
    assert error_kinds(ERROR_KINDS) == list(ERROR_KINDS)
    assert error_kinds(["both", "missed", "invented"]) == [
        *("boundary_and_type", "missed", "spurious"),
    ]
    with pytest.raises(ValueError, match="Unknown kind of error 'bad': use boundary, "):
        error_kinds(["type", "bad"])
