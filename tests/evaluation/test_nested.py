"""Commands and functions on a pipeline whose entities overlap."""

import json

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_lstm_ner import (
    compare,
    evaluate,
    export,
    find_errors,
    pick_texts,
    predict,
    write_report,
)
from spacy_lstm_ner.cli import lstm_ner_cli
from spacy_lstm_ner.evaluation.matching import match_entities
from spacy_lstm_ner.evaluation.records import AnnotatedText, Record
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.pages.entities import Mark, marked_text
from spacy_lstm_ner.pipeline.nested_uncertainty import measure_nested_uncertainty
from spacy_lstm_ner.tags import Span

from ..helpers.paths import NESTED_SAMPLE
from ..helpers.pipelines import loaded_again

KEY = "sc"


@pytest.fixture(scope="module")
def folder(trained_nested, tmp_path_factory):
    """The pipeline, and data of which it knows a part."""
    folder = tmp_path_factory.mktemp("nested")
    trained_nested.to_disk(folder / "model")
    lines = NESTED_SAMPLE.read_text("utf8").splitlines()[50:90]
    (folder / "data.jsonl").write_text("\n".join(lines) + "\n", "utf8")
    return folder


def run(*arguments):
    result = CliRunner().invoke(lstm_ner_cli, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_evaluate(folder):
    scores = evaluate(folder / "model", folder / "data.jsonl")
    assert 0.2 < scores["spans_sc_f"] < 1
    low, high = scores["spans_sc_intervals"]["f"]
    assert low <= scores["spans_sc_f"] <= high
    assert "ents_f" not in scores
    code, output = run("evaluate", folder / "model", folder / "data.jsonl")
    assert code == 0
    for words in (
        "Entities in 'sc'",
        "TITLE",
        "nested",
        "overlapping",
        "Probabilities",
    ):
        assert words in output
    assert "BIO tags" not in output


def test_compare(folder, trained_nested, trained):
    less = loaded_again(trained_nested)
    less.get_pipe("lstm_nested_ner").label_thresholds = {"LOC": 1.0}
    result = compare(folder / "model", less, folder / "data.jsonl", samples=50)
    assert result.overall.first.f > result.overall.second.f
    assert result.by_label["LOC"].second.r < result.by_label["LOC"].first.r
    with pytest.raises(DataError, match="these have other gold entities"):
        compare(folder / "model", trained, folder / "data.jsonl", samples=50)


def test_errors_and_report(folder, tmp_path):
    analysis = find_errors(folder / "model", folder / "data.jsonl")
    assert analysis.has_probabilities
    n_gold = sum(
        len(json.loads(line)["entities"])
        for line in (folder / "data.jsonl").read_text("utf8").splitlines()
    )
    assert analysis.gold.total() == n_gold
    scores = evaluate(folder / "model", folder / "data.jsonl")
    assert analysis.correct.total() / n_gold == pytest.approx(scores["spans_sc_r"])
    n_predicted = sum(len(record.predicted) for record in analysis.records)
    assert analysis.correct.total() / n_predicted == pytest.approx(scores["spans_sc_p"])
    assert not any(error.kind == "boundary_and_type" for error in analysis.errors)
    for error in analysis.errors:
        assert error.p_predicted is None or 0 <= error.p_predicted <= 1
    metrics = tmp_path / "metrics.json"
    metrics.write_text(json.dumps(scores), "utf8")
    page = tmp_path / "report.html"
    write_report(folder / "model", folder / "data.jsonl", page, metrics=metrics)
    assert f"{100 * scores['spans_sc_f']:.0f}"[:2] in page.read_text("utf8")
    code, output = run("errors", folder / "model", folder / "data.jsonl")
    assert code == 0 and "wrong boundary" in output


def test_errors_of_nested_entities_are_matched_by_label_or_boundaries():
    title, org, loc = Span(0, 6, "TITLE"), Span(0, 4, "ORG"), Span(0, 2, "LOC")
    record = Record(
        1,
        AnnotatedText("北京大学教授在上海", [title, org, loc, Span(7, 9, "LOC")]),
        [title, Span(0, 3, "ORG"), Span(0, 2, "PER"), Span(6, 7, "PER")],
        can_overlap=True,
    )
    correct, errors = match_entities(record)
    assert correct == [title]
    assert {(e.kind, e.gold, e.predicted) for e in errors} == {
        ("boundary", org, Span(0, 3, "ORG")),
        ("type", loc, Span(0, 2, "PER")),
        ("missed", Span(7, 9, "LOC"), None),
        ("spurious", None, Span(6, 7, "PER")),
    }


def test_calibrate_changes_the_saved_pipeline(trained_nested, folder, tmp_path):
    trained_nested.to_disk(tmp_path / "model")
    code, output = run("calibrate", tmp_path / "model", folder / "data.jsonl")
    assert code == 0 and "lstm_nested_ner" in output and "% before" in output
    again = spacy.load(tmp_path / "model").get_pipe("lstm_nested_ner")
    assert again.temperature != 1.0


def test_predict_and_export_have_all_entities(folder, trained_nested, tmp_path):
    """Whatever the name of the span group."""
    nlp = loaded_again(trained_nested)
    nlp.get_pipe("lstm_nested_ner").spans_key = "other"
    nlp.to_disk(tmp_path / "model")
    records = [
        json.loads(line) for line in NESTED_SAMPLE.read_text("utf8").splitlines()[:10]
    ]
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(r["text"] for r in records) + "\n", "utf8")
    predict(tmp_path / "model", texts, tmp_path / "out.jsonl", n_process=1)
    export(texts, tmp_path / "export.jsonl", model=nlp, format="offsets")
    docs = list(nlp.pipe(record["text"] for record in records))
    expected = [
        [(s.start_char, s.end_char, s.label_) for s in doc.spans["other"]]
        for doc in docs
    ]
    for name in ("out.jsonl", "export.jsonl"):
        found = [
            [(e["start"], e["end"], e["label"]) for e in json.loads(line)["entities"]]
            for line in (tmp_path / name).read_text("utf8").splitlines()
        ]
        assert [sorted(one) for one in found] == [sorted(one) for one in expected]
    assert any(len(one) > 3 for one in expected)


def test_check_reads_the_span_group_that_the_config_learns_from(folder, tmp_path):
    config = NESTED_SAMPLE.parents[2] / "configs" / "nested.cfg"
    deep = {
        "text": "在浙江省杭州市西湖区，东南西北中",
        "entities": [
            *({"start": 1, "end": end, "label": "LOC"} for end in (10, 7, 4)),
            {"start": 11, "end": 14, "label": "DIR"},
            {"start": 12, "end": 16, "label": "DIR"},
        ],
    }
    lines = (folder / "data.jsonl").read_text("utf8")
    data = tmp_path / "data.jsonl"
    data.write_text(lines + json.dumps(deep, ensure_ascii=False) + "\n", "utf8")
    code, output = run("check", data, "--config", config)
    assert code == 0
    for words in (
        "all, in the span group",
        "nested ones",
        "nested more deeply than the component reads: 1",
        "crosses another entity of its label: 1",
        "DIR '东南西'",
    ):
        assert words in output
    assert "overlapping spans" not in output and "problem in the file" not in output
    code, output = run("check", data)
    assert "overlapping spans" in output and "for lstm_nested_ner" in output


def test_convert_says_where_overlapping_entities_are(folder, tmp_path):
    code, output = run("convert", folder / "data.jsonl", tmp_path / "data.spacy")
    assert code == 0
    assert "Entities only in the span group: " in output
    assert "Entities lost" not in output and "overlapping ones" in output
    (doc, *_) = DocBin().from_disk(tmp_path / "data.spacy").get_docs(spacy.Vocab())
    assert len(doc.spans[KEY]) >= len(doc.ents)


def test_pick_prefers_texts_of_which_it_is_uncertain(trained_nested, nested_examples):
    known = [eg.text for eg in nested_examples[:20]]
    unknown = ["刘骁（青岛）集团研究所所长与郑棠北站东区代表在旧城论坛开会。"]
    (pick,) = pick_texts(trained_nested, known + unknown, 1, random_share=0)
    assert pick.text == unknown[0]
    ner = trained_nested.get_pipe("lstm_nested_ner")
    text = "".join(known[:8])
    whole, in_windows = (
        measure_nested_uncertainty(ner._decoder, [trained_nested.make_doc(text)], size)
        for size in (None, 64)
    )
    assert whole[0].length == in_windows[0].length == len(text)
    assert in_windows[0].expected_entities == pytest.approx(
        whole[0].expected_entities, rel=0.1
    )


def test_what_is_refused(folder, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("王芳在沪\n", "utf8")
    code, output = run("distill", folder / "model", texts, tmp_path / "d.spacy")
    assert code == 1
    assert "lstm_nested_ner" in output and "may overlap" in " ".join(output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.txt"]


def test_overlapping_entities_are_shown_in_rows():
    entities = [(0, 6, "A", None), (0, 4, "B", None), (4, 8, "C", None), (8, 9, "D", 1)]
    styles = dict.fromkeys("ABCD", "")
    rows = marked_text("一二三四五六七八九", entities, styles).rows
    assert [[part.label for part in row if isinstance(part, Mark)] for row in rows] == [
        ["A", "D"],
        ["B", "C"],
    ]
    for row in rows:
        parts = (part.text if isinstance(part, Mark) else part for part in row)
        assert "".join(parts) == "一二三四五六七八九"
