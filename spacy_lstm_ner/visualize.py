"""A local page to try a pipeline: `python -m spacy lstm-ner visualize`.

    GET  /            the page
    POST /entities    {"texts": ["…"]} → see `Demo.entities`
    POST /gates       {"text": "…", "why": false} → see `Demo.gates`

What goes wrong is answered as {"error": "…"}. Only the page itself may ask. Other pages
that are open in the browser reach a server on the same machine, too: by its address,
which their `Origin` tells, or by a name of theirs that leads to it, which `Host` tells.
"""

import errno
import json
import socket
import sys
import traceback
import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from .demo import Demo, Refusal

DEFAULT_PORT = 8000
# So many ports are tried where none is asked for.
_PORTS = 20
# In bytes: six for a character of JSON, and twice as much as is needed.
_LARGEST_REQUEST = 1_200_000
# Bytes of a request that is too large, which are read so that the answer is.
_LARGEST_REFUSED = 50_000_000

# Nothing that is sent is for other pages, to be kept, or to be guessed at. The policy
# for scripts stands in the page.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_loopback(host: str) -> bool:
    """Is this an address that other machines cannot reach?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_in_browser(url: str) -> None:
    """Open a page in the user's browser, if there is one with a window."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    # Just this class stands for browsers that would take over the terminal.
    if type(browser) is not webbrowser.GenericBrowser:
        Thread(target=browser.open, args=(url,), daemon=True).start()


class DemoServer(ThreadingHTTPServer):
    """Serves the page of a pipeline; `serve_forever` begins.

    demo (Demo): The pipeline.
    host (str): The address to listen at.
    port (int | None): The port; 0: any that is free; None: the default port or, where
        it is taken, the next one that is free.
    RAISES (OSError): For an address that is not one of this machine, or a port that is
        taken.
    """

    daemon_threads = True
    # On Windows a second server would get the port of the first one.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, demo: Demo, host: str = "127.0.0.1", port: int | None = None):
        self.demo = demo
        self.host = host
        first, last = DEFAULT_PORT, DEFAULT_PORT + _PORTS - 1
        wanted = range(first, last + 1) if port is None else [port]
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise OSError(f"There is no address {host}: {error.strerror}.") from None
        self.address_family = found[0][0]
        for number in wanted:
            try:
                super().__init__((host, number), _Handler)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise OSError(
                        f"Nothing can be served at {host}, port {number}: "
                        f"{error.strerror}."
                    ) from None
        which = f"Ports {first} to {last} are" if port is None else f"Port {port} is"
        raise OSError(f"{which} taken: choose another one with --port.")

    @property
    def url(self) -> str:
        """Where the page is."""
        # What listens at all addresses is found at that of the machine itself.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.server_address[1]}/"

    def is_called(self, name: str | None) -> bool:
        """Is this a name or address by which the server may be called? The port is not
        looked at: it may be forwarded."""
        if name is None:
            return False
        if name in ("localhost", self.host):
            return True
        try:
            # A number is nobody's name, and cannot be made to lead elsewhere.
            return ip_address(name).is_loopback or not is_loopback(self.host)
        except ValueError:
            return False

    def server_bind(self) -> None:
        # HTTPServer would look up the name of the machine, which can take long.
        TCPServer.server_bind(self)

    def close(self) -> None:
        """Let go of the port, and of the pipeline."""
        self.server_close()
        self.demo.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that does not wait for the answer has changed its mind.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: DemoServer
    server_version = "spacy-lstm-ner"
    sys_version = ""
    # Seconds that a client may take to say something.
    timeout = 30

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            # Whoever asks reads no answer before everything is sent.
            self._body = self._read_body() if self.command == "POST" else b""
            self._check_caller()
            method, answer = self._route()
            if self.command != method:
                raise Refusal(
                    f"That is asked for with {method}.", HTTPStatus.METHOD_NOT_ALLOWED
                )
            answer()
        except Refusal as refusal:
            self._send_json({"error": str(refusal)}, refusal.status)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            traceback.print_exc()
            said = f"The pipeline failed: {type(error).__name__}: {error}"
            self._send_json({"error": said}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _route(self) -> tuple[str, Callable[[], None]]:
        routes = {
            "/": ("GET", self._page),
            "/entities": ("POST", self._entities),
            "/gates": ("POST", self._gates),
        }
        path = self.path.partition("?")[0]
        if path not in routes:
            raise Refusal(
                "There is nothing here: the page is at /", HTTPStatus.NOT_FOUND
            )
        return routes[path]

    def _check_caller(self) -> None:
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        if not self.server.is_called(_host_name(host)):
            raise Refusal(
                f"This server is not called {host!r}: open {self.server.url}, or start "
                f"it with --host and that name.",
                HTTPStatus.FORBIDDEN,
            )
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise Refusal(
                f"Only the page of this server may ask it, and not {origin!r}.",
                HTTPStatus.FORBIDDEN,
            )

    def _page(self) -> None:
        self._send(self.server.demo.page.encode(), "text/html; charset=utf-8")

    def _entities(self) -> None:
        texts = self._question().get("texts")
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise Refusal('"texts" has to be a list of strings.')
        self._send_json(self.server.demo.entities(texts))

    def _gates(self) -> None:
        question = self._question()
        text, why = question.get("text"), question.get("why", False)
        if not isinstance(text, str) or not isinstance(why, bool):
            raise Refusal('"text" has to be a string, and "why" true or false.')
        self._send_json(self.server.demo.gates(text, why=why))

    def _question(self) -> dict[str, Any]:
        """What is asked, as JSON."""
        # Other pages could send anything else without asking first.
        if self.headers.get_content_type() != "application/json":
            raise Refusal(
                "The content type has to be application/json.",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        try:
            question = json.loads(self._body)
        except (ValueError, RecursionError):
            raise Refusal("That is not JSON.") from None
        if not isinstance(question, dict):
            raise Refusal("That is not a JSON object.")
        return question

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refusal(
                "The length of the content is missing.", HTTPStatus.LENGTH_REQUIRED
            )
        size = int(length[:12])
        if size <= _LARGEST_REQUEST:
            return self.rfile.read(size)
        left = min(size, _LARGEST_REFUSED)
        while left > 0 and (piece := self.rfile.read(min(left, _LARGEST_REQUEST))):
            left -= len(piece)
        raise Refusal(
            f"A request has at most {_LARGEST_REQUEST:,} bytes.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )

    def _send_json(
        self, answer: dict[str, Any], status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self._send(json.dumps(answer).encode(), "application/json", status)

    def _send(
        self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self.send_response(status)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET" if self.path == "/" else "POST")
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what is no proper request, or has a method that nothing here has."""
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
            message = f"There is no {self.command} here, only GET and POST."
        self._send_json({"error": message or status.phrase}, status)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what the user has to know."""


def _host_name(host: str) -> str | None:
    """The name in `Host`, without the port; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
