"""Ranking of hidden units, compared with NumPy's correlation."""

import numpy as np
import pytest

from spacy_lstm_ner.inspect import open_gates, rank_units
from spacy_lstm_ner.interpret.ranking import _Sums

from ..helpers.pipelines import copy_of, train, with_shared_tok2vec


@pytest.fixture(scope="module")
def corpus(examples):
    return [eg.reference for eg in examples]


@pytest.mark.parametrize("state", ["hidden", "forget_gate"])
def test_it_is_the_correlation(trained, corpus, state):
    ranking = rank_units(trained, corpus, state=state)
    values, inside = [], {label: [] for label in ranking}
    for doc in corpus:
        (layer,) = open_gates(trained, doc.text).layers
        values.append(np.hstack(list(getattr(layer, state))))
        for label, masks in inside.items():
            mask = np.zeros(len(doc.text))
            for ent in doc.ents:
                if ent.label_ == label:
                    mask[ent.start_char : ent.end_char] = 1
            masks.append(mask)
    x = np.vstack(values)
    assert set(ranking) == {ent.label_ for doc in corpus for ent in doc.ents}
    for label, ranked in ranking.items():
        y = np.concatenate(inside[label])
        assert len({r[:4] for r in ranked}) == len(ranked) == x.shape[1]
        sizes = [abs(r.correlation) for r in ranked]
        assert sizes == sorted(sizes, reverse=True)
        for r in ranked[:3]:
            column = x[:, r.direction * 16 + r.unit]
            expected = np.corrcoef(column, y)[0, 1]
            assert r.correlation == pytest.approx(expected, abs=1e-4)


def test_docs_with_predicted_entities(trained, examples):
    docs = list(trained.pipe(copy_of(trained, eg).predicted for eg in examples))
    assert rank_units(trained, docs)["NAME"][0].label == "NAME"


def test_a_shared_tok2vec_and_small_batches(examples):
    nlp = with_shared_tok2vec()
    train(nlp, examples, steps=2)
    docs = [eg.reference for eg in examples[:20]]
    expected = rank_units(nlp, docs)
    nlp.batch_size = 3
    for label, ranked in rank_units(nlp, docs).items():
        assert [r[:4] for r in ranked[:3]] == [r[:4] for r in expected[label][:3]]
    assert rank_units(nlp, docs[0])


def test_a_constant_hidden_unit_has_no_correlation():
    sums = _Sums(2)
    x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    sums.add(x, {"A": np.array([False, True, False])})
    ((label, correlation),) = sums.correlations()
    assert label == "A"
    assert correlation.tolist() == pytest.approx([0.0, 1.0])


def test_errors(trained, corpus):
    with pytest.raises(ValueError, match="Unknown state 'gate': use input_gate, f"):
        rank_units(trained, corpus, state="gate")
    with pytest.raises(ValueError, match="The corpus contains no entities"):
        rank_units(trained, [trained.make_doc("王芳")])
