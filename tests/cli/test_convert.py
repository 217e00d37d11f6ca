"""`python -m spacy lstm-ner convert`, as a user types it."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from spacy_lstm_ner.data.formats import FORMATS

from ..helpers.commands import run_command

RESUME = Path(__file__).parents[1] / "data" / "resume.jsonl"
convert = partial(run_command, "convert")


def test_summary_of_input_and_output(tmp_path):
    code, output = convert(RESUME, tmp_path / "out.spacy")
    assert code == 0
    assert "Format tags: objects with a text and a tag for each" in output
    assert "Stored as JSON lines Tag scheme BIO" in output
    assert "历任[公司 ORG][副总经理 TITLE]、[总工程师 TITLE]，" in output
    assert "Entities: 13 in the records that were read, 13 written" in output
    assert "records 3 characters 134 entities 13" in output
    assert "- TITLE 7" in output
    assert "out.spacy" in output
    assert "Problems in the input" not in output
    assert (tmp_path / "out.spacy").is_file()


def test_each_kind_of_problem_is_counted_and_located(tmp_path):
    path = tmp_path / "bad.bmes"
    path.write_bytes("一 S-A\n二 X-A\n\n三 M-A\n四 E-A\n五\n".encode() + b"\xff O\r\n")
    code, output = convert(path, tmp_path / "out.spacy")
    assert code == 0
    for kind, line in {
        "unknown tag": 2,
        "inside without beginning": 4,
        "no tag": 6,
        "not UTF-8": 7,
        "Windows line end": 7,
    }.items():
        assert f"{kind} 1 repaired" in output
        assert f"{path}:{line}: {kind}: " in output


def test_quiet_prints_problems_only(tmp_path):
    code, output = convert(RESUME, tmp_path / "out.spacy", "--quiet")
    assert (code, output) == (0, "")
    path = tmp_path / "bad.jsonl"
    path.write_text(RESUME.read_text("utf8") + "{}\n", "utf8")
    code, output = convert(path, tmp_path / "out.spacy", "--quiet")
    assert code == 0
    assert "not a record 1 skipped" in output
    code, output = convert(path, tmp_path / "out.spacy")
    assert "Records skipped, with their entities: 1" in output


def test_split_digits_and_whitespace_are_reported(tmp_path):
    path = tmp_path / "weibo.txt"
    path.write_text("科0\tB-A\n\u30000\tI-A\n\n" * 10, "utf8")
    out = tmp_path / "out"
    out.mkdir()
    (out / "test.spacy").touch()
    code, output = convert(path, out, "--split", "80/20")
    assert code == 0
    assert "train.spacy dev.spacy" in output
    assert "records 8 2" in output
    assert "Position in the word removed (科0 → 科)" in output
    assert "trimmed of whitespace at the edges: 10" in output
    # Left from an earlier split, it would hold records that are now trained on.
    assert str(out / "test.spacy") in output.partition("Left from an earlier split")[2]


def test_options_reach_the_conversion(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("New\tI-A\nYork\tI-A\n", "utf8")
    code, output = convert(
        *(path, tmp_path / "out.spacy", "--format", "columns", "--scheme", "BIO"),
        *("--separator", r"\t", "--joiner", " ", "--lang", "en", "--strict"),
    )
    assert code == 1
    assert f"{path}:1: inside without beginning" in output
    code, output = convert(path, tmp_path / "out.spacy", "--shard-size", 1, "-n", 1)
    assert code == 0
    assert "IOB1" in output


def test_shards_are_reported(tmp_path):
    code, output = convert(RESUME, tmp_path / "out.spacy", "--shard-size", 2)
    assert code == 0
    assert "out.spacy (a folder of 2 files" in output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere.jsonl", "out.spacy"], "nowhere.jsonl: no such file"),
        (["data", "out.spacy"], "no data files in this folder"),
        ([RESUME, "out"], "must end in .spacy"),
        ([RESUME, "out", "--split", "80/30"], "invalid split '80/30'"),
        ([RESUME, "out.spacy", "--scheme", "BIOLU"], "unknown scheme 'BIOLU'"),
        ([RESUME, "out.spacy", "--ends", "last"], "unknown ends 'last'"),
        ([RESUME, "out.spacy", "--encoding", "u8x"], "unknown encoding 'u8x'"),
        ([RESUME, "out.spacy", "--lang", "nn-no-such"], "nn-no-such"),
    ],
)
def test_errors_exit_with_1_and_a_message(args, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    code, output = convert(*args)
    assert code == 1
    assert says in output
    assert "Nothing was written" in output
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_a_file_without_entities_is_refused_unless_forced(tmp_path):
    path = tmp_path / "none.jsonl"
    path.write_text('{"text": "北京", "labels": ["O", "O"]}', "utf8")
    code, output = convert(path, tmp_path / "out.spacy")
    assert code == 1
    assert "no entity (records: 1)" in output
    assert "force" in output
    assert not (tmp_path / "out.spacy").exists()
    code, output = convert(path, tmp_path / "out.spacy", "--force")
    assert code == 0
    assert "Entities: 0 in the records that were read, 0 written" in output


def test_subprocess_with_a_gbk_console(tmp_path):
    path = tmp_path / "简历.jsonl"
    path.write_text('{"text": "北京", "labels": ["I-地", "I-地"]}', "utf8")
    out = tmp_path / "简历.spacy"
    command = [sys.executable, "-m", "spacy", "lstm-ner", "convert", path, out]
    # As on a Chinese Windows, where a redirected output is in GBK.
    env = {**os.environ, "PYTHONIOENCODING": "gbk"}
    result = subprocess.run(command, capture_output=True, env=env)
    assert result.returncode == 0, result.stderr
    assert "[北京 地]" in result.stdout.decode("gbk")
    assert out.is_file()
    assert result.stderr == b"", "no progress bar where nobody watches"


def test_a_tokenizer_that_does_not_fit_the_text_is_told(tmp_path):
    path = tmp_path / "english.conll"
    path.write_text("EU B-ORG\nrejects O\nGerman O\ncall O\n. O\n\n" * 30, "utf8")
    code, output = convert(path, tmp_path / "out.spacy")
    assert code == 0
    assert "[EU ORG] rejects German call ." in output
    assert "words split into letters" in output
    assert "--lang: zh" in output
    code, output = convert(path, tmp_path / "out.spacy", "--lang", "en")
    assert code == 0
    assert "words split into letters" not in output


def test_the_help_lists_all_formats():
    _, output = convert("--help")
    words = set(output.replace(",", " ").replace(";", " ").split())
    assert set(FORMATS) <= words
