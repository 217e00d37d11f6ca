"""The exceptions that callers may want to catch."""

import pickle
from http import HTTPStatus

import pytest

from spacy_lstm_ner import exceptions

BASES = {
    "Cancelled": BaseException,
    "DamagedComponent": ValueError,
    "DataError": ValueError,
    "NotCalibrated": ValueError,
    "PartlyWrittenError": OSError,
    "RequestError": Exception,
}


def test_each_one_is_listed():
    assert sorted(BASES) == exceptions.__all__


@pytest.mark.parametrize("name", BASES)
def test_built_in_base_docstring_and_pickling(name):
    kind = getattr(exceptions, name)
    assert issubclass(kind, BASES[name])
    assert kind.__doc__ and kind.__doc__.startswith("Raised ")
    error = pickle.loads(pickle.dumps(kind("新闻.jsonl: 1 \x1b")))
    assert type(error) is kind and str(error).startswith("新闻.jsonl: 1 ")


def test_a_rejected_request_keeps_its_status():
    error = exceptions.RequestError(
        "busy", HTTPStatus.SERVICE_UNAVAILABLE, retry_after=5
    )
    error = pickle.loads(pickle.dumps(error))
    assert (error.status, error.retry_after) == (503, 5)


def test_data_errors_are_safe_to_print():
    assert str(exceptions.DataError("a\n\x1b")) == "a\n\\x1b"
