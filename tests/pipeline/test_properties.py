"""Properties of all tags, scores and texts, tested with Hypothesis."""

from itertools import pairwise

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from thinc.types import Ragged

from spacy_lstm_ner.evaluation.annotation import AnnotatedText
from spacy_lstm_ner.evaluation.matching import match_entities
from spacy_lstm_ner.evaluation.mentions import SurfaceForms, find_mentions
from spacy_lstm_ner.evaluation.records import Record, overlap_size
from spacy_lstm_ner.layers import CRF
from spacy_lstm_ner.layers.marginals import segment_marginals
from spacy_lstm_ner.layers.viterbi import best_paths, n_best_paths
from spacy_lstm_ner.model.units import UNITS
from spacy_lstm_ner.tags import FILE_SCHEMES, Span, TagSet, spans_from_tags

from ..helpers.tags import written

# Use the same examples each time, so that failures are reproducible.
settings.register_profile("project", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("project")

LABELS = ["A", "B-C"]
SCHEMES = st.sampled_from(["BIO", "BIOES"])
VOCAB = spacy.blank("en").vocab


@st.composite
def entities(draw):
    """Entity spans, and the number of units of the text."""
    spans, end = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = end + draw(st.integers(0, 2))
        end = start + draw(st.integers(1, 4))
        spans.append((start, end, draw(st.sampled_from(LABELS))))
    return spans, end + draw(st.integers(0, 2))


# Tags


@given(entities(), SCHEMES)
def test_entities_to_model_tags_and_back(entities, scheme):
    spans, n = entities
    tags = TagSet(LABELS, scheme)
    ids = tags.ids_from_spans(spans, n)
    assert tags.spans_from_ids(ids) == spans
    assert spans_from_tags([tags.names[i] for i in ids], scheme)[:2] == (spans, [])
    path = ids.tolist()
    assert all(tags.constraints.transitions[i, j] for i, j in pairwise(path))
    assert not path or (
        tags.constraints.starts[path[0]] and tags.constraints.ends[path[-1]]
    )
    segments = tags.segments(spans)
    assert segments.tags.tolist() == [path[i] for s, e, _ in spans for i in range(s, e)]


@given(entities(), st.sampled_from(FILE_SCHEMES))
def test_entities_to_file_tags_and_back(entities, scheme):
    spans, n = entities
    assert spans_from_tags(written(spans, n, scheme), scheme) == (spans, [], [], 0)


TAG = st.one_of(
    st.builds("{}-{}".format, st.sampled_from("BIMESLUWX"), st.sampled_from(LABELS)),
    st.sampled_from(["O", "", "-", "B-", "-A", "o"]),
    st.text(max_size=3),
)


@given(st.lists(TAG, max_size=9), st.sampled_from(FILE_SCHEMES))
def test_arbitrary_tags_give_entities_or_problems(tags, scheme):
    spans, problems, missing, n_lost = spans_from_tags(tags, scheme)
    ends = [0, *(place for start, end, _ in spans for place in (start, end)), len(tags)]
    assert ends == sorted(ends)
    assert all(start < end for start, end, _ in spans)
    assert all(0 <= problem.position < len(tags) for problem in problems)
    parts = sorted([*missing, *(span[:2] for span in spans)])
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(end <= start for (_, end), (start, _) in pairwise(parts))
    unknown = [p for p in problems if p.kind in ("no tag", "unknown tag")]
    assert len(missing) >= len(unknown) + n_lost >= bool(missing)
    if not problems:
        assert written(spans, len(tags), scheme) == tags


# Paths


@st.composite
def scored(draw, longest):
    """A tag set, a CRF, and emission scores that exclude some tags, but never "O"."""
    tags = TagSet(LABELS[: draw(st.integers(1, 2))], draw(SCHEMES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.0, 1.0, 30.0]))
    crf = CRF(len(tags)).initialize()
    for name in crf.param_names:
        shape = crf.get_param(name).shape
        crf.set_param(name, (scale * rng.standard_normal(shape)).astype("float32"))
    lengths = np.array(draw(st.lists(st.integers(0, longest), min_size=1, max_size=4)))
    data = scale * rng.standard_normal((lengths.sum(), len(tags)))
    excluded = rng.random(data.shape) < draw(st.sampled_from([0.0, 0.4]))
    excluded[:, 0] = False
    data[excluded] = -np.inf
    return tags, crf, Ragged(data.astype("float32"), lengths)


def check_legal(tags, path, emissions):
    """Check the names of the tags, and that no tag is excluded."""
    ends = np.cumsum(emissions.lengths)
    for end, length in zip(ends, emissions.lengths, strict=True):
        own = path[end - length : end]
        names = [tags.names[tag] for tag in own]
        assert spans_from_tags(names, tags.scheme)[1] == []
        rows = emissions.dataXd[end - length : end]
        assert np.isfinite(rows[np.arange(length), own]).all()


def path_scores(crf, path, emissions):
    starts, transitions, ends = (
        crf.get_param(n).astype("float64") for n in ("starts", "transitions", "ends")
    )
    scores = []
    for end, n in zip(np.cumsum(emissions.lengths), emissions.lengths, strict=True):
        own, rows = path[end - n : end], emissions.dataXd[end - n : end]
        total = rows[np.arange(n), own].astype("float64").sum()
        if n:
            total += (
                starts[own[0]] + transitions[own[:-1], own[1:]].sum() + ends[own[-1]]
            )
        scores.append(total)
    return np.array(scores)


@given(scored(longest=6))
def test_the_best_paths_are_legal_and_optimal(case):
    tags, crf, emissions = case
    best = best_paths(crf, emissions, tags.constraints)
    check_legal(tags, best, emissions)
    paths, log_probs = n_best_paths(crf, emissions, tags.constraints, 5)
    np.testing.assert_allclose(
        path_scores(crf, best, emissions),
        path_scores(crf, paths[0], emissions),
        rtol=1e-4,
        atol=1e-3,
    )
    assert (np.diff(np.maximum(log_probs, -1e30)) <= 1e-9).all()
    assert (np.exp(log_probs).sum(axis=1) <= 1 + 1e-9).all()
    ends = np.cumsum(emissions.lengths)
    for end, n, found in zip(ends, emissions.lengths, log_probs, strict=True):
        own = {tuple(path[end - n : end]) for path in paths[np.isfinite(found)]}
        assert len(own) == np.isfinite(found).sum(), "all paths are different"
    for rank, path in enumerate(paths):
        if np.isfinite(log_probs[:, rank]).all():
            check_legal(tags, path, emissions)


@given(scored(longest=3))
def test_probabilities_of_entities_are_sums_over_all_paths(case):
    tags, crf, emissions = case
    emissions = Ragged(emissions.dataXd.astype("float64"), emissions.lengths)
    paths, log_probs = n_best_paths(crf, emissions, tags.constraints, len(tags) ** 3)
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(1.0)
    ends = np.cumsum(emissions.lengths)
    asked, expected = [], []
    for end, n, found in zip(ends, emissions.lengths, np.exp(log_probs), strict=True):
        mass: dict = {}
        for path, probability in zip(paths[:, end - n : end], found, strict=True):
            if probability > 0:
                for span in tags.spans_from_ids(path):
                    mass[span] = mass.get(span, 0.0) + probability
        for start, stop in ((i, j) for j in range(1, n + 1) for i in range(j)):
            for label in tags.labels:
                asked.append((end - n + start, end - n + stop, label))
                expected.append(mass.get((start, stop, label), 0.0))
    actual = segment_marginals(crf, emissions, tags.constraints, tags.segments(asked))
    assert ((actual >= 0) & (actual <= 1)).all()
    np.testing.assert_allclose(actual, expected, atol=1e-6)


# Characters and tokens


@st.composite
def doc_and_offsets(draw):
    """A Doc with arbitrary tokens, and character offsets of a span."""
    word = st.text(st.sampled_from("北京aé👩 \n\u3000"), min_size=1, max_size=4)
    words = draw(st.lists(word, min_size=1, max_size=6))
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    doc = Doc(VOCAB, words=words, spaces=spaces)
    start = draw(st.integers(0, len(doc.text) - 1))
    return doc, start, draw(st.integers(start + 1, len(doc.text)))


@given(doc_and_offsets())
def test_alignment_of_an_entity_with_arbitrary_tokens(case):
    """strict: the same offsets; contract: inside of the entity; expand: around it.
    White space at its edges is ignored."""
    doc, start, end = case
    inside = doc.text[start:end]
    left = start + len(inside) - len(inside.lstrip())
    right = left + len(inside.strip())
    strict, contract, expand = (
        UNITS["char"].to_spans(doc, [(start, end, "X")], mode)[0]
        for mode in ("strict", "contract", "expand")
    )
    if not inside.strip():
        assert (strict, contract, expand) == (None, None, None)
        return
    assert UNITS["char"].to_characters(doc, start, end) == (left, right)
    tokens = {(t.idx, t.idx + len(t)) for t in doc}
    if strict is not None:
        assert (strict.start_char, strict.end_char) == (left, right)
        assert strict == contract == expand
    if contract is not None:
        assert left <= contract.start_char < contract.end_char <= right
    fits = [token for token in tokens if left <= token[0] and token[1] <= right]
    assert (contract is None) == (not fits)
    assert expand is not None
    assert expand.start_char <= left and right <= expand.end_char
    assert expand.label_ == "X"


@given(doc_and_offsets())
def test_spans_to_units_and_back(case):
    doc, start, end = case
    span = doc.char_span(start, end, label="X", alignment_mode="expand")
    if span is None or span.text != span.text.strip() or not span.text:
        return
    for unit in UNITS.values():
        (in_units,) = unit.from_spans([span])
        (back,) = unit.to_spans(doc, [in_units], "strict")
        assert back == span
        assert unit.count(doc) >= in_units.end


# Errors


@given(entities(), entities())
def test_every_wrong_entity_is_in_one_error_of_the_kind_that_it_is(gold, predicted):
    gold, predicted = (
        [Span(*span) for span in spans] for spans, _ in (gold, predicted)
    )
    right, errors = match_entities(Record(1, AnnotatedText("x" * 40, gold), predicted))
    golds, founds = [*right], [*right]
    for error in errors:
        if error.gold and error.shared != "gold":
            golds.append(error.gold)
        if error.predicted and error.shared != "predicted":
            founds.append(error.predicted)
    assert sorted(golds) == sorted(gold) and sorted(founds) == sorted(predicted)
    for kind, _, one, other, shared in errors:
        if one and other:
            assert overlap_size(one, other) > 0
            same_place, same_label = one[:2] == other[:2], one.label == other.label
            assert not (same_place and same_label)
            expected = (
                "type"
                if same_place
                else "boundary"
                if same_label
                else "boundary_and_type"
            )
            assert kind == expected
        else:
            assert shared is None
            others, kind_of_one = (predicted, "missed") if one else (gold, "spurious")
            assert kind == kind_of_one
            assert not any(overlap_size(one or other, span) > 0 for span in others)
    # Nothing is left over that could have a partner of its own.
    alone = [error for error in errors if error.shared]
    assert not any(
        overlap_size(a.entity, b.entity) > 0 and a.shared != b.shared
        for a in alone
        for b in alone
    )


@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=4)))
def test_mentions_are_the_longest_texts_that_stand_there(text, texts):
    expected, start = [], 0
    while start < len(text):
        sizes = [len(t) for t in texts if text.startswith(t, start)]
        if sizes:
            expected.append((start, start + max(sizes)))
        start += max(sizes, default=1)
    assert list(find_mentions(AnnotatedText(text, []), SurfaceForms(texts))) == expected
