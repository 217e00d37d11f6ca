"""Probabilities, the threshold, and the n best analyses."""

import numpy as np
import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import Doc, DocBin

from spacy_lstm_ner.tags import ScoredSpan

from ..helpers.pipelines import SMALL_MODEL, TOKEN_MODEL, copy_of, found, train


@pytest.fixture(scope="module")
def uncertain(examples):
    """A pipeline that was trained for few steps."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    return train(nlp, examples, steps=25)


def with_settings(nlp, **settings):
    config = nlp.config.copy()
    config["components"]["lstm_ner"].update(settings)
    return spacy.blank(nlp.lang).from_config(config).from_bytes(nlp.to_bytes())


def scores_of(doc):
    group = doc.spans["lstm_ner"]
    assert [(s.start_char, s.end_char, s.label_) for s in group] == found(doc)
    assert group.attrs["scores"].shape == (len(doc.ents),)
    return group.attrs["scores"].tolist()


def test_scores_correspond_to_the_entities(uncertain, examples):
    texts = [eg.text for eg in examples[:20]] + ["", " ", "好"]
    scores = [scores_of(doc) for doc in uncertain.pipe(texts)]
    all_scores = np.concatenate(scores)
    assert all_scores.min() < 0.4 < 0.7 < all_scores.max() <= 1.0
    assert scores[-3:] == [[], [], []]
    for text, expected in zip(texts, scores, strict=True):
        assert scores_of(uncertain(text)) == pytest.approx(expected, abs=1e-4)


def test_score_is_the_sum_of_all_analyses_with_the_entity(uncertain, examples):
    ner = uncertain.get_pipe("lstm_ner")
    text = min((eg.text for eg in examples if uncertain(eg.text).ents), key=len)[:12]
    doc = uncertain(text)
    (analyses,) = ner.n_best([uncertain.make_doc(text)], 3000)
    assert sum(a.probability for a in analyses) == pytest.approx(1.0, abs=1e-3)
    for entity, score in zip(found(doc), scores_of(doc), strict=True):
        mass = sum(a.probability for a in analyses if entity in a.entities)
        assert score == pytest.approx(mass, abs=1e-3)


def test_n_best_analyses(uncertain, examples):
    ner = uncertain.get_pipe("lstm_ner")
    texts = [examples[0].text, "", "  ", examples[1].text]
    docs = [uncertain.make_doc(text) for text in texts]
    many = ner.n_best(docs, 20)
    for text, analyses in zip(texts, many, strict=True):
        assert list(analyses[0].entities) == found(uncertain(text))
        probabilities = [a.probability for a in analyses]
        assert probabilities == sorted(probabilities, reverse=True)
        assert len({a.entities for a in analyses}) == len(analyses)
        assert sum(probabilities) <= 1.0 + 1e-9
    assert len(many[0]) == len(many[3]) == 20
    assert many[1] == [(1.0, ())]
    # An entity of white space only is left out.
    assert [a.entities for a in many[2]] == [()]
    assert all(doc.ents == () and not doc.spans for doc in docs)
    (few,) = ner.n_best(docs[:1], 3)
    assert [a.entities for a in few] == [a.entities for a in many[0][:3]]
    assert ner.n_best(docs[1:2], 3) == [[(1.0, ())]]
    with pytest.raises(ValueError, match="n = 0"):
        ner.n_best(docs, 0)


def test_scores_are_saved_with_the_doc(uncertain, examples):
    doc = uncertain(examples[0].text)
    group = doc.spans["lstm_ner"]
    group.attrs["unplaced"].append([0, 1, "A", 0.5])
    in_bin = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes())
    for copy in (
        Doc(uncertain.vocab).from_bytes(doc.to_bytes()),
        next(in_bin.get_docs(uncertain.vocab)),
        doc.copy(),
    ):
        assert scores_of(copy) == scores_of(doc) != []
        assert copy.spans["lstm_ner"].attrs["unplaced"] == [[0, 1, "A", 0.5]]


def test_the_threshold_removes_less_probable_entities(uncertain, examples):
    text = max((eg.text for eg in examples), key=lambda text: len(uncertain(text).ents))
    doc = uncertain(text)
    scores = scores_of(doc)
    median = sorted(scores)[len(scores) // 2]
    nlp = with_settings(uncertain, threshold=median)
    expected = [e for e, p in zip(found(doc), scores, strict=True) if p >= median]
    assert 0 < len(expected) < len(scores)
    assert found(nlp(text)) == expected
    assert scores_of(nlp(text)) == [p for p in scores if p >= median]


def test_the_span_group_is_optional(uncertain, examples):
    nlp = with_settings(uncertain, spans_key=None)
    assert not nlp(examples[0].text).spans
    assert found(nlp(examples[0].text)) == found(uncertain(examples[0].text)) != []
    other = with_settings(uncertain, spans_key="other")
    assert list(other(examples[0].text).spans) == ["other"]


@pytest.mark.parametrize("threshold", [-0.1, 1.5])
def test_an_invalid_threshold_is_reported(threshold):
    with pytest.raises(
        ValueError,
        match=f"threshold = {threshold} is not a probability: set it to a number",
    ):
        spacy.blank("zh").add_pipe("lstm_ner", config={"threshold": threshold})


def test_find_threshold(uncertain, examples, tmp_path):
    uncertain.to_disk(tmp_path / "model")
    DocBin(docs=[eg.reference for eg in examples]).to_disk(tmp_path / "dev.spacy")
    best, best_score, scores = find_threshold(
        *(tmp_path / "model", tmp_path / "dev.spacy"),
        *("lstm_ner", "threshold", "ents_f"),
        n_trials=6,
    )
    assert list(scores) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert scores[best] == best_score == max(scores.values())
    for threshold, score in list(scores.items())[:5:2]:
        nlp = with_settings(uncertain, threshold=threshold)
        evaluated = nlp.evaluate([copy_of(nlp, eg) for eg in examples])
        assert evaluated["ents_f"] == pytest.approx(score)
    assert len({*scores.values()}) > 2


# Entities that share a token, or cannot be aligned


def set_spans(words, spans, **settings):
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL, **settings})
    doc = nlp.make_doc(words)
    ner.set_annotations([doc], [[ScoredSpan(*span) for span in spans]])
    return doc


def test_the_more_probable_entity_gets_the_token():
    spans = [(0, 7, "LONG", 0.4), (7, 9, "SHORT", 0.6), (10, 12, "NEXT", 0.3)]
    doc = set_spans("New York here", spans)
    assert found(doc) == [(4, 8, "SHORT"), (9, 13, "NEXT")]
    assert scores_of(doc) == [0.6, 0.3]
    assert doc.spans["lstm_ner"].attrs["unplaced"] == [[0, 7, "LONG", 0.4]]


def test_unplaced_entities_have_character_offsets():
    doc = set_spans(
        "Anna lives here",
        [(0, 4, "A", 0.9), (5, 8, "B", 0.8), (10, 13, "C", 0.7)],
        alignment_mode="strict",
    )
    assert scores_of(doc) == [0.9]
    assert doc.spans["lstm_ner"].attrs["unplaced"] == [
        [5, 8, "B", 0.8],
        [11, 13, "C", 0.7],
    ]


def test_a_second_pass_keeps_the_probabilities(trained, examples):
    doc = trained(examples[0].reference.text)
    first = list(doc.spans["lstm_ner"].attrs["scores"])
    assert first and found(doc)
    before = found(doc)
    trained.get_pipe("lstm_ner")(doc)
    assert found(doc) == before
    group = doc.spans["lstm_ner"]
    assert [(s.start_char, s.end_char, s.label_) for s in group] == before
    np.testing.assert_allclose(group.attrs["scores"], first)


# The probability of any entity


def bounds(analyses, holds):
    """Bounds of a probability, given the most probable analyses."""
    seen = sum(a.probability for a in analyses)
    assert 0.97 < seen < 1 + 1e-6
    mass = sum(a.probability for a in analyses if holds(a.entities))
    return mass - 1e-6, mass + 1 - seen + 1e-6


def test_the_probability_of_an_entity_is_the_sum_of_all_analyses_with_it(
    uncertain, examples
):
    ner = uncertain.get_pipe("lstm_ner")
    texts = [examples[0].text[15:19], "", examples[1].text[:4]]
    docs = [uncertain.make_doc(text) for text in texts]
    all_analyses = ner.n_best(docs, 3000)
    asked = [sorted({e for a in few for e in a.entities}) for few in all_analyses]
    assert len(asked[0]) > 50 and asked[1] == []
    actual = ner.probabilities(docs, (few[::-1] for few in asked))
    for analyses, entities, few in zip(all_analyses, asked, actual, strict=True):
        for entity, probability in zip(entities[::-1], few, strict=True):
            low, high = bounds(analyses, lambda entities, e=entity: e in entities)
            assert low <= probability <= high
    assert max(actual[0] + actual[2]) > 0.2
    assert all(doc.ents == () and not doc.spans for doc in docs)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_probability_of_no_entity(examples, scheme):
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL, "scheme": scheme})
    train(nlp, examples, steps=25)
    doc = nlp.make_doc(examples[0].text[18:22] + "，")
    (analyses,) = ner.n_best([doc], 3000)
    segments = [(0, 5, ""), (0, 1, ""), (2, 4, ""), (4, 5, "")]
    (actual,) = ner.probabilities([doc], [segments])
    for (start, end, _), probability in zip(segments, actual, strict=True):
        low, high = bounds(
            analyses,
            lambda entities, s=start, e=end: all(
                entity.end <= s or entity.start >= e for entity in entities
            ),
        )
        assert low <= probability <= high
    assert max(actual) > 0.5


def test_the_probability_of_an_impossible_entity_is_0(trained, examples):
    ner = trained.get_pipe("lstm_ner")
    doc = trained.make_doc(examples[0].text)
    assert ner.probabilities([doc], [[(0, 2, "PLANET")]]) == [[0.0]]
    assert ner.probabilities([doc], [[]]) == [[]]
    assert ner.probabilities([], []) == []
    for start, end in ((0, len(doc.text) + 1), (3, 3), (-1, 2)):
        with pytest.raises(ValueError, match=f"no characters {start} to {end}, only"):
            ner.probabilities([doc], [[(start, end, "ORG")]])


def test_probabilities_with_preset_entities(trained, examples):
    """Preset entities have probability 1, and entities that overlap them 0."""
    ner = trained.get_pipe("lstm_ner")
    doc = trained.make_doc(examples[0].text)
    doc.ents = [doc.char_span(0, 3, label="ORG")]
    asked = [(0, 3, "ORG"), (0, 2, "NAME"), (1, 2, ""), (2, 4, "ORG")]
    (found,) = ner.probabilities([doc], [asked])
    assert found[0] == pytest.approx(1.0, abs=1e-6) and found[1:] == [0.0, 0.0, 0.0]


def test_probabilities_of_tokens(examples):
    nlp = spacy.blank("en")
    config = {"unit": "token", "model": TOKEN_MODEL}
    ner = nlp.add_pipe("lstm_ner", config=config)
    ner.add_label("A")
    nlp.initialize()
    doc = nlp.make_doc("Anna lives here")
    asked = [(0, 4, "A"), (0, 3, "A"), (5, 10, "A"), (0, 15, ""), (0, 8, "")]
    (actual,) = ner.probabilities([doc], [asked])
    (analyses,) = ner.n_best([doc], 1000)
    for probability, (start, end, label) in zip(actual, asked[:4], strict=False):
        mass = sum(
            a.probability
            for a in analyses
            if ((start, end, label) in a.entities if label else not a.entities)
        )
        assert probability == pytest.approx(mass, abs=1e-5)
    assert actual[1] == 0.0 < actual[3] < actual[4]
    # A part of a token cannot be an entity, but may be outside of entities.
    assert ner.probabilities([doc], [[(0, 10, "")]]) == [[actual[4]]]
