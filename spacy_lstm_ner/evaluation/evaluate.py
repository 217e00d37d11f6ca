"""Evaluation of a pipeline on a data set.

`spacy evaluate` prints and saves only the scores of spaCy's own components.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Example

from ..data.corpus import read_examples
from ..pipeline import nested_recognizers
from .document_counts import (
    DocumentCounts,
    GoldAndPredicted,
    aligned_entities,
    count_entities,
)
from .inputs import as_pipeline, no_entities_error, require_files
from .muc import count_muc
from .nested_scorer import aligned_spans
from .significance import ScoreIntervals, bootstrap_intervals

_KEY_PREFIXES = ("ents_", "bio_", "spans_", "speed")
_LEVEL = 0.95


class EntityScorer(Scorer):
    """spaCy's scorer, which keeps the entities that it has compared.

    documents: The gold and the predicted entities of each document.
    grouped: The same of each span group to which a component `lstm_nested_ner` writes.
    """

    documents: list[GoldAndPredicted]
    grouped: dict[str, list[GoldAndPredicted]]

    def score(
        self, examples: Iterable[Example], *, per_component: bool = False
    ) -> dict[str, Any]:
        examples = list(examples)
        self.documents = aligned_entities(examples)
        keys = [pipe.spans_key for pipe in nested_recognizers(self.nlp).values()]
        found = {key: aligned_spans(examples, key) for key in keys}
        self.grouped = {key: some for key, some in found.items() if some is not None}
        scores: dict[str, Any] = super().score(examples, per_component=per_component)
        return scores


def evaluate(
    model: str | Path | Language, data: str | Path, *, limit: int = 0
) -> dict[str, Any]:
    """Evaluate a pipeline on annotated data.

    model: The pipeline, or its folder or installed package.
    data: A .spacy file, or a dataset file in any format that `convert` reads.
    limit: Use only the first `limit` records. 0: all.
    RETURNS: The scores of entities (ents_*), of tags (bio_*) and of span groups
        (spans_*, see nested_scorer.py), and the speed in tokens per second. ents_ece is
        the expected calibration error; ents_intervals has 95% bootstrap intervals over
        documents, see significance.py; ents_muc counts partial matches, see muc.py.
    RAISES (OSError, ValueError): If the pipeline or the file cannot be used.
    """
    data = Path(data)
    require_files(data)
    nlp = as_pipeline(model)
    scorer = EntityScorer(nlp)
    examples = list(read_examples(data, nlp, limit=limit))
    scores = nlp.evaluate(examples, scorer=scorer)
    for key, documents in scorer.grouped.items():
        intervals = intervals_by_label(count_entities(documents))
        scores[f"spans_{key}_intervals"] = intervals
    if scores.get("ents_f") is not None:
        scores["ents_intervals"] = intervals_by_label(count_entities(scorer.documents))
        scores["ents_muc"] = {
            scheme: {**vars(counts), **dict(zip("prf", counts.prf, strict=True))}
            for scheme, counts in count_muc(scorer.documents).items()
        }
    elif not scorer.grouped:
        raise no_entities_error(model, nlp, data)
    return {key: scores[key] for key in sorted(scores) if key.startswith(_KEY_PREFIXES)}


def intervals_by_label(counts: DocumentCounts) -> dict[str, Any]:
    """Compute the intervals of precision, recall and F1, overall and by label, as
    JSON: each has its lower and upper limit."""
    per_type = {
        label: _as_json(bootstrap_intervals(counts.of(label), level=_LEVEL))
        for label in counts.labels
    }
    return {
        "level": _LEVEL,
        "documents": len(counts.counts),
        **_as_json(bootstrap_intervals(counts.of(), level=_LEVEL)),
        "per_type": per_type,
    }


def _as_json(intervals: ScoreIntervals) -> dict[str, list[float]]:
    return {name: list(interval) for name, interval in intervals._asdict().items()}
