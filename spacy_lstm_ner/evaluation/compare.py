"""Comparison of two pipelines on the same annotated data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from ..data.corpus import read_examples
from ..exceptions import DataError
from ..tags import Span
from .document_counts import DocumentCounts, GoldAndPredicted, count_entities
from .evaluate import EntityScorer
from .inputs import as_pipeline, no_entities_error, require_files
from .predictions import analyzed_group
from .significance import (
    PairedTest,
    ScoreIntervals,
    bootstrap_intervals,
    paired_test,
    scores,
)


class Difference(NamedTuple):
    """A document with different predictions.

    number: Its number in the data, from 1.
    text: The text.
    gold: Its gold entities, by characters.
    first: The entities that the first pipeline predicts.
    second: Those that the second one predicts.
    """

    number: int
    text: str
    gold: list[Span]
    first: list[Span]
    second: list[Span]


class PipelineScores(NamedTuple):
    """The scores of a pipeline.

    p: Precision.
    r: Recall.
    f: F1.
    intervals: Their intervals.
    """

    p: float
    r: float
    f: float
    intervals: ScoreIntervals


class LabelComparison(NamedTuple):
    """The comparison of the scores of a label, or of all.

    first: The scores of the first pipeline.
    second: Those of the second one.
    test: Whether they differ.
    """

    first: PipelineScores
    second: PipelineScores
    test: PairedTest


@dataclass(frozen=True)
class Comparison:
    """The comparison of two pipelines.

    overall: The scores of all entities.
    by_label: Those of each label.
    documents: Number of documents.
    only_first: Number of gold entities that only the first pipeline finds.
    only_second: Number of those that only the second one finds.
    differences: The documents in which their predictions differ.
    level: The confidence level of the intervals.
    """

    overall: LabelComparison
    by_label: dict[str, LabelComparison]
    documents: int
    only_first: int
    only_second: int
    differences: list[Difference]
    level: float


def compare(
    first: str | Path | Language,
    second: str | Path | Language,
    data: str | Path,
    *,
    limit: int = 0,
    level: float = 0.95,
    samples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare two pipelines on annotated data: by paired tests on the same documents,
    see significance.py.

    first: A pipeline, or its folder or installed package.
    second: The other one.
    data: A .spacy file, or a dataset file in any format that `convert` reads.
    limit: Use only the first `limit` records. 0: all.
    level: The confidence level of intervals.
    samples: The number of samples of each test.
    seed: The seed of the samples.
    RETURNS: The comparison.
    RAISES (OSError, ValueError): If a pipeline or the file cannot be used.
    RAISES (DataError): If the pipelines have other tokens, so that other gold entities
        are left of the file.
    """
    data = Path(data)
    require_files(data)
    if not 0 < level < 1:
        raise ValueError(f"the level {level} is not between 0 and 1")
    if samples < 1:
        raise ValueError(f"samples = {samples} is less than 1")
    texts, ours, is_group = _entities(first, data, limit)
    _, theirs, is_other_group = _entities(second, data, limit)
    if is_group != is_other_group:
        raise DataError(
            f"{data}: one of the pipelines predicts entities in doc.ents, and the "
            f"other one in a span group: these have other gold entities"
        )
    gold = [documents for documents, _ in ours]
    if gold != [documents for documents, _ in theirs]:
        raise DataError(
            f"{data}: the tokenizers of the pipelines fit other entities of this file: "
            f"convert it to a .spacy file, which has tokens of its own"
        )
    counts = [count_entities(documents) for documents in (ours, theirs)]
    labels = sorted({*counts[0].labels, *counts[1].labels})

    def comparison(label: str | None) -> LabelComparison:
        first, second = (_scores(each, label, level) for each in counts)
        pair = (each.of(label) for each in counts)
        test = paired_test(*pair, level=level, samples=samples, seed=seed)
        return LabelComparison(first, second, test)

    found = [[set(few) & set(gold) for gold, few in side] for side in (ours, theirs)]
    pairs = list(zip(*found, strict=True))
    return Comparison(
        overall=comparison(None),
        by_label={label: comparison(label) for label in labels},
        documents=len(texts),
        only_first=sum(len(x - y) for x, y in pairs),
        only_second=sum(len(y - x) for x, y in pairs),
        differences=_differences(texts, ours, theirs),
        level=level,
    )


def _entities(
    model: str | Path | Language, data: Path, limit: int
) -> tuple[list[str], list[GoldAndPredicted], bool]:
    """Return the texts, their gold and predicted entities by characters, and whether
    these are in a span group."""
    nlp = as_pipeline(model)
    scorer = EntityScorer(nlp)
    examples = list(read_examples(data, nlp, limit=limit))
    scores = nlp.evaluate(examples, scorer=scorer)
    key = analyzed_group(nlp)
    found = scorer.documents if key is None else scorer.grouped.get(key)
    if found is None or (key is None and scores.get("ents_f") is None):
        raise no_entities_error(model, nlp, data)
    documents = [
        (
            _in_characters(example.reference, gold),
            _in_characters(example.reference, predicted),
        )
        for example, (gold, predicted) in zip(examples, found, strict=True)
    ]
    texts = [example.reference.text for example in examples]
    return texts, documents, key is not None


def _in_characters(doc: Doc, spans: Sequence[Span]) -> list[Span]:
    """Return spans of tokens by characters, in the order of the text."""
    return [
        Span(span.start_char, span.end_char, label)
        for start, end, label in sorted(spans)
        for span in [doc[start:end]]
    ]


def _scores(counts: DocumentCounts, label: str | None, level: float) -> PipelineScores:
    found = counts.of(label)
    p, r, f = map(float, scores(found.sum(axis=0)))
    return PipelineScores(p, r, f, bootstrap_intervals(found, level=level))


def _differences(
    texts: list[str], ours: list[GoldAndPredicted], theirs: list[GoldAndPredicted]
) -> list[Difference]:
    """Return the documents in which the predictions differ."""
    rows = zip(texts, ours, theirs, strict=True)
    return [
        Difference(number, text, gold, first, second)
        for number, (text, (gold, first), (_, second)) in enumerate(rows, 1)
        if first != second
    ]
