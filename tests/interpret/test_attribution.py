"""Attribution, compared with probabilities computed by the component."""

import numpy as np
import pytest
import spacy

from spacy_lstm_ner.inspect import explain, open_gates
from spacy_lstm_ner.interpret.attribution import UNKNOWN
from spacy_lstm_ner.pages.attribution_page import attribution_page

from ..helpers.pipelines import found, list_pattern, loaded_again, token_config, train


def log_odds(p):
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p / (1 - p))


def test_a_contribution_is_the_decrease_without_the_character(trained, examples):
    text = examples[0].text
    ner = trained.get_pipe("lstm_ner")
    explanation = explain(trained, text)
    assert [entity.entity[:3] for entity in explanation.entities] == found(
        trained(text)
    )
    for entity in explanation.entities[:2]:
        asked = [entity.entity[:3]]
        for k in range(len(text)):
            without = [
                ner.probabilities(
                    [trained.make_doc(text[:k] + char + text[k + 1 :])], [asked]
                )[0][0]
                for char in UNKNOWN
            ]
            expected = log_odds(entity.entity.score) - np.mean(log_odds(without))
            assert entity.contributions[k] == pytest.approx(expected, abs=0.02)


def test_the_characters_of_an_entity_matter_more_than_others(trained, examples):
    inside, outside = [], []
    for example in examples[:10]:
        for entity in explain(trained, example.text).entities:
            start, end = entity.entity[:2]
            own = np.zeros(len(entity.contributions), dtype=bool)
            own[start:end] = True
            inside.append(np.abs(entity.contributions[own]).mean())
            outside.append(np.abs(entity.contributions[~own]).mean())
    assert np.mean(inside) > 3 * np.mean(outside)


def test_the_runner_up_is_the_best_analysis_without_the_entity(trained, examples):
    """Compared with a long list of analyses, if one of them lacks the entity."""
    checked = 0
    for example in examples[:8]:
        explanation = explain(trained, example.text)
        (analyses,) = trained.get_pipe("lstm_ner").n_best(
            [trained.make_doc(example.text)], 60
        )
        assert explanation.analyses == analyses[: len(explanation.analyses)]
        ratio = analyses[0].probability / analyses[1].probability
        assert explanation.margin == pytest.approx(np.log(ratio), abs=1e-4)
        for entity in explanation.entities:
            assert entity.runner_up is not None
            assert entity.entity[:3] not in entity.runner_up.entities
            lacking = [a for a in analyses if entity.entity[:3] not in a.entities]
            if not lacking:
                assert entity.runner_up.probability <= analyses[-1].probability * 1.001
                continue
            checked += 1
            assert entity.runner_up.entities == lacking[0].entities
            expected = lacking[0].probability
            assert entity.runner_up.probability == pytest.approx(expected, rel=1e-3)
            ratio = analyses[0].probability / expected
            assert entity.margin == pytest.approx(np.log(ratio), abs=1e-3)
    assert checked > 5


def test_long_texts_are_not_split_into_windows(trained, examples):
    text = examples[0].text
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").window = 16
    for entity, whole in zip(
        explain(nlp, text).entities, explain(trained, text).entities, strict=True
    ):
        assert entity.entity[:3] == whole.entity[:3]
        np.testing.assert_allclose(entity.contributions, whole.contributions, atol=1e-3)


def test_preset_entities_are_in_no_analysis(trained, examples):
    text = examples[0].text
    nlp = loaded_again(trained)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "EDU", "pattern": list_pattern(text[:2])}])
    explanation = explain(nlp, text)
    assert explanation.entities
    for analysis in (
        *explanation.analyses,
        *(entity.runner_up for entity in explanation.entities),
    ):
        assert (0, 2, "EDU") not in analysis.entities


def test_the_annotation_of_a_doc_is_ignored(trained, examples):
    text = examples[0].text
    explanation = explain(trained, trained(text))
    assert [entity.entity[:3] for entity in explanation.entities] == found(
        trained(text)
    )
    calibrated = loaded_again(trained)
    calibrated.get_pipe("lstm_ner").state.temperature = 2.0
    for entity, cooler in zip(
        explanation.entities, explain(calibrated, text).entities, strict=True
    ):
        assert cooler.runner_up.entities == entity.runner_up.entities
        assert cooler.margin == pytest.approx(entity.margin / 2, rel=1e-3)


def test_tokens(examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config=token_config())
    train(nlp, examples, steps=60)
    text = examples[0].text
    explanation = explain(nlp, text)
    doc = nlp(text)
    assert explanation.offsets == [(token.idx, token.idx + len(token)) for token in doc]
    assert [entity.entity[:3] for entity in explanation.entities] == found(doc)
    assert all(len(entity.contributions) == len(doc) for entity in explanation.entities)


def test_a_text_without_entities(trained):
    for text in ("", "。", " \n"):
        explanation = explain(trained, text)
        assert explanation.entities == []
        assert "No entities were predicted" in attribution_page(explanation)


def test_former_names(trained, examples):
    explanation = explain(trained, examples[0].text)
    assert explanation.places is explanation.offsets
    entity = explanation.entities[0]
    assert entity.added is entity.contributions
    gates = open_gates(trained, examples[0].text)
    assert gates.places is gates.offsets


def test_notebooks_display_it(trained, examples):
    html = explain(trained, examples[0].text)._repr_html_()
    assert html.startswith("<iframe") and "less probable" in html
