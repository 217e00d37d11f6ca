"""Inspection of a component whose entities may overlap."""

import numpy as np
import pytest
from spacy.tokens import Span

from spacy_lstm_ner.inspect import explain, open_gates, rank_units
from spacy_lstm_ner.interpret.attribution import UNKNOWN
from spacy_lstm_ner.interpret.words import tags_in_words
from spacy_lstm_ner.layers.viterbi import path_scores
from spacy_lstm_ner.pages.attribution_page import attribution_page
from spacy_lstm_ner.pages.gates_page import gates_page

from ..helpers.pipelines import loaded_again

TEXT = "4月27日，泓霁化工公司在中国（绵阳）自由贸易区设立海口大学音乐系。"


@pytest.fixture(scope="module")
def ner(trained_nested):
    return trained_nested.get_pipe("lstm_nested_ner")


@pytest.fixture(scope="module")
def gates(trained_nested):
    return open_gates(trained_nested, TEXT)


@pytest.fixture(scope="module")
def explanation(trained_nested):
    return explain(trained_nested, TEXT)


def spans(doc):
    return [(s.start_char, s.end_char, s.label_) for s in doc.spans["sc"]]


def log_odds(p):
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p / (1 - p))


def test_paths_have_the_entities(gates, ner, trained_nested):
    doc = trained_nested(TEXT)
    assert [span[:3] for span in gates.entities] == spans(doc)
    n_crfs = len(ner.labels) * ner.depth
    assert gates.path.shape == (n_crfs, len(TEXT)) and gates.path is gates.paths
    assert gates.emissions.shape == (len(TEXT), len(gates.tags))
    np.testing.assert_allclose(gates.emissions, ner.model.predict([doc])[0], atol=1e-5)
    # Every entity begins on one of the paths of its label, and nothing else does.
    begins = sorted(
        (position, gates.tags[index][2:])
        for path in gates.paths
        for position, index in enumerate(path.tolist())
        if index >= 0 and gates.tags[index][0] in "BS"
    )
    assert begins == sorted((start, label) for start, _, label in spans(doc))
    assert len(begins) > len({start for start, _ in begins})
    # The CRFs inside of entities read only these.
    for label_index, label in enumerate(ner.labels):
        read = gates.paths[label_index * ner.depth + 1] >= 0
        inside = np.zeros(len(TEXT), dtype=bool)
        for start, end, its_label in spans(doc):
            if its_label == label and end - start > 1:
                inside[start:end] = True
        assert (read <= inside).all()


def test_the_first_path_of_a_label_is_the_best_one(gates, ner):
    from thinc.types import Ragged

    from spacy_lstm_ner.layers.label_crfs import OneCRF

    rng = np.random.default_rng(0)
    crf = OneCRF(ner.model.get_ref("crf"), 0)
    rows = Ragged(gates.emissions[:, crf.columns], np.array([len(TEXT)]))
    best = path_scores(crf, rows, gates.paths[0])
    for _ in range(50):
        spans = []
        start = 0
        while start < len(TEXT):
            end = start + int(rng.integers(1, 8))
            if rng.random() < 0.4 and end <= len(TEXT):
                spans.append((start, end, *ner.state.tags.labels))
            start = end
        other = ner.state.tags.ids_from_spans(spans, len(TEXT))
        assert path_scores(crf, rows, other.astype("int64")) <= best + 1e-6


def test_tags_in_words(gates):
    for position, tags in enumerate(gates.path_tags):
        said = tags_in_words(gates, position)
        if tags == "O":
            assert said.startswith("The best paths have O for all labels here; ")
        for tag in tags.split():
            assert tag in said
    several = [k for k, tags in enumerate(gates.path_tags) if " " in tags]
    assert several and " and " in tags_in_words(gates, several[0])


def test_a_contribution_is_the_decrease_without_the_character(
    explanation, ner, trained_nested
):
    assert [one.entity[:3] for one in explanation.entities] == spans(
        trained_nested(TEXT)
    )
    asked = [one.entity[:3] for one in explanation.entities]
    for k in range(0, len(TEXT), 5):
        docs = [
            trained_nested.make_doc(TEXT[:k] + char + TEXT[k + 1 :]) for char in UNKNOWN
        ]
        without = np.array(ner.probabilities(docs, [asked] * len(docs)))
        for one, p in zip(explanation.entities, without.T, strict=True):
            expected = log_odds(one.entity.score) - np.mean(log_odds(p))
            assert one.contributions[k] == pytest.approx(expected, abs=0.02)


def test_runners_up(explanation, ner, trained_nested):
    (analyses,) = ner.n_best([trained_nested.make_doc(TEXT)], 200)
    assert explanation.analyses == analyses[:5]
    checked = 0
    for one in explanation.entities:
        assert one.entity[:3] not in one.runner_up.entities
        assert one.margin >= 0
        lacking = [a for a in analyses if one.entity[:3] not in a.entities]
        if lacking:
            checked += 1
            p = lacking[0].probability
            assert one.runner_up.probability <= p * (1 + 1e-6)
            same = [a for a in lacking if a.entities == one.runner_up.entities]
            if same:
                assert one.runner_up.probability == pytest.approx(same[0].probability)
        ratio = analyses[0].probability / one.runner_up.probability
        assert one.margin == pytest.approx(np.log(ratio))
    assert checked


def test_a_threshold_holds_here_too(trained_nested):
    nlp = loaded_again(trained_nested)
    scores = nlp(TEXT).spans["sc"].attrs["scores"]
    nlp.get_pipe("lstm_nested_ner").threshold = float(np.median(scores))
    expected = spans(nlp(TEXT))
    assert 0 < len(expected) < len(scores)
    assert [one[:3] for one in open_gates(nlp, TEXT).entities] == expected
    assert [one.entity[:3] for one in explain(nlp, TEXT).entities] == expected


def test_units_are_ranked_by_the_entities_of_the_span_group(trained_nested):
    doc = trained_nested.make_doc(TEXT)
    doc.spans["sc"] = [Span(doc, 6, 12, "A"), Span(doc, 6, 8, "B")]
    doc.ents = [Span(doc, 20, 22, "C")]
    ranking = rank_units(trained_nested, doc)
    assert ranking.keys() == {"A", "B"}
    gates = open_gates(trained_nested, TEXT)
    best = ranking["B"][0]
    values = gates.layers[best.layer].hidden[best.direction, :, best.unit]
    inside = np.isin(np.arange(len(TEXT)), (6, 7))
    expected = np.corrcoef(values, inside)[0, 1]
    assert best.correlation == pytest.approx(expected, abs=1e-4)


def test_the_page_has_a_row_of_bars_for_each_level(
    gates, explanation, trained_nested, open_page
):
    page = open_page(gates_page(gates, explanation=explanation))
    bars = page.locator(".bar")
    assert bars.count() == len(gates.entities)
    boxes = [bar.bounding_box() for bar in bars.all()]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart_x = (
                one["x"] >= other["x"] + other["width"] - 1
                or other["x"] >= one["x"] + one["width"] - 1
            )
            apart_y = abs(one["y"] - other["y"]) >= one["height"] - 1
            assert apart_x or apart_y
    # An entity inside of another one is below it.
    outer, inner = next(
        (i, k)
        for i, a in enumerate(gates.entities)
        for k, b in enumerate(gates.entities)
        if i != k and a.start <= b.start and b.end <= a.end
    )
    assert boxes[inner]["y"] > boxes[outer]["y"]
    char = page.locator(".char").first.bounding_box()
    assert char["y"] >= max(box["y"] + box["height"] for box in boxes) - 1
    # A path for each CRF that found an entity, with its label as the name.
    shown = page.locator(".line").first.locator(".names .path").all_text_contents()
    labels = {entity.label for entity in gates.entities}
    assert {name.removesuffix(", inside") for name in shown} == labels
    page.locator(".char").nth(7).hover()
    assert "The best paths have" in page.locator("#words").inner_text()
    assert len(attribution_page(explanation)) > 1000
