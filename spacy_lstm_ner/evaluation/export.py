"""Export of annotated data, or of the predictions of a pipeline, to the formats of
other tools."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan

from ..data.corpus import read_examples
from ..data.files import open_files
from ..data.options import ReadingOptions
from ..data.problems import ProblemLog
from ..data.texts import read_texts
from ..data.writers import (
    WRITERS,
    Entity,
    Export,
    ExportedText,
    WritingOptions,
    find_format,
    write_texts,
)
from ..exceptions import DataError
from ..pipeline import predicted_entities, recognizers, span_group_keys
from ..tags import Span
from ..util.atomic import check_writable
from ..util.progress import with_progress
from .inputs import as_pipeline, require_files

# Texts that are processed together. Their Docs are freed afterwards.
_BATCH_SIZE = 256


def export(
    source: str | Path,
    output: str | Path,
    *,
    model: str | Path | Language | None = None,
    format: str = "auto",
    spans_key: str = "sc",
    unit: str = "auto",
    scheme: str = "BIO",
    separator: str = "\t",
    offsets: str = "auto",
    from_name: str = "label",
    to_name: str = "text",
    lang: str = "zh",
    limit: int = 0,
    force: bool = False,
    shard_size: int = 100_000,
    progress: bool = False,
) -> Export:
    """Write annotated data, or the predictions of a pipeline on texts, in the format of
    another tool. The output is written completely or, after an error, not at all.

        export("corpus/dev.spacy", "dev.jsonl", format="doccano")
        export("news.txt", "tasks.json", model="training/model-best",
               format="label-studio")

    Entities are those in `doc.ents` and in a span group. Where the format cannot hold
    entities that overlap, the longest ones are written, and the others are counted.

    source: Annotated data: a .spacy file, or a dataset file that `convert` reads. With
        `model`: texts, one a line, as they are or as JSON objects with a key "text"; or
        the texts of a .spacy file. Annotation is then not used, nor are other keys.
    output: The file to write.
    model: A pipeline, its folder, or the name of an installed package, whose
        predictions are written, with their probabilities. None: the annotation.
    format: "doccano", "label-studio", "prodigy", "offsets" (JSON lines), "columns",
        "huggingface" (JSON lines), "parquet" or "spacy"; "auto": by the suffix .spacy
        or .parquet.
    spans_key: The span group with further entities.
    unit: In columns, huggingface, parquet and prodigy, what has a tag of its own:
        "character", "token", or "auto": characters for languages that are written
        without letters, such as Chinese, otherwise tokens.
    scheme: In columns, huggingface and parquet, the tag scheme: "BIO", "BIOES", "BMES",
        "BILOU" (or "BILUO") or "BMEWO".
    separator: The separator of columns: a tab or a blank.
    offsets: What character offsets count: "characters" (code points), "utf16" (as
        JavaScript does), or "auto": what the current version of the tool counts, which
        is "utf16" for doccano and "characters" for all others. Use "characters" for
        doccano up to 1.4.1, and "utf16" for Label Studio up to 1.3.
    from_name: For Label Studio, the name of the tag `Labels` in the project.
    to_name: For Label Studio, the name of the tag `Text` in the project.
    lang: Language of annotated data, whose tokenizer is used.
    limit: Write only the first `limit` texts (of each file, if it is a folder). 0: all.
    force: Accept a dataset file without entities, or with many unknown tags.
    shard_size: Maximum number of Docs in a .spacy file. If there are more, the output
        is a folder of several files.
    progress: Show progress on stderr.
    RETURNS: What was written, and what is not in the output, with the reason.
    RAISES (DataError): For input that cannot be read, invalid options, and labels that
        the format cannot hold.
    RAISES (OSError): For an output that cannot be written; the error names the file.
    RAISES (ImportError): If the format needs a package that is not installed.
    """
    source, output = Path(source), Path(output)
    options = WritingOptions(
        predicted=model is not None,
        unit=unit,
        scheme=scheme,
        separator=separator,
        offsets=offsets,
        from_name=from_name,
        to_name=to_name,
        shard_size=shard_size,
    )
    format = find_format(output, format, options)
    require_files(source)
    if not (output.is_dir() and format == "spacy"):
        check_writable(output, source)
    elif output.resolve() == source.resolve():
        raise DataError(f"{output} is the input: choose another output")
    problems = ProblemLog()
    texts: Iterator[ExportedText]
    if model is None and source.suffix == ".spacy":
        examples = read_examples(source, spacy.blank(lang), limit=limit)
        texts = (_annotated(example.reference, spans_key) for example in examples)
    elif model is None:
        if WRITERS[format].holds_docs:
            raise DataError(f"{source}: use convert to make a .spacy file of it")
        reading = ReadingOptions(limit=limit, force=force)
        texts = _annotated_file(source, spacy.blank(lang), reading, problems)
    else:
        nlp = as_pipeline(model)
        options = replace(options, model_version=model_version(nlp))
        inputs = islice(read_inputs(source, nlp, problems), limit or None)
        texts = predicted_texts(nlp, inputs, spans_key=spans_key)
    shown = with_progress(texts, progress, "Exporting")
    return write_texts(shown, output, format=format, options=options, problems=problems)


def _annotated(doc: Doc, spans_key: str) -> ExportedText:
    """The annotation of a Doc."""
    entities = _sorted([*map(_span, doc.ents), *map(_span, _group(doc, spans_key))])
    unknown = doc.to_array("ENT_IOB") == 0
    # A Doc may have its annotation in the span group only.
    missing = bool(unknown.any()) and not (unknown.all() and entities)
    return ExportedText(doc.text, entities, doc, missing)


def _annotated_file(
    path: Path, nlp: Language, options: ReadingOptions, problems: ProblemLog
) -> Iterator[ExportedText]:
    """Yield the texts of a dataset file, with its entities by character offsets:
    those that fit no tokens, too."""
    for file in open_files(path, options):
        for text in file.texts(problems):
            if len(text.text) > nlp.max_length:
                raise _too_long(f"{path}:{text.line}", text.text, nlp)
            doc = nlp.make_doc(text.text)
            missing = bool(text.missing)
            yield ExportedText(text.text, _sorted(text.entities), doc, missing)


def predicted_texts(
    nlp: Language, texts: Iterable[str], *, spans_key: str = "sc"
) -> Iterator[ExportedText]:
    """Yield texts with the predictions of a pipeline. A text must be used before the
    next one is taken: the memory of its Doc is then freed.

    nlp: The pipeline.
    texts: The texts.
    spans_key: The span group with further entities.
    """
    keys = [pipe.spans_key for pipe in recognizers(nlp).values()]
    groups = span_group_keys(nlp, spans_key)
    rest = iter(texts)
    while batch := list(islice(rest, _BATCH_SIZE)):
        with nlp.memory_zone():
            for doc in nlp.pipe(batch):
                found = predicted_entities(doc, keys, groups)
                yield ExportedText(doc.text, found, doc)


def read_inputs(path: Path, nlp: Language, problems: ProblemLog) -> Iterator[str]:
    """Yield the texts of a file: of a .spacy file, or see `read_texts`.

    path: The file.
    nlp: The pipeline that they are input of.
    problems: Problems are added to it.
    RAISES (DataError): For a file that cannot be read, or a text longer than
        `nlp.max_length`.
    """
    inputs: Iterator[tuple[str, str]]
    if path.suffix == ".spacy":
        examples = enumerate(read_examples(path, nlp), start=1)
        inputs = ((f"{path}, record {i}", eg.reference.text) for i, eg in examples)
    else:
        lines = read_texts(path, problems)
        inputs = ((f"{path}:{line}", text) for line, text in lines)
    for location, text in inputs:
        if len(text) > nlp.max_length:
            raise _too_long(location, text, nlp)
        yield text


def _group(doc: Doc, spans_key: str) -> list[DocSpan]:
    return list(doc.spans[spans_key]) if spans_key in doc.spans else []


def _span(span: DocSpan) -> Span:
    return Span(span.start_char, span.end_char, span.label_)


def _sorted(entities: Iterable[Entity]) -> list[Entity]:
    """The entities in the order of the text, each of them once."""
    first: dict[tuple[int, int, str], Entity] = {}
    for entity in entities:
        first.setdefault((entity.start, entity.end, entity.label), entity)
    return sorted(first.values(), key=lambda entity: entity[:2])


def _too_long(location: str, text: str, nlp: Language) -> DataError:
    return DataError(
        f"{location}: text of {len(text):,} characters, the limit is "
        f"{nlp.max_length:,}: split it"
    )


def model_version(nlp: Language) -> str:
    """The name of a pipeline with its version, as that of its package."""
    return "{lang}_{name}-{version}".format(**nlp.meta)
