"""The files that `predict` reads, and what it sets aside."""

import bz2
import gzip
import io
import json
import sys

import pytest

from spacy_lstm_ner import DataError
from spacy_lstm_ner.prediction.inputs import (
    InputOptions,
    Record,
    Rejected,
    Repairs,
    Rows,
    find_files,
    read_records,
)

TEXTS = ["王芳任教授。", "李明，1990年生。", "北京大学"]


def read(path, **options):
    """Return the records and what is rejected, and what was repaired."""
    repairs = Repairs()
    items = list(read_records(path, InputOptions(**options), repairs, lambda n: None))
    records = [item for item in items if not isinstance(item, Rejected)]
    return records, [item for item in items if isinstance(item, Rejected)], repairs


def fields(path, **options):
    """Return the fields of the records, none of which is rejected."""
    records, rejected, _ = read(path, **options)
    assert rejected == []
    return [
        row
        for item in records
        for row in (item.batch.to_pylist() if isinstance(item, Rows) else [item.fields])
    ]


def test_lines_of_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join([TEXTS[0], "", TEXTS[1]]), "utf8")
    # Row for row: a blank line stays.
    assert fields(path) == [{"text": TEXTS[0]}, {"text": ""}, {"text": TEXTS[1]}]
    assert fields(path, text_field="t")[0] == {"t": TEXTS[0]}
    records, _, _ = read(path)
    assert [record[:2] for record in records] == [(str(path), i) for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("a.txt.gz", lambda data: gzip.compress(data)),
        ("a.txt.bz2", bz2.compress),
        ("gb.txt", lambda data: data.decode().encode("gb18030")),
        ("utf16.txt", lambda data: data.decode().encode("utf-16")),
    ],
)
def test_compressed_files_and_encodings(name, encode, tmp_path):
    path = tmp_path / name
    lines = TEXTS * 20
    path.write_bytes(encode("\n".join(lines).encode()))
    assert [row["text"] for row in fields(path)] == lines


def test_json_lines_keep_other_fields(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"id": 1, "text": TEXTS[0], "tags": ["a", None]}, {"text": TEXTS[1]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    assert fields(path) == rows
    rows = [{"content": TEXTS[0], "text": 3}]
    path.write_text(json.dumps(rows[0]), "utf8")
    assert fields(path, text_field="content") == rows


def test_a_json_array(tmp_path):
    path = tmp_path / "a.json"
    rows = [{"text": text} for text in TEXTS]
    path.write_text(json.dumps(rows, indent=1), "utf8")
    assert fields(path) == rows


def test_bad_lines_are_set_aside_with_line_reason_and_content(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = ['{"text": "王芳"}', '{"text": ', '{"t": 1}', '{"text": null}', "[1]"]
    lines += ['{"text": "a", "entities": []}', '{"text": "李明"}']
    path.write_text("\n".join(lines), "utf8")
    records, rejected, _ = read(path)
    assert [record.text for record in records] == ["王芳", "李明"]
    assert [item.line for item in rejected] == [2, 3, 4, 5, 6]
    assert [item.content for item in rejected] == lines[1:6]
    reasons = [item.reason for item in rejected]
    assert "not JSON: column" in reasons[0]
    assert "no text in the field 'text', found an object with the keys t" in reasons[1]
    assert "found a list of 1 values" in reasons[3]
    assert "a field 'entities' already: set --entities-field" in reasons[4]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_csv(separator, tmp_path):
    path = tmp_path / "a.csv"
    rows = [["id", "text"], ["1", TEXTS[0]], ["2", '"two\nlines ""quoted"""']]
    rows += [["3", "李明"]]
    path.write_text("\n".join(separator.join(row) for row in rows), "utf8")
    assert fields(path) == [
        {"id": "1", "text": TEXTS[0]},
        {"id": "2", "text": 'two\nlines "quoted"'},
        {"id": "3", "text": "李明"},
    ]
    assert [record.line for record in read(path)[0]] == [2, 3, 5]


def test_csv_rows_of_another_length_are_set_aside(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,王芳\n2,a,b\n\n3,李明\n", "utf8")
    records, rejected, _ = read(path)
    assert [record.text for record in records] == ["王芳", "李明"]
    assert [(r.line, r.reason) for r in rejected] == [
        (3, "3 columns; the header has 2")
    ]


def test_csv_without_the_column(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,content\n1,王芳\n", "utf8")
    records, rejected, _ = read(path)
    assert records == [] and rejected[0].line == 0
    assert "no column 'text', only ['id', 'content']" in rejected[0].reason


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    path = tmp_path / "a.parquet"
    rows = [{"text": text, "n": i} for i, text in enumerate([*TEXTS, None, "x"])]
    write_table(pa.Table.from_pylist(rows), path)
    records, rejected, _ = read(path)
    assert [(r.line, len(r.batch)) for r in records] == [(1, 3), (5, 1)]
    assert rejected == [
        Rejected(str(path), 4, "no text in the column 'text': it is null")
    ]
    for table, reason in (
        ({"content": ["a"]}, "no column 'text', only ['content']"),
        ({"text": ["a"], "entities": [1]}, "a column 'entities' already"),
        ({"text": [1]}, "the column 'text' holds int64, not texts"),
    ):
        write_table(pa.table(table), path)
        records, rejected, _ = read(path)
        assert records == [] and reason in rejected[0].reason


def test_a_damaged_file_is_read_as_far_as_possible(tmp_path):
    path = tmp_path / "a.txt.gz"
    lines = [f"{text}{i}" for i, text in enumerate(TEXTS * 20_000)]
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-2000])
    records, rejected, _ = read(path)
    assert 0 < len(records) < len(lines)
    assert [r.text for r in records] == lines[: len(records)]
    assert len(rejected) == 1 and rejected[0].line == 0
    assert "the rest of the file was not read: cannot be unpacked" in rejected[0].reason


def test_invalid_bytes_and_surrogates_are_repaired_and_told(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a\\ud800b"}\n{"text": "\xffc"}\n' + b'{"text":"d"}\n')
    records, _, repairs = read(path)
    assert [record.text for record in records] == ["a\ufffdb", "\ufffdc", "d"]
    assert records[0].fields == {"text": "a\ufffdb"}
    assert repairs.counts == {"lone surrogate": 1, "not UTF-8": 1}
    # Blocks of lines are decoded at once, before the first of them is parsed.
    assert any(f"{path}:1: lone surrogate" in message for message in repairs.messages)
    assert any(f"{path}:2: not UTF-8" in message for message in repairs.messages)


def test_docs_of_a_spacy_file(trained, examples, tmp_path):
    from spacy.tokens import DocBin

    path = tmp_path / "a.spacy"
    docs = [eg.reference for eg in examples[:3]]
    DocBin(docs=docs).to_disk(path)
    assert fields(path) == [{"text": doc.text} for doc in docs]


def test_lines_with_tags_are_no_texts(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("王 B-NAME\n芳 E-NAME\n任 O\n" * 10, "utf8")
    records, rejected, _ = read(path)
    assert records == [] and "units with tags" in rejected[0].reason


class _Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("王芳\n李明\n".encode(), ["王芳", "李明"]),
        ('\ufeff{"text": "王芳"}\r\n'.encode(), ["王芳"]),
        (b"a\xff\n", ["a\ufffd"]),
    ],
)
def test_standard_input(data, texts, monkeypatch):
    monkeypatch.setattr(sys, "stdin", _Stdin(data))
    files = find_files(["-"])
    records, rejected, _ = read(files[0])
    assert rejected == []
    assert all(isinstance(record, Record) for record in records)
    assert [record.text for record in records] == texts


def test_files_of_folders_and_patterns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b/2.txt", "b/1.jsonl.gz", "b/c/0.csv", "b/readme.md", "b/_x/3.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("a", "utf8")
    (tmp_path / "b/.hidden.txt").write_text("a", "utf8")
    names = ["b/1.jsonl.gz", "b/2.txt", "b/c/0.csv"]
    assert list(map(str, find_files(["b"]))) == names
    assert list(map(str, find_files(["b/*.txt"]))) == ["b/2.txt"]
    assert list(map(str, find_files(["b/readme.md", "b/2.txt"]))) == [
        "b/readme.md",
        "b/2.txt",
    ]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["none.txt"], "no such file"),
        (["*.none"], "no file matches this pattern"),
        (["empty"], "no file in this folder ends in .txt"),
        (["-", "a.txt"], r"standard input \(-\) can only be read alone"),
    ],
)
def test_inputs_without_files(inputs, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("a", "utf8")
    with pytest.raises(DataError, match=message):
        find_files(inputs)
