"""Long documents: windows."""

import itertools

import numpy as np
import pytest
import spacy
from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, Model, fix_random_seed

from spacy_lstm_ner.model.units import UNITS
from spacy_lstm_ner.pipeline.windows import batches, windows

from ..helpers.pipelines import found, train


def whole(nlp):
    """The same pipeline without windows."""
    config = nlp.config.copy()
    config["components"]["lstm_ner"]["window"] = None
    return spacy.util.load_model_from_config(config).from_bytes(nlp.to_bytes())


def long_text(examples, n=60):
    return "".join(eg.reference.text for eg in examples[:n])


@pytest.mark.parametrize("unit", ["char", "token"])
@pytest.mark.parametrize("size", [16, 50, 1000])
def test_windows_cover_the_document_once(unit, size):
    rng = np.random.default_rng(size)
    words = ["x" * n for n in rng.integers(1, 6, 300)]
    spaces = rng.integers(0, 2, 300).astype(bool).tolist()
    doc = Doc(spacy.blank("en").vocab, words=words, spaces=spaces)
    units = UNITS[unit]
    found = list(windows([doc], units, size))
    assert found[0].core[0] == 0 and found[-1].core[1] == units.count(doc)
    for one, following in itertools.pairwise(found):
        assert one.core[1] == following.core[0]
    for window in found:
        longest_token = 6 if unit == "char" else 1
        assert window.length == units.count(window.doc) < size + longest_token
        assert window.offset <= window.core[0] < window.core[1]
        # Context on both sides of the core, except at the ends of the document.
        around = size // 8 - longest_token
        assert window.core[0] - window.offset >= around or window.core[0] == 0
        end = window.offset + window.length
        assert end - window.core[1] >= around or window.core[1] == units.count(doc)
        if unit == "char":
            assert doc.text[window.offset : end] == window.doc.text


def test_a_token_longer_than_a_window_is_not_split():
    doc = Doc(spacy.blank("en").vocab, words=["a", "x" * 100, "b"])
    found = list(windows([doc], UNITS["char"], 16))
    assert [window.core for window in found][-1][1] == UNITS["char"].count(doc)
    assert any("x" * 100 in window.doc.text for window in found)


def test_short_documents_are_not_copied(trained, examples):
    docs = [eg.reference for eg in examples[:5]]
    found = list(windows(docs, UNITS["char"], 2000))
    assert [window.doc for window in found] == docs
    sizes = [sum(w.length for w in batch) for batch in batches(found, 60)]
    assert sum(sizes) == sum(len(doc.text) for doc in docs)
    assert max(sizes) <= 60 or len(sizes) == len(docs)


def test_windows_give_the_same_entities_as_the_whole_document(trained, examples):
    text = long_text(examples)
    doc, expected = trained(text), whole(trained)(text)
    assert len(text) > 2000  # or it would be one window
    assert found(doc) == found(expected)
    scores = doc.spans["lstm_ner"].attrs["scores"]
    other = expected.spans["lstm_ner"].attrs["scores"]
    np.testing.assert_allclose(scores, other, atol=1e-3)


def test_probabilities_of_predicted_entities_in_windows(trained, examples):
    ner = trained.get_pipe("lstm_ner")
    doc = trained(long_text(examples))
    entities, scores = found(doc), doc.spans["lstm_ner"].attrs["scores"]
    asked = [trained.make_doc(doc.text), trained.make_doc("好")]
    actual, others = ner.probabilities(asked, [entities[::-1], [(0, 1, "ORG")]])
    np.testing.assert_allclose(actual[::-1], scores, atol=1e-6)
    assert 0 < others[0] < 1
    # An entity as long as a window does not fit into one with its context.
    assert ner.probabilities(asked[:1], [[(5, 2005, "ORG")]]) == [[0.0]]


def test_preset_entities_in_windows(trained, examples):
    nlp = trained
    ner = nlp.get_pipe("lstm_ner")
    doc = nlp.make_doc(long_text(examples))
    # One across the end of a core, one far from all edges.
    doc.set_ents([Span(doc, 1495, 1505, "KEPT"), Span(doc, 900, 902, "ORG")])
    kept = found(doc)
    ner(doc)
    assert set(kept) <= set(found(doc))
    assert len(found(doc)) > 50


# Models that use more than the text


@pytest.fixture(scope="module")
def listening(examples):
    """A pipeline whose model reads an extension attribute of the Doc, as the listener
    of spacy-transformers reads ``doc._.trf_data``. If it is not set, the vectors are
    zeros, without an error."""
    Doc.set_extension("vectors", default=None, force=True)

    @Language.component("set_vectors")
    def set_vectors(doc):
        codes = np.array([ord(token.text[0]) for token in doc], dtype="uint64")
        bits = codes[:, None] >> np.arange(16, dtype="uint64") & 1
        doc._.vectors = bits.astype("float32")
        return doc

    @registry.architectures("test_windows.Listener.v1")
    def build_listener():
        def forward(model, docs, is_train):
            vectors = [
                np.zeros((len(doc), 16), "float32")
                if doc._.vectors is None
                else doc._.vectors
                for doc in docs
            ]
            return vectors, lambda d_vectors: []

        return Model("vectors", forward, dims={"nO": 16})

    nlp = spacy.blank("zh")
    nlp.add_pipe("set_vectors")
    embed = {"@architectures": "test_windows.Listener.v1"}
    encode = {
        "@architectures": "spacy-lstm-ner.LSTMEncoder.v1",
        **{"width": 48, "depth": 1, "bi": True},
    }
    for name, unit in (("tokens", "token"), ("characters", "char")):
        tok2vec = {
            "@architectures": "spacy.Tok2Vec.v2",
            **{"embed": embed, "encode": encode},
        }
        model = {"@architectures": "spacy-lstm-ner.NER.v1", "tok2vec": tok2vec}
        config = {"unit": unit, "model": model, "spans_key": name, "overwrite": True}
        nlp.add_pipe("lstm_ner", name=name, config=config)
    fix_random_seed(0)
    read = [
        Example(set_vectors(nlp.make_doc(eg.text)), eg.reference)
        for eg in examples[:30]
    ]
    nlp.initialize(lambda: read)
    optimizer = Adam(0.02)
    for _ in range(40):
        nlp.update(read, sgd=optimizer)
    return nlp


@pytest.mark.parametrize("window", [64, 300, 2000, None])
@pytest.mark.parametrize("name", ["tokens", "characters"])
def test_models_that_use_more_than_the_text(listening, examples, name, window):
    """A copy of a part of a document lacks the extension attribute."""
    ner = listening.get_pipe(name)
    texts = [long_text(examples, 30) * 3, examples[0].text, "", long_text(examples, 20)]
    docs = [listening.get_pipe("set_vectors")(listening.make_doc(t)) for t in texts]
    assert len(texts[0]) > 2000
    ner.window = None
    expected = ner.predict(docs)
    assert len(expected[0]) > 150
    ner.window = window
    actual = ner.predict(docs)
    if window in (2000, None):
        assert [positions(spans) for spans in actual] == list(map(positions, expected))
    same = set(positions(actual[0])).intersection(positions(expected[0]))
    assert len(same) > 0.9 * len(expected[0])
    asked = [[span[:3] for span in spans[:5]] for spans in actual]
    scores = [[span.score for span in spans[:5]] for spans in actual]
    if name == "characters":
        for one, other in zip(ner.probabilities(docs, asked), scores, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    ner.window = 2000


def positions(spans):
    return [span[:3] for span in spans]


@pytest.mark.torch
def test_a_transformer(tmp_path, examples):
    """A tiny one with random weights, which are not trained."""
    pytest.importorskip("spacy_transformers")
    from transformers import BertConfig, BertModel, BertTokenizerFast

    chars = sorted({char for eg in examples for char in eg.text if char.strip()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *chars]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary), "utf8")
    tokenizer = BertTokenizerFast(
        vocab_file=str(tmp_path / "vocab.txt"), do_lower_case=False
    )
    tokenizer.save_pretrained(tmp_path / "tiny")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(vocabulary), num_hidden_layers=1, **sizes)
    BertModel(config).save_pretrained(tmp_path / "tiny")
    nlp = spacy.blank("zh")
    nlp.add_pipe(
        "transformer",
        config={
            "model": {
                "@architectures": "spacy-transformers.TransformerModel.v3",
                "name": str(tmp_path / "tiny"),
                "get_spans": {
                    "@span_getters": "spacy-transformers.strided_spans.v1",
                    **{"window": 128, "stride": 96},
                },
            }
        },
    )
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 0.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    model = {"@architectures": "spacy-lstm-ner.NER.v1", "tok2vec": listener}
    ner = nlp.add_pipe("lstm_ner", config={"unit": "token", "model": model})
    train(nlp, examples, steps=30)
    text = long_text(examples, 30) * 3
    in_windows = found(nlp(text))
    ner.window = None
    assert in_windows == found(nlp(text))
    assert len(in_windows) > 100


def test_windows_that_are_too_small_are_rejected():
    with pytest.raises(
        ValueError,
        match=r"window = 10 is not a valid window: .* at least 16, or to None",
    ):
        spacy.blank("zh").add_pipe("lstm_ner", config={"window": 10})


@pytest.mark.slow
def test_a_million_characters(trained, examples):
    """The maximum length of spaCy, in bounded memory; a longer text is an error."""
    import resource

    text = (long_text(examples) * 1000)[: trained.max_length]
    doc = trained.make_doc(text)
    level = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spans = trained.get_pipe("lstm_ner").predict([doc])
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - level
    assert len(spans[0]) > 50_000
    assert rise < 500_000  # KiB; without windows it is 3.5 million
    with pytest.raises(ValueError, match="E088"):
        trained(text + "。")
