"""Label issues: plausibility, regions, order."""

from collections import Counter

import pytest
from spacy.tokens import Span as DocSpan
from spacy.training import Example

from spacy_lstm_ner.cli.error_output import describe_counts
from spacy_lstm_ner.evaluation.annotation import AnnotatedText, annotated_text
from spacy_lstm_ner.evaluation.label_issues import find_label_issues, plausibility
from spacy_lstm_ner.evaluation.mentions import SurfaceForms, count_labels
from spacy_lstm_ner.evaluation.predictions import predict_records
from spacy_lstm_ner.evaluation.records import Record
from spacy_lstm_ner.tags import Span


def record(text, gold=(), predicted=(), p=None, mentions=()):
    """A record; p by (start, end, label)."""
    annotated = AnnotatedText(text, [Span(*span) for span in gold])
    probabilities = {Span(*span): value for span, value in (p or {}).items()}
    found = [Span(*span) for span in predicted]
    return Record(1, annotated, found, list(mentions), probabilities)


def test_plausibility_combines_both_sources_of_evidence():
    nothing = Counter()
    assert plausibility(None, nothing, "ORG") == 1.0
    assert plausibility(1.0, nothing, "ORG") == 1.0
    assert plausibility(0.25, nothing, "ORG") == pytest.approx(0.5, abs=1e-5)
    # Differences between tiny probabilities are ignored.
    assert plausibility(1e-30, nothing, "ORG") == pytest.approx(0.001)
    uses = Counter({"ORG": 17, "": 2})
    assert plausibility(None, uses, "ORG") == pytest.approx(18 / 20)
    assert plausibility(None, uses, "") == pytest.approx(3 / 20)
    assert plausibility(None, uses, "TITLE") == pytest.approx(1 / 20)
    assert plausibility(0.25, uses, "TITLE") == pytest.approx(0.5 / 20, abs=1e-6)


def test_plausibility_of_annotation_that_was_counted():
    uses = Counter({"ORG": 17, "TITLE": 1})
    assert plausibility(None, uses, "TITLE", counted=True) == pytest.approx(1 / 18)
    assert plausibility(None, uses, "ORG", counted=True) == pytest.approx(17 / 18)
    # A predicted entity whose text is not a known one was not counted.
    assert plausibility(None, Counter(), "", counted=True) == 1.0


def test_an_entity_that_has_another_label_elsewhere():
    text = "加入本公司"
    one = record(text, [(2, 5, "TITLE")], [(2, 5, "TITLE")])
    uses = {"本公司": Counter({"ORG": 523, "": 1})}
    (issue,) = find_label_issues([one], uses)
    assert (issue.start, issue.end) == (2, 5)
    assert issue.plausibility == pytest.approx(1 / 525)
    (counts,) = issue.training
    assert describe_counts(counts) == (
        "本公司 in the training data: ORG 523, no entity 1, TITLE 0"
    )
    assert find_label_issues([one], uses, max_plausibility=1 / 526) == []
    assert find_label_issues([one], {}) == []


def test_a_text_that_is_an_entity_elsewhere():
    one = record("任负责人", mentions=[(1, 4)])
    uses = {"负责人": Counter({"TITLE": 40, "": 1})}
    (issue,) = find_label_issues([one], uses)
    assert issue.annotated == issue.predicted == []
    assert issue.plausibility == pytest.approx(2 / 42)
    assert describe_counts(issue.training[0]) == (
        "负责人 in the training data: TITLE 40, no entity 1"
    )


def test_an_entity_with_a_very_low_probability():
    p = {(0, 4, "LOC"): 1e-4, (0, 4, "CONT"): 0.99}
    one = record("澳洲国籍", [(0, 4, "LOC")], [(0, 4, "CONT")], p)
    (issue,) = find_label_issues([one], {})
    assert issue.plausibility == pytest.approx(0.01, rel=0.01)
    assert (issue.annotated, issue.predicted) == (one.gold, one.predicted)
    assert issue.training == []
    one.p[Span(0, 4, "LOC")] = 0.1
    assert find_label_issues([one], {}) == []


def test_a_spurious_entity_may_be_missing_in_the_annotation():
    p = {(1, 3, "NAME"): 0.999, (1, 3, ""): 1e-5}
    one = record("和王芳", [], [(1, 3, "NAME")], p, mentions=[(1, 2)])
    uses = {"王": Counter({"NAME": 99})}
    (issue,) = find_label_issues([one], uses)
    # A part of a predicted entity is no evidence.
    assert issue.training == [] and issue.annotated == []
    assert issue.plausibility == pytest.approx(1e-5**0.5, rel=0.1)


def test_a_prediction_that_overlaps_an_entity_is_no_spurious_one():
    p = {(0, 2, "NAME"): 0.3, (1, 3, "ORG"): 0.6, (1, 3, ""): 1e-6}
    assert (
        find_label_issues([record("王芳女", [(0, 2, "NAME")], [(1, 3, "ORG")], p)], {})
        == []
    )


def test_overlapping_conflicts_are_one_issue():
    """Two annotated entities with another boundary between them than the predicted
    ones."""
    gold = [(0, 3, "ORG"), (3, 9, "TITLE"), (10, 12, "NAME")]
    predicted = [(0, 6, "ORG"), (6, 9, "TITLE")]
    p = {(0, 3, "ORG"): 1e-4, (3, 9, "TITLE"): 1e-6, (10, 12, "NAME"): 1e-5}
    one = record("欧倍德中国区副总裁，王芳", gold, predicted, p)
    first, second = find_label_issues([one], {"欧倍德": Counter(ORG=2)})
    assert (first.start, first.end) == (0, 9)
    assert first.plausibility == pytest.approx(plausibility(1e-6, Counter(), "TITLE"))
    assert first.annotated == one.gold[:2] and first.predicted == one.predicted
    assert [counts.text for counts in first.training] == ["欧倍德"]
    assert second.annotated == one.gold[2:] and second.predicted == []


def test_the_least_plausible_comes_first():
    records = [
        record("王芳", [(0, 2, "NAME")], [], {(0, 2, "NAME"): p})
        for p in (1e-4, 1e-6, 1e-3, 1e-5)
    ]
    issues = find_label_issues(records, {})
    assert [issue.record for issue in issues] == [records[i] for i in (1, 3, 0, 2)]


def test_planted_errors_are_found(trained, examples):
    """Some labels are changed in data that the pipeline has memorized."""
    wrong = {}
    changed = []
    for i, eg in enumerate(examples):
        doc = eg.reference.copy()
        if i % 12 == 5 and doc.ents:
            ents = list(doc.ents)
            first = ents[0]
            if i % 24 == 5:
                ents[0] = DocSpan(doc, first.start, first.end, "RACE")
                wrong[i + 1] = Span(first.start_char, first.end_char, "RACE")
            else:
                ents = ents[1:]
                wrong[i + 1] = None
            doc.set_ents(ents, default="outside")
        changed.append(Example(trained.make_doc(doc.text), doc))
    assert len(wrong) == 5
    corpus = [annotated_text(eg) for eg in examples]
    known = SurfaceForms(a.text[s:e] for a in corpus for s, e, _ in a.entities)
    records = list(predict_records(trained, changed, known))
    issues = find_label_issues(records, count_labels(corpus, known))
    assert sorted(issue.record.number for issue in issues[:5]) == list(wrong)
    for issue in issues[:5]:
        planted = wrong[issue.record.number]
        assert issue.annotated == ([planted] if planted else [])
        assert len(issue.predicted) == 1
