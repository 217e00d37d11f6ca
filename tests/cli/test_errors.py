"""`python -m spacy lstm-ner errors`, as a user types it."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner.evaluation.matching import ERROR_KINDS
from spacy_lstm_ner.util.text import probability_text

from ..helpers.commands import run_for_lines
from ..helpers.held_out import NLP

run = partial(run_for_lines, "errors")


@pytest.fixture(scope="module")
def ruler(tmp_path_factory):
    """A pipeline that predicts only companies, without probabilities."""
    nlp = spacy.blank("zh")
    patterns = [{"label": "ORG", "pattern": [{"TEXT": "公"}, {"TEXT": "司"}]}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    path = tmp_path_factory.mktemp("ruler") / "model"
    nlp.to_disk(path)
    return path


def rows(output):
    """The cells of the rows of the table, by the first one."""
    lines = [line.split() for line in output.partition("\n\n")[0].splitlines()]
    return {line[0]: line[1:] for line in lines if line}


def test_table_and_errors_are_printed(held_out_folder, analysis):
    code, output = run(
        held_out_folder / "model", held_out_folder / "data.spacy", "--limit", 2
    )
    assert code == 0
    table = rows(output)
    assert table["Entities"] == ["gold", "correct", *ERROR_KINDS]
    everything = [analysis.gold.total(), analysis.correct.total()]
    assert table["all"][:2] == [f"{n:,}" for n in everything]
    for label in analysis.gold:
        here = [e.kind for e in analysis.errors if e.entity.label == label]
        counts = [
            analysis.gold[label],
            analysis.correct[label],
            *map(here.count, ERROR_KINDS),
        ]
        assert table[label] == [f"{n:,}" for n in counts]
    missed = [
        e for e in analysis.errors if (e.entity.label, e.kind) == ("NAME", "missed")
    ]
    assert len(missed) > 2
    section = output.partition("NAME, missed: ")[2].partition("\n\n")[0].splitlines()
    assert section[0] == f"{len(missed)}, 2 shown"
    assert len(section) == 5
    for error, first, second in zip(missed, section[1::2], section[2::2], strict=False):
        text = error.record.text[error.entity.start : error.entity.end]
        assert first.startswith(f"  #{error.record.number} ")
        assert f"[{text}]" in first
        assert second == (
            f"      gold NAME {text} {probability_text(error.p_gold)}; "
            f"predicted nothing {probability_text(error.p_predicted)}"
        )
    assert "; predicted PRO 农业经济从业经历 0." in output.partition("PRO, spurious")[2]
    assert "      gold nothing 0." in output.partition("PRO, spurious")[2]
    shared = output.partition("ORG, wrong boundary and type")[2].partition("\n\n")[0]
    assert "; the gold entity is part of another error\n" in shared


def test_all_of_a_type_and_kind(held_out_folder, analysis):
    args = (
        held_out_folder / "model",
        held_out_folder / "data.spacy",
        "--limit",
        0,
        "--label-issues",
        1,
    )
    code, output = run(*args, "--kind", "missed", "-t", "NAME", "--type", "PRO")
    listed = output.partition("\n\n")[2].partition("Label issues")[0]
    missed = [
        e
        for e in analysis.errors
        if e.kind == "missed" and e.entity.label in ("NAME", "PRO")
    ]
    assert code == 0 and len(missed) > 10
    assert listed.count("  #") == len(missed)
    assert listed.count("missed: ") == len({e.entity.label for e in missed})
    assert output.partition("Label issues")[2].count("  #") == 1


def test_former_names_of_options_and_kinds(held_out_folder, ruler):
    args = (
        ruler,
        held_out_folder / "data.spacy",
        "--train",
        held_out_folder / "train.spacy",
    )
    former = run(*args, *("--kind", "both", "-k", "invented", "-k", "boundary"))
    kinds = ("boundary_and_type", "spurious", "boundary")
    current = run(*args, *(f"--kind={kind}" for kind in kinds))
    assert former == current and "ORG, wrong boundary: " in current[1]
    assert "ORG, missed" not in current[1]
    former = run(*args, "--doubts", 1, "--max-support", 0.6)
    current = run(*args, "--label-issues", 1, "--max-plausibility", 0.6)
    assert former == current and "Label issues: " in current[1]


def test_everything_is_written(held_out_folder, analysis, tmp_path):
    path = tmp_path / "new" / "errors.jsonl"
    args = held_out_folder / "model", held_out_folder / "data.spacy"
    code, output = run(*args, "-n", 1, "-d", 1, "-k", "type", "-o", path)
    assert code == 0 and str(path) in output
    text = path.read_text("utf8")
    assert "王" in text or "公司" in text, "Chinese is not escaped"
    lines = [json.loads(line) for line in text.splitlines()]
    errors = [line for line in lines if line["is"] == "error"]
    assert len(errors) == len(analysis.errors)
    for line, error in zip(errors, analysis.errors, strict=True):
        assert (line["record"], line["kind"]) == (error.record.number, error.kind)
        assert line["type"] == error.entity.label and line["shared"] == error.shared
        assert line["p_predicted"] == pytest.approx(error.p_predicted)
        for who, span in (("gold", error.gold), ("predicted", error.predicted)):
            if span is None:
                assert line[who] is None
            else:
                place = line["text"][line[who]["start"] : line[who]["end"]]
                assert (place, line[who]["label"]) == (line[who]["text"], span.label)
    issues = [line for line in lines if line["is"] == "label_issue"]
    assert len(issues) == len(analysis.label_issues) > 1
    for line, issue in zip(issues, analysis.label_issues, strict=True):
        assert line["plausibility"] == pytest.approx(issue.plausibility)
        assert [span["label"] for span in line["annotated"]] == [
            span.label for span in issue.annotated
        ]
        assert all(0 < span["p"] <= 1 for span in line["predicted"])


def test_label_issues_with_their_evidence(held_out_folder, analysis, ruler, tmp_path):
    _, output = run(
        held_out_folder / "model", held_out_folder / "data.spacy", "--label-issues", 0
    )
    section = output.partition("Label issues: ")[2].splitlines()
    assert section[0] == f"{len(analysis.label_issues)}"
    lines = [line for line in section[2:-1] if "annotated" in line]
    for line, issue in zip(lines, analysis.label_issues, strict=True):
        text = issue.record.text
        for span in (*issue.annotated, *issue.predicted):
            p = issue.record.p[span]
            assert (
                f"{span.label} {text[span.start : span.end]} {probability_text(p)}"
                in line
            )
    _, output = run(
        held_out_folder / "model", held_out_folder / "data.spacy", "-d", 0, "-t", "PRO"
    )
    of_type = [
        issue
        for issue in analysis.label_issues
        if any(span.label == "PRO" for span in (*issue.annotated, *issue.predicted))
    ]
    assert 0 < len(of_type) < len(analysis.label_issues)
    assert f"Label issues: {len(of_type)}\n" in output
    doc = NLP.make_doc("王芳任教授")
    doc.ents = [doc.char_span(0, 2, "RACE")]
    DocBin(docs=[doc] * 2).to_disk(tmp_path / "data.spacy")
    doc.ents = [doc.char_span(0, 2, "NAME")]
    DocBin(docs=[doc] * 1234).to_disk(tmp_path / "train.spacy")
    args = [ruler, tmp_path / "data.spacy", "--train", tmp_path / "train.spacy"]
    code, output = run(*args, "--type", "RACE", "--label-issues", 1)
    assert code == 0
    section = output.partition("Label issues: ")[2]
    assert section.splitlines()[:4] == [
        "2, 1 shown",
        "  #1 [王芳]任教授",
        "      annotated RACE 王芳; predicted nothing",
        "      王芳 in the training data: NAME 1,234, RACE 0",
    ]
    assert "Label issues" not in run(*args, "--max-plausibility", 0)[1]


def test_a_pipeline_without_the_component(held_out_folder, ruler, tmp_path):
    path = tmp_path / "errors.jsonl"
    args = ruler, held_out_folder / "data.spacy", "--output", path
    code, output = run(*args, "--train", held_out_folder / "train.spacy")
    assert code == 0
    assert "No component lstm_ner: no probabilities" in output
    section = output.partition("ORG, wrong boundary: ")[2].partition("\n\n")[0]
    assert "      gold ORG " in section and "; predicted ORG 公司\n" in section
    assert "0." not in section
    lines = [json.loads(line) for line in path.read_text("utf8").splitlines()]
    assert all(line["p_gold"] is None for line in lines if line["is"] == "error")
    numbers = [line["record"] for line in lines if line.get("kind") == "missed"]
    assert len(numbers) > 10
    by_type = {}
    for line in lines:
        if line.get("kind") == "missed":
            by_type.setdefault(line["type"], []).append(line["record"])
    assert all(numbers == sorted(numbers) for numbers in by_type.values())


def test_control_characters_are_escaped(ruler, tmp_path):
    doc = NLP.make_doc("甲\n王\u202e芳\r任\u2028教\tשלום授\x1b[")
    doc.ents = [doc.char_span(2, 5, "X"), doc.char_span(10, 14, "X")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    path = tmp_path / "data.spacy"
    code, output = run(ruler, path, "--train", path, "--max-plausibility", 1)
    assert code == 0
    end = "授\\x1b["
    assert f"  #1 甲\\n[王\\u202e芳]\u2068\\r任\\u2028教\\tשלום{end}\u2069\n" in output
    assert f"  #1 甲\\n王\\u202e芳\\r任\\u2028教\\t[\u2068שלום\u2069]{end}\n" in output
    assert "      gold X 王\\u202e芳; predicted nothing\n" in output
    assert "      \u2068שלום\u2069 in the training data: X 1\n" in output
    colors = output.replace("\x1b[38;5;", "").replace("\x1b[0m", "")
    assert not {*"\u202e\r\u2028\t\x1b"}.intersection(colors)


def test_long_entities_and_texts_are_shortened(ruler, tmp_path):
    doc = NLP.make_doc("一" * 30 + "二" * 50 + "三" * 50 + "四" * 30)
    doc.ents = [doc.char_span(30, 130, "PLANET")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    _, output = run(ruler, tmp_path / "data.spacy", "-t", "PLANET")
    entity = "二" * 30 + "…" + "三" * 30
    assert f"  #1 …{'一' * 12}[{entity}]{'四' * 12}…\n" in output


def test_errors_name_what_cannot_be_used(held_out_folder, tmp_path):
    spacy.blank("zh").to_disk(tmp_path / "blank")
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    empty = tmp_path / "empty.spacy"
    DocBin(docs=[NLP.make_doc("没有标注")]).to_disk(empty)
    model, data = held_out_folder / "model", held_out_folder / "data.spacy"
    for args, says in (
        (("nowhere", data), "Can't find model 'nowhere'"),
        (("nowhere", "no.spacy"), "no.spacy: no such file"),
        ((model, data, "--train", "no.spacy"), "no.spacy: no such file"),
        ((model, broken), f"{broken}: cannot be read"),
        ((model, data, "--train", broken), f"{broken}: cannot be read"),
        ((tmp_path / "blank", data), "No entities to evaluate"),
        ((model, empty), "No entities to evaluate"),
        ((model, data, "--type", "XYZ"), "Unknown entity type 'XYZ': use "),
        (
            (model, data, "--kind", "bad"),
            "Unknown kind of error 'bad': use boundary, type",
        ),
        ((model, data, "--output", tmp_path), str(tmp_path)),
    ):
        code, output = run(*args)
        assert code == 1, args
        assert "Error:" in output and says in output


def test_help_has_examples():
    code, output = run("--help")
    assert code == 0
    assert "corpus/dev.spacy --train corpus/train.spacy" in output
    assert "--split 80/20 --seed 1" in output


def test_console_encoding_and_no_progress_bar(ruler, tmp_path):
    doc = NLP.make_doc("王芳\u2066任ö教授")
    doc.ents = [doc.char_span(0, 2, "PLANET")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    command = [sys.executable, "-m", "spacy", "lstm-ner", "errors"]
    # As on a Chinese Windows, where a redirected output is in GBK.
    result = subprocess.run(
        [*command, ruler, tmp_path / "data.spacy"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "gbk"},
    )
    assert result.returncode == 0 and result.stderr == b"", result.stderr
    assert r"[王芳]\u2066任?教授" in result.stdout.decode("gbk")
