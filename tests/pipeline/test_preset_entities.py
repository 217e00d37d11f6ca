"""Preset entities and blocked spans: annotated before the component runs."""

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_lstm_ner.tags import ScoredSpan

from ..helpers.pipelines import SMALL_MODEL, found, train


@pytest.fixture(scope="module", params=["BIO", "BIOES"])
def uncertain(request, examples):
    """A pipeline with many uncertain entities and high transition scores."""
    nlp = spacy.blank("zh")
    config = {"scheme": request.param, "model": SMALL_MODEL}
    ner = nlp.add_pipe("lstm_ner", config=config)
    train(nlp, examples, steps=15)
    ner.model.get_ref("crf").get_param("transitions")[:] *= 5
    return nlp


def with_entity(nlp, text, *entities, blocked=()):
    doc = nlp.make_doc(text)
    doc.set_ents(
        [doc.char_span(start, end, label=label) for start, end, label in entities],
        blocked=[doc.char_span(start, end) for start, end in blocked],
        default="missing",
    )
    return doc


def test_the_best_analysis_with_the_preset_entity_is_found(uncertain, examples):
    """Compared with the n best analyses without preset entities."""
    ner = uncertain.get_pipe("lstm_ner")
    tried = longer = 0
    for text in sorted({eg.text for eg in examples}, key=len)[:6]:
        (analyses,) = ner.n_best([uncertain.make_doc(text)], 1500)
        for entity in sorted({e for a in analyses[:40] for e in a.entities}):
            with_it = [a for a in analyses if entity in a.entities]
            expected = with_it[0]
            doc = ner(with_entity(uncertain, text, entity))
            assert tuple(found(doc)) == expected.entities
            (again,) = ner.n_best([with_entity(uncertain, text, entity)], 1)
            others = tuple(e for e in expected.entities if e != entity)
            assert again[0].entities == others
            tried += 1
            longer += any(
                e.start == entity.start and e.end > entity.end
                for e in analyses[0].entities
            )
    assert tried > 20 and longer > 0


def test_probabilities_are_conditional_on_the_preset_entity(uncertain, examples):
    ner = uncertain.get_pipe("lstm_ner")
    text = examples[0].text[15:23]
    (analyses,) = ner.n_best([uncertain.make_doc(text)], 4000)
    assert sum(a.probability for a in analyses) > 0.98
    for entity in (entity for a in analyses for entity in a.entities):
        with_it = [a for a in analyses if entity in a.entities]
        if len(with_it[0].entities) > 1:
            break
    total = sum(a.probability for a in with_it)
    (spans,) = ner.predict([with_entity(uncertain, text, entity)])
    assert spans
    for start, end, label, score in spans:
        mass = sum(a.probability for a in with_it if (start, end, label) in a.entities)
        assert score == pytest.approx(mass / total, abs=0.03)


def test_preset_entities_are_not_in_the_span_group(uncertain, examples):
    text = examples[0].text
    doc = uncertain.get_pipe("lstm_ner")(with_entity(uncertain, text, (14, 22, "ORG")))
    group = doc.spans["lstm_ner"]
    assert (14, 22, "ORG") in found(doc)
    assert [s for s in doc.ents if s.start != 14] == list(group)
    assert len(group.attrs["scores"]) == len(group)


def test_unknown_labels_and_blocked_spans_are_outside(uncertain, examples):
    ner = uncertain.get_pipe("lstm_ner")
    text = examples[0].text
    (rule,) = ner.n_best([with_entity(uncertain, text, (14, 22, "RULE"))], 1)
    (blocked,) = ner.n_best([with_entity(uncertain, text, blocked=[(14, 22)])], 1)
    assert rule == blocked
    doc = ner(with_entity(uncertain, text, (14, 22, "RULE")))
    assert (14, 22, "RULE") in found(doc)
    assert all(
        span.end_char <= 14 or span.start_char >= 22 for span in doc.spans["lstm_ner"]
    )


def test_adjacent_preset_entities_and_preset_entities_at_the_edges(uncertain):
    ner = uncertain.get_pipe("lstm_ner")
    text = "高勇任职北京"
    entities = [(0, 2, "NAME"), (2, 4, "NAME"), (4, 5, "ORG"), (5, 6, "ORG")]
    doc = ner(with_entity(uncertain, text, *entities))
    assert found(doc) == entities
    assert list(doc.spans["lstm_ner"]) == []


def test_other_annotation_of_the_doc_is_unchanged(uncertain):
    ner = uncertain.get_pipe("lstm_ner")
    words = list("高勇任职于北京大学")
    annotation = {
        "tags": ["T"] * 9,
        "pos": ["NOUN"] * 9,
        "lemmas": words,
        "heads": [0] * 9,
        "deps": ["dep"] * 9,
        "sent_starts": [True] + [False] * 8,
    }
    doc = Doc(uncertain.vocab, words=words, spaces=[False] * 9, **annotation)
    kept = Span(doc, 5, 9, "ORG", kb_id="Q1", span_id="s1")
    doc.set_ents([kept], blocked=[doc[2:3]], default="missing")
    doc.spans["other"] = [doc[1:3]]
    doc.user_data["mine"] = 1
    doc.cats["c"] = 0.5
    attrs = ["TAG", "POS", "LEMMA", "HEAD", "DEP", "SENT_START"]
    before = doc.to_array(attrs).tolist()
    ner(doc)
    (ent,) = [ent for ent in doc.ents if ent.start == 5]
    assert (ent.end, ent.label_, ent.kb_id_, ent.id_) == (9, "ORG", "Q1", "s1")
    assert (doc[2].ent_iob_, doc[2].ent_type_) == ("B", "")
    assert doc.to_array(attrs).tolist() == before
    assert [(s.start, s.end) for s in doc.spans["other"]] == [(1, 3)]
    assert doc.user_data == {"mine": 1} and doc.cats == {"c": 0.5}
    assert all(token.ent_iob_ != "" for token in doc)


def test_an_entity_that_overlaps_a_preset_one_when_expanded_is_unplaced():
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    doc = nlp.make_doc("Anna lives here")
    doc.set_ents([Span(doc, 1, 2, "KEPT")], default="missing")
    ner.set_annotations([doc], [[ScoredSpan(0, 7, "X", 0.9)]])
    assert found(doc) == [(5, 10, "KEPT")]
    assert doc.spans["lstm_ner"].attrs["unplaced"] == [[0, 7, "X", 0.9]]
