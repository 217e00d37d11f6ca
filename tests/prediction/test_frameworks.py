"""`EntityPredictor` in Spark and Dask. They are installed by hand, see CONTRIBUTING.md:
the tests are skipped without them."""

import shutil

import pytest

from spacy_lstm_ner import EntityPredictor

from ..helpers.batch_prediction import numbered

pytestmark = pytest.mark.slow

ENTITY = "struct<start:long,end:long,label:string,text:string,score:double>"


@pytest.fixture(scope="module")
def predictor(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("frameworks") / "model"
    trained.to_disk(path)
    return EntityPredictor(path)


@pytest.fixture
def parquet(tmp_path):
    import pyarrow as pa
    from pyarrow.parquet import write_table

    table = pa.Table.from_pylist(numbered(200))
    write_table(table, tmp_path / "in.parquet", row_group_size=50)
    return tmp_path / "in.parquet"


def expected(predictor):
    rows = numbered(200)
    found = predictor.predict([row["text"] for row in rows])
    return {
        row["id"]: [(entity.start, entity.end, entity.label) for entity in few.entities]
        for row, few in zip(rows, found, strict=True)
    }


def test_spark(predictor, parquet):
    sql = pytest.importorskip("pyspark.sql")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")

    def predict_frames(frames):
        for frame in frames:
            yield predictor.frame(frame)

    schema = f"id long, text string, entities array<{ENTITY}>, entities_error string"
    builder = sql.SparkSession.builder.master("local[2]")
    spark = builder.config("spark.ui.enabled", "false").getOrCreate()
    try:
        rows = spark.read.parquet(str(parquet)).select("id", "text")
        found = rows.mapInPandas(predict_frames, schema).collect()
    finally:
        spark.stop()
    assert all(row.entities_error is None for row in found)
    assert {
        row.id: [(e.start, e.end, e.label) for e in row.entities] for row in found
    } == expected(predictor)


def test_dask(predictor, parquet):
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.read_parquet(parquet, split_row_groups=True)
    assert frame.npartitions == 4
    meta = frame._meta.assign(entities=object(), entities_error=object())
    found = frame.map_partitions(predictor.frame, meta=meta)
    found = found.compute(scheduler="processes", num_workers=2)
    assert found["entities_error"].isna().all()
    assert {
        row.id: [(e["start"], e["end"], e["label"]) for e in row.entities]
        for row in found.itertuples()
    } == expected(predictor)
