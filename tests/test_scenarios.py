"""What happens where the rest of the world meets the component, a row a scenario.

Most rows come from reports of users of spaCy and its plugins. A new one is one more
row in the table of its theme:

    OTHER_COMPONENTS × USES   what is done to a Doc after the component; what is done
                              with the Doc then
    SETTINGS                  values of settings, right and wrong
    LASTING                   ways to save and load a pipeline, and which value lasts
    BROKEN                    what is wrong with a saved component; what the error says
"""

import json
import pickle
import shutil
import warnings
from functools import partial
from math import inf, nan

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_lstm_ner.annotating import entity_scores
from spacy_lstm_ner.scorers import calibration_error

from .conftest import SMALL_MODEL, TOKEN_MODEL, found, loaded_again, train


@pytest.fixture(scope="module")
def text(examples):
    return examples[0].text


# Other components


def merge(doc, spans):
    with doc.retokenize() as retokenizer:
        for span in spans:
            retokenizer.merge(span)


def merge_entities(doc):
    merge(doc, list(doc.ents))


def merge_around_first_entity(doc):
    """As `merge_noun_chunks` does where a chunk is longer than the entity."""
    first = doc.ents[0]
    merge(doc, [doc[max(first.start - 1, 0) : first.end + 1]])


def merge_before_entities(doc):
    """So the tokens of entities have other numbers."""
    outside = [not token.ent_type for token in doc]
    first = next(i for i in range(len(doc)) if all(outside[i : i + 2]))
    merge(doc, [doc[first : first + 2]])


def merge_and_split(doc):
    """There are as many tokens as before, but others."""
    first, last = doc.ents[0], doc.ents[-1]
    merge(doc, [doc[first.start : first.end]])
    token = doc[first.start]
    heads = [(token, i) for i in range(len(token))]
    with doc.retokenize() as retokenizer:
        retokenizer.split(token, list(token.text), heads=heads)
    assert last.text in doc.text


def add_a_span(doc):
    doc.spans["lstm_ner"].append(doc[0:1])


def add_a_span_in_front(doc):
    """As `span_ruler` does with `overwrite = false`: it sorts."""
    spans = [Span(doc, 0, 1, "RULE"), *doc.spans["lstm_ner"]]
    doc.spans["lstm_ner"] = sorted(spans)


def other_entities(doc):
    doc.ents = [Span(doc, ent.start, ent.end, "OTHER") for ent in doc.ents]


def without_the_group(doc):
    del doc.spans["lstm_ner"]


OTHER_COMPONENTS = [
    merge_entities,
    merge_around_first_entity,
    merge_before_entities,
    merge_and_split,
    add_a_span,
    add_a_span_in_front,
    other_entities,
    without_the_group,
]


def as_it_is(nlp, doc):
    return doc


def in_bytes(nlp, doc):
    return Doc(nlp.vocab).from_bytes(doc.to_bytes())


def in_a_docbin(nlp, doc, store_user_data=False):
    docs = DocBin(store_user_data=store_user_data, docs=[doc]).to_bytes()
    (again,) = DocBin().from_bytes(docs).get_docs(nlp.vocab)
    return again


def in_json(nlp, doc):
    return Doc(nlp.vocab).from_json(doc.to_json())


def copied(nlp, doc):
    return doc.copy()


def from_docs(nlp, doc):
    return Doc.from_docs([doc])


def a_second_time(nlp, doc):
    return nlp.get_pipe("lstm_ner")(doc)


def pickled(nlp, doc):
    return pickle.loads(pickle.dumps(doc))


USES = [
    as_it_is,
    in_bytes,
    in_a_docbin,
    partial(in_a_docbin, store_user_data=True),
    in_json,
    copied,
    from_docs,
    a_second_time,
    pickled,
]


def name_of(function):
    return getattr(function, "__name__", "in_a_docbin with user data")


def scores_of(doc):
    return {
        (ent.start_char, ent.end_char, ent.label_): score
        for ent, score in zip(doc.ents, entity_scores(doc), strict=True)
    }


@pytest.mark.parametrize("use", USES, ids=name_of)
@pytest.mark.parametrize("change", OTHER_COMPONENTS, ids=name_of)
def test_probabilities_stay_with_their_entities(trained, text, change, use):
    doc = trained(text)
    before = scores_of(doc)
    assert len(before) > 2 and None not in before.values()
    change(doc)
    ents = found(doc)
    used = use(trained, doc)
    assert set(found(used)) >= set(ents)
    if use is not a_second_time:
        assert found(used) == ents
    scores = scores_of(used)
    for place, score in scores.items():
        if use is in_json or (
            use is in_a_docbin and change in (add_a_span, add_a_span_in_front)
        ):
            continue  # neither keeps what stands in doc.user_data
        if use is in_a_docbin and change is without_the_group:
            continue
        expected = before.get(place)
        if use is a_second_time and expected is None:
            continue  # it finds something else in other tokens
        assert score == (None if expected is None else pytest.approx(expected))
    unchanged = {place for place in before if place in set(found(used))}
    if change in (merge_entities, merge_before_entities, merge_and_split):
        assert unchanged == set(before)


@pytest.mark.parametrize("use", USES, ids=name_of)
@pytest.mark.parametrize("change", OTHER_COMPONENTS[:4], ids=name_of)
def test_the_group_agrees_with_the_entities(trained, text, change, use):
    """Where tokens are merged and split, and after a second pass."""
    doc = trained(text)
    change(doc)
    used = use(trained, doc)
    group = used.spans["lstm_ner"]
    places = [(s.start_char, s.end_char, s.label_) for s in group]
    expected = found(used)
    if change is merge_around_first_entity:
        # That one is another entity by now.
        expected = expected[1:]
    if use is a_second_time:
        # Split tokens are entities that nobody has found.
        expected = [place for place, p in scores_of(used).items() if p is not None]
    assert places == expected
    if "scores" in group.attrs:
        assert len(group.attrs["scores"]) == len(places)


@pytest.mark.parametrize("change", OTHER_COMPONENTS, ids=name_of)
def test_a_second_pass_writes_the_group_anew(trained, text, change):
    doc = trained(text)
    change(doc)
    doc = trained.get_pipe("lstm_ner")(doc)
    group = doc.spans["lstm_ner"]
    assert len(group.attrs["scores"]) == len(group)
    assert set(group) <= set(doc.ents)


def test_entities_from_json_stay_in_the_group(trained, text):
    """Their probabilities are not known any more."""
    doc = in_json(trained, trained(text))
    assert entity_scores(doc) == [None] * len(doc.ents)
    doc = trained.get_pipe("lstm_ner")(doc)
    assert list(doc.spans["lstm_ner"]) == list(doc.ents) != []
    assert np.isnan(doc.spans["lstm_ner"].attrs["scores"]).all()
    assert entity_scores(doc) == [None] * len(doc.ents)
    assert calibration_error([Example(doc, trained(text))], "lstm_ner") is None


@pytest.mark.parametrize("name", ["merge_entities", "merge_before"])
def test_pipelines_that_merge_tokens(trained, examples, name):
    nlp = loaded_again(trained)
    if name == "merge_before":
        Language.component("merge_before", func=_merge_before)
    nlp.add_pipe(name)
    examples = examples[:6]
    expected = trained.evaluate([Example(trained(e.text), e.reference) for e in examples])
    scores = nlp.evaluate([Example(nlp.make_doc(e.text), e.reference) for e in examples])
    assert scores["ents_f"] == expected["ents_f"]
    assert scores["ents_ece"] == pytest.approx(expected["ents_ece"])
    texts = [e.text for e in examples]
    for doc, other in zip(nlp.pipe(texts, n_process=2), trained.pipe(texts), strict=True):
        assert scores_of(doc) == pytest.approx(scores_of(other))


def _merge_before(doc):
    merge_before_entities(doc)
    return doc


def test_a_span_ruler_with_the_same_key(trained, text):
    for overwrite in (True, False):
        for where in ("before", "after"):
            nlp = loaded_again(trained)
            ruler = nlp.add_pipe(
                "span_ruler",
                config={"spans_key": "lstm_ner", "overwrite": overwrite},
                **{where: "lstm_ner"},
            )
            ruler.add_patterns([{"label": "RULE", "pattern": text[0]}])
            doc = nlp(text)
            assert scores_of(doc) == scores_of(trained(text))
            nlp.get_pipe("lstm_ner")(doc)
            assert list(doc.spans["lstm_ner"]) == list(doc.ents)


def test_ids_of_entities_that_are_put_aside(trained, text):
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").overwrite = True
    doc = nlp.make_doc(text)
    doc.ents = [Span(doc, 0, len(doc), "OLD", kb_id="Q1", span_id="id")]
    doc = nlp.get_pipe("lstm_ner")(doc)
    assert found(doc) == found(trained(text))
    for token in doc:
        assert (token.ent_kb_id_, token.ent_id_) == ("", "")


def test_ids_of_entities_that_stay(trained, text):
    (start, end, _), *_ = found(trained(text))
    doc = trained.make_doc(text)
    doc.ents = [Span(doc, start, end, "OLD", kb_id="Q1", span_id="id")]
    # Another component has taken this one out, and left its id.
    doc[len(doc) - 3].ent_id_ = "left"
    doc = trained.get_pipe("lstm_ner")(doc)
    assert {t.ent_id_ for t in doc[start:end]} == {"id"}
    assert {t.ent_kb_id_ for t in doc[start:end]} == {"Q1"}
    assert not any(ent.id_ for ent in doc.ents if ent.label_ != "OLD")


def test_gold_docs_of_another_vocabulary(trained, examples):
    """With a label that the pipeline does not know."""
    nlp = loaded_again(trained)
    other = spacy.blank("zh")
    gold = []
    for eg in examples[:5]:
        doc = other.make_doc(eg.text)
        *ents, (start, end, _) = found(eg.reference)
        doc.ents = [doc.char_span(*ent[:2], ent[2]) for ent in ents]
        doc.ents = (*doc.ents, doc.char_span(start, end, "NEVER SEEN"))
        gold.append(doc)
    scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in gold])
    assert scores["ents_per_type"]["NEVER SEEN"]["r"] == 0
    assert 0 < scores["ents_f"] < 1
    assert 0 < scores["bio_macro_f"] < 1
