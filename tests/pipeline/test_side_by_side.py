"""Sourced, frozen, annotating and multiple components."""

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin, Span
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Adam, Config, fix_random_seed

from ..helpers.pipelines import (
    SMALL_MODEL,
    copy_of,
    found,
    loaded_again,
    with_shared_tok2vec,
)


def weights(nlp, name="lstm_ner"):
    return nlp.get_pipe(name).model.to_bytes()


def test_a_sourced_component_predicts_the_same_and_can_be_trained(
    trained, examples, tmp_path
):
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", "people", source=loaded_again(trained))
    texts = [eg.text for eg in examples[:10]]
    assert [found(nlp(t)) for t in texts] == [found(trained(t)) for t in texts]
    assert ner.model.to_bytes() == weights(trained)
    ner.add_label("PLANET")
    batch = [copy_of(nlp, eg) for eg in examples[:5]]
    assert list(nlp.update(batch, sgd=nlp.resume_training())) == ["people"]
    assert ner.model.to_bytes() != weights(trained)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("people").labels == ner.labels


def test_training_with_a_frozen_component(trained, examples):
    """The entities of the other component are preset for the frozen one."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", "people", source=loaded_again(trained))
    config = {"spans_key": "planets", "model": SMALL_MODEL}
    nlp.add_pipe("lstm_ner", "planets", config=config, before="people")
    reference = nlp.make_doc("火星有水，高勇任职。")
    reference.ents = [Span(reference, 0, 2, "PLANET")]
    others = [nlp.make_doc(eg.text) for eg in examples[:10]]
    for doc in others:
        doc.set_ents([], default="outside")
    data = [Example(nlp.make_doc(doc.text), doc) for doc in [reference, *others]]
    before = weights(nlp, "people")
    fix_random_seed(0)
    with nlp.select_pipes(enable="planets"):
        nlp.initialize(lambda: data)
    optimizer = Adam(0.01)
    for _ in range(30):
        batch = [copy_of(nlp, eg) for eg in data]
        losses = nlp.update(batch, sgd=optimizer, exclude=["people"])
        assert list(losses) == ["planets"]
    assert weights(nlp, "people") == before
    for eg in examples[:5]:
        assert found(nlp(eg.text)) == found(trained(eg.text))
    doc = nlp(reference.text)
    assert found(trained(reference.text))[0] == (0, 3, "NAME")
    assert found(doc)[0] == (0, 2, "PLANET") and len(doc.ents) > 1
    assert [span.label_ for span in doc.spans["planets"]] == ["PLANET"]
    assert list(doc.ents) == [*doc.spans["planets"], *doc.spans["lstm_ner"]]


@Language.component("reads_entities")
def reads_entities(doc):
    seen.append(found(doc))
    return doc


seen: list = []


def test_annotations_reach_the_next_component_in_training(trained, examples):
    """`annotating_components`: it receives the predictions, not the gold annotation."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", source=loaded_again(trained))
    nlp.add_pipe("reads_entities")
    batch = [copy_of(nlp, eg) for eg in examples[:4]]
    seen.clear()
    names = ["lstm_ner", "reads_entities"]
    losses = nlp.update(batch, sgd=None, annotates=names, exclude=["lstm_ner"])
    assert losses == {}
    assert seen == [found(trained(eg.text)) for eg in batch] != [[]] * 4
    # Its own predictions in the predicted Doc do not change the loss.
    ner = nlp.get_pipe("lstm_ner")
    fresh = [copy_of(nlp, eg) for eg in examples[:4]]
    for _ in range(2):
        fix_random_seed(0)
        annotated_loss = ner.update(batch)["lstm_ner"]
        fix_random_seed(0)
        assert annotated_loss == pytest.approx(ner.update(fresh)["lstm_ner"])


@pytest.mark.parametrize("frozen", [True, False])
def test_spacy_train_with_a_sourced_component(trained, examples, tmp_path, frozen):
    """A frozen component is unchanged; another one keeps its former model for
    rehearsal."""
    trained.to_disk(tmp_path / "model")
    DocBin(docs=[eg.reference for eg in examples[:20]]).to_disk(tmp_path / "a.spacy")
    config = spacy.blank("zh").config.copy()
    nlp_config = {"pipeline": ["lstm_ner"], "lang": "zh"}
    config["nlp"].update(nlp_config)
    config["components"] = {"lstm_ner": {"source": str(tmp_path / "model")}}
    config["paths"].update(
        train=str(tmp_path / "a.spacy"), dev=str(tmp_path / "a.spacy")
    )
    config["training"].update(max_steps=2, eval_frequency=2)
    config["training"]["score_weights"] = {"ents_f": 1.0}
    if frozen:
        config["training"]["frozen_components"] = ["lstm_ner"]
        config["training"]["annotating_components"] = ["lstm_ner"]
    nlp = init_nlp(Config(config))
    assert weights(nlp) == weights(trained)
    assert (nlp.get_pipe("lstm_ner")._rehearsal_model is None) == frozen
    (tmp_path / "out").mkdir()
    spacy_train(nlp, tmp_path / "out")
    assert (weights(nlp) == weights(trained)) == frozen
    loaded = spacy.load(tmp_path / "out" / "model-last")
    assert weights(loaded) == weights(nlp)


def test_a_listener_can_be_replaced(examples):
    """`nlp.replace_listeners` gives the component a tok2vec of its own."""
    nlp = with_shared_tok2vec()
    fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(3):
        nlp.update([copy_of(nlp, eg) for eg in examples[:20]], sgd=optimizer)
    texts = [eg.text for eg in examples[:10]]
    before = [found(doc) for doc in nlp.pipe(texts)]
    scores = [s.shape for s in nlp.get_pipe("lstm_ner").model.predict([nlp(texts[0])])]
    nlp.replace_listeners("tok2vec", "lstm_ner", ["model.tok2vec"])
    nlp.remove_pipe("tok2vec")
    assert [found(doc) for doc in nlp.pipe(texts)] == before
    again = loaded_again(nlp)
    assert [found(doc) for doc in again.pipe(texts)] == before
    assert scores == [(len(nlp.make_doc(texts[0])), 33)]
