"""Comparison of two pipelines, from Python and as a command."""

import json

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner import DataError, compare
from spacy_lstm_ner.evaluation.significance import scores

from ..helpers.commands import run_command
from ..helpers.pipelines import loaded_again


@pytest.fixture(scope="module")
def strict(trained):
    """The pipeline, with only its most probable entities."""
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").threshold = 0.95
    return nlp


def test_a_pipeline_is_compared_with_another(trained, strict, held_out_folder):
    data = held_out_folder / "data.spacy"
    found = compare(trained, strict, data)
    expected = {}
    for name, nlp in (("first", trained), ("second", strict)):
        examples = list(spacy.training.Corpus(data)(nlp))
        expected[name] = nlp.evaluate(examples)
        side = getattr(found.overall, name)
        assert [side.p, side.r, side.f] == pytest.approx(
            [expected[name][f"ents_{x}"] for x in "prf"]
        )
        assert side.intervals.f.low <= side.f <= side.intervals.f.high
        for label, few in expected[name]["ents_per_type"].items():
            assert getattr(found.by_label[label], name).f == pytest.approx(few["f"])
    test = found.overall.test
    assert test.difference == pytest.approx(
        expected["second"]["ents_f"] - expected["first"]["ents_f"]
    )
    # A threshold only removes entities.
    assert found.only_second == 0 and found.only_first > 0
    assert found.differences
    for difference in found.differences:
        assert set(difference.second) < set(difference.first)
        doc = trained(difference.text)
        assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
            tuple(span) for span in difference.first
        ]
    # Entities that get lost in most documents are no accident.
    assert test.difference < 0 and test.p_randomization < 0.05
    assert test.interval.high < 0


def test_a_pipeline_is_as_good_as_itself(trained, held_out_folder):
    found = compare(trained, trained, held_out_folder / "data.spacy", samples=100)
    assert found.differences == [] and found.only_first == found.only_second == 0
    assert found.overall.test.difference == 0
    assert found.overall.test.p_bootstrap == found.overall.test.p_randomization == 1


@pytest.mark.filterwarnings("ignore:Problems in the corpus")
def test_annotation_that_fits_only_one_tokenizer_is_refused(trained, tmp_path):
    english = spacy.blank("en")
    ruler = english.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "NAME", "pattern": "王芳"}])
    path = tmp_path / "data.jsonl"
    entities = [{"start": 0, "end": 2, "label": "NAME"}]
    rows = [
        {"text": text, "entities": entities} for text in ("王芳 任", "王芳任教授。")
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf8")
    with pytest.raises(DataError, match=r"convert it to a \.spacy file"):
        compare(trained, english, path)


@pytest.mark.parametrize(
    ("options", "message"), [({"level": 1}, "level 1"), ({"samples": 0}, "samples = 0")]
)
def test_options_that_are_not_valid(options, message, trained, held_out_folder):
    with pytest.raises(ValueError, match=message):
        compare(trained, trained, held_out_folder / "data.spacy", **options)


def test_the_command(trained, strict, held_out_folder, tmp_path):
    trained.to_disk(tmp_path / "a")
    strict.to_disk(tmp_path / "b")
    data = held_out_folder / "data.spacy"
    figures = tmp_path / "figures.json"
    code, output = run_command(
        "compare", tmp_path / "a", tmp_path / "b", data, "-o", figures, "-e", 2
    )
    assert code == 0
    written = json.loads(figures.read_text("utf8"))
    documents = len(list(DocBin().from_disk(data).get_docs(trained.vocab)))
    assert written["documents"] == documents
    assert f"documents {documents}" in output
    assert written["all"]["difference"] < 0
    assert f"{written['all']['p_randomization']:.4f}" in output
    assert "A is better on such documents (p < 0.05)." in output
    assert output.count("only A:") == 2 and "only B:" not in output
    assert written["all"]["a"]["f"] > written["all"]["b"]["f"]
    code, output = run_command("compare", tmp_path / "a", tmp_path / "a", data)
    assert code == 0 and "The predictions are the same." in output


def test_scores_of_nothing():
    assert scores([0, 0, 0]).tolist() == [0, 0, 0]
