"""The corpus reader gives the same examples as a file written by `convert`."""

import json
import warnings
from pathlib import Path

import pytest
import spacy
from spacy import registry
from spacy.training import Corpus
from thinc.api import Config

from spacy_lstm_ner.data.convert import convert
from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.exceptions import DataError

RESUME = Path(__file__).parent / "resume.jsonl"


@pytest.fixture
def nlp():
    return spacy.blank("zh")


@pytest.fixture
def numbered(tmp_path) -> Path:
    """A file of 20 records: "00", "01", …"""
    path = tmp_path / "numbered.jsonl"
    records = [{"text": f"{i:02}", "labels": ["B-N", "I-N"]} for i in range(20)]
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def seen(examples) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (eg.reference.text, [(e.text, e.label_) for e in eg.reference.ents])
        for eg in examples
    ]


def test_examples_match_the_converted_file(nlp, tmp_path):
    convert([RESUME], tmp_path / "resume.spacy")
    converted = Corpus(tmp_path / "resume.spacy")
    corpus = BIOCorpus(RESUME)
    assert seen(corpus(nlp)) == seen(converted(nlp))
    for example in corpus(nlp):
        assert example.predicted.text == example.reference.text
        assert not example.predicted.ents


def test_parts_of_a_split_match_convert(nlp, numbered, tmp_path):
    convert([numbered], tmp_path / "out", split="80/10/10", seed=3)
    for part in ("train", "dev", "test"):
        corpus = BIOCorpus(numbered, split="80/10/10", part=part, seed=3)
        converted = Corpus(tmp_path / "out" / f"{part}.spacy")
        assert seen(corpus(nlp)) == seen(converted(nlp))


def test_limit_applies_before_the_split(nlp, numbered):
    assert len(list(BIOCorpus(numbered, limit=10)(nlp))) == 10
    assert len(list(BIOCorpus(numbered, limit=10, split="80/20")(nlp))) == 8


def test_reader_in_a_config(nlp, numbered):
    config = Config().from_str(
        f"""
        [corpora]

        [corpora.dev]
        @readers = "spacy-lstm-ner.BIOCorpus.v1"
        path = "{numbered.as_posix()}"
        split = "80/20"
        part = "dev"
        separator = null
        """
    )
    corpus = registry.resolve(config)["corpora"]["dev"]
    assert len(list(corpus(nlp))) == 4


def test_spacy_ner_can_train_on_it(nlp):
    nlp.add_pipe("ner")
    corpus = BIOCorpus(RESUME)
    nlp.initialize(lambda: corpus(nlp))
    assert set(nlp.get_pipe("ner").labels) == {"CONT", "EDU", "NAME", "ORG", "TITLE"}
    assert nlp.update(list(corpus(nlp)))["ner"] > 0


def test_problems_are_reported_once(nlp, numbered):
    with numbered.open("a") as file:
        file.write("\nno record\n")
    corpus = BIOCorpus(numbered)
    with pytest.warns(
        UserWarning, match=r"jsonl:21: not a record: 1 in total, skipped"
    ):
        assert len(list(corpus(nlp))) == 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(corpus(nlp))) == 20
    with pytest.raises(DataError, match="jsonl:21: not a record"):
        list(BIOCorpus(numbered, strict=True)(nlp))


def test_invalid_settings(nlp, numbered, tmp_path):
    with pytest.raises(DataError, match="paths"):
        BIOCorpus(None)
    with pytest.raises(DataError, match=r"unknown part 'test'.*train, dev"):
        BIOCorpus(numbered, split="80/20", part="test")
    with pytest.raises(DataError, match="the part 'dev' requires a split"):
        BIOCorpus(numbered, part="dev")
    with pytest.raises(DataError, match="invalid split '80/30'"):
        BIOCorpus(numbered, split="80/30")
    with pytest.raises(DataError, match="no such file"):
        list(BIOCorpus(tmp_path / "nowhere.jsonl")(nlp))
    with pytest.raises(DataError, match="too few records"):
        list(BIOCorpus(RESUME, split="80/10/10", part="test")(nlp))
