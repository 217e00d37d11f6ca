"""What `check` finds in data."""

import pytest
from spacy.tokens import Doc, DocBin, Span

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.check import KINDS, LONG, RARE, check
from spacy_lstm_ner.exceptions import DataError

from ..helpers.datasets import NLP, ORG, training_data, write_docs
from ..helpers.paths import EASY


@pytest.fixture
def train(tmp_path):
    return training_data(tmp_path)


def findings(*paths, **settings):
    return {
        (finding.kind, finding.path.stem): (finding.count, finding.examples)
        for finding in check(paths[0], paths[1:], **settings).findings
    }


def test_data_without_problems(train, tmp_path):
    dev = write_docs(tmp_path / "dev.spacy", ("北京大学", ORG))
    result = check(train, dev)
    assert result.findings == []
    assert [file.records for file in result.files] == [RARE, 1]
    assert result.files[1].characters == 4
    assert result.files[0].entities == {"ORG": RARE}
    assert result.files[0].unannotated_tokens == 0


def test_no_entities_to_train_on(tmp_path):
    path = write_docs(tmp_path / "train.spacy", ("没有实体",))
    assert findings(path) == {("no entities to train on", "train"): (1, [])}


def test_rare_labels_and_labels_only_in_evaluation_data(train, tmp_path):
    dev = write_docs(
        tmp_path / "dev.spacy", ("张三任教授", (0, 2, "NAME"), (3, 5, "TITLE"))
    )
    assert findings(train, dev) == {
        ("label not in the training data", "dev"): (2, ["NAME", "TITLE"])
    }
    assert findings(dev) == {("rare label", "dev"): (2, ["NAME (1)", "TITLE (1)"])}


def test_repeated_texts(train, tmp_path):
    again = write_docs(
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
        ("inconsistent annotation", "test"): (
            2,
            ["'北京大学第101教授'", "'清华大学'"],
        ),
    }
    # In one file it is no leak.
    assert ("text also in the training data", "test") not in findings(again)


def test_misaligned_entities_and_whitespace_at_their_edges(train, tmp_path):
    dev = tmp_path / "dev.spacy"
    doc = Doc(NLP.vocab, words=["Ann", "a", " ", "x"], spaces=[False] * 4)
    doc.ents = [Span(doc, 0, 1, "ORG"), Span(doc, 2, 4, "ORG")]
    DocBin(docs=[doc]).to_disk(dev)
    found = findings(train, dev, lang="en")
    assert found["whitespace at the edge of an entity", "dev"] == (1, ["ORG ' x'"])
    assert found["entity begins or ends inside a token", "dev"][0] == 2
    # In Chinese each character is a token; a space belongs to the one before it.
    found = findings(train, dev)
    assert found["entity begins or ends inside a token", "dev"] == (1, ["ORG ' x'"])


def test_overlapping_spans(train, tmp_path):
    doc = NLP.make_doc("北京大学教授")
    doc.spans["sc"] = [doc[0:4], doc[0:2], doc[4:6]]
    doc.spans["flat"] = [doc[0:4], doc[4:6]]
    DocBin(docs=[doc]).to_disk(tmp_path / "dev.spacy")
    assert findings(train, tmp_path / "dev.spacy") == {
        ("overlapping spans", "dev"): (1, ["'北京大学', '北京' in 'sc'"])
    }


def test_long_and_empty_texts_and_missing_annotation(train, tmp_path):
    dev = write_docs(tmp_path / "dev.spacy", ("长" * (LONG + 1),), (" ",))
    assert findings(train, dev) == {
        ("long text", "dev"): (1, [f"'{'长' * 19}…' ({LONG + 1:,})"]),
        ("empty text", "dev"): (1, []),
    }
    DocBin(docs=[NLP.make_doc("未标注")]).to_disk(dev)
    assert check(train, [dev]).files[1].unannotated_tokens == 3


def test_dataset_files(tmp_path):
    path = tmp_path / "bad.bmes"
    path.write_text("北 B-ORG\n京 X-ORG\n\n" * 30, "utf8")
    kinds = findings(path)
    _, (problem, lost) = kinds["problem in the file", "bad"]
    assert "unknown tag: 30 in total" in problem
    assert lost == "Entities lost: 30, an unknown or missing tag beside it"
    assert findings(EASY).keys() <= {("rare label", "resume")}


def test_every_kind_has_advice():
    assert all(kind.advice for kind in KINDS.values())
    assert {name for name, kind in KINDS.items() if kind.is_error} == {
        "no entities to train on",
        "label not in the training data",
        "label unknown to the component",
    }


def test_unreadable_file(tmp_path):
    broken = tmp_path / "broken.spacy"
    broken.write_bytes(b"no DocBin")
    with pytest.raises(DataError, match="cannot be read"):
        check(broken)
