"""What writers write, read again: the same texts and entities, for all of `WRITERS`."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.util import filter_spans

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.writers import (
    WRITERS,
    ExportedText,
    WritingOptions,
    write_texts,
)
from spacy_lstm_ner.tags import ScoredSpan, Span

NLP = spacy.blank("zh")
# Chinese, Latin words, digits; emoji of one and of several code points; combining
# marks; blanks of all kinds, and what some readers take for the end of a line.
PIECES = [
    *(
        "王",
        "芳",
        "任",
        "北京大学",
        "。",
        "CNN",
        "a",
        "7",
        "３",
        "́",
        "\ud7ff",
        "\uffff",
    ),
    *("👋", "👋🏽", "👨‍👩‍👧", "🇨🇳", "𠮷", '"', "\\", "#", "-", "O", "B-A"),
    *(" ", "  ", "\u3000", "\xa0", "\t", "\n", "\r\n", "\r", "\v", "\x85", "\u2028"),
]
SUFFIX = {name: (*writer.suffixes, ".txt")[0] for name, writer in WRITERS.items()}
FORMATS_WITH_TAGS = ("columns", "huggingface", "parquet")


# The first record of each file, without which a file of odd characters may look like
# something else.
ORDINARY = ("王芳任北京大学教授。", [Span(0, 2, "NAME"), Span(3, 7, "ORG")])


@st.composite
def annotated_texts(draw):
    """A text and some entities, which may overlap."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12)))
    spans = st.tuples(
        st.integers(0, len(text) - 1),
        st.integers(1, len(text)),
        st.sampled_from(["A", "人名", "PER-X"]),
    )
    found = {Span(a, b, label) for a, b, label in draw(st.lists(spans)) if a < b}
    return text, sorted(found)


def exported(name, text, entities):
    """The text for a writer: the entities that a Doc can hold, for a .spacy file."""
    doc = NLP.make_doc(text)
    if name == "spacy":
        spans = [doc.char_span(*entity) for entity in entities]
        spans = [span for span in spans if span is not None]
        doc.ents = filter_spans(spans)
        doc.spans["sc"] = spans
        entities = [Span(s.start_char, s.end_char, s.label_) for s in spans]
    return ExportedText(text, list(entities), doc)


#: How the files are read: nothing is left to detection, since the files are very short.
TAGS = {"scheme": "BILUO", "joiner": ""}
READING = {
    "doccano": {"format": "offsets", "offsets": "utf16", "ends": "exclusive"},
    "label-studio": {"offsets": "characters", "ends": "exclusive"},
    "prodigy": {"offsets": "characters", "ends": "exclusive"},
    "offsets": {"offsets": "characters", "ends": "exclusive"},
    "columns": {
        **{"separator": "\t", "columns": "unit=1,tag=2", "comment": ""},
        **{"header": False, "segmentation_digits": False, **TAGS},
    },
    "huggingface": {"format": "tags", **TAGS},
    "parquet": {"format": "tags", **TAGS},
    "spacy": {},
}


def read(name, path):
    options = ReadingOptions(**{"format": name, **READING[name]}, force=True)
    problems = ProblemLog(strict=True)
    return [
        (text.text, sorted(text.entities))
        for text in DataFile(path, options).texts(problems)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("round-trips")


def write(name, path: Path, texts):
    scheme = "BILUO" if name in FORMATS_WITH_TAGS else "BIO"
    options = WritingOptions(scheme=scheme)
    return write_texts(texts, path, format=name, options=options, problems=ProblemLog())


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=40, deadline=None)
@given(data=st.lists(annotated_texts(), min_size=1, max_size=3))
def test_the_same_texts_and_entities_come_back(name, data, folder):
    data = [ORDINARY, *data]
    path = folder / f"{name}{SUFFIX[name]}"
    given_texts = [exported(name, text, entities) for text, entities in data]
    given_entities = [list(given.entities) for given in given_texts]
    result = write(name, path, given_texts)
    found = read(name, path)
    written = sum(len(entities) for _, entities in found)
    assert result.records == len(data) == len(found)
    assert result.found == sum(map(len, given_entities))
    assert sum(result.entities.values()) == written
    assert result.found == written + sum(result.lost.values())
    for (text, _), entities, (found_text, found_entities) in zip(
        data, given_entities, found, strict=True
    ):
        if name == "columns":
            # No unit can be a line end or a tab, and the length stays the same.
            assert len(text) == len(found_text)
            pairs = zip(text, found_text, strict=True)
            assert all(a == b or (a.isspace() and b == " ") for a, b in pairs)
        else:
            assert text == found_text
        if name not in FORMATS_WITH_TAGS:
            assert found_entities == sorted(entities)
            continue
        assert set(found_entities) <= set(entities)
        for a, b in pairwise(found_entities):
            assert a[1] <= b[0]
        for start, end, label in entities:
            if (start, end, label) not in found_entities:
                assert any(
                    s < end and start < e and e - s >= end - start
                    for s, e, _ in found_entities
                )


@pytest.mark.parametrize("name", WRITERS)
def test_the_text_without_entities_comes_back(name, folder):
    path = folder / f"none-{name}{SUFFIX[name]}"
    write(name, path, [exported(name, "在京 👋", [])])
    assert read(name, path) == [("在京 👋", [])]


@pytest.mark.parametrize("name", ["doccano", "label-studio", "prodigy", "offsets"])
def test_probabilities_are_written(name, folder):
    path = folder / f"scores-{name}"
    entities = [ScoredSpan(0, 2, "A", 0.1 + 0.2), ScoredSpan(3, 4, "B", 1e-9)]
    options = WritingOptions(predicted=True, model_version="zh_ner-1.2.0")
    write_texts(
        [ExportedText("王芳在京", entities, NLP.make_doc("王芳在京"))],
        path,
        format=name,
        options=options,
        problems=ProblemLog(),
    )
    written = path.read_text("utf8")
    # Exact, however small.
    assert "0.30000000000000004" in written and "1e-09" in written
    if name == "label-studio":
        ((task,),) = [json.loads(written)]
        (prediction,) = task["predictions"]
        assert "annotations" not in task
        assert prediction["model_version"] == "zh_ner-1.2.0"
        assert prediction["score"] == 1e-9, "that of the least certain entity"
        assert [region["score"] for region in prediction["result"]] == [0.1 + 0.2, 1e-9]
    if name == "prodigy":
        task = json.loads(written)
        assert "answer" not in task
        assert task["meta"] == {"score": 1e-9}
        assert task["spans"][0]["source"] == "zh_ner-1.2.0"


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_recognized_without_options(name, folder):
    """With an emoji before entities: only doccano's files do not show what their
    offsets count, which depends on its version."""
    texts = [
        ("王芳任北京大学教授。", [Span(0, 2, "NAME"), Span(3, 7, "ORG")]),
        ("👋王芳在CNN International任职", [Span(1, 3, "NAME"), Span(4, 21, "ORG")]),
        ("她在上海。\n他也在。", [Span(2, 4, "LOC")]),
    ]
    if name in ("columns", "spacy"):
        texts.pop()
    path = folder / f"auto-{name}{SUFFIX[name]}"
    write(name, path, [exported(name, text, entities) for text, entities in texts * 9])
    options = ReadingOptions(offsets="utf16" if name == "doccano" else "auto")
    problems = ProblemLog(strict=True)
    read_again = DataFile(path, options).texts(problems)
    assert [(text.text, text.entities) for text in read_again] == texts * 9
