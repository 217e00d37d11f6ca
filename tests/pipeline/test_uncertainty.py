"""How certain the component is, against the enumeration of all analyses."""

from math import exp

import pytest
import spacy
from spacy.language import Language

from ..helpers.pipelines import SMALL_MODEL, list_pattern, loaded_again, train


@pytest.fixture(scope="module")
def uncertain(examples):
    """A pipeline that was trained for few steps."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    train(nlp, examples, steps=25)
    nlp.get_pipe("lstm_ner").state.temperature = 1.5
    return nlp


def test_uncertainty_is_that_of_all_analyses(uncertain, examples):
    ner = uncertain.get_pipe("lstm_ner")
    text = min((eg.text for eg in examples if uncertain(eg.text).ents), key=len)[:7]
    doc = uncertain.make_doc(text)
    (analyses,) = ner.n_best([doc], 5000)
    assert sum(a.probability for a in analyses) == pytest.approx(1, abs=1e-3)
    (found,) = ner.uncertainty([doc])
    assert not doc.ents and not doc.spans
    assert found.length == len(text)
    assert exp(found.log_probability) == pytest.approx(analyses[0].probability)
    assert found.entities == ner.predict([doc])[0]
    assert {entity[:3] for entity in found.entities} == set(analyses[0].entities)
    assert found.expected_entities == pytest.approx(
        sum(a.probability * len(a.entities) for a in analyses), abs=1e-2
    )
    # Entities that only one of the analyses has are incorrect or missed.
    best = set(analyses[0].entities)
    assert found.expected_errors == pytest.approx(
        sum(a.probability * len(best ^ set(a.entities)) for a in analyses), abs=1e-2
    )


def test_uncertainty_of_many_texts_is_that_of_each(uncertain, examples):
    ner = uncertain.get_pipe("lstm_ner")
    texts = ["", *(eg.text for eg in examples[:10]), " "]
    docs = [uncertain.make_doc(text) for text in texts]
    for doc, found in zip(docs, ner.uncertainty(docs), strict=True):
        (alone,) = ner.uncertainty([doc])
        assert alone.log_probability == pytest.approx(found.log_probability, abs=1e-4)
        assert alone.expected_errors == pytest.approx(found.expected_errors, abs=1e-4)
    assert ner.uncertainty(docs[:1]) == [(0, 0.0, [], 0.0)]
    assert ner.uncertainty([]) == []


def test_the_threshold_has_no_effect(uncertain, examples):
    docs = [uncertain.make_doc(examples[0].text)]
    expected = uncertain.get_pipe("lstm_ner").uncertainty(docs)
    strict = loaded_again(uncertain).get_pipe("lstm_ner")
    strict.threshold = 0.999
    assert strict.predict(docs)[0] != expected[0].entities
    (found,) = strict.uncertainty(docs)
    assert found.entities == expected[0].entities


def test_windows_are_put_together(uncertain, examples):
    text = "".join(eg.text for eg in examples[:10])
    nlp = loaded_again(uncertain)
    ner = nlp.get_pipe("lstm_ner")
    doc = nlp.make_doc(text)
    (whole,) = ner.uncertainty([doc])
    ner.window = 64
    (found,) = ner.uncertainty([doc])
    assert found.length == whole.length
    assert found.log_probability == pytest.approx(whole.log_probability, rel=0.2)
    assert found.expected_entities == pytest.approx(whole.expected_entities, rel=0.05)
    assert found.entities == ner.predict([doc])[0]
    assert found.expected_errors == pytest.approx(whole.expected_errors, rel=0.2)


def test_preset_entities_are_certain(uncertain, examples):
    nlp: Language = loaded_again(uncertain)
    text = next(eg.text for eg in examples if nlp(eg.text).ents)
    ents = nlp(text).ents
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(
        [{"label": ent.label_, "pattern": list_pattern(ent.text)} for ent in ents]
    )
    (doc,) = nlp.pipe([text], disable=["lstm_ner"])
    assert len(doc.ents) >= len(ents)
    ner = nlp.get_pipe("lstm_ner")
    (found,) = ner.uncertainty([doc])
    (without,) = ner.uncertainty([nlp.make_doc(text)])
    assert found.entities == ner.predict([doc])[0]
    assert found.log_probability > without.log_probability
    assert found.expected_errors < without.expected_errors
