"""`convert`: texts, entities, splits and files."""

import json
import random
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Corpus

from spacy_lstm_ner.data.convert import convert
from spacy_lstm_ner.data.split import split_records
from spacy_lstm_ner.exceptions import DataError

HERE = Path(__file__).parent


@pytest.fixture
def write(tmp_path):
    """Write a file of (text, tags) records or of lines, and return its path."""

    def write(*records: str | tuple[str | list[str], str], name="data.jsonl") -> Path:
        lines = [
            record
            if isinstance(record, str)
            else json.dumps({"text": record[0], "labels": record[1].split()})
            for record in records
        ]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf8")
        return path

    return write


def numbered(n: int) -> list[tuple[str, str]]:
    return [(f"第{i:03}号", "O B-N I-N I-N O") for i in range(n)]


def docs_in(path: Path, lang: str = "zh") -> list:
    """Read a converted file or folder the way training does."""
    corpus = Corpus(path)
    return [example.reference for example in corpus(spacy.blank(lang))]


def texts_in(path: Path) -> list[str]:
    return [doc.text for doc in docs_in(path)]


def entities(doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def kinds(problems) -> dict[str, int]:
    return {kind: count for (_, kind), count in problems.counts.items()}


def test_texts_and_entities_match_the_file(tmp_path):
    out = tmp_path / "resume.spacy"
    convert([HERE / "resume.jsonl", HERE / "news.txt"], out)
    docs = docs_in(out)
    assert len(docs) == 6
    assert docs[1].text == "历任公司副总经理、总工程师，"
    assert entities(docs[1]) == [
        ("公司", "ORG"),
        ("副总经理", "TITLE"),
        ("总工程师", "TITLE"),
    ]
    assert docs[3].text.startswith("俄罗斯天然气工业股份公司（Gazprom，下称俄气）宣布")
    assert entities(docs[3])[:3] == [
        ("俄罗斯天然气工业股份公司", "ORG"),
        ("Gazprom", "ORG"),
        ("俄气", "ORG"),
    ]
    # Annotated as outside, so training learns from it.
    assert {token.ent_iob_ for token in docs[1]} == {"B", "I", "O"}


def test_whitespace_is_kept_in_texts_and_trimmed_from_entities(write, tmp_path):
    path = write(
        (" 用 F 35\u3000和\t米 格", "O O O B-A I-A I-A I-A I-A O O B-A I-A I-A"),
        ("在  北京", "O B-A I-A B-B I-B"),
    )
    conversion = convert([path], tmp_path / "out.spacy", strict=True)
    first, second = docs_in(tmp_path / "out.spacy")
    assert first.text == " 用 F 35\u3000和\t米 格"
    assert entities(first) == [("F 35", "A"), ("米 格", "A")]
    assert entities(second) == [("北京", "B")]
    assert (conversion.problems.trimmed, conversion.problems.dropped) == (1, 1)
    assert not conversion.problems.counts


def test_invalid_tags_are_repaired_or_become_missing_annotation(write, tmp_path):
    path = write(
        '{"text": "一二三四", "labels": ["B-A", "X", null, "O"]}',
        ("一二三", "I-A O I-B"),
        ("一二三", "B-A I-A O"),
    )
    conversion = convert([path], tmp_path / "out.spacy")
    assert kinds(conversion.problems) == {
        "unknown tag": 1,
        "no tag": 1,
        "inside without beginning": 2,
    }
    first, second, third = docs_in(tmp_path / "out.spacy")
    assert [token.ent_iob_ for token in first] == ["", "", "", "O"]
    assert entities(second) == [("一", "A"), ("三", "B")]
    assert entities(third) == [("一二", "A")]


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("B_ORG", "2: unknown tag: tag 'B_ORG'"),
        ("I-ORG", "2: inside without beginning: "),
    ],
)
def test_strict_reports_the_line_and_writes_nothing(write, tmp_path, tag, message):
    path = write(("一", "B-A"), ("二", tag), ("三", "O"))
    out = tmp_path / "new" / "out.spacy"
    with pytest.raises(DataError) as error:
        convert([path], out, strict=True)
    assert str(error.value).startswith(f"{path}:{message}")
    assert list(tmp_path.iterdir()) == [path]


def test_all_schemes_give_the_same_entities(write, tmp_path):
    for scheme, tags in {
        "BIO": "B-A I-A I-A B-A O B-B",
        "IOB1": "I-A I-A I-A B-A O I-B",
        "BIOES": "B-A I-A E-A S-A O S-B",
        "BMES": "B-A M-A E-A S-A O S-B",
    }.items():
        out = tmp_path / f"{scheme}.spacy"
        convert([write(("一二三四五六", tags))], out, strict=True)
        assert entities(docs_in(out)[0]) == [("一二三", "A"), ("四", "A"), ("六", "B")]


def test_misaligned_entity_is_missing_not_outside(write, tmp_path):
    path = write(("Peking man", "B-A I-A I-A O O O O B-B I-B I-B"))
    conversion = convert([path], tmp_path / "out.spacy", lang="en")
    (doc,) = docs_in(tmp_path / "out.spacy", "en")
    assert kinds(conversion.problems) == {"misaligned entity": 1}
    assert "Pek" in conversion.problems.messages()[0]
    assert [(t.text, t.ent_iob_) for t in doc] == [("Peking", ""), ("man", "B")]


def test_words_are_joined_with_the_joiner(write, tmp_path):
    path = write((["in", "New", "York", "!"], "O B-LOC I-LOC O"))
    conversion = convert([path], tmp_path / "out.spacy", joiner=" ", lang="en")
    assert conversion.problems.trimmed == 0
    (doc,) = docs_in(tmp_path / "out.spacy", "en")
    assert doc.text == "in New York !"
    assert entities(doc) == [("New York", "LOC")]


def test_column_file_without_blank_lines_is_an_error(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text("短 B-A\n" + f"{'长' * 1000} O\n" * 1000, encoding="utf8")
    with pytest.raises(DataError, match=r"txt:1: .*blank lines"):
        convert([path], tmp_path / "out.spacy")


def test_split_takes_exact_shares_of_each_file_in_order(write, tmp_path):
    first = write(*numbered(40), name="a.jsonl")
    second = write(*[(f"别{i:02}", "B-N O O") for i in range(20)], name="b.jsonl")
    convert([first, second], tmp_path / "out", split="80/10/10")
    parts = [
        texts_in(tmp_path / "out" / f"{part}.spacy")
        for part in ("train", "dev", "test")
    ]
    assert [sum(t[0] == "第" for t in part) for part in parts] == [32, 4, 4]
    assert [sum(t[0] == "别" for t in part) for part in parts] == [16, 2, 2]
    everything = [text for part in parts for text in part]
    assert len(set(everything)) == 60
    for part in parts:
        numbers = [text[1:4] for text in part if text[0] == "第"]
        assert numbers == sorted(numbers)


def test_split_is_the_same_on_every_machine():
    # Worked out once: a change here changes the data sets that people have split.
    dealt = split_records(10, [60, 20, 20], seed=0)
    assert list(dealt) == [2, 1, 0, 0, 0, 0, 2, 0, 0, 1]
    assert split_records(1000, [90, 10], 1) != split_records(1000, [90, 10], 2)


def test_split_does_not_count_unreadable_records(write, tmp_path):
    path = write("no record", *numbered(10), "no record")
    conversion = convert([path], tmp_path / "out", split="80/20")
    assert [output.records for output in conversion.outputs] == [8, 2]
    assert kinds(conversion.problems) == {"not a record": 2}


@pytest.mark.parametrize(
    "split", ["80/10", "80/10/10/0", "100/0", "a/b", "80", "-10/110"]
)
def test_invalid_split(write, tmp_path, split):
    with pytest.raises(DataError, match=r"invalid split.*80/10/10"):
        convert([write(*numbered(10))], tmp_path / "out", split=split)


def test_too_few_records_for_a_split(write, tmp_path):
    path = write(*numbered(3))
    with pytest.raises(
        DataError, match=r"test\.spacy would be empty: there are only 3 records"
    ):
        convert([path], tmp_path / "out", split="80/10/10")
    assert list(tmp_path.iterdir()) == [path]


def test_limit_applies_to_each_file(write, tmp_path):
    paths = [write("no record", *numbered(5), name=name) for name in ("a", "b")]
    convert(paths, tmp_path / "out.spacy", limit=2)
    assert texts_in(tmp_path / "out.spacy") == ["第000号", "第001号"] * 2


def test_several_shards_are_a_folder_that_spacy_reads(write, tmp_path):
    out = tmp_path / "out.spacy"
    convert([write(*numbered(3))], out)
    assert out.is_file()
    convert([write(*numbered(25))], out, shard_size=2)
    assert len(list(out.iterdir())) == 13
    assert texts_in(out) == [text for text, _ in numbered(25)]
    # Fewer shards later: no old one is left among them.
    convert([write(*numbered(5))], out, shard_size=2)
    assert texts_in(out) == [text for text, _ in numbered(5)]
    convert([write(*numbered(2))], out, shard_size=2)
    assert out.is_file()
    assert texts_in(out) == ["第000号", "第001号"]


def test_failure_leaves_existing_output_and_other_files_unchanged(write, tmp_path):
    out = tmp_path / "corpus"
    good = write(*numbered(10))
    convert([good], out, split="80/20")
    (out / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in out.iterdir()}
    bad = write(*numbered(20), ("一", "I-A"), name="bad.jsonl")
    with pytest.raises(DataError):
        convert([good, bad], out, split="80/20", strict=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert set(tmp_path.iterdir()) == {out, good, bad}
    convert([bad], out, split="80/20")
    assert len(texts_in(out / "train.spacy")) == 17
    assert (out / "notes.txt").read_text() == "mine"
    assert len(list(out.iterdir())) == 3


def test_unsafe_output_is_rejected(write, tmp_path):
    path = write(*numbered(3))
    with pytest.raises(DataError, match=r"end in \.spacy"):
        convert([path], path)
    (tmp_path / "mine.spacy").mkdir()
    (tmp_path / "mine.spacy" / "model").touch()
    with pytest.raises(DataError, match="folder"):
        convert([path], tmp_path / "mine.spacy")
    with pytest.raises(DataError, match="folder"):
        convert([path], path, split="90/10")
    assert path.read_text().startswith('{"text"')
    assert (tmp_path / "mine.spacy" / "model").exists()


@pytest.mark.parametrize("split", [None, "50/50"])
def test_progress_reaches_the_total(write, tmp_path, monkeypatch, split):
    done = []

    @contextmanager
    def counter(what, total, **settings):
        yield SimpleNamespace(update=done.append)
        assert sum(done) == total > 0

    monkeypatch.setattr("spacy_lstm_ner.data.convert.progress_counter", counter)
    out = tmp_path / ("out" if split else "out.spacy")
    convert([write(*numbered(4)), HERE / "news.txt"], out, split=split)
    assert len(done) > 1


def test_output_files_are_small(write, tmp_path):
    convert([write(*numbered(1))], tmp_path / "out.spacy")
    attrs = DocBin().from_disk(tmp_path / "out.spacy").attrs
    assert len(attrs) == 3, "the text, and nothing but entities besides"


def test_resume_data_is_the_same_from_columns_and_json(real_data, tmp_path):
    columns = convert([real_data / "resume/train.char.bmes"], tmp_path / "c.spacy")
    lines = convert([real_data / "resume.json"], tmp_path / "j.spacy")
    assert [file.options.scheme for file in columns.files + lines.files] == [
        "BMES",
        "BIO",
    ]
    assert kinds(lines.problems) == {"inside without beginning": 2}
    # One entity runs over a sentence end, twice; in BMES both of its halves show it.
    assert kinds(columns.problems) == {
        "inside without beginning": 2,
        "entity without end": 2,
    }
    one, other = docs_in(tmp_path / "c.spacy"), docs_in(tmp_path / "j.spacy")
    assert len(one) == 3458
    for a, b in zip(one, other, strict=True):
        assert a.text == b.text
        assert entities(a) == entities(b)


def test_news_data_keeps_its_whitespace(real_data, tmp_path):
    path = real_data / "train_data3.txt"
    conversion = convert([path], tmp_path / "news", split="80/10/10", strict=True)
    assert [output.records for output in conversion.outputs] == [752, 94, 94]
    assert sum(output.characters for output in conversion.outputs) == 51_137
    assert (conversion.problems.trimmed, conversion.problems.dropped) == (1, 0)
    written = {text for output in conversion.outputs for text in texts_in(output.path)}
    with path.open(encoding="utf8") as file:
        assert written == {"".join(json.loads(line)["text"]) for line in file}


@pytest.mark.parametrize("unseen", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u200e"])
def test_invisible_characters_are_trimmed_from_entities(write, tmp_path, unseen):
    text = f"{unseen}北{unseen}京{unseen}{unseen}"
    path = write((text, "B-A I-A I-A I-A I-A B-B"))
    conversion = convert([path], tmp_path / "out.spacy", strict=True)
    (doc,) = docs_in(tmp_path / "out.spacy")
    assert doc.text == text
    assert entities(doc) == [(f"北{unseen}京", "A")]
    assert (conversion.problems.trimmed, conversion.problems.dropped) == (1, 1)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_exactly_the_tokens_in_gaps_are_missing(write, tmp_path, lang):
    """Compared with a test of each token against each gap."""
    rng = random.Random(0)
    for number in range(40):
        units = [rng.choice(["a", "b ", " ", "北", "", "cd"]) for _ in range(12)]
        tags = [rng.choice(["O", "X", "B-A"]) for _ in units]
        if not any(units):
            continue
        value = json.dumps({"text": units, "labels": tags})
        path = write(value, ("x", "B-A"), name=f"{number}.jsonl")
        out = tmp_path / f"{number}.spacy"
        convert([path], out, scheme="BIO", joiner="", lang=lang)
        doc = docs_in(out, lang)[0]
        unknown, entity = set(), set()
        at = 0
        for unit, tag in zip(units, tags, strict=True):
            (unknown if tag == "X" else entity if tag != "O" else set()).update(
                range(at, at + len(unit))
            )
            at += len(unit)
        assert doc.text == "".join(units)
        for token in doc:
            here = set(range(token.idx, token.idx + len(token)))
            if here & unknown:
                assert token.ent_iob == 0
            elif not here & entity:
                assert token.ent_iob_ == "O"


def test_tag_that_looks_like_outside_is_reported(write, tmp_path):
    path = write(("一二", "O-A B-B"))
    conversion = convert([path], tmp_path / "out.spacy")
    assert kinds(conversion.problems) == {"unknown tag": 1}
    (doc,) = docs_in(tmp_path / "out.spacy")
    # An entity of another label begins after it for certain.
    assert [token.ent_iob_ for token in doc] == ["", "B"]


def test_files_have_a_limited_number_of_tokens(write, tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_lstm_ner.data.writers.docbin._MAX_TOKENS", 12)
    out = tmp_path / "out.spacy"
    convert(write(*numbered(5), ("长" * 20, " ".join(["B-N"] * 20))), out)
    assert out.is_dir()
    sizes = [len(docs_in(part)) for part in sorted(out.iterdir())]
    assert sizes == [2, 2, 1, 1]
    assert texts_in(out) == [*(text for text, _ in numbered(5)), "长" * 20]


def group_in(path):
    return [
        [(span.text, span.label_) for span in doc.spans["sc"]]
        if "sc" in doc.spans
        else None
        for doc in docs_in(path)
    ]


def spanned(text, *entities):
    entities = [{"start": s, "end": e, "label": label} for s, e, label in entities]
    return json.dumps({"text": text, "entities": entities})


def test_no_span_group_without_overlapping_entities(tmp_path):
    """It would be redundant, and spaCy reads and writes it slowly."""
    path = tmp_path / "data.jsonl"
    path.write_text(f"{spanned('王芳在沪', (0, 2, 'P'), (3, 4, 'L'))}\n", "utf8")
    convert(path, tmp_path / "out.spacy")
    assert group_in(tmp_path / "out.spacy") == [None]


@pytest.mark.parametrize("options", [{}, {"shard_size": 1}, {"split": "40/40/20"}])
def test_every_doc_has_a_span_group_if_entities_overlap(tmp_path, options):
    """That includes Docs that are written before the first overlap is found, and those
    of files in which entities cannot overlap."""
    offsets, columns = tmp_path / "a.jsonl", tmp_path / "b.txt"
    lines = [spanned("王芳在", (0, 2, "P"))] * 4 + [spanned("无人在")]
    lines.append(spanned("沪宁医院", (0, 4, "O"), (0, 2, "L")))
    offsets.write_text("\n".join(lines) + "\n", "utf8")
    columns.write_text("李 B-P\n雷 I-P\n在 O\n\n" * 5, "utf8")
    out = tmp_path / ("out" if "split" in options else "out.spacy")
    convert([offsets, columns], out, **options)
    parts = sorted(out.rglob("*.spacy")) if out.is_dir() else [out]
    found = [(doc.text, group) for part in parts for doc, group in both_in(part)]
    assert sorted(found) == sorted(
        [("王芳在", [("王芳", "P")])] * 4
        + [("无人在", []), ("沪宁医院", [("沪宁医院", "O"), ("沪宁", "L")])]
        + [("李雷在", [("李雷", "P")])] * 5
    )


def both_in(path):
    return zip(docs_in(path), group_in(path), strict=True)
