"""`python -m spacy lstm-ner check`: what it finds in data, and says about it."""

import json

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.check import KINDS, LONG, RARE, check
from spacy_lstm_ner.exceptions import DataError

from ..conftest import SAMPLE

NLP = spacy.blank("zh")
ORG = (0, 4, "ORG")


def write(path, *texts_and_ents):
    docs = []
    for text, *ents in texts_and_ents:
        doc = NLP.make_doc(text)
        doc.ents = [Span(doc, start, end, label) for start, end, label in ents]
        docs.append(doc)
    DocBin(docs=docs).to_disk(path)
    return path


@pytest.fixture
def train(tmp_path):
    """Training data with nothing wrong."""
    texts = [(f"北京大学第{i}教授", ORG) for i in range(100, 100 + RARE)]
    return write(tmp_path / "train.spacy", *texts)


def findings(*paths, **settings):
    return {
        (finding.kind, finding.path.stem): (finding.number, finding.examples)
        for finding in check(paths, **settings).findings
    }


def test_data_with_nothing_wrong(train, tmp_path):
    dev = write(tmp_path / "dev.spacy", ("北京大学", ORG))
    result = check([train, dev])
    assert result.findings == []
    assert [part.records for part in result.parts] == [RARE, 1]
    assert result.parts[1].characters == 4
    assert result.parts[0].entities == {"ORG": RARE}
    assert result.parts[0].unknown == 0


def test_nothing_to_train_on(tmp_path):
    path = write(tmp_path / "train.spacy", ("没有实体",))
    assert findings(path) == {("no entities to train on", "train"): (1, [])}


def test_labels_that_are_rare_or_measured_only(train, tmp_path):
    dev = write(tmp_path / "dev.spacy", ("张三任教授", (0, 2, "NAME"), (3, 5, "TITLE")))
    assert findings(train, dev) == {
        ("label not in the training data", "dev"): (2, ["NAME", "TITLE"])
    }
    assert findings(dev) == {("rare label", "dev"): (2, ["NAME (1)", "TITLE (1)"])}


def test_texts_that_come_again(train, tmp_path):
    again = write(
        tmp_path / "test.spacy",
        ("北京大学第100教授", ORG),
        ("北京大学第101教授", (0, 2, "ORG")),
        ("清华大学", ORG),
        ("清华大学", ORG),
        ("清华大学",),
    )
    assert findings(train, again) == {
        ("text also in the training data", "test"): (
            2,
            ["'北京大学第100教授'", "'北京大学第101教授'"],
        ),
        ("annotated in two ways", "test"): (
            2,
            ["'北京大学第101教授'", "'清华大学'"],
        ),
    }
    # In one file it is no leak.
    assert ("text also in the training data", "test") not in findings(again)


def test_entities_that_do_not_fit_tokens_or_have_white_space(train, tmp_path):
    dev = tmp_path / "dev.spacy"
    doc = Doc(NLP.vocab, words=["Ann", "a", " ", "x"], spaces=[False] * 4)
    doc.ents = [Span(doc, 0, 1, "ORG"), Span(doc, 2, 4, "ORG")]
    DocBin(docs=[doc]).to_disk(dev)
    found = findings(train, dev, lang="en")
    assert found["white space at the edge of an entity", "dev"] == (1, ["ORG ' x'"])
    assert found["entity begins or ends inside a token", "dev"][0] == 2
    # In Chinese each character is a token; a space belongs to the one before it.
    found = findings(train, dev)
    assert found["entity begins or ends inside a token", "dev"] == (1, ["ORG ' x'"])


def test_spans_that_overlap(train, tmp_path):
    doc = NLP.make_doc("北京大学教授")
    doc.spans["sc"] = [doc[0:4], doc[0:2], doc[4:6]]
    doc.spans["flat"] = [doc[0:4], doc[4:6]]
    DocBin(docs=[doc]).to_disk(tmp_path / "dev.spacy")
    assert findings(train, tmp_path / "dev.spacy") == {
        ("overlapping spans", "dev"): (1, ["'北京大学', '北京' in 'sc'"])
    }


def test_long_and_empty_texts_and_missing_annotation(train, tmp_path):
    dev = write(tmp_path / "dev.spacy", ("长" * (LONG + 1),), (" ",))
    assert findings(train, dev) == {
        ("long text", "dev"): (1, [f"'{'长' * 19}…' ({LONG + 1:,})"]),
        ("empty text", "dev"): (1, []),
    }
    DocBin(docs=[NLP.make_doc("未标注")]).to_disk(dev)
    assert check([train, dev]).parts[1].unknown == 3


def test_dataset_files(tmp_path):
    path = tmp_path / "bad.bmes"
    path.write_text("北 B-ORG\n京 X-ORG\n\n" * 30, "utf8")
    kinds = findings(path)
    number, (example,) = kinds["problem in the file", "bad"]
    assert number == 1 and "unknown tag: 30 in all" in example
    assert findings(SAMPLE / "resume.json").keys() <= {("rare label", "resume")}


def test_every_kind_is_explained_in_a_sentence():
    assert all(meaning for _, meaning in KINDS.values())
    assert {kind for kind, (is_error, _) in KINDS.items() if is_error} == {
        "no entities to train on",
        "label not in the training data",
        "label that the component does not know",
    }


# As a user types it


def run(*args):
    result = CliRunner().invoke(app, ["lstm-ner", "check", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def test_exit_status(train, tmp_path):
    code, output = run(train)
    assert code == 0 and "Nothing to complain about" in output
    assert f"records {RARE}" in output and f"- ORG {RARE}" in output
    warned = write(tmp_path / "dev.spacy", ("北京大学第100教授", ORG))
    code, output = run(train, warned)
    assert code == 0 and "text also in the training data: 1" in output
    assert "'北京大学第100教授'" in output
    assert run(train, warned, "--strict")[0] == 1
    failed = write(tmp_path / "test.spacy", ("张三", (0, 2, "NAME")))
    code, output = run(train, warned, failed)
    assert code == 1
    assert f"{failed}: label not in the training data: 1" in output


def test_files_that_cannot_be_read(train, tmp_path):
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    for path, says in (
        (tmp_path / "nowhere.spacy", "no such file"),
        (broken, "cannot be read"),
        (empty, "empty file"),
    ):
        code, output = run(train, path)
        assert code == 1 and f"{path}" in output and says in output
    with pytest.raises(DataError):
        check([broken])
    code, output = run(train, "--lang", "nn-no-such")
    assert code == 1 and "nn-no-such" in output


def test_data_of_convert_can_be_checked(tmp_path):
    path = tmp_path / "data.jsonl"
    record = {"text": "北京大学", "labels": ["B-ORG", "I-ORG", "I-ORG", "I-ORG"]}
    path.write_text(json.dumps(record) + "\n", "utf8")
    code, output = run(path)
    assert code == 0 and "rare label: 1" in output and "ORG (1)" in output


def test_help_teaches_by_example():
    code, output = run("--help")
    assert code == 0
    assert "lstm-ner check corpus/train.spacy corpus/dev.spacy" in output
