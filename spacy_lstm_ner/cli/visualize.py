"""The command `visualize`."""

# ruff: noqa: UP045

import os
import sys
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import GpuId, Model, Opt


@exit_on_error()
def visualize_cli(
    model: Model,
    port: Annotated[
        Optional[int],
        Opt(
            "--port",
            "-p",
            help="Port; default: 8000, or the next free one",
            min=0,
            max=65535,
        ),
    ] = None,
    host: Annotated[
        str,
        Opt("--host", help="Address to listen on; 0.0.0.0: all, open to everybody"),
    ] = "127.0.0.1",
    browser: Annotated[
        bool, Opt("--browser/--no-browser", help="Open the page in a browser")
    ] = True,
    gpu_id: GpuId = -1,
) -> None:
    """Serve a local web page to try out a pipeline.

    Type or paste a text: its entities are highlighted with their probabilities, and a
    slider hides those below a threshold. The gates of the LSTM can be inspected
    character by character, and the reasons for each entity. A file with one text or
    {"text": "..."} a line can be annotated and downloaded as JSON Lines.

    The page can be opened only on this machine and needs no network connection; texts
    are not stored. With another --host, everybody who can reach this address can use
    it. Press Ctrl+C to stop.

    Examples:

    \b
    python -m spacy lstm-ner visualize training/model-best
    python -m spacy lstm-ner visualize zh_lstm_ner --port 8080 --no-browser
    """
    from spacy.cli._util import setup_gpu
    from spacy.language import Language

    from ..pipeline.loading import load_pipeline
    from ..server.app import DemoServer
    from ..server.demo import Demo
    from ..server.hosts import is_loopback
    from ..server.run import open_in_browser, serve_until_stopped

    def load() -> Language:
        setup_gpu(gpu_id, silent=gpu_id < 0)
        return load_pipeline(model)

    msg = Printer()
    server = DemoServer(Demo(load), host, port)
    if not is_loopback(host):
        msg.warn(f"Everybody who can reach {host} can use this page, unencrypted.")
    msg.good("Open this page (Ctrl+C to stop):")
    print(server.url, flush=True)
    if browser:
        open_in_browser(server.url)
    if not serve_until_stopped(server):
        # The pipeline is busy with something that cannot be cancelled. The interpreter
        # may crash if it exits while another thread computes.
        sys.stdout.flush()
        os._exit(0)
