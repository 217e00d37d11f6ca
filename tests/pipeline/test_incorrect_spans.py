"""Spans that are annotated as incorrect: `incorrect_spans_key`."""

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from ..helpers.pipelines import SMALL_MODEL, found, token_config

# Without dropout.
EMBED = {**SMALL_MODEL["tok2vec"]["embed"], "ngram_dropout": 0.0}
MODEL = {"tok2vec": {**SMALL_MODEL["tok2vec"], "embed": EMBED}}
TEXT = "王芳任北京大学教授。"


def trained_with(unit="char", scheme="BIOES", key="wrong"):
    config = {"model": MODEL} if unit == "char" else token_config()
    config = {**config, "unit": unit, "scheme": scheme, "incorrect_spans_key": key}
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config=config)
    doc = nlp.make_doc(TEXT)
    doc.ents = [doc.char_span(0, 2, "NAME"), doc.char_span(3, 7, "ORG")]
    ner.add_label("TITLE")
    fix_random_seed(0)
    nlp.initialize(lambda: [Example(nlp.make_doc(TEXT), doc)])
    optimizer = Adam(0.01)
    for _ in range(20):
        nlp.update([Example(nlp.make_doc(TEXT), doc)], sgd=optimizer)
    assert found(nlp(TEXT)) == [(0, 2, "NAME"), (3, 7, "ORG")]
    return nlp


def example_without(nlp, *spans, key="wrong"):
    """An example in which only these spans are annotated, as incorrect."""
    doc = nlp.make_doc(TEXT)
    doc.spans[key] = [doc.char_span(*span) for span in spans]
    return Example(nlp.make_doc(TEXT), doc)


@pytest.mark.parametrize("unit", ["char", "token"])
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_incorrect_entities_are_unlearned(unit, scheme):
    nlp = trained_with(unit, scheme)
    example = example_without(nlp, (3, 7, "ORG"), (3, 5, "ORG"))
    name = example.reference.char_span(0, 3, "NAME")
    example.reference.set_ents([name], default="missing")
    optimizer = Adam(0.01)
    losses = [nlp.update([example], sgd=optimizer)["lstm_ner"] for _ in range(30)]
    assert losses[-1] < 0.2 < losses[0]
    assert not {(3, 7, "ORG"), (3, 5, "ORG")}.intersection(found(nlp(TEXT)))
    start, end, label = found(nlp(TEXT))[0]
    assert (start, label) == (0, "NAME") and end >= 3


def test_only_the_same_extent_and_label_are_excluded():
    nlp = trained_with()
    ner = nlp.get_pipe("lstm_ner")
    (start_loss,) = ner.update([example_without(nlp, (3, 7, "ORG"))]).values()
    assert start_loss > 1
    others = [(3, 7, "NAME"), (3, 6, "ORG"), (4, 7, "ORG"), (3, 7, "UNKNOWN")]
    for other in others:
        (loss,) = ner.update([example_without(nlp, other)]).values()
        assert loss < 0.1
    # The loss is -log of the probability of all other paths.
    (span,) = [s for s in ner.predict([nlp.make_doc(TEXT)])[0] if s.label == "ORG"]
    assert start_loss == pytest.approx(-np.log1p(-span.score), rel=1e-3)


def test_spans_of_other_keys_are_ignored():
    nlp = trained_with()
    ner = nlp.get_pipe("lstm_ner")
    example = example_without(nlp, (3, 7, "ORG"), key="other")
    assert ner.update([example])["lstm_ner"] == pytest.approx(0.0, abs=1e-6)
    off = trained_with(key=None).get_pipe("lstm_ner")
    example = example_without(nlp, (3, 7, "ORG"))
    assert off.update([example])["lstm_ner"] == pytest.approx(0.0, abs=1e-6)


def test_the_losses_of_other_documents_of_the_batch_are_unchanged():
    nlp = trained_with()
    ner = nlp.get_pipe("lstm_ner")
    one = example_without(nlp, (3, 7, "ORG"))
    plain = Example(nlp.make_doc(TEXT), nlp(TEXT))
    alone = [ner.update([eg])["lstm_ner"] for eg in (one, plain)]
    both = ner.update([plain, one, plain])["lstm_ner"]
    assert both == pytest.approx(alone[0] + 2 * alone[1], rel=1e-4)


def test_incorrect_spans_of_another_tokenization():
    """They are aligned by characters, or by tokens if the texts differ."""
    nlp = trained_with()
    words = Doc(
        nlp.vocab, words=["王芳", "任", "北京大学", "教授", "。"], spaces=[False] * 5
    )
    words.spans["wrong"] = [Span(words, 2, 3, "ORG")]
    ner = nlp.get_pipe("lstm_ner")
    example = Example(nlp.make_doc(TEXT), words)
    same = ner.update([example_without(nlp, (3, 7, "ORG"))])["lstm_ner"]
    assert ner.update([example])["lstm_ner"] == pytest.approx(same, rel=1e-4)
    spaced = Doc(nlp.vocab, words=list(TEXT), spaces=[True] + [False] * 9)
    spaced.spans["wrong"] = [Span(spaced, 3, 7, "ORG")]
    example = Example(nlp.make_doc(TEXT), spaced)
    assert ner.update([example])["lstm_ner"] == pytest.approx(same, rel=1e-4)


def test_a_gold_entity_that_is_marked_as_incorrect():
    nlp = trained_with()
    doc = nlp(TEXT)
    doc.spans["wrong"] = [doc.char_span(3, 7, "ORG")]
    with pytest.raises(ValueError, match=r"'北京大学' is ORG in doc.ents, and .*wrong"):
        nlp.update([Example(nlp.make_doc(TEXT), doc)])
    # A span with another label does not contradict the entity.
    doc.spans["wrong"] = [doc.char_span(3, 7, "TITLE")]
    nlp.update([Example(nlp.make_doc(TEXT), doc)])


def test_an_empty_incorrect_span_is_ignored(examples):
    nlp = spacy.blank("zh")
    config = {"model": SMALL_MODEL, "incorrect_spans_key": "wrong"}
    ner = nlp.add_pipe("lstm_ner", config=config)
    nlp.initialize(lambda: examples)
    gold = examples[0].reference.copy()
    start = gold.ents[0].start
    loss = nlp.update([Example(nlp.make_doc(gold.text), gold)])[ner.name]
    label = gold.ents[0].label_
    gold.spans["wrong"] = [Span(gold, start, start, label)]
    again = nlp.update([Example(nlp.make_doc(gold.text), gold)])[ner.name]
    assert np.isfinite(loss) and np.isfinite(again)
