"""Probabilities that are made to fit."""

import json

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from thinc.types import Ragged
from typer.testing import CliRunner

from spacy_lstm_ner.cli import lstm_ner_cli
from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.exceptions import NotCalibrated
from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.marginals import segment_marginals
from spacy_lstm_ner.layers.viterbi import n_best_paths
from spacy_lstm_ner.pipeline.calibration import fit_temperature, log_loss
from spacy_lstm_ner.tags import TagSet

from ..helpers.paths import SAMPLE
from ..helpers.pipelines import copy_of, found, list_pattern, loaded_again


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_made_up_scores_is_found(true):
    """Scores that are `true` times too far apart."""
    random = np.random.default_rng(0)
    logits = random.normal(1.0, 2.0, 20_000)
    is_right = random.random(20_000) < sigmoid(logits)
    found = fit_temperature(lambda t: sigmoid(logits * true / t), is_right)
    assert found == pytest.approx(true, rel=0.05)
    # No other temperature on a fine grid does better.
    best = log_loss(sigmoid(logits * true / found), is_right)
    for t in np.exp(np.linspace(-2, 2.9, 200)):
        assert best <= log_loss(sigmoid(logits * true / t), is_right) + 1.0


def test_what_is_always_right_or_always_wrong_stays_finite():
    logits = np.full(10, 2.0)
    for is_right in (np.ones(10, dtype=bool), np.zeros(10, dtype=bool)):
        found = fit_temperature(lambda t: sigmoid(logits / t), is_right)
        assert 0.1 <= found <= 20


def test_a_layer_at_a_temperature_is_one_with_smaller_scores():
    tags = TagSet(["A", "B"])
    random = np.random.default_rng(0)
    scores = random.normal(size=(9, len(tags)))
    crf, cooler = (CRF(len(tags)).initialize() for _ in range(2))
    for name in crf.param_names:
        param = random.normal(size=crf.get_param(name).shape)
        crf.set_param(name, param.astype("float32"))
        cooler.set_param(name, crf.get_param(name) / np.float32(2.5))
    lengths = np.array([5, 4])
    asked = tags.segments([(0, 2, "A"), (5, 6, "B"), (1, 4, "")])
    hot = segment_marginals(
        crf, Ragged(scores, lengths), tags.rules, asked, temperature=2.5
    )
    cold = segment_marginals(cooler, Ragged(scores / 2.5, lengths), tags.rules, asked)
    np.testing.assert_allclose(hot, cold, rtol=1e-5)
    best, log_probs = n_best_paths(crf, Ragged(scores, lengths), tags.rules, 4)
    hot_best, hot_log_probs = n_best_paths(
        crf, Ragged(scores, lengths), tags.rules, 4, temperature=2.5
    )
    np.testing.assert_array_equal(best, hot_best)
    differences = np.diff(log_probs), np.diff(hot_log_probs)
    np.testing.assert_allclose(differences[0] / 2.5, differences[1], rtol=1e-5)


@pytest.fixture(scope="module")
def unread():
    """Sentences that the trained pipeline has not read."""
    corpus = BIOCorpus(SAMPLE / "resume.json", limit=260)
    return list(corpus(spacy.blank("zh")))[60:]


def evaluated(nlp, examples):
    return nlp.evaluate([copy_of(nlp, eg) for eg in examples])


@pytest.fixture
def too_sure(trained):
    """A pipeline that is much too sure of itself: all of its scores are tripled."""
    nlp = loaded_again(trained)
    model = nlp.get_pipe("lstm_ner").model
    for layer in (model.get_ref("output_layer"), model.get_ref("crf")):
        for name in layer.param_names:
            layer.set_param(name, 3 * layer.get_param(name))
    return nlp


def test_probabilities_fit_better_and_entities_stay(too_sure, unread):
    nlp = too_sure
    half = len(unread) // 2
    before = evaluated(nlp, unread[half:])
    temperature = nlp.get_pipe("lstm_ner").calibrate(
        copy_of(nlp, eg) for eg in unread[:half]
    )
    after = evaluated(nlp, unread[half:])
    assert temperature == nlp.get_pipe("lstm_ner").temperature > 2
    assert after["ents_f"] == before["ents_f"]
    assert after["ents_ece"] < 0.7 * before["ents_ece"]


def test_it_is_saved_used_everywhere_and_forgotten(trained, unread, examples):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    ner.calibrate(copy_of(nlp, eg) for eg in unread)
    again = loaded_again(nlp)
    assert again.get_pipe("lstm_ner").temperature == ner.temperature != 1.0
    text = unread[0].text
    scores = nlp(text).spans["lstm_ner"].attrs["scores"]
    np.testing.assert_array_equal(again(text).spans["lstm_ner"].attrs["scores"], scores)
    # Probabilities, and the analyses, are of the same distribution.
    asked = [(0, len(text), "")]
    ((empty,),) = ner.probabilities([nlp.make_doc(text)], [asked])
    (few,) = ner.n_best([nlp.make_doc(text)], 50)
    assert sum(a.probability for a in few) <= 1 + 1e-9
    for (start, end, label), score in zip(found(nlp(text)), scores, strict=True):
        among = sum(a.probability for a in few if (start, end, label) in a.entities)
        assert among <= score + 1e-6
        assert score <= 1 - empty + 1e-6
    again.initialize(lambda: examples)
    assert again.get_pipe("lstm_ner").temperature == 1.0


def test_what_is_not_annotated_does_not_count(trained, unread):
    """Half of the tokens without annotation, wherever the pipeline is wrong: what is
    left is right, so it may be as sure as can be."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    all_of_it = ner.calibrate(copy_of(nlp, eg) for eg in unread)
    partly = []
    for eg in unread:
        wrong = set(found(nlp(eg.text))).difference(found(eg.reference))
        gold = eg.reference.copy()
        missing = [gold.char_span(s, e, alignment_mode="expand") for s, e, _ in wrong]
        gold.set_ents([], missing=missing, default="unmodified")
        partly.append(Example(nlp.make_doc(eg.text), gold))
    assert ner.calibrate(partly) < all_of_it


def test_nothing_to_calibrate_with(trained, unread):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    doc = nlp.make_doc("。。。。")
    # Nothing is annotated as an entity: all that is found is wrong.
    outside = [eg.reference.copy() for eg in unread]
    for reference in outside:
        reference.set_ents([])
    wrong = [Example(nlp.make_doc(r.text), r) for r in outside]
    for examples in ([], [Example(doc, doc.copy())], wrong):
        with pytest.raises(
            NotCalibrated,
            match="is correct: there is nothing to calibrate with",
        ):
            ner.calibrate(examples)
        assert ner.temperature == 1.0
    with pytest.raises(TypeError):
        ner.calibrate([doc])


def test_a_few_examples_change_little(trained, unread):
    """All of a few entities are right, which says little of how sure one may be."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    right = [eg for eg in unread if found(nlp(eg.text)) == found(eg.reference)][:5]
    assert 0.3 < ner.calibrate(copy_of(nlp, eg) for eg in right) < 2


def test_labels_that_it_does_not_know_are_no_mistakes_of_its_own(trained, unread):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    expected = ner.calibrate(copy_of(nlp, eg) for eg in unread)
    doc = nlp.make_doc("某某")
    reference = nlp.make_doc("某某")
    reference.ents = [reference.char_span(0, 2, label="UNKNOWN")]
    examples = [copy_of(nlp, eg) for eg in unread] + [Example(doc, reference)]
    assert ner.calibrate(examples) == pytest.approx(expected, rel=0.05)


def test_windows_make_little_difference(trained, unread):
    """A long document is calibrated as it is read."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    long = Doc.from_docs([eg.reference for eg in unread], ensure_whitespace=False)
    ner.window = 200
    temperature = ner.calibrate([Example(nlp.make_doc(long.text), long)])
    by_text = ner.calibrate(copy_of(nlp, eg) for eg in unread)
    assert temperature == pytest.approx(by_text, rel=0.3)


# The command


@pytest.fixture
def folder(trained, unread, tmp_path):
    trained.to_disk(tmp_path / "model")
    DocBin(docs=[eg.reference for eg in unread]).to_disk(tmp_path / "dev.spacy")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(lstm_ner_cli, ["calibrate", *map(str, arguments)])


def test_the_command_changes_one_number(folder, trained, unread):
    files = {
        path: path.read_bytes() for path in folder.rglob("model/**/*") if path.is_file()
    }
    result = run(folder / "model", folder / "dev.spacy")
    assert result.exit_code == 0, result.output
    changed = [path for path, data in files.items() if path.read_bytes() != data]
    assert [path.name for path in changed] == ["cfg"]
    temperature = json.loads(changed[0].read_text())["temperature"]
    assert f"{temperature:.2f}" in result.output
    nlp = spacy.load(folder / "model")
    ece = 100 * evaluated(nlp, unread)["ents_ece"]
    assert f"{ece:.2f}% after" in " ".join(result.output.split())
    assert found(nlp(unread[0].text)) == found(trained(unread[0].text))


def test_entities_from_before_are_not_its_own(folder, trained, unread):
    """What a ruler has found says nothing of how sure the component should be."""
    nlp = loaded_again(trained)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(
        [{"label": "RULE", "pattern": list_pattern(eg.text[:2])} for eg in unread]
    )
    nlp.to_disk(folder / "ruled")
    assert run(folder / "ruled", folder / "dev.spacy").exit_code == 0


def test_the_command_leaves_alone_what_it_cannot_calibrate(folder, unread):
    outside = [eg.reference.copy() for eg in unread]
    for reference in outside:
        reference.set_ents([])
    DocBin(docs=outside).to_disk(folder / "outside.spacy")
    before = (folder / "model/lstm_ner/cfg").read_bytes()
    result = run(folder / "model", folder / "outside.spacy")
    assert result.exit_code == 0, result.output
    assert (
        "Not calibrated" in result.output
        and "is correct: there is nothing to calibrate with" in result.output
    )
    assert (folder / "model/lstm_ner/cfg").read_bytes() == before


def test_the_command_says_what_is_wrong(folder):
    result = run(folder / "nowhere", folder / "dev.spacy")
    assert result.exit_code == 1 and "is not the folder of a pipeline" in result.output
    result = run(folder / "model", folder / "nowhere.spacy")
    assert result.exit_code == 1 and "no such file" in result.output
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "A", "pattern": "王"}])
    nlp.to_disk(folder / "other")
    result = run(folder / "other", folder / "dev.spacy")
    assert result.exit_code == 0 and "nothing to calibrate" in result.output
