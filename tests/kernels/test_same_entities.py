"""Pipelines find the same entities with kernels and without."""

from contextlib import nullcontext

import pytest
import spacy

from spacy_lstm_ner.data.corpus import BIOCorpus

from ..helpers.kernels import available, numpy_form
from ..helpers.pipelines import found, loaded_again

pytestmark = pytest.mark.skipif(not available(), reason="there are no kernels")
TEXTS = [
    "",
    "王",
    "王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。",
    "（王芳（女）",
    "中国（上海）自由贸易区有限公司董事长" * 30,
    "Hello 世界 \U0001f600\u200b",
]


def entities(docs):
    return [[found(doc), list(doc.spans["lstm_ner"].attrs["scores"])] for doc in docs]


def assert_same(nlp, texts):
    results = {}
    for name in ("pipe", "one by one"):
        run = nlp.pipe if name == "pipe" else lambda texts: map(nlp, texts)
        results[name] = entities(run(texts))
        with numpy_form():
            results[f"{name}, NumPy"] = entities(run(texts))
    expected = results.pop("pipe, NumPy")
    for result in results.values():
        for (one, scores), (other, expected_scores) in zip(
            result, expected, strict=True
        ):
            assert one == other
            assert scores == pytest.approx(expected_scores, abs=1e-5)


def test_same_entities(trained, examples):
    assert_same(trained, TEXTS + [eg.text for eg in examples])


def test_preset_entities_are_kept(trained):
    """They need the general way."""
    docs = []
    for form in range(2):
        doc = trained.make_doc(TEXTS[2])
        doc.set_ents([doc.char_span(0, 2, "TITLE")])
        if form:
            with numpy_form():
                docs.append(trained(doc))
        else:
            docs.append(trained(doc))
    assert found(docs[0]) == found(docs[1])
    assert found(docs[0])[0][-1] == "TITLE"


def test_a_threshold(trained):
    nlp = loaded_again(trained)
    pipe = nlp.get_pipe("lstm_ner")
    doc = nlp.make_doc(TEXTS[2])
    (all_found,) = pipe.predict([doc])
    pipe.threshold = min(span.score for span in all_found) + 1e-9
    (some,) = pipe.predict([doc])
    assert len(some) < len(all_found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resume/test.char.bmes", "train_data3.txt"])
def test_same_entities_on_real_data(trained, real_data, name):
    corpus = BIOCorpus(real_data / name, limit=3_000)
    assert_same(trained, [eg.text for eg in corpus(spacy.blank("zh"))])


def test_empty_texts_need_no_weights():
    nlp = spacy.blank("zh")
    pipe = nlp.add_pipe("lstm_ner")
    pipe.add_label("A")
    for form in (nullcontext, numpy_form):
        with form():
            assert [doc.ents for doc in nlp.pipe(["", ""])] == [(), ()]
            assert pipe.predict([nlp.make_doc("")]) == [[]]
            assert pipe.uncertainty([nlp.make_doc("")])[0].length == 0
