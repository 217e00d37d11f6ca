"""Dataset files of all formats give the same records, and all problems are reported."""

import json
from pathlib import Path

import pytest

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.formats import FORMATS, Format, Record
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError

HERE = Path(__file__).parent
TEXT = "马云在 北京"
TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"]
OTHER = '{"text": "好", "labels": ["O"]}'


@pytest.fixture
def write(tmp_path):
    """Write a file, and return its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "data.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path, **options):
    """Records as (text units, tags), and the problems: kind → lines."""
    log = ProblemLog()
    file = DataFile(path, ReadingOptions(**options))
    records = [(record.units, record.tags) for record in file.records(log)]
    problems: dict[str, list[int]] = {}
    for (_, kind), examples in log.examples.items():
        problems[kind] = [problem.line for problem in examples]
    return records, problems


def columns(separator: str) -> str:
    lines = [f"{u}{separator}{t}\n" for u, t in zip(TEXT, TAGS, strict=True)]
    return "".join(lines) + "\n"


@pytest.mark.parametrize(
    ("content", "container"),
    [
        (json.dumps({"text": TEXT, "labels": TAGS}), "json-lines"),
        (json.dumps({"id": 7, "labels": TAGS, "text": list(TEXT)}), "json-lines"),
        (json.dumps([{"text": TEXT, "labels": TAGS}]), "json"),
        (json.dumps([{"text": TEXT, "labels": TAGS}], indent=2), "json"),
        (json.dumps({"data": [{"text": TEXT, "labels": TAGS}]}), "json-lines"),
        (json.dumps({"text": TEXT, "labels": TAGS}, indent=2), "json"),
        (repr({"text": TEXT, "labels": TAGS}), "literal-lines"),
        (repr({"text": tuple(TEXT), "labels": TAGS}), "literal-lines"),
        ("DATA = " + repr([{"text": TEXT, "labels": TAGS}]), "literal"),
        (columns(" "), None),
        (columns("\t"), None),
        (columns(" NN "), None),
        ("-DOCSTART- -X- O\n\n" + columns(" "), None),
    ],
)
def test_formats_are_detected_and_give_the_same_record(write, content, container):
    path = write(content)
    file = DataFile(path)
    assert file.container == container
    assert file.options.format == ("tags" if container else "columns")
    assert read(path) == ([(list(TEXT), TAGS)], {})
    assert read(path, format=file.options.format) == read(path)


@pytest.mark.parametrize("name", ["jsonl", "literal"])
def test_former_names_of_formats(write, name):
    assert DataFile(write(OTHER), ReadingOptions(format=name)).options.format == "tags"


def test_records_of_the_two_original_files():
    resume, problems = read(HERE / "resume.jsonl")
    assert ["".join(units)[:8] for units, _ in resume] == [
        "吴重阳，中国国籍",
        "历任公司副总经理",
        "2009年5月至",
    ]
    assert problems == {}
    news, problems = read(HERE / "news.txt")
    assert DataFile(HERE / "news.txt").container == "literal-lines"
    assert [len(units) for units, _ in news] == [51, 55, 98]
    assert problems == {}


def test_python_literals_are_never_evaluated(write, tmp_path):
    trace = tmp_path / "trace"
    attack = f"{{'text': [open({str(trace)!r}, 'w')], 'labels': ['O']}}"
    records, problems = read(write(f"{{'text': '好', 'labels': ['O']}}\n{attack}\n"))
    assert records == [(["好"], ["O"])]
    assert problems == {"not a record": [2]}
    assert not trace.exists()


def test_format_is_detected_after_a_malformed_first_line(write):
    assert read(write('{"text": "一", "lab\n' + OTHER)) == (
        [(["好"], ["O"])],
        {"not a record": [1]},
    )


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B-A I-A O B-B", "BIO"),
        ("B-A I-A I-B O", "BIO"),
        ("I-A I-A B-A O I-B", "IOB1"),
        ("B-A I-A E-A S-B", "BIOES"),
        ("S-B O", "BIOES"),
        ("B-A M-A E-A S-B", "BMES"),
        ("O O", "BIO"),
    ],
)
def test_scheme_is_detected(write, tags, scheme):
    content = "".join(f"字 {tag}\n" for tag in tags.split())
    assert DataFile(write(content)).options.scheme == scheme


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("  O", " "),
        (" O", " "),
        ("\t O", "\t"),
        ("\tO", "\t"),
        (" \tO", " "),
        ("\u3000 O", "\u3000"),
        ("\u3000\tO", "\u3000"),
        ("科  O", "科"),
        ("科 O \t", "科"),
        ("\u2028 O", "\u2028"),
        ("New York\tO", "New York"),
    ],
)
def test_whitespace_can_be_a_unit_or_part_of_one(write, line, unit):
    records, problems = read(write(f"一 O\n{line}\n二 O\n"))
    assert records == [(["一", unit, "二"], ["O"] * 3)]
    assert problems == {}


def test_separator_can_be_given(write):
    path = write("一,B-A\n,,O\n New York, O\n")
    records, _ = read(path, separator=",")
    assert records == [(["一", ",", " New York"], ["B-A", "O", "O"])]


def test_unit_without_tag_is_kept_in_the_text(write):
    records, _ = read(write("一 O\n二\n\u3000\n三 O\n"))
    assert records == [(["一", "二", "\u3000", "三"], ["O", "", "", "O"])]


def test_segmentation_digits(write):
    path = write("科0 B-A\n技1 I-A\n10 O\n\n\U0001f600\U00000030 O\n")
    assert DataFile(path).options.segmentation_digits
    assert read(path)[0] == [
        (["科", "技", "1"], ["B-A", "I-A", "O"]),
        (["\U0001f600"], ["O"]),
    ]
    assert read(path, segmentation_digits=False)[0][0][0] == ["科0", "技1", "10"]


def test_numbers_are_not_segmentation_digits(write):
    path = write("2 O\n0 O\n科 O\n")
    assert not DataFile(path).options.segmentation_digits
    assert read(path)[0] == [(["2", "0", "科"], ["O"] * 3)]
    assert read(write("G7 B-ORG\nX0 O\n"))[0] == [(["G7", "X0"], ["B-ORG", "O"])]
    path = write("科 O\n技1 O\n")
    assert read(path, segmentation_digits=True)[0] == [(["科", "技"], ["O"] * 2)]


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ('{"text": "二", "labels": ["O"', "not a record", "delimiter"),
        ('["二", "O"]', "not a record", "list"),
        ('{"tokens": "二", "pos": ["O"]}', "not a record", "'tokens', 'pos'"),
        ('{"text": "二", "labels": {"O": 1}}', "not a record", "labels"),
        ('{"text": "二", "labels": [3]}', "not a record", "labels"),
        ('{"text": 2, "labels": ["O"]}', "not a record", "text"),
        ("[" * 100_000, "not a record", ""),
        ('{"text": "二二", "labels": ["O"]}', "different lengths", "2 "),
        ('{"text": "", "labels": []}', "empty record", ""),
        ('{"text": [""], "labels": ["O"]}', "empty record", ""),
    ],
)
def test_malformed_line_is_reported_and_affects_no_other(write, line, kind, says):
    path = write(f"{OTHER}\n{line}\n{OTHER}\n")
    assert read(path) == ([(["好"], ["O"])] * 2, {kind: [2]})
    with pytest.raises(DataError) as error:
        list(DataFile(path).records(ProblemLog(strict=True)))
    assert str(error.value).startswith(f"{path}:2: {kind}: ")
    assert says in str(error.value)


def test_byte_order_mark_and_windows_line_ends(write):
    path = write(b"\xef\xbb\xbf" + columns(" ").replace("\n", "\r\n").encode())
    log = ProblemLog()
    (record,) = DataFile(path).records(log)
    assert (record.units, record.tags) == (list(TEXT), TAGS)
    assert dict(log.counts) == {
        (str(path), "byte-order mark"): 1,
        (str(path), "Windows line end"): 7,
    }
    assert len(log.messages()) == 2, "said once, not for each line"


def test_invalid_bytes_affect_one_character(write):
    records, problems = read(write("科 O\n".encode() + b"\xe6\x8a O\n\xff O\n"))
    assert records == [(["科", "\ufffd", "\ufffd"], ["O"] * 3)]
    assert problems == {"not UTF-8": [2, 3]}


GRIN = "\U0001f600"
HIGH, LOW = "\ud83d", "\ude00"


def raw(text: str) -> bytes:
    """Encode surrogates as three bytes each, which is not UTF-8."""
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "content",
    [
        raw(f"一 O\n{HIGH}{LOW} B-A\n二 O\n"),
        raw(f"一 O\n{HIGH} B-A\n{LOW} I-A\n二 O\n"),
        raw(f"一0\tO\n{HIGH}0\tB-A\n{LOW}1\tI-A\n二0\tO\n"),
        raw(f"一0\tO\n{HIGH}{LOW}0\tB-A\n二0\tO\n"),
        json.dumps(
            {"text": ["一", HIGH, LOW, "二"], "labels": ["O", "B-A", "I-A", "O"]}
        ),
        json.dumps({"text": ["一", GRIN, "二"], "labels": ["O", "B-A", "O"]}),
        raw(f'{{"text": "一{HIGH}{LOW}二", "labels": ["O", "B-A", "I-A", "O"]}}'),
        raw(f'{{"text": "一{HIGH}{LOW}二", "labels": ["O", "B-A", "O"]}}'),
        raw(f"{{'text': '一{HIGH}{LOW}二', 'labels': ['O', 'B-A', 'I-A', 'O']}}"),
    ],
)
def test_surrogate_pairs_are_joined(write, content):
    records, problems = read(write(content))
    assert records == [(["一", GRIN, "二"], ["O", "B-A", "O"])]
    # JSON's own way to write such a character is two escapes side by side.
    is_wrong = isinstance(content, bytes) or HIGH in json.loads(content)["text"]
    assert list(problems) == (["surrogate pair"] if is_wrong else [])


@pytest.mark.parametrize(
    "content",
    [
        raw(f"一 O\n{LOW} O\n"),
        json.dumps({"text": f"一{HIGH}", "labels": ["O", "O"]}),
        repr({"text": f"一{HIGH}", "labels": ["O", "O"]}),
    ],
)
def test_lone_surrogate_is_replaced(write, content):
    records, problems = read(write(content))
    assert records == [(["一", "\ufffd"], ["O", "O"])]
    assert list(problems) == ["lone surrogate"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", ":1: empty file"),
        ("\ufeff\n\n \n", ":1: empty file"),
        (json.dumps([{"text": "一", "labels": ["O"]}])[:-1], "not closed"),
        ('{"text": "一", "labels": ["O"\n' * 3, "none can be parsed"),
        ('{"a": 1, "b": "一"}\n', "the keys a, b"),
        ("这是一个句子。\n没有标签。\n", "no tags such as O, B-… or I-… found"),
        (columns(" ").encode("gb18030"), "--encoding gb18030"),
    ],
)
def test_unusable_file_is_an_error_with_the_reason(write, content, says):
    path = write(content)
    with pytest.raises(DataError) as error:
        DataFile(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


def test_missing_file_folder_and_unknown_options(write, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        DataFile(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="folder"):
        DataFile(tmp_path)
    with pytest.raises(DataError, match=r"unknown format 'csv'.*columns"):
        DataFile(write(OTHER), ReadingOptions(format="csv"))
    with pytest.raises(DataError, match=r"unknown scheme 'BIOLU'.*BIOES"):
        ReadingOptions(scheme="BIOLU")


def test_line_separators_within_a_text_do_not_end_a_record(write):
    text = "一\u2028\x0c\x85二"
    content = json.dumps({"text": text, "labels": ["O"] * 5}, ensure_ascii=False)
    assert read(write(content))[0] == [(list(text), ["O"] * 5)]


def test_first_record_does_not_require_reading_the_whole_file(write):
    path = write((OTHER + "\n") * 20_000)
    sizes: list[int] = []
    next(DataFile(path).records(ProblemLog(), progress=sizes.append))
    assert sum(sizes) < path.stat().st_size / 4


def test_a_format_is_added_in_one_place(write, monkeypatch):
    def read_slashes(lines, options, report):
        for number, line in lines:
            if line.startswith("/"):
                units, tags = zip(
                    *(u.split("/") for u in line[1:].split()), strict=True
                )
                yield Record(list(units), list(tags), [number] * len(units))
            else:
                report(number, "not a record", "no slash")

    format = Format(
        "slashes",
        read_lines=read_slashes,
        recognizes=lambda lines: lines[0].startswith("/"),
    )
    monkeypatch.setitem(FORMATS, "slashes", format)
    path = write("/马/B-PER 云/I-PER\n?\n/在/O\n")
    assert DataFile(path).options.format == "slashes"
    records = [(["马", "云"], ["B-PER", "I-PER"]), (["在"], ["O"])]
    assert read(path) == (records, {"not a record": [2]})
    assert read(path, format="slashes") == read(path)
    with pytest.raises(DataError, match=r"unknown format 'csv'.*'slashes'"):
        DataFile(path, ReadingOptions(format="csv"))
