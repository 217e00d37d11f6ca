"""What writers write, read again: the same texts and entities, for all of `WRITERS`."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.util import filter_spans

from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.writers import (
    WRITERS,
    ExportedText,
    WritingOptions,
    write_texts,
)
from spacy_lstm_ner.tags import ScoredSpan, Span, spans_from_tags

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
FORMATS_WITH_TAGS = ("columns", "huggingface", "parquet")


@st.composite
def annotated_texts(draw):
    """A text and some entities, which may overlap."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12)))
    spans = st.tuples(
        st.integers(0, len(text) - 1),
        st.integers(1, len(text)),
        st.sampled_from(["A", "人名", "B-C"]),
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


# Independent readers. Each yields (text, entities).
#
# TODO for whoever merges the readers of these formats: replace READERS[name](path) in
# `read` by DataFile(path, READING[name]).texts(ProblemLog()), and delete them.


def utf16_slice(text, start, end):
    """Offsets as a JavaScript string has them, to offsets in Python."""
    units = text.encode("utf-16-le")
    before, inside = units[: 2 * start], units[2 * start : 2 * end]
    first = len(before.decode("utf-16-le"))
    return first, first + len(inside.decode("utf-16-le"))


def json_lines(path):
    # Not `splitlines`, which splits at U+2028, too.
    return [json.loads(line) for line in path.read_text("utf8").split("\n")[:-1]]


def read_doccano(path):
    for value in json_lines(path):
        text = value["text"]
        yield (
            text,
            [(*utf16_slice(text, a, b), label) for a, b, label in value["label"]],
        )


def read_label_studio(path):
    for task in json.loads(path.read_text("utf8")):
        text = task["data"]["text"]
        (annotation,) = task["annotations"]
        assert len({r["id"] for r in annotation["result"]}) == len(annotation["result"])
        values = [region["value"] for region in annotation["result"]]
        assert all(text[v["start"] : v["end"]] == v["text"] for v in values)
        yield text, [(v["start"], v["end"], *v["labels"]) for v in values]


def read_prodigy(path):
    for task in json_lines(path):
        text, tokens = task["text"], task["tokens"]
        assert task["answer"] == "accept"
        shown = "".join(t["text"] + (" " if t["ws"] else "") for t in tokens)
        assert shown == text
        for span in task["spans"]:
            assert tokens[span["token_start"]]["start"] == span["start"]
            assert tokens[span["token_end"]]["end"] == span["end"]
        yield text, [(s["start"], s["end"], s["label"]) for s in task["spans"]]


def read_offsets(path):
    for value in json_lines(path):
        text, entities = value["text"], value["entities"]
        assert all(text[e["start"] : e["end"]] == e["text"] for e in entities)
        yield text, [(e["start"], e["end"], e["label"]) for e in entities]


def in_units(units, tags):
    starts = [0]
    for unit in units:
        starts.append(starts[-1] + len(unit))
    spans, problems, *_ = spans_from_tags(tags, "BILOU")
    assert not problems
    return "".join(units), [(starts[a], starts[b], label) for a, b, label in spans]


def read_columns(path):
    # As a reader that takes every known character for a line end would.
    records, record = [], []
    for line in path.read_text("utf8").splitlines():
        if line:
            record.append(line.split("\t"))
        else:
            records.append(record)
            record = []
    records.append(record)
    for lines in records:
        yield in_units(*zip(*lines, strict=True))


def read_huggingface(path):
    for row in json_lines(path):
        yield in_units(row["tokens"], row["ner_tags"])


def read_parquet(path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(path)
    info = json.loads(table.schema.metadata[b"huggingface"])
    names = info["info"]["features"]["ner_tags"]["feature"]["names"]
    for row in table.to_pylist():
        yield in_units(row["tokens"], [names[number] for number in row["ner_tags"]])


def read_spacy(path):
    for doc in DocBin().from_disk(path).get_docs(NLP.vocab):
        spans = {(s.start_char, s.end_char, s.label_) for s in doc.spans["sc"]}
        ents = {(e.start_char, e.end_char, e.label_) for e in doc.ents}
        assert ents <= spans
        yield doc.text, sorted(spans)


READERS = {
    "doccano": read_doccano,
    "label-studio": read_label_studio,
    "prodigy": read_prodigy,
    "offsets": read_offsets,
    "columns": read_columns,
    "huggingface": read_huggingface,
    "parquet": read_parquet,
    "spacy": read_spacy,
}


def read(name, path):
    return [(text, sorted(entities)) for text, entities in READERS[name](path)]


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
    path = folder / f"{name}.spacy"
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


def test_every_writer_has_a_reader_here():
    assert READERS.keys() == WRITERS.keys()


@pytest.mark.parametrize("name", WRITERS)
def test_the_text_without_entities_comes_back(name, folder):
    path = folder / f"none-{name}.spacy"
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
