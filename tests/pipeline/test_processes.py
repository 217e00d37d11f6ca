"""Many documents: several processes, several threads, bounded memory."""

import gc
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy

from ..helpers.paths import REPOSITORY
from ..helpers.pipelines import found, loaded_again, train

LAYERS = ["LSTMEncoder", "TorchLSTMEncoder"]


@pytest.fixture(scope="module")
def both_layers(trained, examples, tmp_path_factory):
    """A saved pipeline with two components, the second of which uses PyTorch."""
    pytest.importorskip("torch")
    nlp = spacy.blank("zh")
    # With the default width, PyTorch uses several threads.
    for layer in LAYERS:
        encode = {
            "@architectures": f"spacy-lstm-ner.{layer}.v1",
            "width": 256,
            "depth": 1,
            "bi": True,
        }
        settings = {"spans_key": layer, "overwrite": True}
        model = {"tok2vec": {"embed": {"width": 16}, "encode": encode}}
        nlp.add_pipe("lstm_ner", layer, config={**settings, "model": model})
    train(nlp, examples, steps=9)
    folder = tmp_path_factory.mktemp("both")
    nlp.to_disk(folder)
    return folder


@pytest.mark.torch
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_processes_give_the_same_as_one(both_layers, examples, method):
    """They do not hang either, with the default threads of BLAS and PyTorch."""
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("fork is not available")
    texts = json.dumps([eg.text for eg in examples[:30]])
    env = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.helpers.in_processes",
            method,
            both_layers,
            texts,
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        env=env,
    )
    assert result.returncode == 0, result.stderr
    differ, entities = result.stdout.splitlines()
    assert differ == "0 of 30 texts differ"
    assert min(json.loads(entities.removeprefix("entities:"))) > 20


@pytest.mark.parametrize("layer", LAYERS)
def test_threads_can_share_a_pipeline(trained, examples, layer):
    nlp = trained
    if layer == "TorchLSTMEncoder":
        pytest.importorskip("torch")
        config = trained.config.copy()
        encode = config["components"]["lstm_ner"]["model"]["tok2vec"]["encode"]
        encode["@architectures"] = f"spacy-lstm-ner.{layer}.v1"
        nlp = spacy.blank("zh").from_config(config).from_bytes(trained.to_bytes())
    texts = [eg.text for eg in examples]

    def work(start):
        own = texts[start:] + texts[:start]
        return [(doc.text, found(doc)) for doc in nlp.pipe(own, batch_size=start + 1)]

    expected = dict(work(0))
    with ThreadPoolExecutor(8) as pool:
        for results in pool.map(work, range(24)):
            assert dict(results) == expected
    assert sum(map(len, expected.values())) > 100


def test_memory_zone_releases_strings(trained, examples):
    nlp = loaded_again(trained)
    text = examples[0].text
    before = len(nlp.vocab.strings)
    with nlp.memory_zone():
        doc = nlp(text + "龘靐齉")
        assert found(doc)[: len(trained(text).ents)] == found(trained(text)) != []
        assert len(nlp.vocab.strings) > before
    assert len(nlp.vocab.strings) == before
    assert found(nlp(text)) == found(trained(text))


def test_documents_are_not_kept_in_memory(trained, examples):
    """Neither strings nor objects, after all characters have been seen once."""
    texts = [eg.text for eg in examples]
    words = spacy.blank("en")
    words.add_pipe("lstm_ner", source=loaded_again(trained))
    for nlp in (trained, words):
        counts = []
        for _ in range(3):
            assert any(doc.spans["lstm_ner"].attrs for doc in nlp.pipe(texts))
            gc.collect()
            counts.append((len(nlp.vocab.strings), len(gc.get_objects())))
        (strings, objects), (strings_then, objects_then) = counts[1:]
        assert strings_then == strings
        assert abs(objects_then - objects) < 30


@pytest.mark.slow
def test_memory_is_bounded_over_100_000_documents(trained, tmp_path):
    resource = pytest.importorskip("resource")
    assert resource
    trained.to_disk(tmp_path)
    code = """
import random, resource, sys
import spacy
nlp = spacy.load(sys.argv[1])
random.seed(0)
characters = [chr(c) for c in range(0x4e00, 0x5200)] + [*"王芳任职于北京大学教授"] * 50
texts = ("".join(random.choices(characters, k=12)) for _ in range(100_000))
for n, doc in enumerate(nlp.pipe(texts), 1):
    if n in (20_000, 100_000):
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    result = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    warm, end = map(int, result.stdout.split())
    assert end < 1.02 * warm
