"""The command `visualize`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import GpuId, Host, Model, Opt, Port
from .serving import check_installed, loader, serve_until_stopped


@exit_on_error()
def visualize_cli(
    model: Model,
    port: Port = None,
    host: Host = "127.0.0.1",
    browser: Annotated[
        bool, Opt("--browser/--no-browser", help="Open the page in a browser")
    ] = True,
    examples: Annotated[
        Optional[Path],
        Opt(
            "--examples",
            "-e",
            help="Annotated data, from whose texts the page offers examples",
        ),
    ] = None,
    gpu_id: GpuId = -1,
) -> None:
    """Serve a local web page to try out a pipeline.

    Type or paste a text: its entities are highlighted with their probabilities, and a
    slider hides those below a threshold. The gates of the LSTM can be inspected
    character by character, and the reasons for each entity. A file with one text or
    {"text": "..."} a line can be annotated and downloaded as JSON Lines.

    The page offers an example for each type that the pipeline finds in made-up Chinese
    and English texts, or in those of --examples (a .spacy file, or a file that
    `convert` reads).

    The page can be opened only on this machine and needs no network connection; texts
    are not stored. With another --host, everybody who can reach this address can use
    it; `serve` offers a token and limits. Press Ctrl+C to stop.

    Examples:

    \b
    python -m spacy lstm-ner visualize training/model-best
    python -m spacy lstm-ner visualize zh_lstm_ner --port 8080 --no-browser
    python -m spacy lstm-ner visualize training/model-best --examples corpus/dev.spacy
    """
    check_installed()

    from ..evaluation.inputs import require_files
    from ..server.hosts import is_loopback
    from ..server.run import open_in_browser
    from ..server.service import Service
    from ..server.settings import Settings

    msg = Printer()
    if examples is not None:
        require_files(examples)
    settings = Settings(all_entities=True, examples=examples)
    service = Service(loader(model, gpu_id), settings, host, port)
    if not is_loopback(host):
        msg.warn(f"Everybody who can reach {host} can use this page, unencrypted.")

    def announce() -> None:
        msg.good("Open this page (Ctrl+C to stop):")
        print(service.url, flush=True)
        if browser:
            open_in_browser(service.url)

    serve_until_stopped(service, announce)
