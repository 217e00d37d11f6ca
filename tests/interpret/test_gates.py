"""The gates of a pipeline on a text."""

import numpy as np
import pytest
import spacy

from spacy_lstm_ner.inspect import open_gates

from ..helpers.pipelines import (
    SMALL_MODEL,
    found,
    list_pattern,
    token_config,
    train,
    with_shared_tok2vec,
)


def test_shapes_and_results(trained, examples):
    text = examples[0].text
    gates = open_gates(trained, text)
    n, T = len(text), len(trained.get_pipe("lstm_ner").tags)
    (layer,) = gates.layers
    assert {array.shape for array in layer} == {(2, n, 16)}
    assert gates.units == list(text)
    assert gates.emissions.shape == (n, T)
    assert gates.path.shape == (n,)
    for gate in (layer.input_gate, layer.forget_gate, layer.output_gate):
        assert 0 <= gate.min() < gate.max() <= 1
    assert np.abs(layer.candidate).max() <= 1


def test_entities_and_scores_are_those_of_the_pipeline(trained, examples):
    ner = trained.get_pipe("lstm_ner")
    for example in examples[:5]:
        gates = open_gates(trained, example.text)
        doc = trained(example.text)
        assert [span[:3] for span in gates.entities] == found(doc)
        scores = doc.spans["lstm_ner"].attrs["scores"]
        np.testing.assert_allclose([s.score for s in gates.entities], scores, atol=1e-6)
        np.testing.assert_allclose(
            gates.emissions, ner.model.predict([doc])[0], atol=1e-5
        )
        inside = {k for s, e, _ in found(doc) for k in range(s, e)}
        tagged = {k for k, tag in enumerate(gates.path_tags) if tag != "O"}
        assert inside == tagged


def test_hidden_states_of_the_last_layer_are_the_output_of_the_encoder(
    trained, examples
):
    text = examples[0].text
    tok2vec = trained.get_pipe("lstm_ner").model.get_ref("tok2vec")
    (vectors,) = tok2vec.predict([trained.make_doc(text)])
    hidden = open_gates(trained, text).layers[-1].hidden
    np.testing.assert_allclose(np.hstack(list(hidden)), vectors, atol=1e-5)


def test_layers_are_in_order(examples):
    nlp = spacy.blank("zh")
    encode = {
        "@architectures": "spacy-lstm-ner.LSTMStackEncoder.v1",
        **{"width": 8, "linear_width": 6, "depth": 3, "bi": False},
    }
    embed = SMALL_MODEL["tok2vec"]["embed"]
    config = {"model": {"tok2vec": {"embed": embed, "encode": encode}}}
    nlp.add_pipe("lstm_ner", config=config)
    train(nlp, examples, steps=2)
    gates = open_gates(nlp, "王芳任教授")
    assert [layer.hidden.shape for layer in gates.layers] == [(1, 5, 8)] * 3


def test_tokens_and_a_shared_tok2vec(examples):
    own = spacy.blank("zh")
    own.add_pipe("lstm_ner", config=token_config())
    shared = with_shared_tok2vec()
    for nlp in (own, shared):
        train(nlp, examples, steps=5)
        gates = open_gates(nlp, examples[0].text)
        doc = nlp(examples[0].text)
        assert gates.units == [token.text for token in doc]
        assert gates.layers and gates.layers[0].hidden.shape[1] == len(doc)
        assert [span[:3] for span in gates.entities] == found(doc)


def test_docs_and_preset_entities(trained, examples):
    nlp = spacy.blank("zh").from_config(trained.config).from_bytes(trained.to_bytes())
    text = examples[0].text
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "EDU", "pattern": list_pattern(text[:2])}])
    gates = open_gates(nlp, nlp.make_doc(text))
    assert gates.path_tags[:2] == ["B-EDU", "E-EDU"]
    assert np.isneginf(gates.emissions[0]).sum() == len(gates.tags) - 1
    # A preset entity is not among the predicted ones.
    assert (0, 2, "EDU") not in [span[:3] for span in gates.entities]


def test_the_annotation_of_a_doc_is_ignored(trained, examples):
    doc = trained(examples[0].text)
    before = found(doc)
    gates = open_gates(trained, doc)
    assert [span[:3] for span in gates.entities] == before == found(doc)
    assert np.isfinite(gates.emissions).all()


def test_errors(trained, examples):
    with pytest.raises(ValueError, match="The text is empty"):
        open_gates(trained, "")
    with pytest.raises(
        ValueError, match="no component lstm_ner or lstm_nested_ner, only"
    ):
        open_gates(spacy.blank("zh"), "王芳")
    with pytest.raises(ValueError, match="with the name 'other': use one of"):
        open_gates(trained, "王芳", component="other")
    untrained = spacy.blank("zh")
    untrained.add_pipe("lstm_ner")
    with pytest.raises(ValueError, match="forget to call"):
        open_gates(untrained, "王芳")
    without = spacy.blank("zh")
    encode = {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        **{"width": 96, "window_size": 1, "maxout_pieces": 2, "depth": 1},
    }
    config = {"model": {"tok2vec": {"encode": encode, "embed": {"width": 32}}}}
    without.add_pipe("lstm_ner", config=config)
    train(without, examples, steps=1)
    with pytest.raises(ValueError, match="contains no LSTM"):
        open_gates(without, "王芳")


@pytest.mark.torch
def test_a_pipeline_with_pytorch_has_the_same_gates(trained, examples):
    pytest.importorskip("torch")
    config = trained.config.copy()
    encode = config["components"]["lstm_ner"]["model"]["tok2vec"]["encode"]
    encode["@architectures"] = "spacy-lstm-ner.TorchLSTMEncoder.v1"
    nlp = spacy.blank("zh").from_config(config).from_bytes(trained.to_bytes())
    text = examples[0].text
    ours, theirs = open_gates(trained, text), open_gates(nlp, text)
    for one, other in zip(ours.layers[0], theirs.layers[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_notebooks_display_a_page(trained):
    html = open_gates(trained, "王芳任教授")._repr_html_()
    assert html.startswith("<iframe srcdoc=") and "sandbox" in html
    long = open_gates(trained, "王" * 1001)._repr_html_()
    assert (
        "has more than 1,000 units and is not drawn" in long and "<iframe" not in long
    )
    assert "Gates('王芳任教授', 5 units" in repr(open_gates(trained, "王芳任教授"))
