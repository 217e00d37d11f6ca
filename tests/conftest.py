"""Fixtures and markers that all tests share."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import spacy
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.server.app import DemoServer
from spacy_lstm_ner.server.demo import Demo

from .browser import browser, draws_chinese, open_page  # noqa: F401

REPOSITORY = Path(__file__).parent.parent


def pytest_addoption(parser):
    parser.addoption(
        "--run-slow", action="store_true", help="also run the tests marked as slow"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-slow"):
        skip = pytest.mark.skip(reason="slow: give --run-slow to run it")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with resume.json, train_data3.txt and resume/*.char.bmes."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("SPACY_LSTM_NER_DATA", default))
    if not (folder / "resume.json").is_file():
        pytest.skip(
            "needs the real data sets: set SPACY_LSTM_NER_DATA to a folder with "
            "resume.json, train_data3.txt and resume/*.char.bmes"
        )
    return folder


SAMPLE = REPOSITORY / "assets" / "sample"
SMALL_MODEL = {
    "tok2vec": {
        "embed": {"width": 16, "rows": [500, 2000]},
        "encode": {"width": 32},
    }
}
# For unit = "token": one of spaCy's own tok2vec.
TOKEN_MODEL = {
    "tok2vec": {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        **{"width": 16, "depth": 1, "embed_size": 50, "window_size": 1},
        **{"maxout_pieces": 2, "subword_features": False},
    }
}


@pytest.fixture(scope="session")
def examples():
    """The first 60 résumé sentences of the sample, tokenized by character."""
    corpus = BIOCorpus(SAMPLE / "resume.json", limit=60)
    return list(corpus(spacy.blank("zh")))


def train(nlp, examples, *, steps=60, seed=0):
    """Initialize a pipeline, and train it until it knows the examples by heart."""
    fix_random_seed(seed)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01)
    for step in range(steps):
        batch = examples[step * 20 % 60 :][:20]
        nlp.update([copy_of(nlp, eg) for eg in batch], sgd=optimizer)
    return nlp


def copy_of(nlp, example):
    """The same example with a fresh Doc to predict on."""
    return Example(nlp.make_doc(example.reference.text), example.reference)


def loaded_again(nlp):
    """A pipeline that can be changed without changing this one."""
    return spacy.blank(nlp.lang).from_config(nlp.config).from_bytes(nlp.to_bytes())


def found(doc):
    """The entities of a Doc as plain values."""
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


@pytest.fixture(scope="session")
def trained(examples):
    """A trained blank Chinese pipeline. Do not change it: copy it."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    return train(nlp, examples)


@pytest.fixture(scope="session")
def demo_server(trained):
    """The trained pipeline behind its local page."""
    server = DemoServer(Demo(lambda: loaded_again(trained)), port=0)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.close()


def heed_signals():
    """What a shell runs in the background ignores Ctrl+C, and what `nohup` runs the end
    of the terminal; and so would a process of it: for `preexec_fn`."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def served(*command):
    """Run a command that serves the local page.

    command: What is run.
    YIELDS: The process, and the port of the page.
    """
    process = subprocess.Popen(
        [*map(str, command), "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf8",
        preexec_fn=heed_signals,
    )
    try:
        for line in process.stdout:
            if address := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                break
        yield process, int(address[1])
    finally:
        process.kill()
        process.communicate()
