"""Access to a component of a pipeline, its inputs and its LSTM cells."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.tokens import Doc
from thinc.api import Model

from ..pipeline import (
    LSTMEntityRecognizer,
    LSTMNestedEntityRecognizer,
    nested_recognizers,
    recognizers,
)

#: A component that can be inspected.
Recognizer = LSTMEntityRecognizer | LSTMNestedEntityRecognizer


def find_component(nlp: Language, name: str | None = None) -> tuple[str, Recognizer]:
    """Return a component `lstm_ner` or `lstm_nested_ner` of a pipeline, with its name.

    nlp: The pipeline.
    name: The name of the component. None: the first `lstm_ner`; if there is none, the
        first `lstm_nested_ner`.
    RETURNS: Its name and the component.
    RAISES (ValueError): If there is none.
    """
    components: dict[str, Recognizer] = {**recognizers(nlp), **nested_recognizers(nlp)}
    if not components:
        raise ValueError(
            f"The pipeline has no component lstm_ner or lstm_nested_ner, only "
            f"{nlp.pipe_names}: other components cannot be inspected."
        )
    if name is None:
        return next(iter(components.items()))
    if name not in components:
        raise ValueError(
            f"The pipeline has no component lstm_ner or lstm_nested_ner with the name "
            f"{name!r}: use one of {[*components]}."
        )
    return name, components[name]


def unannotated_doc(nlp: Language, text: str | Doc) -> Doc:
    """Return a Doc without annotation, since preset entities would not be predicted.

    nlp: The pipeline.
    text: A text, which is tokenized, or a Doc, whose tokens are used.
    RETURNS: The Doc.
    """
    if isinstance(text, str):
        return nlp.make_doc(text)
    words = [token.text for token in text]
    spaces = [bool(token.whitespace_) for token in text]
    return Doc(nlp.vocab, words=words, spaces=spaces)


def run_preceding_pipes(nlp: Language, docs: Iterable[Doc], name: str) -> list[Doc]:
    """Run the components of a pipeline that precede a component.

    nlp: The pipeline.
    docs: The input of the pipeline.
    name: The name of the component.
    RETURNS: The input of the component.
    """
    docs, names = list(docs), nlp.pipe_names
    # In one batch, so that a shared tok2vec runs once.
    size = max(1, len(docs))
    return list(nlp.pipe(docs, disable=names[names.index(name) :], batch_size=size))


def lstm_cells(nlp: Language, ner: Recognizer) -> list[Model]:
    """Return the LSTM cells of a component, including those of a tok2vec that it shares
    with others.

    nlp: The pipeline.
    ner: The component.
    RETURNS: The cells, in the order of the layers.
    RAISES (ValueError): If there are none.
    """
    nodes = list(ner.model.walk())
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, Tok2Vec) and not set(pipe.listeners).isdisjoint(nodes):
            nodes.extend(pipe.model.walk())
    cells = [node for node in nodes if node.name == "lstm_cell"]
    if not cells:
        raise ValueError(
            f"[{ner.name}] The model contains no LSTM: use the encoder "
            f'@architectures = "spacy-lstm-ner.LSTMEncoder.v1".'
        )
    return cells
