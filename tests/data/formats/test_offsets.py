"""Entities by offsets: what ends and offsets mean is decided for a file, and what
cannot be read is reported and counted."""

import json

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.formats.spans import (
    DIFFERENT_TEXT,
    DUPLICATE,
    INVALID,
    OUTSIDE_TEXT,
)
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError

from ...helpers.reading import read_texts

TEXT = "王芳在沪宁医院工作。"
GOOD = {
    "text": TEXT,
    "entities": [{"start": 0, "end": 2, "type": "PER", "word": "王芳"}],
}
GRIN = "\U0001f600"


@pytest.fixture
def write(tmp_path):
    def write(*records):
        path = tmp_path / "data.jsonl"
        path.write_text("\n".join(map(json.dumps, records)), "utf-8")
        return path

    return write


def read(path, **options):
    """The texts with their entities, the problems and the lost entities by kind."""
    texts, log = read_texts(path, **options)
    problems = {kind: n for (_, kind), n in log.counts.items()}
    return texts, problems, {reason: n for (_, reason), n in log.lost.items()}


def record(*spans, text=TEXT, keys=("start", "end", "type", "word")):
    return {
        "text": text,
        "entities": [dict(zip(keys, span, strict=False)) for span in spans],
    }


@pytest.mark.parametrize(
    ("end", "surface", "ends"),
    [(2, "王芳", "exclusive"), (1, "王芳", "inclusive")],
)
def test_ends_are_decided_by_the_text_of_entities(write, end, surface, ends):
    path = write(record((0, end, "PER", surface)))
    assert DataFile(path).options.ends == ends
    assert read(path)[0] == [(TEXT, [("王芳", "PER")])]


@pytest.mark.parametrize(
    ("spans", "keys", "ends"),
    [
        ([(0, 1, "PER"), (2, 2, "X")], ("start", "end", "type"), "inclusive"),
        ([(0, 2, "PER"), (3, 10, "X")], ("start", "end", "type"), "exclusive"),
        ([(0, 2, "PER")], ("start", "end", "type"), "exclusive"),
        ([(0, 2, "PER")], ("start_idx", "end_idx", "type"), "exclusive"),
        ([(0, 2, "PER")], ("start_pos", "end_pos", "type"), "exclusive"),
    ],
)
def test_ends_without_the_text_of_entities(write, spans, keys, ends):
    assert DataFile(write(record(*spans, keys=keys))).options.ends == ends


def test_contradictory_ends_can_be_set(write):
    keys = ("start_offset", "end_offset", "label")
    path = write(record((0, 2, "PER"), (3, 3, "X"), keys=keys))
    with pytest.raises(
        DataError, match=r"contradictory: 1 of 2 .*Set --ends exclusive"
    ):
        DataFile(path)
    assert read(path, ends="exclusive") == (
        [(TEXT, [("王芳", "PER")])],
        {"offsets outside the text": 1},
        {OUTSIDE_TEXT: 1},
    )
    inclusive = [(TEXT, [("王芳在", "PER"), ("沪", "X")])]
    assert read(path, ends="inclusive") == (inclusive, {}, {})


def test_offsets_are_characters_or_utf16_units(write):
    text = f"{GRIN}王芳{GRIN}在沪"
    for offsets, spans in [
        ("characters", [(1, 3), (5, 6)]),
        ("utf16", [(2, 4), (7, 8)]),
    ]:
        surfaces = ["王芳", "沪"]
        path = write(
            record(
                *((s, e, "X", w) for (s, e), w in zip(spans, surfaces, strict=True)),
                text=text,
            )
        )
        assert DataFile(path).options.offsets == offsets
        assert read(path)[0] == [(text, [("王芳", "X"), ("沪", "X")])]
    # Without the text of entities, an offset beyond the last character shows it.
    path = write(record((2, 4, "X"), (7, 8, "X"), text=text))
    assert DataFile(path).options.offsets == "utf16"
    path = write(record((1, 3, "X"), text=text))
    assert DataFile(path).options.offsets == "characters"
    with pytest.raises(DataError, match="1 of 1 entities are outside of their texts"):
        DataFile(path, ReadingOptions(offsets="utf16"))


def test_what_offsets_count_can_show_late_in_the_file(write):
    late = record((2, 4, "PER", "王芳"), text=f"{GRIN}王芳")
    texts, problems, _ = read(write(*[GOOD] * 1000, late))
    assert texts[-1] == (f"{GRIN}王芳", [("王芳", "PER")])
    assert problems == {}


def test_an_entity_whose_text_differs_is_not_read(write):
    wrong = record((3, 5, "LOC", "上海"), (0, 2, "PER", "王 芳\\n"))
    path = write(*[GOOD] * 20, wrong)
    texts, problems, lost = read(path)
    assert texts[-1] == (TEXT, [("王芳", "PER")])
    assert problems == {"text of entity differs": 1}
    assert lost == {DIFFERENT_TEXT: 1}
    *_, last = DataFile(path).texts(ProblemLog())
    assert last.missing == [(3, 5)]
    with pytest.raises(
        DataError, match=r":21: .*'LOC' '上海', but at its offsets '沪宁'"
    ):
        list(DataFile(path).texts(ProblemLog(strict=True)))


def test_what_the_user_says_is_not_doubted(write):
    path = write(record((0, 1, "PER", "王芳")), GOOD)
    with pytest.raises(DataError, match="--ends"):
        DataFile(path)
    for ends in ("inclusive", "exclusive"):
        texts, problems, lost = read(path, ends=ends, offsets="characters")
        assert sum(len(entities) for _, entities in texts) == 1
        assert problems == {"text of entity differs": 1}
        assert lost == {DIFFERENT_TEXT: 1}


@pytest.mark.parametrize(
    ("span", "kind", "reason"),
    [
        (
            {"start": -1, "end": 2, "type": "A"},
            "offsets outside the text",
            OUTSIDE_TEXT,
        ),
        ({"start": 3, "end": 2, "type": "A"}, "offsets outside the text", OUTSIDE_TEXT),
        ({"start": 3, "end": 3, "type": "A"}, "offsets outside the text", OUTSIDE_TEXT),
        (
            {"start": 0, "end": 99, "type": "A"},
            "offsets outside the text",
            OUTSIDE_TEXT,
        ),
        (
            {"start": 0, "end": 10**300, "type": "A"},
            "offsets outside the text",
            OUTSIDE_TEXT,
        ),
        ({"start": True, "end": 2, "type": "A"}, "invalid entity", INVALID),
        ({"start": 0.5, "end": 2, "type": "A"}, "invalid entity", INVALID),
        ({"start": float("nan"), "end": 2, "type": "A"}, "invalid entity", INVALID),
        ({"start": "0", "end": "x", "type": "A"}, "invalid entity", INVALID),
        ({"start": 0, "type": "A"}, "invalid entity", INVALID),
        ({"start": 0, "end": 2}, "invalid entity", INVALID),
        ({"start": 0, "end": 2, "type": " "}, "invalid entity", INVALID),
        ({"start": 0, "end": 2, "type": True}, "invalid entity", INVALID),
        ({"start": 0, "end": 2, "type": {}}, "invalid entity", INVALID),
        ({"span": [[0, 1], [2, 3]], "type": "A"}, "invalid entity", INVALID),
        ({"index": [0, 2], "type": "A"}, "invalid entity", INVALID),
        ([0, 2], "invalid entity", INVALID),
        ([0, 2, "A", "B"], "invalid entity", INVALID),
        ({"start": 0, "end": 2, "type": "PER"}, None, DUPLICATE),
    ],
)
def test_an_entity_that_cannot_be_read_affects_no_other(write, span, kind, reason):
    bad = {"text": TEXT, "entities": [*GOOD["entities"], span]}
    texts, problems, lost = read(write(*[GOOD] * 5, bad))
    assert texts == [(TEXT, [("王芳", "PER")])] * 6
    assert problems == ({kind: 1} if kind else {})
    assert lost == {reason: 1}


@pytest.mark.parametrize(
    "span",
    [
        {"start": 3.0, "end": 7.0, "label": "ORG"},
        {"startIndex": 3, "endIndex": 7, "entityType": "ORG"},
        {"from": 3, "to": 7, "tag": "ORG"},
        {"begin": 3, "stop": 7, "entity": "ORG"},
        {"offset": 3, "length": 4, "category": "ORG"},
        {"start": 3, "length": 4, "entity": "沪宁医院", "entity_type": "ORG"},
        {"span": [3, 7], "label": "ORG"},
        {"offsets": [[3, 7]], "text": ["沪宁医院"], "type": "ORG"},
        {"position": {"begin": 3, "end": 7}, "type": "ORG"},
        {"labels": ["ORG"], "start": 3, "end": 7, "text": "沪宁医院"},
        {"label": ["ORG"], "points": [{"start": 3, "end": 7, "text": "沪宁医院"}]},
        [3, 7, "ORG"],
        ["ORG", 3, 7],
        [3, 7, ["ORG"]],
    ],
)
@pytest.mark.parametrize("keys", [("text", "spans"), ("content", "entity_list")])
def test_spellings_of_entities(write, span, keys):
    path = write({"id": 1, keys[0]: TEXT, keys[1]: [span]})
    assert read(path) == ([(TEXT, [("沪宁医院", "ORG")])], {}, {})


def test_several_labels_of_an_entity_and_nested_entities(write):
    path = write(
        {
            "text": TEXT,
            "label": [{"start": 3, "end": 7, "labels": ["ORG", "LOC"]}, [3, 5, "LOC"]],
        }
    )
    (text,) = DataFile(path).texts(ProblemLog())
    assert text.entities == [(3, 7, "ORG"), (3, 7, "LOC"), (3, 5, "LOC")]
    assert text.can_overlap


def test_records_without_annotation_are_left_out(write):
    path = write(
        GOOD,
        {"text": TEXT, "entities": []},
        {"text": TEXT, "entities": None},
        {"text": TEXT},
        {"text": "", "entities": []},
        {"entities": []},
        7,
    )
    log = ProblemLog()
    assert len(list(DataFile(path).texts(log))) == 2
    assert [*log.left_out.values()] == [2]
    assert {kind: n for (_, kind), n in log.counts.items()} == {
        "empty record": 1,
        "not a record": 2,
    }


def test_labels_that_are_numbers_need_names(write):
    path = write(
        {"text": TEXT, "label": [[0, 2, 7]]}, {"text": TEXT, "label": [[0, 2, 8]]}
    )
    with pytest.raises(DataError, match="--label-names 7=PER"):
        DataFile(path)
    with pytest.raises(DataError, match="such as 8"):
        DataFile(path, ReadingOptions(label_names="7=PER"))
    texts, _, _ = read(path, label_names="7=PER,8=NAME")
    assert texts == [(TEXT, [("王芳", "PER")]), (TEXT, [("王芳", "NAME")])]


def test_offsets_of_tokens(write):
    path = write(
        {"tokens": ["Ada", "left", "Turin"], "ner": [[0, 0, "PER"], [2, 2, "LOC"]]}
    )
    with pytest.raises(DataError, match="count tokens, such as 'Turin'"):
        DataFile(path)
    assert read(path, joiner=" ")[0] == [
        ("Ada left Turin", [("Ada", "PER"), ("Turin", "LOC")])
    ]
    # Characters are put together as they are.
    path = write({"tokens": list(TEXT), "ner": [[0, 2, "PER"]]})
    assert read(path)[0] == [(TEXT, [("王芳", "PER")])]


def test_surrogates_do_not_move_entities(write):
    path = write(record((2, 4, "PER", "王芳"), text="\ud83d\ude00王芳\udc00"))
    texts, problems, lost = read(path)
    assert texts == [(f"{GRIN}王芳\ufffd", [("王芳", "PER")])]
    assert lost == {}
    assert list(problems) == ["lone surrogate"]


def test_many_entities_in_a_long_text_take_linear_time(write):
    text = (TEXT + GRIN) * 4000
    spans = [(i, i + 2, "PER", "王芳") for i in range(0, len(text), 11)]
    texts, problems, _ = read(write(record(*spans, text=text)))
    assert len(texts[0][1]) == 4000
    assert problems == {}
