"""Calibration of probabilities."""

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

from ..helpers.paths import EASY
from ..helpers.pipelines import copy_of, found, list_pattern, loaded_again


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_synthetic_scores_is_found(true):
    """The scores are too large by a factor of `true`."""
    random = np.random.default_rng(0)
    logits = random.normal(1.0, 2.0, 20_000)
    is_correct = random.random(20_000) < sigmoid(logits)
    found = fit_temperature(lambda t: sigmoid(logits * true / t), is_correct)
    assert found == pytest.approx(true, rel=0.05)
    # No other temperature on a fine grid does better.
    best = log_loss(sigmoid(logits * true / found), is_correct)
    for t in np.exp(np.linspace(-2, 2.9, 200)):
        assert best <= log_loss(sigmoid(logits * true / t), is_correct) + 1.0


def test_the_temperature_is_bounded():
    logits = np.full(10, 2.0)
    for is_correct in (np.ones(10, dtype=bool), np.zeros(10, dtype=bool)):
        found = fit_temperature(lambda t: sigmoid(logits / t), is_correct)
        assert 0.1 <= found <= 20


def test_a_temperature_divides_all_scores():
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
        crf, Ragged(scores, lengths), tags.constraints, asked, temperature=2.5
    )
    cold = segment_marginals(
        cooler, Ragged(scores / 2.5, lengths), tags.constraints, asked
    )
    np.testing.assert_allclose(hot, cold, rtol=1e-5)
    best, log_probs = n_best_paths(crf, Ragged(scores, lengths), tags.constraints, 4)
    hot_best, hot_log_probs = n_best_paths(
        crf, Ragged(scores, lengths), tags.constraints, 4, temperature=2.5
    )
    np.testing.assert_array_equal(best, hot_best)
    differences = np.diff(log_probs), np.diff(hot_log_probs)
    np.testing.assert_allclose(differences[0] / 2.5, differences[1], rtol=1e-5)


@pytest.fixture(scope="module")
def held_out():
    """Sentences that the pipeline was not trained on."""
    corpus = BIOCorpus(EASY, limit=260)
    return list(corpus(spacy.blank("zh")))[60:]


def evaluated(nlp, examples):
    return nlp.evaluate([copy_of(nlp, eg) for eg in examples])


@pytest.fixture
def overconfident(trained):
    """An overconfident pipeline: all of its scores are tripled."""
    nlp = loaded_again(trained)
    model = nlp.get_pipe("lstm_ner").model
    for layer in (model.get_ref("output_layer"), model.get_ref("crf")):
        for name in layer.param_names:
            layer.set_param(name, 3 * layer.get_param(name))
    return nlp


def test_calibration_improves_probabilities_and_keeps_entities(overconfident, held_out):
    nlp = overconfident
    half = len(held_out) // 2
    before = evaluated(nlp, held_out[half:])
    temperature = nlp.get_pipe("lstm_ner").calibrate(
        copy_of(nlp, eg) for eg in held_out[:half]
    )
    after = evaluated(nlp, held_out[half:])
    assert temperature == nlp.get_pipe("lstm_ner").temperature > 2
    assert after["ents_f"] == before["ents_f"]
    assert after["ents_ece"] < 0.7 * before["ents_ece"]


def test_the_temperature_is_saved_used_and_reset(trained, held_out, examples):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    ner.calibrate(copy_of(nlp, eg) for eg in held_out)
    again = loaded_again(nlp)
    assert again.get_pipe("lstm_ner").temperature == ner.temperature != 1.0
    text = held_out[0].text
    scores = nlp(text).spans["lstm_ner"].attrs["scores"]
    np.testing.assert_array_equal(again(text).spans["lstm_ner"].attrs["scores"], scores)
    # Probabilities and analyses are consistent.
    asked = [(0, len(text), "")]
    ((empty,),) = ner.probabilities([nlp.make_doc(text)], [asked])
    (few,) = ner.n_best([nlp.make_doc(text)], 50)
    assert sum(a.probability for a in few) <= 1 + 1e-9
    for (start, end, label), score in zip(found(nlp(text)), scores, strict=True):
        mass = sum(a.probability for a in few if (start, end, label) in a.entities)
        assert mass <= score + 1e-6
        assert score <= 1 - empty + 1e-6
    again.initialize(lambda: examples)
    assert again.get_pipe("lstm_ner").temperature == 1.0


def test_tokens_without_annotation_do_not_count(trained, held_out):
    """Incorrect entities are on tokens without annotation. All others are correct, so
    the temperature is lower."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    complete = ner.calibrate(copy_of(nlp, eg) for eg in held_out)
    partly = []
    for eg in held_out:
        incorrect = set(found(nlp(eg.text))).difference(found(eg.reference))
        gold = eg.reference.copy()
        missing = [
            gold.char_span(s, e, alignment_mode="expand") for s, e, _ in incorrect
        ]
        gold.set_ents([], missing=missing, default="unmodified")
        partly.append(Example(nlp.make_doc(eg.text), gold))
    assert ner.calibrate(partly) < complete


def test_nothing_to_calibrate_with(trained, held_out):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    doc = nlp.make_doc("。。。。")
    # Without gold entities, all predicted entities are incorrect.
    outside = [eg.reference.copy() for eg in held_out]
    for reference in outside:
        reference.set_ents([])
    incorrect = [Example(nlp.make_doc(r.text), r) for r in outside]
    for examples in ([], [Example(doc, doc.copy())], incorrect):
        with pytest.raises(
            NotCalibrated,
            match="is correct: there is nothing to calibrate with",
        ):
            ner.calibrate(examples)
        assert ner.temperature == 1.0
    with pytest.raises(TypeError):
        ner.calibrate([doc])


def test_a_few_examples_change_little(trained, held_out):
    """A few entities, all of them correct, are little evidence."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    correct = [eg for eg in held_out if found(nlp(eg.text)) == found(eg.reference)][:5]
    assert 0.3 < ner.calibrate(copy_of(nlp, eg) for eg in correct) < 2


def test_unknown_gold_labels_are_not_errors(trained, held_out):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    expected = ner.calibrate(copy_of(nlp, eg) for eg in held_out)
    doc = nlp.make_doc("某某")
    reference = nlp.make_doc("某某")
    reference.ents = [reference.char_span(0, 2, label="UNKNOWN")]
    examples = [copy_of(nlp, eg) for eg in held_out] + [Example(doc, reference)]
    assert ner.calibrate(examples) == pytest.approx(expected, rel=0.05)


def test_windows_make_little_difference(trained, held_out):
    """A long document is calibrated in windows, too."""
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    long = Doc.from_docs([eg.reference for eg in held_out], ensure_whitespace=False)
    ner.window = 200
    temperature = ner.calibrate([Example(nlp.make_doc(long.text), long)])
    by_text = ner.calibrate(copy_of(nlp, eg) for eg in held_out)
    assert temperature == pytest.approx(by_text, rel=0.3)


# The command


@pytest.fixture
def folder(trained, held_out, tmp_path):
    trained.to_disk(tmp_path / "model")
    DocBin(docs=[eg.reference for eg in held_out]).to_disk(tmp_path / "dev.spacy")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(lstm_ner_cli, ["calibrate", *map(str, arguments)])


def test_the_command_changes_only_the_temperature(folder, trained, held_out):
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
    ece = 100 * evaluated(nlp, held_out)["ents_ece"]
    assert f"{ece:.2f}% after" in " ".join(result.output.split())
    assert found(nlp(held_out[0].text)) == found(trained(held_out[0].text))


def test_preset_entities_do_not_count(folder, trained, held_out):
    """Entities of a ruler are not evidence for the probabilities of the component."""
    nlp = loaded_again(trained)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(
        [{"label": "RULE", "pattern": list_pattern(eg.text[:2])} for eg in held_out]
    )
    nlp.to_disk(folder / "ruled")
    assert run(folder / "ruled", folder / "dev.spacy").exit_code == 0


def test_the_command_changes_nothing_without_correct_entities(folder, held_out):
    outside = [eg.reference.copy() for eg in held_out]
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


def test_the_command_reports_errors(folder):
    result = run(folder / "nowhere", folder / "dev.spacy")
    assert result.exit_code == 1 and "is not the folder of a pipeline" in result.output
    result = run(folder / "model", folder / "nowhere.spacy")
    assert result.exit_code == 1 and "no such file" in result.output
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "A", "pattern": "王"}])
    nlp.to_disk(folder / "other")
    result = run(folder / "other", folder / "dev.spacy")
    assert result.exit_code == 0 and "nothing to calibrate" in result.output
