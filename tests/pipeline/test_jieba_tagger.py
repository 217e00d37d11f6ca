"""A pipeline with the tagger inside jieba."""

import pytest
import spacy

from spacy_lstm_ner import kernels
from spacy_lstm_ner.layers.jieba_tagger import load_tagger

from ..helpers.pipelines import SMALL_MODEL, found, train

pytest.importorskip("jieba")


@pytest.fixture(scope="module")
def tagged(examples):
    """A small pipeline with the tagger."""
    embed = {
        "@architectures": "spacy-lstm-ner.JiebaTaggerEmbed.v1",
        "embed": {
            "@architectures": "spacy-lstm-ner.HashCharEmbed.v1",
            **SMALL_MODEL["tok2vec"]["embed"],
            "ngram_dropout": 0.0,
        },
        "width": 8,
    }
    tok2vec = {**SMALL_MODEL["tok2vec"], "embed": embed}
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": {**SMALL_MODEL, "tok2vec": tok2vec}})
    return train(nlp, examples)


def test_it_learns_and_is_saved_without_the_tagger(tagged, examples, tmp_path):
    texts = [eg.text for eg in examples[:20]]
    scores = tagged.evaluate(examples)
    assert scores["ents_f"] > 0.9
    tagged.to_disk(tmp_path)
    other = spacy.load(tmp_path)
    assert [found(doc) for doc in other.pipe(texts)] == [
        found(doc) for doc in tagged.pipe(texts)
    ]
    size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert size < load_tagger().embedding.nbytes / 4
    assert "jieba>=0.42,<0.43" in other.meta["requirements"]
    assert other.meta["sources"][0]["name"] == "tagger in jieba"


def test_scores_are_the_same_with_and_without_kernels(tagged, examples):
    if kernels.instruction_set() is None:
        pytest.skip("there are no kernels")
    docs = [eg.predicted for eg in examples[:10]]
    model = tagged.get_pipe("lstm_ner").model
    with_kernels = model.predict(docs)
    before = kernels.instruction_set()
    kernels.use("off")
    try:
        without = model.predict(docs)
    finally:
        kernels.use(before)
    for one, other in zip(with_kernels, without, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_only_beside_an_embedding_of_characters():
    embed = {
        "@architectures": "spacy-lstm-ner.JiebaTaggerEmbed.v1",
        "embed": {
            "@architectures": "spacy-lstm-ner.CharEmbed.v1",
            "width": 8,
            "kind": "learned",
        },
        "width": 8,
    }
    tok2vec = {**SMALL_MODEL["tok2vec"], "embed": embed}
    nlp = spacy.blank("zh")
    with pytest.raises(
        ValueError, match=r"has to be spacy-lstm-ner\.HashCharEmbed\.v1"
    ):
        nlp.add_pipe("lstm_ner", config={"model": {**SMALL_MODEL, "tok2vec": tok2vec}})
