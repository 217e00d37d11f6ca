"""What a report says first."""

from collections import Counter
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner.evaluation.error_analysis import ErrorAnalysis, find_errors
from spacy_lstm_ner.evaluation.report import Report, data_name
from spacy_lstm_ner.evaluation.report_summary import summarize
from spacy_lstm_ner.evaluation.training_log import TrainingLog
from spacy_lstm_ner.pipeline.description import (
    entity_labels,
    pipeline_title,
    set_meta,
)


@pytest.fixture
def analyze(tmp_path):
    """Analyzes annotated texts, with a pipeline that finds each 王 as a NAME and each
    京 as a LOC."""

    def run(*annotated, n=1):
        nlp = spacy.blank("zh")
        patterns = [("NAME", "王"), ("LOC", "京")]
        nlp.add_pipe("entity_ruler").add_patterns(
            [{"label": label, "pattern": text} for label, text in patterns]
        )
        docs = []
        for text, *spans in annotated * n:
            doc = nlp.make_doc(text)
            doc.ents = [doc.char_span(*span) for span in spans]
            docs.append(doc)
        DocBin(docs=docs).to_disk(tmp_path / "data.spacy")
        return find_errors(nlp, tmp_path / "data.spacy")

    return run


def summary(analysis, log=None):
    return summarize(Report("p", "data", analysis, "", {}, "characters", log=log))


RIGHT = ("王任职", (0, 1, "NAME"))
MISSED = ("王李任职", (0, 1, "NAME"), (1, 2, "NAME"))
BOUNDARY = ("北京市", (0, 3, "LOC"))


def test_how_good_it_is(analyze):
    said = summary(analyze(RIGHT, MISSED, n=20))
    assert said.quality == (
        "In 40 texts it finds 67 of 100 entities, and 100 of 100 that it predicts are "
        "correct: F1 is 80% (95% interval: 75 to 85)."
    )


def test_without_an_error_it_does_not_promise_that_there_is_none(analyze):
    said = summary(analyze(RIGHT, n=20))
    assert said.quality.endswith("F1 is 100%.")
    assert "up to 15 of 100 may be wrong in other texts" in said.weakness.text
    assert said.weakness.section == ""
    assert "harder ones" in said.next_step.text


def test_where_it_is_weak(analyze):
    weak = summary(analyze(RIGHT, BOUNDARY, BOUNDARY, MISSED)).weakness
    assert weak.text == (
        "LOC has the most errors: 2 of 3, all of which are wrong boundaries."
    )
    assert weak.section == "errors"
    each = summary(analyze(BOUNDARY, MISSED)).weakness
    assert each.text == "Its 2 errors are of 2 types."
    alone = summary(analyze(RIGHT, MISSED)).weakness
    assert alone.text == "It makes one error, a missed entity (NAME)."


@pytest.mark.parametrize("gold, says", [(RIGHT[:1], "no annotated entities")])
def test_without_gold_or_predicted_entities(analyze, gold, says):
    assert says in summary(analyze(gold)).quality
    none = summary(analyze(("李任职", (0, 1, "NAME"))))
    assert none.quality == "It finds none of the 1 entities in 1 text."


def test_rare_and_weak_types_need_more_texts(analyze):
    said = summary(analyze(RIGHT, BOUNDARY, RIGHT)).next_step
    assert "annotate more texts with LOC: each has fewer than 30" in said.text
    assert said.command.endswith("pick")
    # Frequent ones have errors to read.
    said = summary(analyze(RIGHT, BOUNDARY, n=40)).next_step
    assert "read the errors below" in said.text and said.section == "errors"


def test_training_that_ended_too_early(analyze):
    lines = [{"step": k, "score": k / 10} for k in range(4)]
    analysis = analyze(RIGHT, BOUNDARY)
    said = summary(analysis, TrainingLog({}, lines)).next_step
    assert "train longer" in said.text and said.section == "curves"
    lines.append({"step": 4, "score": 0.1})
    assert "train longer" not in summary(analysis, TrainingLog({}, lines)).next_step[0]


def test_label_issues_come_first(analyze):
    analysis = analyze(RIGHT, BOUNDARY)._replace(label_issues=[None] * 7)
    said = summary(analysis).next_step
    assert "check the annotation: 7 places" in said.text and said.section == "issues"
    few = analysis._replace(label_issues=[None])
    assert "annotation" not in summary(few).next_step.text


def test_probabilities_that_are_too_high_should_be_calibrated(analyze):
    analysis = analyze(RIGHT, BOUNDARY, n=40)
    for record in analysis.records:
        record.scores.update(dict.fromkeys(record.predicted, 0.9))
    said = summary(analysis).next_step
    assert "too high, by 40 points on average" in said.text
    assert said.section == "calibration" and said.command.endswith("calibrate")


def test_an_empty_analysis():
    empty = ErrorAnalysis(Counter(), Counter(), [], [], False, [])
    assert "no annotated entities" in summary(empty).quality


@pytest.mark.parametrize(
    "path, name",
    [
        ("corpus/news/dev.spacy", "news, development data"),
        ("data/resume/test.char.bmes", "test.char"),
        ("corpus/dev.spacy", "development data"),
        ("dev.spacy", "development data"),
        ("data/my-texts.jsonl", "my-texts"),
    ],
)
def test_data_is_named_without_its_path(path, name):
    assert data_name(Path(path)) == name


def test_the_title_of_a_pipeline():
    nlp = spacy.blank("zh")
    assert pipeline_title(nlp) == "Chinese pipeline"
    assert pipeline_title(spacy.blank("xx")) == "Multilingual pipeline"
    named = set_meta("news", "1.2.0", "What it is for")(nlp)
    assert named is nlp and nlp.meta["description"] == "What it is for"
    assert pipeline_title(nlp) == "zh_news 1.2.0"


def test_the_labels_of_entities():
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "B", "pattern": "王"}])
    nlp.add_pipe("lstm_ner").add_label("A")
    nlp.add_pipe("textcat").add_label("NO_ENTITY")
    assert entity_labels(nlp) == ["A", "B"]
