"""What data says does nothing to the terminal that it is printed on."""

import json
import unicodedata
import warnings

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin, Span
from typer.testing import CliRunner

import spacy_lstm_ner.cli  # noqa: F401  (adds its commands to spaCy's)
from spacy_lstm_ner.data.corpus import BIOCorpus
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.util.text import escaped, printable

from .helpers.pipelines import TOKEN_MODEL

# Red, a bell, and the rest of the line from right to left.
EVIL = "\x1b[31m\a\u202e"
LABEL, TEXT = f"ORG{EVIL}", f"北京大{EVIL}学和公司"


@pytest.fixture(autouse=True)
def no_colors(monkeypatch):
    """Those of the commands themselves."""
    monkeypatch.setenv("ANSI_COLORS_DISABLED", "1")


@pytest.fixture
def folder(tmp_path):
    """A folder with data and a pipeline, all of which say what they should not."""
    folder = tmp_path / f"a folder{EVIL}"
    folder.mkdir()
    nlp = spacy.blank("zh")
    doc = nlp.make_doc(TEXT)
    doc.ents = [Span(doc, 0, len(doc) - 3, LABEL)]
    DocBin(docs=[doc]).to_disk(folder / "data.spacy")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": f"COM{EVIL}", "pattern": "公司"}])
    nlp.to_disk(folder / "model")
    return folder


def run(*args):
    result = CliRunner().invoke(app, ["lstm-ner", *map(str, args)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    kinds = {unicodedata.category(char) for char in result.output if char != "\n"}
    # What is from right to left is put between isolates.
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}, repr(result.output)
    assert "\u202e" not in result.output
    assert "\\x1b[31m" in result.output
    return result.output


def records(*tags):
    labels = [*tags, *["O"] * (len(TEXT) - len(tags))]
    return json.dumps({"text": TEXT, "labels": labels}, ensure_ascii=False) + "\n"


def test_convert(folder):
    path = folder / "data.jsonl"
    path.write_text(records(f"B-{LABEL}", EVIL) + EVIL + "\n" + records("B-A"), "utf8")
    output = run("convert", path, folder / "out.spacy")
    assert "unknown tag" in output and "not a record" in output
    run("convert", path, folder / "other.spacy", "--strict")
    run("convert", path, folder)
    run("convert", folder / "no such file", folder / "out.spacy")
    # A tag of a whole line is not printed as one.
    path.write_text(records(f"B-{LABEL}", "X" * 100_000), "utf8")
    assert len(run("convert", path, folder / "out.spacy")) < 5_000


def test_check(folder):
    path = folder / "dev.jsonl"
    path.write_text(records("S-" + EVIL, EVIL), "utf8")
    output = run("check", folder / "data.spacy", path)
    assert "label not in the training data" in output and "problem in" in output
    run("check", folder / "no.spacy")
    run("check", path, "--config", folder / "no.cfg")


def test_errors_and_evaluate(folder):
    args = folder / "model", folder / "data.spacy"
    train = folder / "data.spacy"
    output = run("errors", *args, "--train", train, "--max-support", 1)
    assert "missed" in output and "in the training data" in output
    run("errors", *args, "--type", f"no such{EVIL}")
    run("errors", *args, "--output", folder / "errors.jsonl")
    run("evaluate", *args)
    run("evaluate", *args, "--output", folder / "figures.json")
    run("evaluate", folder / "model", folder / "no such file")


def test_errors_and_warnings_in_python(folder):
    with pytest.raises(DataError) as error:
        list(BIOCorpus(folder / "no such file")(spacy.blank("zh")))
    assert "\x1b" not in str(error.value) and "\\x1b" in str(error.value)
    path = folder / "data.jsonl"
    path.write_text(records("S-" + EVIL, EVIL), "utf8")
    with pytest.raises(DataError) as error:
        list(BIOCorpus(path, strict=True)(spacy.blank("zh")))
    assert "\x1b" not in str(error.value)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(BIOCorpus(path)(spacy.blank("zh")))
    assert caught and "\x1b" not in str(caught[0].message)


def test_labels_in_errors_of_the_component():
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config={"unit": "token", "model": TOKEN_MODEL})
    ner = nlp.get_pipe("lstm_ner")
    ner.add_label(LABEL)
    nlp.initialize()
    example = spacy.training.Example.from_dict(
        nlp.make_doc("a b"), {"entities": [(0, 1, "NEW\x1b[31m")]}
    )
    with pytest.raises(ValueError, match="NEW") as error:
        nlp.update([example])
    assert "\x1b" not in str(error.value) and "\u202e" not in str(error.value)


def test_escaped_text():
    assert escaped("a\nb\x1b\u202e\ud800", keep="\n") == "a\nb\\x1b\\u202e\\ud800"
    assert escaped(escaped("\x1b")) == escaped("\x1b") == "\\x1b"
    assert printable("王 é\u3000") == "王 é\u3000"
    assert str(DataError("a\n\x1b")) == "a\n\\x1b"


def test_long_problem_messages_are_shortened():
    log = ProblemLog()
    log.add("file", 1, "unknown tag", "x" * 100_000)
    assert len(str(log)) < 300 and len(log.messages()[0]) < 300
