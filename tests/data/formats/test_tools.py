"""Exports of annotation tools: only accepted answers are gold, and what is left out is
counted."""

import json

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError

from ...helpers.reading import read_texts

TEXT = "王芳在沪宁医院工作。"


@pytest.fixture
def write(tmp_path):
    def write(records):
        path = tmp_path / "data.json"
        path.write_text(json.dumps(records), "utf-8")
        return path

    return write


def left_out(log):
    return {reason: n for (_, reason), n in log.left_out.items()}


def region(start, end, *labels, type="labels", to_name="text", **value):
    value = {"start": start, "end": end, "text": TEXT[start:end], **value}
    value["labels"] = list(labels)
    return {"value": value, "to_name": to_name, "from_name": "label", "type": type}


def task(*annotations, data=None):
    return {"id": 1, "data": data or {"text": TEXT}, "annotations": list(annotations)}


def annotation(*results, **fields):
    return {"result": list(results), "was_cancelled": False, **fields}


PER, ORG = region(0, 2, "PER"), region(3, 7, "ORG")


def test_label_studio_several_annotations_of_a_task(write):
    early = annotation(PER, updated_at="2024-01-02T00:00:00Z")
    late = annotation(ORG, updated_at="2024-01-03T00:00:00Z")
    truth = annotation(PER, ORG, ground_truth=True, updated_at="2023-01-01T00:00:00Z")
    skipped = annotation(ORG, was_cancelled=True, updated_at="2025-01-01T00:00:00Z")
    texts, log = read_texts(
        write(
            [
                task(late, early, skipped),
                task(early, truth, late),
                task(annotation(PER, created_at=1), annotation(ORG, created_at=2)),
                task(annotation()),
                task(skipped),
                task(),
            ]
        )
    )
    assert [entities for _, entities in texts] == [
        [("沪宁医院", "ORG")],
        [("王芳", "PER"), ("沪宁医院", "ORG")],
        [("沪宁医院", "ORG")],
        [],
    ]
    assert left_out(log) == {
        "another annotation of the same text is read": 4,
        "skipped in the tool": 2,
        "no annotation": 1,
    }


def test_label_studio_labels_and_other_results(write):
    relation = {"from_id": "a", "to_id": "b", "type": "relation"}
    choice = {"value": {"choices": ["x"]}, "type": "choices", "to_name": "text"}
    results = [region(3, 7, "ORG", "LOC"), relation, choice, region(0, 2)]
    texts, log = read_texts(write([task(annotation(*results))]))
    assert texts == [(TEXT, [("沪宁医院", "ORG"), ("沪宁医院", "LOC")])]
    assert {kind: n for (_, kind), n in log.counts.items()} == {"invalid entity": 1}


@pytest.mark.parametrize(
    ("data", "to_name"),
    [
        ({"text": TEXT, "title": "一"}, "text"),
        ({"body": TEXT, "n": 3}, "label"),
        ({"text": TEXT, "title": "一"}, "label"),
        ({"title": "一", "body": TEXT}, "body"),
        ({"title": "一", "body": TEXT}, "label"),
    ],
)
def test_label_studio_text_of_a_task(write, data, to_name):
    per = region(0, 2, "PER", to_name=to_name)
    texts, log = read_texts(write([task(annotation(per), data=data)]))
    assert texts == [(TEXT, [("王芳", "PER")])]
    assert not log.counts


def test_label_studio_text_that_is_not_found_is_reported(write):
    data = {"a": TEXT, "b": TEXT}
    texts, log = read_texts(
        write(
            [
                task(annotation(PER)),
                task(annotation(region(0, 2, "PER", to_name="x")), data=data),
            ]
        )
    )
    assert len(texts) == 1
    assert "There are 'a', 'b'" in log.messages()[0]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (region(0, 2, "PER", type="paragraphlabels"), "<Paragraphs>"),
        (region(0, 2, "PER", startOffset=3), "<HyperText>"),
    ],
)
def test_label_studio_offsets_of_other_tags_are_refused(write, result, says):
    with pytest.raises(DataError, match=says):
        DataFile(write([task(annotation(result))]))


def answer(answer, *spans, view="ner_manual"):
    return {
        "text": TEXT,
        "_task_hash": 1,
        "_view_id": view,
        "spans": [{"start": s, "end": e, "label": label} for s, e, label in spans],
        "answer": answer,
    }


def test_prodigy_answers(write):
    per, loc = (0, 2, "PER"), (3, 5, "LOC")
    unanswered = answer(None, per)
    del unanswered["answer"]
    texts, log = read_texts(
        write(
            [
                answer("accept", per, loc),
                answer("accept"),
                answer("reject", per),
                answer("reject", per, loc, view="ner"),
                answer("ignore", per),
                unanswered,
            ]
        )
    )
    assert texts == [(TEXT, [("王芳", "PER"), ("沪宁", "LOC")]), (TEXT, [])]
    assert left_out(log) == {"rejected": 2, "ignored in the tool": 1, "no answer": 1}


def test_prodigy_binary_answers_are_partial_annotation(write):
    per, loc = (0, 2, "PER"), (3, 5, "LOC")
    path = write([answer("accept", per, view="ner"), answer("reject", loc, view="ner")])
    accepted, rejected = DataFile(path).texts(ProblemLog())
    assert (accepted.entities, accepted.incorrect) == ([per], [])
    assert (rejected.entities, rejected.incorrect) == ([], [loc])
    assert accepted.missing == rejected.missing == [(0, len(TEXT))]


def test_cluener_is_checked_by_the_text_of_entities(write):
    label = {"name": {"王芳": [[0, 1]]}, "organization": {"沪宁医院": [[3, 6]]}}
    good = {"text": TEXT, "label": label}
    wrong = {"text": TEXT, "label": {"name": {"王芳": [[1, 2], 3]}, "x": [[0, 1]]}}
    texts, log = read_texts(write([good] * 10 + [wrong, {"text": TEXT}]))
    assert texts[0] == (TEXT, [("王芳", "name"), ("沪宁医院", "organization")])
    assert texts[10] == (TEXT, [])
    assert {kind: n for (_, kind), n in log.counts.items()} == {
        "text of entity differs": 1,
        "invalid entity": 2,
    }
    assert left_out(log) == {"no annotation": 1}
    # Some data sets in this format have exclusive ends.
    path = write([{"text": TEXT, "label": {"name": {"王芳": [[0, 2]]}}}])
    assert read_texts(path)[0] == [(TEXT, [("王芳", "name")])]
    with pytest.raises(DataError, match="1 of 1 differ"):
        DataFile(write([{"text": TEXT, "label": {"name": {"李雷": [[0, 1]]}}}]))


def document(tokens, raw=None, entities=None):
    words = [{"orth": word, "ner": tag} for word, tag in tokens]
    paragraph = {"sentences": [{"tokens": words}], "entities": entities or []}
    return {"id": 0, "paragraphs": [paragraph | ({"raw": raw} if raw else {})]}


def test_spacy_json_keeps_the_text_and_missing_tags(write):
    raw = " Ada  Lovelace\nleft 沪宁. "
    tokens = [
        *[("Ada", "B-PER"), ("Lovelace", "L-PER"), ("left", "-"), ("沪宁", "U-LOC")],
        (".", "O"),
    ]
    (text,) = DataFile(write([document(tokens, raw)])).texts(ProblemLog())
    assert text.text == raw
    assert [(raw[s:e], label) for s, e, label in text.entities] == [
        ("Ada  Lovelace", "PER"),
        ("沪宁", "LOC"),
    ]
    assert [raw[s:e] for s, e in text.missing] == ["left"]


def test_spacy_json_with_other_tokens_than_its_text_is_reported(write):
    good = document([("王芳", "U-PER")])
    texts, log = read_texts(
        write(
            [
                good,
                document([("李雷", "U-PER")], raw=TEXT),
                document([(3, "U-PER"), ("好", "O")]),
                document([("好", None)]),
                {"id": 1},
            ]
        )
    )
    assert texts == [("王芳", [("王芳", "PER")])]
    assert {kind: n for (_, kind), n in log.counts.items()} == {"not a record": 3}
    assert left_out(log) == {"no annotation": 1}
