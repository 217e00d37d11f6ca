"""Predict the entities of files of texts: the function behind the command `predict`."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

from ..exceptions import DataError
from ..util.progress import Counter, progress_counter
from .chunks import Chunk, read_chunks, require_usable
from .inputs import (
    STDIN,
    InputOptions,
    check_not_an_input,
    find_files,
    read_files,
    total_size,
)
from .parts import FORMATS, Output, OutputFile, OutputFolder, StandardOutput
from .predictor import EntityPredictor
from .processes import Predicted, predict_here, predict_in_processes
from .rows import ENTITIES_FIELD, TEXT_FIELD
from .run import PredictionRun, write_parts


def predict(
    model: str | Path,
    inputs: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    text_field: str = TEXT_FIELD,
    entities_field: str = ENTITIES_FIELD,
    spans_key: str = "sc",
    input_format: str = "auto",
    format: str = "auto",
    n_process: int | None = None,
    part_size: int = 50_000,
    resume: bool = False,
    ray: str | None = None,
    gpu_id: int = -1,
    progress: bool = False,
) -> PredictionRun:
    """Predict the entities of any number of texts: those of ``nlp(text)``, with their
    probabilities. Memory does not grow with the number of texts.

        predict("training/model-best", "news", "predicted", n_process=4)

    model: The folder of a pipeline, or the name of an installed package.
    inputs: Files of texts, folders, patterns such as "news/*.jsonl.gz", or "-" for
        standard input: lines of text, JSON lines, a JSON array, CSV with a header,
        Parquet, or .spacy files; text files may be compressed.
    output: A folder, which is filled with parts; a file that ends in .jsonl or
        .parquet; or "-" for standard output. Each row has the fields of the record, and
        its entities. A part or a file is written completely or not at all.
    text_field: The field, or column, of the text.
    entities_field: The field that is added.
    spans_key: The span group with entities beyond ``doc.ents``.
    input_format: "text", "json", "csv", "parquet", "spacy", or "auto": by the suffix,
        otherwise by the content.
    format: The format of the output, "jsonl" or "parquet"; "auto": by its suffix,
        otherwise "jsonl".
    n_process: Number of processes; None: 1. A script that sets it must begin its work
        below ``if __name__ == "__main__":``, since each process imports it. With
        `ray`, number of workers; None: one for each CPU of the cluster.
    part_size: Number of records in a part.
    resume: Go on with an output folder: parts that are there are not written again.
    ray: The address of a Ray cluster, "auto" or "local": see `on_ray`.
    gpu_id: The GPU, or -1 for the CPU.
    progress: Show progress on stderr.
    RETURNS: What was written and set aside.
    RAISES (DataError): If there are no texts, the first records cannot be used, an
        option is not valid, or the output belongs to another run.
    RAISES (OSError): For an output that cannot be written; the error names the file.
    """
    options = InputOptions(text_field, entities_field, input_format)
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    _check_numbers(n_process, part_size, gpu_id)
    format = _find_format(Path(output), format)
    files = find_files(given, output)
    check_not_an_input(Path(output), files)
    if resume and (files == [STDIN] or not _is_folder(Path(output), format)):
        raise DataError(
            "only a run from files to a folder can be resumed: a single file, and "
            "standard input or output, begin again"
        )
    predictor = EntityPredictor(
        model,
        text_field=text_field,
        entities_field=entities_field,
        spans_key=spans_key,
        gpu_id=gpu_id,
    )
    # Before anything is written, and to fail with an error that says why.
    predictor.nlp  # noqa: B018
    to: Output
    if str(output) == str(STDIN):
        to = StandardOutput(entities_field)
    elif not _is_folder(Path(output), format):
        to = OutputFile(Path(output), format, entities_field)
    else:
        to = OutputFolder(
            Path(output),
            _settings(predictor, files, options, part_size, format),
            format=format,
            entities_field=entities_field,
            part_size=part_size,
            resume=resume,
        )
    run = PredictionRun(to.path, format, to.errors, finished_before=to.finished)
    if ray is not None:
        from .on_ray import predict_on_ray

        if not isinstance(to, OutputFolder):
            raise DataError(f"{output}: with Ray, the output is a folder of parts")
        predict_on_ray(
            run,
            predictor,
            files,
            options,
            to,
            address=ray,
            n_workers=n_process,
            progress=progress,
        )
    else:
        _predict(run, predictor, files, options, to, n_process or 1, progress)
    to.finish()
    return run


def _predict(
    run: PredictionRun,
    predictor: EntityPredictor,
    files: list[Path],
    options: InputOptions,
    to: Output,
    n_process: int,
    progress: bool,
) -> None:
    """Predict on this machine."""
    with progress_counter(
        "Predicting",
        total_size(files),
        shown=progress,
        in_bytes=True,
        rate=run.rate,
    ) as counter:
        items = read_files(files, options, run.repairs, counter.update)
        chunks = read_chunks(
            require_usable(items),
            options,
            part_size=to.part_size,
            is_finished=to.is_finished,
        )
        timed = _Timed(chunks, counter)
        predicted: Iterator[Predicted]
        if n_process == 1:
            predicted = predict_here(predictor, timed)
        else:
            predicted = predict_in_processes(predictor, timed, n_process)
        write_parts(predicted, to, run)
        run.seconds = timed.seconds


class _Timed:
    """Chunks, and the time since the first one was read: parts that were finished
    before are skipped quickly."""

    def __init__(self, chunks: Iterable[Chunk], counter: Counter):
        self._chunks = chunks
        self._counter = counter
        self._start: float | None = None

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            if self._start is None:
                self._start = monotonic()
                self._counter.restart()
            yield chunk

    @property
    def seconds(self) -> float:
        """The time until now."""
        return 0.0 if self._start is None else monotonic() - self._start


def _find_format(output: Path, format: str) -> str:
    """Return the format of the output.

    RAISES (DataError): If it is unknown or contradicts the suffix, or pyarrow is not
        installed.
    """
    by_suffix = next(
        (key for key, end in FORMATS.items() if output.suffix == end), None
    )
    if format == "auto":
        format = by_suffix or "jsonl"
    if format not in FORMATS:
        raise DataError(f"unknown output format {format!r}: use one of {(*FORMATS,)}")
    if by_suffix not in (None, format):
        raise DataError(f"{output} does not end in {FORMATS[format]}")
    if by_suffix is None and output.suffix and not output.is_dir():
        raise DataError(
            f"{output}: a single file ends in {' or '.join(FORMATS.values())}, and a "
            f"folder has no suffix"
        )
    if str(output) == str(STDIN) and format != "jsonl":
        raise DataError("standard output can only be JSON lines")
    if format == "parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise DataError(
                f"{output}: Parquet needs pyarrow: pip install "
                f'"spacy-lstm-ner[parquet]"'
            ) from None
    return format


def _check_numbers(n_process: int | None, part_size: int, gpu_id: int) -> None:
    """RAISES (DataError): If a number is not valid."""
    for name, value in (("n_process", n_process), ("part_size", part_size)):
        if value is not None and value < 1:
            raise DataError(f"{name} = {value} is less than 1")
    if gpu_id >= 0 and (n_process or 1) > 1:
        raise DataError("a GPU is used by one process: leave n_process at 1")


def _is_folder(output: Path, format: str) -> bool:
    return str(output) != str(STDIN) and output.suffix != FORMATS[format]


def _settings(
    predictor: EntityPredictor,
    files: list[Path],
    options: InputOptions,
    part_size: int,
    format: str,
) -> dict[str, Any]:
    """Return what determines the output."""
    return {
        "pipeline": "{lang}_{name}-{version}".format_map(predictor.nlp.meta),
        "pipeline_hash": _hash_of_pipeline(predictor),
        "inputs": len(files),
        "inputs_hash": _hash_of(
            f"{file.resolve()} {info.st_size} {info.st_mtime_ns}"
            for file in files
            for info in [file.stat()]
        ),
        "input_format": options.format,
        "text_field": options.text_field,
        "entities_field": options.entities_field,
        "spans_key": predictor.spans_key,
        "part_size": part_size,
        "format": format,
    }


def _hash_of_pipeline(predictor: EntityPredictor) -> str:
    """The hash of all files of a pipeline."""
    folder = predictor.nlp.path
    if folder is None:
        return ""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return _hash_of(
        part
        for file in files
        if "__pycache__" not in file.parts
        for part in (str(file.relative_to(folder)), file.read_bytes())
    )


def _hash_of(parts: Iterable[str | bytes]) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf8", "surrogateescape") if isinstance(part, str) else part
        # With the length: otherwise, the ends of the parts would not count.
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
