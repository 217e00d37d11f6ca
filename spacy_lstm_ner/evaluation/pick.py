"""The texts of a file that are worth annotating next, written for an annotation
tool."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from spacy.language import Language

from ..data.corpus import read_examples
from ..data.problems import ProblemLog
from ..data.writers import (
    WRITERS,
    Export,
    ExportedText,
    WritingOptions,
    find_format,
    write_texts,
)
from ..exceptions import DataError
from ..util.atomic import check_writable
from ..util.progress import with_progress
from .export import model_version, predicted_texts, read_inputs
from .inputs import as_pipeline, require_files
from .uncertainty_sampling import Pick, check_arguments, find_recognizer, pick_texts

ItemT = TypeVar("ItemT")


@dataclass
class Picking:
    """The result of `pick`.

    picks: The texts that were picked, in the order of the file.
    texts: Number of texts that they were picked from.
    annotated: Number of texts that are annotated already.
    export: What was written.
    """

    picks: list[Pick]
    texts: int
    annotated: int
    export: Export


def pick(
    model: str | Path | Language,
    texts: str | Path,
    output: str | Path,
    n: int = 100,
    *,
    format: str = "auto",
    strategy: str = "errors",
    random_share: float = 0.1,
    annotated: Sequence[str | Path] = (),
    similarity: float = 0.7,
    seed: int = 0,
    progress: bool = False,
) -> Picking:
    """Pick the texts that are worth annotating next, and write them with the
    predictions of the pipeline, for correction in an annotation tool: see
    `pick_texts`.

        pick("training/model-best", "news.txt", "tasks.json", 100,
             format="label-studio", annotated=["corpus/train.spacy"])

    Where the format has a place for it, each text has its "uncertainty" and the
    "reason" why it was picked, "uncertain" or "random".

    model: A pipeline, its folder, or the name of an installed package.
    texts: The texts, one a line, as they are or as JSON objects with a key "text"; or
        the texts of a .spacy file. They are not kept in memory.
    output: The file to write.
    n: Number of texts to pick.
    format: A format of `export`; "auto": by the suffix .spacy or .parquet, otherwise
        "offsets", JSON lines.
    strategy: The query strategy: "errors", "confidence" or "entity".
    random_share: The share of the n texts that is picked at random, from 0 to 1.
    annotated: Files with texts that are annotated already: .spacy files, or dataset
        files that `convert` reads. Near-duplicates of these texts are not picked.
    similarity: Texts of which at least this share of character trigrams is common are
        near-duplicates, from 0.5 to 1.
    seed: Determines which texts are picked at random.
    progress: Show progress on stderr.
    RETURNS: The texts that were picked, and what was written.
    RAISES (DataError): For input that cannot be read, a format that is not known, and
        if no text is left to annotate.
    RAISES (ValueError): For other arguments that are not valid, and a pipeline without
        a trained component `lstm_ner`.
    RAISES (OSError): For an output that cannot be written; the error names the file.
    """
    texts, output = Path(texts), Path(output)
    check_arguments(n, strategy, random_share, similarity)
    if format == "auto" and not any(
        output.suffix in writer.suffixes for writer in WRITERS.values()
    ):
        format = "offsets"
    format = find_format(output, format, WritingOptions(predicted=True))
    require_files(texts, *map(Path, annotated))
    check_writable(output, texts, *annotated)
    nlp = as_pipeline(model)
    find_recognizer(nlp)
    problems = ProblemLog()
    known = _Counted(text for path in annotated for text in _texts_of(path, nlp))
    inputs = _Counted(read_inputs(texts, nlp, problems))
    picks = pick_texts(
        nlp,
        with_progress(inputs, progress, "Texts"),
        n,
        strategy=strategy,
        random_share=random_share,
        annotated=with_progress(known, progress, "Annotated texts"),
        similarity=similarity,
        seed=seed,
    )
    if not picks:
        raise DataError(
            f"{texts}: no text is left to annotate: all {inputs.n:,} are "
            f"near-duplicates of annotated ones"
        )
    options = WritingOptions(predicted=True, model_version=model_version(nlp))
    export = write_texts(
        _exported(nlp, picks), output, format=format, options=options, problems=problems
    )
    return Picking(picks, inputs.n, known.n, export)


def _texts_of(path: str | Path, nlp: Language) -> Iterator[str]:
    for example in read_examples(path, nlp):
        yield example.reference.text


def _exported(nlp: Language, picks: list[Pick]) -> Iterator[ExportedText]:
    predicted = predicted_texts(nlp, (pick.text for pick in picks))
    for pick, text in zip(picks, predicted, strict=True):
        text.meta = {"uncertainty": round(pick.uncertainty, 6), "reason": pick.reason}
        yield text


class _Counted(Iterable[ItemT]):
    """Counts items while they are iterated over."""

    def __init__(self, items: Iterable[ItemT]):
        self.n = 0
        self._items = items

    def __iter__(self) -> Iterator[ItemT]:
        for item in self._items:
            self.n += 1
            yield item
