"""The command `serve`."""

# ruff: noqa: UP045

from pathlib import Path
from typing import Annotated, Optional

from wasabi import Printer

from .exit import exit_on_error
from .options import GpuId, Host, Model, Opt, Port
from .serving import check_installed, loader, serve_until_stopped


@exit_on_error()
def serve_cli(
    model: Model,
    port: Port = None,
    host: Host = "127.0.0.1",
    token_file: Annotated[
        Optional[Path],
        Opt(
            "--token-file",
            help="File with a token that clients have to send; needed for other hosts",
            dir_okay=False,
        ),
    ] = None,
    no_token: Annotated[
        bool, Opt("--no-token", help="Let everybody use it who can reach the address")
    ] = False,
    allowed_host: Annotated[
        Optional[list[str]],
        Opt(
            "--allowed-host",
            help="Another name of this server, as a proxy passes it on; repeatable",
            metavar="NAME",
        ),
    ] = None,
    max_characters: Annotated[
        int, Opt("--max-characters", help="Characters in a request", min=1)
    ] = 100_000,
    max_texts: Annotated[
        int, Opt("--max-texts", help="Texts in a request", min=1)
    ] = 1_000,
    timeout: Annotated[
        float,
        Opt("--timeout", help="Seconds to wait for a result, with the queue", min=0.1),
    ] = 60.0,
    queue: Annotated[
        int, Opt("--queue", help="Requests that wait for the pipeline", min=1)
    ] = 256,
    page: Annotated[
        Optional[bool],
        Opt(
            "--page/--no-page",
            help="Offer the page of `visualize`, too; default: unless there is a token",
            show_default=False,
        ),
    ] = None,
    gpu_id: GpuId = -1,
) -> None:
    """Serve a pipeline to other programs over HTTP.

    \b
    POST /entities      {"text": "..."} or {"texts": ["...", "..."]}
    GET  /health        whether it runs
    GET  /ready         whether it accepts requests
    GET  /metrics       counts and times, for Prometheus
    GET  /docs          this API as a page, and /openapi.json

    The entities are those of nlp(text), with character offsets and probabilities:

    \b
    {"entities": [
      {"start": 0, "end": 2, "label": "NAME", "text": "...", "score": 0.99}
    ]}

    Requests that wait at the same time are processed together. What a limit refuses is
    answered with its status and {"error": "..."}: 413 for too much text, 503 if too
    many requests wait, 504 if the time is over. Ctrl+C and SIGTERM finish what was
    begun, and end within two seconds.

    Only this machine can reach the default address. Other addresses need a token in a
    file, which clients send as "Authorization: Bearer ...". It is not encrypted: put a
    proxy with TLS before it, and name it with --allowed-host.

    Examples:

    \b
    python -m spacy lstm-ner serve training/model-best
    curl http://127.0.0.1:8000/entities -H "Content-Type: application/json" \\
      -d '{"text": "..."}'
    python -m spacy lstm-ner serve zh_lstm_ner --host 0.0.0.0 --token-file token.txt \\
      --allowed-host ner.example.org
    """
    check_installed()

    from ..server.access_token import others_may_read, read_token
    from ..server.hosts import is_loopback
    from ..server.service import Service
    from ..server.settings import Settings

    if token_file is not None and no_token:
        raise ValueError("Choose one of --token-file and --no-token.")
    if token_file is None and not no_token and not is_loopback(host):
        raise ValueError(
            f"Other machines can reach {host}: give a --token-file that their requests "
            f"have to contain, or --no-token to let everybody use the server."
        )
    if page and token_file is not None:
        raise ValueError("The page has no token to send: leave out --page.")
    msg = Printer()
    token = None
    if token_file is not None:
        token = read_token(token_file)
        if others_may_read(token_file):
            msg.warn(f"Other users of this machine can read {token_file}.")
    settings = Settings(
        characters=max_characters,
        texts=max_texts,
        seconds=timeout,
        queue=queue,
        token=token,
        allowed_hosts=tuple(allowed_host or ()),
        page=token is None if page is None else page,
    )
    service = Service(loader(model, gpu_id), settings, host, port)
    if token is None and not is_loopback(host):
        msg.warn(f"Everybody who can reach {host} can use this server, unencrypted.")

    def announce() -> None:
        msg.good("Serving at this address (Ctrl+C to stop; API: /docs):")
        print(service.url, flush=True)

    serve_until_stopped(service, announce)
