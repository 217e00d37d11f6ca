"""Annotated texts as plain values, and how the same text is annotated elsewhere."""

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_lstm_ner.evaluation.annotation import (
    Annotated,
    Surfaces,
    annotated_text,
    count_uses,
    mentions,
)

VOCAB = spacy.blank("en").vocab


def english(words, spaces, *ents, missing=()):
    doc = Doc(VOCAB, words=words, spaces=spaces)
    doc.set_ents(
        [Span(doc, start, end, label) for start, end, label in ents],
        missing=[doc[i : i + 1] for i in missing],
        default="outside",
    )
    return doc


def test_annotation_of_an_example():
    """Tokens of the data need not be those of the pipeline."""
    words, spaces = ["New", "York", "is", "big"], [False, True, True, False]
    reference = english(words, spaces, (1, 2, "LOC"), missing=[2])
    predicted = Doc(VOCAB, words=["NewYork", "is", "big"], spaces=[True, True, False])
    found = annotated_text(Example(predicted, reference))
    assert found.text == "NewYork is big"
    assert found.entities == [(3, 7, "LOC")]
    assert found.unknown == [(8, 10)]
    assert list(found.inside) == [0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1]


def test_annotation_of_a_text_with_other_white_space():
    reference = english(["ab", "c", "d"], [False] * 3, (1, 3, "A"), missing=[0])
    predicted = Doc(VOCAB, words=["ab", "c", "d"], spaces=[True, True, False])
    found = annotated_text(Example(predicted, reference))
    assert found.text == "ab c d"
    assert found.entities == [(3, 6, "A")] and found.text[3:6] == "c d"
    assert found.unknown == [(0, 2)]


def test_nothing_is_known_without_annotation():
    doc = Doc(VOCAB, words=["ab", "c"], spaces=[True, False])
    found = annotated_text(Example(doc, doc.copy()))
    assert found.entities == [] and found.unknown == [(0, 2), (3, 4)]


def places(text, *texts, entities=(), unknown=(), inside=b""):
    annotated = Annotated(text, list(entities), list(unknown), inside)
    return [text[s:e] for s, e in mentions(annotated, Surfaces(texts))]


def test_mentions_are_the_longest_ones_from_the_left():
    assert places("在北京大学学习", "北京", "北京大学", "大学学习") == ["北京大学"]
    # 北京大 begins like one of them, but is none.
    assert places("北京大海", "北京", "北京大学", "大海") == ["北京", "大海"]
    assert places("北京北京", "北京") == ["北京", "北京"]
    assert places("北京", "上海") == places("", "北京") == places("北京") == []


def test_very_long_texts_are_not_looked_for():
    assert places("长" * 100, "长" * 100) == ["长" * 100]
    assert places("长" * 101, "长" * 101) == []


def test_mentions_are_outside_of_entities_and_annotated():
    text = "北京大学在北京"
    assert places(text, "北京", "大学", entities=[(0, 4, "ORG")]) == ["北京"]
    assert places(text, "北京大学", "北京", entities=[(3, 4, "X")]) == ["北京"] * 2
    assert places(text, "北京", unknown=[(6, 7)]) == ["北京"]
    assert places(text, "北京", unknown=[(0, 1), (6, 7)]) == []


def test_mentions_are_whole_tokens():
    inside = b"\0\1\0\0\1\1"
    assert places("us use", "us", "use", "se", inside=inside) == ["us", "use"]
    assert places("us use", "us", "us us", "se", inside=inside) == ["us"]


def test_uses_are_counted_by_label():
    corpus = [
        Annotated("公司和公司", [(0, 2, "ORG")]),
        Annotated("本公司", [(0, 3, "ORG")]),
        Annotated("公司", [(0, 2, "LOC")]),
        Annotated("公司", [], [(0, 2)]),
    ]
    uses = count_uses(corpus, Surfaces(["公司", "张三"]))
    # Neither a part of a longer entity nor what is not annotated counts.
    assert uses == {"公司": {"ORG": 1, "": 1, "LOC": 1}}
