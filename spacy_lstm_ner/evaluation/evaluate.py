"""Evaluation of a pipeline on a data set.

`spacy evaluate` prints and saves only the scores of spaCy's own components.
"""

from pathlib import Path
from typing import Any

from spacy.language import Language

from ..data.corpus import read_examples
from .inputs import as_pipeline, no_entities_error, require_files

_KEY_PREFIXES = ("ents_", "bio_", "speed")


def evaluate(
    model: str | Path | Language, data: str | Path, *, limit: int = 0
) -> dict[str, Any]:
    """Evaluate a pipeline on annotated data.

    model: The pipeline, or its folder or installed package.
    data: A .spacy file, or a dataset file in any format that `convert` reads.
    limit: Use only the first `limit` records. 0: all.
    RETURNS: The scores of entities (ents_*; ents_ece is the expected calibration error)
        and of tags (bio_*), and the speed in tokens per second.
    RAISES (OSError, ValueError): If the pipeline or the file cannot be used.
    """
    data = Path(data)
    require_files(data)
    nlp = as_pipeline(model)
    scores = nlp.evaluate(list(read_examples(data, nlp, limit=limit)))
    if scores.get("ents_f") is None:
        raise no_entities_error(model, nlp, data)
    return {key: scores[key] for key in sorted(scores) if key.startswith(_KEY_PREFIXES)}
