"""The component `lstm_ner` of a pipeline, and what runs before it."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.tokens import Doc
from thinc.api import Model

from ..pipeline import LSTMEntityRecognizer, recognizers


def find_component(
    nlp: Language, name: str | None = None
) -> tuple[str, LSTMEntityRecognizer]:
    """A component `lstm_ner` of a pipeline: the one of this name, or the first.

    RAISES (ValueError): Where there is none.
    """
    found = recognizers(nlp)
    if not found:
        raise ValueError(
            f"The pipeline has no component lstm_ner, only {nlp.pipe_names}: nothing "
            f"else can be looked into."
        )
    if name is None:
        return next(iter(found.items()))
    if name not in found:
        raise ValueError(
            f"{name!r} is no component lstm_ner of the pipeline: there are {[*found]}."
        )
    return name, found[name]


def fresh(nlp: Language, text: str | Doc) -> Doc:
    """A text as the tokenizer makes it; of a Doc only its tokens are taken, since what
    is annotated already would not be found any more."""
    if isinstance(text, str):
        return nlp.make_doc(text)
    words = [token.text for token in text]
    spaces = [bool(token.whitespace_) for token in text]
    return Doc(nlp.vocab, words=words, spaces=spaces)


def prepared(nlp: Language, docs: Iterable[Doc], name: str) -> list[Doc]:
    """Documents as the component of this name gets them."""
    docs, names = list(docs), nlp.pipe_names
    # In one batch, so that a shared tok2vec runs once.
    size = max(1, len(docs))
    return list(nlp.pipe(docs, disable=names[names.index(name) :], batch_size=size))


def lstm_cells(nlp: Language, ner: LSTMEntityRecognizer) -> list[Model]:
    """The LSTM cells of a component, and of the tok2vec that it shares with others.

    RAISES (ValueError): Where there are none.
    """
    nodes = list(ner.model.walk())
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, Tok2Vec) and not set(pipe.listeners).isdisjoint(nodes):
            nodes.extend(pipe.model.walk())
    cells = [node for node in nodes if node.name == "lstm_cell"]
    if not cells:
        raise ValueError(
            f"[{ner.name}] The model has no LSTM to look into: set "
            f'@architectures = "spacy-lstm-ner.LSTMEncoder.v1" as its encoder.'
        )
    return cells
