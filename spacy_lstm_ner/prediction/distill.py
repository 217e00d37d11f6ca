"""Annotate texts with teachers, as training data for a student: the function behind the
command `distill`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import spacy
from spacy.language import Language

from ..data.writers.docbin import DocBinWriter, check_docs_path
from ..exceptions import DataError
from ..pipeline.loading import load_pipeline
from ..util.atomic import atomic_write, check_writable
from ..util.progress import progress_counter
from .chunks import Chunk, read_chunks, require_usable
from .inputs import (
    InputOptions,
    Repairs,
    check_not_an_input,
    find_files,
    read_files,
    total_size,
)
from .parts import MAX_EXAMPLES
from .rows import TEXT_FIELD, Rejected
from .silver import Silver, silver
from .teachers import Teacher


@dataclass
class Distillation:
    """The result of `distill`.

    path: The .spacy file that was written, or the folder of several.
    soft: Whether the texts have soft targets.
    texts: Number of texts that were written.
    tokens: Number of their tokens.
    missing: Number of these tokens that are without annotation.
    entities: Number of their entities, by label.
    unsure: Number of entities that a teacher has predicted, and that are not annotated.
    left_out: Number of texts about which nothing is known.
    rejected: Number of records that cannot be used.
    characters: Number of characters that were read.
    seconds: Time from the first text on, without loading the teachers.
    examples: The first few records that cannot be used, with file, line and reason.
    repairs: What was repaired in the input.
    """

    path: Path
    soft: bool
    texts: int = 0
    tokens: int = 0
    missing: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    unsure: int = 0
    left_out: int = 0
    rejected: int = 0
    characters: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)
    repairs: Repairs = field(default_factory=Repairs)

    def reject(self, item: Rejected) -> None:
        """Count a record that cannot be used."""
        self.rejected += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(str(item))

    def add(self, found: Silver) -> None:
        """Count a text that is written."""
        self.texts += 1
        self.tokens += len(found.doc)
        self.missing += found.missing
        self.entities.update(ent.label_ for ent in found.doc.ents)

    def rate(self, seconds: float) -> str:
        """The speed in a number of seconds, as text."""
        return f"{self.characters / max(seconds, 1e-3):,.0f} characters a second"


def distill(
    teachers: str | Path | Language | Iterable[str | Path | Language],
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    threshold: float = 0.9,
    soft: bool | None = None,
    lang: str | None = None,
    spans_key: str = "sc",
    text_field: str = TEXT_FIELD,
    input_format: str = "auto",
    limit: int = 0,
    shard_size: int = 100_000,
    gpu_id: int = -1,
    progress: bool = False,
) -> Distillation:
    """Annotate texts with one or more pipelines, as training data for another pipeline
    (Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", 2015).
    Where the teachers are unsure, or disagree, tokens stay without annotation.

        distill("training/large/model-best", "news.txt", "silver.spacy")

    An entity is annotated if its probability, on average over the teachers, is at least
    the threshold, and a token is outside of entities if the probability that it is in
    none is. A component `lstm_ner` knows both exactly. What other components predict
    is certain, unless it is in a span group with scores: several of these have to agree
    in proportion to the threshold. Texts about which nothing is known are left out.

    teachers: Pipelines, their folders, or names of installed packages.
    inputs: Files of texts, folders, and patterns, as for `predict`.
    output: A .spacy file. If there are many texts, it becomes a folder of files, which
        spaCy reads as well.
    threshold: Minimum probability, more than 0.5 and at most 1.
    soft: Store the distributions of the teachers as soft targets, which replace the
        annotation in training. Requires that all entities of each teacher are from a
        component `lstm_ner` that reads characters. None: if they are.
    lang: Code of the language whose tokenizer makes the Docs. None: that of the first
        teacher.
    spans_key: The span group with entities beyond ``doc.ents``.
    text_field: The field, or column, of the text.
    input_format: "text", "json", "csv", "parquet", "spacy", or "auto".
    limit: Read only the first `limit` records. 0: all.
    shard_size: Maximum number of texts in a file.
    gpu_id: The GPU, or -1 for the CPU.
    progress: Show progress on stderr.
    RETURNS: What was written, and what was left out.
    RAISES (DataError): If there are no texts, none can be annotated, or an option is
        not valid; and for teachers that do not fit together.
    RAISES (OSError): For an output that cannot be written; the error names the file.
    """
    if not 0.5 < threshold <= 1:
        raise DataError(f"threshold = {threshold} is not above 0.5 and at most 1")
    output = Path(output)
    check_docs_path(output)
    options = InputOptions(text_field, "", input_format)
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    files = find_files(given, output)
    check_not_an_input(output, files)
    if not output.is_dir():
        check_writable(output)
    loaded = _load(teachers, spans_key, gpu_id)
    soft = _find_soft(loaded, soft)
    nlp = spacy.blank(lang or loaded[0].nlp.lang or "xx")
    run = Distillation(output, soft)
    started = monotonic()
    with (
        atomic_write(output, replace_folder=True) as new,
        progress_counter(
            "Annotating",
            total_size(files),
            shown=progress,
            in_bytes=True,
            rate=run.rate,
        ) as counter,
    ):
        writer = DocBinWriter(output, new, shard_size)
        items = read_files(files, options, run.repairs, counter.update)
        chunks = read_chunks(require_usable(items), options)
        for chunk in _first(chunks, limit):
            for item in chunk.rejected:
                run.reject(item)
            with ExitStack() as stack:
                # The memory of the Docs and of new words is freed.
                for vocab_owner in _unique([nlp, *(each.nlp for each in loaded)]):
                    stack.enter_context(vocab_owner.memory_zone())
                for found in _annotate(run, loaded, nlp, chunk, threshold):
                    run.unsure += found.unsure
                    if found.missing == len(found.doc) and not soft:
                        run.left_out += 1
                    else:
                        writer.add(found.doc)
                        run.add(found)
            run.characters += chunk.characters
        if not run.texts:
            raise _nothing(run)
        writer.close()
    run.seconds = monotonic() - started
    return run


def _load(
    teachers: str | Path | Language | Iterable[str | Path | Language],
    spans_key: str,
    gpu_id: int,
) -> list[Teacher]:
    from spacy.cli._util import setup_gpu

    setup_gpu(gpu_id, silent=True)
    if isinstance(teachers, str | Path | Language):
        teachers = [teachers]
    loaded = [
        Teacher(each, spans_key=spans_key)
        if isinstance(each, Language)
        else Teacher(load_pipeline(each), str(each), spans_key)
        for each in teachers
    ]
    if not loaded:
        raise DataError("there is no teacher")
    labels = [
        (each.name, sorted(each.component.labels)) for each in loaded if each.component
    ]
    if any(has != labels[0][1] for _, has in labels):
        listed = "; ".join(f"{name}: {', '.join(has)}" for name, has in labels)
        raise DataError(f"the teachers have different labels: {listed}")
    return loaded


def _find_soft(teachers: list[Teacher], soft: bool | None) -> bool:
    """Decide whether soft targets are stored.

    RAISES (DataError): If they are asked for, and a teacher does not give them.
    """
    without = [each.name for each in teachers if not each.gives_soft_targets]
    if soft and without:
        raise DataError(
            f"{without[0]} gives no soft targets: its entities are not all from a "
            f'component lstm_ner with unit = "char"'
        )
    return not without if soft is None else soft


def _first(chunks: Iterable[Chunk], limit: int) -> Iterator[Chunk]:
    """Yield chunks up to a number of records; 0: all."""
    rest = limit
    for chunk in chunks:
        if limit and len(chunk.texts) >= rest:
            chunk.texts, chunk.places = chunk.texts[:rest], chunk.places[:rest]
            yield chunk
            return
        rest -= len(chunk.texts)
        yield chunk


def _unique(pipelines: list[Language]) -> list[Language]:
    """One pipeline for each vocabulary: several teachers may share one."""
    return list({id(each.vocab): each for each in pipelines}.values())


def _annotate(
    run: Distillation,
    teachers: list[Teacher],
    nlp: Language,
    chunk: Chunk,
    threshold: float,
) -> list[Silver]:
    """Annotate the texts of a chunk that are not blank. A text on which a teacher
    fails is rejected, and does not affect the others."""
    limit = min(nlp.max_length, *(each.nlp.max_length for each in teachers))
    texts: dict[int, str] = {}
    for i, text in enumerate(chunk.texts):
        if len(text) > limit:
            reason = (
                f"text of {len(text):,} characters; the limit, nlp.max_length, is "
                f"{limit:,}"
            )
            run.reject(Rejected(*chunk.places[i], reason))
        elif text.strip():
            texts[i] = text
        else:
            run.left_out += 1

    def annotate(some: list[str]) -> list[Silver]:
        return silver(teachers, nlp, some, threshold=threshold, soft=run.soft)

    try:
        return annotate(list(texts.values())) if texts else []
    except DataError:
        raise
    except Exception:
        found = []
        for i, text in texts.items():
            try:
                found += annotate([text])
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                run.reject(Rejected(*chunk.places[i], reason))
        return found


def _nothing(run: Distillation) -> DataError:
    """The error for an output without texts."""
    reason = f"{run.left_out:,} texts are blank, or nothing is known about them"
    if run.rejected:
        reason += f"; {run.rejected:,} cannot be used: {run.examples[0]}"
    return DataError(f"{run.path} would be empty: {reason}")
