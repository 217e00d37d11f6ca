"""The predictions of a pipeline on annotated texts, with their probabilities."""

import pytest
import spacy
from spacy.training import Example

from spacy_lstm_ner.evaluation import predictions
from spacy_lstm_ner.evaluation.annotation import AnnotatedText
from spacy_lstm_ner.evaluation.mentions import SurfaceForms
from spacy_lstm_ner.evaluation.predictions import evaluable, predict_records
from spacy_lstm_ner.evaluation.records import no_entity
from spacy_lstm_ner.tags import Span

from ..helpers.pipelines import (
    copy_of,
    found,
    list_pattern,
    loaded_again,
    with_shared_tok2vec,
)

NO_FORMS = SurfaceForms([])


def run(nlp, examples, forms=NO_FORMS):
    return list(predict_records(nlp, [copy_of(nlp, eg) for eg in examples], forms))


def shifted(examples):
    """The same texts with annotation that differs from the predictions."""
    for eg in examples:
        doc = eg.reference.copy()
        doc.set_ents(
            [spacy.tokens.Span(doc, e.start, e.end, "PLANET") for e in doc.ents[::2]]
            + [spacy.tokens.Span(doc, e.start, e.end, "RACE") for e in doc.ents[1::2]],
            default="outside",
        )
        yield Example(eg.predicted, doc)


def test_what_can_be_evaluated():
    gold = [Span(4, 6, "A")]
    predicted = [Span(0, 2, "A"), Span(2, 3, "B"), Span(5, 8, "A"), Span(8, 9, "A")]
    assert evaluable(AnnotatedText("x" * 10, gold), predicted) == predicted
    unknown = AnnotatedText("x" * 10, gold, [(1, 2), (6, 7), (8, 10)])
    # The third one overlaps missing annotation, but also a gold entity.
    assert evaluable(unknown, predicted) == [Span(2, 3, "B"), Span(5, 8, "A")]


def test_probabilities_are_those_of_the_component(trained, examples, monkeypatch):
    monkeypatch.setattr(predictions, "_BATCH_SIZE", 7)
    ner = trained.get_pipe("lstm_ner")
    records = run(trained, shifted(examples))
    assert [record.number for record in records] == list(range(1, 61))
    asked = 0
    for record in records:
        doc = trained(record.text)
        assert record.predicted == found(doc)
        scores = doc.spans["lstm_ner"].attrs["scores"]
        for span, score in zip(record.predicted, scores, strict=True):
            assert record.p[span] == pytest.approx(score, abs=1e-5)
        known = [span for span in record.gold if span.label != "PLANET"]
        assert not any(span.label == "PLANET" for span in record.p)
        empty = [no_entity(span) for span in (*known, *record.predicted)]
        spans = [*known, *empty]
        (expected,) = ner.probabilities([trained.make_doc(record.text)], [spans])
        for span, p in zip(spans, expected, strict=True):
            assert record.p[span] == pytest.approx(p, abs=1e-5)
            asked += 1
    assert asked > 200


def test_probabilities_of_mentions(trained, examples):
    doc = examples[0].reference.copy()
    (first, *rest) = doc.ents
    doc.set_ents(rest, default="outside")
    forms = SurfaceForms([first.text])
    (record,) = run(trained, [Example(examples[0].predicted, doc)], forms)
    assert (first.start_char, first.end_char) in record.mentions
    place = Span(first.start_char, first.end_char, "")
    assert record.p[place] < 0.1
    assert record.p[place._replace(label=first.label_)] > 0.9
    (record,) = run(trained, examples[:1], SurfaceForms(["年"]))
    assert len(record.mentions) == examples[0].text.count("年") > 1
    assert all(record.p[no_entity(place)] > 0.9 for place in record.mentions)


def test_components_before_and_after(trained, examples):
    """Probabilities are conditional on preset entities. Entities of other components
    have none."""
    nlp = loaded_again(trained)
    text = examples[0].text
    first, *_ = examples[0].reference.ents
    last = text[-3:]
    for where, pattern in (("first", first.text), ("last", last)):
        ruler = nlp.add_pipe("entity_ruler", name=where, **{where: True})
        ruler.add_patterns([{"label": "RULE", "pattern": list_of_tokens(pattern)}])
    (record,) = run(nlp, examples[:1])
    gold = Span(first.start_char, first.end_char, first.label_)
    assert gold in record.gold
    assert gold._replace(label="RULE") in record.predicted
    # It cannot be predicted, so its probability is unknown.
    assert gold not in record.p and gold._replace(label="RULE") not in record.p
    others = [span for span in record.predicted if span.label != "RULE"]
    assert others and all(span in record.p for span in others)


def list_of_tokens(text):
    return [{"TEXT": char} for char in text]


def test_without_the_component_there_are_no_probabilities(examples):
    nlp = spacy.blank("zh")
    first, *_ = examples[0].reference.ents
    patterns = [{"label": "RULE", "pattern": list_of_tokens(first.text)}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    (record,) = run(nlp, examples[:1])
    assert Span(first.start_char, first.end_char, "RULE") in record.predicted
    assert record.p == {}


def test_a_shared_tok2vec(examples):
    nlp = with_shared_tok2vec()
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("lstm_ner")
    (record, *_) = run(nlp, examples[:3])
    doc = nlp.get_pipe("tok2vec")(nlp.make_doc(record.text))
    (expected,) = ner.probabilities([doc], [record.gold])
    assert [record.p[span] for span in record.gold] == pytest.approx(expected)
    # Without the tok2vec, there are no vectors.
    with pytest.raises(ValueError, match=r"tok2vec, which has not read the document"):
        ner.probabilities([nlp.make_doc(record.text)], [record.gold])


def test_scores_are_those_of_entities_that_the_component_predicted(trained, examples):
    """Preset entities of a ruler are not among them."""
    nlp = loaded_again(trained)
    text = examples[0].text
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "NAME", "pattern": list_pattern(text[:2])}])
    (record,) = run(nlp, examples[:1])
    assert Span(0, 2, "NAME") in record.predicted
    assert Span(0, 2, "NAME") not in record.scores
    assert set(record.predicted) - {Span(0, 2, "NAME")} <= record.scores.keys()
    assert record.scores.items() <= record.p.items()
