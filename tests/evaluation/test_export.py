"""Export of annotated data and of predictions, from Python."""

import json

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner import DataError, entity_scores, export
from spacy_lstm_ner.data.writers import WRITERS

from ..helpers.paths import EASY
from ..helpers.pipelines import found, loaded_again

NLP = spacy.blank("zh")
TEXT = "王芳任北京大学教授。"


def json_lines(path):
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


@pytest.fixture
def overlapping(tmp_path):
    """A .spacy file with entities in doc.ents and in span groups, and one text whose
    annotation is missing in part."""
    doc = NLP.make_doc(TEXT)
    doc.ents = [doc.char_span(0, 2, "NAME"), doc.char_span(3, 7, "ORG")]
    doc.spans["sc"] = [*doc.ents, doc.char_span(3, 5, "LOC")]
    doc.spans["other"] = [doc.char_span(7, 9, "TITLE")]
    partly = NLP.make_doc(TEXT)
    partly.set_ents([partly.char_span(0, 2, "NAME")], missing=[partly[3:5]])
    path = tmp_path / "data.spacy"
    DocBin(docs=[doc, partly]).to_disk(path)
    return path


def test_entities_of_doc_and_span_group(overlapping, tmp_path):
    path = tmp_path / "out.jsonl"
    result = export(overlapping, path, format="offsets")
    entities = [value["entities"] for value in json_lines(path)]
    assert [[(e["text"], e["label"]) for e in few] for few in entities] == [
        [("王芳", "NAME"), ("北京", "LOC"), ("北京大学", "ORG")],
        [("王芳", "NAME")],
    ]
    assert result.found == 4 and result.records == 2 and result.lost == {}
    assert result.changes == {"text with missing annotation": 1}
    result = export(overlapping, path, format="offsets", spans_key="other")
    assert result.entities == {"NAME": 2, "ORG": 1, "TITLE": 1}


def test_where_entities_cannot_overlap_the_longest_stay(overlapping, tmp_path):
    result = export(overlapping, tmp_path / "out.txt", format="columns")
    assert result.entities == {"NAME": 2, "ORG": 1}
    assert result.lost == {"overlaps a longer one": 1}


def test_annotation_in_a_span_group_only_is_not_missing(tmp_path):
    doc = NLP.make_doc(TEXT)
    doc.spans["sc"] = [doc.char_span(0, 2, "NAME")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    result = export(tmp_path / "data.spacy", tmp_path / "out", format="doccano")
    assert result.entities == {"NAME": 1} and result.changes == {}


@pytest.mark.parametrize("name", WRITERS.keys() - {"spacy"})
def test_files_that_convert_reads(name, tmp_path):
    result = export(EASY, tmp_path / "out", format=name, limit=20)
    assert result.records == 20
    assert result.found == sum(result.entities.values()) > 50
    assert result.path == tmp_path / "out" and result.format == name


def test_losses_and_problems_of_reading_are_told(tmp_path):
    source = tmp_path / "data.txt"
    source.write_text("王 B-A\n芳 I-A\n\n在 B-A\n京 ?-A\n\n沪 S-A\n", "utf8")
    result = export(source, tmp_path / "out", format="doccano", limit=0)
    assert result.problems.counts
    assert result.found == sum(result.entities.values()) + sum(result.lost.values())
    assert result.lost and result.changes["text with missing annotation"] == 1


def test_a_spacy_file_of_a_dataset_file_is_made_by_convert(tmp_path):
    with pytest.raises(DataError, match="use convert"):
        export(EASY, tmp_path / "out.spacy")


# Predictions


def test_predictions_have_exact_probabilities(trained, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{line}\n" for line in [TEXT, "无。", TEXT]), "utf8")
    nlp = loaded_again(trained)
    out = tmp_path / "out.json"
    result = export(path, out, model=nlp, format="label-studio")
    tasks = json.loads(out.read_text("utf8"))
    doc = trained(TEXT)
    scores = entity_scores(doc)
    assert scores and result.records == 3
    assert [task["data"]["text"] for task in tasks] == [TEXT, "无。", TEXT]
    (prediction,) = tasks[0]["predictions"]
    assert prediction["model_version"] == "zh_pipeline-0.0.0"
    regions = prediction["result"]
    assert [
        (r["value"]["start"], r["value"]["end"], *r["value"]["labels"]) for r in regions
    ] == found(doc)
    assert [region["score"] for region in regions] == pytest.approx(scores, abs=1e-5)
    assert prediction["score"] == min(region["score"] for region in regions)


def test_texts_of_json_lines_and_of_a_spacy_file(trained, overlapping, tmp_path):
    source = tmp_path / "texts.jsonl"
    source.write_text(json.dumps({"text": f"{TEXT}\n{TEXT}", "id": 7}) + "\n", "utf8")
    nlp, out = loaded_again(trained), tmp_path / "out.jsonl"
    export(source, out, model=nlp, format="offsets")
    assert [value["text"] for value in json_lines(out)] == [f"{TEXT}\n{TEXT}"]
    export(overlapping, out, model=nlp, format="offsets")
    first, second = json_lines(out)
    spans, scores = (
        [
            [[e[key] for key in keys] for e in value["entities"]]
            for value in (first, second)
        ]
        for keys in (("start", "end", "label"), ("score",))
    )
    assert spans[0] == spans[1], "predictions, not the annotation"
    assert np.allclose(*scores, atol=1e-5)


def test_predictions_as_a_spacy_file(trained, tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text(f"{TEXT}\n" * 5, "utf8")
    out = tmp_path / "out.spacy"
    nlp = loaded_again(trained)
    export(source, out, model=nlp, shard_size=2)
    assert len(list(out.iterdir())) == 3
    expected = trained(TEXT)
    for file in sorted(out.iterdir()):
        for doc in DocBin().from_disk(file).get_docs(NLP.vocab):
            assert found(doc) == found(expected)
            assert entity_scores(doc) == pytest.approx(
                entity_scores(expected), abs=1e-5
            )
    # Again, over the folder.
    export(source, out, model=nlp)
    assert out.is_file()


def test_a_pipeline_without_probabilities(tmp_path):
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": "NAME", "pattern": [{"TEXT": "王"}, {"TEXT": "芳"}]}]
    )
    source, out = tmp_path / "texts.txt", tmp_path / "out"
    source.write_text(f"{TEXT}\n", "utf8")
    export(source, out, model=nlp, format="prodigy")
    (task,) = json_lines(out)
    assert "score" not in task["spans"][0] and "meta" not in task
    export(source, out, model=nlp, format="doccano")
    assert json_lines(out)[0]["scores"] == [None]


def test_scores_of_a_span_categorizer(tmp_path):
    nlp = spacy.blank("zh")

    @spacy.Language.component("test_export_spans")
    def spans(doc):
        doc.spans["sc"] = [doc.char_span(0, 2, "NAME")]
        doc.spans["sc"].attrs["scores"] = [0.75]
        return doc

    nlp.add_pipe("test_export_spans")
    source, out = tmp_path / "texts.txt", tmp_path / "out"
    source.write_text(f"{TEXT}\n", "utf8")
    export(source, out, model=nlp, format="offsets")
    (value,) = json_lines(out)
    assert [(e["text"], e["score"]) for e in value["entities"]] == [("王芳", 0.75)]


def test_limit_and_texts_that_are_too_long(trained, tmp_path):
    source, out = tmp_path / "texts.txt", tmp_path / "out"
    source.write_text(f"{TEXT}\n{TEXT * 9}\n", "utf8")
    nlp = loaded_again(trained)
    nlp.max_length = 20
    assert export(source, out, model=nlp, format="doccano", limit=1).records == 1
    out.unlink()
    with pytest.raises(DataError, match=r"texts\.txt:2: text of 90 characters"):
        export(source, out, model=nlp, format="doccano")
    assert not out.exists()


def test_the_input_is_not_overwritten(overlapping):
    before = overlapping.read_bytes()
    for format in ("doccano", "spacy"):
        with pytest.raises(OSError, match="is an input file"):
            export(overlapping, overlapping, format=format)
    assert overlapping.read_bytes() == before
