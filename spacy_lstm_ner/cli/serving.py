"""What the commands `serve` and `visualize` share."""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from spacy.language import Language

if TYPE_CHECKING:
    from ..server.service import Service

_PACKAGES = ("starlette", "uvicorn", "httptools", "prometheus_client")


def check_installed() -> None:
    """RAISES (ImportError): If the packages of the server are not installed."""
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise ImportError(
            f"The server needs other packages ({', '.join(missing)}): "
            f'pip install "spacy-lstm-ner[serve]"'
        )


def loader(model: str, gpu_id: int) -> Callable[[], Language]:
    """Return a function that loads a pipeline on a GPU or the CPU."""
    from spacy.cli._util import setup_gpu

    from ..pipeline.loading import load_pipeline

    def load() -> Language:
        setup_gpu(gpu_id, silent=gpu_id < 0)
        return load_pipeline(model)

    return load


def serve_until_stopped(service: "Service", announce: Callable[[], None]) -> None:
    """Serve until Ctrl+C is pressed or SIGTERM is received.

    announce: Called when clients can connect.
    """
    from ..server import run

    if not run.serve_until_stopped(service, announce):
        # The pipeline is busy with something that cannot be cancelled. The interpreter
        # may crash if it exits while another thread computes.
        sys.stdout.flush()
        os._exit(0)
