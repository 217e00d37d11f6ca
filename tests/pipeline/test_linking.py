"""spaCy's entity linker after the component: IDs and probabilities stay together."""

import pytest
import spacy
from spacy.kb import InMemoryLookupKB
from spacy.tokens import Doc, DocBin

from spacy_lstm_ner import entity_scores

from ..helpers.pipelines import loaded_again


class Linking:
    """A pipeline with a linker, and a text. The first of its entities has two
    candidates, the second one has one, and the others have none.

    unit: What the tokens are, "character" or "word": each entity is one token.
    """

    def __init__(self, trained, examples, unit):
        self.text = next(eg.text for eg in examples if len(eg.reference.ents) > 2)
        self.doc = trained(self.text)  # without a linker
        first, second, *rest = self.doc.ents
        ids = {first: "Q2", second: "Q3", **dict.fromkeys(rest, "NIL")}
        self.links = [(e.text, e.label_, kb_id) for e, kb_id in ids.items()]
        entities = {i: ent for ent in self.doc.ents for i in range(ent.start, ent.end)}
        self.words = (
            list(dict.fromkeys(entities.get(t.i, t) for t in self.doc))
            if unit == "word"
            else list(self.doc)
        )

        def make_kb(vocab):
            kb = InMemoryLookupKB(vocab, entity_vector_length=4)
            for kb_id in ("Q1", "Q2", "Q3"):
                kb.add_entity(kb_id, freq=1, entity_vector=[0.0] * 4)
            kb.add_alias(first.text, ["Q1", "Q2"], [0.3, 0.6])
            kb.add_alias(second.text, ["Q3"], [1.0])
            return kb

        self.nlp = loaded_again(trained)
        self.nlp.add_pipe("sentencizer", first=True)
        linker = self.nlp.add_pipe("entity_linker", config={"incl_context": False})
        linker.set_kb(make_kb)

    def make_doc(self, nlp):
        words = [word.text for word in self.words]
        return Doc(nlp.vocab, words=words, spaces=[False] * len(words))


@pytest.fixture(scope="module", params=["character", "word"])
def linking(request, trained, examples):
    return Linking(trained, examples, request.param)


def linked(doc):
    return [(ent.text, ent.label_, ent.kb_id_) for ent in doc.ents]


def test_ids_and_probabilities(linking):
    doc = linking.nlp(linking.make_doc(linking.nlp))
    assert linked(doc) == linking.links
    scores = entity_scores(doc)
    assert None not in scores
    assert scores == pytest.approx(entity_scores(linking.doc))


def test_they_are_kept(linking, tmp_path):
    nlp = linking.nlp
    doc = nlp(linking.make_doc(nlp))
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    (stored,) = DocBin(docs=[doc]).get_docs(nlp.vocab)
    docs = [linking.make_doc(nlp) for _ in range(2)]
    others = {
        "bytes": Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        "copy": doc.copy(),
        "DocBin": stored,
        "loaded": again(linking.make_doc(again)),
        "processes": next(iter(nlp.pipe(docs, n_process=2))),
        "merged": nlp.create_pipe("merge_entities")(doc.copy()),
    }
    for name, other in others.items():
        assert linked(other) == linking.links, name
        assert entity_scores(other) == pytest.approx(entity_scores(doc)), name


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_second_pass(linking, overwrite):
    nlp = loaded_again(linking.nlp)
    ner, linker = nlp.get_pipe("lstm_ner"), nlp.get_pipe("entity_linker")
    ner.overwrite = overwrite
    doc = nlp(linking.make_doc(nlp))
    scores = entity_scores(doc)
    ner(doc)
    # An entity that is written again does not have the ID of an earlier one.
    ids = [kb_id for _, _, kb_id in linking.links]
    assert [e.kb_id_ for e in doc.ents] == ([""] * len(ids) if overwrite else ids)
    assert linked(linker(doc)) == linking.links
    assert entity_scores(doc) == pytest.approx(scores)
