"""The errors of a pipeline on annotated data, and the label issues of the data."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language

from ..data.corpus import read_examples
from ..pipeline import recognizers
from ..util.progress import with_progress
from .annotation import annotated_text
from .inputs import as_pipeline, no_entities_error, require_files
from .label_issues import LabelIssue, find_label_issues
from .matching import ERROR_KINDS, EntityError, match_entities
from .mentions import SurfaceForms, count_labels
from .predictions import analyzed_group, predict_records
from .records import Record


class ErrorAnalysis(NamedTuple):
    """The errors of a pipeline on a data set, and the label issues of the data."""

    #: The number of correct entities of each label.
    correct: Counter[str]
    #: The number of gold entities of each label.
    gold: Counter[str]
    #: The errors, sorted by label, then by kind, then by confidence: the most confident
    #: ones first.
    errors: list[EntityError]
    #: Annotation that is probably wrong, the least plausible first.
    label_issues: list[LabelIssue]
    #: Whether the pipeline has a component `lstm_ner` or `lstm_nested_ner`, so that
    #: probabilities are known.
    has_probabilities: bool
    #: All texts, with their annotation and predictions.
    records: list[Record]

    def check_types(self, types: Iterable[str]) -> None:
        """Check that entity types occur in the data or in the predictions.

        types: The entity types.
        RAISES (ValueError): For a type that does not.
        """
        known = {*self.gold, *(error.entity.label for error in self.errors)}
        for label in types:
            if label not in known:
                raise ValueError(
                    f"Unknown entity type {label!r}: use {', '.join(sorted(known))}."
                )


def find_errors(
    model: str | Path | Language,
    data: str | Path,
    *,
    train: str | Path | None = None,
    max_plausibility: float = 0.05,
    progress: bool = False,
) -> ErrorAnalysis:
    """Find the errors of a pipeline, and annotation that is probably wrong.

    model: The pipeline, or its folder or installed package.
    data: A .spacy file, or a dataset file in any format that `convert` reads.
    train: The training data, in such a file, with whose annotation of the same texts
        the data is compared. May be the same file as the data.
    max_plausibility: The maximum plausibility of label issues, from 0 to 1: the square
        root of the probability of the annotation, multiplied by the share of the
        occurrences of the text that are annotated in the same way.
    progress: Whether to show a progress bar if it takes long.
    RETURNS: The errors and the label issues.
    RAISES (OSError, ValueError): If the pipeline or a file cannot be used.
    """
    data, train = Path(data), Path(train) if train else None
    require_files(data, *([train] if train else []))
    nlp = as_pipeline(model)
    spans_key = analyzed_group(nlp)
    corpus = []
    if train:
        examples = with_progress(read_examples(train, nlp), progress, "Training data")
        corpus = [annotated_text(eg, spans_key) for eg in examples]
    known = SurfaceForms(a.text[s:e] for a in corpus for s, e, _ in a.entities)
    examples = with_progress(read_examples(data, nlp), progress, "Data")
    with _with_spans_keys(nlp):
        records = list(predict_records(nlp, examples, known))
    if not any(record.gold or record.predicted for record in records) or not (
        any(record.predicted for record in records) or _predicts_entities(nlp)
    ):
        raise no_entities_error(model, nlp, data)
    correct, errors = _match_records(records)
    texts = {
        record.text[span.start : span.end]
        for record in records
        for span in (*record.gold, *record.predicted)
    }
    label_counts = count_labels(
        with_progress(corpus, progress, "Comparing"), SurfaceForms(known.texts | texts)
    )
    label_issues = find_label_issues(
        records,
        label_counts,
        counted=train is not None and train.resolve() == data.resolve(),
        max_plausibility=max_plausibility,
    )
    return ErrorAnalysis(
        correct,
        Counter(entity.label for record in records for entity in record.gold),
        errors,
        label_issues,
        has_probabilities=bool(recognizers(nlp)) or spans_key is not None,
        records=records,
    )


@contextmanager
def _with_spans_keys(nlp: Language) -> Iterator[None]:
    """Set a temporary `spans_key` for components without one, which would not store
    their probabilities."""
    changed = {
        pipe: pipe.spans_key for pipe in recognizers(nlp).values() if not pipe.spans_key
    }
    for pipe in changed:
        pipe.spans_key = pipe.name
    try:
        yield
    finally:
        for pipe, key in changed.items():
            pipe.spans_key = key


def _match_records(records: Iterable[Record]) -> tuple[Counter[str], list[EntityError]]:
    """The number of correct entities of each label, and the sorted errors."""
    correct: Counter[str] = Counter()
    errors: list[EntityError] = []
    for record in records:
        correct_here, errors_here = match_entities(record)
        correct.update(entity.label for entity in correct_here)
        errors.extend(errors_here)
    return correct, sorted(errors, key=_sort_key)


def _sort_key(error: EntityError) -> tuple:
    p = error.p_predicted
    kind = list(ERROR_KINDS).index(error.kind)
    return error.entity.label, kind, 0.0 if p is None else -p, error.record.number


def _predicts_entities(nlp: Language) -> bool:
    return analyzed_group(nlp) is not None or any(
        "doc.ents" in nlp.get_pipe_meta(name).assigns for name in nlp.pipe_names
    )
