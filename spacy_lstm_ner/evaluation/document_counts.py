"""Correct, spurious and missed entities of each document, from which scores, intervals
and tests are computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example

from ..tags import Span


@dataclass(frozen=True)
class DocumentCounts:
    """The counts of a pipeline on a data set.

    labels: The labels.
    counts: (documents, labels, 3) the numbers of true positives, false positives and
        false negatives.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    def of(self, label: str | None = None) -> NDArray[np.int64]:
        """The counts of a label, or of all of them.

        label: The label. None: all.
        RETURNS: (documents, 3); zeros for a label that does not occur.
        """
        if label is not None and label not in self.labels:
            return np.zeros((len(self.counts), 3), dtype="int64")
        if label is None:
            totals: NDArray[np.int64] = self.counts.sum(axis=1)
            return totals
        return self.counts[:, self.labels.index(label)]


#: The gold and the predicted entities of a document.
GoldAndPredicted = tuple[list[Span], list[Span]]


def aligned_entities(examples: Iterable[Example]) -> list[GoldAndPredicted]:
    """Return the entities of examples with predictions, as spaCy's `get_ner_prf`
    compares them: in tokens of the reference, without predictions where the annotation
    is missing.

    examples: The examples.
    """
    rows: list[GoldAndPredicted] = []
    for example in examples:
        reference = example.reference
        gold: list[Span] = []
        predicted: list[Span] = []
        if reference.has_annotation("ENT_IOB"):
            gold = [Span(e.start, e.end, e.label_) for e in reference.ents]
            is_unknown = reference.to_array("ENT_IOB") == 0
            x2y = example.alignment.x2y if example.predicted.ents else None
            for ent in example.predicted.ents:
                assert x2y is not None
                tokens = x2y[ent.start : ent.end]
                if len(tokens):
                    start, end = int(tokens[0]), int(tokens[-1]) + 1
                    if not is_unknown[start:end].any():
                        predicted.append(Span(start, end, ent.label_))
        rows.append((gold, predicted))
    return rows


def count_entities(documents: Sequence[GoldAndPredicted]) -> DocumentCounts:
    """Count correct, spurious and missed entities.

    documents: The gold and the predicted entities of each document.
    """
    labels = sorted(
        {span.label for pair in documents for spans in pair for span in spans}
    )
    index = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(documents), len(labels), 3), dtype="int64")
    for row, (gold, predicted) in zip(counts, documents, strict=True):
        rest = set(gold)
        for span in predicted:
            # Two predictions may be aligned with the same tokens.
            row[index[span.label], 0 if span in rest else 1] += 1
            rest.discard(span)
        for span in rest:
            row[index[span.label], 2] += 1
    return DocumentCounts(tuple(labels), counts)
