"""The layouts of single writers, and what they refuse or count."""

import json
import sys
import weakref

import pytest
import spacy

from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.writers import (
    CHANGES,
    LOSSES,
    WRITERS,
    ExportedText,
    WritingOptions,
    find_format,
    write_texts,
)
from spacy_lstm_ner.data.writers.offsets import offset_counter
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.tags import Span

NLP = spacy.blank("zh")
EN = spacy.blank("en")


def write(path, text, entities, *, name, nlp=NLP, missing=False, **options):
    return write_texts(
        [ExportedText(text, entities, nlp.make_doc(text), missing)],
        path,
        format=name,
        options=WritingOptions(**options),
        problems=ProblemLog(),
    )


def written(path):
    return path.read_text("utf8")


# Offsets


def test_utf16_counts_two_units_outside_of_the_basic_plane():
    offset = offset_counter("a👋b\uffff𠮷", "utf16")
    assert [offset(i) for i in range(6)] == [0, 1, 3, 4, 5, 7]
    assert offset_counter("a👋b", "characters")(2) == 2


# The text of issue 2290 of doccano and 4988 of Label Studio, with the offsets there.
FIREMEN = "👨🏻‍🚒 firemen drive firetrucks"


@pytest.mark.parametrize(
    ("name", "options", "start"),
    [
        ("doccano", {}, 22),
        ("doccano", {"offsets": "characters"}, 19),
        ("label-studio", {}, 19),
        ("label-studio", {"offsets": "utf16"}, 22),
        ("prodigy", {}, 19),
        ("offsets", {}, 19),
    ],
)
def test_offsets_are_as_the_tool_counts_them(name, options, start, tmp_path):
    path = tmp_path / "out"
    i = FIREMEN.index("firetrucks")
    write(path, FIREMEN, [Span(i, i + 10, "X")], name=name, nlp=EN, **options)
    value = json.loads(written(path))
    if name == "doccano":
        found = value["label"][0][:2]
    elif name == "label-studio":
        region = value[0]["annotations"][0]["result"][0]["value"]
        found = [region["start"], region["end"]]
    else:
        span = (value.get("entities") or value.get("spans"))[0]
        found = [span["start"], span["end"]]
    assert found == [start, start + 10]


# Layouts


def test_label_studio_names_of_the_project(tmp_path):
    path = tmp_path / "tasks.json"
    options = {"from_name": "ner", "to_name": "doc"}
    write(path, "王芳", [Span(0, 2, "人")], name="label-studio", **options)
    ((task,),) = [json.loads(written(path))]
    (region,) = task["annotations"][0]["result"]
    assert region["from_name"] == "ner" and region["to_name"] == "doc"
    assert region["type"] == "labels"


def test_prodigy_tokens_of_words(tmp_path):
    path = tmp_path / "tasks.jsonl"
    write(path, "In New York.", [Span(3, 11, "GPE")], name="prodigy", nlp=EN)
    task = json.loads(written(path))
    assert [(t["text"], t["ws"]) for t in task["tokens"]] == [
        ("In", True),
        ("New", True),
        ("York", False),
        (".", False),
    ]
    (span,) = task["spans"]
    assert (span["token_start"], span["token_end"]) == (1, 2)


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("BIO", "B-A I-A I-A B-B O"),
        ("BIOES", "B-A I-A E-A S-B O"),
        ("BMES", "B-A M-A E-A S-B O"),
        ("BILUO", "B-A I-A L-A U-B O"),
        ("BILOU", "B-A I-A L-A U-B O"),
    ],
)
def test_columns_in_every_scheme(scheme, tags, tmp_path):
    path = tmp_path / "out.txt"
    entities = [Span(0, 3, "A"), Span(3, 4, "B")]
    result = write(
        path, "一二三四五", entities, name="columns", scheme=scheme, separator=" "
    )
    expected = zip("一二三四五", tags.split(), strict=True)
    assert written(path) == "".join(f"{unit} {tag}\n" for unit, tag in expected)
    assert result.entities == {"A": 1, "B": 1} and not result.lost


def test_columns_of_tokens(tmp_path):
    path = tmp_path / "out.txt"
    entities = [Span(3, 11, "GPE"), Span(4, 8, "X"), Span(3, 6, "Y")]
    result = write(path, "In New York.", entities, name="columns", nlp=EN)
    assert written(path) == "In\tO\nNew\tB-GPE\nYork\tI-GPE\n.\tO\n"
    assert result.lost == {
        "begins or ends inside a token": 1,
        "overlaps a longer one": 1,
    }
    assert result.changes == {"text whose blanks are not in the file": 1}


def test_blanks_between_all_tokens_or_none_can_be_restored(tmp_path):
    for text in ("In New York", "York"):
        result = write(tmp_path / "out", text, [], name="columns", nlp=EN)
        assert result.changes == {}


def test_line_breaks_in_columns_become_blanks_and_are_counted(tmp_path):
    path = tmp_path / "out.txt"
    result = write(path, "一\n\t 二", [Span(0, 5, "A")], name="columns")
    assert written(path) == "一\tB-A\n \tI-A\n \tI-A\n \tI-A\n二\tI-A\n"
    assert result.changes == {"line break or tab written as a blank": 2}


def test_hugging_face_numbers_all_tags_of_a_label(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "out.parquet"
    write(path, "一二三", [Span(1, 2, "A")], name="parquet", scheme="BIOES")
    metadata = json.loads(parquet.read_schema(path).metadata[b"huggingface"])
    names = metadata["info"]["features"]["ner_tags"]["feature"]["names"]
    assert names == ["O", "B-A", "I-A", "E-A", "S-A"]
    assert parquet.read_table(path).to_pylist() == [
        {"tokens": ["一", "二", "三"], "ner_tags": [0, 4, 0]}
    ]


def test_a_parquet_file_of_several_row_groups(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("spacy_lstm_ner.data.writers.hugging_face._UNITS", 3)
    path = tmp_path / "out.parquet"
    doc = NLP.make_doc("一二")
    texts = [ExportedText("一二", [Span(0, 1, f"L{i}")], doc) for i in range(5)]
    options = WritingOptions()
    write_texts(texts, path, format="parquet", options=options, problems=ProblemLog())
    assert parquet.ParquetFile(path).metadata.num_row_groups == 3
    numbers = [row["ner_tags"] for row in parquet.read_table(path).to_pylist()]
    assert numbers == [[1, 0], [3, 0], [5, 0], [7, 0], [9, 0]]


# What is counted and refused


def test_missing_annotation_is_counted_where_it_cannot_be_written(tmp_path):
    for name, writer in WRITERS.items():
        path = tmp_path / f"{name}.spacy"
        result = write(path, "一二", [], name=name, missing=True)
        counted = {} if writer.holds_docs else {"text with missing annotation": 1}
        assert result.changes == counted


def test_entities_without_a_label_or_characters_are_counted(tmp_path):
    for name in WRITERS.keys() - {"spacy"}:
        entities = [Span(0, 1, ""), Span(1, 1, "A"), Span(1, 2, "A")]
        result = write(tmp_path / name, "一二", entities, name=name)
        assert result.lost == {"no label": 1, "empty": 1}
        assert result.entities == {"A": 1} and result.found == 3


def test_texts_without_units_are_left_out_and_counted(tmp_path):
    doc, empty = NLP.make_doc("一"), NLP.make_doc("")
    for name in ("columns", "huggingface", "parquet"):
        texts = [ExportedText("", [], empty), ExportedText("一", [], doc)]
        result = write_texts(
            texts,
            tmp_path / name,
            format=name,
            options=WritingOptions(),
            problems=ProblemLog(),
        )
        assert result.records == 1
        assert result.changes == {"text without units left out": 1}


@pytest.mark.parametrize("label", ["A B", "A\tB", "A\u3000B", "A\nB"])
def test_columns_refuse_labels_with_whitespace(label, tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("before", "utf8")
    with pytest.raises(DataError, match="rename it"):
        write(path, "一二", [Span(0, 1, label)], name="columns")
    assert written(path) == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]


def test_no_texts_are_an_error(tmp_path):
    for name in WRITERS:
        with pytest.raises(DataError, match="would be empty"):
            write_texts(
                [],
                tmp_path / f"{name}.spacy",
                format=name,
                options=WritingOptions(),
                problems=ProblemLog(),
            )
    assert list(tmp_path.iterdir()) == []


def test_an_error_between_two_texts_leaves_nothing(tmp_path):
    def texts():
        yield ExportedText("一", [], NLP.make_doc("一"))
        raise DataError("damaged")

    for name in WRITERS:
        with pytest.raises(DataError, match="damaged"):
            write_texts(
                texts(),
                tmp_path / f"{name}.spacy",
                format=name,
                options=WritingOptions(),
                problems=ProblemLog(),
            )
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"spacy-lstm-ner\[parquet\]"):
        write(tmp_path / "out.parquet", "一", [], name="parquet")
    assert list(tmp_path.iterdir()) == []


def test_all_reasons_are_explained():
    assert set(LOSSES) == {
        *("overlaps a longer one", "begins or ends inside a token"),
        *("no label", "empty"),
    }
    assert all(CHANGES.values()) and all(LOSSES.values())


def test_formats_by_suffix_and_options_that_a_format_does_not_use(tmp_path):
    options = WritingOptions()
    assert find_format(tmp_path / "a.spacy", "auto", options) == "spacy"
    assert find_format(tmp_path / "a.parquet", "auto", options) == "parquet"
    assert find_format(tmp_path / "a.spacy", "columns", options) == "columns"
    with pytest.raises(DataError, match="does not tell the format"):
        find_format(tmp_path / "a.jsonl", "auto", options)
    with pytest.raises(DataError, match="unknown format 'brat'"):
        find_format(tmp_path / "a.ann", "brat", options)
    with pytest.raises(DataError, match="doccano has no option scheme"):
        find_format(tmp_path / "a", "doccano", WritingOptions(scheme="BIOES"))
    with pytest.raises(DataError, match="columns has no option offsets"):
        find_format(tmp_path / "a", "columns", WritingOptions(offsets="utf16"))
    with pytest.raises(DataError, match=r"must end in \.spacy"):
        find_format(tmp_path / "a.docs", "spacy", options)
    (tmp_path / "b.spacy").mkdir()
    (tmp_path / "b.spacy" / "notes.txt").touch()
    with pytest.raises(DataError, match="other files"):
        find_format(tmp_path / "b.spacy", "spacy", options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scheme": "IOB1"}, "unknown scheme 'IOB1'"),
        ({"unit": "word"}, "unknown unit 'word'"),
        ({"offsets": "bytes"}, "unknown offsets 'bytes'"),
        ({"separator": ","}, "separator ','"),
    ],
)
def test_unknown_values_of_options(options, says):
    with pytest.raises(DataError, match=says):
        WritingOptions(**options)


class Text(str):
    """A text with weak references, which show whether anything else keeps it."""


@pytest.mark.parametrize("name", WRITERS)
def test_texts_are_not_kept_in_memory(name, tmp_path):
    references = []

    def texts():
        for i in range(20):
            text = Text(f"王芳{i}")
            references.append(weakref.ref(text))
            yield ExportedText(text, [Span(0, 2, "A")], NLP.make_doc(str(text)))
            del text
            assert sum(reference() is not None for reference in references) <= 2

    write_texts(
        texts(),
        tmp_path / "out.spacy",
        format=name,
        options=WritingOptions(),
        problems=ProblemLog(),
    )
    assert len(references) == 20
