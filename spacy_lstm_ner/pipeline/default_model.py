"""The default models of the component, one per unit."""

from spacy import registry
from thinc.api import Config, Model

from ..model.units import reads_characters

DEFAULT_MODEL_CONFIG = """
[model]
@architectures = "spacy-lstm-ner.NER.v1"
nO = null
crf = true

[model.tok2vec]
@architectures = "spacy.Tok2Vec.v2"

[model.tok2vec.embed]
@architectures = "spacy-lstm-ner.HashCharEmbed.v1"
width = 64
rows = [3000, 10000]
ngram_dropout = 0.5
lexicon_width = 0

[model.tok2vec.encode]
@architectures = "spacy-lstm-ner.LSTMEncoder.v1"
width = 256
depth = 1
bi = true
"""
# The embedding of the default model for unit = "token".
DEFAULT_TOKEN_EMBED_CONFIG = """
[embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 96
attrs = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
rows = [5000, 1000, 2500, 2500]
include_static_vectors = false
"""


#: The architectures of the components.
NER = "spacy-lstm-ner.NER.v1"
NESTED_NER = "spacy-lstm-ner.NestedNER.v1"


def default_model(architecture: str = NER) -> Config:
    """The config section ``[model]`` of the default model, for ``unit = "char"``."""
    model: Config = Config().from_str(DEFAULT_MODEL_CONFIG)["model"]
    model["@architectures"] = architecture
    return model


def default_token_model(architecture: str = NER) -> Config:
    """The config section ``[model]`` of the default model for ``unit = "token"``."""
    model = default_model(architecture)
    embed = Config().from_str(DEFAULT_TOKEN_EMBED_CONFIG)["embed"]
    model["tok2vec"]["embed"] = embed
    return model


def resolve_model(config: Config) -> Model:
    """Build a model from its config section."""
    model: Model = registry.resolve({"model": config})["model"]
    return model


def is_default(model: Model, architecture: str = NER) -> bool:
    """Return whether a model is the one of a config that does not name any."""
    if not reads_characters(model):
        return False

    def layers(of: Model) -> list[tuple]:
        return [
            (node.name, node.attrs, [node.maybe_get_dim(d) for d in node.dim_names])
            for node in of.walk()
        ]

    return repr(layers(model)) == repr(
        layers(resolve_model(default_model(architecture)))
    )
