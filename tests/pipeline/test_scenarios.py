"""Scenarios of the component together with spaCy and other components.

Most of them come from reports by users of spaCy and its plugins. To add a scenario, add
a row to one of these tables:

    OTHER_COMPONENTS × USES   how a Doc is changed after the component, and how it is
                              used then
    SETTINGS                  valid and invalid values of settings
    PERSISTENCE               ways to save and load a pipeline
    DATA                      data with a problem, and the warning of `initialize`
    BROKEN                    damage to a saved component, and the error message
    COMMANDS                  commands on a pipeline that merges tokens
"""

import copy
import json
import pickle
import re
import shutil
import warnings
from functools import partial
from math import inf, nan

import numpy as np
import pytest
import spacy
from spacy.cli._util import app
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.evaluation.scorer import calibration_error
from spacy_lstm_ner.pipeline.annotating import entity_scores

from ..helpers.pipelines import SMALL_MODEL, TOKEN_MODEL, found, loaded_again, train
from ..helpers.requests import entities as entities_of
from ..helpers.service import needs_server, serving


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
    """As `merge_noun_chunks` does if a chunk is longer than the entity."""
    first = doc.ents[0]
    merge(doc, [doc[max(first.start - 1, 0) : first.end + 1]])


def merge_before_entities(doc):
    """This changes the indices of the tokens of entities."""
    outside = [not token.ent_type for token in doc]
    first = next(i for i in range(len(doc)) if all(outside[i : i + 2]))
    merge(doc, [doc[first : first + 2]])


def merge_and_split(doc):
    """The number of tokens is the same as before, but the tokens are not."""
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
    """As `span_ruler` does with `overwrite = false`: it sorts the spans."""
    spans = [Span(doc, 0, 1, "RULE"), *doc.spans["lstm_ner"]]
    doc.spans["lstm_ner"] = sorted(spans)


def relabel_entities(doc):
    doc.ents = [Span(doc, ent.start, ent.end, "OTHER") for ent in doc.ents]


def remove_first_entity(doc):
    doc.ents = doc.ents[1:]


def remove_group(doc):
    del doc.spans["lstm_ner"]


OTHER_COMPONENTS = [
    merge_entities,
    merge_around_first_entity,
    merge_before_entities,
    merge_and_split,
    add_a_span,
    add_a_span_in_front,
    relabel_entities,
    remove_first_entity,
    remove_group,
]


def unchanged(nlp, doc):
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


def second_pass(nlp, doc):
    return nlp.get_pipe("lstm_ner")(doc)


def pickled(nlp, doc):
    return pickle.loads(pickle.dumps(doc))


USES = [
    unchanged,
    in_bytes,
    in_a_docbin,
    partial(in_a_docbin, store_user_data=True),
    in_json,
    copied,
    from_docs,
    second_pass,
    pickled,
]


# These uses drop the attrs of span groups, and these changes replace the group.
LOSE_SCORES = [in_json, from_docs, add_a_span_in_front, remove_group]


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
    if use is not second_pass:
        assert found(used) == ents
    if use in LOSE_SCORES or change in LOSE_SCORES:
        before = {}
    for place, score in scores_of(used).items():
        expected = before.get(place)
        if use is second_pass and (expected is None or change is remove_first_entity):
            continue  # the second pass may predict other entities
        assert score == (None if expected is None else pytest.approx(expected))
    if change in (merge_entities, merge_before_entities, merge_and_split):
        assert set(found(used)) >= set(before)


@pytest.mark.parametrize("use", USES, ids=name_of)
@pytest.mark.parametrize("change", OTHER_COMPONENTS[:4], ids=name_of)
def test_the_group_agrees_with_the_entities(trained, text, change, use):
    """After tokens were merged or split, and after a second pass."""
    doc = trained(text)
    change(doc)
    used = use(trained, doc)
    group = used.spans["lstm_ner"]
    places = [(s.start_char, s.end_char, s.label_) for s in group]
    expected = found(used)
    if change is merge_around_first_entity:
        # This entity has changed.
        expected = expected[1:]
    if use is second_pass:
        # The split tokens are entities that were not predicted.
        expected = [place for place, p in scores_of(used).items() if p is not None]
    assert places == expected
    if "scores" in group.attrs:
        assert len(group.attrs["scores"]) == len(places)


@pytest.mark.parametrize("change", OTHER_COMPONENTS, ids=name_of)
def test_a_second_pass_replaces_the_group(trained, text, change):
    doc = trained(text)
    change(doc)
    doc = trained.get_pipe("lstm_ner")(doc)
    group = doc.spans["lstm_ner"]
    assert len(group.attrs["scores"]) == len(group) == len(set(group))
    assert set(group) <= set(doc.ents)


def test_entities_from_json_stay_in_the_group(trained, text):
    """Their probabilities are lost."""
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
    expected = trained.evaluate(
        [Example(trained(e.text), e.reference) for e in examples]
    )
    scores = nlp.evaluate(
        [Example(nlp.make_doc(e.text), e.reference) for e in examples]
    )
    assert scores["ents_f"] == expected["ents_f"]
    assert scores["ents_ece"] == pytest.approx(expected["ents_ece"])
    texts = [e.text for e in examples]
    for doc, other in zip(
        nlp.pipe(texts, n_process=2), trained.pipe(texts), strict=True
    ):
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
            assert found(doc) == found(trained(text))
            # The ruler replaces the group.
            is_replaced = overwrite and where == "after"
            if not is_replaced:
                assert scores_of(doc) == scores_of(trained(text))
            else:
                assert set(entity_scores(doc)) == {None}
            nlp.get_pipe("lstm_ner")(doc)
            group = doc.spans["lstm_ner"]
            if not is_replaced:
                assert list(group) == list(doc.ents)
            assert set(group) <= set(doc.ents)
            assert len(group.attrs["scores"]) == len(group)


def test_ids_of_overwritten_entities_are_removed(trained, text):
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").overwrite = True
    doc = nlp.make_doc(text)
    doc.ents = [Span(doc, 0, len(doc), "OLD", kb_id="Q1", span_id="id")]
    doc = nlp.get_pipe("lstm_ner")(doc)
    assert found(doc) == found(trained(text))
    for token in doc:
        assert (token.ent_kb_id_, token.ent_id_) == ("", "")


def test_ids_of_preset_entities_are_kept(trained, text):
    (start, end, _), *_ = found(trained(text))
    doc = trained.make_doc(text)
    doc.ents = [Span(doc, start, end, "OLD", kb_id="Q1", span_id="id")]
    # The id of an entity that another component has removed.
    doc[len(doc) - 3].ent_id_ = "left"
    doc = trained.get_pipe("lstm_ner")(doc)
    assert {t.ent_id_ for t in doc[start:end]} == {"id"}
    assert {t.ent_kb_id_ for t in doc[start:end]} == {"Q1"}
    assert not any(ent.id_ for ent in doc.ents if ent.label_ != "OLD")


def test_gold_docs_of_another_vocabulary(trained, examples):
    """With a label that is unknown to the pipeline."""
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


# Settings


def blank(**config):
    nlp = spacy.blank("zh")
    return nlp, nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL, **config})


SETTINGS = [
    # name, valid values, invalid values
    (
        "threshold",
        [0, 0.6, 1, np.float32(0.5)],
        ["0.5", nan, inf, -0.1, 1.1, None, True],
    ),
    ("overwrite", [True, False, np.bool_(True)], ["yes", 1, None]),
    ("spans_key", ["mine", None], ["", 1, "\ud800"]),
    ("incorrect_spans_key", ["wrong", None], ["", 1, ["wrong"]]),
    ("whole_brackets", [True, False], ["no", 0, None]),
    ("window", [16, 5000, None, np.int64(100)], [15, -1, "2000", 99.5, nan, True]),
    ("alignment_mode", ["strict", "contract", "expand"], ["exact", "", None, 1]),
]


@pytest.mark.parametrize("name, valid, invalid", SETTINGS, ids=[s[0] for s in SETTINGS])
def test_settings_are_validated_when_they_are_set(name, valid, invalid):
    nlp, ner = blank()
    for value in valid:
        setattr(ner, name, value)
        assert getattr(ner, name) == value
        assert type(getattr(ner, name)) in (bool, int, float, str, type(None))
        assert nlp.config["components"]["lstm_ner"][name] == value
    for value in invalid:
        with pytest.raises(ValueError, match=rf"\[lstm_ner\] {name} = "):
            setattr(ner, name, value)
        assert getattr(ner, name) == valid[-1]
        # For a wrong type, the message is pydantic's.
        with pytest.raises(ValueError):
            blank(**{name: value})


def by_disk(nlp, folder, config):
    nlp.to_disk(folder)
    return spacy.load(folder, config=config)


def by_disk_twice(nlp, folder, config):
    return by_disk(by_disk(nlp, folder / "1", {}), folder / "2", config)


def by_disk_into_a_blank_pipeline(nlp, folder, config):
    nlp.to_disk(folder)
    again, _ = blank(**config)
    return again.from_disk(folder)


def by_bytes(nlp, folder, config):
    return spacy.blank("zh").from_config(nlp.config).from_bytes(nlp.to_bytes())


def by_bytes_into_a_blank_pipeline(nlp, folder, config):
    return blank()[0].from_bytes(nlp.to_bytes())


def by_pickle(nlp, folder, config):
    return pickle.loads(pickle.dumps(nlp))


def by_pickle_and_disk(nlp, folder, config):
    return by_disk(by_pickle(nlp, folder, config), folder, config)


def by_component_bytes(nlp, folder, config):
    again, ner = blank()
    ner.from_bytes(nlp.get_pipe("lstm_ner").to_bytes())
    return again


def by_component_folder(nlp, folder, config):
    nlp.get_pipe("lstm_ner").to_disk(folder / "ner")
    again, ner = blank()
    ner.from_disk(folder / "ner")
    return again


def by_sourcing(nlp, folder, config):
    """Later changes in the source pipeline do not affect the copy."""
    again = spacy.blank("zh")
    again.add_pipe("lstm_ner", source=nlp)
    nlp.get_pipe("lstm_ner").threshold = 0.6
    return by_disk(again, folder, config)


def by_copy_and_disk(nlp, folder, config):
    """A copy of a component has no reference to its pipeline."""
    again = copy.deepcopy(nlp)
    again.get_pipe("lstm_ner").threshold = 0.7
    again = by_disk(again, folder / "1", {})
    again.get_pipe("lstm_ner").threshold = 0.6
    return by_disk(copy.deepcopy(again), folder / "2", config)


def by_changed_copy(nlp, folder, config):
    nlp.get_pipe("lstm_ner").threshold = 0.5
    again = pickle.loads(pickle.dumps(nlp))
    again.get_pipe("lstm_ner").threshold = 0.6
    return by_disk(again, folder, config)


def by_bytes_of_a_changed_copy(nlp, folder, config):
    nlp.get_pipe("lstm_ner").threshold = 0.5
    again = copy.deepcopy(nlp)
    again.get_pipe("lstm_ner").threshold = 0.6
    return by_bytes(again, folder, config)


def by_bytes_over_other_settings(nlp, folder, config):
    again, ner = blank()
    ner.threshold = 0.9
    return again.from_bytes(nlp.to_bytes())


def by_another_name(nlp, folder, config):
    nlp.rename_pipe("lstm_ner", "other")
    again = by_disk(nlp, folder, {})
    again.rename_pipe("other", "lstm_ner")
    nlp.rename_pipe("other", "lstm_ner")
    return again


PERSISTENCE = [
    by_disk,
    by_disk_twice,
    by_disk_into_a_blank_pipeline,
    by_bytes,
    by_bytes_into_a_blank_pipeline,
    by_pickle,
    by_pickle_and_disk,
    by_component_bytes,
    by_component_folder,
    by_sourcing,
    by_copy_and_disk,
    by_changed_copy,
    by_bytes_of_a_changed_copy,
    by_bytes_over_other_settings,
    by_another_name,
]
CHANGED = {
    "threshold": 0.6,
    "overwrite": True,
    "spans_key": "mine",
    "incorrect_spans_key": "wrong",
    "whole_brackets": False,
    "window": 100,
    "alignment_mode": "strict",
}


@pytest.fixture
def changed(trained):
    nlp = loaded_again(trained)
    for name, value in CHANGED.items():
        setattr(nlp.get_pipe("lstm_ner"), name, value)
    return nlp


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("way", PERSISTENCE, ids=name_of)
def test_settings_are_saved(changed, tmp_path, way):
    ner = way(changed, tmp_path, {}).get_pipe("lstm_ner")
    assert ner.settings == CHANGED
    assert ner.labels == changed.get_pipe("lstm_ner").labels


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6])
@pytest.mark.parametrize(
    "way",
    [by_disk, by_disk_twice, by_pickle_and_disk, by_sourcing, by_changed_copy],
    ids=name_of,
)
def test_config_overrides_of_load_take_precedence(changed, tmp_path, way, threshold):
    """Even with the default value."""
    config = {"components": {"lstm_ner": {"threshold": threshold}}}
    ner = way(changed, tmp_path, config).get_pipe("lstm_ner")
    assert ner.settings == {**CHANGED, "threshold": threshold}


def test_an_edited_config_takes_precedence_with_a_warning(changed, tmp_path):
    changed.to_disk(tmp_path)
    path = tmp_path / "config.cfg"
    config = path.read_text("utf8")
    assert "threshold = 0.6" in config
    path.write_text(config.replace("threshold = 0.6", "threshold = 0.2"), "utf8")
    with pytest.warns(
        UserWarning,
        match=r"threshold was 0\.6 .* is 0\.2 in its config now, which is used\.",
    ):
        nlp = spacy.load(tmp_path)
    assert nlp.get_pipe("lstm_ner").settings == {**CHANGED, "threshold": 0.2}
    # After it was saved again, there is no warning.
    nlp.to_disk(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert spacy.load(tmp_path).get_pipe("lstm_ner").threshold == 0.2


@pytest.mark.filterwarnings("error")
def test_variables_in_a_config_are_kept(trained, tmp_path):
    trained.to_disk(tmp_path / "1")
    path = tmp_path / "1" / "config.cfg"
    config = path.read_text("utf8").replace(
        "overwrite = false", "overwrite = ${vars.o}"
    )
    path.write_text(config + "\n[vars]\no = false\n", "utf8")
    spacy.load(tmp_path / "1").to_disk(tmp_path / "2")
    assert "${vars.o}" in (tmp_path / "2" / "config.cfg").read_text("utf8")
    for value in (True, False):
        nlp = spacy.load(tmp_path / "2", config={"vars.o": value})
        assert nlp.get_pipe("lstm_ner").overwrite == value


def test_a_config_with_another_scheme_is_reported(trained, tmp_path):
    trained.to_disk(tmp_path)
    with pytest.warns(UserWarning, match="scheme = 'BIO', but the weights require 'B"):
        nlp = spacy.load(tmp_path, config={"components.lstm_ner.scheme": "BIO"})
    assert nlp.get_pipe("lstm_ner").cfg["scheme"] == "BIOES"


@pytest.mark.parametrize("name", ["scores", "offsets"])
@pytest.mark.parametrize("value", [None, "abcd", [1, 2, 3, 4], 7, [[1], [2], [3], [4]]])
def test_invalid_attrs_are_ignored(trained, text, name, value):
    doc = trained(text)
    doc.spans["lstm_ner"].attrs[name] = value
    assert len(entity_scores(doc)) == len(doc.ents) == 4
    trained.get_pipe("lstm_ner")(doc)
    assert len(doc.spans["lstm_ner"]) == 4


def test_a_changed_threshold_is_saved_and_used(trained, examples, tmp_path):
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").threshold = 1.0
    again = by_disk(nlp, tmp_path, {})
    assert trained(examples[0].text).ents
    assert not again(examples[0].text).ents


# Models that fit the units


def test_the_default_model_for_tokens(examples, tmp_path):
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"unit": "token"})
    assert not any(node.name == "characters" for node in ner.model.walk())
    train(nlp, examples[:20], steps=3)
    again = by_disk(nlp, tmp_path, {})
    assert again.get_pipe("lstm_ner").model.to_bytes() == ner.model.to_bytes()
    embed = again.config["components"]["lstm_ner"]["model"]["tok2vec"]["embed"]
    assert embed["@architectures"] == "spacy.MultiHashEmbed.v2"
    assert scores_of(again(examples[0].text)) == scores_of(nlp(examples[0].text))


def test_a_model_of_characters_is_incompatible_with_tokens():
    with pytest.raises(
        ValueError, match='unit = "token" is incompatible with a model of char'
    ):
        blank(unit="token")


def test_a_model_of_tokens_is_rejected_before_training(examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config={"model": TOKEN_MODEL})
    doc = nlp.make_doc("Anna lives in New York")
    doc.ents = [Span(doc, 0, 1, "PER")]
    with pytest.raises(ValueError, match='unit = "char" requires a vector'):
        nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc)])


# Data (more of it in data/test_compatibility.py)


def characters_with_blanks(nlp):
    """A Doc as it is created if `spaces` is left out."""
    return Doc(nlp.vocab, words=list("北京大学教授在上海工作"))


def characters(nlp):
    words = list("北京大学教授在上海工作")
    return Doc(nlp.vocab, words=words, spaces=[False] * len(words))


def english(nlp):
    return nlp.make_doc("Peking University of China")


DATA = [
    # language, unit, the Docs (their first four tokens are an entity), the warning
    ("zh", "char", characters, None),
    ("zh", "char", characters_with_blanks, "spaces between characters"),
    ("zh", "token", characters_with_blanks, "spaces between characters"),
    ("zh", "token", english, "words split into letters"),
    ("en", "token", english, None),
    ("en", "token", characters, "entities not aligned with tokens"),
    ("en", "char", characters, "entities not aligned with tokens"),
]


@pytest.mark.parametrize("lang, unit, make, warning", DATA)
def test_incompatible_data_is_reported(lang, unit, make, warning):
    nlp = spacy.blank(lang)
    model = SMALL_MODEL if unit == "char" else TOKEN_MODEL
    nlp.add_pipe("lstm_ner", config={"unit": unit, "model": model})
    gold = make(nlp)
    gold.ents = [Span(gold, 0, 4, "ORG")]
    examples = [Example(nlp.make_doc(gold.text), gold)] * 6
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.initialize(lambda: examples)
    messages = [str(w.message) for w in caught if "[lstm_ner]" in str(w.message)]
    assert [warning in message for message in messages] == [True] * bool(warning), (
        messages
    )


# Invalid numbers


def test_non_finite_crf_parameters_are_reported(trained, examples):
    for name in ("starts", "transitions", "ends"):
        nlp = loaded_again(trained)
        crf = nlp.get_pipe("lstm_ner").model.get_ref("crf")
        array = crf.get_param(name).copy()
        array[..., 0] = nan
        crf.set_param(name, array)
        with pytest.raises(ValueError, match=rf"parameter '{name}' of the CRF"):
            nlp(examples[0].text)


@pytest.mark.parametrize("drop", [1.5, 1.0, -0.1, nan, "0.1", None])
def test_dropout_is_validated(trained, examples, drop):
    nlp = loaded_again(trained)
    before = nlp.get_pipe("lstm_ner").model.to_bytes()
    optimizer = nlp.resume_training()
    for learn in (nlp.get_pipe("lstm_ner").update, nlp.get_pipe("lstm_ner").rehearse):
        with pytest.raises(ValueError, match="is not a dropout rate"):
            learn(examples[:2], drop=drop, sgd=optimizer)
    assert nlp.get_pipe("lstm_ner").model.to_bytes() == before


@pytest.mark.parametrize("label", ["", None, 3, "half \ud800"])
def test_an_invalid_label_changes_nothing(trained, examples, label):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    before = ner.to_bytes()
    with pytest.raises(ValueError):
        ner.add_label(label)
    assert ner.to_bytes() == before
    for labels in (["GOOD", label], "GOOD", 3):
        with pytest.raises(ValueError):
            ner.initialize(lambda: examples, nlp=nlp, labels=labels)
        assert ner.to_bytes() == before


# Saved components


def with_cfg(**changes):
    """Change values of `cfg`, without a digest, as saved by earlier versions."""

    def change(folder):
        cfg = json.loads((folder / "cfg").read_text("utf8"))
        for name in ("digest", "settings", "configured"):
            del cfg[name]
        cfg.update(changes)
        cfg = {name: value for name, value in cfg.items() if value != "missing"}
        (folder / "cfg").write_text(json.dumps(cfg), "utf8")

    return change


def replaced(name, old, new):
    def change(folder):
        data = (folder / name).read_bytes()
        assert old in data
        (folder / name).write_bytes(data.replace(old, new, 1))

    return change


def truncated(name, share):
    def change(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return change


def flipped_bit(folder):
    data = bytearray((folder / "model").read_bytes())
    data[-1000] ^= 1
    (folder / "model").write_bytes(data)


def deleted(name):
    return lambda folder: (folder / name).unlink()


def swapped(folder):
    (folder / "cfg").rename(folder / "other")
    (folder / "model").rename(folder / "cfg")
    (folder / "other").rename(folder / "model")


BROKEN = [
    # damage, error message
    (with_cfg(labels=None), r"cfg: labels = None is not a list of non-empty strings"),
    (
        with_cfg(labels="NAME"),
        r"cfg: labels = 'NAME' is not a list of non-empty strings",
    ),
    (
        with_cfg(labels=["A", ""]),
        r"cfg: labels = .* is not a list of non-empty strings",
    ),
    (with_cfg(labels=["A", 1]), r"cfg: labels = .* is not a list of non-empty strings"),
    (with_cfg(labels=["A", "A"]), r"cfg: labels contains 'A' more than once"),
    (
        with_cfg(labels=["A"]),
        r"1 labels in the scheme BIOES give 5 tags, but",
    ),
    (with_cfg(labels=[f"L{i}" for i in range(20_000)]), r"20000 labels .* 80001 tags"),
    (with_cfg(labels="missing"), r"cfg: 'labels' is missing"),
    (with_cfg(unit="x"), r"cfg: unit = 'x' is not one of 'char', 'token'"),
    (with_cfg(unit=["char"]), r"cfg: unit = "),
    (with_cfg(scheme="BMES"), r"cfg: scheme = 'BMES' is not one of"),
    (with_cfg(temperature=-1), r"cfg: temperature = -1 is not a positive number"),
    (with_cfg(temperature="x"), r"cfg: temperature = 'x' is not a positive number"),
    (with_cfg(temperature=inf), r"cfg: temperature = inf"),
    (with_cfg(temprature=1.0), r"cfg: unknown key 'temprature'"),
    (with_cfg(settings={"threshold": 0.5}), r"cfg: 'digest' is missing"),
    (
        replaced("cfg", b'"temperature": 1', b'"temperature": 3'),
        r"cfg: the digest does not match the content",
    ),
    (replaced("cfg", b'"digest"', b'"dihest"'), r"cfg: unknown key 'dihest'"),
    (replaced("cfg", b"{", b"["), r"cfg: this is not JSON"),
    (truncated("cfg", 0), r"cfg: this is not JSON"),
    (truncated("cfg", 0.5), r"cfg: this is not JSON"),
    (truncated("model", 0.9), r"model: these are not the weights"),
    (truncated("model", 0), r"model: these are not the weights"),
    (flipped_bit, r"model: these are not the weights"),
    (swapped, r"cfg: this is not JSON"),
    (deleted("cfg"), r"cfg"),
    (deleted("model"), r"model"),
]


@pytest.mark.parametrize("change, message", BROKEN)
def test_a_damaged_component_is_rejected(trained, tmp_path, change, message):
    trained.to_disk(tmp_path)
    change(tmp_path / "lstm_ner")
    with pytest.raises((ValueError, OSError), match=message):
        spacy.load(tmp_path)


def unpacked_model(model):
    import srsly

    return srsly.msgpack_loads(model.to_bytes())


def node_of(content, name):
    (index,) = [n["index"] for n in content["nodes"] if n["name"] == name]
    return index


def in_float16(content):
    params = content["params"][node_of(content, "crf")]
    params["transitions"] = params["transitions"].astype("float16")


def in_another_shape(content):
    params = content["params"][node_of(content, "crf")]
    params["transitions"] = params["transitions"][:-1]


def with_long_ngrams(content):
    import srsly

    attrs = content["attrs"][node_of(content, "hash_char_embed")]
    attrs["longest"] = srsly.msgpack_dumps(10**6)


@pytest.mark.parametrize(
    "change, message",
    [
        (in_float16, "parameter transitions of crf is float16, not float32"),
        (in_another_shape, "parameter transitions of crf has the shape .*, not "),
        (with_long_ngrams, "longest = 1000000, which does not match its 3 tables"),
    ],
)
def test_invalid_weights_are_rejected(trained, tmp_path, change, message):
    """Even without a digest, as saved by earlier versions."""
    import srsly

    trained.to_disk(tmp_path)
    folder = tmp_path / "lstm_ner"
    content = unpacked_model(trained.get_pipe("lstm_ner").model)
    change(content)
    with_cfg()(folder)
    (folder / "model").write_bytes(srsly.msgpack_dumps(content))
    with pytest.raises(ValueError, match=message):
        spacy.load(tmp_path)


def test_damaged_bytes_are_rejected(trained):
    data = trained.get_pipe("lstm_ner").to_bytes()
    _, ner = blank()
    for position in range(0, len(data), len(data) // 50):
        broken = bytearray(data)
        broken[position] ^= 4
        try:
            ner.from_bytes(bytes(broken), exclude=["vocab"])
        except ValueError:
            continue
        assert ner.to_bytes(exclude=["vocab"]) == trained.get_pipe("lstm_ner").to_bytes(
            exclude=["vocab"]
        )


# Commands


@pytest.fixture(scope="module")
def merging(trained, examples, tmp_path_factory):
    """A folder with model/, a pipeline that merges entities, dev.spacy and
    texts.jsonl."""
    folder = tmp_path_factory.mktemp("merging")
    nlp = loaded_again(trained)
    nlp.add_pipe("merge_entities")
    nlp.to_disk(folder / "model")
    DocBin(docs=[eg.reference for eg in examples[:20]]).to_disk(folder / "dev.spacy")
    lines = (json.dumps({"text": eg.text}) for eg in examples[:20])
    (folder / "texts.jsonl").write_text("\n".join(lines), "utf8")
    return folder


COMMANDS = [
    # MODEL, DEV, TEXTS and OUT are replaced by paths.
    "evaluate MODEL DEV --output OUT/figures.json",
    "evaluate MODEL DEV --per-component --output OUT/figures.json",
    "benchmark accuracy MODEL DEV",
    "benchmark speed MODEL DEV --batches 30 --batch-size 1 --warmup 1",
    "apply MODEL TEXTS OUT/docs.spacy --n-process 2",
    "find-threshold MODEL DEV lstm_ner threshold ents_f --n_trials 3",
    "lstm-ner evaluate MODEL DEV",
    "lstm-ner errors MODEL DEV --output OUT/errors.jsonl",
    "lstm-ner calibrate MODEL DEV",
    "lstm-ner gates MODEL 王芳任北京大学教授。 OUT/gates.html --corpus DEV",
    "lstm-ner report MODEL DEV OUT/report.html",
]


def test_the_demo_on_a_pipeline_that_merges_entities(merging, trained, text):
    needs_server()
    with serving(lambda: spacy.load(merging / "model"), all_entities=True) as service:
        (entities,) = entities_of(service, text)
    expected = scores_of(trained(text))
    assert {
        (entity["start"], entity["end"], entity["label"]): entity["score"]
        for entity in entities
    } == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_a_pipeline_that_merges_entities(merging, tmp_path, command):
    names = {"DEV": merging / "dev.spacy", "TEXTS": merging / "texts.jsonl"}
    shutil.copytree(merging / "model", tmp_path / "model")
    names["MODEL"] = tmp_path / "model"
    arguments = [
        str(names.get(word, word)).replace("OUT/", f"{tmp_path}/")
        for word in command.split()
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    if "evaluate" in command and "per-comp" not in command:
        assert re.search(r"\b100(\.0+)?\b", result.output)
    if "OUT/errors.jsonl" in command:
        errors = (tmp_path / "errors.jsonl").read_text("utf8").splitlines()
        assert not [line for line in errors if json.loads(line)["is"] == "error"]
