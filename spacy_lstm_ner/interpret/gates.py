"""The gates of an LSTM, opened: what it does with a text, character by character."""

from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats2d, Ints1d

from ..layers.recording import States, record_states
from ..model.units import in_characters
from ..tags import ScoredSpan
from .access import (
    find_component,
    fresh,
    lstm_cells,
    prepared,
)


class Gates(NamedTuple):
    """What a component does with a text of n units: characters, or with
    ``unit = "token"`` tokens."""

    text: str
    #: (n,) where each unit begins and ends in the text.
    places: list[tuple[int, int]]
    #: One for each layer, from the first one on: `input_gate`, `forget_gate`,
    #: `output_gate`, `candidate`, `cell` and `hidden`, each (directions, n, hidden
    #: units). Direction 0 reads forwards, direction 1 backwards.
    layers: list[States]
    #: The T tags.
    tags: tuple[str, ...]
    #: (n, T) the emission score of each tag. Minus infinity rules a tag out: there are
    #: entities already that stay.
    emissions: Floats2d
    #: (n,) the numbers of the tags on the best path.
    path: Ints1d
    #: The entities on it, in characters of the text, and how probable each is. Those
    #: that other components have found before are not among them.
    entities: list[ScoredSpan]
    #: The language of the pipeline, as spaCy names it.
    lang: str = ""

    @property
    def units(self) -> list[str]:
        """The text of each unit."""
        return [self.text[start:end] for start, end in self.places]

    @property
    def unit_name(self) -> str:
        """What a unit is: "character" or "token"."""
        by_character = all(end - start == 1 for start, end in self.places)
        return "character" if by_character else "token"

    @property
    def path_tags(self) -> list[str]:
        """(n,) the tags on the best path."""
        return [self.tags[number] for number in self.path.tolist()]

    def __repr__(self) -> str:
        layers = ", ".join(
            f"{directions} × {width}"
            for directions, _, width in (layer.hidden.shape for layer in self.layers)
        )
        return (
            f"Gates({self.text[:30]!r}, {len(self.places)} units, hidden units a "
            f"layer: {layers}, {len(self.entities)} entities)"
        )


def open_gates(
    nlp: Language, text: str | Doc, *, component: str | None = None
) -> Gates:
    """Open the gates of a pipeline's LSTM on a text: one pass of the real layers, whose
    steps are looked at. The text is read whole, without windows.

        gates = open_gates(nlp, "王芳任北京大学教授。")
        gates.layers[0].forget_gate[0, 3]  # forwards, at the fourth character

    nlp (Language): The pipeline.
    text (str | Doc): The text; or a Doc, whose tokens are taken, but not what is
        annotated there.
    component (str | None): Name of the component; default: the first `lstm_ner`.
    RETURNS (Gates): What the LSTM did, and what came of it.
    RAISES (ValueError): Where there is no such component, it is not trained or has no
        LSTM, or the text is empty.
    """
    name, ner = find_component(nlp, component)
    cells = lstm_cells(nlp, ner)
    doc = fresh(nlp, text)
    if not doc.text:
        raise ValueError("The text is empty: there is nothing to look at.")
    with record_states(cells) as layers:
        (doc,) = prepared(nlp, [doc], name)
        (decoding,) = ner.decode([doc])
    return Gates(
        text=doc.text,
        places=ner.state.units.offsets(doc),
        layers=layers,
        tags=ner.tags.names,
        emissions=decoding.emissions,
        path=decoding.path,
        entities=list(in_characters(ner.state.units, doc, decoding.spans)),
        lang=nlp.lang or "",
    )
