"""The entities of a batch of texts, in whatever process it is: one class for the
command `predict`, Ray, Spark and Dask."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spacy.language import Language

from ..exceptions import DataError
from ..pipeline import predicted_entities, recognizers, span_group_keys
from ..pipeline.loading import load_pipeline
from .rows import ENTITIES_FIELD, TEXT_FIELD, Entity, entities_array, entity_dicts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Prediction(NamedTuple):
    """The prediction for a text.

    entities: Its entities.
    error: Why there are none, if the pipeline failed on this text; "" otherwise.
    """

    entities: list[Entity]
    error: str = ""


class EntityPredictor:
    """Predicts the entities of texts. The pipeline is loaded when it is first needed,
    once in each process, and is never sent from one process to another: what is sent is
    its name. All methods that take a table return it with two more columns:
    `entities_field`, and `entities_field` followed by "_error", which is null unless
    the pipeline failed on a text; its entities are then null.

        predictor = EntityPredictor("training/model-best")
        predictor.predict(["王芳任教授。"])
        # Ray Data
        dataset.map_batches(EntityPredictor, fn_constructor_args=["zh_lstm_ner"],
                            batch_format="pyarrow",
                            compute=ray.data.ActorPoolStrategy(size=4))

    model: The folder of the pipeline, or the name of an installed package. Each machine
        must have it.
    text_field: The column of the texts.
    entities_field: The column to add.
    spans_key: The span group with entities beyond ``doc.ents``.
    gpu_id: The GPU, or -1 for the CPU.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        text_field: str = TEXT_FIELD,
        entities_field: str = ENTITIES_FIELD,
        spans_key: str = "sc",
        gpu_id: int = -1,
    ):
        if isinstance(model, Language):
            raise ValueError(
                "EntityPredictor takes the folder or the package of a pipeline, since "
                "each process loads its own: save this one with nlp.to_disk."
            )
        # The working directory of a worker may be another one.
        self.model = str(Path(model).resolve() if Path(model).exists() else model)
        self.text_field = text_field
        self.entities_field = entities_field
        self.spans_key = spans_key
        self.gpu_id = gpu_id

    @property
    def nlp(self) -> Language:
        """The pipeline of this process."""
        return _load(self.model, self.gpu_id)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Predict the entities of texts, as ``nlp(text)`` does for each.

        texts: The texts.
        RETURNS: The prediction for each text. Texts on which the pipeline fails have an
            error, and do not affect the others.
        """
        nlp = self.nlp
        found: list[Prediction | None] = [
            None
            if len(text) <= nlp.max_length
            else Prediction([], _too_long(text, nlp))
            for text in texts
        ]
        rest = [i for i, known in enumerate(found) if known is None]
        try:
            predictions = self._in_a_batch([texts[i] for i in rest])
        except Exception:
            predictions = [self._alone(texts[i]) for i in rest]
        for i, prediction in zip(rest, predictions, strict=True):
            found[i] = prediction
        return found  # type: ignore[return-value]

    def _in_a_batch(self, texts: list[str]) -> list[Prediction]:
        nlp = self.nlp
        keys = [pipe.spans_key for pipe in recognizers(nlp).values()]
        groups = span_group_keys(nlp, self.spans_key)
        # The memory of the Docs and of new words in the vocabulary is freed.
        with nlp.memory_zone():
            return [
                Prediction(predicted_entities(doc, keys, groups))
                for doc in nlp.pipe(texts)
            ]

    def _alone(self, text: str) -> Prediction:
        try:
            return self._in_a_batch([text])[0]
        except Exception as error:
            return Prediction([], f"{type(error).__name__}: {error}")

    def __call__(self, table: "pa.Table") -> "pa.Table":
        """Predict the entities of an Arrow table, for Ray's `map_batches` and Spark's
        `mapInArrow`.

        table: The table.
        RETURNS: The table with two more columns.
        RAISES (DataError): If it has no text column, or already has a column of
            entities.
        """
        import pyarrow as pa

        self._check_columns(table.column_names)
        texts = table.column(self.text_field).to_pylist()
        predictions = self._of_cells(texts)
        errors = pa.array([p.error or None for p in predictions], pa.string())
        table = table.append_column(
            self.entities_field, entities_array(texts, predictions)
        )
        return table.append_column(f"{self.entities_field}_error", errors)

    def frame(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Predict the entities of a data frame, for Spark's `mapInPandas` and Dask's
        `map_partitions`.

        frame: The data frame.
        RETURNS: The data frame with two more columns; an entity is a dict.
        RAISES (DataError): As for tables.
        """
        self._check_columns(list(frame.columns))
        texts = frame[self.text_field].tolist()
        predictions = self._of_cells(texts)
        return frame.assign(
            **{
                self.entities_field: [
                    None if p.error else entity_dicts(text, p.entities)
                    for text, p in zip(texts, predictions, strict=True)
                ],
                f"{self.entities_field}_error": [p.error or None for p in predictions],
            }
        )

    def _of_cells(self, cells: list[object]) -> list[Prediction]:
        """Predict the entities of the cells of a column, which may be null."""
        texts = [cell if isinstance(cell, str) else "" for cell in cells]
        return [
            prediction
            if isinstance(cell, str)
            else Prediction([], f"expected a text, found {type(cell).__name__}")
            for cell, prediction in zip(cells, self.predict(texts), strict=True)
        ]

    def _check_columns(self, names: list[str]) -> None:
        if self.text_field not in names:
            raise DataError(
                f"no column {self.text_field!r}, only {names}: set text_field"
            )
        for name in (self.entities_field, f"{self.entities_field}_error"):
            if name in names:
                raise DataError(
                    f"there is a column {name!r} already: set entities_field"
                )


@lru_cache(maxsize=1)
def _load(model: str, gpu_id: int) -> Language:
    from spacy.cli._util import setup_gpu

    setup_gpu(gpu_id, silent=True)
    return load_pipeline(model)


def _too_long(text: str, nlp: Language) -> str:
    return (
        f"text of {len(text):,} characters; the limit, nlp.max_length, is "
        f"{nlp.max_length:,}"
    )
