"""Annotated texts as plain values."""

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_lstm_ner.evaluation.annotation import annotated_text

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
    """The tokens of the data can differ from those of the pipeline."""
    words, spaces = ["New", "York", "is", "big"], [False, True, True, False]
    reference = english(words, spaces, (1, 2, "LOC"), missing=[2])
    predicted = Doc(VOCAB, words=["NewYork", "is", "big"], spaces=[True, True, False])
    found = annotated_text(Example(predicted, reference))
    assert found.text == "NewYork is big"
    assert found.entities == [(3, 7, "LOC")]
    assert found.unannotated == [(8, 10)]
    assert list(found.token_inside) == [0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1]


def test_annotation_of_a_text_with_other_whitespace():
    reference = english(["ab", "c", "d"], [False] * 3, (1, 3, "A"), missing=[0])
    predicted = Doc(VOCAB, words=["ab", "c", "d"], spaces=[True, True, False])
    found = annotated_text(Example(predicted, reference))
    assert found.text == "ab c d"
    assert found.entities == [(3, 6, "A")] and found.text[3:6] == "c d"
    assert found.unannotated == [(0, 2)]


def test_missing_annotation():
    doc = Doc(VOCAB, words=["ab", "c"], spaces=[True, False])
    found = annotated_text(Example(doc, doc.copy()))
    assert found.entities == [] and found.unannotated == [(0, 2), (3, 4)]
