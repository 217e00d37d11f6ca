"""`.spacy` files as input."""

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_lstm_ner.data.convert import convert
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.exceptions import DataError
from spacy_lstm_ner.tags import Span


@pytest.fixture
def path(tmp_path):
    nlp = spacy.blank("zh")
    doc = nlp.make_doc("王芳任北京大学教授")
    doc.set_ents([doc.char_span(0, 2, "PER"), doc.char_span(3, 7, "ORG")],
                 missing=[doc[7:9]])  # fmt: skip
    doc.spans["sc"] = [doc.char_span(3, 7, "ORG"), doc.char_span(3, 5, "LOC")]
    doc.spans["incorrect"] = [doc.char_span(0, 1, "PER")]
    path = tmp_path / "in.spacy"
    DocBin(docs=[doc, nlp.make_doc("北京")]).to_disk(path)
    return path


def test_entities_overlapping_spans_and_missing_annotation(path):
    first, second = DataFile(path).texts(ProblemLog())
    assert first.text == "王芳任北京大学教授"
    assert first.entities == [Span(0, 2, "PER"), Span(3, 7, "ORG"), Span(3, 5, "LOC")]
    assert first.missing == [(7, 9)]
    assert first.incorrect == [Span(0, 1, "PER")]
    assert second.missing == [(0, 2)]


def test_conversion_again_gives_the_same(path, tmp_path):
    conversion = convert(path, tmp_path / "out.spacy")
    again = list(DataFile(tmp_path / "out.spacy").texts(ProblemLog()))
    assert again == list(DataFile(path).texts(ProblemLog()))
    assert conversion.problems.losses() == [
        "Entities only in the span group: 1, overlaps a longer one"
    ]


def test_damaged_file(tmp_path):
    path = tmp_path / "bad.spacy"
    path.write_bytes(b"no DocBin")
    with pytest.raises(DataError, match=r"bad\.spacy: cannot be read"):
        DataFile(path)
