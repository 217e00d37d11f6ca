"""Why entities were found, against the component asked by hand."""

import numpy as np
import pytest
import spacy

from spacy_lstm_ner.inspect import explain
from spacy_lstm_ner.inspect.why import UNKNOWN
from spacy_lstm_ner.pages.why import why_page

from ..conftest import found, train
from ..test_pipeline import token_config


def log_odds(p):
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p / (1 - p))


def test_what_a_character_adds_is_what_is_lost_without_it(trained, examples):
    text = examples[0].text
    ner = trained.get_pipe("lstm_ner")
    told = explain(trained, text)
    assert [why.entity[:3] for why in told.entities] == found(trained(text))
    for why in told.entities[:2]:
        asked = [why.entity[:3]]
        for k in range(len(text)):
            without = [
                ner.probabilities(
                    [trained.make_doc(text[:k] + char + text[k + 1 :])], [asked]
                )[0][0]
                for char in UNKNOWN
            ]
            expected = log_odds(why.entity.score) - np.mean(log_odds(without))
            assert why.added[k] == pytest.approx(expected, abs=0.02)


def test_the_characters_of_an_entity_matter_more_than_others(trained, examples):
    inside, outside = [], []
    for example in examples[:10]:
        for why in explain(trained, example.text).entities:
            start, end = why.entity[:2]
            own = np.zeros(len(why.added), dtype=bool)
            own[start:end] = True
            inside.append(np.abs(why.added[own]).mean())
            outside.append(np.abs(why.added[~own]).mean())
    assert np.mean(inside) > 3 * np.mean(outside)


def test_the_runner_up_lacks_the_entity_and_has_the_margin(trained, examples):
    text = examples[0].text
    (analyses,) = trained.get_pipe("lstm_ner").n_best([trained.make_doc(text)], 20)
    told = explain(trained, text)
    assert told.analyses == analyses
    ratio = analyses[0].probability / analyses[1].probability
    assert told.margin == pytest.approx(np.log(ratio), abs=1e-4)
    checked = 0
    for why in told.entities:
        lacking = [a for a in analyses if why.entity[:3] not in a.entities]
        assert (why.runner_up is None) == (not lacking)
        if lacking:
            checked += 1
            assert why.runner_up == lacking[0]
            ratio = analyses[0].probability / lacking[0].probability
            assert why.margin == pytest.approx(np.log(ratio), abs=1e-4)
    assert checked


def test_tokens(examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config=token_config())
    train(nlp, examples, steps=60)
    text = examples[0].text
    told = explain(nlp, text)
    doc = nlp(text)
    assert told.places == [(token.idx, token.idx + len(token)) for token in doc]
    assert [why.entity[:3] for why in told.entities] == found(doc)
    assert all(len(why.added) == len(doc) for why in told.entities)


def test_a_text_without_entities(trained):
    for text in ("", "。", " \n"):
        told = explain(trained, text)
        assert told.entities == []
        assert "No entity was found" in why_page(told)


def test_a_notebook_shows_it(trained, examples):
    html = explain(trained, examples[0].text)._repr_html_()
    assert html.startswith("<iframe") and "less probable" in html
