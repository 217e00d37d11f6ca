"""`python -m spacy lstm-ner errors`: kinds of errors, what is printed and written."""

import json
import os
import subprocess
import sys

import pytest
import spacy
from spacy.cli._util import app
from spacy.scorer import get_ner_prf
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.evaluation.annotation import Annotated
from spacy_lstm_ner.evaluation.error_analysis import KINDS, compare, find_errors
from spacy_lstm_ner.evaluation.predictions import Record
from spacy_lstm_ner.tags import Span
from spacy_lstm_ner.util.text import printable

from ..helpers.paths import SAMPLE
from ..helpers.pipelines import loaded_again

NLP = spacy.blank("zh")


def record(gold, predicted, **p):
    annotated = Annotated("一" * 40, [Span(*span) for span in gold])
    return Record(1, annotated, [Span(*span) for span in predicted])


def kinds(gold, predicted):
    """Each error as (kind, gold, predicted), and with the shared one, if any."""
    _, errors = compare(record(gold, predicted))
    return [
        tuple(error)[:1] + tuple(error)[2 : 5 - (not error.shared)] for error in errors
    ]


A, B = (0, 4, "A"), (4, 8, "B")


@pytest.mark.parametrize(
    ("gold", "predicted", "kind"),
    [
        ((2, 6, "A"), (2, 5, "A"), "boundary"),
        ((2, 6, "A"), (1, 6, "A"), "boundary"),
        ((2, 6, "A"), (5, 9, "A"), "boundary"),
        ((2, 6, "A"), (2, 6, "B"), "type"),
        ((2, 6, "A"), (2, 7, "B"), "both"),
        ((2, 6, "A"), (3, 4, "B"), "both"),
    ],
)
def test_two_that_overlap_are_one_error(gold, predicted, kind):
    assert kinds([gold], [predicted]) == [(kind, gold, predicted)]


def test_missed_and_invented():
    assert kinds([A], []) == [("missed", A, None)]
    assert kinds([], [A]) == [("invented", None, A)]
    # They touch, and have nothing in common.
    assert kinds([A], [B]) == [("missed", A, None), ("invented", None, B)]


def test_what_is_right_is_no_error():
    right, errors = compare(record([A, B], [B, A]))
    assert right == [A, B] and errors == []
    right, errors = compare(record([A, B], [B, (0, 3, "A")]))
    assert right == [B] and [error.kind for error in errors] == ["boundary"]
    assert compare(record([], [])) == ([], [])


def test_neighbours_that_are_parted_at_another_place_keep_their_labels():
    """欧倍德/ORG 中国区副总裁/TITLE, found as 欧倍德中国区/ORG 副总裁/TITLE."""
    gold = [(0, 3, "ORG"), (3, 9, "TITLE")]
    predicted = [(0, 6, "ORG"), (6, 9, "TITLE")]
    assert kinds(gold, predicted) == [
        ("boundary", gold[0], predicted[0]),
        ("boundary", gold[1], predicted[1]),
    ]
    # Also where one has more in common with the other one of another label.
    predicted = [(0, 8, "ORG"), (8, 9, "TITLE")]
    assert kinds(gold, predicted) == [
        ("boundary", gold[0], predicted[0]),
        ("boundary", gold[1], predicted[1]),
    ]


def test_the_same_place_counts_for_more_than_the_same_label():
    # Entities of one side that overlap are not met with, but tell the rule.
    gold, same, longer = (2, 6, "A"), (2, 6, "B"), (5, 9, "A")
    assert kinds([gold], [same, longer]) == [
        ("type", gold, same),
        ("boundary", gold, longer, "gold"),
    ]


def test_two_that_were_found_as_one():
    """副总经理/TITLE 副书记/TITLE, found as 副总经理副书记/TITLE."""
    long, short, found = (0, 4, "TITLE"), (4, 7, "TITLE"), (0, 7, "TITLE")
    assert kinds([long, short], [found]) == [
        ("boundary", long, found),
        ("boundary", short, found, "predicted"),
    ]


def test_one_that_was_found_in_parts():
    """软件学院院长/TITLE, found as 软件学院/ORG 院长/TITLE."""
    gold, org, title = (0, 6, "TITLE"), (0, 4, "ORG"), (4, 6, "TITLE")
    _, (first, second) = compare(record([gold], [org, title]))
    assert (first.kind, first.shared, first.own) == ("both", "gold", org)
    assert (second.kind, second.shared, second.own) == ("boundary", None, gold)
    assert (second.gold, second.predicted) == (gold, title)


def test_without_a_like_the_larger_share_goes_together():
    gold, small, large = (2, 8, "A"), (0, 3, "B"), (3, 9, "C")
    assert kinds([gold], [small, large]) == [
        ("both", gold, small, "gold"),
        ("both", gold, large),
    ]
    # The share is that of the characters of both.
    gold, inside, around = (2, 8, "A"), (2, 4, "B"), (4, 30, "C")
    assert kinds([gold], [inside, around])[0] == ("both", gold, inside)


def test_probabilities_of_an_error():
    one = record([A], [B])
    p = {A: 0.1, (*A[:2], ""): 0.8, B: 0.7, (*B[:2], ""): 0.2}
    one.p.update({Span(*span): value for span, value in p.items()})
    _, (missed, invented) = compare(one)
    assert (missed.p_gold, missed.p_predicted) == (0.1, 0.8)
    assert (invented.p_gold, invented.p_predicted) == (0.2, 0.7)
    one = record([A], [(0, 4, "C")])
    one.p[Span(*A)] = 0.1
    _, (error,) = compare(one)
    assert (error.p_gold, error.p_predicted) == (0.1, None)


# On a pipeline


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """With model/, and in data.spacy sentences that it was not trained on."""
    folder = tmp_path_factory.mktemp("errors")
    trained.to_disk(folder / "model")
    reader = BIOCorpus(SAMPLE / "resume.json", limit=260)
    docs = [eg.reference for eg in reader(NLP)]
    DocBin(docs=docs[60:]).to_disk(folder / "data.spacy")
    DocBin(docs=docs[:60]).to_disk(folder / "train.spacy")
    return folder


@pytest.fixture(scope="module")
def findings(folder):
    return find_errors(folder / "model", folder / "data.spacy")


def held_out(folder, nlp):
    docs = DocBin().from_disk(folder / "data.spacy").get_docs(nlp.vocab)
    return [spacy.training.Example(nlp.make_doc(doc.text), doc) for doc in docs]


def test_errors_sum_up_to_the_figures_of_spacy(folder, findings, trained):
    examples = held_out(folder, trained)
    for eg in examples:
        eg.predicted = trained(eg.predicted)
    expected = get_ner_prf(examples)["ents_per_type"]
    assert {error.kind for error in findings.errors} == set(KINDS)
    for label, gold in findings.gold.items():
        right = findings.right[label]
        missing = invented = 0
        for error in findings.errors:
            if error.gold and error.gold.label == label and error.shared != "gold":
                missing += 1
            if error.predicted and error.shared != "predicted":
                invented += error.predicted.label == label
        assert right + missing == gold
        assert right / gold == pytest.approx(expected[label]["r"])
        assert right / ((right + invented) or 1) == pytest.approx(expected[label]["p"])


def test_the_most_certain_errors_of_a_type_and_kind_come_first(findings):
    order = list(KINDS)
    keys = [
        (error.own.label, order.index(error.kind), -error.p_predicted)
        for error in findings.errors
    ]
    assert keys == sorted(keys) and len(keys) > 50
    assert findings.has_p


def test_scores_are_told_also_where_the_pipeline_does_not_keep_them(
    folder, findings, tmp_path, trained
):
    config = trained.config.copy()
    config["components"]["lstm_ner"]["spans_key"] = None
    nlp = spacy.blank("zh").from_config(config).from_bytes(trained.to_bytes())
    nlp.to_disk(tmp_path / "model")
    others = find_errors(tmp_path / "model", folder / "data.spacy")
    assert [error[2:] for error in others.errors] == [
        error[2:] for error in findings.errors
    ]
    assert [error.p_predicted for error in others.errors] == pytest.approx(
        [error.p_predicted for error in findings.errors]
    )


@pytest.mark.parametrize("fails", [False, True])
def test_settings_of_the_caller_stay(folder, tmp_path, trained, fails):
    nlp = loaded_again(trained)
    ner = nlp.get_pipe("lstm_ner")
    ner.spans_key = None
    if fails:
        (tmp_path / "data.spacy").write_bytes(b"no DocBin")
        with pytest.raises(ValueError):
            find_errors(nlp, tmp_path / "data.spacy")
    else:
        assert find_errors(nlp, folder / "data.spacy").errors[0].p_predicted
    assert ner.spans_key is None


def test_missing_annotation_is_no_error(folder, tmp_path, trained):
    docs = [eg.reference for eg in held_out(folder, trained)]
    doc = max(docs, key=lambda doc: len(trained(doc.text).ents)).copy()
    found = len(trained(doc.text).ents)
    assert found > 3
    doc.set_ents([], default="missing")
    known = NLP.make_doc("王芳任教授")
    known.ents = [known.char_span(0, 2, "PLANET")]
    DocBin(docs=[doc, known]).to_disk(tmp_path / "data.spacy")
    result = find_errors(folder / "model", tmp_path / "data.spacy")
    assert result.errors and {e.record.number for e in result.errors} == {2}
    doc.set_ents([], default="outside")
    DocBin(docs=[doc, known]).to_disk(tmp_path / "data.spacy")
    result = find_errors(folder / "model", tmp_path / "data.spacy")
    assert sum(error.record.number == 1 for error in result.errors) == found


def test_training_data_bears_witness(folder, tmp_path, trained):
    """Also against what the pipeline has learned by heart."""
    docs = list(DocBin().from_disk(folder / "train.spacy").get_docs(NLP.vocab))
    first = next(doc.ents[0] for doc in docs if len(doc.ents) > 3)
    again = NLP.make_doc(first.text)
    again.ents = [again.char_span(0, len(again.text), "RACE")]
    DocBin(docs=[again]).to_disk(tmp_path / "data.spacy")
    many = NLP.make_doc(first.text + "，")
    many.ents = [many.char_span(0, len(first.text), first.label_)]
    DocBin(docs=[many] * 50).to_disk(tmp_path / "train.spacy")
    paths = folder / "model", tmp_path / "data.spacy"
    without = find_errors(*paths, max_support=1).doubts
    result = find_errors(*paths, train=tmp_path / "train.spacy", max_support=1).doubts
    assert result[0].support == pytest.approx(without[0].support / 51)
    assert result[0].uses[0].counts == {first.label_: 50}
    # In the same file each annotation is counted itself, and not once more.
    DocBin(docs=[again] + [many] * 50).to_disk(tmp_path / "data.spacy")
    same = find_errors(*paths, train=tmp_path / "data.spacy", max_support=1).doubts
    assert same[0].support == pytest.approx(without[0].support / 51)


# As a user types it


@pytest.fixture(scope="module")
def ruler(tmp_path_factory):
    """A pipeline that finds nothing but companies, and tells no probabilities."""
    nlp = spacy.blank("zh")
    patterns = [{"label": "ORG", "pattern": [{"TEXT": "公"}, {"TEXT": "司"}]}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    path = tmp_path_factory.mktemp("ruler") / "model"
    nlp.to_disk(path)
    return path


def run(*args):
    result = CliRunner().invoke(app, ["lstm-ner", "errors", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def rows(output):
    """The lines of the table, by their first word."""
    lines = [line.split() for line in output.partition("\n\n")[0].splitlines()]
    return {line[0]: line[1:] for line in lines if line}


def test_table_and_errors_are_printed(folder, findings):
    code, output = run(folder / "model", folder / "data.spacy", "--limit", 2)
    assert code == 0
    table = rows(output)
    assert table["Entities"] == ["gold", "right", *KINDS]
    everything = [findings.gold.total(), findings.right.total()]
    assert table["all"][:2] == [f"{n:,}" for n in everything]
    for label in findings.gold:
        here = [e.kind for e in findings.errors if e.own.label == label]
        counts = [findings.gold[label], findings.right[label], *map(here.count, KINDS)]
        assert table[label] == [f"{n:,}" for n in counts]
    missed = [e for e in findings.errors if (e.own.label, e.kind) == ("NAME", "missed")]
    assert len(missed) > 2
    section = output.partition("NAME, missed: ")[2].partition("\n\n")[0].splitlines()
    assert section[0] == f"{len(missed)}, 2 shown"
    assert len(section) == 5
    for error, first, second in zip(missed, section[1::2], section[2::2], strict=False):
        text = error.record.text[error.own.start : error.own.end]
        assert first.startswith(f"  #{error.record.number} ")
        assert f"[{text}]" in first
        assert second == (
            f"      gold NAME {text} {error.p_gold:.2f}; "
            f"predicted nothing {error.p_predicted:.2f}"
        )
    assert "; predicted PRO 农业经济从业经历 0." in output.partition("PRO, invented")[2]
    assert "      gold nothing 0." in output.partition("PRO, invented")[2]
    shared = output.partition("ORG, wrong boundary and type")[2].partition("\n\n")[0]
    assert "; this gold one is in another error, too\n" in shared


def test_all_of_a_type_and_kind(folder, findings):
    args = folder / "model", folder / "data.spacy", "--limit", 0, "--doubts", 1
    code, output = run(*args, "--kind", "missed", "-t", "NAME", "--type", "PRO")
    listed = output.partition("\n\n")[2].partition("Annotation that")[0]
    missed = [
        e
        for e in findings.errors
        if e.kind == "missed" and e.own.label in ("NAME", "PRO")
    ]
    assert code == 0 and len(missed) > 10
    assert listed.count("  #") == len(missed)
    assert listed.count("missed: ") == len({e.own.label for e in missed})
    assert output.partition("Annotation that is probably wrong")[2].count("  #") == 1


def test_everything_is_written(folder, findings, tmp_path):
    path = tmp_path / "new" / "errors.jsonl"
    args = folder / "model", folder / "data.spacy"
    code, output = run(*args, "-n", 1, "-d", 1, "-k", "type", "-o", path)
    assert code == 0 and str(path) in output
    text = path.read_text("utf8")
    assert "王" in text or "公司" in text, "Chinese is not escaped"
    lines = [json.loads(line) for line in text.splitlines()]
    errors = [line for line in lines if line["is"] == "error"]
    assert len(errors) == len(findings.errors)
    for line, error in zip(errors, findings.errors, strict=True):
        assert (line["record"], line["kind"]) == (error.record.number, error.kind)
        assert line["type"] == error.own.label and line["shared"] == error.shared
        assert line["p_predicted"] == pytest.approx(error.p_predicted)
        for who, span in (("gold", error.gold), ("predicted", error.predicted)):
            if span is None:
                assert line[who] is None
            else:
                place = line["text"][line[who]["start"] : line[who]["end"]]
                assert (place, line[who]["label"]) == (line[who]["text"], span.label)
    doubts = [line for line in lines if line["is"] == "doubt"]
    assert len(doubts) == len(findings.doubts) > 1
    for line, doubt in zip(doubts, findings.doubts, strict=True):
        assert line["support"] == pytest.approx(doubt.support)
        assert [span["label"] for span in line["annotated"]] == [
            span.label for span in doubt.annotated
        ]
        assert all(0 < span["p"] <= 1 for span in line["predicted"])


def test_doubts_with_their_evidence(folder, findings, ruler, tmp_path):
    _, output = run(folder / "model", folder / "data.spacy", "--doubts", 0)
    section = output.partition("Annotation that is probably wrong: ")[2].splitlines()
    assert section[0] == f"{len(findings.doubts)}"
    lines = [line for line in section[2:-1] if "annotated" in line]
    for line, doubt in zip(lines, findings.doubts, strict=True):
        text = doubt.record.text
        for span in (*doubt.annotated, *doubt.predicted):
            p = doubt.record.p[span]
            assert f"{span.label} {text[span.start : span.end]} {p:.2f}" in line
    _, output = run(folder / "model", folder / "data.spacy", "-d", 0, "-t", "PRO")
    of_type = [
        doubt
        for doubt in findings.doubts
        if any(span.label == "PRO" for span in (*doubt.annotated, *doubt.predicted))
    ]
    assert 0 < len(of_type) < len(findings.doubts)
    assert f"Annotation that is probably wrong: {len(of_type)}\n" in output
    doc = NLP.make_doc("王芳任教授")
    doc.ents = [doc.char_span(0, 2, "RACE")]
    DocBin(docs=[doc] * 2).to_disk(tmp_path / "data.spacy")
    doc.ents = [doc.char_span(0, 2, "NAME")]
    DocBin(docs=[doc] * 1234).to_disk(tmp_path / "train.spacy")
    args = [ruler, tmp_path / "data.spacy", "--train", tmp_path / "train.spacy"]
    code, output = run(*args, "--type", "RACE", "--doubts", 1)
    assert code == 0
    section = output.partition("Annotation that is probably wrong: ")[2]
    assert section.splitlines()[:4] == [
        "2, 1 shown",
        "  #1 [王芳]任教授",
        "      annotated RACE 王芳; predicted nothing",
        "      王芳 in the training data: NAME 1,234, RACE 0",
    ]
    assert "probably wrong" not in run(*args, "--max-support", 0)[1]


def test_a_pipeline_without_the_component(folder, ruler, tmp_path):
    path = tmp_path / "errors.jsonl"
    args = ruler, folder / "data.spacy", "--output", path
    code, output = run(*args, "--train", folder / "train.spacy")
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


def test_any_text_stays_on_its_line(ruler, tmp_path):
    doc = NLP.make_doc("甲\n王\u202e芳\r任\u2028教\tשלום授\x1b[")
    doc.ents = [doc.char_span(2, 5, "X"), doc.char_span(10, 14, "X")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    path = tmp_path / "data.spacy"
    code, output = run(ruler, path, "--train", path, "--max-support", 1)
    assert code == 0
    end = "授\\x1b["
    assert f"  #1 甲\\n[王\\u202e芳]\u2068\\r任\\u2028教\\tשלום{end}\u2069\n" in output
    assert f"  #1 甲\\n王\\u202e芳\\r任\\u2028教\\t[\u2068שלום\u2069]{end}\n" in output
    assert "      gold X 王\\u202e芳; predicted nothing\n" in output
    assert "      \u2068שלום\u2069 in the training data: X 1\n" in output
    colours = output.replace("\x1b[38;5;", "").replace("\x1b[0m", "")
    assert not {*"\u202e\r\u2028\t\x1b"}.intersection(colours)


def test_visible_text():
    assert printable("王芳 a-1。\u3000é") == "王芳 a-1。\u3000é"
    assert printable("a\u200fb\u00ad\ud800") == r"a\u200fb\xad\ud800"
    assert printable("سلام 1") == "\u2068سلام 1\u2069"


def test_long_entities_and_long_texts_are_cut(ruler, tmp_path):
    doc = NLP.make_doc("一" * 30 + "二" * 50 + "三" * 50 + "四" * 30)
    doc.ents = [doc.char_span(30, 130, "PLANET")]
    DocBin(docs=[doc]).to_disk(tmp_path / "data.spacy")
    _, output = run(ruler, tmp_path / "data.spacy", "-t", "PLANET")
    entity = "二" * 30 + "…" + "三" * 30
    assert f"  #1 …{'一' * 12}[{entity}]{'四' * 12}…\n" in output


def test_what_cannot_be_used_is_told(folder, tmp_path):
    spacy.blank("zh").to_disk(tmp_path / "blank")
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    empty = tmp_path / "empty.spacy"
    DocBin(docs=[NLP.make_doc("没有标注")]).to_disk(empty)
    model, data = folder / "model", folder / "data.spacy"
    for args, says in (
        (("nowhere", data), "Can't find model 'nowhere'"),
        (("nowhere", "no.spacy"), "no.spacy: no such file"),
        ((model, data, "--train", "no.spacy"), "no.spacy: no such file"),
        ((model, broken), f"{broken}: cannot be read"),
        ((model, data, "--train", broken), f"{broken}: cannot be read"),
        ((tmp_path / "blank", data), "No entities to measure"),
        ((model, empty), "No entities to measure"),
        ((model, data, "--type", "XYZ"), "No type 'XYZ': there are "),
        ((model, data, "--kind", "bad"), "No kind 'bad': there are boundary, type"),
        ((model, data, "--output", tmp_path), str(tmp_path)),
    ):
        code, output = run(*args)
        assert code == 1, args
        assert "Error:" in output and says in output


def test_help_teaches_by_example():
    code, output = run("--help")
    assert code == 0
    assert "corpus/dev.spacy --train corpus/train.spacy" in output
    assert "--split 80/20 --seed 1" in output


def test_any_console_and_no_bar_where_nobody_watches(ruler, tmp_path):
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
