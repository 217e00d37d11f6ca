"""One short document, decoded without batches and windows.

An application that calls ``nlp(text)`` for one text after the other waits for each, and
for a short text the steps of batch.py and decoding.py take longer than the kernels.
This is the same computation for the frequent case, as far as it goes.
"""

import numpy as np
from spacy.tokens import Doc
from thinc.types import Ragged

from ..layers.marginals import segment_marginals
from ..layers.viterbi import best_paths
from ..model.compiled_scores import compiled_scores
from ..tags import ScoredSpan
from .brackets import bracket_pairs, split_pairs
from .decoding import Decoder
from .preset import has_preset


def predict_short_text(
    decoder: Decoder, doc: Doc, window: int | None, threshold: float
) -> list[ScoredSpan] | None:
    """Find the entities of a document, as `predict_spans`.

    RETURNS: The entities. None: the document needs the general way, since it is long or
        empty, has preset entities or an entity that would split a pair of brackets; or
        the model is none of characters that kernels compute.
    """
    state = decoder.state
    if state.unit != "char" or has_preset(doc, decoder.overwrite):
        return None
    text = doc.text
    if window is not None and len(text) > window:
        return None
    scores = compiled_scores(decoder.model, [text])
    if scores is None or not np.isfinite(scores).all():
        return None
    crf, tags = decoder.model.get_ref("crf"), state.tags
    emissions = Ragged(scores, np.array([len(text)]))
    path = best_paths(crf, emissions, tags.constraints)
    spans = tags.spans_from_ids(path)
    if not spans:
        return []
    if decoder.whole_brackets and split_pairs(bracket_pairs(text), spans):
        return None
    probabilities = segment_marginals(
        crf,
        emissions,
        tags.constraints,
        tags.segments_of_path(path, spans),
        temperature=state.temperature,
    )
    return [
        ScoredSpan(*span, p)
        for span, p in zip(spans, probabilities.tolist(), strict=True)
        if p >= threshold
    ]
