"""The same on a Ray cluster, with Ray Data.

What goes through Ray are the numbers of the parts: workers read the rows of a part from
the Parquet files, and write it, as the local command does. Neither the pipeline nor
texts are in Ray's object store. A part that is computed twice, since its worker or the
node was lost, is the same file with the same content.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..exceptions import DataError
from ..util.progress import progress_counter
from .chunks import NO_TEXTS, read_chunks
from .inputs import InputOptions, check_columns, is_table, read_rows, up_to_damage
from .parts import OutputFolder
from .predictor import EntityPredictor
from .processes import ONE_THREAD, predict_here, predict_in_processes
from .run import PredictionRun, write_parts

if TYPE_CHECKING:
    import pyarrow as pa

#: Consecutive rows of a file: its path, the index of the first row, and after the last.
Slice = tuple[str, int, int]

# After so many attempts to write a part, in each of which the worker or its node was
# lost, it is predicted in a process of its own, which finds the text that ends it. Ray
# would try forever.
_MAX_ATTEMPTS = 2


def predict_on_ray(
    run: PredictionRun,
    predictor: EntityPredictor,
    files: list[Path],
    options: InputOptions,
    to: OutputFolder,
    *,
    address: str,
    n_workers: int | None,
    progress: bool,
) -> None:
    """Predict on a Ray cluster.

    run: What is written is added to it.
    predictor: Predicts the entities. Its pipeline has to be on each node.
    files: Parquet files, which each node can read by the same path.
    options: How to read them.
    to: The folder to write to, which each node can write to by the same path.
    address: The address of the cluster; "auto": the one that this machine belongs to;
        "local": a cluster of this machine alone.
    n_workers: Number of workers, each with one CPU. None: one for each CPU.
    progress: Show progress on stderr.
    RAISES (DataError): For files that are not Parquet, cannot be opened, or have other
        columns, and if they have no rows.
    RAISES (OSError): If Ray cannot be reached, or a part fails again and again.
    """
    schema, counts = _count_rows(files, options)
    if not any(counts):
        raise NO_TEXTS
    parts = [
        (number, slices)
        for number, slices in enumerate(plan_parts(files, counts, to.part_size))
        if not to.is_finished(number)
    ]
    to.begin()
    sizes = {number: sum(b - a for _, a, b in slices) for number, slices in parts}
    total = sum(sizes.values())
    with (
        progress_counter("Predicting", total, shown=progress, rate=run.rate) as counter,
        _cluster(address) as ray,
    ):
        if n_workers is None:
            n_workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
        # A row for each part: the parts are what is distributed.
        rows = [
            {"part": number, "slices": json.dumps(slices)} for number, slices in parts
        ]
        if not rows:
            return
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _PartWorker,
            fn_constructor_kwargs={
                "predictor": predictor,
                "options": options,
                "folder": to,
                "schema": schema,
            },
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(n_workers, len(rows))),
            num_cpus=1,
            runtime_env={"env_vars": ONE_THREAD},
        )
        start = monotonic()
        for row in dataset.iter_rows():
            run.merge(json.loads(row["run"]))
            run.seconds = monotonic() - start
            counter.update(sizes[row["part"]])


class _PartWorker:
    """Writes parts, in a worker of Ray."""

    def __init__(
        self,
        predictor: EntityPredictor,
        options: InputOptions,
        folder: OutputFolder,
        schema: "pa.Schema",
    ):
        self._predictor = predictor
        self._options = options
        self._folder = folder
        self._folder.schema = schema
        predictor.nlp  # noqa: B018

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Write the parts of a batch.

        RETURNS: Their numbers, and what was written, as JSON.
        """
        runs = []
        for part, slices in zip(batch["part"], batch["slices"], strict=True):
            number = int(part)
            items = chain.from_iterable(
                up_to_damage(
                    Path(path),
                    read_rows(Path(path), self._options, first=first, last=last),
                )
                for path, first, last in json.loads(slices)
            )
            chunks = read_chunks(items, self._options, part=number)
            run = PredictionRun(self._folder.path, self._folder.format, Path())
            with self._folder.attempt(number) as attempt:
                if attempt > _MAX_ATTEMPTS:
                    predicted = predict_in_processes(self._predictor, chunks, 1)
                else:
                    predicted = predict_here(self._predictor, chunks)
                write_parts(predicted, self._folder, run)
            runs.append(json.dumps(run.counts()))
        return {"part": batch["part"], "run": runs}


def _count_rows(
    files: list[Path], options: InputOptions
) -> tuple["pa.Schema", list[int]]:
    """Return the columns of the first file, and the number of rows of each.

    RAISES (DataError): For a file that is not Parquet, or has not the text column.
    """
    from ..data.values import open_parquet

    schema = None
    counts = []
    for file in files:
        if not is_table(file, options):
            raise DataError(
                f"{file} is not Parquet: with Ray, workers read parts of the input, "
                f"which other formats do not allow. Convert it, or leave out --ray"
            )
        with open_parquet(file) as parquet:
            check_columns(parquet.schema_arrow, options, file)
            schema = parquet.schema_arrow if schema is None else schema
            counts.append(parquet.metadata.num_rows)
    return schema, counts


def plan_parts(
    files: list[Path], counts: list[int], part_size: int
) -> Iterator[list[Slice]]:
    """Divide the rows of files into parts, as the local command does.

    files: The files.
    counts: Number of rows of each.
    part_size: Number of rows in a part.
    YIELDS: The rows of each part.
    """
    slices: list[Slice] = []
    space = part_size
    for file, count in zip(files, counts, strict=True):
        first = 0
        while first < count:
            last = min(count, first + space)
            slices.append((str(file.resolve()), first, last))
            space -= last - first
            first = last
            if space == 0:
                yield slices
                slices, space = [], part_size
    if slices:
        yield slices


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Connect to a cluster, and disconnect at the end, unless there was a connection.

    YIELDS: The module `ray`.
    RAISES (DataError): If Ray is not installed.
    RAISES (OSError): If it fails.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DataError(
            f'--ray needs Ray Data: pip install "spacy-lstm-ner[ray]" ({error})'
        ) from None
    was_connected = ray.is_initialized()
    context = ray.data.DataContext.get_current()
    bars, context.enable_progress_bars = context.enable_progress_bars, False
    # What goes wrong is raised.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        if not was_connected:
            ray.init(
                None if address == "local" else address,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        yield ray
    except (ray.exceptions.RayError, ConnectionError) as error:
        cause = getattr(error, "cause", None) or error
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise OSError(
            f"Ray: {lines[-1]}\nGo on with --resume, which keeps the parts that are "
            f"written."
        ) from error
    finally:
        context.enable_progress_bars = bars
        logger.setLevel(level)
        if not was_connected:
            with suppress(Exception):
                ray.shutdown()
