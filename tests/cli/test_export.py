"""`python -m spacy lstm-ner export`, as a user types it."""

import json
from functools import partial

import pytest

from ..helpers.commands import run_command
from ..helpers.paths import EASY

export = partial(run_command, "export")
RESUME = EASY


def test_summary_of_what_was_written(tmp_path):
    out = tmp_path / "out.jsonl"
    code, output = export(RESUME, out, "-f", "doccano", "-n", 3)
    assert code == 0
    entities = [
        entity
        for line in out.read_text("utf8").splitlines()
        for entity in json.loads(line)["label"]
    ]
    n = len(entities)
    assert f"texts 3 entities read {n} entities written {n} -" in output
    assert "Written" in output and "not written" not in output
    assert export(RESUME, out, "-f", "doccano", "--quiet") == (0, "")


def test_losses_and_changes_are_printed_with_what_to_do(tmp_path):
    source = tmp_path / "data.jsonl"
    tags = ["B-A", "B-B", *"OOOOO"]
    source.write_text(json.dumps({"text": "ab dog.", "labels": tags}) + "\n", "utf8")
    out = tmp_path / "out.txt"
    code, output = export(
        *(source, out, "-f", "columns", "--unit", "token", "--lang", "en", "-q")
    )
    assert code == 0
    assert "Entities not written:" in output
    assert "2: begins or ends inside a token" in output
    assert "use --unit character to keep them" in output
    assert "text whose blanks are not in the file" in output


def test_predictions_with_options(held_out_folder, tmp_path):
    source, out = tmp_path / "texts.txt", tmp_path / "tasks.json"
    source.write_text("王芳任北京大学教授。\n👋王芳在北京。\n", "utf8")
    code, output = export(
        *(source, out, "--format", "label-studio", "-m", held_out_folder / "model"),
        *("--from-name", "ner", "--to-name", "doc", "--offsets", "utf16"),
    )
    assert code == 0 and "texts 2" in output
    tasks = json.loads(out.read_text("utf8"))
    regions = tasks[0]["predictions"][0]["result"]
    assert regions and {r["from_name"] for r in regions} == {"ner"}
    (prediction,) = tasks[1]["predictions"]
    for region in prediction["result"]:
        # Each offset after the emoji is one more than in Python.
        value, text = region["value"], tasks[1]["data"]["text"]
        assert text[value["start"] - 1 : value["end"] - 1] == value["text"]


def test_a_tab_can_be_typed(tmp_path):
    out = tmp_path / "out.txt"
    code, _ = export(
        *(RESUME, out, "-f", "columns", "-s", "BIOES", "--separator", r"\t", "-n", 1)
    )
    assert code == 0
    assert all("\t" in line for line in out.read_text("utf8").splitlines())


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nothing.spacy", "out", "-f", "doccano"], "nothing.spacy: no such file"),
        ([RESUME, "out.jsonl"], "the name does not tell the format"),
        ([RESUME, "out", "-f", "brat"], "unknown format 'brat'"),
        ([RESUME, "out", "-f", "columns", "-s", "IOB1"], "unknown scheme 'IOB1'"),
        ([RESUME, "out", "-f", "doccano", "-s", "BIOES"], "has no option scheme"),
        ([RESUME, "out.spacy"], "use convert"),
        ([RESUME, "out", "-f", "doccano", "-m", "no-such-model"], "no-such-model"),
    ],
)
def test_errors_exit_with_1_and_a_message(args, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output = export(*args)
    assert code == 1
    assert says in output and "Nothing was written." in output
    assert list(tmp_path.iterdir()) == []
