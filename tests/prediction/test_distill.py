"""`distill`: what is annotated, what stays unknown, and what a student learns."""

import gzip
import json
from functools import partial

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, SpanGroup
from spacy.training import Corpus

from spacy_lstm_ner import DataError, distill
from spacy_lstm_ner.data.soft_targets import get_soft_targets, has_soft_targets

from ..helpers.commands import run_command
from ..helpers.pipelines import SMALL_MODEL, found, list_pattern, loaded_again, train

run = partial(run_command, "distill")
TEXTS = ["王芳任北京大学教授。", "现任计算机学院院长。", "今天下雨。"]


def ruler(*entities, lang="zh", name="entity_ruler"):
    """A pipeline of rules."""
    nlp = spacy.blank(lang)
    patterns = [
        {"label": label, "pattern": list_pattern(text)} for text, label in entities
    ]
    nlp.add_pipe(name).add_patterns(patterns)
    return nlp


@pytest.fixture(scope="module")
def texts(examples):
    return [eg.reference.text for eg in examples]


@pytest.fixture(scope="module")
def file(texts, tmp_path_factory):
    path = tmp_path_factory.mktemp("distill") / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in texts), "utf8")
    return path


@pytest.fixture(scope="module")
def second(examples):
    """Another teacher, with the labels in another order, and in BIO."""
    nlp = spacy.blank("zh")
    ner = nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL, "scheme": "BIO"})
    labels = {ent.label_ for eg in examples for ent in eg.reference.ents}
    for label in sorted(labels, reverse=True):
        ner.add_label(label)
    return train(nlp, examples, steps=25, seed=1)


def docs_of(path):
    return [eg.reference for eg in Corpus(path)(spacy.blank("zh"))]


def lines(folder, *texts):
    path = folder / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in texts), "utf8")
    return path


def tags(doc):
    """The annotation of each token: "?" if it is missing."""
    return "".join(
        {0: "?", 2: "O"}.get(token.ent_iob, token.ent_type_[:1]) for token in doc
    )


@pytest.mark.parametrize("threshold", [0.6, 0.9, 0.97])
def test_one_teacher(trained, second, texts, file, tmp_path, threshold):
    """Exactly what is at least as probable as the threshold is annotated."""
    out = tmp_path / "silver.spacy"
    result = distill(second, file, out, threshold=threshold, soft=False)
    docs = {doc.text: doc for doc in docs_of(out)}
    ner = second.get_pipe("lstm_ner")
    n_unsure = n_missing = 0
    for text in texts:
        predicted = second(text)
        scores = predicted.spans["lstm_ner"].attrs["scores"]
        certain = [
            entity
            for entity, p in zip(found(predicted), scores, strict=True)
            if p >= threshold
        ]
        n_unsure += len(scores) - len(certain)
        queries = [(i, i + 1, "") for i in range(len(text))]
        (outside,) = ner.probabilities([second.make_doc(text)], [queries])
        if text not in docs:
            assert not certain and max(outside) < threshold
            continue
        assert found(docs[text]) == certain
        inside = {i for start, end, _ in certain for i in range(start, end)}
        for token in docs[text]:
            if token.i not in inside:
                assert (token.ent_iob == 2) == (outside[token.i] >= threshold)
        n_missing += sum(token.ent_iob == 0 for token in docs[text])
        assert not docs[text].spans
    assert (result.unsure, result.missing) == (n_unsure, n_missing)
    assert result.texts == len(docs_of(out)) == len(texts) - result.left_out
    assert result.tokens == sum(map(len, docs_of(out)))
    assert n_missing
    assert result.entities.total() == sum(len(doc.ents) for doc in docs_of(out))


def test_several_teachers(trained, second, file, tmp_path):
    """The mean of their probabilities counts, also of what only one predicts."""
    out = tmp_path / "silver.spacy"
    result = distill([trained, second], file, out, threshold=0.7)
    assert result.soft
    n_known = 0
    for doc in docs_of(out):
        candidates = {
            entity for nlp in (trained, second) for entity in found(nlp(doc.text))
        }
        p = dict.fromkeys(candidates, 0.0)
        outside = np.zeros(len(doc.text))
        targets = []
        for nlp in (trained, second):
            ner, empty = nlp.get_pipe("lstm_ner"), nlp.make_doc(doc.text)
            (values,) = ner.probabilities([empty], [list(p)])
            p = {e: p[e] + v / 2 for e, v in zip(p, values, strict=True)}
            chars = [(i, i + 1, "") for i in range(len(doc.text))]
            outside += np.array(ner.probabilities([empty], [chars])[0]) / 2
            targets += ner.distributions([empty]).soft_targets()
        certain = sorted(entity for entity, value in p.items() if value >= 0.7)
        assert found(doc) == certain
        n_known += len(certain)
        known = [token.i for token in doc if token.ent_iob == 2]
        inside = {i for start, end, _ in certain for i in range(start, end)}
        assert known == [
            i for i in np.flatnonzero(outside >= 0.7).tolist() if i not in inside
        ]
        stored = get_soft_targets(doc)
        np.testing.assert_allclose(stored.tags[:, 0], outside, atol=0.02)
        first, other = (each.names.ids_of(stored.names) for each in targets)
        mean = (targets[0].tags[:, first] + targets[1].tags[:, other]) / 2
        np.testing.assert_allclose(stored.tags, mean, atol=0.02)
    assert n_known and result.unsure


def test_rules_are_certain(tmp_path):
    teacher = ruler(("王芳", "NAME"), ("北京大学", "ORG"))
    out = tmp_path / "silver.spacy"
    result = distill(teacher, lines(tmp_path, *TEXTS, ""), out)
    assert not result.soft
    expected = ["NNOOOOOOOO", "O" * 10, "O" * 5]
    assert [tags(doc) for doc in docs_of(out)] == expected
    assert [found(doc) for doc in docs_of(out)] == [
        [(0, 2, "NAME"), (3, 7, "ORG")],
        [],
        [],
    ]
    assert (result.texts, result.left_out, result.missing) == (3, 1, 0)
    assert not any(has_soft_targets(doc) for doc in docs_of(out))


def test_teachers_without_probabilities_have_to_agree(tmp_path):
    teachers = [
        ruler(("王芳", "NAME"), ("北京大学", "ORG"), ("教授", "TITLE")),
        ruler(("王芳", "NAME"), ("北京大学", "LOC"), ("教授", "TITLE")),
        ruler(("王芳", "NAME"), ("北京", "ORG")),
    ]
    path, out = lines(tmp_path, TEXTS[0]), tmp_path / "silver.spacy"
    result = distill(teachers, path, out)
    (doc,) = docs_of(out)
    assert tags(doc) == "NNO????" + "??O"
    assert (result.missing, result.unsure) == (6, 4)
    distill(teachers, path, out, threshold=0.6)
    (doc,) = docs_of(out)
    assert tags(doc) == "NNO????" + "TTO"


def test_unknown_next_to_an_entity(tmp_path):
    """An entity that is certain ends where it ends."""
    teachers = [ruler(("王芳", "NAME"), ("任北", "A")), ruler(("王芳", "NAME"))]
    out = tmp_path / "silver.spacy"
    distill(teachers, lines(tmp_path, TEXTS[0]), out)
    (doc,) = docs_of(out)
    assert tags(doc) == "NN??OOOOOO"
    assert found(doc) == [(0, 2, "NAME")]


@Language.component("test_distill_llm")
def llm(doc):
    """Like a component that asks a language model: it fails on some texts, leaves some
    without annotation, and knows no probabilities."""
    if "下雨" in doc.text:
        raise RuntimeError("no answer")
    if "王芳" in doc.text:
        doc.ents = [doc.char_span(0, 2, "NAME")]
    return doc


def test_a_component_that_fails(tmp_path):
    teacher = spacy.blank("zh")
    teacher.add_pipe("test_distill_llm")
    path, out = lines(tmp_path, *TEXTS), tmp_path / "silver.spacy"
    result = distill(teacher, path, out)
    assert [doc.text for doc in docs_of(out)] == TEXTS[:1]
    assert found(docs_of(out)[0]) == [(0, 2, "NAME")]
    # Nothing is known about the second text, which has no annotation.
    assert (result.texts, result.left_out, result.rejected) == (1, 1, 1)
    assert result.examples == [f"{path}:3: RuntimeError: no answer"]
    with pytest.raises(DataError, match=r"would be empty: .*:1: RuntimeError"):
        distill(teacher, lines(tmp_path, TEXTS[2]), tmp_path / "none.spacy")
    assert not (tmp_path / "none.spacy").exists()


@Language.component("test_distill_spans")
def spans_with_scores(doc):
    spans = [doc[0:2], doc[2:3], doc[3:7], doc[3:5], doc[7:9]]
    for span, label in zip(spans, "ABCDE", strict=True):
        span.label_ = label
    group = SpanGroup(doc, name="sc", spans=spans)
    group.attrs["scores"] = np.array([0.95, 0.05, 0.99, 0.99, 0.6])
    doc.spans["sc"] = group
    return doc


def test_span_groups_with_scores(tmp_path):
    """Of spans that overlap, none can be certain."""
    teacher = spacy.blank("zh")
    teacher.add_pipe("test_distill_spans")
    out = tmp_path / "silver.spacy"
    result = distill(teacher, lines(tmp_path, TEXTS[0]), out)
    (doc,) = docs_of(out)
    assert tags(doc) == "AAO????" + "??O"
    assert result.unsure == 4


def test_rules_and_a_network_together(second, tmp_path):
    """Entities of rules are certain; the network knows how certain the rest is."""
    teacher = loaded_again(second)
    before = teacher.add_pipe("entity_ruler", before="lstm_ner")
    before.add_patterns([{"label": "DAY", "pattern": list_pattern("今天")}])
    after = teacher.add_pipe("entity_ruler", name="after")
    after.add_patterns([{"label": "RAIN", "pattern": list_pattern("雨")}])
    path, out = lines(tmp_path, *TEXTS), tmp_path / "silver.spacy"
    result = distill(teacher, path, out, threshold=0.8)
    assert not result.soft
    expected = tmp_path / "network.spacy"
    distill(second, path, expected, threshold=0.8, soft=False)
    mixed, network = docs_of(out), docs_of(expected)
    assert {(0, 2, "DAY"), (3, 4, "RAIN")} <= set(found(mixed[-1]))
    for doc, other in zip(mixed[:2], network[:2], strict=True):
        assert tags(doc) == tags(other)
    assert any("?" in tags(doc) for doc in mixed)
    with pytest.raises(DataError, match="gives no soft targets"):
        distill(teacher, path, out, soft=True)


@Language.component("test_distill_undeclared")
def undeclared(doc):
    """Sets entities in some texts, and does not declare it."""
    if "下雨" in doc.text:
        doc.ents = [doc.char_span(0, 2, "DAY")]
    return doc


def test_a_component_that_does_not_declare_what_it_sets(second, tmp_path):
    teacher = loaded_again(second)
    teacher.add_pipe("test_distill_undeclared", before="lstm_ner")
    path, out = lines(tmp_path, *TEXTS), tmp_path / "silver.spacy"
    with pytest.raises(DataError, match=r"sets entities.* in '今天下雨。': use --hard"):
        distill(teacher, path, out)
    distill(teacher, path, out, soft=False, threshold=0.8)
    assert (0, 2, "DAY") in found(docs_of(out)[-1])
    spans = loaded_again(second)
    spans.add_pipe("test_distill_spans", before="lstm_ner")
    distill(spans, lines(tmp_path, TEXTS[0]), out, soft=False)
    assert found(docs_of(out)[0])[0] == (0, 2, "A")


def test_entities_inside_tokens_stay_unknown(tmp_path):
    teacher = ruler(("王芳", "NAME"))
    out = tmp_path / "silver.spacy"
    result = distill(teacher, lines(tmp_path, "王芳任 北京"), out, lang="en")
    (doc,) = Corpus(out)(spacy.blank("en"))
    assert tags(doc.reference) == "?O"
    assert (result.unsure, result.missing) == (1, 1)


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl", "a.spacy", "a.csv", "folder"])
def test_inputs(name, tmp_path):
    path = tmp_path / name
    if name == "a.txt.gz":
        path.write_bytes(gzip.compress("\n".join(TEXTS).encode()))
    elif name == "a.jsonl":
        values = [{"text": text, "entities": [], "id": 1} for text in TEXTS]
        path.write_text("\n".join(map(json.dumps, values)), "utf8")
    elif name == "a.csv":
        path.write_text(
            "\n".join(["id,text", *(f"1,{text}" for text in TEXTS)]), "utf8"
        )
    elif name == "a.spacy":
        DocBin(docs=map(spacy.blank("zh"), TEXTS)).to_disk(path)
    else:
        path.mkdir()
        (path / "1.txt").write_text("\n".join(TEXTS[:1]), "utf8")
        (path / "2.txt").write_text("\n".join(TEXTS[1:]), "utf8")
    out = tmp_path / "silver.spacy"
    teacher = ruler(("王芳", "NAME"))
    distill(teacher, path, out)
    assert [doc.text for doc in docs_of(out)] == TEXTS
    distill(teacher, path, out, limit=2, shard_size=1)
    assert sorted(file.name for file in out.iterdir()) == [
        "part-00001.spacy",
        "part-00002.spacy",
    ]
    assert [doc.text for doc in docs_of(out)] == TEXTS[:2]


def test_errors(trained, tmp_path):
    path, out = lines(tmp_path, *TEXTS), tmp_path / "silver.spacy"
    for threshold in (0.5, 1.1, float("nan")):
        with pytest.raises(DataError, match="threshold"):
            distill(trained, path, out, threshold=threshold)
    with pytest.raises(DataError, match=r"must end in \.spacy"):
        distill(trained, path, tmp_path / "silver")
    with pytest.raises(DataError, match="no such file"):
        distill(trained, tmp_path / "no.txt", out)
    with pytest.raises(DataError, match="there is no teacher"):
        distill([], path, out)
    with pytest.raises(DataError, match="gives no soft targets"):
        distill([trained, ruler(("王芳", "NAME"))], path, out, soft=True)
    other = spacy.blank("zh")
    other.add_pipe("lstm_ner", config={"model": SMALL_MODEL}).add_label("OTHER")
    with pytest.raises(DataError, match=r"different labels: .*OTHER"):
        distill([trained, other], path, out)
    silent = loaded_again(trained)
    silent.get_pipe("lstm_ner").spans_key = None
    with pytest.raises(DataError, match="spans_key = null"):
        distill(silent, path, out)
    DocBin(docs=[Doc(trained.vocab, ["王"])]).to_disk(out)
    with pytest.raises(DataError, match="is or contains the input file"):
        distill(trained, out, out)


def test_the_command(trained, second, file, tmp_path):
    trained.to_disk(tmp_path / "a")
    second.to_disk(tmp_path / "b")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "王芳任教授。"}\n{"txt": 1}\n', "utf8")
    out = tmp_path / "silver.spacy"
    args = (tmp_path / "a", file, bad, out, "-T", tmp_path / "b", "--limit", 62)
    code, output = run(*args)
    assert code == 0, output
    result = distill([trained, second], [file, bad], tmp_path / "same.spacy")
    assert out.read_bytes() == (tmp_path / "same.spacy").read_bytes()
    for expected in (
        "Output soft targets",
        f"texts {result.texts}",
        f"tokens {result.tokens:,}",
        f"entities left unknown {result.unsure}",
        "1 records cannot be used",
        "bad.jsonl:2: no text in the field 'text'",
        "silver.spacy",
    ):
        assert expected in output
    code, output = run(tmp_path / "a", file, out, "--hard", "--quiet")
    assert (code, output) == (0, "")
    assert not has_soft_targets(docs_of(out)[0])
    code, output = run(tmp_path / "a", file, tmp_path / "new.txt")
    assert code == 1 and "Nothing was written." in output


@pytest.mark.parametrize("soft", [True, False])
def test_a_student_learns_what_the_teacher_knows(trained, file, tmp_path, soft):
    out = tmp_path / "silver.spacy"
    distill(trained, file, out, soft=soft)
    student = spacy.blank("zh")
    student.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    silver = list(Corpus(out)(student))
    train(student, silver)
    assert set(student.get_pipe("lstm_ner").labels) == set(
        trained.get_pipe("lstm_ner").labels
    )
    same = total = 0
    for example in silver:
        expected = set(found(trained(example.reference.text)))
        same += len(expected & set(found(student(example.reference.text))))
        total += len(expected)
    assert same > 0.9 * total > 50
