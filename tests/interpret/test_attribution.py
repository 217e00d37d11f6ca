"""Why entities were found, against the component asked by hand."""

import numpy as np
import pytest
import spacy

from spacy_lstm_ner.inspect import explain
from spacy_lstm_ner.interpret.attribution import UNKNOWN
from spacy_lstm_ner.pages.attribution import why_page

from ..helpers.pipelines import found, list_pattern, loaded_again, token_config, train


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


def test_the_runner_up_is_the_best_analysis_without_the_entity(trained, examples):
    """Against a long list of analyses, for all entities that one of these lacks."""
    checked = 0
    for example in examples[:8]:
        told = explain(trained, example.text)
        (analyses,) = trained.get_pipe("lstm_ner").n_best(
            [trained.make_doc(example.text)], 60
        )
        assert told.analyses == analyses[: len(told.analyses)]
        ratio = analyses[0].probability / analyses[1].probability
        assert told.margin == pytest.approx(np.log(ratio), abs=1e-4)
        for why in told.entities:
            assert why.runner_up is not None
            assert why.entity[:3] not in why.runner_up.entities
            lacking = [a for a in analyses if why.entity[:3] not in a.entities]
            if not lacking:
                assert why.runner_up.probability <= analyses[-1].probability * 1.001
                continue
            checked += 1
            assert why.runner_up.entities == lacking[0].entities
            expected = lacking[0].probability
            assert why.runner_up.probability == pytest.approx(expected, rel=1e-3)
            ratio = analyses[0].probability / expected
            assert why.margin == pytest.approx(np.log(ratio), abs=1e-3)
    assert checked > 5


def test_a_text_longer_than_a_window_is_read_whole(trained, examples):
    text = examples[0].text
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").window = 16
    for why, whole in zip(
        explain(nlp, text).entities, explain(trained, text).entities, strict=True
    ):
        assert why.entity[:3] == whole.entity[:3]
        np.testing.assert_allclose(why.added, whole.added, atol=1e-3)


def test_entities_from_before_are_in_no_analysis(trained, examples):
    text = examples[0].text
    nlp = loaded_again(trained)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "EDU", "pattern": list_pattern(text[:2])}])
    told = explain(nlp, text)
    assert told.entities
    for analysis in (*told.analyses, *(why.runner_up for why in told.entities)):
        assert (0, 2, "EDU") not in analysis.entities


def test_a_doc_is_read_anew(trained, examples):
    """What it was annotated with is no part of the question."""
    text = examples[0].text
    told = explain(trained, trained(text))
    assert [why.entity[:3] for why in told.entities] == found(trained(text))
    calibrated = loaded_again(trained)
    calibrated.get_pipe("lstm_ner").state.temperature = 2.0
    for why, cooler in zip(
        told.entities, explain(calibrated, text).entities, strict=True
    ):
        assert cooler.runner_up.entities == why.runner_up.entities
        assert cooler.margin == pytest.approx(why.margin / 2, rel=1e-3)


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
