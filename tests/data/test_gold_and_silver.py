"""The reader of gold and silver data, and the weights of examples."""

import pytest
import spacy
from spacy.tokens import DocBin
from thinc.api import Config

from spacy_lstm_ner import DataError
from spacy_lstm_ner.data.gold_and_silver import GoldAndSilver, get_weight

from ..helpers.paths import REPOSITORY

NLP = spacy.blank("zh")


@pytest.fixture
def files(tmp_path):
    for name, texts in {"gold": "王芳", "silver": "北京大学"}.items():
        docs = [NLP(text) for text in texts]
        for doc in docs:
            doc.ents = [doc.char_span(0, 1, "A")]
        DocBin(docs=docs).to_disk(tmp_path / f"{name}.spacy")
    return tmp_path / "gold.spacy", tmp_path / "silver.spacy"


def read(*args, **options):
    return [
        (eg.reference.text, get_weight(eg.reference))
        for eg in GoldAndSilver(*args, **options)(NLP)
    ]


def test_silver_examples_have_a_weight(files):
    gold, silver = files
    expected = [("王", 1), ("芳", 1), *((char, 0.5) for char in "北京大学")]
    assert read(gold, silver=silver, silver_weight=0.5) == expected
    assert read(gold, silver=silver)[-1] == ("学", 1)
    assert read(gold, silver=silver, silver_weight=0) == expected[:2]
    assert read(gold, silver=silver, silver_weight=0.5, limit=1) == [
        *expected[:1],
        *expected[2:],
    ]


def test_it_takes_the_place_of_the_reader_of_a_config(files):
    gold, silver = files
    config = Config().from_disk(
        REPOSITORY / "configs" / "lstm_ner.cfg",
        overrides={
            "paths.train": str(gold),
            "corpora.train.@readers": "spacy-lstm-ner.GoldAndSilver.v1",
            "corpora.train.silver": str(silver),
            "corpora.train.silver_weight": 0.5,
        },
    )
    corpora = spacy.registry.resolve(
        {"train": config.interpolate()["corpora"]["train"]}
    )
    assert len(list(corpora["train"](NLP))) == 6


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "1"])
def test_weights_that_are_not_valid(files, weight):
    with pytest.raises(DataError, match="silver_weight"):
        read(files[0], silver=files[1], silver_weight=weight)


def test_paths_that_are_not_set(files):
    with pytest.raises(DataError, match="'path' of the corpus is not set"):
        read(None, silver=files[1])
    with pytest.raises(DataError, match="'silver' of the corpus is not set"):
        read(files[0], silver=None)
