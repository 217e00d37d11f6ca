"""Values in arrays, and what fuzzing has found in them."""

import gzip
import io
import zipfile

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError

RECORD = '{"text": "王芳在沪", "labels": ["B-P", "I-P", "O", "B-L"]}'


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "data"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        log = ProblemLog()
        records = list(DataFile(path).texts(log))
        return records, {kind: n for (_, kind), n in log.counts.items()}

    return read


@pytest.mark.parametrize(
    ("content", "n", "skipped"),
    [
        (f"[{RECORD}, {RECORD}]", 2, 0),
        (f"[{RECORD},\n{RECORD}", None, 0),
        (f"[{RECORD}, }} {RECORD}]", 2, 1),
        (f"{RECORD}\n]\n{RECORD}\n", 2, 1),
        (f'[{RECORD}, "", {RECORD}]', 2, 1),
        # A string with JSON is a string.
        (f"[{RECORD}, {RECORD!r}]".replace("\\\\'", "'"), 1, 1),
    ],
)
def test_each_value_is_read_or_counted(content, n, skipped, read):
    if n is None:
        with pytest.raises(DataError, match="the file is cut off"):
            read(content)
        return
    records, problems = read(content)
    assert len(records) == n
    assert problems == ({"not a record": skipped} if skipped else {})


def test_a_value_longer_than_a_chunk_is_read(read):
    text = "沪" * 100_000
    tags = ", ".join(['"B-L"'] * len(text))
    records, problems = read(f'[{{"text": "{text}", "labels": [{tags}]}}]')
    assert (records[0].text, problems) == (text, {})


def test_damaged_gzip_is_an_error(read):
    data = gzip.compress(f"{RECORD}\n".encode() * 50)
    with pytest.raises(DataError, match=r"cannot be unpacked \(gzip\)"):
        read(data[:20] + b"\xff" * 4 + data[24:])


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, f"{RECORD}\n")
    return file.getvalue()


def test_zip_with_one_file(read):
    # A Mac adds files of its own.
    records, _ = read(zipped("folder/data.jsonl", "__MACOSX/data.jsonl"))
    assert [record.text for record in records] == ["王芳在沪"]


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        # The flags and the method of compression: after the signature, the version
        # that wrote the file (only in the directory), and the version to read it.
        (2, 1, "is encrypted"),
        (4, 99, "compression method"),
    ],
)
def test_a_zip_that_python_cannot_read_is_refused(read, at, value, message):
    data = bytearray(zipped("data.jsonl"))
    for signature, size in ((b"PK\x03\x04", 4), (b"PK\x01\x02", 6)):
        data[data.index(signature) + size + at] = value
    with pytest.raises(DataError, match=rf"cannot be unpacked \(zip\).*{message}"):
        read(bytes(data))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.txt", "b.txt"], "has 2 files"),
        (["[Content_Types].xml", "a.xml"], "save it as CSV"),
    ],
)
def test_a_zip_without_one_text_is_refused(read, names, message):
    with pytest.raises(DataError, match=message):
        read(zipped(*names))


def test_lines_of_utf_16_may_end_in_cr(read):
    records, problems = read("王 B-P\r芳 I-P\r在 O\r沪 B-L\r".encode("utf-16"))
    assert [record.text for record in records] == ["王芳在沪"]
    assert problems == {"CR line end": 1}


def test_byte_order_mark_of_gb18030_is_removed(read):
    columns = "\ufeff" + "王 B-P\n芳 I-P\n在 O\n沪 B-L\n\n" * 20
    records, problems = read(columns.encode("gb18030"))
    assert records[0].text == "王芳在沪"
    assert problems == {"byte-order mark": 1}


def test_surrogates_in_labels_are_repaired(read):
    content = '{"text": "王芳", "entities": [[0, 2, "\\ud83dP"]]}\n'
    records, problems = read(content)
    assert records[0].entities == [(0, 2, "\ufffdP")]
    assert problems == {"lone surrogate": 1}


def test_first_line_outside_of_entities_is_no_header(read):
    records, _ = read("rejects O\nGerman B-M\nPeter B-P\nEU B-O\n")
    assert records[0].text.startswith("rejects")


def test_pairs_of_which_a_unit_has_the_separator(read):
    records, _ = read("王/B-P 芳/I-P 在/O\n沪/B-L //O 市/O\n")
    assert [record.text for record in records] == ["王芳在", "沪/市"]


def test_tags_are_no_text(read):
    # A TAB between the tags.
    records, _ = read("王芳在沪\tB-P I-P\t O B-L\n沪市\tB-L O\n")
    assert all("B-" not in record.text for record in records)


def test_sentence_after_a_split_word_without_blank_line(read):
    rows = [("1-2", "在沪", "O"), ("1", "在", "O"), ("2", "沪", "O")]
    rows += [("1", "王", "B-P"), ("2", "芳", "I-P"), ("3", "来", "O")]
    blank = "\t_" * 7
    lines = "".join(f"{n}\t{w}{blank}\tNE={tag}\n" for n, w, tag in rows)
    records, _ = read(lines)
    assert [record.text for record in records] == ["在沪王芳来"]


def test_results_of_label_studio_that_cannot_be_read_are_counted(tmp_path):
    good = '{"value": {"start": 0, "end": 2, "labels": ["P"]}, "type": "labels"}'
    for other in ('"x"', '{"type": "labels"}', '{"type": "labels", "value": 3}'):
        path = tmp_path / "data.json"
        path.write_text(
            f'[{{"data": {{"text": "王芳在沪"}}, "annotations": '
            f'[{{"result": [{good}, {other}]}}]}}]',
            "utf8",
        )
        log = ProblemLog()
        (text,) = DataFile(path).texts(log)
        assert (len(text.entities), sum(log.lost.values())) == (1, 1)
