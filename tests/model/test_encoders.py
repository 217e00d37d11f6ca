"""The encoders of `spacy.Tok2Vec.v2`, in a pipeline."""

import pytest
import spacy
from spacy.training import Example
from spacy.util import fix_random_seed

from ..helpers.pipelines import found, loaded_again

ENCODERS = {
    "RNNEncoder": {"width": 16, "depth": 2, "bi": True},
    "RNNStackEncoder": {"width": 16, "linear_width": 8, "depth": 2, "bi": False},
    "LSTMEncoder": {"width": 16, "depth": 2, "bi": True},
    "LSTMStackEncoder": {"width": 16, "linear_width": 8, "depth": 2, "bi": True},
}
TEXT, ENTITIES = "王芳任北京大学教授", [(0, 2, "NAME"), (3, 7, "ORG"), (7, 9, "TITLE")]


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_learns_and_is_saved(name):
    fix_random_seed(0)
    nlp = spacy.blank("zh")
    encode = {"@architectures": f"spacy-lstm-ner.{name}.v1", **ENCODERS[name]}
    embed = {"width": 8, "rows": [100]}
    ner = nlp.add_pipe(
        "lstm_ner", config={"model": {"tok2vec": {"embed": embed, "encode": encode}}}
    )
    example = Example.from_dict(nlp.make_doc(TEXT), {"entities": ENTITIES})
    optimizer = nlp.initialize(lambda: [example])
    optimizer.learn_rate = 0.02
    for _ in range(30):
        nlp.update([example], sgd=optimizer)
    expected = [(TEXT[start:end], label) for start, end, label in ENTITIES]
    assert [(ent.text, ent.label_) for ent in nlp(TEXT).ents] == expected
    again = loaded_again(nlp)
    assert found(again(TEXT)) == found(nlp(TEXT))
    assert again.get_pipe("lstm_ner").model.to_bytes() == ner.model.to_bytes()
