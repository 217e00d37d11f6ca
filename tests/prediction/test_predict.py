"""`predict` on this machine: what it writes, sets aside and resumes."""

import gc
import gzip
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
import spacy

from spacy_lstm_ner import DataError, predict
from spacy_lstm_ner.pipeline import predicted_entities
from spacy_lstm_ner.prediction.chunks import read_chunks
from spacy_lstm_ner.prediction.inputs import InputOptions, Repairs, read_records

from ..helpers.batch_prediction import (
    ERROR,
    FatalPredictor,
    numbered,
    part_contents,
    write_lines,
    write_parquet,
)
from ..helpers.commands import run_command
from ..helpers.processes import heed_signals


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("predict") / "model"
    trained.to_disk(path)
    return path


def json_lines(path):
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def expected_entities(nlp, text):
    return [
        {
            "start": entity.start,
            "end": entity.end,
            "label": entity.label,
            "text": text[entity.start : entity.end],
            "score": pytest.approx(entity.score, abs=2e-6),
        }
        for entity in predicted_entities(nlp(text), ["lstm_ner"])
    ]


def test_entities_are_those_of_each_text_alone(model, trained, tmp_path):
    records = [*numbered(50), {"id": 50, "text": ""}, {"id": 51, "text": "王芳" * 3000}]
    records.append({"id": 52, "text": "𠮷野家的王芳任北京大学教授。"})
    path = write_lines(tmp_path / "in.jsonl", records)
    out = tmp_path / "out.jsonl"
    run = predict(model, path, out)
    rows = json_lines(out)
    assert [{**row, "entities": None} for row in rows] == [
        {**record, "entities": None} for record in records
    ]
    for row in rows:
        assert row["entities"] == expected_entities(trained, row["text"])
    assert run.records == 53 and run.rejected == 0
    assert run.entities == sum(len(row["entities"]) for row in rows) > 50
    assert run.characters == sum(len(record["text"]) for record in records)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_output_does_not_depend_on_processes(format, model, tmp_path):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    path = write_lines(tmp_path / "in.jsonl", numbered(500))
    for n in (1, 2):
        predict(
            model, path, tmp_path / f"{n}", n_process=n, part_size=120, format=format
        )
    found = part_contents(tmp_path / "1")
    assert list(found) == [f"part-0000{i}.{format}" for i in range(5)]
    assert found == part_contents(tmp_path / "2")


def test_parquet_in_and_out(model, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow.parquet import read_table

    (tmp_path / "in").mkdir()
    folder = write_parquet(tmp_path / "in", 900)
    predict(model, folder, tmp_path / "rows", part_size=400)
    run = predict(model, folder, tmp_path / "out", part_size=400, format="parquet")
    assert run.records == 899 and run.rejected == 1 and run.parts == 3
    before = read_table(folder).to_pylist()
    table = read_table(tmp_path / "out")
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == [r["id"] for r in before if r["text"]]
    as_json = [
        row
        for part in sorted((tmp_path / "rows").glob("part-*"))
        for row in json_lines(part)
    ]
    assert rows == as_json
    errors = json_lines(tmp_path / "out" / "_errors" / "part-00001.jsonl")
    assert errors == [
        {
            "file": str(folder / "b.parquet"),
            "line": 151,
            "reason": "no text in the column 'text': it is null",
        }
    ]


def test_a_part_without_texts(model, tmp_path):
    """Also as a worker of Ray writes it, which sees nothing but its part."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import read_schema, write_table

    from spacy_lstm_ner import EntityPredictor
    from spacy_lstm_ner.prediction.on_ray import _PartWorker, plan_parts
    from spacy_lstm_ner.prediction.parts import OutputFolder

    rows = numbered(600)
    for row in rows[200:400]:
        row["text"] = None
    path = tmp_path / "in.parquet"
    write_table(pa.Table.from_pylist(rows), path, row_group_size=250)
    options = {"format": "parquet", "part_size": 200}
    run = predict(model, path, tmp_path / "out", **options)
    assert (run.parts, run.records, run.rejected) == (3, 400, 200)
    folder = OutputFolder(
        tmp_path / "parts", {}, entities_field="entities", resume=False, **options
    )
    worker = _PartWorker(
        EntityPredictor(model), InputOptions(), folder, read_schema(path)
    )
    slices = map(json.dumps, plan_parts([path], [600], 200))
    found = worker({"part": [0, 1, 2], "slices": list(slices)})
    counts = [json.loads(each) for each in found["run"]]
    assert [each["records"] for each in counts] == [200, 0, 200]
    assert [each["rejected"] for each in counts] == [0, 200, 0]
    assert part_contents(tmp_path / "parts") == part_contents(tmp_path / "out")


def test_records_that_are_set_aside_do_not_pile_up(model, tmp_path):
    path = tmp_path / "in.jsonl"
    lines = [json.dumps({"text": "王芳"}), *["not JSON"] * 5000]
    path.write_text("\n".join(lines), "utf8")
    items = read_records(path, InputOptions(), Repairs(), lambda n: None)
    chunks = list(read_chunks(items, InputOptions()))
    assert max(len(chunk.rejected) for chunk in chunks) <= 1000
    run = predict(model, path, tmp_path / "out.jsonl")
    assert run.records == 1 and run.rejected == 5000


def test_garbage_collection_is_as_it_was(model, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", numbered(3))
    before = gc.get_freeze_count()
    predict(model, path, tmp_path / "out.jsonl")
    assert gc.get_freeze_count() == before


def test_parquet_files_with_other_columns(model, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import read_table, write_table

    rows = numbered(4)
    write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "a.parquet")
    other = pa.table({"text": [row["text"] for row in rows[2:]], "x": [1, 2]})
    write_table(other, tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"")
    run = predict(model, tmp_path, tmp_path / "out", format="parquet")
    assert read_table(tmp_path / "out")["id"].to_pylist() == [0, 1]
    errors = json_lines(tmp_path / "out" / "_errors" / "part-00000.jsonl")
    found = {(Path(error["file"]).name, error["line"]) for error in errors}
    assert found == {("b.parquet", 1), ("b.parquet", 2), ("c.parquet", 0)}
    contents = [json.loads(e["content"]) for e in errors if "content" in e]
    assert contents == other.to_pylist()
    assert run.rejected == 3
    # JSON lines hold rows with any columns.
    predict(model, tmp_path, tmp_path / "out.jsonl")
    rows = json_lines(tmp_path / "out.jsonl")
    assert [row.get("x") for row in rows] == [None, None, 1, 2]


def test_json_as_parquet(model, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow.parquet import read_table

    records = numbered(30)
    records[0]["tags"] = ["a"]
    records[25] = {"text": "王芳任教授。", "id": "not a number"}
    records[26]["more"] = 1
    path = write_lines(tmp_path / "in.jsonl", records)
    run = predict(model, path, tmp_path / "out", part_size=20, format="parquet")
    rows = read_table(tmp_path / "out").to_pylist()
    assert [row["id"] for row in rows] == [*range(25), *range(27, 30)]
    assert rows[0]["tags"] == ["a"] and rows[1]["tags"] is None
    # What does not fit the columns of the first part is not lost.
    errors = json_lines(tmp_path / "out" / "_errors" / "part-00001.jsonl")
    assert [json.loads(error["content"]) for error in errors] == records[25:27]
    assert [error["line"] for error in errors] == [26, 27]
    assert run.rejected == 2 and run.records == 28
    records[3]["tags"] = 3
    write_lines(path, records[:20])
    with pytest.raises(DataError, match="the field 'tags' cannot be a column"):
        predict(model, path, tmp_path / "other", format="parquet")
    assert not list((tmp_path / "other").glob("part-*"))


def test_records_that_cannot_be_predicted_are_set_aside(model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "spacy_lstm_ner.prediction.predict.EntityPredictor", FatalPredictor
    )
    records = numbered(40)
    records[7]["text"] += ERROR
    path = write_lines(tmp_path / "in.jsonl", records)
    run = predict(model, path, tmp_path / "out.jsonl")
    assert [row["id"] for row in json_lines(tmp_path / "out.jsonl")] == [
        *range(7),
        *range(8, 40),
    ]
    (error,) = json_lines(tmp_path / "out.jsonl.errors.jsonl")
    assert error["line"] == 8
    assert error["reason"] == "ValueError: this text cannot be predicted"
    assert json.loads(error["content"]) == records[7]
    assert run.rejected == 1 and run.examples == [f"{path}:8: {error['reason']}"]
    # The errors of an earlier run do not stay.
    write_lines(path, records[:7])
    predict(model, path, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl.errors.jsonl").exists()


def test_texts_that_are_too_long_are_set_aside(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    nlp = spacy.load(tmp_path / "model")
    path = tmp_path / "in.txt"
    path.write_text("王芳任教授。\n" + "王" * (nlp.max_length + 1) + "\n李明\n", "utf8")
    run = predict(tmp_path / "model", path, tmp_path / "out.jsonl")
    assert run.records == 2
    assert "1,000,001 characters; the limit, nlp.max_length, is" in run.examples[0]


def test_a_wrong_field_is_an_error_and_leaves_nothing(model, tmp_path):
    records = [{"content": record["text"]} for record in numbered(300)]
    path = write_lines(tmp_path / "in.jsonl", records)
    with pytest.raises(DataError, match="--text-field") as caught:
        predict(model, path, tmp_path / "out")
    assert "the first 100 records cannot be used" in str(caught.value)
    assert "found an object with the keys content" in str(caught.value)
    assert not (tmp_path / "out").exists()
    predict(model, path, tmp_path / "out", text_field="content")
    write_lines(path, records[:3])
    with pytest.raises(DataError, match="the input cannot be used"):
        predict(model, path, tmp_path / "few.jsonl")


def test_an_empty_input_is_an_error(model, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [])
    with pytest.raises(DataError, match="no texts"):
        predict(model, path, tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("out.txt", {}, r"a single file ends in \.jsonl or \.parquet"),
        ("out.jsonl", {"format": "parquet"}, r"does not end in \.parquet"),
        ("out", {"format": "xml"}, "unknown output format 'xml'"),
        ("out", {"input_format": "xml"}, "unknown input format 'xml'"),
        ("out", {"part_size": 0}, "part_size = 0 is less than 1"),
        ("out", {"n_process": 0}, "n_process = 0 is less than 1"),
        ("out", {"entities_field": "text"}, "cannot both be in 'text'"),
        ("out.jsonl", {"resume": True}, "only a run from files to a folder"),
        ("in.jsonl", {}, "is or contains the input file"),
        (".", {}, "is or contains the input file"),
        ("-", {"format": "parquet"}, "standard output can only be JSON lines"),
    ],
)
def test_options_that_do_not_fit(output, options, message, model, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", numbered(3))
    output = output if output == "-" else tmp_path / output
    with pytest.raises(DataError, match=message):
        predict(model, path, output, **options)
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


# Resuming


def test_a_run_that_was_killed_is_resumed(model, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", numbered(8000))
    bad = {"id": -1, "t": "no text"}
    with path.open("a", encoding="utf8") as file:
        file.write(json.dumps(bad) + "\n")
    predict(model, path, tmp_path / "whole", part_size=250)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "spacy", "lstm-ner", "predict", str(model)]
    command += [str(path), str(out), "--part-size", "250", "-n", "2", "--resume", "-q"]
    chosen = random.Random(0)
    for kill in range(3):
        before = len(list(out.glob("part-*")))
        with subprocess.Popen(command) as process:
            while len(list(out.glob("part-*"))) < before + 2:
                assert process.poll() is None, "it has ended before it was killed"
                time.sleep(0.01)
            time.sleep(chosen.uniform(0, 0.05))
            process.kill()
        assert not (out / "_SUCCESS").exists(), kill
    times = {file.name: file.stat().st_mtime_ns for file in out.glob("part-*")}
    assert len(times) >= 6
    run = predict(model, path, out, part_size=250, resume=True)
    assert run.finished_before == len(times)
    assert part_contents(out) == part_contents(tmp_path / "whole")
    # A finished part is not written again.
    assert (
        times.items()
        <= {file.name: file.stat().st_mtime_ns for file in out.glob("part-*")}.items()
    )
    assert (out / "_SUCCESS").exists()
    # Nothing is left to do.
    again = predict(model, path, out, part_size=250, resume=True)
    assert again.parts == 0 and again.finished_before == 33


def test_what_was_there_is_not_mixed_with_another_run(model, trained, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", numbered(20))
    out = tmp_path / "out"
    predict(model, path, out, part_size=10)
    contents = part_contents(out)
    with pytest.raises(DataError, match="the output of an earlier run: go on with"):
        predict(model, path, out, part_size=10)
    with pytest.raises(DataError, match="part_size was 10, and is 7 now"):
        predict(model, path, out, part_size=7, resume=True)
    write_lines(path, numbered(21))
    with pytest.raises(DataError, match="cannot be resumed: inputs_hash was"):
        predict(model, path, out, part_size=10, resume=True)
    other = spacy.load(model)
    other.get_pipe("lstm_ner").threshold = 0.9
    other.to_disk(tmp_path / "other")
    write_lines(path, numbered(20))
    with pytest.raises(DataError, match="cannot be resumed: pipeline_hash was"):
        predict(tmp_path / "other", path, out, part_size=10, resume=True)
    assert part_contents(out) == contents
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine", "utf8")
    with pytest.raises(DataError, match="not empty, and not of an earlier run"):
        predict(model, path, tmp_path / "full", resume=True)


def test_an_output_inside_of_the_input_is_not_read(model, tmp_path):
    write_lines(tmp_path / "in.jsonl", numbered(20))
    for resume in (False, True):
        run = predict(model, tmp_path, tmp_path / "out", part_size=10, resume=resume)
        assert run.parts + run.finished_before == 2
    assert run.parts == 0


def test_entities_without_probabilities(tmp_path):
    nlp = spacy.blank("zh")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "NAME", "pattern": "王芳"}])
    nlp.to_disk(tmp_path / "model")
    path = write_lines(tmp_path / "in.jsonl", [{"text": "王芳任教授。"}])
    predict(tmp_path / "model", path, tmp_path / "out.jsonl")
    (row,) = json_lines(tmp_path / "out.jsonl")
    assert row["entities"] == [
        {"start": 0, "end": 2, "label": "NAME", "text": "王芳", "score": None}
    ]


def test_a_damaged_file_among_others_does_not_end_the_run(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write_lines(folder / "a.jsonl", numbered(5))
    # Hashes, which cannot be compressed.
    records = [
        {**row, "x": sha256(b"%d" % row["id"]).hexdigest()} for row in numbered(9000)
    ]
    data = gzip.compress(write_lines(tmp_path / "b.jsonl", records).read_bytes())
    (folder / "b.jsonl.gz").write_bytes(data[: len(data) // 2])
    write_lines(folder / "c.jsonl", numbered(5))
    run = predict(model, folder, tmp_path / "out", part_size=500)
    rows = [
        row
        for part in sorted((tmp_path / "out").glob("part-*"))
        for row in json_lines(part)
    ]
    ids = Counter(row["id"] for row in rows)
    assert all(ids[i] == 3 for i in range(5)) and run.records == len(rows)
    assert 1000 < len(rows) < 9000 and run.rejected == 1
    assert "b.jsonl.gz: the rest of the file was not read" in run.examples[0]


# The command


def test_the_command_prints_what_it_wrote(model, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [*numbered(3), {"t": 1}])
    code, output = run_command("predict", model, path, tmp_path / "out.jsonl")
    assert code == 0
    assert "records 3 characters" in output and "set aside 1" in output
    assert "1 records were set aside, with the reason, in:" in output
    assert f"{path}:4: no text in the field 'text'" in output
    assert str(tmp_path / "out.jsonl") in output


def test_the_command_from_and_to_the_terminal(model):
    command = [sys.executable, "-m", "spacy", "lstm-ner", "predict", str(model)]
    result = subprocess.run(
        [*command, "-", "-"],
        input="王芳任北京大学教授。\n李明\n".encode(),
        capture_output=True,
        check=True,
    )
    rows = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert [row["text"] for row in rows] == ["王芳任北京大学教授。", "李明"]
    assert all(set(row) == {"text", "entities"} for row in rows)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_at_a_signal(number, model, tmp_path):
    path = write_lines(tmp_path / "in.jsonl", numbered(30_000))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "spacy", "lstm-ner", "predict", str(model)]
    command += [str(path), str(out), "--part-size", "200", "-n", "2", "-q"]
    with subprocess.Popen(
        command, stdout=-1, stderr=-1, preexec_fn=heed_signals
    ) as process:
        while not list(out.glob("part-*")):
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert b"Traceback" not in output + errors
    assert not [file for file in out.iterdir() if file.name.startswith(".")]


def test_a_pipeline_that_does_not_exist(tmp_path):
    path = write_lines(tmp_path / "in.jsonl", numbered(1))
    code, output = run_command("predict", tmp_path / "none", path, tmp_path / "out")
    assert code == 1 and "none" in output and "Error:" in output
    assert not (tmp_path / "out").exists()
