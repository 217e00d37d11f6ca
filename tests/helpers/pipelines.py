"""Small pipelines: configs, training, copies and predictions."""

import spacy
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

SMALL_MODEL = {
    "tok2vec": {
        "embed": {"width": 16, "rows": [500, 2000]},
        "encode": {"width": 32},
    }
}
# For unit = "token": one of spaCy's own tok2vec architectures.
TOKEN_MODEL = {
    "tok2vec": {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        **{"width": 16, "depth": 1, "embed_size": 50, "window_size": 1},
        **{"maxout_pieces": 2, "subword_features": False},
    }
}


def token_config(scheme="BIOES"):
    """A config of the component with unit = "token" and this project's encoder."""
    return {
        "unit": "token",
        "scheme": scheme,
        "model": {
            "@architectures": "spacy-lstm-ner.NER.v1",
            "nO": None,
            "tok2vec": {
                "@architectures": "spacy.Tok2Vec.v2",
                "embed": {
                    "@architectures": "spacy.MultiHashEmbed.v2",
                    "width": 16,
                    "rows": [500, 500],
                    "attrs": ["NORM", "SHAPE"],
                    "include_static_vectors": False,
                },
                "encode": {
                    "@architectures": "spacy-lstm-ner.LSTMEncoder.v1",
                    "width": 32,
                    "depth": 1,
                    "bi": True,
                },
            },
        },
    }


def with_shared_tok2vec():
    """A blank pipeline whose component listens to a tok2vec component."""
    nlp = spacy.blank("zh")
    listener = {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": 32,
        "upstream": "*",
    }
    config = token_config()
    shared = config["model"]["tok2vec"]
    config["model"] = {**config["model"], "tok2vec": listener}
    nlp.add_pipe("tok2vec", config={"model": shared})
    nlp.add_pipe("lstm_ner", config=config)
    return nlp


def train(nlp, examples, *, steps=60, seed=0):
    """Initialize a pipeline, and train it until it overfits the examples."""
    fix_random_seed(seed)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01)
    for step in range(steps):
        batch = examples[step * 20 % 60 :][:20]
        nlp.update([copy_of(nlp, eg) for eg in batch], sgd=optimizer)
    return nlp


def copy_of(nlp, example):
    """The same example with a new Doc to predict on."""
    return Example(nlp.make_doc(example.reference.text), example.reference)


def loaded_again(nlp):
    """A copy of a pipeline, which can be changed independently."""
    return spacy.blank(nlp.lang).from_config(nlp.config).from_bytes(nlp.to_bytes())


def found(doc):
    """The entities of a Doc as plain values."""
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def list_pattern(text):
    """A pattern for the entity ruler that matches a text by its characters."""
    return [{"TEXT": char} for char in text]
