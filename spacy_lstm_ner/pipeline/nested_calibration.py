"""The temperature of a component whose entities may overlap, see calibration.py."""

import numpy as np
from spacy.training import Example
from thinc.types import Floats1d

from ..exceptions import NotCalibrated
from .calibration import fit_temperature
from .nested_decoding import LabelEntities, NestedDecoder
from .nested_training import annotation


def find_nested_temperature(
    decoder: NestedDecoder, examples: list[Example], window: int | None, spans_key: str
) -> float:
    """Find the temperature, see `LSTMNestedEntityRecognizer.calibrate`.

    decoder: The component with the temperature that it has.
    examples: Examples that it was not trained on.
    window: Units per window.
    spans_key: The span group with the gold entities.
    RETURNS: The temperature, rounded to four decimals.
    RAISES (NotCalibrated): If no entity is found, or none is correct.
    """
    gold = [annotation(decoder.state, eg, spans_key) for eg in examples]
    # What was found for each label in each batch, which of these entities count, and
    # which of those that do are correct.
    found: list[tuple[LabelEntities, list[int]]] = []
    is_correct: list[bool] = []
    for batch in decoder.batches([eg.predicted for eg in examples], window):
        starts = [rows.start for rows in batch.rows]
        for entities in decoder.search(batch):
            counted = []
            for i, (start, end, label) in enumerate(entities.spans):
                k = int(np.searchsorted(starts, start, side="right")) - 1
                part = batch.windows[k]
                shift = part.offset - starts[k]
                outermost = entities.spans[entities.chain(i)[0]].start + shift
                if not part.core[0] <= outermost < part.core[1]:
                    continue
                own = gold[part.doc_index]
                place = start + shift, end + shift, label
                if own.unknown[place[0] : place[1]].any():
                    continue
                if any(
                    s.label == label and s.start < place[1] and place[0] < s.end
                    for s in own.misaligned
                ):
                    continue
                counted.append(i)
                is_correct.append(place in own.spans)
            found.append((entities, counted))
    if not any(is_correct):
        raise NotCalibrated(
            f"[{decoder.name}] None of {len(is_correct)} entities found in "
            f"{len(examples)} texts is correct: there is nothing to calibrate with."
        )

    def probabilities(temperature: float) -> Floats1d:
        return np.concatenate(
            [
                decoder.scores(entities, temperature=temperature)[counted]
                for entities, counted in found
                if counted
            ]
        )

    return round(fit_temperature(probabilities, np.array(is_correct)), 4)
