"""Tokens longer than a character: English by token and character, segmented Chinese."""

import random

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from ..helpers.pipelines import (
    SMALL_MODEL,
    copy_of,
    found,
    loaded_again,
    token_config,
    train,
)

FIRST = ["Anna", "Boris", "Clara", "David", "Emil", "Fatima"]
LAST = ["Keller", "Novak", "Okoye", "Silva", "Tanaka"]
TOWNS = ["Lisbon", "Oslo", "Quito", "Riga", "Turin", "Utrecht"]
SENTENCES = [
    "{PER} works in {LOC} .",
    "In {LOC} , {PER} met {PER} .",
    "The train from {LOC} to {LOC} was late .",
    "Yesterday nobody came .",
]


def conll(seed, n):
    """Synthetic sentences, as words and BIO tags, as in CoNLL 2003."""
    rng = random.Random(seed)
    for _ in range(n):
        words, tags = [], []
        for word in rng.choice(SENTENCES).split():
            new = {
                "{PER}": [rng.choice(FIRST), rng.choice(LAST)],
                "{LOC}": [rng.choice(TOWNS)],
            }.get(word, [word])
            label = word.strip("{}")
            words += new
            if word == label:
                tags.append("O")
            else:
                tags += [f"B-{label}", f"I-{label}"][: len(new)]
        yield words, tags


def english(nlp, seed, n):
    examples = []
    for words, tags in conll(seed, n):
        reference = Doc(nlp.vocab, words=words, ents=tags)
        examples.append(Example(Doc(nlp.vocab, words=words), reference))
    return examples


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_english_by_token(scheme):
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config=token_config(scheme))
    data = english(nlp, seed=0, n=60)
    train(nlp, data, steps=40)
    others = english(nlp, seed=1, n=60)
    known = {eg.text for eg in data}
    others = [eg for eg in others if eg.text not in known]
    assert len(others) > 20
    scores = nlp.evaluate(others)
    assert scores["ents_f"] > 0.95
    assert set(scores["ents_per_type"]) == {"PER", "LOC"}
    # The words of the training data may differ from the tokens of the tokenizer.
    doc = nlp("In Lisbon, Anna Keller met Boris Novak.")
    assert [ent.text for ent in doc.ents] == ["Lisbon", "Anna Keller", "Boris Novak"]


@pytest.fixture(scope="module")
def inside():
    """An English pipeline by character. It was trained on the second half of compounds
    such as "GreenCorp", which is not a token."""
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    examples = []
    for first in ("Green", "Blue", "Red", "Old", "New"):
        for verb in ("hired", "left", "likes"):
            text = f"{first}Corp {verb} Anna Bell"
            words = [first, "Corp", verb, "Anna", "Bell"]
            spaces = [False, True, True, True, False]
            reference = Doc(nlp.vocab, words=words, spaces=spaces)
            reference.ents = [Span(reference, 1, 2, "X"), Span(reference, 3, 5, "PER")]
            examples.append(Example(nlp.make_doc(text), reference))
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01)
    for _ in range(40):
        nlp.update([copy_of(nlp, eg) for eg in examples], sgd=optimizer)
    return nlp


@pytest.mark.parametrize(
    "mode, entities, unplaced",
    [
        ("strict", [], [(7, 11, "X")]),
        ("contract", [], [(7, 11, "X")]),
        ("expand", [(4, 11, "X")], []),
    ],
)
def test_english_by_character(inside, mode, entities, unplaced):
    config = inside.config.copy()
    config["components"]["lstm_ner"]["alignment_mode"] = mode
    nlp = spacy.blank("en").from_config(config).from_bytes(inside.to_bytes())
    doc = nlp("The RedCorp hired Anna Bell")
    assert [token.text for token in doc[:2]] == ["The", "RedCorp"]
    assert found(doc) == [*entities, (18, 27, "PER")]
    group = doc.spans["lstm_ner"]
    assert [tuple(u[:3]) for u in group.attrs["unplaced"]] == unplaced
    assert all(0.5 < score <= 1 for *_, score in group.attrs["unplaced"])
    assert len(group.attrs["scores"]) == len(doc.ents)


class InTwos:
    """A tokenizer that splits a text into tokens of two characters."""

    def __init__(self, vocab):
        self.vocab = vocab

    def __call__(self, text):
        words = [text[i : i + 2] for i in range(0, len(text), 2)]
        return Doc(self.vocab, words=words, spaces=[False] * len(words))


def words_in_twos():
    nlp = spacy.blank("zh")
    nlp.tokenizer = InTwos(nlp.vocab)
    return nlp


def segmented(segmenter):
    pytest.importorskip({"jieba": "jieba", "pkuseg": "spacy_pkuseg"}[segmenter])
    config = {"nlp": {"tokenizer": {"segmenter": segmenter}}}
    nlp = spacy.blank("zh", config=config)
    if segmenter == "pkuseg":
        nlp.tokenizer.initialize(pkuseg_model="mixed")
    return nlp


@pytest.mark.parametrize("tokenizer", ["twos", "jieba", "pkuseg"])
def test_predictions_do_not_depend_on_the_tokenizer(trained, examples, tokenizer):
    """Segmented Chinese: the same offsets are predicted. Those that match tokens are
    entities, and the others are unplaced."""
    nlp = words_in_twos() if tokenizer == "twos" else segmented(tokenizer)
    ner = nlp.add_pipe("lstm_ner", source=loaded_again(trained))
    ner.alignment_mode = "strict"
    n_placed = n_unplaced = 0
    for eg in examples[:20]:
        doc = nlp(eg.text)
        unplaced = doc.spans["lstm_ner"].attrs["unplaced"]
        offsets = [(start, end, label) for start, end, label, _ in unplaced]
        assert sorted([*found(doc), *offsets]) == found(trained(eg.text))
        n_placed += len(doc.ents)
        n_unplaced += len(offsets)
    assert n_placed > 10
    assert n_unplaced > 10 or tokenizer != "twos"


def test_training_with_entities_inside_tokens(examples):
    """Gold entities may begin inside a word."""
    nlp = words_in_twos()
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    train(nlp, examples)
    for eg in examples[:10]:
        (spans,) = ner.predict([nlp.make_doc(eg.text)])
        assert [span[:3] for span in spans] == found(eg.reference)
