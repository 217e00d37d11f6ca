"""Search, probabilities and loss of nested entities, against brute force: all paths of
each CRF, one by one."""

from collections import Counter

import numpy as np
import pytest
import spacy
from spacy.training import Example
from thinc.api import Model

from spacy_lstm_ner.layers import LabelCRFs
from spacy_lstm_ner.layers.label_crfs import OneCRF
from spacy_lstm_ner.pipeline.nested_decoding import NestedDecoder
from spacy_lstm_ner.pipeline.nested_n_best import nested_best_without, nested_n_best
from spacy_lstm_ner.pipeline.nested_training import nested_loss
from spacy_lstm_ner.pipeline.nested_uncertainty import measure_nested_uncertainty
from spacy_lstm_ner.pipeline.state import NestedState
from spacy_lstm_ner.tags import Span

from ..helpers.brute_force import legal_paths, score, spans_of
from ..helpers.gradients import numeric_gradient, to_float64

TEXTS = ["东南西北中", "甲", "", "子丑寅卯"]
NLP = spacy.blank("zh")


def fixed_scores(state, data):
    """A model that gives these scores, and CRFs with random parameters."""
    crfs = to_float64(
        LabelCRFs(len(state.labels) * state.depth, len(state.tags)).initialize()
    )
    rng = np.random.default_rng(7)
    for name in crfs.param_names:
        crfs.set_param(name, rng.standard_normal(crfs.get_param(name).shape))

    def forward(model, docs, is_train):
        ends = np.cumsum([len(doc.text) for doc in docs])
        parts = zip(docs, ends, strict=True)
        return [data[end - len(doc.text) : end] for doc, end in parts], lambda d: []

    model = Model("fixed_scores", forward, layers=[crfs], refs={"crf": crfs})
    return model, crfs


@pytest.fixture(params=["BIOES", "BIO"])
def scheme(request):
    return request.param


@pytest.fixture(params=[1, 3])
def depth(request):
    return request.param


@pytest.fixture
def case(scheme, depth):
    state = NestedState(["A", "B"], scheme, "char", temperature=1.3, depth=depth)
    rng = np.random.default_rng(0)
    data = rng.standard_normal((sum(map(len, TEXTS)), state.n_tags)) * 2
    # Entities are long, and so is what is inside of them: to be one entity as a whole
    # is often the best path.
    inside = [name[0] in "BIE" for name in state.tags.names]
    data += 1.5 * np.tile(inside, state.depth * len(state.labels))
    model, crfs = fixed_scores(state, data)
    return state, data, model, crfs


def distribution(crf, rows, tags, temperature, *, is_inside):
    """Every legal path with its probability; without the one that is one entity."""
    paths = legal_paths(tags, len(rows))
    whole = {(0, len(rows), tags.labels[0])}
    if is_inside:
        paths = [path for path in paths if spans_of(tags, path) != whole]
    scores = np.array([score(crf, rows, path) for path in paths]) / temperature
    return paths, np.exp(scores - np.logaddexp.reduce(scores))


def expected_entities(crfs, state, rows, label, depth=0, first=0):
    """The entities in rows of a text, by brute force, with the probabilities of all
    spans: Σ over the paths in which the span is an entity, and inside of the entities
    that were found."""
    tags = state.tags
    crf = OneCRF(crfs, state.labels.index(label) * state.depth + depth)
    own = rows[:, crf.columns]
    paths, p = distribution(crf, own, tags, state.temperature, is_inside=depth > 0)
    mass = Counter()
    for path, share in zip(paths, p, strict=True):
        for start, end, _ in spans_of(tags, path):
            mass[first + start, first + end] += share
    found = []
    for start, end, _ in sorted(spans_of(tags, paths[p.argmax()])):
        span = first + start, first + end
        found.append(span)
        if depth + 1 < state.depth and end - start > 1:
            inner, inner_mass = expected_entities(
                crfs, state, rows[start:end], label, depth + 1, first + start
            )
            found += inner
            for inside, share in inner_mass.items():
                inner_mass[inside] = share * mass[span]
            for inside, share in inner_mass.items():
                if inside != span:
                    mass[inside] += share
    return found, mass


def test_entities_and_probabilities(case):
    state, data, model, crfs = case
    decoder = NestedDecoder("ner", model, state, whole_brackets=True)
    docs = [NLP.make_doc(text) for text in TEXTS]
    (batch,) = decoder.batches(docs, None)
    n_inner = 0
    for families, text, rows in zip(
        decoder.decode(batch), TEXTS, batch.split(data), strict=True
    ):
        found = Counter(
            {(s.start, s.end, s.label): s.score for family in families for s in family}
        )
        n_inner += sum(len(family) - 1 for family in families)
        expected = {}
        for label in state.labels if text else ():
            spans, mass = expected_entities(crfs, state, rows, label)
            expected |= {(*span, label): mass[span] for span in spans}
        assert found.keys() == expected.keys()
        for span, p in expected.items():
            assert found[span] == pytest.approx(p, abs=1e-9)
    assert n_inner or state.depth == 1


def test_probabilities_of_any_span(case):
    state, data, model, crfs = case
    decoder = NestedDecoder("ner", model, state, whole_brackets=True)
    (batch,) = decoder.batches([NLP.make_doc(text) for text in TEXTS], None)
    for found in decoder.search(batch):
        for text, rows in zip(TEXTS, batch.rows, strict=True):
            if not text:
                continue
            _, mass = expected_entities(crfs, state, data[rows], found.label)
            n = len(text)
            spans = [(i, j) for i in range(n) for j in range(i + 1, n + 1)]
            queries = [
                Span(rows.start + i, rows.start + j, found.label) for i, j in spans
            ]
            scores = decoder.scores(found, queries)[len(found.spans) :]
            expected = [mass[span] for span in spans]
            np.testing.assert_allclose(scores, expected, atol=1e-9)


def test_probability_that_there_is_no_entity(case):
    state, data, model, crfs = case
    decoder = NestedDecoder("ner", model, state, whole_brackets=True)
    (batch,) = decoder.batches([NLP.make_doc(text) for text in TEXTS], None)
    start, end = 1, 4  # 南西北
    expected = 1.0
    for k in range(len(state.labels)):
        crf = OneCRF(crfs, k * state.depth)
        paths, p = distribution(
            crf, data[: len(TEXTS[0]), crf.columns], state.tags, 1.3, is_inside=False
        )
        expected *= sum(
            share
            for path, share in zip(paths, p, strict=True)
            if not any(path[start:end])
        )
    (found,) = decoder.outside(batch, [Span(start, end, "")])
    assert found == pytest.approx(expected, abs=1e-10)


def all_analyses(crfs, state, rows, label, depth=0, first=0):
    """Every set of entities of a label with its probability, by brute force."""
    crf = OneCRF(crfs, state.labels.index(label) * state.depth + depth)
    paths, p = distribution(
        crf, rows[:, crf.columns], state.tags, state.temperature, is_inside=depth > 0
    )
    found = Counter()
    for path, share in zip(paths, p, strict=True):
        spans = sorted(spans_of(state.tags, path))
        sets = {frozenset((first + i, first + j, label) for i, j, _ in spans): share}
        for i, j, _ in spans:
            if depth + 1 < state.depth and j - i > 1:
                inside = all_analyses(
                    crfs, state, rows[i:j], label, depth + 1, first + i
                )
                sets = {
                    some | more: p1 * p2
                    for some, p1 in sets.items()
                    for more, p2 in inside.items()
                }
        found.update(sets)
    return found


@pytest.mark.parametrize("n", [1, 7, 60])
def test_n_best_analyses(case, n):
    state, data, model, crfs = case
    decoder = NestedDecoder("ner", model, state, whole_brackets=True)
    (batch,) = decoder.batches([NLP.make_doc(text) for text in TEXTS], None)
    analyses = nested_n_best(decoder, batch, n)
    for found, text, rows in zip(analyses, TEXTS, batch.rows, strict=True):
        expected = {frozenset(): 1.0}
        for label in state.labels if text else ():
            some = all_analyses(crfs, state, data[rows], label)
            assert sum(some.values()) == pytest.approx(1)
            best = dict(some.most_common(n))
            expected = {
                a | b: p * q for a, p in expected.items() for b, q in best.items()
            }
        best = sorted(expected.values(), reverse=True)[:n]
        np.testing.assert_allclose([a.probability for a in found], best, rtol=1e-8)
        assert len({a.entities for a in found}) == len(found)
        for analysis in found:
            p = expected[frozenset(tuple(span) for span in analysis.entities)]
            assert analysis.probability == pytest.approx(p)


def test_the_best_analysis_without_an_entity(case):
    """The most probable outermost entities without it, and the most probable entities
    inside of these."""
    state, data, _, crfs = case
    n_inner = 0
    for text, rows in zip(TEXTS, parts_of_texts(data), strict=True):
        model, _ = fixed_scores(state, rows)
        decoder = NestedDecoder("ner", model, state, whole_brackets=True)
        (batch,) = decoder.batches([NLP.make_doc(text)], None)
        by_label = {
            label: all_analyses(crfs, state, rows, label)
            for label in (state.labels if text else ())
        }
        spans = [
            Span(i, j, label)
            for label in by_label
            for i in range(len(text))
            for j in range(i + 1, len(text) + 1)
        ]
        best = {label: some.most_common(1)[0] for label, some in by_label.items()}
        for span, found in zip(
            spans, nested_best_without(decoder, batch, spans), strict=True
        ):
            some = by_label[span.label]
            outermost = Counter()
            for analysis, p in some.items():
                outermost[outermost_of(analysis)] += p
            chosen = next(o for o, _ in outermost.most_common() if span not in o)
            p, expected = max(
                (p, analysis)
                for analysis, p in some.items()
                if outermost_of(analysis) == chosen and span not in analysis
            )
            n_inner += len(expected) > len(chosen)
            others = frozenset().union(
                *(a for label, (a, _) in best.items() if label != span.label)
            )
            analysis, margin = found
            assert frozenset(analysis.entities) == expected | others
            assert margin == pytest.approx(np.log(best[span.label][1] / p))
            product = np.prod([p for _, p in best.values()])
            assert analysis.probability == pytest.approx(product * np.exp(-margin))
    assert n_inner or state.depth == 1


def parts_of_texts(data):
    """The rows of each of the texts."""
    return np.split(data, np.cumsum([len(text) for text in TEXTS])[:-1])


def outermost_of(analysis):
    return frozenset(
        span
        for span in analysis
        if not any(
            other != span and other[0] <= span[0] and span[1] <= other[1]
            for other in analysis
        )
    )


def test_uncertainty(case):
    """The probability of what is predicted, and the expected number of entities."""
    state, data, model, crfs = case
    decoder = NestedDecoder("ner", model, state, whole_brackets=True)
    docs = [NLP.make_doc(text) for text in TEXTS]
    start = 0
    for found, text in zip(
        measure_nested_uncertainty(decoder, docs, None), TEXTS, strict=True
    ):
        rows = data[start : start + len(text)]
        start += len(text)
        assert found.length == len(text)
        p, expected, entities = 1.0, 0.0, set()
        for label in state.labels if text else ():
            spans, mass = expected_entities(crfs, state, rows, label)
            predicted = frozenset((*span, label) for span in spans)
            p *= all_analyses(crfs, state, rows, label)[predicted]
            expected += sum(mass.values())
            entities |= predicted
        assert found.log_probability == pytest.approx(np.log(p), abs=1e-8)
        assert found.expected_entities == pytest.approx(expected, abs=1e-8)
        assert {span[:3] for span in found.entities} == entities


GOLD = {
    "东南西北中": [
        *[(0, 5, "A"), (0, 2, "A"), (3, 5, "A"), (3, 4, "A")],
        *[(1, 4, "B"), (1, 3, "B")],
    ],
    "甲": [(0, 1, "A"), (0, 1, "B")],
    "": [],
    "子丑寅卯": [(2, 4, "A")],
}


def examples(missing=()):
    """Gold annotation; missing for some characters, by text."""
    found = []
    for text in TEXTS:
        doc = NLP.make_doc(text)
        doc.spans["sc"] = [doc.char_span(*span) for span in GOLD[text]]
        tokens = [doc[i : i + 1] for where, i in missing if where == text]
        if missing:
            doc.set_ents([], missing=tokens, default="outside")
        found.append(Example(NLP.make_doc(text), doc))
    return found


def brute_force_loss(crfs, state, data, missing=()):
    """The negative log-likelihood, path by path."""
    total, first, tags = 0.0, 0, state.tags
    for text in TEXTS:
        rows = data[first : first + len(text)]
        first += len(text)
        unknown = {i for where, i in missing if where == text}
        for k, label in enumerate(state.labels if text else ()):
            spans = [(start, end) for start, end, of in GOLD[text] if of == label]
            layers = {
                span: sum(
                    o[0] <= span[0] and span[1] <= o[1] and o != span for o in spans
                )
                for span in spans
            }
            for depth in range(state.depth):
                crf = OneCRF(crfs, k * state.depth + depth)
                regions = [(0, len(text))]
                if depth:
                    regions = [s for s in spans if layers[s] == depth - 1]
                for start, end in regions:
                    if depth and end - start == 1:
                        continue
                    gold = {
                        (i - start, j - start, tags.labels[0])
                        for i, j in spans
                        if layers[i, j] == depth and start <= i and j <= end
                    }
                    total += -log_share(
                        *(crf, rows[start:end, crf.columns], tags, gold),
                        {i - start for i in unknown},
                        is_inside=depth > 0,
                    )
    return total


def log_share(crf, rows, tags, gold, unknown, *, is_inside):
    n = len(rows)
    paths = legal_paths(tags, n)
    scores = np.array([score(crf, rows, path) for path in paths])
    known = {i for start, end, _ in gold for i in range(start, end)}
    free = unknown - known

    def agrees(path):
        spans = spans_of(tags, path)
        others = spans - gold
        if is_inside and (0, n, tags.labels[0]) in spans:
            return False
        return gold <= spans and all(
            free.issuperset(range(start, end)) for start, end, _ in others
        )

    agreeing = np.array([agrees(path) for path in paths])
    return np.logaddexp.reduce(scores[agreeing]) - np.logaddexp.reduce(scores)


@pytest.mark.parametrize(
    "missing",
    [(), (("子丑寅卯", 0), ("子丑寅卯", 1), ("东南西北中", 2)), (("子丑寅卯", 2),)],
    ids=["all", "partly", "inside of an entity"],
)
def test_loss_and_gradients(case, missing):
    state, data, model, crfs = case

    def brute_force():
        return brute_force_loss(crfs, state, data, missing)

    scores = [data[:5], data[5:6], data[6:6], data[6:]]
    loss, gradients = nested_loss(
        "ner", model, state, examples(missing), scores, "sc", None
    )
    assert loss == pytest.approx(brute_force(), abs=1e-8)
    few = data[3:8]  # a view: parts of three texts
    expected = numeric_gradient(brute_force, few)
    np.testing.assert_allclose(np.concatenate(gradients)[3:8], expected, atol=1e-7)
    expected = numeric_gradient(brute_force, crfs.get_param("transitions"))
    np.testing.assert_allclose(crfs.get_grad("transitions"), expected, atol=1e-7)
