"""The folder in which the code blocks of the documentation are run."""

import shutil

import pytest
import spacy
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

from spacy_lstm_ner.data.convert import convert
from spacy_lstm_ner.data.corpus import BIOCorpus

from ..helpers.paths import EASY, REPOSITORY
from ..helpers.pipelines import SMALL_MODEL


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A folder like a checkout in which the commands of the guides were run, but with
    a very small network."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("configs", "assets/sample", "assets/nested"):
        shutil.copytree(REPOSITORY / name, folder / name)
    data = folder / "my-data.jsonl"
    shutil.copy(EASY, data)
    convert([data], folder / "corpus", split="80/10/10")
    fix_random_seed(0)
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    examples: list[Example] = list(BIOCorpus(data, limit=320)(nlp))
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(10):
        for batch in minibatch(examples, 16):
            nlp.update(batch, sgd=optimizer, drop=0.2)
    (folder / "training").mkdir()
    nlp.to_disk(folder / "training/model-best")
    return folder
