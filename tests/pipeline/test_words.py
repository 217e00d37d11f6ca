"""English: tokens, with a table of words and a lexicon."""

import numpy as np
import pytest
import spacy
from spacy.training import Example
from spacy.util import fix_random_seed

# By cluster: cities, persons, others.
CLUSTERS = {
    "10": ["London", "Paris", "Berlin", "Rome", "Madrid", "Oslo"],
    "01": ["Anna", "Peter", "Maria", "John", "Susan", "David"],
    "11": ["lives", "works", "in", "met", "near", "and"],
}
SEEN, UNSEEN = slice(0, 4), slice(4, None)
PATTERNS = ["{0} lives in {2}", "{0} met {1} near {2}", "in {2} {0} works"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "paths"
    lines = [f"{bits}\t{w}\t100" for bits, words in CLUSTERS.items() for w in words]
    path.write_text("\n".join(lines), "utf8")
    return {"@readers": "spacy-lstm-ner.ClusterWords.v1", "path": str(path)}


def examples(nlp, members, lower=False):
    found = []
    cities, persons = CLUSTERS["10"][members], CLUSTERS["01"][members]
    for city in cities:
        for first in persons:
            for second in persons:
                for pattern in PATTERNS:
                    text = pattern.format(first, second, city)
                    labels = dict.fromkeys(persons, "PER") | dict.fromkeys(
                        cities, "LOC"
                    )
                    doc = nlp.make_doc(text.lower() if lower else text)
                    doc.ents = [
                        doc.char_span(token.idx, token.idx + len(token), labels[word])
                        for token, word in zip(doc, text.split(), strict=True)
                        if word in labels
                    ]
                    found.append(Example(nlp.make_doc(doc.text), doc))
    return found


def make(**embed):
    nlp = spacy.blank("en")
    multi_hash = {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 16,
        "attrs": ["NORM", "SHAPE"],
        "rows": [500, 100],
        "include_static_vectors": False,
    }
    embed = {
        "@architectures": "spacy-lstm-ner.WordEmbed.v1",
        "embed": multi_hash,
        **embed,
    }
    encode = {
        "@architectures": "spacy-lstm-ner.LSTMEncoder.v1",
        "width": 32,
        "depth": 1,
        "bi": True,
    }
    tok2vec = {"@architectures": "spacy.Tok2Vec.v2", "embed": embed, "encode": encode}
    model = {"@architectures": "spacy-lstm-ner.NER.v1", "tok2vec": tok2vec}
    nlp.add_pipe("lstm_ner", config={"unit": "token", "model": model})
    return nlp


def trained(nlp, train, steps=100, **settings):
    nlp.config["initialize"]["components"]["lstm_ner"] = settings
    fix_random_seed(0)
    nlp.initialize(lambda: train)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        nlp.update([train[i] for i in rng.integers(len(train), size=16)], drop=0.3)
    return nlp


@pytest.fixture(scope="module")
def by_table(table):
    nlp = make(width=8)
    train = examples(nlp, SEEN) + examples(nlp, SEEN, lower=True)
    return trained(nlp, train, words=table)


def test_words_of_known_clusters_are_recognized(by_table):
    assert by_table.evaluate(examples(by_table, UNSEEN))["ents_f"] > 0.95
    # Also in lower case: the cluster is that of another form.
    assert by_table.evaluate(examples(by_table, UNSEEN, lower=True))["ents_f"] > 0.9


def test_without_the_table_they_are_not():
    nlp = make(width=0)
    trained(nlp, examples(nlp, SEEN))
    assert nlp.evaluate(examples(nlp, SEEN))["ents_f"] > 0.95
    assert nlp.evaluate(examples(nlp, UNSEEN))["ents_f"] < 0.9


def test_it_is_saved_with_the_table(by_table, tmp_path):
    texts = [eg.text for eg in examples(by_table, UNSEEN)[:9]]

    def entities(nlp):
        return [[(ent.text, ent.label_) for ent in doc.ents] for doc in nlp.pipe(texts)]

    expected = entities(by_table)
    assert any(expected)
    by_table.to_disk(tmp_path)
    assert entities(spacy.load(tmp_path)) == expected
    loaded = make(width=8).from_bytes(by_table.to_bytes())
    assert entities(loaded) == expected


def test_phrases_of_a_lexicon_in_any_case():
    lexicon = {
        "place": {"new york": 3, "San  Francisco": 1, "rome": 1},
        "person": {"MARY JONES": 1, "rome": 1},
    }
    nlp = make(width=0, lexicon_width=8)
    trained(nlp, examples(nlp, SEEN)[:5], steps=1, lexicon=lexicon)
    layers = nlp.get_pipe("lstm_ner").model.walk()
    (layer,) = [node for node in layers if node.name == "word_symbols>>lexicon_embed"]

    def vectors(text):
        return layer.predict([nlp.make_doc(text)]).dataXd

    def is_equal(one, other):
        return bool((one == other).all())

    york = vectors("we saw new york")
    for text in ("We saw New York", "WE SAW NEW YORK"):
        assert is_equal(vectors(text), york)
    # In a phrase or not; of one kind or two; of another kind; in no phrase.
    assert not is_equal(vectors("we saw new jersey")[2], york[2])
    assert not is_equal(vectors("Rome")[0], vectors("we saw new")[2])
    assert not is_equal(vectors("mary jones")[0], york[2])
    assert is_equal(vectors("a b")[0], vectors("we saw")[1])
    # A blank more in the lexicon is no token; in the text it is.
    francisco = vectors("we san francisco")
    assert not is_equal(francisco[1], vectors("we san jose")[1])
    assert is_equal(francisco[1:], vectors("I SAN FRANCISCO")[1:])


def test_a_table_that_no_layer_reads(table):
    nlp = spacy.blank("en")
    nlp.add_pipe("lstm_ner", config={"unit": "token"})
    nlp.config["initialize"]["components"]["lstm_ner"] = {"words": table}
    with pytest.raises(ValueError, match=r"does not read one.*WordEmbed\.v1"):
        nlp.initialize(lambda: examples(nlp, SEEN)[:5])


def test_a_layer_without_a_table():
    nlp = make(width=8)
    with pytest.raises(ValueError, match=r"LookupsWords\.v1"):
        nlp.initialize(lambda: examples(nlp, SEEN)[:5])
