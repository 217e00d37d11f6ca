"""Pairs of brackets and quotation marks: the setting `whole_brackets`."""

import itertools

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from thinc.types import Ragged

from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.viterbi import best_paths, path_scores
from spacy_lstm_ner.model.units import UNITS
from spacy_lstm_ner.pipeline.brackets import (
    best_path_keeping_brackets,
    bracket_pairs,
    split_pairs,
    unit_pairs,
)
from spacy_lstm_ner.tags import Span, TagSet

from ..helpers.pipelines import SMALL_MODEL, TOKEN_MODEL, found, loaded_again, train


@pytest.mark.parametrize(
    "text, pairs",
    [
        ("中国（上海）自贸区", [(2, 5)]),
        ("“a（b）”", [(2, 4), (0, 5)]),
        ("（a“b）c”", [(0, 4)]),  # they do not cross
        ("1）a 2）b", []),
        ("（a", []),
        ("O’Brien’s ‘x’ 1 < 2 > 0", []),
        ("a(b]c)[d]", [(1, 5), (6, 8)]),
        ("", []),
    ],
)
def test_pairs_of_a_text(text, pairs):
    assert bracket_pairs(text) == pairs


def test_which_pairs_are_parted():
    pairs = [(2, 5), (7, 9)]
    assert split_pairs(pairs, [Span(0, 6, "X"), Span(8, 9, "X")]) == []
    assert split_pairs(pairs, [Span(0, 5, "X")]) == [(2, 5)]
    assert split_pairs(pairs, [Span(3, 10, "X")]) == [(2, 5)]
    assert split_pairs(pairs, [Span(9, 10, "X")]) == [(7, 9)]


def score_of(crf, scores, paths):
    batch = Ragged(np.tile(scores, (len(paths), 1)), np.full(*paths.shape))
    return path_scores(crf, batch, paths.ravel())


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize(
    "pairs",
    [
        [(1, 3)],
        [(0, 5)],
        [(2, 3)],
        [(0, 1), (3, 5)],
        [(1, 2), (0, 4)],
        [(2, 3), (1, 4), (0, 5)],
        [(0, 2), (2, 4)],
        [(1, 2), (3, 4), (0, 5)],
        [(1, 3), (1, 5)],
    ],
)
def test_the_best_path_of_those_that_part_no_pair(scheme, pairs):
    """Against all paths, one by one."""
    tags, n = TagSet(["A", "B"] if scheme == "BIO" else ["A"], scheme), 6
    crf = CRF(len(tags))
    crf.initialize()
    rng = np.random.default_rng(len(pairs))
    rules = tags.rules
    paths = np.array(list(itertools.product(range(len(tags)), repeat=n)))
    legal = rules.starts[paths[:, 0]] & rules.ends[paths[:, -1]]
    legal &= rules.transitions[paths[:, :-1], paths[:, 1:]].all(axis=1)
    paths = paths[legal]
    whole = np.array(
        [not split_pairs(pairs, tags.spans_from_ids(path)) for path in paths]
    )
    changed = best = 0
    for _ in range(30):
        for name in crf.param_names:
            crf.get_param(name)[...] = rng.normal(size=crf.get_param(name).shape)
        scores = rng.normal(scale=3, size=(n, len(tags))).astype("float32")

        before = scores.copy()
        path = best_paths(crf, Ragged(scores, np.array([n])), rules)
        held = best_path_keeping_brackets(crf, scores, path.copy(), tags, pairs)
        assert not split_pairs(pairs, tags.spans_from_ids(held))
        changed += not np.array_equal(held, path)
        others = score_of(crf, before, paths[whole])
        best += bool(np.isclose(score_of(crf, before, held[None])[0], others.max()))
        # What is ruled out in the scores leaves just this path the best.
        again = best_paths(crf, Ragged(scores, np.array([n])), rules)
        assert np.array_equal(again, held)
    assert changed >= 3
    assert best == 30


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_with_entities_that_stay(scheme):
    """Against all paths again: some tags are fixed, and a pair that these part is let
    go."""
    tags, n = TagSet(["A"], scheme), 6
    crf = CRF(len(tags))
    crf.initialize()
    rng = np.random.default_rng(1)
    rules = tags.rules
    paths = np.array(list(itertools.product(range(len(tags)), repeat=n)))
    legal = rules.starts[paths[:, 0]] & rules.ends[paths[:, -1]]
    legal &= rules.transitions[paths[:, :-1], paths[:, 1:]].all(axis=1)
    paths = paths[legal]
    all_pairs = [(2, 3), (1, 4), (0, 5)]
    changed = let_go = 0
    for _ in range(60):
        for name in crf.param_names:
            crf.get_param(name)[...] = rng.normal(size=crf.get_param(name).shape)
        scores = rng.normal(scale=3, size=(n, len(tags))).astype("float32")
        start = int(rng.integers(n - 1))
        end = int(rng.integers(start + 1, n))
        fixed = tags.ids_from_spans([Span(start, end, "A")], n)
        others = np.not_equal.outer(fixed, np.arange(len(tags)))
        others[[i for i in range(n) if not start <= i < end]] = False
        scores[others] = -np.inf
        inside = tags.inside(fixed[end - 1 : end])
        scores[end, inside] = -np.inf
        pairs = [
            (i, j) for i, j in all_pairs if (start <= i < end) == (start <= j < end)
        ]
        let_go += len(all_pairs) - len(pairs)
        before = scores.copy()
        path = best_paths(crf, Ragged(scores, np.array([n])), rules)
        held = best_path_keeping_brackets(crf, scores, path.copy(), tags, all_pairs)
        changed += not np.array_equal(held, path)
        assert not split_pairs(pairs, tags.spans_from_ids(held))
        assert held[start:end].tolist() == fixed[start:end].tolist()
        whole = [not split_pairs(pairs, tags.spans_from_ids(p)) for p in paths]
        with np.errstate(invalid="ignore"):
            best = np.nan_to_num(score_of(crf, before, paths[whole]), nan=-np.inf).max()
        assert np.isclose(score_of(crf, before, held[None])[0], best)
    assert changed > 5 and let_go > 5


def test_deeply_nested_brackets_in_a_pipeline(careless):
    """There is no recursion."""
    text = "（" * 3000 + "北京大学" + "）" * 3000
    ner = loaded_again(careless).get_pipe("lstm_ner")
    ner.window = None
    (spans,) = ner.predict([careless.make_doc(text)])
    assert not split_pairs(bracket_pairs(text), [Span(*span[:3]) for span in spans])


def test_far_away_nothing_changes():
    """Only the part around a pair is searched again: with the same result."""
    tags, n = TagSet(["A", "B"], "BIOES"), 400
    crf = CRF(len(tags))
    crf.initialize()
    rng = np.random.default_rng(0)
    changed = 0
    for _ in range(20):
        for name in crf.param_names:
            crf.get_param(name)[...] = rng.normal(size=crf.get_param(name).shape)
        scores = rng.normal(scale=3, size=(n, len(tags))).astype("float32")
        i = int(rng.integers(n - 4))
        pair = (i, i + 3)
        path = best_paths(crf, Ragged(scores, np.array([n])), tags.rules)
        held = best_path_keeping_brackets(crf, scores, path.copy(), tags, [pair])
        again = best_paths(crf, Ragged(scores, np.array([n])), tags.rules)
        assert np.array_equal(held, again)
        changed += not np.array_equal(held, path)
    assert changed > 5


@pytest.fixture(scope="module")
def careless(examples):
    """A pipeline that has many opinions, and has seen no brackets."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    return train(nlp, examples, steps=15)


def texts_with_brackets(examples):
    """Brackets all over: some pairs, some nested, some halves."""
    rng = np.random.default_rng(0)
    texts = []
    for eg in examples:
        text = eg.reference.text
        for mark in rng.permutation(list("（）“”（）《》】")):
            at = int(rng.integers(len(text) + 1))
            text = text[:at] + mark + text[at:]
        texts.append(text)
    return texts


def test_no_entity_parts_a_pair(careless, examples):
    texts = texts_with_brackets(examples)
    free = loaded_again(careless)
    free.get_pipe("lstm_ner").whole_brackets = False
    n_parted = n_left = n_same = 0
    for doc, other in zip(careless.pipe(texts), free.pipe(texts), strict=True):
        pairs = bracket_pairs(doc.text)
        n_left += len(split_pairs(pairs, [Span(*ent) for ent in found(doc)]))
        parted_pairs = split_pairs(pairs, [Span(*ent) for ent in found(other)])
        n_parted += len(parted_pairs)
        if not parted_pairs:
            assert found(doc) == found(other)
            n_same += 1
    assert n_parted > 5 and n_left == 0 and n_same > 5


def test_all_that_the_component_tells_goes_by_it(careless, examples):
    """The best analysis is what is found, and what would part a pair that is held
    together is impossible."""
    ner = careless.get_pipe("lstm_ner")
    free = loaded_again(careless)
    free.get_pipe("lstm_ner").whole_brackets = False
    ruled_out = 0
    for text in texts_with_brackets(examples)[:30]:
        doc = careless(text)
        (analyses,) = ner.n_best([careless.make_doc(text)], 2)
        assert [tuple(e) for e in analyses[0].entities] == found(doc)
        pairs = bracket_pairs(text)
        for ent in found(free(text)):
            if split_pairs(pairs, [Span(*ent)]):
                ((p,),) = ner.probabilities([careless.make_doc(text)], [[ent]])
                assert p == 0
                ruled_out += 1
        scores = doc.spans["lstm_ner"].attrs["scores"]
        asked = [found(doc)]
        (again,) = ner.probabilities([careless.make_doc(text)], asked)
        np.testing.assert_allclose(scores, again, atol=1e-5)
    assert ruled_out > 2


def test_entities_that_were_there_before_stay(careless):
    """Also where they part a pair; others still do not."""
    doc = careless.make_doc("中国（上海）公司“张三”")
    doc.set_ents([doc.char_span(0, 4, "ORG")], default="missing")
    doc = careless.get_pipe("lstm_ner")(doc)
    assert (0, 4, "ORG") in found(doc)
    new = [Span(*ent) for ent in found(doc) if ent != (0, 4, "ORG")]
    assert not split_pairs([(8, 11)], new)


def test_brackets_inside_of_tokens():
    """With unit = "token" the tokens that have the marks go together."""
    nlp = spacy.blank("en")
    config = {"unit": "token", "model": TOKEN_MODEL}
    ner = nlp.add_pipe("lstm_ner", config=config)
    ner.add_label("ORG")
    nlp.initialize()
    words = ["Bank", "(of", "New", "York)", "opens", "(now)"]
    doc = Doc(nlp.vocab, words=words)
    assert unit_pairs(doc, UNITS["token"]) == [(1, 3)]
    outside, begin, inside, end, _ = range(5)
    crf = ner.model.get_ref("crf")
    for name in crf.param_names:
        crf.get_param(name)[...] = 0
    scores = np.zeros((6, 5), dtype="float32")
    # The best path is Bank (of New / ORG; second best all of the four.
    scores[[0, 1, 2, 3, 4, 5], [begin, inside, end, outside, outside, outside]] = 5
    scores[[2, 3], [inside, end]] = 4
    path = best_paths(crf, Ragged(scores, np.array([6])), ner.tags.rules)
    assert ner.tags.spans_from_ids(path) == [Span(0, 3, "ORG")]
    held = best_path_keeping_brackets(
        crf, scores, path, ner.tags, unit_pairs(doc, UNITS["token"])
    )
    assert ner.tags.spans_from_ids(held) == [Span(0, 4, "ORG")]
