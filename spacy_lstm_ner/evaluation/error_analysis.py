"""Which errors a pipeline makes: `python -m spacy lstm-ner errors`.

Every gold entity that was not found, and every predicted one that is not gold, is in
just one error, and the error is of one kind. So the errors and what is right sum up to
all gold entities, and to all predicted ones.

A gold and a predicted entity that overlap are one error together. Where more than two
overlap, these go together first:

1. those that have the same place (they differ in the label);
2. those that have the same label: so where two neighbours are parted at a wrong place,
   each goes with its like;
3. those that have more in common: of all characters of the two, the larger share.

What is left over, such as the second one of two gold entities that were found as one,
is an error of its own. It is told beside the one that it overlaps most, which is
*shared* then: it belongs to another error, and does not count again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from spacy.language import Language

from ..data.corpus import read_examples
from ..pipeline import recognizers
from ..pipeline.loading import load_pipeline
from ..tags import Span
from ..util.progress import with_progress
from .annotation import Surfaces, annotated_text, count_uses
from .evaluate import nothing_to_measure
from .label_issues import Doubt, find_doubts
from .predictions import Record, outside, overlap, predict_records

#: Every kind of error, in the order in which they are shown.
KINDS: dict[str, str] = {
    "boundary": "wrong boundary",
    "type": "wrong type",
    "both": "wrong boundary and type",
    "missed": "missed",
    "invented": "invented",
}


class Error(NamedTuple):
    """A gold entity that was not found, a predicted one that is not gold, or both."""

    kind: str  # a key of `KINDS`
    record: Record
    gold: Span | None
    predicted: Span | None
    #: "gold" or "predicted": that one belongs to another error.
    shared: str | None = None

    @property
    def own(self) -> Span:
        """The entity under whose label the error stands: the gold one, if it is an
        error of that one."""
        if self.gold is not None and self.shared != "gold":
            return self.gold
        assert self.predicted is not None
        return self.predicted

    @property
    def p_gold(self) -> float | None:
        """How probable the annotation is to the pipeline: the gold entity, or that
        there is none."""
        return self.record.p.get(self.gold or outside(self.own))

    @property
    def p_predicted(self) -> float | None:
        """How probable it is to the pipeline what it says instead: the predicted
        entity, or that there is none."""
        return self.record.p.get(self.predicted or outside(self.own))


class Findings(NamedTuple):
    """What was found in a data set."""

    #: How many entities are right, and how many gold ones there are, by label.
    right: Counter[str]
    gold: Counter[str]
    #: By label, by kind; then those come first of which the pipeline is most certain.
    errors: list[Error]
    #: The annotations that are probably wrong, the most doubtful first.
    doubts: list[Doubt]
    #: Does the pipeline tell probabilities?
    has_p: bool
    #: The texts, with the annotation and what was found.
    records: list[Record]

    def check_types(self, types: Iterable[str]) -> None:
        """RAISES (ValueError): For a type that is neither annotated nor predicted."""
        known = {*self.gold, *(error.own.label for error in self.errors)}
        _check_names("type", types, sorted(known))


def check_kinds(kinds: Iterable[str]) -> None:
    """RAISES (ValueError): For a kind that is none of `KINDS`."""
    _check_names("kind", kinds, KINDS)


def _check_names(what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"No {what} {name!r}: there are {', '.join(known)}.")


def compare(record: Record) -> tuple[list[Span], list[Error]]:
    """Compare what was found in a text with its annotation: see the top of this file.

    record (Record): The text. Neither its gold entities nor the predicted ones overlap
        each other.
    RETURNS (tuple[list[Span], list[Error]]): The entities that are right, and the
        errors in the order of the text.
    """
    predicted = set(record.predicted)
    right = sorted(predicted.intersection(record.gold))
    missing = sorted(set(record.gold).difference(right))
    wrong = sorted(predicted.difference(right))
    pairs = sorted(_overlapping(missing, wrong), key=_distance)
    partners: dict[Span, Span] = {}  # of a gold entity
    taken: set[Span] = set()
    nearest: tuple[dict[Span, Span], dict[Span, Span]] = {}, {}
    for gold, found in pairs:
        nearest[0].setdefault(gold, found)
        nearest[1].setdefault(found, gold)
        if gold not in partners and found not in taken:
            partners[gold] = found
            taken.add(found)
    errors = []
    for gold in missing:
        if gold in partners:
            found = partners[gold]
            errors.append(Error(_kind(gold, found), record, gold, found))
        elif gold in nearest[0]:
            found = nearest[0][gold]
            kind = _kind(gold, found)
            errors.append(Error(kind, record, gold, found, shared="predicted"))
        else:
            errors.append(Error("missed", record, gold, None))
    for found in wrong:
        if found in nearest[1] and found not in taken:
            gold = nearest[1][found]
            errors.append(Error(_kind(gold, found), record, gold, found, shared="gold"))
        elif found not in taken:
            errors.append(Error("invented", record, None, found))
    return right, sorted(errors, key=lambda error: error.own)


def _overlapping(
    gold: list[Span], predicted: list[Span]
) -> Iterator[tuple[Span, Span]]:
    """Entities that have characters in common, both in the order of the text."""
    first = 0
    for entity in gold:
        while first < len(predicted) and predicted[first].end <= entity.start:
            first += 1
        there = first
        while there < len(predicted) and predicted[there].start < entity.end:
            yield entity, predicted[there]
            there += 1


def _distance(pair: tuple[Span, Span]) -> tuple:
    """What goes together first is least."""
    gold, found = pair
    common = overlap(gold, found)
    size = gold.end - gold.start + found.end - found.start - common
    return _kind(gold, found) != "type", gold.label != found.label, -common / size, pair


def _kind(gold: Span, found: Span) -> str:
    if gold[:2] == found[:2]:
        return "type"
    return "boundary" if gold.label == found.label else "both"


def find_errors(
    model: str | Path | Language,
    data: str | Path,
    *,
    train: str | Path | None = None,
    max_support: float = 0.05,
    progress: bool = False,
) -> Findings:
    """Find the errors of a pipeline, and annotation that is probably wrong.

    model (str | Path | Language): The pipeline, or its folder or installed package.
    data (str | Path): A .spacy file, or a dataset file in any format that `convert`
        reads.
    train (str | Path | None): The training data, in such a file: to tell how the same
        text is annotated there. It may be the same file as the data.
    max_support (float): Annotation with more support than this is not doubtful: see
        doubts.py.
    progress (bool): Show a progress bar if it takes long.
    RETURNS (Findings): Errors, and annotation that is probably wrong.
    RAISES (OSError, ValueError): For a pipeline or a file that cannot be used.
    """
    data, train = Path(data), Path(train) if train else None
    for path in (data, *([train] if train else [])):
        if not path.exists():
            raise OSError(f"{path}: no such file")
    nlp = model if isinstance(model, Language) else load_pipeline(model)
    has_p = bool(recognizers(nlp))
    corpus = []
    if train:
        examples = with_progress(read_examples(train, nlp), progress, "Training data")
        corpus = [annotated_text(eg) for eg in examples]
    known = Surfaces(a.text[s:e] for a in corpus for s, e, _ in a.entities)
    examples = with_progress(read_examples(data, nlp), progress, "Data")
    with _probabilities_told(nlp):
        records = list(predict_records(nlp, examples, known))
    if not any(record.gold or record.predicted for record in records) or not (
        any(record.predicted for record in records) or _finds_entities(nlp)
    ):
        name = nlp.path or nlp.meta["name"] if isinstance(model, Language) else model
        raise nothing_to_measure(name, nlp, data)
    right: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    errors: list[Error] = []
    for record in records:
        right_here, errors_here = compare(record)
        right.update(entity.label for entity in right_here)
        gold.update(entity.label for entity in record.gold)
        errors.extend(errors_here)
    in_question = {
        record.text[place[0] : place[1]]
        for record in records
        for place in (*record.gold, *record.predicted)
    }
    uses = count_uses(
        with_progress(corpus, progress, "Comparing"),
        Surfaces(known.texts | in_question),
    )
    doubts = find_doubts(
        records,
        uses,
        counted=train is not None and train.resolve() == data.resolve(),
        max_support=max_support,
    )
    return Findings(
        right,
        gold,
        sorted(errors, key=_order),
        doubts,
        has_p=has_p,
        records=records,
    )


@contextmanager
def _probabilities_told(nlp: Language) -> Iterator[None]:
    """Without a key for spans a component would not tell its probabilities."""
    without = [
        (pipe, pipe.spans_key)
        for pipe in recognizers(nlp).values()
        if not pipe.spans_key
    ]
    for pipe, _ in without:
        pipe.spans_key = pipe.name
    try:
        yield
    finally:
        for pipe, key in without:
            pipe.spans_key = key


def _order(error: Error) -> tuple:
    p = error.p_predicted
    kind = list(KINDS).index(error.kind)
    return error.own.label, kind, 0.0 if p is None else -p, error.record.number


def _finds_entities(nlp: Language) -> bool:
    return any("doc.ents" in nlp.get_pipe_meta(name).assigns for name in nlp.pipe_names)
