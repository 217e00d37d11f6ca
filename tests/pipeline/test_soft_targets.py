"""Soft targets: what a component gives as a teacher, what is stored, and what another
component learns from them."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_lstm_ner.data.gold_and_silver import set_weight
from spacy_lstm_ner.data.soft_targets import (
    KEY,
    SoftTargets,
    get_soft_targets,
    has_soft_targets,
    set_soft_targets,
    soft_labels,
)
from spacy_lstm_ner.pipeline.soft_targets import mean_targets, soft_paths
from spacy_lstm_ner.tags import Span, TagSet

from ..helpers.pipelines import SMALL_MODEL, TOKEN_MODEL, loaded_again, train

TEXTS = ["王芳任教授。", "现任北京大学计算机学院院长。", "王"]


def small(labels, *, seed=0, scale=3.0, **config):
    """A component with random weights that is not too certain of anything."""
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL, **config})
    for label in labels:
        ner.add_label(label)
    fix_random_seed(seed)
    example = Example(nlp.make_doc("王芳"), nlp.make_doc("王芳"))
    nlp.initialize(lambda: [example])
    rng = np.random.default_rng(seed)
    crf = ner.model.get_ref("crf")
    for name in crf.param_names:
        values = rng.standard_normal(crf.get_param(name).shape) * scale
        crf.set_param(name, values.astype("float32"))
    return nlp


def with_targets(nlp, text, targets=None):
    """An example whose reference has the soft targets of a pipeline."""
    ner = nlp.get_pipe("lstm_ner")
    doc = nlp.make_doc(text)
    (found,) = ner.distributions([doc]).soft_targets()
    reference = nlp.make_doc(text)
    set_soft_targets(reference, targets or found)
    return Example(doc, reference)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_expected_counts_are_those_of_all_analyses(scheme):
    nlp = small(["A", "B"], scheme=scheme, scale=1.0, whole_brackets=False)
    ner = nlp.get_pipe("lstm_ner")
    ner.state.temperature = 1.5
    docs = [nlp.make_doc(text) for text in ["王芳任", "教", "王芳"]]
    found = ner.distributions(docs)
    analyses = ner.n_best(docs, 1000)
    for doc, all_of_doc, targets in zip(
        docs, analyses, found.soft_targets(), strict=True
    ):
        n = len(doc.text)
        assert sum(a.probability for a in all_of_doc) == pytest.approx(1)
        tags = np.zeros(targets.tags.shape)
        transitions = np.zeros(targets.transitions.shape)
        for analysis in all_of_doc:
            ids = targets.names.ids_from_spans(analysis.entities, n)
            tags[range(n), ids] += analysis.probability
            np.add.at(transitions, (ids[:-1], ids[1:]), analysis.probability)
        np.testing.assert_allclose(targets.tags, tags, atol=1e-6)
        np.testing.assert_allclose(targets.transitions, transitions, atol=1e-6)


@pytest.mark.parametrize("unit", ["char", "token"])
def test_probabilities_are_those_of_the_component(trained, examples, unit):
    if unit == "char":
        nlp = trained
    else:
        nlp = spacy.blank("zh")
        config = {"unit": "token", "model": TOKEN_MODEL}
        nlp.add_pipe("lstm_ner", config=config)
        train(nlp, examples, steps=10)
    ner = nlp.get_pipe("lstm_ner")
    docs = [nlp.make_doc(text) for text in [*TEXTS, "", "王芳 任 教授"]]
    found = ner.distributions(docs)
    for doc, entities, outside in zip(docs, found.entities, found.outside, strict=True):
        predicted = nlp(doc.text).ents
        spans = [(e.start_char, e.end_char, e.label_) for e in predicted]
        assert [entity[:3] for entity in entities] == spans
        tokens = [(t.idx, t.idx + 1, "") for t in doc]
        (expected,) = ner.probabilities([doc], [tokens])
        np.testing.assert_allclose(outside[[t.idx for t in doc]], expected, atol=1e-6)
    asked = [
        [(0, 2, "NAME"), (0, 1, "ORG"), (0, 1, "NONE")],
        [(2, 6, "ORG"), (2, 11, "ORG"), *(e[:3] for e in found.entities[1])],
        [],
        [],
        [(0, 4, "NAME")],
    ]
    actual = found.probabilities([[Span(*s) for s in some] for some in asked])
    for doc, some, values in zip(docs, asked, actual, strict=True):
        if some:
            expected = ner.probabilities([doc], [some])[0]
            np.testing.assert_allclose(values, expected, atol=1e-6)
        else:
            assert values == []
    if unit == "token":
        with pytest.raises(ValueError, match='unit = "char"'):
            found.soft_targets()


def test_they_are_stored_with_the_doc(trained):
    ner = trained.get_pipe("lstm_ner")
    docs = [trained.make_doc(text) for text in TEXTS]
    expected = ner.distributions(docs).soft_targets()
    assert not has_soft_targets(docs[0]) and soft_labels(docs[0]) == []
    for doc, targets in zip(docs, expected, strict=True):
        set_soft_targets(doc, targets)
    data = DocBin(docs=docs).to_bytes()
    again = list(DocBin().from_bytes(data).get_docs(spacy.blank("zh").vocab))
    for doc, targets in zip(again, expected, strict=True):
        assert has_soft_targets(doc)
        stored = get_soft_targets(doc)
        assert stored.names.labels == tuple(soft_labels(doc))
        assert set(stored.names.labels) <= set(targets.names.labels)
        ids = targets.names.ids_of(stored.names)
        missing = 1e-3 * len(targets.names)
        assert np.abs(stored.tags - targets.tags[:, ids]).max() < missing
        wrong = stored.transitions - targets.transitions[np.ix_(ids, ids)]
        assert np.abs(wrong).max() < 1e-3 * len(targets.names) ** 2
        np.testing.assert_allclose(stored.tags.sum(axis=1), 1)
        assert stored.transitions.sum() == pytest.approx(len(doc.text) - 1)
        assert stored.tags.min() > -1e-6
    # About ten bytes for each character of an entity.
    size = len(docs[1].spans[KEY].to_bytes())
    assert size < 1500


def test_targets_of_another_text(trained):
    example = with_targets(trained, TEXTS[0])
    split = example.reference[:3].as_doc()
    split.spans[KEY] = example.reference.spans[KEY].copy(doc=split)
    with pytest.raises(ValueError, match="for 6 characters, and the text has 3"):
        get_soft_targets(split)


def test_a_teacher_has_nothing_to_learn_from_itself(trained):
    ner = loaded_again(trained).get_pipe("lstm_ner")
    some = [with_targets(trained, text) for text in TEXTS]

    def gradient(ner):
        scores = ner.model.predict([eg.predicted for eg in some])
        return np.concatenate(ner.get_loss(some, scores)[1])

    assert np.abs(gradient(ner)).max() < 5e-3
    assert np.abs(gradient(small(ner.labels).get_pipe("lstm_ner"))).max() > 0.5


@pytest.mark.parametrize("crf", [True, False])
def test_training_approaches_the_teacher(trained, crf):
    examples = [with_targets(trained, text) for text in TEXTS]
    student = spacy.blank("zh")
    model = {**SMALL_MODEL, "@architectures": "spacy-lstm-ner.NER.v1", "crf": crf}
    ner = student.add_pipe("lstm_ner", config={"model": model})
    train(student, examples * 20, steps=80)
    docs = [student.make_doc(text) for text in TEXTS]
    found = ner.distributions(docs).soft_targets()
    for example, targets in zip(examples, found, strict=True):
        expected = get_soft_targets(example.reference)
        ids = targets.names.ids_of(expected.names)
        wrong = np.abs(targets.tags[:, ids] - expected.tags)
        # Without the scores of transitions, no legal paths fit exactly.
        assert wrong.max() < 0.15 if crf else wrong.mean() < 0.02


def test_students_with_other_tags():
    teacher = small(["A", "B"], scale=1.0)
    some = [with_targets(teacher, text) for text in TEXTS]
    targets = [get_soft_targets(eg.reference) for eg in some]
    by_name = {}
    for labels, scheme in [("AB", "BIOES"), ("CBA", "BIOES"), ("BA", "BIO")]:
        tags = TagSet(labels, scheme)
        paths = soft_paths(tags, targets)
        np.testing.assert_allclose(paths.tags.sum(axis=1), 1)
        legal = tags.constraints.transitions
        assert not paths.transitions[:, ~legal].any()
        lengths = [len(text) - 1 for text in TEXTS]
        np.testing.assert_allclose(paths.transitions.sum(axis=(1, 2)), lengths)
        by_name[scheme, labels] = dict(zip(tags.names, paths.tags.T, strict=True))
    same, more, bio = by_name.values()
    for name, values in same.items():
        np.testing.assert_allclose(more[name], values)
    np.testing.assert_allclose(bio["B-A"], same["B-A"] + same["S-A"])
    np.testing.assert_allclose(bio["I-B"], same["I-B"] + same["E-B"])
    assert not more["B-C"].any()


def test_the_mean_of_teachers():
    one, other = (
        with_targets(small(labels, seed=seed, scale=1.0), TEXTS[0]).reference
        for seed, labels in enumerate([["A", "B"], ["B", "A"]])
    )
    a, b = get_soft_targets(one), get_soft_targets(other)
    b_ids = b.names.ids_of(a.names)
    mean = mean_targets([a, b])
    assert mean.names is a.names
    np.testing.assert_allclose(mean.tags, (a.tags + b.tags[:, b_ids]) / 2)
    both = a.transitions + b.transitions[np.ix_(b_ids, b_ids)]
    np.testing.assert_allclose(mean.transitions, both / 2)
    with pytest.raises(KeyError):
        mean_targets([a, SoftTargets(TagSet(["A"]), b.tags[:, :5], both[:5, :5])])


def test_labels_of_soft_targets_are_learned(trained):
    examples = [with_targets(trained, text) for text in TEXTS]
    assert not any(eg.reference.ents for eg in examples)
    student = spacy.blank("zh")
    ner = student.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    student.initialize(lambda: examples)
    assert set(ner.labels) == {
        label for eg in examples for label in soft_labels(eg.reference)
    }


def test_what_a_student_cannot_learn(trained):
    example = with_targets(trained, TEXTS[1])
    nlp = small(["NAME"])
    with pytest.raises(ValueError, match=r"label '\w+' of soft targets is not among"):
        nlp.update([Example(nlp.make_doc(TEXTS[1]), example.reference)])
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"unit": "token", "model": TOKEN_MODEL})
    examples = [Example(nlp.make_doc(TEXTS[1]), example.reference)]
    nlp.initialize(lambda: examples)
    with pytest.raises(ValueError, match="Soft targets are for characters"):
        nlp.update(examples)
    changed = Doc(trained.vocab, list("现任北京大学计算机学院院长 。"))
    with pytest.raises(ValueError, match="tokenizer of the pipeline has changed"):
        trained.get_pipe("lstm_ner").get_loss(
            [Example(changed, example.reference)],
            trained.get_pipe("lstm_ner").model.predict([changed]),
        )


@pytest.mark.parametrize("kind", ["gold", "soft", "mixed", "incorrect spans"])
def test_weights(trained, kind):
    """The loss is multiplied by the weight, and an example with the weight 0 has no
    effect."""
    nlp = small(trained.get_pipe("lstm_ner").labels)
    ner = nlp.get_pipe("lstm_ner")
    ner.incorrect_spans_key = "incorrect"
    examples = []
    for i, text in enumerate(TEXTS):
        example = with_targets(trained, text)
        if kind == "gold" or (kind == "mixed" and i == 1) or kind == "incorrect spans":
            reference = trained(text)
            del reference.spans["lstm_ner"]
            if kind == "incorrect spans":
                reference.spans["incorrect"] = [reference.char_span(0, 1, label="ORG")]
                reference.ents = []
            example = Example(example.predicted, reference)
        examples.append(example)

    crf = ner.model.get_ref("crf")

    def loss_and_gradients(some):
        for name in crf.param_names:
            crf.set_grad(name, crf.get_param(name) * 0)
        scores = ner.model.predict([eg.predicted for eg in some])
        loss, d_scores = ner.get_loss(some, scores)
        gradients = [crf.get_grad(name) for name in crf.param_names]
        return loss, d_scores, gradients

    one_by_one = [loss_and_gradients([eg]) for eg in examples]
    weights = [2.0, 0.0, 0.5]
    for example, weight in zip(examples, weights, strict=True):
        set_weight(example.reference, weight)
    loss, d_scores, gradients = loss_and_gradients(examples)
    rows = list(zip(weights, one_by_one, d_scores, strict=True))
    assert loss == pytest.approx(sum(w * own[0] for w, own, _ in rows), rel=1e-4)
    for weight, (_, (own,), _), found in rows:
        np.testing.assert_allclose(found, weight * own, atol=1e-5)
    for i, gradient in enumerate(gradients):
        parts = [w * own[2][i] for w, own, _ in rows]
        np.testing.assert_allclose(gradient, sum(parts), atol=1e-4)


def test_preset_entities_have_no_distribution(trained):
    doc = trained(TEXTS[0])
    with pytest.raises(ValueError, match="Another component has set entities"):
        trained.get_pipe("lstm_ner").distributions([doc])
