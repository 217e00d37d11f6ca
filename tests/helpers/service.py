"""The server, in this process."""

from contextlib import contextmanager

import pytest


def needs_server():
    """Skip a test where the packages of the server are missing."""
    for name in ("starlette", "uvicorn", "httptools", "prometheus_client"):
        pytest.importorskip(name, reason='needs pip install "spacy-lstm-ner[serve]"')


@contextmanager
def serving(load, **settings):
    """Serve a pipeline on a free port.

    load: Loads the pipeline.
    settings: See `Settings`.
    YIELDS: The server.
    """
    from spacy_lstm_ner.server.service import Service
    from spacy_lstm_ner.server.settings import Settings

    service = Service(load, Settings(**settings), port=0)
    service.start()
    try:
        yield service
    finally:
        service.stop()
