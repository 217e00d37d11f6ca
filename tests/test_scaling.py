"""Four times the data takes about four times as long, whatever is in it."""

import gc
import json
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import process_time

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from thinc.types import Ragged

from spacy_lstm_ner.data.check import check
from spacy_lstm_ner.data.compatibility import Statistics
from spacy_lstm_ner.data.docs import doc_from_text
from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.literals import parse_json, parse_literal
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.records import Record as UnitRecord
from spacy_lstm_ner.data.split import split_records
from spacy_lstm_ner.data.tagged import TagReading
from spacy_lstm_ner.evaluation.annotation import AnnotatedText, annotated_text
from spacy_lstm_ner.evaluation.error_analysis import find_errors
from spacy_lstm_ner.evaluation.label_issues import find_label_issues
from spacy_lstm_ner.evaluation.matching import match_entities
from spacy_lstm_ner.evaluation.mentions import SurfaceForms, count_labels
from spacy_lstm_ner.evaluation.predictions import evaluable
from spacy_lstm_ner.evaluation.records import Record
from spacy_lstm_ner.evaluation.report import Report as PageReport
from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.viterbi import best_paths
from spacy_lstm_ner.pages.entities import marked_text
from spacy_lstm_ner.pages.page import page
from spacy_lstm_ner.pages.report_page import report_page
from spacy_lstm_ner.pipeline.brackets import best_path_keeping_brackets, bracket_pairs
from spacy_lstm_ner.tags import Span as Entity
from spacy_lstm_ner.tags import TagSet, spans_from_tags
from spacy_lstm_ner.util.text import printable, trimmed

NLP = spacy.blank("zh")
NLP.max_length = 10_000_000
ENGLISH = spacy.blank("en")
ENGLISH.max_length = 10_000_000
TEXT = "北京大学教授，"
TAGS = ["B-ORG", "I-ORG", "I-ORG", "I-ORG", "B-TITLE", "I-TITLE", "O"]

Case = Callable[[int, object], Callable[[], object]]
CASES: dict[str, tuple[int, Case]] = {}


def case(size: int, name: str | None = None, **settings):
    """Add a case, which gets a size and a folder, and gives what is to be timed."""

    def add(make):
        CASES[name or make.__name__] = size, partial(make, **settings)
        return make

    return add


# Readers


@case(20_000, "records in JSON", kind="jsonl", whole=False)
# Beyond what is read to detect the layout.
@case(80_000, "one long record in JSON", kind="jsonl", whole=True)
@case(20_000, "records of Python", kind="literal", whole=False)
@case(20_000, "one long record of Python", kind="literal", whole=True)
@case(20_000, "records in columns", kind="columns", whole=False)
@case(20_000, "one long record in columns", kind="columns", whole=True)
def reading(n, folder, *, kind, whole):
    size = n if whole else 7
    record = {"text": (TEXT * n)[:size], "labels": (TAGS * n)[:size]}
    if kind == "columns":
        pairs = zip(record["text"], record["labels"], strict=True)
        line = "".join(f"{char} {tag}\n" for char, tag in pairs)
    else:
        line = json.dumps(record) if kind == "jsonl" else repr(record)
    path = folder / f"{n}"
    path.write_text(f"{line}\n" * (n // size), "utf8")
    return lambda: list(
        DataFile(path, ReadingOptions(format=kind)).records(ProblemLog())
    )


@case(300_000)
def one_line_in_columns(n, folder):
    path = folder / f"{n}"
    path.write_text("王 B-P\n在 O\n" * 20 + "字 " * n + "O\n" + "\t" * n, "utf8")
    return lambda: list(
        DataFile(path, ReadingOptions(format="columns")).records(ProblemLog())
    )


@case(3_000)
def halves_of_characters(n, folder):
    path = folder / f"{n}"
    value = {"text": list("\ud83d\ude00\ud83d") * n, "labels": ["O"] * 3 * n}
    path.write_text(json.dumps(value))
    return lambda: list(DataFile(path).records(ProblemLog()))


@case(100_000, "a literal of strings", unit="'字', ", around="[]")
@case(100_000, "a literal of dicts", unit="{},", around="[]")
@case(100_000, "a literal of escapes", unit=r"\n", around="''")
@case(100_000, "a literal of digits", unit="1", around="[]")
@case(100_000, "a literal without an end", unit=r"\\", around="'")
@case(300_000, "a sum", unit="1+", around="[]")
def literal(n, folder, *, unit, around):
    return partial(attempt, parse_literal, around[0] + unit * n + around[1:])


@case(300_000, "JSON of brackets in a string", unit="[", around='""')
@case(300_000, "JSON of brackets", unit="[", around="[]")
@case(300_000, "JSON of digits", unit="1", around="[]")
@case(100_000, "JSON of escapes", unit=r"[\"", around='""')
def json_value(n, folder, *, unit, around):
    return partial(attempt, parse_json, around[0] + unit * n + around[1:])


def attempt(parse, source):
    with suppress(ValueError):
        parse(source)


# Docs


@case(10_000, "a record with many gaps", tags=["X", "O"], lang=NLP)
@case(10_000, "a record with many mistakes", tags=["I-A", "I-B", "E-C"], lang=NLP)
@case(10_000, "entities inside of tokens", tags=["B-A", "O"], lang=ENGLISH)
def doc(n, folder, *, tags, lang):
    path = folder / "some"
    path.write_text("a O\n")
    units, tags = list("abc " * (n // 4)), (tags * n)[:n]
    record = DataFile(path).records(ProblemLog())
    record = next(record)._replace(units=units, tags=tags, lines=[1] * n)
    report = ProblemLog().of_file(path)
    file = DataFile(path)
    return lambda: doc_from_text(lang, file.text(record, report), report=report)


@case(20_000, "words among characters", units=["CNN", "News", "报", "7", "12"])
@case(20_000, "words", units=["EU", "rejects", "北", "京", " ", ""])
@case(20_000, "labels alone", units=["报"], tags=["A", "B", "C", "O"])
def units_with_tags(n, folder, *, units, tags=("B-A", "", "I-A", "X-A", "E-A")):
    record = UnitRecord((units * n)[:n], (list(tags) * n)[:n], [1] * n)
    log = ProblemLog()

    def run():
        reading = TagReading.detect([record], ReadingOptions(), folder)
        reading.read(record, log.of_file(folder))
        reading.tokenizer_mismatch(NLP)

    return run


@case(5_000)
def tags(n, folder):
    return lambda: spans_from_tags(["I-A", "B-B", "X", "E-A"] * n, "BMES")


@case(200_000)
def edges(n, folder):
    return lambda: (trimmed(" \ufeff" * n), printable("\x1b" * n))


def annotated_doc(n, *, words, every=2):
    doc = Doc(NLP.vocab, words=words, spaces=[False] * len(words))
    spans = [Span(doc, i, i + 1, "A") for i in range(0, len(doc), every)]
    doc.set_ents(spans, missing=[doc[i : i + 1] for i in range(1, len(doc), 4)])
    return doc


@case(4_000, "annotation", spaces=False)
@case(2_000, "annotation with other white space", spaces=True)
def annotation(n, folder, *, spaces):
    reference = annotated_doc(n, words=list("字") * n)
    predicted = Doc(NLP.vocab, words=list("字") * n, spaces=[spaces] * n)
    example = Example(predicted, reference)
    return lambda: (annotated_text(example), Statistics().add(example))


# Errors


def record_of(n):
    text = TEXT * n
    gold = [Entity(i, i + 2, "A") for i in range(0, 7 * n, 7)]
    found = [Entity(i + 1, i + 3, "A") for i in range(0, 7 * n, 7)]
    return Record(1, AnnotatedText(text, gold), found, mentions=[(5, 6)] * n)


@case(3_000)
def comparing(n, folder):
    record = record_of(n)
    return lambda: (
        match_entities(record),
        find_label_issues([record], {}, max_plausibility=1),
        evaluable(record.annotated, record.predicted),
    )


@case(2_000)
def uses(n, folder):
    annotated = AnnotatedText("长" * n, [Entity(0, 1, "A")])
    forms = SurfaceForms(["长" * 100, "长" * n])
    return lambda: count_labels([annotated], forms)


@case(2_000)
def errors_of_a_pipeline(n, folder):
    nlp = spacy.blank("zh")
    nlp.max_length = 10_000_000
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "A", "pattern": "北"}])
    docs = [nlp.make_doc("北京" * n)]
    docs[0].ents = [Span(docs[0], i, i + 2, "A") for i in range(0, 2 * n, 2)]
    DocBin(docs=docs).to_disk(folder / f"{n}.spacy")
    path = folder / f"{n}.spacy"
    return lambda: find_errors(nlp, path, train=path, max_plausibility=1)


@case(300)
def checking(n, folder):
    """Also one long span that overlaps all others."""
    doc = NLP.make_doc("北京大学" * n)
    doc.spans["sc"] = [doc[:]] + [doc[i : i + 4] for i in range(0, 4 * n, 4)]
    doc.ents = [doc[i : i + 2] for i in range(0, 4 * n, 4)]
    doc.ents = [Span(doc, e.start, e.end, "A") for e in doc.ents]
    texts = [NLP.make_doc(f"北京{i}") for i in range(n)]
    path = folder / f"{n}.spacy"
    DocBin(docs=[doc, *texts], store_user_data=True).to_disk(path)
    return lambda: check(path, path)


@case(50_000)
def splitting(n, folder):
    return lambda: split_records(n, [80, 10, 10], 0)


@case(4_000)
def entities_of_a_page(n, folder):
    entities = [(i, i + 2, "ORG", 0.5) for i in range(0, 7 * n, 7)]
    return lambda: page(
        "entities.html", "", texts=[marked_text(TEXT * n, entities, {"ORG": "c1"})]
    )


@case(500)
def a_report(n, folder):
    nlp = spacy.blank("zh")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "A", "pattern": "北"}])
    texts = ("北京大学" * (i % 7 + 1) for i in range(n))
    docs = [nlp.make_doc(text) for text in texts]
    for doc in docs:
        doc.ents = [Span(doc, i, i + 2, "A") for i in range(0, len(doc), 4)]
    path = folder / f"{n}.spacy"
    DocBin(docs=docs).to_disk(path)
    analysis = find_errors(nlp, path, max_plausibility=1)
    report = PageReport("model", "data", analysis, "", {}, "characters")
    return lambda: report_page(report)


# Brackets


@case(2_000, "nested brackets", text="（", closing="）")
@case(2_000, "pairs of brackets", text="（字）", closing="")
@case(2_000, "brackets that close nothing", text="（", closing="]")
def brackets(n, folder, *, text, closing):
    text = text * n + closing * n
    tags = TagSet(["A", "B"])
    crf = CRF(len(tags))
    crf.initialize()
    scores = np.random.default_rng(0).normal(size=(len(text), len(tags)))
    scores = (3 * scores).astype("float32")
    path = best_paths(crf, Ragged(scores, np.array([len(text)])), tags.constraints)
    return lambda: best_path_keeping_brackets(
        crf, scores.copy(), path.copy(), tags, bracket_pairs(text)
    )


def seconds(run) -> float:
    # The collector looks through all that the other tests have left.
    gc.disable()
    try:
        start = process_time()
        run()
        return process_time() - start
    finally:
        gc.enable()


@pytest.mark.parametrize("name", CASES)
def test_time_is_linear(name, tmp_path):
    size, make = CASES[name]
    random.seed(0)
    small, large = make(size, tmp_path), make(4 * size, tmp_path)
    once = min(seconds(small) for _ in range(3))
    # A machine may be busy: quadratic time is 16 times as much, again and again.
    ratios = []
    for _ in range(3):
        ratios.append(seconds(large) / max(once, 0.003))
        if ratios[-1] < 10:
            return
        once = min(once, seconds(small))
    pytest.fail(f"four times as much took {min(ratios):.1f} times as long")
