"""`python -m spacy lstm-ner pick`, as a user types it."""

import gzip
import json
from functools import partial

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner import DataError, convert, pick
from spacy_lstm_ner.data.corpus import read_examples

from ..helpers.commands import run_command
from ..helpers.pipelines import found

run = partial(run_command, "pick")


@pytest.fixture(scope="module")
def folder(trained, examples, tmp_path_factory):
    """A pipeline; texts in several kinds of files; and annotated data."""
    path = tmp_path_factory.mktemp("pick")
    trained.to_disk(path / "model")
    texts = list(dict.fromkeys(eg.text for eg in examples))
    lines = "".join(f"{text}\n" for text in texts)
    (path / "texts.txt").write_text(f"\n{lines}\n{texts[0]}\n", "utf8")
    (path / "texts.txt.gz").write_bytes(gzip.compress(lines.encode()))
    values = ({"id": i, "text": text} for i, text in enumerate(texts))
    json_lines = "".join(f"{json.dumps(value)}\n" for value in values)
    (path / "texts.jsonl").write_text(json_lines, "utf8")
    docs = [eg.reference for eg in examples]
    DocBin(docs=docs).to_disk(path / "texts.spacy")
    DocBin(docs=docs[:20]).to_disk(path / "annotated.spacy")
    return path


def read_json_lines(path):
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def test_picked_texts_are_written_with_predictions(folder, trained, tmp_path):
    out = tmp_path / "picked.jsonl"
    code, output = run(folder / "model", folder / "texts.txt", out, "-n", 20)
    assert code == 0, output
    assert "picked 20 - uncertain 18 - random 2" in output
    assert str(out.name) in output
    values = read_json_lines(out)
    assert [value["reason"] for value in values] == ["uncertain"] * 18 + ["random"] * 2
    scores = [value["uncertainty"] for value in values[:18]]
    assert scores == sorted(scores, reverse=True)
    for value in values:
        entities = [(e["start"], e["end"], e["label"]) for e in value["entities"]]
        assert entities == found(trained(value["text"]))
        assert all(0 < e["score"] <= 1 for e in value["entities"])


@pytest.mark.parametrize("name", ["texts.txt.gz", "texts.jsonl", "texts.spacy"])
def test_files_of_texts(folder, tmp_path, name):
    expected = pick(folder / "model", folder / "texts.txt", tmp_path / "a.jsonl", 10)
    actual = pick(folder / "model", folder / name, tmp_path / "b.jsonl", 10)
    assert [p.text for p in actual.picks] == [p.text for p in expected.picks]
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_formats_of_tools(folder, tmp_path):
    def written(name, format):
        out = tmp_path / name
        args = (folder / "model", folder / "texts.txt", out, "-n", 5, "-f", format)
        code, output = run(*args, "--quiet")
        assert (code, output) == (0, "")
        return out

    expected = read_json_lines(written("a.jsonl", "auto"))
    for value, line in zip(
        expected, read_json_lines(written("b.jsonl", "doccano")), strict=True
    ):
        assert [label[2] for label in line["label"]] == [
            entity["label"] for entity in value["entities"]
        ]
        assert line["reason"] == value["reason"]
        assert line["uncertainty"] == value["uncertainty"]
    tasks = json.loads(written("c.json", "label-studio").read_text("utf8"))
    for value, task in zip(expected, tasks, strict=True):
        meta = {key: value[key] for key in ("text", "uncertainty", "reason")}
        assert task["data"] == meta
        assert len(task["predictions"][0]["result"]) == len(value["entities"])
    for value, task in zip(
        expected, read_json_lines(written("d.jsonl", "prodigy")), strict=True
    ):
        assert task["meta"]["reason"] == value["reason"]
        assert "answer" not in task
    nlp = spacy.blank("zh")
    docs = [eg.reference for eg in read_examples(written("e.spacy", "auto"), nlp)]
    assert [doc.text for doc in docs] == [value["text"] for value in expected]


def confirmed(format, path):
    """Turn the predictions in a file into annotation, as a tool does."""
    if format == "label-studio":
        tasks = json.loads(path.read_text("utf8"))
        for i, task in enumerate(tasks):
            (prediction,) = task["predictions"]
            annotation = {"id": i, "was_cancelled": False, "result": []}
            for region in prediction["result"]:
                region = {**region, "origin": "prediction"}
                annotation["result"].append(region)
            task.update(id=i, annotations=[annotation], predictions=[])
        path.write_text(json.dumps(tasks), "utf8")
        return
    values = read_json_lines(path)
    for i, value in enumerate(values):
        if format == "doccano":
            value.update(id=i, Comments=[])
        elif format == "prodigy":
            value.update(answer="accept", _input_hash=i, _task_hash=i)
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), "utf8")


@pytest.mark.parametrize("format", ["offsets", "doccano", "label-studio", "prodigy"])
def test_the_loop_is_closed(folder, trained, tmp_path, format):
    """What a tool makes of the output is read by `convert`."""
    out = tmp_path / "picked.json"
    picking = pick(folder / "model", folder / "texts.txt", out, 10, format=format)
    confirmed(format, out)
    conversion = convert([out], tmp_path / "new.spacy")
    assert not conversion.problems.counts
    nlp = spacy.blank("zh")
    docs = [eg.reference for eg in read_examples(tmp_path / "new.spacy", nlp)]
    assert [doc.text for doc in docs] == [text.text for text in picking.picks]
    for doc in docs:
        assert found(doc) == found(trained(doc.text))


def test_annotated_texts_are_left_out(folder, tmp_path):
    out = tmp_path / "picked.jsonl"
    args = ("-n", 1000, "-a", folder / "annotated.spacy", "-a", folder / "texts.spacy")
    code, output = run(folder / "model", folder / "texts.txt", out, *args)
    assert code == 1
    assert "no text is left to annotate" in output
    code, output = run(folder / "model", folder / "texts.txt", out, *args[:4])
    assert code == 0
    assert "annotated texts 20" in output
    assert "Only " in output and "near-duplicates" in output
    examples = read_examples(folder / "annotated.spacy", spacy.blank("zh"))
    picked = {value["text"] for value in read_json_lines(out)}
    assert picked and picked.isdisjoint(eg.reference.text for eg in examples)


def test_what_was_picked_before_is_left_out(folder, tmp_path):
    """The output is data for `--annotated`, once it is corrected."""
    picked: set[str] = set()
    annotated: list = []
    for i in range(3):
        out = tmp_path / f"{i}.jsonl"
        picking = pick(
            folder / "model", folder / "texts.txt", out, 10, annotated=annotated
        )
        texts = {p.text for p in picking.picks}
        assert len(texts) == 10 and picked.isdisjoint(texts)
        picked |= texts
        DocBin(docs=map(spacy.blank("zh"), texts)).to_disk(tmp_path / f"{i}.spacy")
        annotated.append(tmp_path / f"{i}.spacy")


def test_errors(folder, tmp_path):
    model, texts, out = folder / "model", folder / "texts.txt", tmp_path / "out.jsonl"
    tagged = tmp_path / "tagged.txt"
    tagged.write_text("王 B-NAME\n芳 E-NAME\n\n任 O\n", "utf8")
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n", "utf8")
    other = tmp_path / "other.jsonl"
    other.write_text('{"text": "王芳"}\n{"content": "王芳"}\n', "utf8")
    blank = tmp_path / "blank"
    spacy.blank("zh").to_disk(blank)
    for arguments, said in [
        ((tmp_path / "nowhere", texts, out), "nowhere"),
        ((model, tmp_path / "no.txt", out), "no.txt: no such file"),
        ((model, tagged, out), "tags, not texts"),
        ((model, empty, out), "no texts"),
        ((model, other, out), 'other.jsonl:2: expected an object with a string "text"'),
        ((model, texts, texts), "is an input file"),
        ((model, texts, out, "-f", "brat"), "unknown format 'brat'"),
        ((model, texts, out, "-s", "margin"), "unknown query strategy 'margin'"),
        ((model, texts, out, "-a", tmp_path / "no.spacy"), "no.spacy: no such file"),
        ((blank, texts, out), "no component lstm_ner"),
    ]:
        code, output = run(*arguments)
        assert code == 1
        assert said.replace(" ", "") in output.replace(" ", ""), output
        assert "Nothing was written." in output
        assert not out.exists()
    code, output = run(model, texts, out, "-n", 0)
    assert code == 2
    with pytest.raises(DataError, match="unknown format"):
        pick(model, texts, out, format="brat")


def test_a_text_that_is_too_long(folder, trained, tmp_path):
    long = tmp_path / "long.txt"
    long.write_text("王芳\n" + "王" * 1_000_001 + "\n", "utf8")
    with pytest.raises(DataError, match=r"long.txt:2: text of 1,000,001 characters"):
        pick(trained, long, tmp_path / "out.jsonl")
