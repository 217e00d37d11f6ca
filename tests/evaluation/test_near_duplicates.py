"""Near-duplicates by their character trigrams."""

import random
import time

import pytest

from spacy_lstm_ner.evaluation.near_duplicates import (
    NearDuplicates,
    fingerprint,
    similarity,
)

CHARS = [chr(0x4E00 + i) for i in range(3000)]


def random_text(rng, n=60):
    return "".join(rng.choices(CHARS, k=n))


def trigrams(text):
    padded = f"\0{text}\0"
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def jaccard(a, b):
    return len(trigrams(a) & trigrams(b)) / len(trigrams(a) | trigrams(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("王芳任北京大学教授。", "王芳 任北京大学教授。\n"),
        ("CNN报道，２０２４年", "cnn报道,2024年"),
    ],
)
def test_spaces_case_and_width_make_no_difference(a, b):
    assert similarity(fingerprint(a), fingerprint(b)) == 1


def test_similarity_is_the_jaccard_index():
    rng = random.Random(0)
    for n in (0, 1, 2, 3, 10, 40):
        text = random_text(rng)
        other = text[: len(text) - n] + random_text(rng, n)
        expected = jaccard(text, other)
        assert similarity(fingerprint(text), fingerprint(other)) == expected
    for a, b in [("a", "a"), ("a", "b"), ("a", ""), ("ab", "abc")]:
        expected = jaccard(a, b)
        assert similarity(fingerprint(a), fingerprint(b)) == expected


def test_near_duplicates_are_found_and_others_are_not():
    rng = random.Random(1)
    index = NearDuplicates(0.7)
    texts = [random_text(rng) for _ in range(300)]
    for i, text in enumerate(texts):
        index.add(i, fingerprint(text))
    for i, text in enumerate(texts):
        changed = text[:40] + rng.choice(CHARS) + text[40:]
        assert jaccard(text, changed) > 0.7
        assert list(index.find(fingerprint(changed))) == [i]
        half = text[:30] + random_text(rng, 30)
        assert not index.contains(fingerprint(half))
    index.remove(7)
    assert not index.contains(fingerprint(texts[7]))
    assert index.contains(fingerprint(texts[8]))


def test_fingerprints_do_not_depend_on_the_process():
    found = fingerprint("王芳任北京大学教授。")
    assert len(found.ngrams) == 10
    assert found.ngrams[0] == 35998857
    assert found.bands[0].hex() == (
        "7d3f1e20000000006cedcc030000000064710a16000000007e15460600000000"
    )


def test_a_very_long_text_takes_linear_time():
    rng = random.Random(2)
    seconds = []
    for n in (20_000, 200_000):
        text = random_text(rng, n)
        start = time.perf_counter()
        fingerprint(text)
        seconds.append(time.perf_counter() - start)
    assert seconds[1] < 40 * seconds[0]
