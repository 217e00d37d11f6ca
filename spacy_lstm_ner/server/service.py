"""The web application on a port."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from time import monotonic

import uvicorn
from spacy.language import Language

from .app import Application
from .checks import RequestChecks
from .listen import allow_connections, bound_socket
from .metrics import Metrics
from .protocol import ConnectionLimits, LimitedProtocol
from .served_pipeline import ServedPipeline
from .settings import Settings

# Seconds until the end, from the signal to stop: what is being computed may be finished
# until then, and then its responses may be sent. The rest of two seconds is needed to
# notice the signal, and to end.
_FINISH_SECONDS, _SEND_SECONDS = 1.2, 1.5
# Seconds that the running job may take to reach its next checkpoint, after that.
_CHECKPOINT_SECONDS = 0.2


class Service:
    """The web application of a pipeline on a port: `start` begins to serve.

    load: Loads the pipeline, see `ServedPipeline`.
    settings: The limits, and who may use it.
    host: The address to listen on.
    port: The port. 0: any free port. None: the default port, or the next free one.
    RAISES (OSError): For an address that this machine does not have, or a port that is
        in use.
    RAISES (Exception): What `load` raises.
    """

    def __init__(
        self,
        load: Callable[[], Language],
        settings: Settings | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
    ):
        settings = settings or Settings()
        n = allow_connections(settings.connections)
        self.settings = settings = replace(settings, connections=n)
        self.host = host
        self.metrics = Metrics()
        # Before the pipeline is loaded, which takes longer than to find an error.
        self._socket = bound_socket(host, port)
        self.server_address: tuple[str, int] = self._socket.getsockname()[:2]
        try:
            self.pipeline = ServedPipeline(
                load, settings, on_batch=self.metrics.batches.observe
            )
        except BaseException:
            self._socket.close()
            raise
        checks = RequestChecks(host, self.url, settings)
        self.app = Application(self.pipeline, checks, settings, self.metrics)
        self._connections = limits = ConnectionLimits(settings)
        self._add_gauges()
        self._has_started = Event()
        self._server = _Server(
            self._has_started,
            uvicorn.Config(
                self.app,
                http=type("Protocol", (LimitedProtocol,), {"limits": limits}),
                lifespan="off",
                # There are no WebSockets.
                ws="none",
                # The terminal is for what the user needs to know.
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                # Addresses of clients are not used.
                proxy_headers=False,
                timeout_keep_alive=settings.keep_alive_seconds,
            ),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._serve, name="server", daemon=True)

    @property
    def url(self) -> str:
        """The URL of the page."""
        # A server that listens on all addresses can be reached at the loopback address.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.server_address[1]}/"

    def start(self) -> None:
        """Begin to serve, in a thread. Returns when clients can connect."""
        self._thread.start()
        self._has_started.wait()

    @property
    def is_running(self) -> bool:
        """Whether the server has been started, and has not ended."""
        return self._thread.is_alive()

    def stop(self) -> bool:
        """End within two seconds, whatever clients do. Requests that have arrived are
        finished if there is time; the others get an error.

        RETURNS: Whether all threads have ended: the pipeline may be busy with something
            that cannot be cancelled.
        """
        begun = monotonic()

        def left(seconds: float) -> float:
            return max(0.0, begun + seconds - monotonic())

        worker = self.pipeline.worker
        self._server.should_exit = True
        worker.drain(left(_FINISH_SECONDS))
        worker.close(0)
        if self._loop is None:
            self._socket.close()
        else:
            self._thread.join(left(_SEND_SECONDS))
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._connections.close)
                self._thread.join(left(_SEND_SECONDS + _CHECKPOINT_SECONDS))
        has_ended = worker.close(_CHECKPOINT_SECONDS)
        return has_ended and not self._thread.is_alive()

    def _serve(self) -> None:
        self._loop = loop = _new_event_loop()
        try:
            loop.run_until_complete(self._run())
        finally:
            self._has_started.set()  # or failed, which the thread has printed
            loop.close()

    async def _run(self) -> None:
        self._connections.start()
        await self._server.serve(sockets=[self._socket])
        self._connections.close()
        # They end, since their connections have.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=_CHECKPOINT_SECONDS)

    def _add_gauges(self) -> None:
        worker = self.pipeline.worker
        self.metrics.gauge(
            "lstm_ner_waiting_requests",
            "Requests that wait for the pipeline",
            {
                "short": lambda: worker.n_waiting(long=False),
                "long": lambda: worker.n_waiting(long=True),
            },
        )
        self.metrics.gauge(
            "lstm_ner_connections",
            "Open connections",
            {"": lambda: len(self._connections.all)},
        )


class _Server(uvicorn.Server):
    """Sets an event when clients can connect."""

    def __init__(self, has_started: Event, config: uvicorn.Config):
        super().__init__(config)
        self._has_started = has_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._has_started.set()


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop of uvloop, which is faster, where there is one: not on Windows."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
