"""The gates of an LSTM, recorded while it processes a text."""

from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.types import Floats2d, Ints1d, Ints2d

from ..layers.recording import States, record_states
from ..model.units import in_characters
from ..tags import ScoredSpan
from .access import find_component, lstm_cells, run_preceding_pipes, unannotated_doc


class Gates(NamedTuple):
    """What a component computes for a text of n units: characters or, with
    ``unit = "token"``, tokens."""

    text: str
    #: (n,) the start and end of each unit, in characters of the text.
    offsets: list[tuple[int, int]]
    #: For each layer, from the input on: `input_gate`, `forget_gate`, `output_gate`,
    #: `candidate`, `cell` and `hidden`, each (directions, n, hidden units). Direction 0
    #: reads forward, direction 1 backward.
    layers: list[States]
    #: The names of the T tags.
    tags: tuple[str, ...]
    #: (n, T) the emission score of each tag; minus infinity for tags that preset
    #: entities rule out.
    emissions: Floats2d
    #: (n,) the indices of the tags on the best path. Of a component `lstm_nested_ner`,
    #: which has K CRFs: (K, n), -1 where a CRF reads nothing, and the T tags are those
    #: of one CRF after the other.
    path: Ints1d | Ints2d
    #: The predicted entities, in characters of the text, with their probabilities.
    #: Preset entities are not included.
    entities: list[ScoredSpan]
    #: The language of the pipeline, as spaCy names it.
    lang: str = ""

    @property
    def places(self) -> list[tuple[int, int]]:
        """The former name of `offsets`."""
        return self.offsets

    @property
    def units(self) -> list[str]:
        """(n,) the text of each unit."""
        return [self.text[start:end] for start, end in self.offsets]

    @property
    def unit_name(self) -> str:
        """What the units are: "character" or "token"."""
        by_character = all(end - start == 1 for start, end in self.offsets)
        return "character" if by_character else "token"

    @property
    def paths(self) -> Ints2d:
        """(K, n) the best path of each CRF: K is 1 for `lstm_ner`."""
        return np.atleast_2d(self.path)

    @property
    def path_tags(self) -> list[str]:
        """(n,) the tags on the best path. Of several CRFs those that are not "O", with
        a space between them."""
        by_unit = [
            [self.tags[index] for index in column if index >= 0]
            for column in self.paths.T.tolist()
        ]
        return [" ".join(tag for tag in tags if tag != "O") or "O" for tags in by_unit]

    def __repr__(self) -> str:
        layers = ", ".join(
            f"{directions} × {width}"
            for directions, _, width in (layer.hidden.shape for layer in self.layers)
        )
        return (
            f"Gates({self.text[:30]!r}, {len(self.offsets)} units, hidden units per "
            f"layer: {layers}, {len(self.entities)} entities)"
        )


def open_gates(
    nlp: Language, text: str | Doc, *, component: str | None = None
) -> Gates:
    """Record the gates of the LSTM on a text: see
    `spacy_lstm_ner.inspect.open_gates`."""
    name, ner = find_component(nlp, component)
    cells = lstm_cells(nlp, ner)
    doc = unannotated_doc(nlp, text)
    if not doc.text:
        raise ValueError("The text is empty.")
    with record_states(cells) as layers:
        (doc,) = run_preceding_pipes(nlp, [doc], name)
        (decoding,) = ner.decode([doc])
    return Gates(
        text=doc.text,
        offsets=ner.state.units.offsets(doc),
        layers=layers,
        tags=ner.state.columns,
        emissions=decoding.emissions,
        path=decoding.path,
        entities=list(in_characters(ner.state.units, doc, decoding.spans)),
        lang=nlp.lang or "",
    )
