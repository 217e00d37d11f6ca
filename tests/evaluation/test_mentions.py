"""How often the same text is annotated as an entity, and how often it is not."""

from spacy_lstm_ner.evaluation.annotation import AnnotatedText
from spacy_lstm_ner.evaluation.mentions import (
    SurfaceForms,
    count_labels,
    find_mentions,
)


def places(text, *texts, entities=(), unannotated=(), inside=b""):
    annotated = AnnotatedText(text, list(entities), list(unannotated), inside)
    return [text[s:e] for s, e in find_mentions(annotated, SurfaceForms(texts))]


def test_mentions_are_the_longest_ones_from_the_left():
    assert places("在北京大学学习", "北京", "北京大学", "大学学习") == ["北京大学"]
    # 北京大 is a prefix of one of them.
    assert places("北京大海", "北京", "北京大学", "大海") == ["北京", "大海"]
    assert places("北京北京", "北京") == ["北京", "北京"]
    assert places("北京", "上海") == places("", "北京") == places("北京") == []


def test_very_long_texts_are_not_searched_for():
    assert places("长" * 100, "长" * 100) == ["长" * 100]
    assert places("长" * 101, "长" * 101) == []


def test_mentions_are_outside_of_entities_and_annotated():
    text = "北京大学在北京"
    assert places(text, "北京", "大学", entities=[(0, 4, "ORG")]) == ["北京"]
    assert places(text, "北京大学", "北京", entities=[(3, 4, "X")]) == ["北京"] * 2
    assert places(text, "北京", unannotated=[(6, 7)]) == ["北京"]
    assert places(text, "北京", unannotated=[(0, 1), (6, 7)]) == []


def test_mentions_are_whole_tokens():
    inside = b"\0\1\0\0\1\1"
    assert places("us use", "us", "use", "se", inside=inside) == ["us", "use"]
    assert places("us use", "us", "us us", "se", inside=inside) == ["us"]


def test_annotations_are_counted_by_label():
    corpus = [
        AnnotatedText("公司和公司", [(0, 2, "ORG")]),
        AnnotatedText("本公司", [(0, 3, "ORG")]),
        AnnotatedText("公司", [(0, 2, "LOC")]),
        AnnotatedText("公司", [], [(0, 2)]),
    ]
    counts = count_labels(corpus, SurfaceForms(["公司", "张三"]))
    # Parts of longer entities and missing annotation are not counted.
    assert counts == {"公司": {"ORG": 1, "": 1, "LOC": 1}}
