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
        ("（a“b）c”", [(0, 4)]),  # pairs do not cross
        ("1）a 2）b", []),
        ("（a", []),
        ("O’Brien’s ‘x’ 1 < 2 > 0", []),
        ("a(b]c)[d]", [(1, 5), (6, 8)]),
        ("", []),
    ],
)
def test_bracket_pairs(text, pairs):
    assert bracket_pairs(text) == pairs


def test_split_pairs():
    pairs = [(2, 5), (7, 9)]
    assert split_pairs(pairs, [Span(0, 6, "X"), Span(8, 9, "X")]) == []
    assert split_pairs(pairs, [Span(0, 5, "X")]) == [(2, 5)]
    assert split_pairs(pairs, [Span(3, 10, "X")]) == [(2, 5)]
    assert split_pairs(pairs, [Span(9, 10, "X")]) == [(7, 9)]


def scores_of(crf, scores, paths):
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
def test_best_path_that_splits_no_pair(scheme, pairs):
    """Compared with an enumeration of all paths."""
    tags, n = TagSet(["A", "B"] if scheme == "BIO" else ["A"], scheme), 6
    crf = CRF(len(tags))
    crf.initialize()
    rng = np.random.default_rng(len(pairs))
    constraints = tags.constraints
    paths = np.array(list(itertools.product(range(len(tags)), repeat=n)))
    legal = constraints.starts[paths[:, 0]] & constraints.ends[paths[:, -1]]
    legal &= constraints.transitions[paths[:, :-1], paths[:, 1:]].all(axis=1)
    paths = paths[legal]
    unsplit = np.array(
        [not split_pairs(pairs, tags.spans_from_ids(path)) for path in paths]
    )
    changed = best = 0
    for _ in range(30):
        for name in crf.param_names:
            crf.get_param(name)[...] = rng.normal(size=crf.get_param(name).shape)
        scores = rng.normal(scale=3, size=(n, len(tags))).astype("float32")

        before = scores.copy()
        path = best_paths(crf, Ragged(scores, np.array([n])), constraints)
        kept = best_path_keeping_brackets(crf, scores, path.copy(), tags, pairs)
        assert not split_pairs(pairs, tags.spans_from_ids(kept))
        changed += not np.array_equal(kept, path)
        others = scores_of(crf, before, paths[unsplit])
        best += bool(np.isclose(scores_of(crf, before, kept[None])[0], others.max()))
        # It is the best path of the changed scores.
        again = best_paths(crf, Ragged(scores, np.array([n])), constraints)
        assert np.array_equal(again, kept)
    assert changed >= 3
    assert best == 30


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_best_path_with_preset_entities(scheme):
    """Compared with an enumeration of all paths: some tags are fixed, and a pair that
    they split is ignored."""
    tags, n = TagSet(["A"], scheme), 6
    crf = CRF(len(tags))
    crf.initialize()
    rng = np.random.default_rng(1)
    constraints = tags.constraints
    paths = np.array(list(itertools.product(range(len(tags)), repeat=n)))
    legal = constraints.starts[paths[:, 0]] & constraints.ends[paths[:, -1]]
    legal &= constraints.transitions[paths[:, :-1], paths[:, 1:]].all(axis=1)
    paths = paths[legal]
    all_pairs = [(2, 3), (1, 4), (0, 5)]
    changed = n_ignored = 0
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
        n_ignored += len(all_pairs) - len(pairs)
        before = scores.copy()
        path = best_paths(crf, Ragged(scores, np.array([n])), constraints)
        kept = best_path_keeping_brackets(crf, scores, path.copy(), tags, all_pairs)
        changed += not np.array_equal(kept, path)
        assert not split_pairs(pairs, tags.spans_from_ids(kept))
        assert kept[start:end].tolist() == fixed[start:end].tolist()
        unsplit = [not split_pairs(pairs, tags.spans_from_ids(p)) for p in paths]
        with np.errstate(invalid="ignore"):
            best = np.nan_to_num(
                scores_of(crf, before, paths[unsplit]), nan=-np.inf
            ).max()
        assert np.isclose(scores_of(crf, before, kept[None])[0], best)
    assert changed > 5 and n_ignored > 5


def test_deeply_nested_brackets(undertrained):
    """The search is not recursive."""
    text = "（" * 3000 + "北京大学" + "）" * 3000
    ner = loaded_again(undertrained).get_pipe("lstm_ner")
    ner.window = None
    (spans,) = ner.predict([undertrained.make_doc(text)])
    assert not split_pairs(bracket_pairs(text), [Span(*span[:3]) for span in spans])


def test_the_path_is_the_best_one_of_the_changed_scores():
    """In a long text with one pair."""
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
        path = best_paths(crf, Ragged(scores, np.array([n])), tags.constraints)
        kept = best_path_keeping_brackets(crf, scores, path.copy(), tags, [pair])
        again = best_paths(crf, Ragged(scores, np.array([n])), tags.constraints)
        assert np.array_equal(kept, again)
        changed += not np.array_equal(kept, path)
    assert changed > 5


@pytest.fixture(scope="module")
def undertrained(examples):
    """A pipeline that predicts many entities, trained without brackets."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    return train(nlp, examples, steps=15)


def texts_with_brackets(examples):
    """Texts with random brackets: pairs, nested pairs and unmatched marks."""
    rng = np.random.default_rng(0)
    texts = []
    for eg in examples:
        text = eg.reference.text
        for mark in rng.permutation(list("（）“”（）《》】")):
            at = int(rng.integers(len(text) + 1))
            text = text[:at] + mark + text[at:]
        texts.append(text)
    return texts


def test_no_entity_splits_a_pair(undertrained, examples):
    texts = texts_with_brackets(examples)
    unconstrained = loaded_again(undertrained)
    unconstrained.get_pipe("lstm_ner").whole_brackets = False
    n_split = n_still_split = n_same = 0
    for doc, other in zip(
        undertrained.pipe(texts), unconstrained.pipe(texts), strict=True
    ):
        pairs = bracket_pairs(doc.text)
        n_still_split += len(split_pairs(pairs, [Span(*ent) for ent in found(doc)]))
        split = split_pairs(pairs, [Span(*ent) for ent in found(other)])
        n_split += len(split)
        if not split:
            assert found(doc) == found(other)
            n_same += 1
    assert n_split > 5 and n_still_split == 0 and n_same > 5


def test_all_methods_keep_brackets_together(undertrained, examples):
    """The best analysis has the predicted entities, and an entity that would split a
    pair has probability 0."""
    ner = undertrained.get_pipe("lstm_ner")
    unconstrained = loaded_again(undertrained)
    unconstrained.get_pipe("lstm_ner").whole_brackets = False
    n_excluded = 0
    for text in texts_with_brackets(examples)[:30]:
        doc = undertrained(text)
        (analyses,) = ner.n_best([undertrained.make_doc(text)], 2)
        assert [tuple(e) for e in analyses[0].entities] == found(doc)
        pairs = bracket_pairs(text)
        for ent in found(unconstrained(text)):
            if split_pairs(pairs, [Span(*ent)]):
                ((p,),) = ner.probabilities([undertrained.make_doc(text)], [[ent]])
                assert p == 0
                n_excluded += 1
        scores = doc.spans["lstm_ner"].attrs["scores"]
        asked = [found(doc)]
        (again,) = ner.probabilities([undertrained.make_doc(text)], asked)
        np.testing.assert_allclose(scores, again, atol=1e-5)
    assert n_excluded > 2


def test_preset_entities_are_kept(undertrained):
    """Even if they split a pair; predicted entities do not."""
    doc = undertrained.make_doc("中国（上海）公司“张三”")
    doc.set_ents([doc.char_span(0, 4, "ORG")], default="missing")
    doc = undertrained.get_pipe("lstm_ner")(doc)
    assert (0, 4, "ORG") in found(doc)
    new = [Span(*ent) for ent in found(doc) if ent != (0, 4, "ORG")]
    assert not split_pairs([(8, 11)], new)


def test_brackets_inside_tokens():
    """With unit = "token", the tokens that contain the marks are kept together."""
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
    # The best path has "Bank (of New" as ORG, the second best one all four words.
    scores[[0, 1, 2, 3, 4, 5], [begin, inside, end, outside, outside, outside]] = 5
    scores[[2, 3], [inside, end]] = 4
    path = best_paths(crf, Ragged(scores, np.array([6])), ner.tags.constraints)
    assert ner.tags.spans_from_ids(path) == [Span(0, 3, "ORG")]
    kept = best_path_keeping_brackets(
        crf, scores, path, ner.tags, unit_pairs(doc, UNITS["token"])
    )
    assert ner.tags.spans_from_ids(kept) == [Span(0, 4, "ORG")]
