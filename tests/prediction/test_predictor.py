"""The class that predicts batches, as Ray, Spark and Dask call it."""

import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from spacy_lstm_ner import DataError, EntityPredictor

from ..helpers.batch_prediction import ERROR, SENTENCES, FatalPredictor

TEXTS = SENTENCES[:20]


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("predictor") / "model"
    trained.to_disk(path)
    return path


def test_it_is_sent_by_name_and_loads_in_the_other_process(model):
    predictor = EntityPredictor(model)
    expected = predictor.predict(TEXTS)
    assert len(pickle.dumps(predictor)) < 1000
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(predictor.predict, TEXTS).result() == expected


def test_the_pipeline_is_loaded_once_in_a_process(model):
    first, second = EntityPredictor(model), EntityPredictor(str(model))
    assert first.nlp is second.nlp


def test_memory_of_new_words_is_freed(model):
    predictor = EntityPredictor(model)
    strings = predictor.nlp.vocab.strings
    size = len(strings)
    predictor.predict([chr(0x5000 + i) for i in range(1000)])
    assert len(strings) == size


def test_arrow_tables(model):
    pa = pytest.importorskip("pyarrow")
    predictor = FatalPredictor(model, text_field="t")
    table = pa.table({"t": [TEXTS[0], None, f"x{ERROR}"], "id": [1, 2, 3]})
    rows = predictor(table).to_pylist()
    assert [row["id"] for row in rows] == [1, 2, 3]
    (expected,) = predictor.predict([TEXTS[0]])
    assert [(e["start"], e["end"], e["label"]) for e in rows[0]["entities"]] == [
        entity[:3] for entity in expected.entities
    ]
    assert rows[0]["entities_error"] is None
    assert rows[1]["entities"] is None and rows[2]["entities"] is None
    assert rows[1]["entities_error"] == "expected a text, found NoneType"
    assert rows[2]["entities_error"] == "ValueError: this text cannot be predicted"


def test_data_frames(model):
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    predictor = EntityPredictor(model)
    frame = pd.DataFrame({"text": TEXTS, "id": range(len(TEXTS))}, index=TEXTS)
    found = predictor.frame(frame)
    assert list(found.columns) == ["text", "id", "entities", "entities_error"]
    assert list(found.index) == TEXTS
    table = predictor(pa.Table.from_pandas(frame, preserve_index=False))
    assert found["entities"].tolist() == table.column("entities").to_pylist()
    assert "entities" not in frame.columns


def test_columns_that_do_not_fit(model):
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match="no column 'text', only"):
        EntityPredictor(model)(pa.table({"t": ["a"]}))
    with pytest.raises(DataError, match="a column 'entities' already"):
        EntityPredictor(model)(pa.table({"text": ["a"], "entities": ["a"]}))


def test_a_loaded_pipeline_is_refused(trained):
    with pytest.raises(ValueError, match="save this one with"):
        EntityPredictor(trained)


def test_pyarrow_is_imported_only_for_tables():
    # `predict` of JSON lines must not need it.
    code = (
        "import spacy_lstm_ner.prediction.predict, sys; print('pyarrow' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
