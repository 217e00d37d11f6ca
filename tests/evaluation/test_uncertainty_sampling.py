"""Which texts are picked for annotation."""

import random
import weakref

import pytest
import spacy

from spacy_lstm_ner import pick_texts
from spacy_lstm_ner.evaluation.near_duplicates import fingerprint, similarity
from spacy_lstm_ner.evaluation.uncertainty_sampling import STRATEGIES

from ..helpers.pipelines import SMALL_MODEL, loaded_again

CHARS = [chr(0x4E00 + i) for i in range(2000)]


@pytest.fixture(scope="module")
def plain(examples):
    """Texts that the pipeline was trained on, all different."""
    return list(dict.fromkeys(eg.text for eg in examples))


@pytest.fixture(scope="module")
def ambiguous(plain):
    """Parts of known texts, out of context."""
    return [text[len(text) // 3 : len(text) // 3 + 12] for text in plain[:5]]


def random_texts(n, seed=0):
    rng = random.Random(seed)
    return ["".join(rng.choices(CHARS, k=30)) for _ in range(n)]


def texts_of(picks, reason=None):
    return [pick.text for pick in picks if reason in (None, pick.reason)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ambiguous_texts_are_picked_before_plain_ones(
    trained, plain, ambiguous, strategy
):
    texts = [*plain[:20], *ambiguous, *plain[20:]]
    picks = pick_texts(trained, texts, 5, strategy=strategy, random_share=0)
    assert len(set(texts_of(picks)) & set(ambiguous)) >= 4
    assert [pick.reason for pick in picks] == ["uncertain"] * 5
    scores = [pick.uncertainty for pick in picks]
    assert scores == sorted(scores, reverse=True)
    assert all(texts[pick.position] == pick.text for pick in picks)


def test_the_length_alone_does_not_decide(trained, plain, ambiguous):
    """A text made of many plain ones is not more uncertain than a short one."""
    long = "".join(plain[:8])
    for strategy in ("errors", "confidence"):
        texts = [long, *ambiguous]
        picks = pick_texts(trained, texts, 3, strategy=strategy, random_share=0)
        assert long not in texts_of(picks)


def test_near_duplicates_are_picked_once(trained, ambiguous):
    a, b, c = ambiguous[:3]
    texts = [a, f" {a}", a, b, b + "。", f"{c}\n", c, "", "  "]
    picks = pick_texts(trained, texts, 10, random_share=0.3, similarity=0.6)
    assert len(picks) == 3
    assert {fingerprint(text).bands[0] for text in (a, c)} < {
        fingerprint(pick.text).bands[0] for pick in picks
    }
    exact = pick_texts(trained, texts, 10, random_share=0, similarity=1)
    assert len(exact) == 4


def test_the_most_uncertain_near_duplicate_is_picked(trained, ambiguous, plain):
    """Whatever the order of the texts."""
    text = ambiguous[0]
    texts = [f"{text}、", f"{text}。", f"{text}任", *plain[:10]]
    found = set()
    for order in (texts, texts[::-1]):
        picks = pick_texts(trained, order, 5, random_share=0, similarity=0.5)
        found.add(tuple(texts_of(picks)))
    assert len(found) == 1
    (kept,) = (t for t in found.pop() if t in texts[:3])
    (best, *_) = pick_texts(trained, [kept], 1, random_share=0)
    for other in texts[:3]:
        (score,) = pick_texts(trained, [other], 1, random_share=0)
        assert score.uncertainty <= best.uncertainty


def test_annotated_texts_are_not_picked_again(trained, plain, ambiguous):
    annotated = [f"{ambiguous[0]}。", ambiguous[1]]
    picks = pick_texts(
        trained, [*plain, *ambiguous], 200, annotated=iter(annotated), similarity=0.6
    )
    for pick in picks:
        for text in annotated:
            assert similarity(fingerprint(pick.text), fingerprint(text)) < 0.6
    assert not set(ambiguous[:2]) & set(texts_of(picks))
    assert set(ambiguous[2:]) <= set(texts_of(picks))


def test_the_random_share(trained):
    texts = random_texts(400)
    picks = pick_texts(trained, texts, 40, random_share=0.25)
    assert [pick.reason for pick in picks] == ["uncertain"] * 30 + ["random"] * 10
    assert len(set(texts_of(picks))) == 40
    certain = texts_of(pick_texts(trained, texts, 30, random_share=0))
    assert texts_of(picks, "uncertain") == certain
    other = pick_texts(trained, texts, 40, random_share=0.25, seed=1)
    assert texts_of(other, "uncertain") == certain
    assert set(texts_of(other, "random")) != set(texts_of(picks, "random"))
    # Random texts do not depend on the order of the texts, nor on the pipeline.
    shuffled = pick_texts(trained, texts[::-1], 40, random_share=1)
    everything = pick_texts(trained, texts, 40, random_share=1)
    assert texts_of(shuffled) == texts_of(everything)
    assert {pick.reason for pick in everything} == {"random"}
    # About as many come from each part of the texts.
    assert 8 <= sum(pick.position < 200 for pick in everything) <= 32


def test_the_same_texts_are_picked_every_time(trained, plain, ambiguous):
    texts = [*plain, *ambiguous, *random_texts(50)]
    first = pick_texts(trained, texts, 20)
    assert pick_texts(loaded_again(trained), iter(texts), 20) == first
    assert trained.get_pipe("lstm_ner").labels


def test_texts_are_not_kept(trained):
    """Only candidates are, however many texts there are."""

    class Text(str):
        pass

    alive = weakref.WeakSet()
    most = 0

    def texts():
        nonlocal most
        for text in random_texts(5000):
            new = Text(text)
            alive.add(new)
            most = max(most, len(alive))
            yield new
            del new

    picks = pick_texts(trained, texts(), 5)
    assert len(picks) == 5
    # Two batches of 20,000 characters, and 110 candidates for each of two reasons.
    assert most < 1600


def test_as_many_as_there_are(trained, plain):
    picks = pick_texts(trained, plain[:3], 10)
    assert sorted(texts_of(picks)) == sorted(plain[:3])
    assert pick_texts(trained, [], 10) == []
    assert pick_texts(trained, ["", " \n"], 10) == []


def test_components_before_and_after(trained, plain, ambiguous):
    nlp = loaded_again(trained)
    texts = [*plain, *ambiguous]
    expected = pick_texts(nlp, texts, 10)
    nlp.add_pipe("sentencizer", first=True)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "任"}])
    assert pick_texts(nlp, texts, 10) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n = 0 is too small"),
        ({"strategy": "margin"}, "unknown query strategy 'margin': use one of"),
        ({"random_share": 1.5}, "random share 1.5"),
        ({"similarity": 0.1}, "similarity 0.1 is not between 0.5 and 1"),
    ],
)
def test_invalid_arguments(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        pick_texts(trained, ["王芳"], **{"n": 1, **arguments})


def test_a_pipeline_that_is_not_certain_of_anything():
    with pytest.raises(ValueError, match="no component lstm_ner"):
        pick_texts(spacy.blank("zh"), ["王芳"], 1)
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    with pytest.raises(ValueError, match="initialize"):
        pick_texts(nlp, ["王芳"], 1)
