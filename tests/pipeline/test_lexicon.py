"""A component with a lexicon."""

import subprocess
import sys

import pytest
import spacy
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import Adam, fix_random_seed

from ..helpers.pipelines import SMALL_MODEL

# Towns that no n-gram of characters reveals: only the lexicon distinguishes them.
SYLLABLES = "东西南北山水云石金木火土花鸟鱼虫"
WORDS = [a + b for a in SYLLABLES for b in SYLLABLES if a != b]
TOWNS = WORDS[::3]
OTHERS = sorted(set(WORDS).difference(TOWNS))


def pipeline(**settings):
    nlp = spacy.blank("zh")
    model = SMALL_MODEL["tok2vec"]
    embed = {"lexicon_width": 8, **model["embed"], **settings}
    nlp.add_pipe("lstm_ner", config={"model": {"tok2vec": {**model, "embed": embed}}})
    return nlp


def with_lexicon(nlp, lexicon):
    nlp.config["initialize"]["components"]["lstm_ner"] = {"lexicon": lexicon}
    return nlp


def examples(nlp, words):
    made = []
    for word in words:
        text = f"他到{word}去。"
        gold = nlp.make_doc(text)
        gold.ents = [gold.char_span(2, 4, label="TOWN")] if word in TOWNS else []
        made.append(Example(nlp.make_doc(text), gold))
    return made


@pytest.fixture(scope="module")
def trained():
    fix_random_seed(0)
    nlp = with_lexicon(pipeline(), {"town": dict.fromkeys(TOWNS, 1)})
    train = examples(nlp, TOWNS[:50] + OTHERS[:50])
    nlp.initialize(lambda: train)
    sgd = Adam(0.01)
    for _ in range(20):
        for batch in minibatch(train, 8):
            nlp.update(batch, sgd=sgd, drop=0.4)
    return nlp


def test_unseen_words_of_the_lexicon_are_recognized(trained):
    held_out = examples(trained, TOWNS[50:] + OTHERS[50:])
    assert trained.evaluate(held_out)["ents_f"] > 0.75


def test_the_lexicon_is_saved_with_the_pipeline(trained, tmp_path):
    trained.to_disk(tmp_path)
    # The lexicon is not read again: its file may not exist any longer.
    loaded = spacy.load(tmp_path)
    for town in TOWNS[-5:]:
        (score,) = loaded(f"他到{town}去。").spans["lstm_ner"].attrs["scores"]
        (expected,) = trained(f"他到{town}去。").spans["lstm_ner"].attrs["scores"]
        assert score == expected


def test_a_lexicon_from_a_file(tmp_path):
    path = tmp_path / "towns.tsv"
    path.write_text("".join(f"{town}\ttown\n" for town in TOWNS), encoding="utf-8")
    nlp = pipeline()
    reader = {"@readers": "spacy-lstm-ner.Lexicon.v1", "path": str(path)}
    with_lexicon(nlp, reader).initialize(lambda: examples(nlp, TOWNS[:2]))
    (layer,) = [n for n in nlp.get_pipe("lstm_ner").model.walk() if n.attrs.get("keys")]
    assert layer.attrs["kinds"] == ["town"]
    assert len(layer.attrs["keys"][0]) == len(TOWNS)


def test_a_missing_lexicon_is_reported():
    nlp = pipeline()
    with pytest.raises(ValueError, match=r"JiebaLexicon\.v1.*pip install jieba"):
        nlp.initialize(lambda: examples(nlp, TOWNS[:2]))


def test_a_lexicon_for_a_model_that_does_not_read_one_is_reported():
    nlp = with_lexicon(pipeline(lexicon_width=0), {"town": dict.fromkeys(TOWNS, 1)})
    with pytest.raises(
        ValueError, match="the model does not read one: set lexicon_width"
    ):
        nlp.initialize(lambda: examples(nlp, TOWNS[:2]))


def test_a_loaded_pipeline_does_not_import_jieba(tmp_path):
    pytest.importorskip("jieba")
    nlp = pipeline()
    with_lexicon(nlp, {"@readers": "spacy-lstm-ner.JiebaLexicon.v1"})
    nlp.initialize(lambda: examples(nlp, TOWNS[:2]))
    nlp.to_disk(tmp_path)
    code = (
        "import sys, spacy; sys.modules['jieba'] = None; "
        f"print(spacy.load({str(tmp_path)!r})('他到东山去。').text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
